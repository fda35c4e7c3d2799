"""Carry a picture to a model's size, and the proposed colors back to the picture's size.

Pure array functions. The way down (:func:`fit`) makes a small, well-filtered lightness plane; the
way up (:func:`compose`) enlarges the proposed a*, b* and joins them with the untouched lightness of
every pixel. How the work is cut into tiles never depends on the number of threads, so neither does
the result. Behind it: :mod:`tinct.resample` and
:mod:`tinct.coloring.lab_render`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tinct import color
from tinct.coloring.lab_render import Buffers, Exact, Renderer, choose
from tinct.resample import Floats, Work, bicubic, quantiles, resample_rows, spread

Gray = NDArray[np.uint8] | NDArray[np.uint16]
Edge = Literal["auto", "pad", "resize"]

FAINT = 0.25
"""Range of sRGB codes of a faded print; at this range and below a model sees it spread."""
FRESH = 0.34
"""From this range on a picture is seen as it is; in between partly."""
FLAT = 0.03
"""Fainter pictures show nothing but noise, and are left as they are."""

MARGIN_TONE = 1.2
"""L* by which a margin's pixels may differ from its tone at a model's size."""
LEAST_MARGIN = 0.02
"""Narrower margins, as a share of the picture's side, are left alone."""

MOST_STRETCH = 1 / 6  # of a side; more than that is padded instead


@dataclass(frozen=True)
class Shape:
    """The size at which a model sees a picture.

    Attributes:
        height: rows that show the picture.
        width: columns that show the picture.
        bottom: rows of padding below.
        right: columns of padding on the right.
    """

    height: int
    width: int
    bottom: int = 0
    right: int = 0

    @property
    def cover(self) -> tuple[float, float]:
        """The shares of the padded height and width that show the picture."""
        return self.height / (self.height + self.bottom), self.width / (self.width + self.right)


@dataclass(frozen=True)
class Fitted:
    """A picture at a model's size.

    Attributes:
        lightness: float32 (1, 1, h, w), L* 0..100, padding included.
        shape: which part of it shows the picture.
    """

    lightness: Floats
    shape: Shape


def working_shape(
    height: int, width: int, *, size: int, multiple_of: int = 1, max_long: int, edge: Edge = "auto"
) -> Shape:
    """Return the size at which a model sees a picture of ``height`` x ``width`` pixels.

    The short side becomes ``size`` (small pictures are enlarged), the long side keeps the aspect;
    where it would pass ``max_long``, both are scaled down until it fits.

    Args:
        height: rows of the picture, 1 or more.
        width: columns of the picture, 1 or more.
        size: wanted short side.
        multiple_of: both sides of the model's input are multiples of this.
        max_long: the largest long side, before it is padded or resized to a multiple.
        edge: "pad" fills a side up to the next multiple; "resize" stretches or squeezes it to the
            nearest; "auto" resizes where that changes the side by at most a sixth, else pads.

    Returns:
        The picture's part and the padding.
    """
    scale = min(size / min(height, width), max_long / max(height, width))
    rows, columns = max(1, round(height * scale)), max(1, round(width * scale))
    if edge != "pad":
        most = MOST_STRETCH if edge == "auto" else math.inf
        rows, columns = (_to_multiple(side, multiple_of, most=most) for side in (rows, columns))
    return Shape(rows, columns, -rows % multiple_of, -columns % multiple_of)


def _to_multiple(side: int, multiple_of: int, *, most: float) -> int:
    """Return the multiple nearest to ``side``, or ``side`` where that changes it too much."""
    nearest = max(1, round(side / multiple_of)) * multiple_of
    return nearest if abs(nearest - side) <= most * side else side


def fit(
    gray: Gray,
    *,
    size: int,
    multiple_of: int = 1,
    max_long: int,
    edge: Edge = "auto",
    unfade: bool = False,
    threads: int | None = None,
) -> Fitted:
    """Resample a picture to a model's size, with antialiasing, and give its lightness.

    The sRGB codes are resampled, as they are in the pictures that models are trained on.

    Args:
        gray: uint8 or uint16 (H, W), sRGB-encoded.
        size: wanted short side; see :func:`working_shape` for this and the next three.
        multiple_of: both sides are multiples of this.
        max_long: the largest long side.
        edge: how a multiple is reached; padding mirrors the picture.
        unfade: spread the tones of a faint picture over the whole range, as :func:`unfaded` does.
        threads: None means one for each core.

    Returns:
        L* and the part of it that shows the picture.
    """
    height, width = gray.shape
    shape = working_shape(
        height, width, size=size, multiple_of=multiple_of, max_long=max_long, edge=edge
    )
    small = resample_rows(gray, bicubic(shape.height, height), threads=threads)
    small = resample_rows(small.T, bicubic(shape.width, width), threads=threads).T
    codes = np.clip(small / np.float32(np.iinfo(gray.dtype).max), 0, 1)
    if unfade:
        codes = unfaded(codes)
    lightness = color.gray_to_lightness(codes).astype(np.float32)
    lightness = np.pad(lightness, ((0, shape.bottom), (0, shape.right)), mode="symmetric")
    return Fitted(np.ascontiguousarray(lightness)[None, None], shape)


def unfaded(codes: Floats) -> Floats:
    """Spread the tones of a faded print, so that a model sees it as it was when it was new.

    Only what a model sees is spread, never the picture's own lightness.

    Args:
        codes: float32 (H, W), sRGB 0..1.

    Returns:
        The same shape: the darkest and the lightest hundredth become 0.03 and 0.97 where the range
        is :data:`FAINT` or less; pictures of ordinary contrast, and flat ones, as they are.
    """
    low, high = quantiles(codes, (0.01, 0.99))
    span = high - low
    if not FLAT < span < FRESH:
        return codes
    share = min(1.0, (FRESH - span) / (FRESH - FAINT))
    spread_out = np.clip(0.03 + 0.94 * (codes - low) / span, 0, 1)
    mixed: Floats = (codes + share * (spread_out - codes)).astype(np.float32)
    return mixed


def gray_margins(lightness: Floats, ab: Floats) -> Floats:
    """Take the color out of margins: a page or a mount of one tone around a picture.

    Only what is as flat as no photographed sky or backdrop, and surrounds the picture on all four
    sides, is a margin.

    Args:
        lightness: float32 (h, w), L* of the part that shows the picture.
        ab: float32 (2, h2, w2), a*, b* of the same part at any size.

    Returns:
        ``ab`` without color in the margins, or ``ab`` itself where there are none.
    """
    (tone,) = quantiles(lightness[[0, 0, -1, -1], [0, -1, 0, -1]], (0.5,))
    other = np.abs(lightness - tone) > MARGIN_TONE
    rows, columns = np.flatnonzero(other.any(axis=1)), np.flatnonzero(other.any(axis=0))
    if not rows.size:
        return ab
    height, width = lightness.shape
    box = (rows[0] / height, (rows[-1] + 1) / height, columns[0] / width, (columns[-1] + 1) / width)
    if min(box[0], 1 - box[1], box[2], 1 - box[3]) < LEAST_MARGIN:
        return ab
    top, bottom = round(box[0] * ab.shape[1]), round(box[1] * ab.shape[1])
    left, right = round(box[2] * ab.shape[2]), round(box[3] * ab.shape[2])
    kept = np.zeros_like(ab)
    kept[:, top:bottom, left:right] = ab[:, top:bottom, left:right]
    return kept


def compose(
    gray: Gray,
    ab: Floats,
    *,
    strength: float = 1.0,
    cover: tuple[float, float] = (1.0, 1.0),
    threads: int | None = None,
) -> Gray:
    """Join a picture's untouched lightness with small color planes.

    a*, b* are enlarged by a bicubic filter; a color that sRGB cannot show loses chroma, never
    lightness or hue. Memory: the result, a table of at most 64 MB (8 bit), and strips.

    Args:
        gray: uint8 or uint16 (H, W), sRGB-encoded.
        ab: float32 (2, h, w), a* and b* in Lab units.
        strength: factor on a* and b*; 0 is gray.
        cover: the shares of ``ab``'s height and width, from the top left, that show the picture
            (the rest is padding).
        threads: None means one for each core.

    Returns:
        sRGB (H, W, 3), the dtype of ``gray``.
    """
    painter = Composer(ab, gray.shape, gray.dtype, strength=strength, cover=cover, threads=threads)
    return painter.rows(gray)


class Composer:
    """Joins a picture's lightness with small color planes, all of it or some rows at a time.

    Args:
        ab: as for :func:`compose`, and so on.
        shape: height and width of the picture.
        dtype: uint8 or uint16.
        strength: factor on a* and b*.
        cover: the shares of the planes that show the picture.
        threads: None means one for each core.
    """

    def __init__(
        self,
        ab: Floats,
        shape: tuple[int, int],
        dtype: np.dtype[Any],
        *,
        strength: float = 1.0,
        cover: tuple[float, float] = (1.0, 1.0),
        threads: int | None = None,
    ) -> None:
        height, width = shape
        codes = int(np.iinfo(dtype).max) + 1
        ab = ab * np.float32(strength)
        self._renderer: Renderer = Exact(codes)
        if ab.shape[1] * cover[0] <= height and ab.shape[2] * cover[1] <= width:
            self._renderer = choose(codes, ab, pixels=height * width, threads=threads)
        scale, offset = (
            np.array(v, np.float32)[:, None, None]
            for v in (self._renderer.scale, self._renderer.offset)
        )
        self._planes = ab * scale + offset
        self._shape, self._cover, self._threads = shape, cover, threads

    def rows(self, gray: Gray, top: int = 0) -> Gray:
        """Return the colors of some rows.

        Args:
            gray: (h, W), sRGB codes of the rows from ``top`` on.
            top: number of the first of them.

        Returns:
            sRGB (h, W, 3), the dtype of ``gray``.
        """
        out = np.empty((*gray.shape, 3), gray.dtype)

        def begin(pixels: int) -> Work:
            buffers = Buffers(pixels)

            def work(part: tuple[slice, slice], planes: Floats) -> None:
                rows, columns = part
                here = slice(rows.start - top, rows.stop - top), columns
                self._renderer.render(gray[here], planes, out[here], buffers)

            return work

        spread(
            self._planes,
            self._shape,
            cover=self._cover,
            begin=begin,
            threads=self._threads,
            rows=(top, top + len(gray)),
        )
        return out
