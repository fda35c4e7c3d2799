"""Turn stored codes of any kind into neutral sRGB codes of the same lightness.

Gray without a profile is left alone: its codes are the result. Everything else is read as
luminance, through its profile if it has one, and coded again with the curve of sRGB in the depth
of the picture.

References:
    [1] IEC 61966-2-1:1999, sRGB.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

from tinct.color import RGB_TO_XYZ, linear_to_srgb, srgb_to_linear
from tinct.photo import icc

Layout = Literal["gray", "rgb", "cmyk", "lab"]
CHANNELS: dict[str, int] = {"gray": 1, "rgb": 3, "cmyk": 4, "lab": 3}

# A pixel counts as colored when its channels differ by more than the noise of a JPEG or of a color
# scanner looking at a gray sheet; a picture counts as colored when more than one pixel in a
# thousand does.
SPREAD = 10 / 255
CHROMA = 8.0
SHARE = 0.001

Reader = Callable[[NDArray[Any]], tuple[NDArray[Any], int]]


@cache
def _codes_8() -> NDArray[np.uint8]:
    """Return the 8-bit sRGB code for each of 65536 luminances."""
    codes: NDArray[np.float64] = linear_to_srgb(np.linspace(0, 1, 65536)) * 255
    return np.rint(codes).astype(np.uint8)


def encode(light: NDArray[Any], dtype: DTypeLike) -> NDArray[Any]:
    """Code luminance with the curve of sRGB [1].

    Args:
        light: luminance 0..1, any shape.
        dtype: uint8 or uint16.

    Returns:
        Codes of that type, the same shape.
    """
    if np.dtype(dtype) == np.uint8:
        return np.take(_codes_8(), (light * 65535 + 0.5).astype(np.uint16))
    codes: NDArray[Any] = linear_to_srgb(light) * 65535 + 0.5
    return codes.astype(np.uint16)


class Coding(NamedTuple):
    """How a file without a profile codes its colors, where that is not as in sRGB.

    Attributes:
        gamma: the exponent that the codes were made with; None: the curve of sRGB.
        weights: what linear R, G and B of 1 add to the luminance; None: those of sRGB.
    """

    gamma: float | None = None
    weights: tuple[float, float, float] | None = None


def _plain_tables(codes: int, coding: Coding) -> tuple[NDArray[np.float32], ...]:
    """Return what R, G and B add to the luminance."""
    ramp = np.linspace(0, 1, codes)
    linear = srgb_to_linear(ramp) if coding.gamma is None else ramp ** (1 / coding.gamma)
    weights = RGB_TO_XYZ[1] if coding.weights is None else coding.weights
    return tuple((weight * linear).astype(np.float32) for weight in weights)


def reader(
    layout: Layout, dtype: DTypeLike, profile: bytes | None, *, coding: Coding | None = None
) -> Reader:
    """Make the function that reads strips of one picture.

    Args:
        layout: what the channels are.
        dtype: uint8 or uint16, the type of the strips and of the result; strips in Lab are float32
            instead.
        profile: the embedded ICC profile, or None.
        coding: how the colors are coded where there is no profile; None: as in sRGB.

    Returns:
        A function from a strip (h, w, channels) to its neutral sRGB codes (h, w) and the number of
        colored pixels.

    Raises:
        ProfileError: the profile does not fit the picture; read it again without.
    """
    dtype = np.dtype(dtype)
    if layout == "lab":
        return _lab_reader(dtype)
    if profile is not None and (icc.space(profile), layout) not in {
        ("gray", "gray"), ("rgb", "gray"), ("rgb", "rgb"), ("cmyk", "cmyk"),
    }:  # fmt: skip
        raise icc.ProfileError(f"it is made for {icc.space(profile)} pictures, not for {layout}")
    if layout == "cmyk":
        return _table_reader(dtype, profile, CHANNELS[layout])
    codes = int(np.iinfo(dtype).max) + 1
    if profile is None:
        return _plain_reader(layout, dtype, coding or Coding())
    tables = icc.luminance_tables(profile, codes=codes)
    ramp = np.arange(codes).astype(dtype)
    if tables is not None:
        neutral = encode(np.clip(sum(table.astype(np.float64) for table in tables), 0, 1), dtype)
    else:
        strip = np.repeat(ramp[None, :, None], CHANNELS[icc.space(profile)], axis=2)
        neutral = encode(icc.luminance_through(strip, profile=profile)[0][0], dtype)
    if layout == "gray":
        return _gray_reader(neutral)
    if tables is not None:
        return _rgb_reader(dtype, tables, neutral)
    return _table_reader(dtype, profile, CHANNELS[layout])


def _plain_reader(layout: Layout, dtype: np.dtype[Any], coding: Coding) -> Reader:
    """Make the reader of gray or RGB without a profile."""
    codes = int(np.iinfo(dtype).max) + 1
    neutral = None
    if coding.gamma is not None:
        neutral = encode(np.linspace(0, 1, codes) ** (1 / coding.gamma), dtype)
    if layout == "gray":
        return _gray_reader(neutral)
    return _rgb_reader(dtype, _plain_tables(codes, coding), neutral)


def _gray_reader(neutral: NDArray[Any] | None) -> Reader:
    def read(strip: NDArray[Any]) -> tuple[NDArray[Any], int]:
        gray = strip[..., 0]
        return (gray if neutral is None else np.take(neutral, gray)), 0

    return read


def _rgb_reader(
    dtype: np.dtype[Any], tables: tuple[NDArray[np.float32], ...], neutral: NDArray[Any] | None
) -> Reader:
    limit = int(SPREAD * np.iinfo(dtype).max)

    def read(strip: NDArray[Any]) -> tuple[NDArray[Any], int]:
        red, green, blue = strip[..., 0], strip[..., 1], strip[..., 2]
        if np.array_equal(red, green) and np.array_equal(green, blue):
            return (red if neutral is None else np.take(neutral, red)), 0
        high = np.maximum(np.maximum(red, green), blue)
        low = np.minimum(np.minimum(red, green), blue)
        colored = int(np.count_nonzero(high - low > limit))
        light = np.take(tables[0], red)
        light += np.take(tables[1], green)
        light += np.take(tables[2], blue)
        return encode(np.clip(light, 0, 1, out=light), dtype), colored

    return read


def _table_reader(dtype: np.dtype[Any], profile: bytes | None, channels: int) -> Reader:
    icc.luminance_through(
        np.zeros((1, 1, channels), dtype), profile=profile
    )  # raises if it does not work

    def read(strip: NDArray[Any]) -> tuple[NDArray[Any], int]:
        light, chroma = icc.luminance_through(strip, profile=profile)
        return encode(light, dtype), int(np.count_nonzero(chroma > CHROMA))

    return read


def _lab_reader(dtype: np.dtype[Any]) -> Reader:
    def read(strip: NDArray[Any]) -> tuple[NDArray[Any], int]:
        light = icc.lightness_to_luminance(np.clip(strip[..., 0], 0, 100))
        chroma = np.hypot(strip[..., 1], strip[..., 2])
        return encode(light, dtype), int(np.count_nonzero(chroma > CHROMA))

    return read
