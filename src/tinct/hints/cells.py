"""Which cells of a small grid do drawn things cover? Pure array functions behind the hints.

Cells are the pixels of a picture at working size. Cell (r, c) reaches from r to r + 1 downward and
from c to c + 1 to the right; places are given in the same units.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Whole = NDArray[np.int64]
Box = tuple[float, float, float, float]

PIECE = 16.0
"""Longer segments are cut, so that the cells around each piece are few."""

THINNEST = 0.5 + 1e-6
"""Half the width of the thinnest line that has a cell in every row or column that it crosses."""

AT_ONCE = 1 << 20
"""Cells that are looked at together."""


def stroke_cells(
    paths: Sequence[NDArray[np.float64]], radii: Sequence[float], *, height: int, width: int
) -> Iterator[tuple[Whole, Whole]]:
    """Find the cells whose centers lie on strokes, and those that hold their corners.

    Args:
        paths: for each stroke its corners, (n, 2): across 0..width, down 0..height. One corner
            makes a disk.
        radii: for each stroke half its width in cells. Lines, not disks, are at least one cell
            wide.
        height: rows of the grid.
        width: its columns.

    Yields:
        Numbers of strokes, and numbers r * width + c of cells that they cover; each pair once.
    """
    if not paths:
        return
    counts = np.array([len(path) for path in paths])
    owner, start, end = _pieces(np.concatenate(paths), counts)
    radius = np.asarray(radii, np.float64)[owner]
    alone = counts[owner] == 1
    radius = np.where(alone, radius, np.maximum(radius, THINNEST))
    reach = np.ceil(np.abs(end - start).max(1) + 2 * radius) + 2
    several: list[Whole] = []
    order = np.argsort(reach, kind="stable")
    sizes = np.left_shift(1, np.ceil(np.log2(np.maximum(reach[order], 1))).astype(np.int64))
    for size in np.unique(sizes):
        alike = order[sizes == size]
        rows, columns = min(int(size), height), min(int(size), width)
        step = max(1, AT_ONCE // (rows * columns))
        for first in range(0, len(alike), step):
            some = alike[first : first + step]
            which, cells = _covered(
                start[some], end[some], radius[some], (rows, columns), (height, width)
            )
            single = alone[some][which]
            which = owner[some][which]
            if single.any():
                yield which[single], cells[single]
            several.append((which * (height * width) + cells)[~single])
    pairs = np.unique(np.concatenate(several))
    yield pairs // (height * width), pairs % (height * width)


def _pieces(
    corners: NDArray[np.float64], counts: Whole
) -> tuple[Whole, NDArray[np.float64], NDArray[np.float64]]:
    """Cut paths into short pieces: the path's number, start and end of each."""
    owner = np.repeat(np.arange(len(counts)), counts)
    joined = np.append(owner[1:] == owner[:-1], False)
    first = np.flatnonzero(joined | (counts[owner] == 1))
    start, end = corners[first], corners[np.where(joined[first], first + 1, first)]
    parts = np.maximum(1, np.ceil(np.hypot(*(end - start).T) / PIECE)).astype(np.int64)
    source = np.repeat(np.arange(len(first)), parts)
    number = np.arange(len(source)) - np.repeat(np.cumsum(parts) - parts, parts)
    step = ((end - start) / parts[:, None])[source]
    begin = start[source] + number[:, None] * step
    return owner[first][source], begin, begin + step


def _covered(
    start: NDArray[np.float64],
    end: NDArray[np.float64],
    radius: NDArray[np.float64],
    window: tuple[int, int],
    shape: tuple[int, int],
) -> tuple[Whole, Whole]:
    """Return pieces and the cells they cover, looked for in a window around each."""
    height, width = shape
    low = np.minimum(start, end) - radius[:, None] - 0.5
    top = np.clip(np.floor(low[:, 1]), 0, height - window[0]).astype(np.int64)
    left = np.clip(np.floor(low[:, 0]), 0, width - window[1]).astype(np.int64)
    rows = top[:, None] + np.arange(window[0])
    columns = left[:, None] + np.arange(window[1])
    down = (rows + 0.5 - start[:, 1:])[:, :, None]
    right = (columns + 0.5 - start[:, :1])[:, None, :]
    along = end - start
    length = (along**2).sum(1)
    if length.any():
        across, deep = along[:, 0, None, None], along[:, 1, None, None]
        share = right * across + down * deep
        share /= np.where(length > 0, length, 1)[:, None, None]
        np.clip(share, 0, 1, out=share)
        inside = (right - share * across) ** 2 + (down - share * deep) ** 2
    else:
        inside = right**2 + down**2
    hit = inside <= (radius**2)[:, None, None]
    for corner in (start, end):
        row = np.clip(np.floor(corner[:, 1]), 0, height - 1).astype(np.int64) - top
        column = np.clip(np.floor(corner[:, 0]), 0, width - 1).astype(np.int64) - left
        hit[np.arange(len(hit)), row, column] = True
    which, row, column = np.nonzero(hit)
    return which, rows[which, row] * width + columns[which, column]


def box_cells(box: Box, *, height: int, width: int) -> tuple[slice, slice]:
    """Return the rows and columns whose centers lie in a box, at least one of each.

    Args:
        box: left, top, right, bottom as shares 0..1 of the grid's sides.
        height: rows of the grid.
        width: its columns.
    """
    left, top, right, bottom = box
    return _span(top * height, bottom * height, height), _span(left * width, right * width, width)


def _span(low: float, high: float, size: int) -> slice:
    first, last = (int(np.ceil(edge - 0.5)) for edge in (low, high))
    if first >= last:
        first = min(int((low + high) / 2), size - 1)
        last = first + 1
    return slice(first, last)


def place(
    strips: Iterable[Floats], size: tuple[int, int], box: Box, *, height: int, width: int
) -> tuple[Floats, Floats]:
    """Resample a picture into a box of the grid, with antialiasing.

    A cell belongs to the picture when at least half of it is covered. Details too small for that,
    such as a dot or a thin line, keep every cell that they touch.

    Args:
        strips: the picture from top to bottom, (5, rows, w) each, as
            :meth:`tinct.hints.images.Pixels.strips` gives them.
        size: its height and width.
        box: left, top, right, bottom as shares 0..1 of the grid's sides.
        height: rows of the grid.
        width: its columns.

    Returns:
        L*, a*, b* (3, height, width), and each cell's covered share (height, width), 0..1; zeros
        where there is no picture.
    """
    left, top, right, bottom = box
    down, across = (top * height, bottom * height), (left * width, right * width)
    wanted = max(size[0], _cells(down)), max(size[1], _cells(across))
    if wanted != size:
        strips = [_enlarged(np.concatenate(list(strips), axis=1), *wanted)]
    narrow = np.zeros((5, height, wanted[1]), np.float32)
    begin = 0
    for strip in strips:
        end = begin + strip.shape[1]
        if strip[3].any():
            cells, shares = _overlaps(begin, end, down, wanted[0], height)
            narrow[:4, cells] += shares @ strip[:4]
            narrow[4, cells] += _nearest(shares) @ strip[4]
        begin = end
    cells, shares = _overlaps(0, wanted[1], across, wanted[1], width)
    sums = np.zeros((5, height, width), np.float32)
    sums[:4, :, cells] = narrow[:4] @ shares.T
    sums[4][:, cells] = narrow[4] @ _nearest(shares).T
    cover, touched = np.clip(sums[3], 0, 1), sums[4] > 0
    half = cover >= 0.5 - 1e-4
    shares = np.where(half | (touched & ~_grown(half)), cover, np.float32(0))
    lab = np.zeros_like(sums[:3])
    np.divide(sums[:3], sums[3], out=lab, where=shares > 0)
    return lab, shares


def _nearest(shares: Floats) -> Floats:
    """Return 1 for the cell that each pixel covers most of, 0 for the others."""
    most = np.zeros_like(shares)
    most[shares.argmax(0), np.arange(shares.shape[1])] = 1
    return most


def _cells(span: tuple[float, float]) -> int:
    return int(np.ceil(span[1] - span[0] - 1e-6))


def _enlarged(planes: Floats, height: int, width: int) -> Floats:
    """Enlarge a picture smoothly."""
    from PIL import Image  # noqa: PLC0415

    large = np.empty((5, height, width), np.float32)
    for plane, out in zip(planes, large, strict=True):
        image = Image.fromarray(plane).resize((width, height), Image.Resampling.BILINEAR)
        out[:] = np.asarray(image)
    large[4] = large[3] >= 0.5
    return large


def _overlaps(
    begin: int, end: int, span: tuple[float, float], size: int, cells: int
) -> tuple[slice, Floats]:
    """Return how much of each cell each pixel covers along one axis.

    Args:
        begin: the first pixel.
        end: the pixel after the last.
        span: where in cells the picture begins and ends.
        size: the picture's pixels along the axis.
        cells: the grid's cells along the axis.

    Returns:
        The cells touched, and shares 0..1 (cells touched, pixels).
    """
    edges = span[0] + np.arange(begin, end + 1) / size * (span[1] - span[0])
    first, last = int(edges[0]), min(cells, int(np.ceil(edges[-1])))
    cell = np.arange(first, last)[:, None]
    shares = np.minimum(cell + 1, edges[1:]) - np.maximum(cell, edges[:-1])
    return slice(first, last), np.maximum(shares, 0).astype(np.float32)


def _grown(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return a mask with the eight neighbors of each of its cells."""
    around = np.pad(mask, 1)
    tall = around[:-2] | around[1:-1] | around[2:]
    return np.asarray(tall[:, :-2] | tall[:, 1:-1] | tall[:, 2:])
