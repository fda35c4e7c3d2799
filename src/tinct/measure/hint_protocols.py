"""Hints of the truth for systems that take them, each told of the kind it was trained with.

All of them are points, which is what a person can give: patches and a blurred map are many points
side by side. They are those of :mod:`tinct.measure.simulated_hints`, for pictures of any shape.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tinct import color
from tinct.hints import Point
from tinct.measure import simulated_hints
from tinct.measure.dataset import Pair, random_hints
from tinct.measure.simulated_hints import ARTICLE_ROWS, ARTICLE_SIDE, PATCH

POINTS = 10
BOX = 32  # pixels of a square of ARTICLE_SIDE
CELLS = 32  # points of a blurred map along each side


@dataclass(frozen=True)
class HintProtocol:
    """A kind of hints.

    Attributes:
        label: for a row.
        meaning: one sentence for the protocol.
    """

    label: str
    meaning: str


_POINTS = HintProtocol(
    f"{POINTS} hints",
    f"{POINTS} points at random places, as in `tinct evaluate --hints {POINTS}`.",
)
HINT_PROTOCOLS = {
    "points": _POINTS,
    "mixed": _POINTS,
    "patches": _POINTS,
    "article-patches": HintProtocol(
        f"{len(ARTICLE_ROWS)} patches",
        f"the truth at {len(ARTICLE_ROWS)} fixed places, {PATCH} x {PATCH} pixels each, "
        f"in a picture whose short side has {ARTICLE_SIDE}.",
    ),
    "blur": HintProtocol(
        "blurred colors",
        f"the truth blurred by a box of {BOX} x {BOX} pixels of {ARTICLE_SIDE} x {ARTICLE_SIDE}, "
        f"as {CELLS} x {CELLS} points.",
    ),
}
"""The kinds of ``data.hints`` that can be told of a true picture."""


def points_of(pair: Pair, kind: str) -> list[Point]:
    """Return hints that tell a system of the truth.

    Args:
        pair: where the colors are taken from.
        kind: a key of :data:`HINT_PROTOCOLS`.
    """
    if kind in ("points", "mixed", "patches"):
        return random_hints(pair, count=POINTS, seed=0)
    height, width = pair.gray.shape
    if kind == "article-patches":
        scale = ARTICLE_SIDE / min(height, width)
        colors, mask = simulated_hints.article_patches(
            _resized(pair.truth, round(height * scale), round(width * scale))
        )
        return _points(colors, np.argwhere(mask).tolist(), radius=0.7 / ARTICLE_SIDE)
    assert kind == "blur"
    colors, _ = simulated_hints.blur(_resized(pair.truth, ARTICLE_SIDE, ARTICLE_SIDE), box=BOX)
    reach = 0.75 / CELLS * max(height, width) / min(height, width)
    cells = _resized(colors, CELLS, CELLS)
    return _points(cells, np.ndindex(CELLS, CELLS), radius=min(1.0, reach))


def _points(
    rgb: NDArray[np.uint8], places: Iterable[Sequence[int]], *, radius: float
) -> list[Point]:
    """Return pixels (row, column) of a small picture as points."""
    height, width = rgb.shape[:2]
    lab = np.asarray(color.rgb_to_lab(rgb / 255.0), dtype=np.float64)
    lab[..., 0] = lab[..., 0].clip(0, 100)
    return [
        Point(
            x=(column + 0.5) / width,
            y=(row + 0.5) / height,
            color=(shade[0], shade[1], shade[2]),
            radius=radius,
        )
        for row, column in places
        for shade in [lab[row, column].tolist()]
    ]


def _resized(pixels: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    image = Image.fromarray(np.ascontiguousarray(pixels))
    return np.asarray(image.resize((width, height), Image.Resampling.BICUBIC))
