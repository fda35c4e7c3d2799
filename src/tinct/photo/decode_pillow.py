"""Open what libvips' wheel does not read.

HEIC goes through pillow-heif; BMP, JPEG 2000, PSD (flattened), TGA, ICO (the largest picture) and
TIFF in Lab through Pillow.
"""

from __future__ import annotations

import io
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from tinct.errors import PictureError
from tinct.photo import exif
from tinct.photo.lightness import Layout
from tinct.photo.metadata import Metadata, PictureWarning, plausible_dpi
from tinct.photo.source import Opened, check_size, damaged, of_array, scaled

PILLOW = {"bmp": "BMP", "jp2": "JPEG2000", "tiff": "TIFF", "psd": "PSD", "tga": "TGA", "ico": "ICO"}


def _stream_of(content: Path | bytes) -> BinaryIO:
    return content.open("rb") if isinstance(content, Path) else io.BytesIO(content)


def open_heic(content: Path | bytes, *, name: str, max_pixels: int) -> Opened:
    """Open a HEIC, pixels and all. Errors as in :func:`tinct.photo.decode.open_content`."""
    try:
        import pillow_heif  # noqa: PLC0415
    except ImportError:
        raise PictureError(
            f"{name} is a HEIC, which needs the package pillow-heif; install it, "
            "or save the picture as JPEG or TIFF."
        ) from None
    data = content if isinstance(content, bytes) else content.read_bytes()
    try:
        image = pillow_heif.open_heif(data, convert_hdr_to_8bit=False)
        check_size(image.size[0], image.size[1], name=name, max_pixels=max_pixels)
        bits = int(image.info.get("bit_depth", 8))
        pixels = np.asarray(image)
    except (ValueError, RuntimeError, EOFError, SyntaxError, OSError, IndexError) as error:
        raise PictureError(damaged(name, "heic", str(error))) from error
    if pixels.ndim == 2:
        pixels = pixels[..., None]
    block = image.info.get("exif")
    metadata = Metadata(
        format="heic", exif=block.removeprefix(b"Exif\0\0") if block else None,
        xmp=image.info.get("xmp") or None,
        had_icc=bool(image.info.get("icc_profile")), bits=bits,
    )  # fmt: skip
    profile = image.info.get("icc_profile") or None
    return of_array(
        pixels, metadata=metadata, profile=profile, layout="gray" if pixels.shape[2] < 3 else "rgb"
    )


def open_pillow(content: Path | bytes, kind: str, *, name: str, max_pixels: int) -> Opened:
    """Open with Pillow, pixels and all. Errors as in :func:`tinct.photo.decode.open_content`."""
    from PIL import Image  # noqa: PLC0415

    try:
        with warnings.catch_warnings(), _stream_of(content) as stream:
            # Only Pillow's own: other threads may have something to tell meanwhile.
            warnings.filterwarnings("ignore", module=r"PIL(\.|$)")
            with Image.open(stream, formats=[PILLOW[kind]]) as image:
                check_size(image.width, image.height, name=name, max_pixels=max_pixels)
                image.load()
                opened = of_pillow(image)
    except (
        OSError,
        ValueError,
        SyntaxError,
        EOFError,
        KeyError,
        OverflowError,
        Image.DecompressionBombError,
    ) as error:
        raise PictureError(damaged(name, kind, str(error))) from error
    return replace(opened, metadata=replace(opened.metadata, format=kind))


def of_pillow(image: Any) -> Opened:
    """Wrap a Pillow image of any mode; its pixels are copied.

    Raises:
        PictureError: Pillow cannot decode it.
    """
    tags = image.getexif()
    orientation = tags.get(exif.ORIENTATION, 1)
    profile = image.info.get("icc_profile") or None
    block = image.info.get("exif") or (tags.tobytes() if len(tags) else None)
    xmp = image.info.get("xmp")
    dpi = image.info.get("dpi")
    metadata = Metadata(
        exif=block.removeprefix(b"Exif\0\0") if isinstance(block, bytes) else None,
        xmp=xmp if isinstance(xmp, bytes) else None,
        dpi=plausible_dpi(*map(float, dpi)) if isinstance(dpi, tuple) and len(dpi) == 2 else None,
        had_icc=profile is not None,
    )
    image = _plain(image)
    layout: Layout = "rgb"
    if image.mode in ("1", "L", "LA", "I", "F") or image.mode.startswith("I;"):
        layout = "gray"
    elif image.mode in ("CMYK", "LAB"):
        layout = "cmyk" if image.mode == "CMYK" else "lab"
    pixels = _codes(np.asarray(image))
    if layout == "lab":  # L* in 255 steps, a* and b* as signed bytes
        lab = pixels.astype(np.float32)
        lab[..., 0] *= 100 / 255
        lab[..., 1:] -= 256 * (lab[..., 1:] > 127)
        pixels = lab
    if pixels.ndim == 2:
        pixels = pixels[..., None]
    opened = of_array(pixels, metadata=metadata, profile=profile, layout=layout)
    return replace(opened, orientation=orientation if orientation in range(1, 9) else 1)


def _plain(image: Any) -> Any:
    """Convert palettes, transparent colors, premultiplied alpha and video colors to plain modes."""
    mode = image.mode
    clear = "transparency" in image.info
    if mode in ("P", "PA") or (mode in ("1", "L", "RGB") and clear):
        gray = "LA" if mode in ("1", "L") else "RGBA"
        return image.convert(gray if clear or mode == "PA" else "RGB")
    plain = {"La": "LA", "RGBa": "RGBA", "RGBX": "RGB", "YCbCr": "RGB", "HSV": "RGB"}
    return image.convert(plain[mode]) if mode in plain else image


def _codes(pixels: NDArray[Any]) -> NDArray[Any]:
    """Bring the numbers of a Pillow image to uint8 or uint16."""
    if pixels.dtype == np.bool_:
        return pixels.astype(np.uint8) * 255
    if pixels.dtype.kind == "u":
        return pixels.astype(pixels.dtype.newbyteorder("="), copy=False)
    low, high = float(np.nanmin(pixels)), float(np.nanmax(pixels))
    if pixels.dtype.kind == "i" and low >= 0 and high <= 65535:
        return pixels.astype(np.uint16)  # mode I: 16 bits in 32
    if pixels.dtype.kind == "f" and low >= 0 and high <= 1:
        return scaled(pixels, 0, 1)
    low = min(low, 0.0)
    high = high if high > low else low + 1
    warnings.warn(
        f"The image holds values from {low:g} to {high:g}: they were stretched from black to "
        "white.",
        PictureWarning,
        stacklevel=4,
    )
    return scaled(pixels, low, high)
