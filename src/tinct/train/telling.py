"""Hints of the truth for systems that take them, each told of the kind it was trained with.

All of them are points, which is what a person can give; a blurred map is many points side by side.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from tinct import color
from tinct.hints import Point
from tinct.subjects import Subject, random_hints

POINTS = 10
SQUARE = 128  # pixels: the size of the article's pictures, which its lengths are counted in
PATCH = 7
BOX = 32
CELLS = 32  # points of a blurred map along each side
ARTICLE_PLACES = (
    *((64, 64), (32, 32), (96, 96), (32, 96), (96, 32), (32, 64), (64, 32), (64, 96), (96, 64)),
    *((16, 16), (32, 16), (16, 32), (16, 64), (64, 16), (16, 96), (96, 16), (112, 112)),
    *((112, 96), (96, 112), (80, 80)),
)
"""Rows and columns where the article's patches begin, in a square of 128 pixels."""


@dataclass(frozen=True)
class Told:
    """A kind of hints.

    Attributes:
        label: for a row.
        meaning: one sentence for the protocol.
    """

    label: str
    meaning: str


_POINTS = Told(
    f"{POINTS} hints",
    f"{POINTS} points at random places, as in `tinct evaluate --hints {POINTS}`.",
)
TOLD = {
    "points": _POINTS,
    "patches": _POINTS,
    "article-patches": Told(
        f"{len(ARTICLE_PLACES)} patches",
        f"the truth's mean color at {len(ARTICLE_PLACES)} fixed places, in discs of {PATCH} pixels "
        f"at {SQUARE}.",
    ),
    "blur": Told(
        "blurred colors",
        f"the truth blurred by a box of {BOX} pixels at {SQUARE}, as {CELLS} x {CELLS} points.",
    ),
}
"""The kinds of ``data.hints`` that can be told of a true picture."""


def tell(subject: Subject, kind: str) -> list[Point]:
    """Return hints that tell a system of the truth.

    Args:
        subject: where the colors are taken from.
        kind: a key of :data:`TOLD`.
    """
    if kind == "article-patches":
        return _patches(subject)
    if kind == "blur":
        return _map(subject)
    assert TOLD[kind] is _POINTS
    return random_hints(subject, count=POINTS, seed=0)


def _small(subject: Subject) -> Image.Image:
    """Return the truth at the article's size."""
    square = Image.fromarray(np.ascontiguousarray(subject.truth))
    return square.resize((SQUARE, SQUARE), Image.Resampling.BICUBIC)


def _lab(image: Image.Image) -> NDArray[np.float64]:
    """Return L*, a*, b* (h, w, 3), inside the range that a hint may have."""
    lab = np.asarray(color.rgb_to_lab(np.asarray(image) / 255.0), dtype=np.float64)
    lab[..., 0] = lab[..., 0].clip(0, 100)
    return lab


def _patches(subject: Subject) -> list[Point]:
    """Return the article's patches as points of their mean color."""
    lab = _lab(_small(subject))
    points = []
    for row, column in ARTICLE_PLACES:
        shade = tuple(lab[row : row + PATCH, column : column + PATCH].mean((0, 1)).tolist())
        y, x = ((start + PATCH / 2) / SQUARE for start in (row, column))
        points.append(Point(x=x, y=y, color=shade, radius=PATCH / 2 / SQUARE))
    return points


def _map(subject: Subject) -> list[Point]:
    """Return the blurred truth as points that cover the picture."""
    blurred = _small(subject).filter(ImageFilter.BoxBlur((BOX - 1) / 2))
    lab = _lab(blurred.resize((CELLS, CELLS), Image.Resampling.BOX))
    height, width = subject.gray.shape
    radius = min(1.0, 0.75 / CELLS * max(height, width) / min(height, width))
    return [
        Point(
            x=(column + 0.5) / CELLS,
            y=(row + 0.5) / CELLS,
            color=tuple(lab[row, column].tolist()),
            radius=radius,
        )
        for row in range(CELLS)
        for column in range(CELLS)
    ]
