"""Make true color pictures into subjects of a measurement: gray input, mean color, hints.

Subjects for line-art models are made by :mod:`tinct.measure.drawings`.

These pictures are only measured with, never colored for anyone: they are read as 8-bit sRGB. What
people want colored goes through :mod:`tinct.photo`.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinct import color
from tinct.errors import PictureError, UsageError
from tinct.hints import Point
from tinct.measure import metrics
from tinct.photo import SUFFIXES, open_color

Rgb = NDArray[np.uint8]
Gray = NDArray[np.uint8]

COLOR = "color"
"""The folder inside a folder without own pictures that holds them."""
HINT_PATCH = 0.02
"""Side of the patch that a simulated hint takes its color from, as a share of the short side."""


@dataclass(frozen=True)
class Pair:
    """A gray picture or a drawing, and its true colors.

    Attributes:
        name: the file's name.
        path: the file.
        truth: uint8 (H, W, 3) sRGB.
        gray: uint8 (H, W), the input: the neutral code with the truth's L*, or a drawing.
    """

    name: str
    path: Path
    truth: Rgb
    gray: Gray


@dataclass(frozen=True)
class Dataset:
    """The pictures of a measurement.

    Attributes:
        files: the true pictures in the order of their names.
        open: makes one of the files a pair; raises PictureError where it cannot be read.
        given: one sentence for the protocol: what the input and the output are.
        rows: one sentence for the protocol: what the rows beside the system's are.
        notes: sentences on what was taken from the folder, where that is not plain.
    """

    files: tuple[Path, ...]
    open: Callable[[Path], Pair]
    given: str
    rows: str
    notes: tuple[str, ...] = ()


GIVEN = "The input is gray made from the truth's L*, 8 bit; the output is 8 bit, at the full size."
ROWS = (
    "Row gray: a* = b* = 0. Row mean color: the true mean a*, b* of the picture everywhere, chroma "
    "lowered at constant L* where sRGB cannot show it."
)


def find_photographs(folder: str | os.PathLike[str], *, limit: int | None = None) -> Dataset:
    """Return the pictures of a folder as subjects with their own lightness for input.

    Args:
        folder: as for :func:`list_pictures`.
        limit: return only so many, evenly spaced.

    Raises:
        UsageError: as for :func:`list_pictures`.
    """
    files = list_pictures(folder, limit=limit)
    notes: tuple[str, ...] = ()
    if files[0].parent != Path(folder):
        notes = (f"The true pictures are those in {COLOR}/, made gray; drawings are not used.",)
    return Dataset(files=tuple(files), open=open_pair, given=GIVEN, rows=ROWS, notes=notes)


def list_pictures(folder: str | os.PathLike[str], *, limit: int | None = None) -> list[Path]:
    """Return the pictures of a folder in the order of their names.

    Args:
        folder: is not searched below its first level; but where it holds no picture, its folder
            ``color`` is taken.
        limit: return only so many, evenly spaced.

    Raises:
        UsageError: it is no folder, holds no picture, or the limit is below 1.
    """
    root = Path(folder)
    if not root.is_dir():
        raise UsageError(f"{root} is no folder; name a folder of color pictures.")
    files = _pictures(root) or _pictures(root / COLOR)
    if not files:
        raise UsageError(f"{root} holds no picture ({', '.join(SUFFIXES)}); name another folder.")
    if limit is not None and limit < 1:
        raise UsageError(f"{limit} pictures cannot be evaluated; give a limit of at least 1.")
    if limit is None or limit >= len(files):
        return files
    return [files[i * len(files) // limit] for i in range(limit)]


def _pictures(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES and p.is_file())


def open_pair(path: Path) -> Pair:
    """Open a color picture and make the gray input from its L*.

    Args:
        path: JPEG, PNG, WebP, TIFF or AVIF.

    Raises:
        PictureError: it cannot be read.
    """
    truth = open_rgb(path)
    return Pair(path.name, path, truth, gray_of(truth))


def gray_of(picture: Rgb) -> Gray:
    """Return the neutral codes, uint8 (H, W), that have the L* of a picture (H, W, 3)."""
    return to_bytes(color.lightness_to_gray(lightness_of(picture)))


def lightness_of(picture: Rgb) -> NDArray[np.float32]:
    """Return L* 0..100 (H, W) of a picture (H, W, 3)."""
    lightness = np.empty(picture.shape[:2], np.float32)
    for rows in _strips(picture):
        lightness[rows] = color.rgb_to_lab(picture[rows] / 255.0)[..., 0]
    return lightness


def open_rgb(path: Path) -> Rgb:
    """Open a picture as 8-bit sRGB (H, W, 3): upright, profile applied, transparency on white.

    Raises:
        PictureError: it cannot be read.
    """
    try:
        return open_color(path)
    except PictureError as error:
        raise PictureError(f"{error}.") from error


def gray_rgb(pair: Pair) -> Rgb:
    """Return the gray input as sRGB (H, W, 3): a* = b* = 0."""
    return np.repeat(pair.gray[..., None], 3, axis=2)


def mean_color(pair: Pair) -> Rgb:
    """Return the gray input with the truth's mean a*, b* everywhere, as far as sRGB can show it."""
    total = np.zeros(2)
    for rows in _strips(pair.truth):
        total += color.rgb_to_lab(pair.truth[rows] / 255.0)[..., 1:].sum((0, 1))
    a, b = total / pair.gray.size
    lightness = color.gray_to_lightness(np.arange(256) / 255.0)
    lab = np.stack([lightness, np.full(256, a), np.full(256, b)], -1)
    table = to_bytes(color.lab_to_rgb(color.fit_gamut(lab)))
    return np.asarray(table[pair.gray])


def random_hints(pair: Pair, *, count: int, seed: int) -> list[Point]:
    """Return hints as a person who knows the truth would give them.

    Each is a point at a uniformly random place with the mean Lab color of the truth in a small
    square around it.

    Args:
        pair: where the colors are taken from.
        count: how many.
        seed: together with the pair's name decides the places.
    """
    digest = hashlib.sha256(f"{seed}:{pair.name}".encode()).digest()
    random = np.random.default_rng(int.from_bytes(digest[:8], "big"))
    height, width = pair.gray.shape
    reach = max(1, round(HINT_PATCH * min(height, width) / 2))
    points = []
    for x, y in random.uniform(0, 1, (count, 2)):
        row, column = int(y * height), int(x * width)
        patch = pair.truth[
            max(0, row - reach) : row + reach + 1, max(0, column - reach) : column + reach + 1
        ]
        lightness, a, b = (float(v) for v in color.rgb_to_lab(patch / 255.0).mean((0, 1)))
        shade = (min(max(lightness, 0.0), 100.0), a, b)
        points.append(Point(x=(column + 0.5) / width, y=(row + 0.5) / height, color=shade))
    return points


def _strips(picture: Rgb) -> Iterator[slice]:
    rows = max(1, metrics.STRIP_PIXELS // picture.shape[1])
    for top in range(0, picture.shape[0], rows):
        yield slice(top, top + rows)


def to_bytes(values: NDArray[Any]) -> NDArray[np.uint8]:
    """Return values 0..1 as codes of 8 bit; what lies outside is clipped."""
    return np.asarray(np.rint(np.clip(values, 0, 1) * 255).astype(np.uint8))
