"""Hints that a simulated person gives: points, strokes, patches of the truth, blurred maps.

Pure functions of one picture, called in loading threads.

References:
    [1] S. Priyadarshi: Automating color image generation from a given sketch, Analytics Vidhya
        (Medium): the third model's blurred hint, ``cv2.blur(color, (32, 32))``, and the fourth
        model's 20 patches of 7 x 7 pixels.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]

ARTICLE_SIDE = 128  # pixels a side of the article's pictures
PATCH = 7  # pixels a side of a patch in them
ARTICLE_ROWS = (64, 32, 96, 32, 96, 32, 64, 64, 96, 16, 32, 16, 16, 64, 16, 96, 112, 112, 96, 80)
ARTICLE_COLUMNS = (64, 32, 96, 96, 32, 64, 32, 96, 64, 16, 16, 32, 64, 16, 96, 16, 112, 96, 112, 80)
STROKES = 0.25  # share of the hints that are strokes
MAPS = 0.06  # share of hinted pictures that have a blurred map of all colors
COPIED = 0.15  # share of the other hints that are patches
ALIKE = 36.0  # codes; where the color differs more than this from a stroke's, the stroke ends
CARELESS = 6.0  # codes, deviation of what people choose from what they mean


def points(rgb: Pixels, rng: np.random.Generator, *, most: int) -> tuple[Pixels, Pixels]:
    """Invent the hints a person might have given: a few points and strokes of the true color.

    Args:
        rgb: uint8 (H, W, 3), the truth.
        rng: the source of chance.
        most: the largest number of hints; small numbers are likelier.

    Returns:
        uint8 (H, W, 3) colors and uint8 (H, W) mask. Each hint has one color, the mean of what it
        covers.
    """
    height, width = rgb.shape[:2]
    colors = np.zeros_like(rgb)
    mask = np.zeros((height, width), np.uint8)
    count = min(most, int(rng.geometric(0.2)))
    for _ in range(count):
        y, x = int(rng.integers(height)), int(rng.integers(width))
        radius = int(rng.integers(0, max(2, min(height, width) // 32) + 1))
        places = [(y, x)]
        if rng.random() < STROKES:
            places = _line(y, x, rng, (height, width))
        _dab(rgb, colors, mask, places=places, radius=radius)
    return colors, mask


def mixed(rgb: Pixels, rng: np.random.Generator, *, most: int) -> tuple[Pixels, Pixels]:
    """Invent all that a person might give: points, strokes, patches, or a blurred map.

    People are careless: what they choose is not quite the color that they mean.

    Args:
        rgb: uint8 (H, W, 3), the truth.
        rng: the source of chance.
        most: the largest number of hints; the number's logarithm is spread evenly.

    Returns:
        uint8 (H, W, 3) colors and uint8 (H, W) mask.
    """
    height, width = rgb.shape[:2]
    if rng.random() < MAPS:
        return blur(rgb, box=max(2, round(min(height, width) * rng.uniform(0.06, 0.25))))
    colors = np.zeros_like(rgb)
    mask = np.zeros((height, width), np.uint8)
    side = _patch_side(height, width)
    for _ in range(min(most, int((most + 1) ** rng.random()))):
        y, x = int(rng.integers(height)), int(rng.integers(width))
        kind = rng.random()
        if kind < COPIED:
            _copy(rgb, colors, mask, top=y - side // 2, left=x - side // 2, side=side)
            continue
        radius = int(rng.integers(0, max(2, min(height, width) // 32) + 1))
        places = [(y, x)]
        if kind < COPIED + STROKES:
            places = _along(rgb, y, x, rng)
        meant = rng.normal(0, CARELESS * rng.random(), 3)
        _dab(rgb, colors, mask, places=places, radius=radius, off=meant)
    return colors, mask


def random_patches(rgb: Pixels, rng: np.random.Generator, *, most: int) -> tuple[Pixels, Pixels]:
    """Copy patches of the truth from random places, and draw some strokes of its colors.

    The article's patches [1] at places that a person might choose. A patch is copied pixel by
    pixel; a stroke has one color, the mean of what it covers, as a brush has.

    Args:
        rgb: uint8 (H, W, 3), the truth.
        rng: the source of chance.
        most: the largest number of hints; the number's logarithm is spread evenly.

    Returns:
        uint8 (H, W, 3) colors and uint8 (H, W) mask.
    """
    height, width = rgb.shape[:2]
    side = _patch_side(height, width)
    colors = np.zeros_like(rgb)
    mask = np.zeros((height, width), np.uint8)
    count = min(most, int((most + 1) ** rng.random()))
    for _ in range(count):
        y, x = int(rng.integers(height)), int(rng.integers(width))
        if rng.random() < STROKES:
            radius = int(rng.integers(0, side // 2 + 1))
            places = _line(y, x, rng, (height, width))
            _dab(rgb, colors, mask, places=places, radius=radius)
        else:
            _copy(rgb, colors, mask, top=y - side // 2, left=x - side // 2, side=side)
    return colors, mask


def article_patches(rgb: Pixels) -> tuple[Pixels, Pixels]:
    """Copy the article's 20 patches of the truth [1].

    Places and sides are the article's at 128 x 128 pixels, and the same shares of other pictures.

    Args:
        rgb: uint8 (H, W, 3), the truth.

    Returns:
        uint8 (H, W, 3) colors and uint8 (H, W) mask.
    """
    height, width = rgb.shape[:2]
    side = _patch_side(height, width)
    colors = np.zeros_like(rgb)
    mask = np.zeros((height, width), np.uint8)
    for row, column in zip(ARTICLE_ROWS, ARTICLE_COLUMNS, strict=True):
        top, left = row * height // ARTICLE_SIDE, column * width // ARTICLE_SIDE
        _copy(rgb, colors, mask, top=top, left=left, side=side)
    return colors, mask


def blur(rgb: Pixels, *, box: int = 32) -> tuple[Pixels, Pixels]:
    """Blur the truth with a box: the article's map of all colors [1].

    A pixel becomes the mean of the ``box // 2`` rows above it, its own, and those below that make
    it ``box``; columns alike. Pictures go on beyond their edges as their mirror image without the
    edge itself (``cv2.BORDER_DEFAULT``).

    Args:
        rgb: uint8 (H, W, 3), the truth.
        box: side of the box in pixels.

    Returns:
        uint8 (H, W, 3), rounded to the nearest code, and uint8 (H, W) of ones.
    """
    height, width = rgb.shape[:2]
    planes = np.moveaxis(rgb, -1, 0).astype(np.float32)
    # Whole numbers below 2**24: the sums are exact.
    sums = _windows(height, box) @ planes @ _windows(width, box).T
    means = np.moveaxis(np.rint(sums / np.float32(box**2)), 0, -1).astype(np.uint8)
    return np.ascontiguousarray(means), np.ones((height, width), np.uint8)


@lru_cache(maxsize=16)
def _windows(size: int, box: int) -> NDArray[np.float32]:
    """Return (size, size): how often each pixel of a row lies in the window around each."""
    before = box // 2
    around = np.pad(np.arange(size), (before, box - 1 - before), mode="reflect")
    inside = np.lib.stride_tricks.sliding_window_view(around, box)
    counts = np.zeros((size, size), np.float32)
    np.add.at(counts, (np.arange(size)[:, None], inside), 1)
    return counts


def _patch_side(height: int, width: int) -> int:
    """Return the side of a patch in pixels: 7 at 128 x 128, the same share of other pictures."""
    return max(1, round(PATCH * min(height, width) / ARTICLE_SIDE))


def _copy(rgb: Pixels, colors: Pixels, mask: Pixels, *, top: int, left: int, side: int) -> None:
    """Copy a square, or what of it lies in the picture, into the hints."""
    part = (slice(max(0, top), top + side), slice(max(0, left), left + side))
    colors[part] = rgb[part]
    mask[part] = 1


def _line(
    y: int, x: int, rng: np.random.Generator, shape: tuple[int, int]
) -> list[tuple[int, int]]:
    """Return the pixels of a short straight line from (y, x), kept within the picture."""
    height, width = shape
    angle, length = rng.random() * 2 * np.pi, rng.random() * 0.15 * min(height, width)
    steps = np.linspace(0, 1, max(2, int(length)))
    return [
        (
            int(np.clip(y + t * length * np.sin(angle), 0, height - 1)),
            int(np.clip(x + t * length * np.cos(angle), 0, width - 1)),
        )
        for t in steps
    ]


def _along(rgb: Pixels, y: int, x: int, rng: np.random.Generator) -> list[tuple[int, int]]:
    """Return the pixels of a wavering line from (y, x), ended where the region ends."""
    height, width = rgb.shape[:2]
    own, places = rgb[y, x].astype(np.float32), [(y, x)]
    angle, row, column = rng.random() * 2 * np.pi, float(y), float(x)
    for turn in rng.normal(0, 0.15, int(rng.integers(2, max(3, min(height, width) // 3)))):
        angle += turn
        row, column = row + np.sin(angle), column + np.cos(angle)
        place = (round(row), round(column))
        if not (0 <= place[0] < height and 0 <= place[1] < width):
            break
        if np.abs(rgb[place].astype(np.float32) - own).max() > ALIKE:
            break
        places.append(place)
    return places


def _dab(
    rgb: Pixels,
    colors: Pixels,
    mask: Pixels,
    *,
    places: list[tuple[int, int]],
    radius: int,
    off: NDArray[np.float64] | float = 0.0,
) -> None:
    """Draw the mean of what a square brush covers, ``off`` by some codes, into the hints."""
    own = np.zeros(mask.shape, bool)
    for y, x in places:
        own[max(0, y - radius) : y + radius + 1, max(0, x - radius) : x + radius + 1] = True
    colors[own] = (rgb[own].mean(axis=0) + off).round().clip(0, 255).astype(np.uint8)
    mask[own] = 1
