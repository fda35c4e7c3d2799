"""Color pictures that hints are made of: layers, patches, rough maps.

They only tell colors: 8-bit sRGB with alpha, upright, is enough. What people want colored goes
through :mod:`tinct.photo`.
"""

from __future__ import annotations

import base64
import binascii
import io
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinct import color
from tinct.errors import PictureError
from tinct.photo import open_color

MAX_PIXELS = 100_000_000
"""Larger hint pictures are refused."""

DATA = "data:image/png;base64,"
"""How a picture inside JSON begins."""

STRIP_PIXELS = 1 << 18
GRAYEST = 4  # largest difference of the codes of a gray pixel
SOLID = 128  # alpha of a pixel that is at least half opaque


@dataclass(frozen=True)
class Pixels:
    """A color picture with alpha.

    Attributes:
        height: rows.
        width: columns.
        data: sRGB codes and alpha of 8 bits, RGBA, row by row.
    """

    height: int
    width: int
    data: bytes = field(repr=False)

    @property
    def rgba(self) -> NDArray[np.uint8]:
        """The codes, (H, W, 4), read only."""
        return np.frombuffer(self.data, np.uint8).reshape(self.height, self.width, 4)

    @cached_property
    def painted(self) -> tuple[int, int, int, int]:
        """Left, top, right, bottom of what is not clear; four zeros where everything is."""
        clear = self.rgba[..., 3] == 0
        rows, columns = np.flatnonzero(~clear.all(1)), np.flatnonzero(~clear.all(0))
        if rows.size == 0:
            return 0, 0, 0, 0
        return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1

    @property
    def opaque(self) -> bool:
        """Whether nothing is transparent."""
        return bool((self.rgba[..., 3] == 255).all())

    @property
    def gray(self) -> bool:
        """Whether no pixel has a color."""
        rgb = self.rgba[..., :3].astype(np.int16)
        return int(np.ptp(rgb, axis=2).max()) <= GRAYEST

    def part(self, left: int, top: int, right: int, bottom: int) -> Pixels:
        """Return the pixels inside a box."""
        return of_array(self.rgba[top:bottom, left:right])

    def within(self, longest: int) -> Pixels:
        """Return the picture with sides of at most ``longest`` pixels, antialiased."""
        scale = longest / max(self.height, self.width)
        if scale >= 1:
            return self
        from PIL import Image  # noqa: PLC0415

        size = max(1, round(self.width * scale)), max(1, round(self.height * scale))
        small = Image.fromarray(self.rgba).resize(size, Image.Resampling.BOX)
        return of_array(np.asarray(small))

    def strips(self, block: int = 1) -> Iterator[NDArray[np.float32]]:
        """Yield the picture in strips from top to bottom.

        Args:
            block: so many pixels along each axis become one, the mean of their sRGB codes; clear
                pixels fill up the last row and column.

        Yields:
            float32 (5, rows, W / block): premultiplied L*, a*, b*, alpha 0..1, and 1 where any
            pixel is at least half opaque.
        """
        step = max(1, STRIP_PIXELS // (self.width * block)) * block
        for top in range(0, self.height, step):
            codes = self.rgba[top : top + step]
            rows, columns = (-(-side // block) for side in codes.shape[:2])
            strip = np.zeros((5, rows, columns), np.float32)
            if codes[..., 3].any():
                rgb, alpha, strip[4] = _blocks(codes, rows, columns, block)
                painted = alpha > 0
                strip[3] = alpha
                strip[:3, painted] = color.rgb_to_lab(rgb[painted]).T * alpha[painted]
            yield strip

    def as_text(self) -> str:
        """Return the picture as a PNG in base64, for JSON."""
        from PIL import Image  # noqa: PLC0415

        held = io.BytesIO()
        Image.fromarray(self.rgba).save(held, "PNG", optimize=True)
        return DATA + base64.b64encode(held.getvalue()).decode("ascii")


def _blocks(
    codes: NDArray[np.uint8], rows: int, columns: int, block: int
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_]]:
    """Return the mean color 0..1 (rows, columns, 3) and alpha 0..1 of blocks; which are solid."""
    if block == 1:
        scaled = codes.astype(np.float32) / np.float32(255)
        return scaled[..., :3], scaled[..., 3], codes[..., 3] >= SOLID
    padded = np.zeros((rows * block, columns * block, 4), np.uint8)
    padded[: codes.shape[0], : codes.shape[1]] = codes
    cut = padded.reshape(rows, block, columns, block, 4)
    alpha = cut[..., 3].astype(np.float32)
    weight = alpha.sum((1, 3))
    rgb = np.zeros((rows, columns, 3), np.float32)
    for channel in range(3):
        total = np.einsum("rbcd,rbcd->rc", cut[..., channel].astype(np.float32), alpha)
        np.divide(total, weight * 255, out=rgb[..., channel], where=weight > 0)
    solid: NDArray[np.bool_] = cut[..., 3].max((1, 3)) >= SOLID
    return rgb, weight / np.float32(255 * block**2), solid


def of_text(text: str, *, folder: Path | None, max_pixels: int | None = None) -> Pixels:
    """Read the picture that a text in JSON stands for.

    Args:
        text: a PNG in base64, beginning with :data:`DATA`, or a file's name in ``folder`` or below.
        folder: that of the JSON file; None where there is none.
        max_pixels: refuse larger pictures; None: :data:`MAX_PIXELS`.

    Raises:
        PictureError: it cannot be read, or the name leaves the folder.
    """
    if text.startswith("data:"):
        try:
            if not text.startswith(DATA):
                raise ValueError(text)
            content = base64.b64decode(text.removeprefix(DATA), validate=True)
        except (ValueError, binascii.Error) as error:
            raise PictureError(f"the data is no PNG in base64; it begins with {DATA}.") from error
        return of_picture(content, max_pixels=max_pixels)
    name = Path(text)
    if name.is_absolute() or ".." in name.parts or "\\" in text or ":" in text:
        raise PictureError(f"{text!r} must be a name in the folder of this file or below.")
    if folder is None:
        raise PictureError(f"{text!r} is relative to no folder; hand over the picture itself.")
    return of_picture(folder / name, max_pixels=max_pixels)


def of_picture(picture: Any, *, short: int | None = None, max_pixels: int | None = None) -> Pixels:
    """Take the colors of a picture of any kind.

    Args:
        picture: a path, the bytes of a file, a PIL image, or an array (H, W, 3 or 4) of sRGB codes,
            uint8, uint16 or floats 0..1. Orientation and ICC profile are applied.
        short: the short side may be made this long while a file is read, which costs less memory.
        max_pixels: refuse larger files; None: :data:`MAX_PIXELS`.

    Raises:
        PictureError: it cannot be read, is too large, or is no such thing.
    """
    if isinstance(picture, Pixels):
        return picture
    if isinstance(picture, np.ndarray):
        return of_array(picture)
    if isinstance(picture, (str, os.PathLike)):
        return _of_file(Path(picture), short, max_pixels)
    if isinstance(picture, (bytes, bytearray, memoryview)):
        return _of_file(bytes(picture), short, max_pixels)
    if hasattr(picture, "getbands") and hasattr(picture, "load"):
        return _of_pillow(picture)
    raise PictureError(
        f"a {type(picture).__name__} is no picture; hand over a path, a PIL image or an array."
    )


def of_array(array: NDArray[Any]) -> Pixels:
    """Take the colors of an array; see :func:`of_picture`."""
    if array.ndim != 3 or array.shape[2] not in (3, 4) or array.size == 0:
        raise PictureError(
            f"an array of shape {array.shape} is no color picture; give (H, W, 3) or (H, W, 4)."
        )
    if array.dtype.kind == "f":
        if not (array.min() >= 0 and array.max() <= 1):  # also true for NaN
            raise PictureError("floats must lie in 0..1; divide by the largest value first.")
        codes = np.rint(array * 255.0).astype(np.uint8)
    elif array.dtype == np.uint16:
        codes = np.rint(array / np.float32(257)).astype(np.uint8)
    elif array.dtype == np.uint8:
        codes = array
    else:
        raise PictureError(f"an array of {array.dtype} is no picture; use uint8 or floats 0..1.")
    height, width = codes.shape[:2]
    if codes.shape[2] == 3:
        codes = np.concatenate([codes, np.full((height, width, 1), 255, np.uint8)], axis=2)
    return Pixels(height, width, codes.tobytes())


def _of_file(source: Path | bytes, short: int | None, max_pixels: int | None) -> Pixels:
    max_pixels = MAX_PIXELS if max_pixels is None else max_pixels
    try:
        return of_array(open_color(source, alpha=True, short=short, max_pixels=max_pixels))
    except PictureError as error:
        raise PictureError(f"{error}.") from error


def _of_pillow(image: Any) -> Pixels:
    from PIL import ImageOps  # noqa: PLC0415

    held = io.BytesIO()
    try:
        image = ImageOps.exif_transpose(image)
        profile = image.info.get("icc_profile") if image.mode == "RGB" else None
        image.convert("RGBA").save(held, "PNG", icc_profile=profile, compress_level=1)
    except (OSError, ValueError, SyntaxError) as error:
        raise PictureError(f"Pillow cannot decode the image ({error}).") from error
    return of_picture(held.getvalue())
