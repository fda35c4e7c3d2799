"""Draw hints onto the planes that models and :mod:`tinct.coloring.propagation` take."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from tinct.hints import cells as hint_planes
from tinct.hints.images import Pixels
from tinct.hints.types import (
    RADIUS,
    WHOLE,
    BlurMap,
    Floats,
    Hint,
    KeepGray,
    Layer,
    Patch,
    Point,
    Stroke,
)
from tinct.hints.validation import FieldError, Place
from tinct.resample import blurred

MANY_PIXELS = 1 << 20
ENOUGH = 4
"""So many pixels for each side of a cell are enough: those of larger pictures are joined."""

MIDDLE_GRAY = 50.0


def rasterize(
    hints: Iterable[Hint],
    height: int,
    width: int,
    *,
    lightness: Floats | None = None,
    own_lightness: bool = False,
    size: tuple[int, int] | None = None,
) -> Floats:
    """Draw hints onto the planes that models take.

    A cell belongs to a disk or stroke when its center lies on it; the cells under a stroke's
    corners and under a point always do, so that no hint is lost at small sizes. For pictures see
    :func:`tinct.hints.cells.place`. Where hints overlap, their colors are averaged in Lab,
    weighted with the share of the cell that each covers; a :class:`BlurMap` counts only where no
    other hint is.

    Args:
        hints: the hints.
        height: rows of the picture at working size, 1 or more.
        width: columns.
        lightness: L* (height, width) of the picture; then the hints' own L* is ignored.
        own_lightness: keep the hints' own L* all the same; what stays gray takes the picture's.
        size: height and width of the full-size picture; None leaves shapes of layers unchecked.

    Returns:
        float32 (4, height, width): L*, a*, b*, and 1 where there is a hint; zeros elsewhere.

    Raises:
        UsageError: a hint in pixels lies outside the picture or ``size`` is None, or a layer has
            another shape.
    """
    placed = [_placed(hint, size, number) for number, hint in enumerate(hints)]
    seen = np.full((height, width), MIDDLE_GRAY, np.float32) if lightness is None else lightness
    total = np.zeros((4, height * width))
    _draw_strokes(total, placed, seen)
    upper = total.reshape(4, height, width)
    lower = np.zeros_like(upper)
    for hint in placed:
        if isinstance(hint, KeepGray) and hint.box is not None:
            rows, columns = hint_planes.box_cells(hint.box, height=height, width=width)
            upper[0, rows, columns] += seen[rows, columns]
            upper[3, rows, columns] += 1
        elif isinstance(hint, BlurMap):
            _add(lower, *_mapped(hint, seen))
        elif isinstance(hint, Patch | Layer):
            _add(upper, *_pasted(hint, height, width))
    upper = np.where(upper[3] > 0, upper, lower)
    given = upper[3] > 0
    planes = np.zeros((4, height, width), np.float32)
    np.divide(upper[:3], upper[3], out=planes[:3], where=given, casting="same_kind")
    if lightness is not None and not own_lightness:
        planes[0] = np.where(given, lightness, 0)
    planes[3] = given
    return planes


def _placed(hint: Hint, size: tuple[int, int] | None, number: int) -> Hint:
    """Return a hint in shares."""
    try:
        if size is not None:
            return hint.in_shares(*size)
        if isinstance(hint, Point | Stroke | KeepGray | Patch) and hint.unit == "px":
            raise FieldError("unit", "pixels need the full-size picture; give shares 0..1")
    except FieldError as error:
        raise error.within(f"hints[{number}]") from error
    return hint


def _draw_strokes(total: NDArray[np.float64], hints: Sequence[Hint], seen: Floats) -> None:
    """Add colors and counts of all disks and strokes to (4, cells)."""
    height, width = seen.shape
    short = min(height, width)
    paths, radii, shades, gray = [], [], [], []
    for hint in hints:
        if isinstance(hint, Point):
            corners: Sequence[Place] = ((hint.x, hint.y),)
            radius = RADIUS if hint.radius is None else hint.radius
        elif isinstance(hint, Stroke | KeepGray) and hint.points:
            corners, radius = hint.points, RADIUS if hint.width is None else hint.width / 2
        else:
            continue
        paths.append(np.array(corners, np.float64) * (width, height))
        radii.append(radius * short)
        gray.append(isinstance(hint, KeepGray))
        shades.append((0.0, 0.0, 0.0) if isinstance(hint, KeepGray) else hint.lab)
    colors, neutral = np.array(shades), np.array(gray)
    cells = height * width
    for owner, cell in hint_planes.stroke_cells(paths, radii, height=height, width=width):
        light = np.where(neutral[owner], seen.ravel()[cell], colors[owner, 0])
        weights = (light, colors[owner, 1], colors[owner, 2], None)
        for plane, weight in zip(range(4), weights, strict=True):
            total[plane] += np.bincount(cell, weight, minlength=cells)


def _pasted(hint: Patch | Layer, height: int, width: int) -> tuple[Floats, Floats]:
    """Return the colors and shares of a picture in its box; clear margins cost nothing."""
    picture: Pixels = hint.picture
    left, top, right, bottom = hint.box if isinstance(hint, Patch) else WHOLE
    across, down = (right - left) / picture.width, (bottom - top) / picture.height
    x0, y0, x1, y1 = picture.painted
    if x0 == x1:
        return np.zeros((3, height, width), np.float32), np.zeros((height, width), np.float32)
    part = picture.part(x0, y0, x1, y1)
    dense = min(1 / (down * height), 1 / (across * width))  # pixels for each cell's side
    large = part.height * part.width > MANY_PIXELS
    block = max(1, int(dense / ENOUGH)) if large else 1
    tall, wide = -(-part.height // block), -(-part.width // block)
    left, top = left + x0 * across, top + y0 * down
    box = (left, top, left + wide * block * across, top + tall * block * down)
    return hint_planes.place(part.strips(block), (tall, wide), box, height=height, width=width)


def _mapped(hint: BlurMap, seen: Floats) -> tuple[Floats, Floats]:
    """Return the colors and shares of a map."""
    height, width = seen.shape
    picture: Pixels = hint.picture
    size = (picture.height, picture.width)
    lab, shares = hint_planes.place(picture.strips(), size, WHOLE, height=height, width=width)
    if hint.blur:
        spread = blurred(
            np.concatenate([lab * shares, shares[None]]), side=hint.blur * min(height, width)
        )
        np.divide(spread[:3], spread[3], out=lab, where=shares > 0)
    lab *= np.float32(hint.opacity)
    lab[0] += np.float32(1 - hint.opacity) * seen
    return lab, shares


def _add(total: NDArray[np.float64], lab: Floats, shares: Floats) -> None:
    total[:3] += lab * shares
    total[3] += shares
