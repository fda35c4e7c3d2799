"""Open rare kinds of TIFF, JPEG of 12 bits and JPEG XL, through tifffile and imagecodecs.

They are the optional part ``formats`` of tinct. Pixels come in memory, all at once.

References:
    [1] ISO/IEC 18181-2:2024, JPEG XL file format: boxes.
    [2] Recommendation ITU-R BT.601-7, 2011: Y'CbCr.
    [3] ISO/IEC 18181-1:2024, JPEG XL core coding system: SizeHeader.
"""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinct.errors import PictureError
from tinct.photo.lightness import CHANNELS, Layout
from tinct.photo.metadata import Metadata, PictureWarning
from tinct.photo.source import Opened, check_size, damaged, of_array, scaled

JXL_BOXES = b"\0\0\0\x0cJXL \r\n\x87\n"
"""How JPEG XL in boxes begins; without boxes it begins with FF 0A [1]."""

COEFFICIENTS = 529  # TIFF's tag YCbCrCoefficients
REMEDY = "pip install 'tinct[formats]'"

_LAYOUTS: dict[int, Layout] = {0: "gray", 1: "gray", 2: "rgb", 3: "rgb", 5: "cmyk", 6: "rgb"}
"""By TIFF's photometric interpretation."""


def works() -> bool:
    """Tell whether tifffile and imagecodecs are installed."""
    return find_spec("tifffile") is not None and find_spec("imagecodecs") is not None


def open_tiff(
    content: Path | bytes, *, name: str, page: int, sub: int | None, max_pixels: int
) -> Opened | None:
    """Open a page of a TIFF, pixels and all.

    Args:
        content: a file or its bytes.
        name: what to call it in messages.
        page: from 0.
        sub: the directory below the page that holds the picture, or None.
        max_pixels: refuse larger pictures.

    Returns:
        None where the colors are of a kind that is not read.

    Raises:
        PictureError: it is damaged or too large.
    """
    import tifffile  # noqa: PLC0415

    # What is wrong with a file is told once, in the error; who wants tifffile's remarks logs them.
    logging.getLogger("tifffile").addHandler(logging.NullHandler())
    try:
        with tifffile.TiffFile(content if isinstance(content, Path) else io.BytesIO(content)) as f:
            held: Any = f.pages[page]
            if sub is not None:
                held = held.pages[sub]
            layout = _LAYOUTS.get(int(held.photometric))
            if layout is None:
                return None
            check_size(
                int(held.imagewidth), int(held.imagelength), name=name, max_pixels=max_pixels
            )
            pixels = _pixels_of(held)
            profile = held.tags.get(34675)
            extra = tuple(int(kind) for kind in held.extrasamples)
            pages, bits = len(f.pages), int(held.bitspersample)
    except Exception as error:  # decoders of twenty kinds raise what they like
        if isinstance(error, (MemoryError, PictureError)):
            raise
        raise PictureError(damaged(name, "tiff", str(error))) from error
    if pixels.shape[2] < CHANNELS[layout]:
        raise PictureError(damaged(name, "tiff", f"{pixels.shape[2]} channels are too few"))
    channels = CHANNELS[layout] + bool(extra and extra[0] in (1, 2))
    metadata = Metadata(format="tiff", bits=bits, page=page, pages=pages, had_icc=bool(profile))
    return of_array(
        pixels[..., :channels],
        metadata=metadata,
        profile=bytes(profile.value) if profile is not None else None,
        layout=layout,
    )


def _pixels_of(page: Any) -> NDArray[Any]:
    """Return a page of tifffile as (H, W, channels) of uint8 or uint16, 0 black."""
    pixels = np.asarray(page.asarray())
    photometric = int(page.photometric)
    if pixels.ndim == 2:
        pixels = pixels[..., None]
    if int(page.planarconfig) == 2 and pixels.shape[0] == int(page.samplesperpixel):
        pixels = np.moveaxis(pixels, 0, -1)
    if pixels.ndim != 3:
        raise ValueError(f"its pixels have the shape {pixels.shape}")
    if photometric == 3:
        pixels = (np.asarray(page.colormap) >> 8).astype(np.uint8).T[pixels[..., 0]]
    bits = int(page.bitspersample)
    if pixels.dtype == np.bool_ or bits == 1:
        pixels = pixels.astype(np.uint8) * 255
    elif photometric != 3 and pixels.dtype.kind == "u" and bits in range(17, 33):
        pixels = (pixels >> (bits - 16)).astype(np.uint16)
    elif photometric != 3 and pixels.dtype.kind == "u" and bits < pixels.dtype.itemsize * 8:
        pixels = spread(pixels, bits)
    elif pixels.dtype.kind != "u" or pixels.dtype.itemsize > 2:
        pixels = scaled(pixels, float(np.nanmin(pixels)), float(np.nanmax(pixels)))
    if photometric == 0:
        pixels = np.iinfo(pixels.dtype).max - pixels
    if photometric == 6 and int(page.compression) not in (6, 7):
        tag = page.tags.get(COEFFICIENTS)
        pixels = rgb_of_ycbcr(pixels, *_weights(None if tag is None else tag.value))
    return np.ascontiguousarray(pixels)


def spread(codes: NDArray[Any], bits: int) -> NDArray[Any]:
    """Spread codes of ``bits`` bits over all of uint8 or uint16, rounded."""
    top = np.iinfo(codes.dtype).max
    spread_out = (codes.astype(np.uint32) * top + (1 << bits) // 2) // ((1 << bits) - 1)
    return np.asarray(spread_out.astype(codes.dtype))


def _weights(rationals: Sequence[int] | None) -> tuple[float, float]:
    """Return the weights of red and blue in luma: of YCbCrCoefficients, where sound."""
    if rationals is not None and len(rationals) == 6 and all(rationals[1::2]):
        red, green, blue = (rationals[n] / rationals[n + 1] for n in (0, 2, 4))
        if min(red, green, blue) > 0 and abs(red + green + blue - 1) < 0.01:
            return red, blue
    return 0.299, 0.114


def rgb_of_ycbcr(codes: NDArray[Any], red: float = 0.299, blue: float = 0.114) -> NDArray[Any]:
    """Convert full-range Y'CbCr codes to R'G'B' [2].

    Args:
        codes: (H, W, 3), uint8 or uint16.
        red: weight of red in luma.
        blue: weight of blue.
    """
    top = np.iinfo(codes.dtype).max
    luma = codes[..., 0].astype(np.float32)
    cb, cr = (codes[..., place].astype(np.float32) - (top + 1) / 2 for place in (1, 2))
    r, b = luma + 2 * (1 - red) * cr, luma + 2 * (1 - blue) * cb
    g = (luma - red * r - blue * b) / (1 - red - blue)
    return np.asarray(np.rint(np.stack([r, g, b], axis=-1).clip(0, top)).astype(codes.dtype))


def open_jpeg12(content: Path | bytes, *, name: str) -> Opened:
    """Open a JPEG of 12 bits, pixels and all; they become 16 bits.

    Raises:
        PictureError: it is damaged.
    """
    import imagecodecs  # noqa: PLC0415

    data = content if isinstance(content, bytes) else content.read_bytes()
    try:
        pixels = np.asarray(imagecodecs.jpeg8_decode(data))
    except Exception as error:  # whatever the decoder raises
        raise PictureError(damaged(name, "jpeg", str(error))) from error
    if pixels.ndim == 2:
        pixels = pixels[..., None]
    return of_array(
        spread(pixels, 12),
        metadata=Metadata(format="jpeg", bits=12),
        profile=None,
        layout="gray" if pixels.shape[2] == 1 else "rgb",
    )


def open_jxl(content: Path | bytes, *, name: str, max_pixels: int) -> Opened:
    """Open a JPEG XL, pixels and all; of an animation the first frame.

    Raises:
        PictureError: it is damaged or too large.
    """
    import imagecodecs  # noqa: PLC0415

    data = content if isinstance(content, bytes) else content.read_bytes()
    try:
        check_size(*jxl_size(data), name=name, max_pixels=max_pixels)
        pixels = np.asarray(imagecodecs.jpegxl_decode(data))
    except PictureError:
        raise
    except Exception as error:  # whatever the decoder raises
        raise PictureError(damaged(name, "jxl", str(error))) from error
    if pixels.ndim == 4:
        warnings.warn(
            f"{name} has {len(pixels)} frames: only the first is used.",
            PictureWarning,
            stacklevel=4,
        )
        pixels = pixels[0]
    if pixels.ndim == 2:
        pixels = pixels[..., None]
    if pixels.dtype.kind == "f":
        pixels = scaled(pixels, 0, 1)
    boxes = dict(jxl_boxes(data))
    block = boxes.get(b"Exif", b"")[4:]  # after the offset of its header
    metadata = Metadata(
        format="jxl",
        exif=block.removeprefix(b"Exif\0\0") or None,
        xmp=boxes.get(b"xml ") or None,
        bits=pixels.dtype.itemsize * 8,
    )
    return of_array(
        pixels, metadata=metadata, profile=None, layout="gray" if pixels.shape[2] < 3 else "rgb"
    )


def jxl_size(data: bytes) -> tuple[int, int]:
    """Return width and height of a JPEG XL as the head of its codestream tells them [3].

    Raises:
        ValueError: it has none.
    """
    if data.startswith(JXL_BOXES):
        parts = [c[4 * (n == b"jxlp") :] for n, c in jxl_boxes(data) if n in (b"jxlc", b"jxlp")]
        data = parts[0] if parts else b""
    if not data.startswith(b"\xff\x0a") or len(data) < 12:
        raise ValueError("no codestream")
    bits = int.from_bytes(data[2:12].ljust(10, b"\0"), "little")

    def take(count: int) -> int:
        nonlocal bits
        value = bits & ((1 << count) - 1)
        bits >>= count
        return value

    def side() -> int:
        return 8 * (take(5) + 1) if small else take((9, 13, 18, 30)[take(2)]) + 1

    small = take(1)
    height = side()
    ratio = take(3)
    if ratio == 0:
        return side(), height
    across, down = ((1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))[ratio - 1]
    return height * across // down, height


def jxl_boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Give name and content of the boxes of a JPEG XL [1]; nothing where it has none."""
    place = 0
    while data.startswith(JXL_BOXES) and place + 8 <= len(data):
        size, start = int.from_bytes(data[place : place + 4], "big"), 8
        if size == 1:
            size, start = int.from_bytes(data[place + 8 : place + 16], "big"), 16
        end = len(data) if size == 0 else place + size
        if end < place + start or end > len(data):
            return
        yield data[place + 4 : place + 8], data[place + start : end]
        place = end


def encode_jxl(
    rgb: NDArray[Any], alpha: NDArray[Any] | None, *, exif_block: bytes, xmp: bytes | None
) -> bytes:
    """Encode a picture as JPEG XL in boxes: visually lossless, or without loss if it has 16 bits.

    Args:
        rgb: (H, W, 3), uint8 or uint16, sRGB.
        alpha: (H, W) of the same type, or None.
        exif_block: from the byte order on.
        xmp: or None.

    Raises:
        ValueError: the encoder failed.
    """
    import imagecodecs  # noqa: PLC0415

    pixels = np.ascontiguousarray(rgb if alpha is None else np.dstack([rgb, alpha]))
    try:
        coded = bytes(
            imagecodecs.jpegxl_encode(pixels, lossless=True, effort=3)
            if rgb.dtype == np.uint16
            else imagecodecs.jpegxl_encode(pixels, distance=1.0, effort=4)
        )
    except RuntimeError as error:
        raise ValueError(str(error)) from error
    # In order: the signature, the file type, perhaps the level that 16 bits ask for, metadata,
    # and the picture.
    held = list(jxl_boxes(coded)) if coded.startswith(JXL_BOXES) else [(b"jxlc", coded)]
    level = [(name, content) for name, content in held if name == b"jxll"]
    picture = [(name, content) for name, content in held if name in (b"jxlc", b"jxlp")]
    told = [(b"Exif", b"\0\0\0\0" + exif_block)] + ([(b"xml ", xmp)] if xmp else [])
    boxes = [(b"ftyp", b"jxl \0\0\0\0jxl "), *level, *told, *picture]
    return JXL_BOXES + b"".join(
        (len(content) + 8).to_bytes(4, "big") + name + content for name, content in boxes
    )
