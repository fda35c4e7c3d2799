"""What a comparison compares: runs and bundles by label, their folders of pictures, their speed."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinct.bundle import MANIFEST, Bundle, find_bundle
from tinct.coloring.chroma import working_shape
from tinct.engine import Engine
from tinct.errors import ModelError, UsageError
from tinct.measure.curves import read_curves
from tinct.measure.dataset import COLOR, list_pictures
from tinct.photo import SUFFIXES

Export = Callable[[Path, Path], Path]
"""Makes a run's folder a bundle in another folder, which it returns."""

ROUNDS = 9
"""How often each network is timed; the networks take turns."""


@dataclass(frozen=True, eq=False)
class System:
    """What is compared.

    Attributes:
        label: its name, different from all others'.
        bundle: what runs.
        curves: the course of its training, or None.
    """

    label: str
    bundle: Bundle
    curves: Mapping[str, Any] | None

    @property
    def hints(self) -> str:
        """The kind of hints it was trained with, or ``none``."""
        manifest = self.bundle.manifest
        kind = str(manifest.recipe.get("data", {}).get("hints", "points"))
        return kind if manifest.takes_hints else "none"

    @property
    def latent(self) -> int | None:
        """The latent size of an autoencoder; None for others."""
        manifest = self.bundle.manifest
        size = manifest.recipe.get("model", {}).get("latent")
        return int(size) if manifest.family == "autoencoder" and size else None


def choose_folders(data: Sequence[str]) -> dict[str, str]:
    """Return the folder for each task: that of the right layout, or else the only one.

    Raises:
        UsageError: there is none, two of one layout, or one without pictures.
    """
    if not data:
        raise UsageError("a report needs pictures: --data FOLDER")
    for folder in data:
        list_pictures(folder)
    drawn = [folder for folder in data if _is_lineart(Path(folder))]
    plain = [folder for folder in data if folder not in drawn]
    if len(drawn) > 1 or len(plain) > 1:
        raise UsageError(
            "--data takes one folder of photographs and one of line art (color/ and sketch/), "
            f"not {' and '.join(data)}"
        )
    return {"photo": (plain or drawn)[0], "lineart": (drawn or plain)[0]}


def _is_lineart(folder: Path) -> bool:
    """Tell whether a folder is laid out as ``color/`` and perhaps ``sketch/``."""
    if not (folder / COLOR).is_dir():
        return False
    return not any(path.suffix.lower() in SUFFIXES for path in folder.iterdir())


def gather(
    models: Sequence[str], folder: Path, *, taken: Sequence[str] = (), export: Export | None = None
) -> list[System]:
    """Return the systems in the order given; runs are exported into ``folder``.

    Args:
        models: folders of runs, folders of bundles or names of installed ones.
        folder: an empty folder.
        taken: labels that no system gets.
        export: makes a run a bundle.

    Raises:
        TrainingError: a run has no checkpoint.
        ModelError: a bundle is missing or damaged.
    """
    systems: list[System] = []
    for number, text in enumerate(models):
        path = Path(text)
        if (path / "recipe.json").is_file() and not (path / MANIFEST).is_file():
            if export is None:
                raise ModelError(f"{text!r} is a training run; export it: tinct export {text}")
            name = path.resolve().name
            bundle = find_bundle(export(path, folder / str(number) / name))
            curves = read_curves(path)
        else:
            bundle = find_bundle(text)
            curves = read_curves(bundle.path)
        used = {*taken, *(system.label for system in systems)}
        systems.append(System(_unlike(bundle.manifest.name, used), bundle, curves))
    return systems


def _unlike(name: str, used: set[str]) -> str:
    """Return ``name``, with a number behind it where it is taken."""
    label, number = name, 1
    while label in used:
        number += 1
        label = f"{name} ({number})"
    return label


def time_networks(systems: Sequence[System]) -> dict[str, float]:
    """Return milliseconds of each network alone on a 4:3 picture at its working size.

    Raises:
        ModelError: one of them fails.
    """
    engines = {system.label: Engine(system.bundle) for system in systems}
    pictures: dict[str, NDArray[np.float32]] = {}
    for system in systems:
        held = system.bundle.manifest
        size = held.sizes["balanced"]
        shape = working_shape(
            3000, 4000, size=size, multiple_of=held.multiple_of, max_long=max(held.max_long, size)
        )
        height, width = shape.height + shape.bottom, shape.width + shape.right
        ramp = np.linspace(0, 100, height * width, dtype=np.float32)
        pictures[system.label] = ramp.reshape(1, 1, height, width)
    spent: dict[str, list[float]] = {label: [] for label in engines}
    for turn in range(ROUNDS + 1):
        for label, engine in engines.items():
            begun = time.perf_counter()
            try:
                engine.run(pictures[label])
            except ModelError as error:
                raise ModelError(f"{label}: {error}") from error
            if turn:  # the first is warm-up
                spent[label].append((time.perf_counter() - begun) * 1000)
    return {label: statistics.median(times) for label, times in spent.items()}
