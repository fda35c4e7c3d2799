"""Turn proposed a*, b* into Cb and Cr for a picture whose luma Y' stays as it is.

A gray file's codes are taken for Y' of Rec. 601, which is not lightness: two colors of one Y' may
differ in L*. Here the color is the one that has the picture's Y' and the proposed hue, and as much
of the proposed chroma as keeps the seen lightness within a few units and every channel in range.

References:
    [1] Recommendation ITU-R BT.601-7, 2011; ITU-T T.871 (JFIF): full range, half-size chroma.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinct import color
from tinct.resample import STRIP, Floats, Work, bicubic, for_each, resample_rows, spread

RED, GREEN, BLUE = 0.299, 0.587, 0.114
MOST_SHIFT = 3.0
"""Seen lightness may differ from the gray's by this, L*; beyond that chroma gives way."""
ROUNDS = 3  # of the search for the lightness that has a given luma

Bytes = NDArray[np.uint8]


def chroma_of(codes: Floats, ab: Floats) -> Floats:
    """Return Cb and Cr of colors by their luma.

    Args:
        codes: float32 (h, w), Y' 0..1.
        ab: float32 (2, h, w), a*, b* in Lab units.

    Returns:
        float32 (2, h, w), Cb and Cr, 0 neutral, in units of Y': not yet inside the gamut.
    """
    wanted = color.gray_to_lightness(codes).astype(np.float32)
    found, shift = _at_luma(codes, wanted, ab)
    # The shift grows about with the square of chroma.
    share = np.sqrt(np.minimum(1, MOST_SHIFT / np.maximum(np.abs(shift), 1e-6)))
    if share.min() < 1:
        found, _ = _at_luma(codes, wanted, (ab * share).astype(np.float32))
    return found


def _at_luma(codes: Floats, wanted: Floats, ab: Floats) -> tuple[Floats, Floats]:
    """Return Cb and Cr of the colors a*, b* that have a luma, and how far their L* is off."""
    lightness = wanted.copy()
    slope = color.gray_to_lightness(np.clip(codes + 0.01, 0, 1)).astype(np.float32) - wanted
    slope = np.maximum(slope / np.float32(0.01), 60)
    for _ in range(ROUNDS):
        rgb = color.lab_to_rgb(np.stack([lightness, *ab], axis=-1))
        luma = RED * rgb[..., 0] + GREEN * rgb[..., 1] + BLUE * rgb[..., 2]
        lightness += ((codes - luma) * slope).astype(np.float32)
        lightness = np.clip(lightness, 0, 100)
    rgb = color.lab_to_rgb(np.stack([lightness, *ab], axis=-1))
    luma = RED * rgb[..., 0] + GREEN * rgb[..., 1] + BLUE * rgb[..., 2]
    cb, cr = (rgb[..., 2] - luma) / (2 - 2 * BLUE), (rgb[..., 0] - luma) / (2 - 2 * RED)
    return np.stack([cb, cr]).astype(np.float32), lightness - wanted


def chroma_planes(
    extremes: tuple[Bytes, Bytes],
    seen: Bytes,
    ab: Floats,
    *,
    strength: float = 1.0,
    cover: tuple[float, float] = (1.0, 1.0),
    threads: int | None = None,
) -> tuple[Bytes, Bytes]:
    """Return Cb and Cr at half size, of which no pixel's channel leaves 0..255.

    Args:
        extremes: the smallest and the largest luma of each square of 2 x 2 pixels, uint8
            (ceil(H / 2), ceil(W / 2)).
        seen: the picture's luma at any size, uint8.
        ab: float32 (2, h, w), a* and b* in Lab units.
        strength: factor on a* and b*; 0 is gray.
        cover: the shares of ``ab``'s height and width that show the picture.
        threads: None means one for each core.

    Returns:
        Two planes of the size of ``extremes``, uint8, 128 neutral.
    """
    low, high = extremes
    rows, columns = (
        max(1, min(side, round(side * share)))
        for side, share in zip(ab.shape[1:], cover, strict=True)
    )
    small = resample_rows(seen, bicubic(rows, seen.shape[0]), threads=threads)
    small = resample_rows(small.T, bicubic(columns, seen.shape[1]), threads=threads).T
    codes = np.clip(small / np.float32(255), 0, 1).astype(np.float32)
    codes = np.pad(codes, ((0, ab.shape[1] - rows), (0, ab.shape[2] - columns)), mode="symmetric")
    planes = chroma_of(codes, ab * np.float32(strength)) * np.float32(255)
    out = np.empty((2, *low.shape), np.uint8)

    def begin(pixels: int) -> Work:
        held = np.empty((5, pixels), np.float32)
        return lambda part, found: _write(
            found, low[part], high[part], out[(slice(None), *part)], held
        )

    spread(planes, low.shape, cover=cover, begin=begin, threads=threads)
    return out[0], out[1]


def _write(planes: Floats, low: Bytes, high: Bytes, out: Bytes, held: Floats) -> None:
    """Lower chroma until every channel of every pixel is in range, and round.

    Args:
        planes: float32 (2, h, w), Cb and Cr around 0, which are overwritten.
        low: uint8 (h, w), the smallest luma.
        high: the largest.
        out: uint8 (2, h, w), which is written.
        held: float32 (5, h * w or more), room to work in: fresh memory would cost more than the
            work.
    """
    cb, cr = planes
    up, down, one, other, more = (part[: low.size].reshape(low.shape) for part in held)
    # What the color adds to red, to blue, and to green.
    np.multiply(cr, np.float32(2 - 2 * RED), out=one)
    np.multiply(cb, np.float32(2 - 2 * BLUE), out=other)
    np.maximum(one, other, out=up)
    np.minimum(one, other, out=down)
    one *= np.float32(-RED / GREEN)
    other *= np.float32(-BLUE / GREEN)
    one += other
    np.maximum(up, one, out=up)
    np.minimum(down, one, out=down)
    # The share of it for which there is room above the largest luma, and below the smallest.
    np.maximum(up, np.float32(1e-3), out=up)
    np.minimum(down, np.float32(-1e-3), out=down)
    more[...] = high
    np.subtract(np.float32(255), more, out=one)
    one /= up
    more[...] = low
    np.negative(more, out=other)
    other /= down
    share = np.minimum(one, other, out=one)
    np.minimum(share, np.float32(1), out=share)
    planes *= share
    planes += np.float32(128.5)
    np.clip(planes, 0, 255, out=planes)
    np.copyto(out, planes, casting="unsafe")


def compose_luma(
    gray: NDArray[Any],
    ab: Floats,
    *,
    strength: float = 1.0,
    cover: tuple[float, float] = (1.0, 1.0),
    threads: int | None = None,
) -> NDArray[Any]:
    """Join a picture's untouched luma with small color planes.

    Args:
        gray: uint8 or uint16 (H, W): Y'.
        ab: float32 (2, h, w), a* and b* in Lab units.
        strength: factor on a* and b*; 0 is gray.
        cover: the shares of ``ab``'s height and width that show the picture.
        threads: None means one for each core.

    Returns:
        R'G'B' (H, W, 3), the dtype of ``gray``, whose luma [1], rounded, is ``gray`` exactly.
    """
    coarse = gray if gray.dtype == np.uint8 else (gray >> 8).astype(np.uint8)
    planes = chroma_planes(
        (coarse, coarse), coarse, ab, strength=strength, cover=cover, threads=threads
    )
    out = np.empty((*gray.shape, 3), gray.dtype)
    scale = np.float32(1 if gray.dtype == np.uint8 else 257)
    step = max(1, STRIP // gray.shape[1])

    def work(top: int) -> None:
        part = slice(top, top + step)
        cb, cr = (scale * (plane[part].astype(np.float32) - np.float32(128)) for plane in planes)
        out[part] = with_luma(gray[part], cb, cr)

    for_each(work, range(0, gray.shape[0], step), threads=threads)
    return out


def with_luma(gray: NDArray[Any], cb: Floats, cr: Floats) -> NDArray[Any]:
    """Return the colors nearest to given color differences that have a luma exactly.

    Red and blue are rounded; green, which weighs 0.587, is then chosen so that the luma is at most
    0.3 codes off, which rounding takes away. Where no green does, the color is neutral.

    Args:
        gray: uint8 or uint16, any shape: Y'.
        cb: Cb in codes of that type, around 0, the same shape.
        cr: Cr, likewise.

    Returns:
        R'G'B', one axis more, the dtype of ``gray``; 0.299 R' + 0.587 G' + 0.114 B', rounded, is
        ``gray``.
    """
    most = np.iinfo(gray.dtype).max
    luma = gray.astype(np.float64)
    r = np.clip(np.rint(luma + (2 - 2 * RED) * cr), 0, most)
    b = np.clip(np.rint(luma + (2 - 2 * BLUE) * cb), 0, most)
    g = np.clip(np.rint((luma - RED * r - BLUE * b) / GREEN), 0, most)
    rgb: NDArray[Any] = np.stack([r, g, b], axis=-1)
    wrong = np.abs(rgb @ np.array((RED, GREEN, BLUE)) - luma) > 0.49
    rgb[wrong] = luma[wrong][:, None]
    return rgb.astype(gray.dtype)
