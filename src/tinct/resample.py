"""Resample planes by a bicubic filter, in tiles that stay in a core's cache.

References:
    [1] R. G. Keys: Cubic convolution interpolation for digital image processing, IEEE Trans.
        ASSP 29(6), 1981.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Unit = TypeVar("Unit")

# OpenBLAS keeps a product of at most this many multiplications on the calling thread. Bigger ones
# would compete with the threads that are at work here, and go on doing so when they are done: its
# own threads wait for work by spinning.
BLAS_ALONE = 1 << 18

STRIP = 1 << 16  # pixels worked on at once: long steps, so that threads seldom wait for each other
SMALL = 1 << 20  # pixels that one thread resamples faster than several
BLOCK = 1024, 4096  # rows and columns that one thread takes at a time, at most

Part = tuple[slice, slice]
Work = Callable[[Part, Floats], None]


def quantiles(values: NDArray[Any], shares: tuple[float, ...]) -> list[float]:
    """Return quantiles with linear interpolation, as ``numpy.quantile`` does.

    That one imports ``numpy.ma``, which takes several milliseconds of a cold start.

    Args:
        values: at least one, any shape.
        shares: 0..1.
    """
    flat = values.ravel()
    places = [share * (flat.size - 1) for share in shares]
    ranks = sorted({rank for at in places for rank in (math.floor(at), math.ceil(at))})
    part = np.partition(flat, ranks)
    found = []
    for at in places:
        low, high = float(part[math.floor(at)]), float(part[math.ceil(at)])
        found.append(low + (high - low) * (at - math.floor(at)))
    return found


def cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return max(1, os.cpu_count() or 1)


def product(left: Floats, right: Floats, out: Floats) -> Floats:
    """Multiply matrices as :func:`numpy.matmul` does, on the calling thread alone.

    Args:
        left: (..., M, K), with few rows and columns.
        right: (..., K, N).
        out: (..., M, N).

    Returns:
        ``out``.
    """
    columns = max(1, BLAS_ALONE // (left.shape[-2] * left.shape[-1]))
    for start in range(0, right.shape[-1], columns):
        part = (..., slice(start, start + columns))
        np.matmul(left, right[part], out=out[part])
    return out


def blurred(planes: Floats, *, side: float) -> Floats:
    """Blur planes with a box, mirrored at their edges.

    Args:
        planes: (C, H, W).
        side: of the box in cells; below 2 they stay as they are.
    """
    reach = int(side / 2)
    for _ in range(2 if reach else 0):
        size = planes.shape[1]
        around = np.pad(planes, ((0, 0), (reach + 1, reach), (0, 0)), mode="symmetric")
        sums = np.cumsum(around, axis=1, dtype=np.float64)
        means = (sums[:, -size:] - sums[:, :size]) / (2 * reach + 1)
        planes = np.ascontiguousarray(means.astype(np.float32).transpose(0, 2, 1))
    return planes


def for_each(work: Callable[[Unit], None], units: Iterable[Unit], *, threads: int | None) -> None:
    """Call ``work`` once on every unit, several at a time.

    Args:
        work: what to do; NumPy lets go of the interpreter's lock inside, so that threads help.
        units: the independent parts of the work.
        threads: how many at a time; None means one for each core.

    Raises:
        Exception: whatever ``work`` raised first.
    """
    units = list(units)
    count = min(cores() if threads is None else max(1, threads), len(units))
    if count <= 1:
        for unit in units:
            work(unit)
        return
    with ThreadPoolExecutor(count) as pool:
        for _ in pool.map(work, units):
            pass


@dataclass(frozen=True)
class Taps:
    """One axis of a resampling: output i is sum over k of weights[i, k] * input[first[i] + k]."""

    first: NDArray[np.intp]
    weights: Floats

    def span(self, start: int, stop: int) -> tuple[int, int]:
        """Return the range of inputs that the outputs ``start..stop`` may need."""
        return int(self.first[start]), int(self.first[stop - 1]) + self.weights.shape[1]

    def block(self, start: int, stop: int) -> Floats:
        """Return the dense matrix from the inputs of a span to the outputs ``start..stop``."""
        low, high = self.span(start, stop)
        dense = np.zeros((stop - start, high - low), np.float32)
        columns = (self.first[start:stop] - low)[:, None] + np.arange(self.weights.shape[1])
        dense[np.arange(stop - start)[:, None], columns] = self.weights[start:stop]
        return dense


def bicubic(count: int, size: int, *, length: float | None = None) -> Taps:
    """Return the taps that resample an axis of ``size`` inputs to ``count`` outputs.

    The filter is Catmull-Rom's cubic (a = -0.5) [1] on half-pixel centers, widened to the step
    where the axis shrinks, which is the antialiasing. Taps beyond the ends are left out and the
    others rescaled. Pillow's ``BICUBIC`` is the same.

    Args:
        count: outputs, 1 or more.
        size: inputs, 1 or more.
        length: resample only the inputs 0..``length``, a number above 0; None means all.

    Returns:
        The taps, with ``first`` never falling and every tap inside the axis.
    """
    step = (size if length is None else length) / count
    widen = max(step, 1.0)
    taps = min(size, int(np.ceil(4 * widen)) + 1)
    center = (np.arange(count) + 0.5) * step
    first = np.clip(np.floor(center - 2 * widen + 0.5), 0, size - taps).astype(np.intp)
    x = np.abs(first[:, None] + np.arange(taps) + 0.5 - center[:, None]) / widen
    near = (1.5 * x - 2.5) * x * x + 1
    far = ((-0.5 * x + 2.5) * x - 4) * x + 2
    weights = np.where(x < 1, near, np.where(x < 2, far, 0.0))
    weights /= weights.sum(1, keepdims=True)
    return Taps(first, weights.astype(np.float32))


def resample_rows(plane: NDArray[Any], taps: Taps, *, threads: int | None = None) -> Floats:
    """Resample the first axis of a plane.

    Args:
        plane: (H, W), any real numbers, any memory order.
        taps: from :func:`bicubic`, for H inputs.
        threads: None means one for each core; the result does not depend on it.

    Returns:
        float32 (outputs, W).
    """
    count, width = len(taps.first), plane.shape[1]
    out = np.empty((count, width), np.float32)
    rows = max(1, min(8, 512 // taps.weights.shape[1]))

    def work(start: int) -> None:
        stop = min(start + rows, count)
        low, high = taps.span(start, stop)
        dense = taps.block(start, stop)
        columns = max(16, BLAS_ALONE // dense.size)
        for left in range(0, width, columns):
            part = slice(left, left + columns)
            product(dense, plane[low:high, part].astype(np.float32), out=out[start:stop, part])

    # A small plane is done before threads have begun.
    for_each(work, range(0, count, rows), threads=1 if plane.size < SMALL else threads)
    return out


def widen_columns(planes: Floats, taps: Taps, *, start: int, stop: int) -> Floats:
    """Resample the last axis of small planes to the outputs ``start..stop``.

    Args:
        planes: float32 (N, h, w).
        taps: from :func:`bicubic`, for w inputs.
        start: the first output.
        stop: one past the last output.

    Returns:
        float32 (N, h, stop - start).
    """
    out = np.empty((*planes.shape[:2], stop - start), np.float32)
    for left in range(start, stop, 64):
        right = min(left + 64, stop)
        low, high = taps.span(left, right)
        dense = taps.block(left, right).T
        product(planes[:, :, low:high], dense, out=out[:, :, left - start : right - start])
    return out


def spread(
    planes: Floats,
    shape: tuple[int, int],
    *,
    cover: tuple[float, float],
    begin: Callable[[int], Work],
    threads: int | None = None,
    rows: tuple[int, int] | None = None,
) -> None:
    """Resample small planes to a picture's size and hand them over strip by strip.

    Only strips are ever held at full size. How the picture is cut does not depend on the number of
    threads.

    Args:
        planes: float32 (N, h, w).
        shape: height and width of the picture.
        cover: the shares of the planes' height and width, from the top left, that show the picture
            (the rest is padding).
        begin: called with a largest number of pixels; returns what is called on the strips of one
            block, one after the other, with the part of the picture and the planes there, float32
            (N, rows, columns), which it may overwrite.
        threads: None means one for each core.
        rows: the first of the picture's rows that are wanted, and one past the last; None: all.
    """
    height, width = shape
    start, stop = rows or (0, height)
    vertical = bicubic(height, planes.shape[1], length=planes.shape[1] * cover[0])
    horizontal = bicubic(width, planes.shape[2], length=planes.shape[2] * cover[1])
    count = stop - start
    high = -(-count // (2 * -(-count // (2 * BLOCK[0]))))  # an even number of blocks, all alike

    def work(corner: tuple[int, int]) -> None:
        top, left = corner
        bottom, right = min(top + high, stop), min(left + BLOCK[1], width)
        low, last = vertical.span(top, bottom)
        wide = widen_columns(planes[:, low:last], horizontal, start=left, stop=right)
        step = max(1, STRIP // (right - left))
        strip = begin(step * (right - left))
        for row in range(top, bottom, step):
            end = min(row + step, bottom)
            first, last = vertical.span(row, end)
            tall = np.empty((len(planes), end - row, right - left), np.float32)
            product(vertical.block(row, end), wide[:, first - low : last - low], out=tall)
            strip((slice(row, end), slice(left, right)), tall)

    corners = [(y, x) for x in range(0, width, BLOCK[1]) for y in range(start, stop, high)]
    for_each(work, corners, threads=threads)
