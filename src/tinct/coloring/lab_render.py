"""Turn lightness and proposed chroma of many pixels into sRGB codes, with the lightness kept.

Two painters give the same picture within rounding. :class:`Exact` calculates every pixel.
:class:`Tabled`, for large 8-bit pictures, first calculates a table over gray code x a* x b*, only
where the picture has colors, and then looks up every pixel.

References:
    [1] IEC 61966-2-1:1999, sRGB.
    [2] ISO/CIE 11664-4:2019, CIE 1976 L*a*b* color space.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tinct import color
from tinct.resample import STRIP, Floats, for_each, product

TOE = 6 / 29  # below this value of f the inverse of f is a straight line [2]
TOE_SLOPE = 3 * TOE**2
TOLERANCE = 2e-5  # linear light; how far outside 0..1 a color may lie before its chroma is lowered
HUES = 256  # nodes of the table of largest chroma
HALVINGS = 11  # of 0..LARGEST when it is made; at most 0.07 units stay unused
LARGEST = 140.0  # chroma; above that of every sRGB color

# Cells of the table in Lab units. Half a cell adds about 0.1 CIEDE2000 to what rounding to 8 bits
# costs anyway. a* is finer because CIEDE2000 weighs it up to 1.5 times near gray.
CELL = (0.8, 1.0)
MOST_CELLS = 1 << 16
LEAST_PIXELS = 1 << 19
PIXELS_PER_ENTRY = 3  # an entry costs about three times what looking up saves on a pixel

# Linear RGB from the f-inverses of (fx, fy, fz): the white point is part of the matrix, so that
# every row sums to 1.
_LAB_TO_RGB = (color.XYZ_TO_RGB * color.WHITE).astype(np.float32)


class Buffers:
    """Buffers for the pixels of one strip, used again and again: fresh memory is slow."""

    def __init__(self, size: int) -> None:
        self.xyz = np.empty(3 * size, np.float32)
        self.rgb = np.empty(3 * size, np.float32)
        self.spare = np.empty(size, np.float32)
        self.index = np.empty(size, np.intp)
        self._size = size
        self._inner: Buffers | None = None

    @property
    def inner(self) -> Buffers:
        """A buffers of the same size for work on some of the pixels."""
        if self._inner is None:
            self._inner = Buffers(self._size)
        return self._inner


class Renderer(Protocol):
    """What :func:`tinct.coloring.chroma.compose` needs of either renderer."""

    @property
    def scale(self) -> tuple[float, float]:
        """Factors from a*, b* to what :meth:`paint` takes."""

    @property
    def offset(self) -> tuple[float, float]:
        """What is added after the factors."""

    def render(self, gray: NDArray[Any], ab: Floats, out: NDArray[Any], buffers: Buffers) -> None:
        """Write the sRGB codes of one strip.

        Args:
            gray: (rows, columns), sRGB codes.
            ab: float32 (2, rows, columns), a*, b* times ``scale`` plus ``offset``.
            out: (rows, columns, 3), the dtype of ``gray``.
            buffers: buffers for as many pixels.
        """


@lru_cache(maxsize=2)
def lightness_table(codes: int) -> tuple[Floats, Floats]:
    """Return fy and linear light of every sRGB code."""
    gray = np.arange(codes) / (codes - 1)
    fy = (color.gray_to_lightness(gray) + 16) / 116
    return fy.astype(np.float32), color.srgb_to_linear(gray).astype(np.float32)


@lru_cache(maxsize=2)
def code_table(codes: int) -> NDArray[Any]:
    """Return the sRGB code of linear light at evenly spaced square roots 0..1.

    The square root is close to sRGB's curve, so that evenly spaced entries are fine everywhere:
    within one code of 65 536, and exact for the neutral codes of 256.
    """
    roots = np.linspace(0, 1, 1 << 16 if codes > 256 else 1 << 13)
    encoded: NDArray[np.float64] = np.rint(color.linear_to_srgb(roots * roots) * (codes - 1))
    return encoded.astype(np.uint16 if codes > 256 else np.uint8)


def f_inverse(t: Floats, spare: Floats) -> None:
    """Replace ``t`` by t^3, and below the toe by its tangent [2]; ``spare`` is a buffer."""
    if t.min() >= TOE:
        np.multiply(t, t, out=spare)
        np.multiply(t, spare, out=t)
        return
    below = np.subtract(t, np.float32(TOE))
    np.minimum(below, 0, out=below)
    t -= below
    np.multiply(t, t, out=spare)
    np.multiply(t, spare, out=t)
    below *= np.float32(TOE_SLOPE)
    t += below


def linear_rgb(fy: Floats, light: Floats, x: Floats, z: Floats, buffers: Buffers) -> Floats:
    """Return linear RGB (3, N) in ``buffers``, from fy, its light, x = fx - fy, z = fz - fy [2]."""
    count = fy.size
    xyz = buffers.xyz[: 3 * count].reshape(3, count)
    spare = buffers.spare[:count]
    np.add(x, fy, out=xyz[0])
    f_inverse(xyz[0], spare)
    np.copyto(xyz[1], light)
    np.add(z, fy, out=xyz[2])
    f_inverse(xyz[2], spare)
    return product(_LAB_TO_RGB, xyz, out=buffers.rgb[: 3 * count].reshape(3, count))


def outside(rgb: Floats) -> NDArray[np.bool_]:
    """Tell which colors of linear RGB (3, N) sRGB cannot show."""
    low = np.minimum(np.minimum(rgb[0], rgb[1]), rgb[2])
    high = np.maximum(np.maximum(rgb[0], rgb[1]), rgb[2])
    return np.asarray((low < -TOLERANCE) | (high > 1 + TOLERANCE))


@lru_cache(maxsize=1)
def _limits() -> Floats:
    """Return the largest chroma by hue and gray code of 8 bits: (HUES + 1, 257).

    Hues are numbered as by :func:`_hue`; the last row is the first again, the last column the one
    before.
    """
    turn = np.arange(HUES, dtype=np.float32) * np.float32(4 / HUES) - 1
    b = np.where(turn <= 1, turn, 2 - turn)
    a = np.copysign(1 - np.abs(b), 1 - turn)
    a, b = a / np.hypot(a, b), b / np.hypot(a, b)
    x, z = np.repeat(a / np.float32(500), 256), np.repeat(b / np.float32(-200), 256)
    fy, light = (np.tile(table, HUES) for table in lightness_table(256))
    limit = np.zeros(fy.size, np.float32)
    for start in range(0, fy.size, STRIP):
        part = slice(start, start + STRIP)
        buffers = Buffers(STRIP)
        low, step = limit[part], np.float32(LARGEST / 2)
        for _ in range(HALVINGS):
            tried = low + step
            low += step * ~outside(
                linear_rgb(fy[part], light[part], x[part] * tried, z[part] * tried, buffers)
            )
            step /= np.float32(2)
    return np.pad(
        np.pad(limit.reshape(HUES, 256), ((0, 1), (0, 0)), "wrap"), ((0, 0), (0, 1)), "edge"
    )


def _hue(a: Floats, b: Floats) -> Floats:
    """Return where a hue lies in 0..HUES, evenly along the square |a| + |b| = 1."""
    turn = b / np.maximum(np.abs(a) + np.abs(b), np.float32(1e-9))
    turn = np.where(a >= 0, turn, 2 - turn)
    return np.asarray((turn + 1) * np.float32(HUES / 4))


def kept_chroma(level: Floats, a: Floats, b: Floats) -> Floats:
    """Return the share 0..1 of a color's chroma that sRGB can show.

    Args:
        level: gray codes 0..255 with fractions, (N,).
        a: a* in Lab units.
        b: b* in Lab units.
    """
    limits = _limits()
    turn = _hue(a, b)
    row, column = turn.astype(np.intp), level.astype(np.intp)
    np.minimum(row, HUES - 1, out=row)
    turn -= row
    across = level - column
    row *= limits.shape[1]
    row += column
    near, far = (
        np.take(limits, row + step, mode="clip") * (1 - across)
        + np.take(limits, row + step + 1, mode="clip") * across
        for step in (0, limits.shape[1])
    )
    limit = near + (far - near) * turn
    share = limit / np.maximum(np.hypot(a, b), np.float32(1e-9))
    return np.asarray(np.minimum(share, 1).astype(np.float32))


def write_codes(
    rgb: Floats, codes: NDArray[Any], out: NDArray[Any], index: NDArray[np.intp]
) -> None:
    """Encode linear RGB (3, N), which is overwritten, into ``out`` (rows, columns, 3).

    Args:
        rgb: linear light; what lies outside 0..1 is clipped.
        codes: from :func:`code_table`.
        out: N pixels.
        index: N buffers.
    """
    np.maximum(rgb, 0, out=rgb)
    np.sqrt(rgb, out=rgb)
    rgb *= np.float32(codes.size - 1)
    rgb += np.float32(0.5)
    for channel in range(3):
        np.copyto(index, rgb[channel], casting="unsafe")
        out[..., channel] = np.take(codes, index, mode="clip").reshape(out.shape[:2])


class Exact:
    """Calculate every pixel."""

    scale = (1 / 500, -1 / 200)  # a* to fx - fy, b* to fz - fy [2]
    offset = (0.0, 0.0)

    def __init__(self, codes: int) -> None:
        self._fy, self._light = lightness_table(codes)
        self._codes = code_table(codes)
        self._level = np.float32(255 / (codes - 1))

    def render(self, gray: NDArray[Any], ab: Floats, out: NDArray[Any], buffers: Buffers) -> None:
        """Write the sRGB codes of one strip; see :class:`Renderer`."""
        x, z = ab.reshape(2, -1)
        index = buffers.index[: gray.size]
        np.copyto(index.reshape(gray.shape), gray)
        fy = np.take(self._fy, index, mode="clip")
        light = np.take(self._light, index, mode="clip")
        rgb = linear_rgb(fy, light, x, z, buffers)
        if rgb.min() < -TOLERANCE or rgb.max() > 1 + TOLERANCE:
            some = np.flatnonzero(outside(rgb))
            fy, light, x, z = fy[some], light[some], x[some], z[some]
            kept = kept_chroma(index[some] * self._level, x * np.float32(500), z * np.float32(-200))
            rgb[:, some] = linear_rgb(fy, light, x * kept, z * kept, buffers.inner)
        write_codes(rgb, self._codes, out, index)


class Tabled:
    """Look up every pixel of an 8-bit picture in a table by a* cell, b* cell and gray code."""

    def __init__(
        self, used: NDArray[np.bool_], low: tuple[float, float], threads: int | None
    ) -> None:
        self.scale = (1 / CELL[0], 1 / CELL[1])
        self.offset = (-low[0] / CELL[0], -low[1] / CELL[1])
        self._rows = used.shape[1]
        # Cells that no pixel has stay untouched: the system gives no memory for them.
        self._table = np.empty((used.size, 256), np.uint32)
        entries = self._table.view(np.uint8).reshape(used.size, 256, 4)
        exact = Exact(256)
        cells = np.flatnonzero(used)
        share = STRIP // 256
        codes = np.broadcast_to(np.arange(256, dtype=np.uint8), (share, 256))

        def fill(start: int) -> None:
            buffers = Buffers(STRIP)
            painted = np.empty((share, 256, 3), np.uint8)
            for first in range(start, min(start + 8 * share, cells.size), share):
                some = cells[first : first + share]
                ab = np.empty((2, some.size, 256), np.float32)
                for axis, number in enumerate(divmod(some, self._rows)):
                    center = low[axis] + (number + 0.5) * CELL[axis]
                    ab[axis] = (center * exact.scale[axis])[:, None]
                exact.render(codes[: some.size], ab, painted[: some.size], buffers)
                entries[some, :, :3] = painted[: some.size]

        for_each(fill, range(0, cells.size, 8 * share), threads=threads)

    def render(self, gray: NDArray[Any], ab: Floats, out: NDArray[Any], buffers: Buffers) -> None:
        """Write the sRGB codes of one strip; see :class:`Renderer`."""
        cell = buffers.xyz[: 2 * gray.size].view(np.int32).reshape(2, *gray.shape)
        np.copyto(cell, ab, casting="unsafe")
        a, b = cell
        a *= self._rows
        a += b
        a <<= 8
        a += gray
        index = buffers.index[: gray.size].reshape(gray.shape)
        np.copyto(index, a)
        packed = buffers.rgb[: gray.size].view(np.uint32).reshape(gray.shape)
        np.take(self._table.reshape(-1), index, out=packed, mode="clip")
        parts = packed.view(np.uint8).reshape(*gray.shape, 4)
        for channel in range(3):
            out[..., channel] = parts[..., channel]


def choose(codes: int, ab: Floats, *, pixels: int, threads: int | None = None) -> Renderer:
    """Return the renderer that is faster for a picture, by the colors it will have.

    Args:
        codes: 256 or 65 536; 16-bit pictures are always calculated.
        ab: float32 (2, h, w), a*, b* in Lab units, to be enlarged (never shrunk) bicubically.
        pixels: of the full-size picture.
        threads: that fill a table; None means one for each core.

    Returns:
        A renderer that holds for every a*, b* which the filter can make of ``ab``.
    """
    if codes > 256 or pixels < LEAST_PIXELS:
        return Exact(codes)
    used, low = used_cells(ab)
    if not 0 < used.sum() * 256 * PIXELS_PER_ENTRY <= pixels:
        return Exact(codes)
    return Tabled(used, low, threads=threads)


def used_cells(ab: Floats) -> tuple[NDArray[np.bool_], tuple[float, float]]:
    """Tell which cells of the table the enlarged planes can fall into.

    Args:
        ab: float32 (2, h, w), a*, b* in Lab units.

    Returns:
        By number of the a* cell and of the b* cell, whether it is used, and the a*, b* where the
        first cell begins. No cell is used if there would be too many.
    """
    low, high = _reach(ab)
    size = np.array(CELL, np.float32)[:, None, None]
    # The grid is laid so that no chroma at all is the center of a cell: neutral stays neutral.
    start = (np.floor(low.min(axis=(1, 2)) / size[:, 0, 0] + 0.5) - 0.5) * size[:, 0, 0]
    first, last = (
        ((bound - start[:, None, None]) / size).astype(np.intp).reshape(2, -1)
        for bound in (low, high)
    )
    last += 1
    rows, columns = (int(number) + 1 for number in last.max(axis=1))
    if rows * columns > MOST_CELLS:
        return np.zeros((1, 1), np.bool_), (0.0, 0.0)
    # Each value's reach is a rectangle of cells; their union is where the sums over corners with
    # signs are not 0.
    corners = np.zeros(rows * columns, np.int64)
    for sign, a, b in ((1, first, first), (-1, first, last), (-1, last, first), (1, last, last)):
        corners += sign * np.bincount(a[0] * columns + b[1], minlength=corners.size)
    used = corners.reshape(rows, columns).cumsum(axis=0).cumsum(axis=1) > 0
    return used, (float(start[0]), float(start[1]))


def _reach(ab: Floats) -> tuple[Floats, Floats]:
    """Return bounds of what the bicubic filter makes around every value of (2, h, w)."""
    low = high = np.pad(ab, ((0, 0), (2, 2), (2, 2)), mode="edge")
    for axis in (1, 2):
        size = ab.shape[axis]
        low = np.minimum.reduce([np.take(low, range(k, k + size), axis) for k in range(5)])
        high = np.maximum.reduce([np.take(high, range(k, k + size), axis) for k in range(5)])
    # The sizes of the weights sum to at most 1.25 along an axis, so a value may pass its neighbors
    # by (1.25^2 - 1) / 2 of their range.
    beyond = (high - low) * np.float32(0.28125) + np.float32(0.01)
    return low - beyond, high + beyond
