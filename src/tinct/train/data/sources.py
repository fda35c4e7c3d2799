"""Where training pictures come from: folders, and drawings beside them.

A folder with ``color/`` and ``sketch/`` in it holds pairs: a drawing belongs to the picture of the
same name. Tar shards have a room of their own, :mod:`tinct.train.data.shards`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from tinct.errors import TrainingError
from tinct.train.data.augment import Pixels
from tinct.train.data.store import Store, open_store
from tinct.train.recipe import DataRecipe


@dataclass(frozen=True)
class Picture:
    """One picture and what belongs to it.

    Attributes:
        pixels: uint8 (H, W, 3), sRGB.
        drawing: uint8 (H', W'), an artist's drawing of it, or None.
    """

    pixels: Pixels
    drawing: Pixels | None


class Source(Protocol):
    """Pictures to draw from at random, and others held out for validation."""

    name: str
    """Of the folder, for people."""
    weight: float
    """How often it is drawn from, beside its number of pictures."""
    count: int
    """Pictures to train on."""
    skipped: int
    """Files that were damaged or near gray."""
    short: float
    """Median short side in pixels."""
    held_count: int
    """Pictures held out."""

    def draw(self, rng: np.random.Generator, *, stage: int, place: int) -> Picture:
        """Return a picture at random.

        Args:
            rng: the source of chance.
            stage: number of the stage.
            place: how many pictures the stage has seen before.
        """
        ...

    def held(self, number: int) -> Picture:
        """Return a picture of the validation split."""
        ...


def split_source(text: str | Path) -> tuple[str, float]:
    """Split ``WHERE`` or ``WHERE=WEIGHT`` into a place and how often it is drawn from.

    Raises:
        TrainingError: the weight is not a positive number.
    """
    where, equals, weight = str(text).rpartition("=")
    if not equals:
        return weight, 1.0
    try:
        value = float(weight)
    except ValueError:
        return str(text), 1.0
    if not 0 < value < float("inf"):
        raise TrainingError(f"The weight in {str(text)!r} must be a positive number.")
    return where, value


def held_out(name: str, share: float) -> bool:
    """Tell whether a picture belongs to the validation split: by its name, so for good."""
    draw = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big") / 2**32
    return draw < share


def split(names: Sequence[str], recipe: DataRecipe) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Split a folder into pictures to train on and pictures held out for validation.

    Args:
        names: of the pictures.
        recipe: ``first`` or ``val_share``.

    Returns:
        Their numbers.

    Raises:
        TrainingError: the folder has too few pictures.
    """
    if any(recipe.first):
        count, held, rest = recipe.first
        if len(names) < count + held + rest:
            raise TrainingError(
                f"data.first asks for {count + held + rest} pictures, and the folder has "
                f"{len(names)}: pass --set 'data.first=[{int(len(names) * 0.8)},"
                f"{int(len(names) * 0.1)},0]', or [0,0,0] to split by data.val_share."
            )
        order = np.argsort(np.asarray(names), kind="stable").astype(np.int64)
        return order[:count], order[count : count + held]
    out = np.array([held_out(name, recipe.val_share) for name in names])
    return np.flatnonzero(~out), np.flatnonzero(out)


def _stem(name: str) -> str:
    """Return a relative path without its suffix."""
    return str(PurePosixPath(name).with_suffix(""))


class FolderSource:
    """The pictures below a folder.

    Args:
        folder: with ``color/`` and ``sketch/`` in it, or with pictures anywhere.
        recipe: the largest short side, and the split.
        weight: see :class:`Source`.

    Attributes:
        store: the pictures.
        train: numbers of those to train on.
        validation: numbers of those held out.

    Raises:
        TrainingError: the folder is missing, has no picture that can be used, or too few.
    """

    def __init__(self, folder: Path, recipe: DataRecipe, *, weight: float = 1.0) -> None:
        self.name, self.weight = folder.name, weight
        self.sketches: Store | None = None
        self.drawing_of: dict[int, int] = {}
        if (folder / "color").is_dir() and (folder / "sketch").is_dir():
            self.store = open_store(folder / "color", short=recipe.short)
            self.sketches = open_store(folder / "sketch", short=recipe.short, grays=True)
            numbers = {_stem(name): number for number, name in enumerate(self.sketches.names)}
            for number, name in enumerate(self.store.names):
                if _stem(name) in numbers:
                    self.drawing_of[number] = numbers[_stem(name)]
        else:
            self.store = open_store(folder, short=recipe.short)
        self.train, self.validation = split(self.store.names, recipe)
        if not len(self.train):
            raise TrainingError("A data folder has no training picture left; lower data.val_share.")
        self.count, self.held_count = len(self.train), len(self.validation)
        self.skipped = self.store.skipped
        self.short = float(np.median(self.store.shapes.min(axis=1)))

    def _picture(self, index: int) -> Picture:
        drawing = None
        if self.sketches is not None and index in self.drawing_of:
            drawing = self.sketches[self.drawing_of[index]][..., 1]
        return Picture(self.store[index], drawing)

    def draw(self, rng: np.random.Generator, *, stage: int, place: int) -> Picture:  # noqa: ARG002
        """Return a picture at random, whatever came before."""
        return self._picture(int(self.train[rng.integers(self.count)]))

    def held(self, number: int) -> Picture:
        """Return a picture of the validation split."""
        return self._picture(int(self.validation[number]))
