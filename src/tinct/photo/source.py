"""A picture between its file and its lightness: layout, depth, profile, pixels in strips."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinct.errors import PictureError
from tinct.photo.lightness import CHANNELS, Coding, Layout
from tinct.photo.metadata import Metadata

STRIP = 1 << 19  # pixels read at a time


@dataclass(frozen=True)
class Opened:
    """A picture whose header is read and whose pixels are waiting.

    Attributes:
        layout: what the channels before alpha are.
        alpha: whether one channel of alpha follows.
        dtype: uint8 or uint16: the depth the picture is handled in.
        width: as stored, before any turn.
        height: likewise.
        orientation: 1..8, as in EXIF.
        profile: the embedded ICC profile, or None.
        metadata: everything else.
        strips: gives the pixels from top to bottom as (first row, (h, W, channels)), of ``dtype``;
            colors in Lab are float32.
        coding: how the file codes its colors, where it has no profile and it is not as in sRGB.
        premultiplied: whether the colors were multiplied with alpha.
    """

    layout: Layout
    alpha: bool
    dtype: np.dtype[Any]
    width: int
    height: int
    orientation: int
    profile: bytes | None
    metadata: Metadata
    strips: Callable[[], Iterator[tuple[int, NDArray[Any]]]]
    coding: Coding | None = None
    premultiplied: bool = False


def of_array(
    pixels: NDArray[Any], *, metadata: Metadata, profile: bytes | None, layout: Layout
) -> Opened:
    """Wrap pixels in memory.

    Args:
        pixels: (H, W, channels) or with alpha one more, uint8 or uint16; Lab in float32, handled
            in 8 bits.
        metadata: what to keep beside.
        profile: an ICC profile, or None.
        layout: what the channels are.
    """
    height, width = pixels.shape[:2]
    dtype = np.dtype(np.uint8) if pixels.dtype.kind == "f" else pixels.dtype

    def strips() -> Iterator[tuple[int, NDArray[Any]]]:
        step = max(16, STRIP // width)
        for row in range(0, height, step):
            yield row, pixels[row : row + step]

    bits = metadata.bits if metadata.format else dtype.itemsize * 8
    metadata = replace(metadata, bits=bits)
    return Opened(
        layout,
        pixels.shape[2] > CHANNELS[layout],
        dtype,
        width,
        height,
        1,
        profile,
        metadata,
        strips,
    )


def check_size(width: int, height: int, *, name: str, max_pixels: int) -> None:
    """Refuse pictures that are too large.

    Raises:
        PictureError: there are more than ``max_pixels`` pixels.
    """
    if width * height > max_pixels:
        raise PictureError(
            f"{name} has {width} x {height} pixels, more than the {max_pixels} allowed; "
            "make it smaller, or raise max_pixels of tinct.photo.open_photo in Python."
        )


def damaged(name: str, kind: str, why: str) -> str:
    """Word the message about a file that cannot be decoded."""
    article = "an" if kind == "avif" else "a"
    why = " ".join(why.split()).rstrip(".!")[:160]
    return (
        f"{name} is {article} {kind.upper()} that is damaged, cut short or of an unusual kind "
        f"({why}); get a fresh copy or save it anew."
    )


def unread(name: str, what: str, *, extra: bool) -> str:
    """Word the message about a sound TIFF of a kind that is not read.

    Args:
        name: of the file.
        what: about it is not read.
        extra: whether the optional part ``formats`` reads it.
    """
    first = "install the part that reads it: pip install 'tinct[formats]', or " if extra else ""
    return (
        f"{name} is a TIFF of a kind that is not read here ({what}); {first}convert it, for "
        "example with ImageMagick: magick FILE -compress lzw NEW.tif"
    )


def scaled(strip: NDArray[Any], low: float, high: float) -> NDArray[np.uint16]:
    """Stretch values of any kind from ``low``..``high`` to 16 bits; NaN becomes black."""
    with np.errstate(invalid="ignore", over="ignore"):  # damaged files hold signaling NaN, too
        value = (strip.astype(np.float64) - low) / (high - low)
    value = np.nan_to_num(value, nan=0.0, posinf=1.0, neginf=0.0)
    return np.rint(np.clip(value, 0, 1) * 65535).astype(np.uint16)
