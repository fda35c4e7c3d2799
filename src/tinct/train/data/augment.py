"""Squares out of pictures: random crops, mirror images, perspective warps and lighting.

One :class:`Cut` is drawn for a picture and taken from everything that belongs to it, so that a
drawing and its colored picture stay in register.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Cut:
    """A square part of a picture, in shares of its height and width.

    Attributes:
        top: upper edge.
        left: left edge.
        height: of the square, as a share of the picture's height.
        width: of the square, as a share of the picture's width.
        flip: mirror it.
        corners: (4, 2) shifts of the corners (upper left, lower left, lower right, upper right) as
            x and y in shares of the square, inwards or outwards; None where there is no warp.
    """

    top: float
    left: float
    height: float
    width: float
    flip: bool = False
    corners: tuple[tuple[float, float], ...] | None = None


def middle(shape: tuple[int, ...]) -> Cut:
    """Return the largest square in the middle of a picture of (H, W, ...) pixels."""
    height, width = shape[:2]
    short = min(height, width)
    top, left = (height - short) // 2, (width - short) // 2
    return Cut(top / height, left / width, short / height, short / width)


def draw_cut(
    shape: tuple[int, ...], rng: np.random.Generator, *, smallest: float, warp: float = 0.0
) -> Cut:
    """Draw a square at random.

    Args:
        shape: (H, W, ...) of the picture.
        rng: the source of chance.
        smallest: the shortest side, as a share of the picture's short side.
        warp: the largest shift of a corner, as a share of the side; 0 draws none.
    """
    height, width = shape[:2]
    short = min(height, width)
    side = round(short * float(rng.uniform(smallest, 1.0)))
    top, left = int(rng.integers(height - side + 1)), int(rng.integers(width - side + 1))
    flip = bool(rng.random() < 0.5)
    corners = None
    if warp:
        # Inwards only: nothing beyond the square is ever shown.
        shifts = rng.uniform(0, warp, (4, 2)) * ((1, 1), (1, -1), (-1, -1), (-1, 1))
        corners = tuple((float(x), float(y)) for x, y in shifts)
    return Cut(top / height, left / width, side / height, side / width, flip, corners)


def take(pixels: Pixels, cut: Cut, size: int) -> Pixels:
    """Take a square from a picture and scale it, bicubic and antialiased.

    Args:
        pixels: uint8 (H, W) or (H, W, 3).
        cut: which square.
        size: side of the result in pixels.

    Returns:
        uint8 (size, size) or (size, size, 3).
    """
    height, width = pixels.shape[:2]
    top, left = round(cut.top * height), round(cut.left * width)
    rows, columns = max(1, round(cut.height * height)), max(1, round(cut.width * width))
    square = Image.fromarray(pixels[top : top + rows, left : left + columns])
    if square.size != (size, size):
        square = square.resize((size, size), Image.Resampling.BICUBIC)
    if cut.corners is not None:
        places = ((0, 0), (0, 1), (1, 1), (1, 0))
        data = tuple(
            (at + shift) * size
            for place, shifts in zip(places, cut.corners, strict=True)
            for at, shift in zip(place, shifts, strict=True)
        )
        quad, bicubic = Image.Transform.QUAD, Image.Resampling.BICUBIC
        square = square.transform((size, size), quad, data, bicubic)
    out = np.asarray(square)
    return np.ascontiguousarray(out[:, ::-1]) if cut.flip else out


def relight(pixels: Pixels, rng: np.random.Generator, *, most: float) -> Pixels:
    """Change brightness and contrast.

    Args:
        pixels: uint8, any shape.
        rng: the source of chance.
        most: the largest relative change of each.

    Returns:
        uint8, the same shape.
    """
    bright, contrast = (float(v) for v in rng.uniform(1 - most, 1 + most, 2))
    codes = np.arange(256, dtype=np.float64)
    table = np.clip(((codes - 127.5) * contrast + 127.5) * bright, 0, 255).round()
    return table.astype(np.uint8)[pixels]
