"""The color recipe: a small JSON file with what made a picture's colors, to be replayed.

``photo.tinct.json`` holds the hints, the model with its hash, and the settings. Places in it are
shares of the picture, so it also serves for the same picture at another resolution and for similar
ones. Its form is told in ``docs/sidecar.md`` and, for machines, in ``sidecar.schema.json``.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import tinct
from tinct.atomic import check_target, replacing
from tinct.bundle import Bundle
from tinct.coloring.palette import Palette
from tinct.errors import PictureError, SaveError, UsageError
from tinct.hints import files as hint_files
from tinct.hints.validation import FieldError, number_of
from tinct.settings import KEEPS, QUALITIES, STRONGEST, WARMEST, Settings

SCHEMA = "tinct.recipe/1"
ENDING = ".tinct.json"
LONGEST_NAME = 200
AB_RANGE = 128.0


@dataclass(frozen=True, kw_only=True)
class ColorRecipe:
    """What made the colors of a picture.

    Attributes:
        settings: hints, strength and so on; of a reference its palette is kept, not the picture.
        model: the model's name; None means the default.
        sha256: of its graph, hexadecimal; None means any.
        version: of the tinct that wrote it.
    """

    settings: Settings = field(default_factory=Settings)
    model: str | None = None
    sha256: str | None = None
    version: str = field(default=tinct.__version__)

    def of_bundle(self, bundle: Bundle) -> ColorRecipe:
        """Return the recipe with the name and hash of the model that was used."""
        return replace(self, model=bundle.name, sha256=bundle.manifest.sha256)

    def mismatch(self, bundle: Bundle) -> str | None:
        """Return one sentence if another model than ``bundle`` made the recipe, else None."""
        if self.sha256 in (None, bundle.manifest.sha256):
            return None
        made = f"{self.model or 'a model'} ({str(self.sha256)[:8]})"
        here = f"{bundle.name} ({bundle.manifest.sha256[:8]})"
        return f"the recipe was made with the model {made}, not {here}: the colors may differ"

    def in_shares(self, height: int, width: int) -> ColorRecipe:
        """Return the recipe with hints in shares of a picture of ``height`` x ``width`` pixels."""
        hints = tuple(hint.in_shares(height, width) for hint in self.settings.hints)
        return replace(self, settings=replace(self.settings, hints=hints))

    def as_dict(self) -> dict[str, Any]:
        """Return the recipe as plain JSON values."""
        model = {"name": self.model, "sha256": self.sha256}
        held = self.settings
        # Of no file the name leaves the computer.
        palette = held.reference and palette_as_json(replace(held.reference, name=""))
        return {
            "schema": SCHEMA,
            "tinct": self.version,
            "model": {name: value for name, value in model.items() if value is not None},
            "settings": {
                "strength": held.strength,
                "warmth": held.warmth,
                "quality": held.quality,
                "flat": held.flat,
                "keep": held.keep,
                **({"reference": palette} if palette else {}),
            },
            "hints": [hint_files.as_json(hint) for hint in held.hints],
        }

    def as_text(self) -> str:
        """Return the recipe as the text of its file."""
        return json.dumps(self.as_dict(), indent=2, ensure_ascii=False) + "\n"


def read_recipe(path: str | Path) -> ColorRecipe:
    """Read a color recipe.

    Args:
        path: its file.

    Raises:
        UsageError: it cannot be read, is of another schema, or something in it is wrong; the
            message names the field.
        PictureError: a picture in it cannot be read.
    """
    path = Path(path)
    held = hint_files.read_json(path)
    try:
        return parse_recipe(held, folder=path.parent)
    except (FieldError, PictureError) as error:
        raise hint_files.type_of(error)(f"{path.name}: {error}") from error


def parse_recipe(
    held: Any, *, folder: Path | None = None, max_pixels: int | None = None
) -> ColorRecipe:
    """Check a recipe's decoded JSON, field by field.

    Args:
        held: the decoded JSON.
        folder: that of the file, for pictures that it names.
        max_pixels: that all pictures in it may have together; None: 100 million each.

    Raises:
        FieldError: a field is missing, unknown or wrong.
        PictureError: a picture in it cannot be read.
    """
    if not isinstance(held, dict) or held.get("schema") != SCHEMA:
        given = held.get("schema") if isinstance(held, dict) else None
        raise FieldError("schema", f"must be {SCHEMA!r}, not {given!r}; this is no color recipe")
    fields = hint_files.check_fields(held, known=["schema", "tinct", "model", "settings", "hints"])
    version = fields.get("tinct", "")
    if not isinstance(version, str):
        raise FieldError("tinct", "must be a version as text")
    model = _object(fields, "model", known=["name", "sha256"])
    given = _object(
        fields, "settings", known=["strength", "warmth", "quality", "flat", "keep", "reference"]
    )
    default = Settings()
    return ColorRecipe(
        settings=Settings(
            hints=hint_files.from_json(
                fields.get("hints", []), folder=folder, max_pixels=max_pixels
            ),
            strength=_strength(given.get("strength", default.strength)),
            warmth=_warmth(given.get("warmth", default.warmth)),
            quality=_quality(given.get("quality", default.quality)),
            flat=_flat(given.get("flat", default.flat)),
            keep=_keep(given.get("keep", default.keep)),
            reference=palette_from_json(given.get("reference")),
        ),
        model=_name(model.get("name")),
        sha256=_hash(model.get("sha256")),
        version=version,
    )


def _object(fields: dict[str, Any], name: str, *, known: Sequence[str]) -> dict[str, Any]:
    held = fields.get(name, {})
    if not isinstance(held, dict):
        raise FieldError(name, f"must be an object with {' and '.join(known)}")
    try:
        return hint_files.check_fields(held, known=known)
    except FieldError as error:
        raise error.within(name) from error


def _name(value: Any) -> str | None:
    if value is None or (isinstance(value, str) and re.fullmatch(r"[^/\\:\s][^/\\:]*", value)):
        return value
    raise FieldError("model.name", f"{value!r} is no model's name; paths are given with --model")


def _hash(value: Any) -> str | None:
    if value is None or (isinstance(value, str) and re.fullmatch("[0-9a-f]{64}", value)):
        return value
    raise FieldError("model.sha256", "must be 64 hexadecimal digits in small letters")


def _strength(value: Any) -> float:
    strength = number_of("settings.strength", value)
    if not 0 <= strength <= STRONGEST:
        raise FieldError("settings.strength", f"must lie in 0..{STRONGEST:g}, not {strength:g}")
    return strength


def _warmth(value: Any) -> float:
    warmth = number_of("settings.warmth", value)
    if not -WARMEST <= warmth <= WARMEST:
        limits = f"{-WARMEST:g}..{WARMEST:g}"
        raise FieldError("settings.warmth", f"must lie in {limits}, not {warmth:g}")
    return warmth


def _quality(value: Any) -> str:
    if isinstance(value, str) and value in QUALITIES:
        return value
    raise FieldError("settings.quality", f"{value!r} is none of {', '.join(QUALITIES)}")


def _flat(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    raise FieldError("settings.flat", f"must be true or false, not {value!r}")


def _keep(value: Any) -> str:
    if isinstance(value, str) and value in KEEPS:
        return value
    raise FieldError("settings.keep", f"{value!r} is none of {', '.join(KEEPS)}")


def palette_as_json(palette: Palette) -> dict[str, Any]:
    """Return a palette as a recipe holds it."""
    named = {"name": palette.name} if palette.name else {}
    return {**named, "mean": palette.mean.tolist(), "covariance": palette.covariance.tolist()}


def palette_from_json(held: Any, *, field: str = "settings.reference") -> Palette | None:
    """Read the palette of a reference; None stays None.

    Args:
        held: the decoded JSON.
        field: what it is called in messages.

    Raises:
        FieldError: something in it is wrong.
    """
    if held is None:
        return None
    known = ["name", "mean", "covariance"]
    if not isinstance(held, dict):
        raise FieldError(field, f"must be an object with {', '.join(known)}")
    try:
        given = hint_files.check_fields(held, known=known)
    except FieldError as error:
        raise error.within(field) from error
    name = given.get("name", "")
    if not isinstance(name, str) or len(name) > LONGEST_NAME:
        raise FieldError(f"{field}.name", f"must be a text of at most {LONGEST_NAME} letters")
    mean = _numbers(f"{field}.mean", given.get("mean"), AB_RANGE)
    if not 0 <= mean[0] <= 100:
        raise FieldError(f"{field}.mean", f"its lightness must lie in 0..100, not {mean[0]:g}")
    rows = given.get("covariance")
    if not isinstance(rows, list) or len(rows) != 3:
        raise FieldError(f"{field}.covariance", "must be three rows of three numbers")
    covariance = np.stack([_numbers(f"{field}.covariance", row, AB_RANGE**2) for row in rows])
    if not np.allclose(covariance, covariance.T) or np.linalg.eigvalsh(covariance)[0] < -1e-3:
        raise FieldError(
            f"{field}.covariance",
            "is no covariance: it must be symmetric, and nothing may vary by less than nothing",
        )
    return Palette(mean=mean, covariance=covariance, name=name)


def _numbers(field: str, held: Any, most: float) -> NDArray[np.float64]:
    """Read three numbers of a limited size."""
    if not isinstance(held, list) or len(held) != 3:
        raise FieldError(field, "must be three numbers")
    numbers = np.array([number_of(field, one) for one in held])
    if np.abs(numbers).max() > most:
        raise FieldError(field, f"no number in it may be beyond {most:g}")
    return numbers


def beside(result: Path, *, source: Path | None) -> Path:
    """Return the name of the recipe beside a result: ``photo.tinct.json`` for photo.jpg.

    Args:
        result: the colored picture.
        source: the picture it was made from; None for stdin.
    """
    name = result.stem.removesuffix(".color") if source is None else source.stem
    return result.with_name(f"{name}{ENDING}")


def save_recipe(recipe: ColorRecipe, target: str | Path, *, overwrite: bool = False) -> None:
    """Write a color recipe; the file is complete afterwards, or as it was before.

    Raises:
        SaveError: it exists already or cannot be written.
    """
    target = Path(target)
    try:
        text = recipe.as_text().encode("utf-8")
    except UnicodeEncodeError as error:
        raise SaveError(f"{target} cannot be written: a text in it is no Unicode.") from error
    with replacing(target, overwrite=overwrite) as temporary:
        temporary.write_bytes(text)


def _holds(path: Path, text: str) -> bool:
    """Tell whether a file holds that text already."""
    try:
        return path.read_text("utf-8") == text
    except (OSError, ValueError):
        return False


class Keeper:
    """Saves the recipes of several pictures, each under its own name or all under one.

    Args:
        target: the one file; None: each beside its result.
        overwrite: whether existing files may be replaced.
    """

    def __init__(self, target: str | None, *, overwrite: bool) -> None:
        self.target = None if target is None else Path(target)
        self.overwrite = overwrite
        self.written: dict[Path, str] = {}

    def check(self, jobs: Sequence[tuple[Path | None, Path | None]]) -> None:
        """Find out early what cannot be saved.

        Args:
            jobs: each picture and its result; None stands for stdin and stdout.

        Raises:
            UsageError: the result goes to stdout, and no name is given.
            SaveError: a recipe exists already, or cannot have its name.
        """
        if self.target is not None:
            check_target(self.target, overwrite=self.overwrite)
        for source, target in jobs:
            path = self._path(source, target)
            if os.path.lexists(path) and not self.overwrite:
                raise SaveError(f"{path} exists already; give --overwrite or another name")

    def save(self, recipe: ColorRecipe, *, source: Path | None, target: Path | None) -> None:
        """Save the recipe of one picture; one that is the same as before is written once.

        Raises:
            SaveError: it cannot be written, or another picture's has its name.
        """
        path = self._path(source, target)
        text = recipe.as_text()
        if self.written.get(path) == text:
            return
        if path in self.written:
            raise SaveError(
                f"{path} holds another picture's recipe, whose hints in pixels mean other places; "
                "color the pictures one by one"
            )
        if not _holds(path, text):  # an earlier run may have come this far
            save_recipe(recipe, path, overwrite=self.overwrite)
        self.written[path] = text

    def _path(self, source: Path | None, target: Path | None) -> Path:
        if self.target is not None:
            return self.target
        if target is None:
            raise UsageError("the picture goes to stdout; name the recipe: --save-recipe FILE.json")
        return beside(target, source=source)
