"""Write colored pixels in each format, with the metadata of the picture they came from.

libvips encodes. EXIF it would pass through a library that loses notes of camera makers and unknown
tags, so tinct has it write a block of the right size and puts its own there afterwards.

Choices: a JPEG keeps the quality of the input, estimated from its luma table, and its subsampling;
gray and other inputs get 4:2:0, since proposed chroma is smooth, and quality 92 where the input
was no JPEG. PNG: filter Paeth, level 6.
TIFF: the compression of the input if it has no loss, else Deflate with the horizontal predictor.
Resolution: that of the input, else 72 dpi, which stands for "unknown".
"""

from __future__ import annotations

import io
import mmap
import os
import warnings
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinct import libvips
from tinct.errors import SaveError
from tinct.photo import exif
from tinct.photo.decode_codecs import encode_jxl
from tinct.photo.metadata import (
    Metadata,
    Note,
    PictureWarning,
    XmpError,
    iptc_of,
    resources_of,
    revise_resources,
    revise_xmp,
)
from tinct.photo.png_chunks import insert_texts

JPEG_QUALITY = 92
WEBP_QUALITY = 90
AVIF_QUALITY = 75
AVIF_EFFORT = 2  # of 9; the usual 4 takes several times as long for a few percent of size
HEIC_QUALITY = 85
SEGMENT = 64_900  # bytes of metadata that one segment of a JPEG holds, with room to spare


@dataclass(frozen=True)
class Target:
    """A format that tinct writes: its file name endings, what it holds, and the longest side."""

    suffixes: tuple[str, ...]
    wide: bool
    alpha: bool
    longest: int


TARGETS: dict[str, Target] = {
    "jpeg": Target((".jpg", ".jpeg", ".jpe", ".jfif"), False, False, 65_500),
    "png": Target((".png",), True, True, 2**31 - 1),
    "webp": Target((".webp",), False, True, 16_383),
    "tiff": Target((".tif", ".tiff"), True, True, 2**31 - 1),
    "avif": Target((".avif",), True, True, 16_384),
    "heic": Target((".heic", ".heif", ".hif"), True, True, 16_384),
    "jxl": Target((".jxl",), True, True, 2**30),
}


def missing_parts() -> dict[str, str]:
    """Return the targets that cannot be written here, and the package that is missing."""
    needed = {"heic": ("pillow_heif", "pillow-heif"), "jxl": ("imagecodecs", "imagecodecs")}
    return {
        kind: package for kind, (module, package) in needed.items() if find_spec(module) is None
    }


def check(kind: str, *, width: int, height: int) -> None:
    """Refuse what cannot be written before any work is done.

    Raises:
        SaveError: the format is not known, is not available here, or cannot hold a picture of this
            size.
    """
    if kind not in TARGETS:
        raise SaveError(
            f"tinct does not write {kind or 'this format'!r}; choose one of {', '.join(TARGETS)}."
        )
    missing = missing_parts().get(kind)
    if missing is not None:
        raise SaveError(
            f"{kind.upper()} needs the package {missing}; install it (pip install "
            "'tinct[formats]') or choose AVIF, JPEG or PNG."
        )
    longest = TARGETS[kind].longest
    if max(width, height) > longest:
        raise SaveError(
            f"{kind.upper()} holds at most {longest} pixels a side, not {width} x {height}; "
            "choose TIFF or PNG."
        )


@dataclass(frozen=True)
class Blocks:
    """Metadata as it goes into the file."""

    exif: bytes
    xmp: bytes | None
    iptc: bytes | None
    icc: bytes | None


def blocks_of(
    metadata: Metadata,
    *,
    kind: str,
    width: int,
    height: int,
    note: Note | None,
    orientation: int = 1,
) -> Blocks:
    """Return the metadata of a colored picture as it goes into a file.

    Args:
        metadata: of the picture the colors were made for.
        kind: one of :data:`TARGETS`.
        width: of the pixels as they are stored.
        height: likewise.
        note: which software colored it, or None.
        orientation: 1..8, in which they are stored.

    Warns:
        PictureWarning: something is damaged or too large, and left out.
    """
    software = None if note is None else str(note)
    try:
        block = exif.revise(
            metadata.exif,
            width=width,
            height=height,
            software=software,
            dpi=metadata.dpi,
            orientation=orientation,
        )
        if len(block) > SEGMENT and kind not in ("tiff", "heic", "jxl"):
            block, dropped = exif.slim(block, limit=SEGMENT)
            if dropped != "unused bytes":
                warnings.warn(
                    f"EXIF was too large for {kind.upper()}: {dropped} was left out.",
                    PictureWarning,
                    stacklevel=4,
                )
    except exif.ExifError as error:
        warnings.warn(f"EXIF was left out: {error}.", PictureWarning, stacklevel=4)
        block = exif.revise(
            None,
            width=width,
            height=height,
            software=software,
            dpi=metadata.dpi,
            orientation=orientation,
        )
    limit = SEGMENT if kind == "jpeg" else 1 << 30
    try:
        xmp = revise_xmp(metadata.xmp, note=note, orientation=orientation)
        if xmp is not None and len(xmp) > limit:
            raise XmpError(f"{len(xmp)} bytes are more than a JPEG holds")
    except XmpError as error:
        warnings.warn(f"XMP was left out: {error}.", PictureWarning, stacklevel=4)
        xmp = revise_xmp(None, note=note)
    iptc = revise_resources(metadata.iptc)
    if iptc is not None and len(iptc) > limit:
        record = iptc_of(iptc)
        iptc = None if record is None or len(record) > limit else resources_of(record)
    icc = libvips.load().Operation.call("profile_load", "srgb") if metadata.had_icc else None
    return Blocks(block, xmp, iptc, icc)


def encode(
    rgb: NDArray[Any],
    *,
    alpha: NDArray[Any] | None,
    metadata: Metadata,
    kind: str,
    note: Note | None,
    path: Path | None,
) -> bytes:
    """Encode a colored picture.

    Formats of 8 bits (JPEG, WebP) round 16-bit pictures, with a warning; JPEG, which has no alpha,
    shows a picture with alpha on white, with a warning. Formats that hold 16 bits keep them; AVIF
    and HEIC hold 12 (10 if the picture had 10), with a warning where it had more.

    Args:
        rgb: (H, W, 3), uint8 or uint16, sRGB.
        alpha: (H, W) of the same type, or None.
        metadata: of the picture the colors were made for.
        kind: one of :data:`TARGETS`, checked with :func:`check`.
        note: which software colored the picture, or None.
        path: the file to write, or None to get the bytes.

    Returns:
        The bytes, or nothing if they were written to ``path``.

    Raises:
        SaveError: the encoder failed.
    """
    height, width = rgb.shape[:2]
    blocks = blocks_of(metadata, kind=kind, width=width, height=height, note=note)
    held = _bits_held(kind, metadata)
    if rgb.dtype == np.uint16:
        tell_of_rounding(kind, metadata)
    if kind == "heic":
        return _encode_heic(rgb, alpha, blocks, path, bits=held)
    if kind == "jxl":
        return _encode_jxl(rgb, alpha, blocks, path)
    return encode_image(_image(rgb, alpha, kind), blocks, metadata=metadata, kind=kind, path=path)


def encode_image(
    image: Any, blocks: Blocks, *, metadata: Metadata, kind: str, path: Path | None
) -> bytes:
    """Encode a libvips image in color, as :func:`encode` does.

    Args:
        image: of a depth that the format holds; see :func:`narrowed`.
        blocks: from :func:`blocks_of`.
        metadata: of the picture the colors were made for.
        kind: one of :data:`TARGETS` that libvips writes.
        path: the file to write, or None to get the bytes.

    Returns:
        The bytes, or nothing if they were written to ``path``.

    Raises:
        SaveError: the encoder failed.
    """
    image = image.copy(
        xres=(metadata.dpi or (72, 72))[0] / 25.4, yres=(metadata.dpi or (72, 72))[1] / 25.4
    )
    _attach(image, blocks, kind)
    operation, settings = _saver(kind, metadata, image)
    libvips.forget_errors()
    try:
        if path is None:
            data = bytes(getattr(image, f"{operation}_buffer")(**settings))
        else:
            getattr(image, operation)(os.fsencode(path), **settings)
    except libvips.load().Error as error:
        raise SaveError(f"the {kind.upper()} encoder failed: {libvips.reason(error)}.") from error
    change = _tiff_exif if kind == "tiff" else _fill_room
    with io.BytesIO(data) if path is None else path.open("r+b") as stream:
        change(stream, blocks.exif, kind)
        if kind == "png":
            insert_texts(stream, metadata.texts, xmp=blocks.xmp)
        return stream.getvalue() if isinstance(stream, io.BytesIO) else b""


def tell_of_rounding(kind: str, metadata: Metadata) -> None:
    """Warn where a format holds fewer bits than a picture of 16 bits a channel has."""
    held, had = _bits_held(kind, metadata), min(metadata.bits, 16)
    if had > held:
        warnings.warn(
            f"{kind.upper()} holds {held} bits: {had} were rounded to {held}; "
            "choose PNG or TIFF to keep them.",
            PictureWarning, stacklevel=4,
        )  # fmt: skip


def _bits_held(kind: str, metadata: Metadata) -> int:
    """Return how many bits a channel a format holds of a picture that has more than 8."""
    if kind in ("avif", "heic"):
        return 10 if metadata.bits == 10 else 12
    return 16 if TARGETS[kind].wide else 8


def _attach(image: Any, blocks: Blocks, kind: str) -> None:
    """Attach everything that libvips writes beside the pixels."""
    if blocks.icc is not None:
        libvips.attach(image, "icc-profile-data", blocks.icc)
    if blocks.xmp is not None and kind != "png":
        libvips.attach(image, "xmp-data", blocks.xmp)
    if blocks.iptc is not None and kind == "jpeg":
        libvips.attach(image, "iptc-data", b"Photoshop 3.0\0" + blocks.iptc)
    if blocks.iptc is not None and kind == "tiff":
        libvips.attach(image, "photoshop-data", blocks.iptc)
        record = iptc_of(blocks.iptc)
        if record is not None:
            libvips.attach(image, "iptc-data", record)
    if kind != "tiff":
        libvips.attach(image, "exif-data", _room(len(blocks.exif)))


def _image(rgb: NDArray[Any], alpha: NDArray[Any] | None, kind: str) -> Any:
    """Join pixels and alpha as a libvips image of a depth that the format holds, uncopied."""
    wide = rgb.dtype == np.uint16
    space = "rgb16" if wide else "srgb"
    image = libvips.image_of(rgb, interpretation=space)
    if alpha is not None:
        assert alpha.dtype == rgb.dtype
        image = image.bandjoin(libvips.image_of(alpha, interpretation="b-w")).copy(
            interpretation=space
        )
        if not TARGETS[kind].alpha:
            warnings.warn(
                f"{kind.upper()} has no transparency: shown on white; "
                "choose PNG, WebP or TIFF to keep it.",
                PictureWarning, stacklevel=4,
            )  # fmt: skip
            top = 65535 if wide else 255
            image = image.flatten(background=[top] * 3, max_alpha=top)
    return narrowed(image, kind)


def narrowed(image: Any, kind: str) -> Any:
    """Return a libvips image with 8 bits a channel where a format holds no more."""
    if image.format == "ushort" and not TARGETS[kind].wide:
        return image.linear(1 / 257, 0.5).cast("uchar").copy(interpretation="srgb")
    return image


def _saver(kind: str, metadata: Metadata, image: Any) -> tuple[str, dict[str, Any]]:
    """Return the libvips operation for a format, and its settings."""
    if kind == "jpeg":
        full = metadata.subsampling == "4:4:4"
        return "jpegsave", {
            "Q": metadata.quality or JPEG_QUALITY,
            "subsample_mode": "off" if full else "on",
        }
    if kind == "png":
        # Level 3 takes 40 % of the time of level 6 and makes files 2 to 3 % larger.
        return "pngsave", {"compression": 3, "filter": "paeth"}
    if kind == "webp":
        return "webpsave", {"lossless": True} if metadata.lossless else {"Q": WEBP_QUALITY}
    if kind == "avif":
        bits = 8 if image.format == "uchar" else _bits_held(kind, metadata)
        return "heifsave", {
            "compression": "av1",
            "Q": AVIF_QUALITY,
            "bitdepth": bits,
            "effort": AVIF_EFFORT,
        }
    compression = metadata.compression or "deflate"
    if compression == "jpeg" and (image.format != "uchar" or image.bands != 3):
        compression = "deflate"
    size = image.width * image.height * image.bands * (1 if image.format == "uchar" else 2)
    settings: dict[str, Any] = {"compression": compression, "bigtiff": size > 3_900_000_000}
    if compression in ("lzw", "deflate"):
        settings["predictor"] = "horizontal"
    if compression == "jpeg":
        settings["Q"] = JPEG_QUALITY
    return "tiffsave", settings


MARK = b"ASCII\0\0\0room for EXIF, kept by tinct:"


def _room(size: int) -> bytes:
    """Make an EXIF block whose comment is at least ``size`` bytes long."""
    comment = MARK + b"." * max(size - len(MARK), 0)
    head = b"II*\0" + (8).to_bytes(4, "little")
    first = b"\1\0" + _entry(exif.EXIF, 4, 1, 26) + b"\0\0\0\0"
    second = b"\1\0" + _entry(0x9286, 7, len(comment), 44) + b"\0\0\0\0"
    return b"Exif\0\0" + head + first + second + comment


def _entry(name: int, kind: int, count: int, value: int) -> bytes:
    parts = ((name, 2), (kind, 2), (count, 4), (value, 4))
    return b"".join(part.to_bytes(size, "little") for part, size in parts)


def _fill_room(stream: Any, block: bytes, kind: str) -> None:
    """Write an EXIF block over the one that libvips wrote from :func:`_room`."""
    if isinstance(stream, io.BytesIO):
        view: Any = stream.getbuffer()
        content: Any = stream.getvalue()
    else:
        view = content = mmap.mmap(stream.fileno(), 0)
    find: Callable[[bytes], int] = content.rfind if kind in ("webp", "avif") else content.find
    mark = find(MARK)
    assert mark >= 0, "libvips left no room for EXIF"
    start = max(content.rfind(head, 0, mark) for head in (b"II*\0\x08\0\0\0", b"MM\0*\0\0\0\x08"))
    end = mark + max(len(block), len(MARK))
    assert start >= 0
    view[start:end] = block.ljust(end - start, b"\0")
    if kind == "png":
        chunk = bytes(content[start - 8 : start]) if content[start - 4 : start] == b"eXIf" else b""
        assert chunk, "the EXIF chunk of a PNG begins with its block"
        stop = start + int.from_bytes(chunk[:4], "big")
        view[stop : stop + 4] = zlib.crc32(view[start - 4 : stop]).to_bytes(4, "big")
    if view is content:
        view.close()
    else:
        view.release()


def _tiff_exif(stream: Any, block: bytes, kind: str) -> None:
    try:
        exif.into_tiff(stream, block)
    except exif.ExifError as error:
        raise SaveError(f"the {kind.upper()} could not be completed: {error}.") from error


def _encode_heic(
    rgb: NDArray[Any],
    alpha: NDArray[Any] | None,
    blocks: Blocks,
    path: Path | None,
    *,
    bits: int,
) -> bytes:
    import pillow_heif  # noqa: PLC0415

    pixels = rgb if alpha is None else np.dstack([rgb, alpha])
    mode = "RGB" if alpha is None else "RGBA"
    image = pillow_heif.from_bytes(
        mode=mode if pixels.dtype == np.uint8 else f"{mode};16",
        size=(rgb.shape[1], rgb.shape[0]),
        data=np.ascontiguousarray(pixels).tobytes(),
    )
    target: Any = io.BytesIO() if path is None else path
    settings: dict[str, Any] = {"exif": blocks.exif, "bit_depth": bits}
    if blocks.xmp is not None:
        settings["xmp"] = blocks.xmp
    if blocks.icc is not None:
        settings["icc_profile"] = blocks.icc
    try:
        image.save(target, quality=HEIC_QUALITY, **settings)
    except (RuntimeError, ValueError, OSError) as error:
        raise SaveError(f"the HEIC encoder failed: {error}.") from error
    return target.getvalue() if path is None else b""


def _encode_jxl(
    rgb: NDArray[Any], alpha: NDArray[Any] | None, blocks: Blocks, path: Path | None
) -> bytes:
    try:
        data = encode_jxl(rgb, alpha, exif_block=blocks.exif, xmp=blocks.xmp)
    except ValueError as error:
        raise SaveError(f"the JPEG XL encoder failed: {error}.") from error
    if path is None:
        return data
    path.write_bytes(data)
    return b""
