"""The model bundle: a folder with ``model.onnx``, ``manifest.json`` and ``card.md``.

Whatever the make wing produces, the use wing runs; nothing else passes between them. The graph
takes ``luma`` float32 (N, 1, H, W), L* 0..100, and ``hint`` float32 (N, 4, H, W): L*, a*, b* and a
0/1 mask, zeros where there is no hint; H and W are multiples of ``multiple_of``. A graph that takes
no hints may have ``luma`` alone. It gives ``ab``
(N, 2, H/s, W/s) in Lab units for an integer s, or ``lab`` (N, 3, H/s, W/s), and perhaps ``bins``
(N, K, H/4, W/4), logits over the manifest's ab bins.

Bundles are found by name among those that come with tinct and those in the user's folder
(``$TINCT_HOME/models``, else ``~/.local/share/tinct/models``), or by path.
"""

from __future__ import annotations

import dataclasses
import difflib
import hashlib
import json
import math
import os
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from tinct.errors import ModelError
from tinct.settings import QUALITIES

SCHEMA = "tinct.bundle/1"
MODEL, MANIFEST, CARD = "model.onnx", "manifest.json", "card.md"
TASKS = ("photo", "lineart")
PREDICTS = ("ab", "lab")


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What a bundle says of itself.

    Attributes:
        name: how people call it.
        family: the method.
        task: ``photo`` or ``lineart``.
        license: SPDX identifier of the weights' license.
        predicts: ``ab`` (the picture keeps its lightness) or ``lab`` (the model paints).
        sizes: short side in pixels at which the model works, for ``fast``, ``balanced``, ``best``.
        multiple_of: both sides of the input are multiples of this.
        max_long: the largest long side of the input.
        looks: short sides at which a model that colors photographs looks besides for ``best``,
            each with the aspect of the first; what it sees in all of them is averaged.
        takes_hints: whether the hint planes have an effect; without, the graph needs no ``hint``.
        ab_bins: centers a*, b* of the bins, in the order of ``bins``; empty without that output.
        sha256: of ``model.onnx``, hexadecimal.
        parameters: how many numbers were learned.
        recipe: how it was trained.
        data: on what: names, numbers of pictures, terms.
        metrics: measured figures.
        created: day, ISO 8601.
        tinct: version that exported it.
        opset: of the ONNX graph.
        spreads_hints: the network has no use for hints of its own, although it may take them: they
            are only spread over what it proposes, so that it need not look again when one changes.
        keeps_regions: of models that paint: each region that a drawing's lines enclose gets one
            color under the painted lightness, and hints stay in it.
        doubt_temperature: by which the logits of ``bins`` are divided before they are taken for
            probabilities; measured on pictures that were not trained on.
        schema: of this file.
    """

    name: str
    family: str
    task: str
    license: str
    predicts: str
    sizes: dict[str, int]
    multiple_of: int
    max_long: int
    takes_hints: bool
    ab_bins: list[list[float]]
    sha256: str
    parameters: int
    recipe: dict[str, Any] = field(default_factory=dict)
    data: list[dict[str, Any]] = field(default_factory=list)
    metrics: dict[str, Any] = field(default_factory=dict)
    created: str = ""
    tinct: str = ""
    opset: int = 18
    looks: list[int] = field(default_factory=list)
    spreads_hints: bool = False
    keeps_regions: bool = False
    doubt_temperature: float = 1.0
    schema: str = SCHEMA

    def as_dict(self) -> dict[str, Any]:
        """Return the manifest as plain JSON values."""
        return dataclasses.asdict(self)


@dataclass(frozen=True)
class Bundle:
    """A bundle on disk.

    Attributes:
        path: its folder.
        manifest: what it says of itself.
        card: the model card, Markdown.
    """

    path: Path
    manifest: Manifest
    card: str

    @property
    def name(self) -> str:
        """The name it is asked for by: its folder's."""
        return self.path.name

    @property
    def paints(self) -> bool:
        """Whether the model paints lightness too, which it may do to line art."""
        return self.manifest.task == "lineart" and self.manifest.predicts == "lab"

    @property
    def model_path(self) -> Path:
        """The graph's file."""
        return self.path / MODEL


@dataclass(frozen=True)
class Broken:
    """A bundle that cannot be read.

    Attributes:
        name: its folder's name.
        path: its folder.
        error: why.
    """

    name: str
    path: Path
    error: ModelError


def parse_manifest(held: Any, *, where: str) -> Manifest:
    """Check a manifest's JSON value, field by field.

    Args:
        held: the decoded JSON.
        where: the file's name, for messages.

    Raises:
        ModelError: a field is missing, unknown, of the wrong type or out of range.
    """
    if not isinstance(held, dict):
        raise ModelError(f"{where} holds no JSON object; export the bundle again.")
    if held.get("schema") != SCHEMA:
        raise ModelError(
            f"{where}: schema is {held.get('schema')!r}, this tinct reads {SCHEMA!r}; "
            "update tinct or export the bundle again."
        )
    known = {field.name for field in dataclasses.fields(Manifest)}
    for name in held:
        if name not in known:
            raise ModelError(f"{where}: the field {name!r} is unknown; update tinct.")
    try:
        manifest = msgspec.convert(held, Manifest)
    except msgspec.ValidationError as error:
        told = str(error).replace("`", "'").replace(" - at '$.", " in '")
        raise ModelError(f"{where}: {told}; export the bundle again.") from error
    wrong = {
        "name": not manifest.name.strip(),
        "task": manifest.task not in TASKS,
        "predicts": manifest.predicts not in PREDICTS,
        "sizes": set(manifest.sizes) != set(QUALITIES) or min(manifest.sizes.values()) < 1,
        "multiple_of": manifest.multiple_of < 1,
        "max_long": manifest.max_long < max(manifest.sizes.values(), default=1),
        "looks": any(not 1 <= look <= manifest.max_long for look in manifest.looks)
        or (bool(manifest.looks) and (manifest.task, manifest.predicts) != ("photo", "ab")),
        "ab_bins": any(
            len(pair) != 2 or not all(math.isfinite(part) for part in pair)
            for pair in manifest.ab_bins
        ),
        "sha256": re.fullmatch("[0-9a-f]{64}", manifest.sha256) is None,
        "parameters": manifest.parameters < 0,
        "doubt_temperature": not 0.01 <= manifest.doubt_temperature <= 100,
    }
    for name, bad in wrong.items():
        if bad:
            raise ModelError(f"{where}: the field {name!r} is out of range; export it again.")
    return manifest


def _is_file(path: Path) -> bool:
    """Return whether there is a file; what cannot be looked at is none."""
    try:
        return path.is_file()
    except OSError:
        return False


def read_bundle(path: str | Path) -> Bundle:
    """Read a bundle's manifest and card; the model itself is checked by :func:`verify`.

    Raises:
        ModelError: the folder, a file or a field is missing or wrong.
    """
    folder = Path(path)
    for name in (MODEL, MANIFEST):
        if not _is_file(folder / name):
            held = sorted(path.parent.name for path in folder.glob(f"*/{MANIFEST}"))
            more = f"; name one of those in it: {', '.join(held)}." if held else "."
            raise ModelError(f"{str(folder)!r} is no model bundle: it holds no {name}{more}")
    where = str(folder / MANIFEST)
    try:
        held = json.loads((folder / MANIFEST).read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"{where} cannot be read as JSON ({error}); export it again.") from error
    card = folder / CARD
    try:
        text = card.read_text("utf-8", errors="replace") if card.is_file() else ""
    except OSError as error:
        raise ModelError(f"{card} cannot be read ({error.strerror}).") from error
    return Bundle(path=folder, manifest=parse_manifest(held, where=where), card=text)


def verify(bundle: Bundle) -> None:
    """Check that the graph's file is the one the manifest was written for.

    Raises:
        ModelError: it is damaged or another one.
    """
    try:
        found = hashlib.sha256(bundle.model_path.read_bytes()).hexdigest()
    except OSError as error:
        raise ModelError(f"{bundle.model_path} cannot be read ({error.strerror}).") from error
    if found != bundle.manifest.sha256:
        raise ModelError(
            f"{bundle.model_path} is damaged or was exchanged: its SHA-256 is not the manifest's; "
            "install or export the bundle again."
        )


def write_bundle(folder: Path, model: bytes, manifest: Manifest, card: str) -> Bundle:
    """Write a bundle whole: an interruption leaves what was there before.

    Args:
        folder: replaced if it is a bundle already.
        model: the ONNX graph.
        manifest: its ``sha256`` must be the graph's.
        card: Markdown.

    Returns:
        The bundle, read back.

    Raises:
        ModelError: ``folder`` holds something else, or cannot be written.
    """
    assert hashlib.sha256(model).hexdigest() == manifest.sha256
    folder = folder.absolute()
    if folder.exists() and not (folder / MANIFEST).is_file() and any(folder.iterdir()):
        raise ModelError(f"{str(folder)!r} holds something else; choose another folder.")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".bundle-") as room:
            new = Path(room) / "new"
            new.mkdir()
            (new / MODEL).write_bytes(model)
            (new / MANIFEST).write_text(json.dumps(manifest.as_dict(), indent=2) + "\n", "utf-8")
            (new / CARD).write_text(card, "utf-8")
            _exchange(new, folder, old=Path(room) / "old")
    except OSError as error:
        raise ModelError(
            f"The bundle cannot be written to {str(folder)!r} ({error.strerror})."
        ) from error
    return read_bundle(folder)


def _exchange(new: Path, folder: Path, *, old: Path) -> None:
    """Give ``new`` the name ``folder``; what has it now goes to ``old``, or stays on failure."""
    if not folder.exists():
        new.rename(folder)
        return
    folder.rename(old)
    try:
        new.rename(folder)
    except BaseException:
        old.rename(folder)
        raise


def shipped_folder() -> Path:
    """Return where the bundles that come with tinct lie."""
    return Path(__file__).parent / "models"


def user_folder(environment: Mapping[str, str] = os.environ) -> Path | None:
    """Return where the user's bundles lie: ``$TINCT_HOME/models`` or the platform's data folder.

    None where the user has no home.
    """
    home = environment.get("TINCT_HOME")
    if home:
        return Path(home) / "models"
    data = environment.get("XDG_DATA_HOME")
    if data:
        return Path(data) / "tinct" / "models"
    try:
        return Path.home() / ".local" / "share" / "tinct" / "models"
    except RuntimeError:
        return None


def _folders() -> tuple[dict[str, Path], list[Broken]]:
    """Return the folders of all named bundles, the user's before the shipped ones.

    With them come the places that cannot be looked into.
    """
    found: dict[str, Path] = {}
    broken: list[Broken] = []
    for root in (user_folder(), shipped_folder()):
        if root is None:
            continue
        try:
            for path in sorted(root.iterdir()):
                if (path / MANIFEST).is_file():
                    found.setdefault(path.name, path)
        except FileNotFoundError:
            continue
        except OSError as error:
            why = (error.strerror or str(error)).lower()
            text = f"The folder {root} cannot be read ({why}); check its permissions."
            broken.append(Broken(root.name, root, ModelError(text)))
    return {name: found[name] for name in sorted(found)}, broken


def survey() -> tuple[list[Bundle], list[Broken]]:
    """Return all bundles that can be asked for by name, and those that cannot be read."""
    bundles: list[Bundle] = []
    folders, broken = _folders()
    for name, path in folders.items():
        try:
            bundles.append(read_bundle(path))
        except ModelError as error:
            broken.append(Broken(name, path, error))
    return bundles, broken


def list_bundles() -> list[Bundle]:
    """Return all bundles that can be asked for by name; :func:`survey` tells of broken ones."""
    return survey()[0]


def find_for_task(task: str) -> Bundle | None:
    """Return the installed bundle for a task: the one named like it, else the first by name."""
    found = [bundle for bundle in list_bundles() if bundle.manifest.task == task]
    return min(found, key=lambda bundle: (bundle.name != task, bundle.name), default=None)


def is_model(text: str) -> bool:
    """Return whether a text is the name of an installed bundle, or the path of one."""
    path = Path(text)
    return text in _folders()[0] or _is_file(path / MANIFEST) or path.name == MODEL


def find_bundle(model: str | Path) -> Bundle:
    """Return a bundle by name or by path.

    Args:
        model: a name; or the path of a folder, or of the ``model.onnx`` in it.

    Raises:
        ModelError: there is none, or it is damaged.
    """
    known, _ = _folders()
    text = str(model)
    if text in known and not isinstance(model, Path):
        return read_bundle(known[text])
    path = Path(model)
    if path.name == MODEL and _is_file(path):
        path = path.parent
    if os.path.lexists(path):
        return read_bundle(path)
    near = difflib.get_close_matches(text, known, n=1)
    guess = f"did you mean {near[0]!r}?" if near else f"installed: {', '.join(known) or 'none'}."
    raise ModelError(f"There is no model {text!r}; {guess}")
