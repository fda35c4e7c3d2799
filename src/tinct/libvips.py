"""Bring libvips in, quietly and only when a picture is really read or written.

libvips is the imaging stack (docs/decisions/0001-imaging-stack.md). Importing it takes time that
``tinct --help`` does not have, so nothing imports :mod:`pyvips` at module level.
"""

from __future__ import annotations

import os
import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray


@cache
def load() -> Any:
    """Import and set up pyvips once.

    Warnings of libvips and of the libraries below it stay off the terminal: what matters is raised
    as an error. The cache of operations is switched off for this process; it would keep whole
    pictures in memory, and would give back the old content of a file that has been rewritten.

    Returns:
        The module :mod:`pyvips`.
    """
    asked_for = os.environ.get("VIPS_WARNING")
    os.environ["VIPS_WARNING"] = "1"  # libvips reads it while it starts; "1" means: say nothing
    try:
        import pyvips  # noqa: PLC0415
    finally:
        if asked_for is None:
            del os.environ["VIPS_WARNING"]
        else:
            os.environ["VIPS_WARNING"] = asked_for
    pyvips._to_string = _lenient(pyvips._to_string)
    pyvips.cache_set_max(0)
    return pyvips


def version() -> str:
    """Return the version of libvips, for example ``8.18.0``."""
    pyvips = load()
    return ".".join(str(pyvips.version(part)) for part in range(3))


def image_of(array: NDArray[Any], *, interpretation: str) -> Any:
    """Wrap an array as a libvips image without copying its pixels.

    Args:
        array: (H, W) or (H, W, bands), uint8, uint16 or float32; copied only if its rows are not
            contiguous.
        interpretation: what the numbers mean to libvips: ``b-w``, ``grey16``, ``srgb``, ``rgb16``,
            ``cmyk`` ...

    Returns:
        A ``pyvips.Image`` that keeps the array alive.
    """
    pyvips = load()
    array = np.ascontiguousarray(array)
    kinds = {"uint8": "uchar", "uint16": "ushort", "float32": "float"}
    bands = 1 if array.ndim == 2 else array.shape[2]
    image = pyvips.Image.new_from_memory(
        array.data, array.shape[1], array.shape[0], bands, kinds[array.dtype.name]
    )
    return image.copy(interpretation=interpretation)


@dataclass(frozen=True)
class Streamed:
    """An image whose rows are made as they are read; it lives as long as this does.

    Attributes:
        image: the ``pyvips.Image``.
        source: where it comes from.
        raised: what stopped it; libvips can only tell of a file that is cut short.
    """

    image: Any
    source: Any
    raised: list[Exception]


def image_of_rows(
    strips: Iterator[NDArray[Any]], *, height: int, width: int, wide: bool
) -> Streamed:
    """Return a libvips image in color whose rows are made as they are read, once, from the top.

    libvips' wheel reads one format as it comes along, without a place to turn back to: PNG. So the
    rows go through one that is not compressed.

    Args:
        strips: (h, W, 3), uint8 or, if ``wide``, uint16; ``height`` rows all together.
        height: of the image.
        width: likewise.
        wide: whether there are 16 bits a channel.

    Raises:
        Exception: whatever ``strips`` raised at once.
    """
    raised: list[Exception] = []
    chunks = _png(strips, height=height, width=width, wide=wide)
    held = memoryview(b"")

    def read(most: int) -> bytes:
        nonlocal held
        try:
            while not held:
                held = memoryview(next(chunks, b""))
                if not held:
                    return b""
        except Exception as error:  # noqa: BLE001  (it is raised where the image is used)
            raised.append(error)
            return b""
        part, held = held[:most], held[most:]
        return bytes(part)

    pyvips = load()
    source = pyvips.SourceCustom()
    source.on_read(read)
    try:
        image = pyvips.Image.pngload_source(source, access="sequential", fail_on="truncated")
    except pyvips.Error:
        if raised:
            raise raised[0] from None
        raise
    return Streamed(image, source, raised)


def _png(strips: Iterator[NDArray[Any]], *, height: int, width: int, wide: bool) -> Iterator[bytes]:
    """Yield a PNG of 8 or 16 bits, RGB, whose rows are stored as they are."""
    header = struct.pack(">IIBBBBB", width, height, 16 if wide else 8, 2, 0, 0, 0)
    yield b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header)
    packer = zlib.compressobj(0)
    for strip in strips:
        pixels = strip.astype(">u2") if wide else strip
        rows = np.zeros((len(strip), 1 + width * 3 * (1 + wide)), np.uint8)  # 0: no filter
        rows[:, 1:] = pixels.reshape(len(strip), -1).view(np.uint8)
        yield _chunk(b"IDAT", packer.compress(rows.data))
    yield _chunk(b"IDAT", packer.flush()) + _chunk(b"IEND", b"")


def _chunk(name: bytes, content: bytes) -> bytes:
    check = zlib.crc32(content, zlib.crc32(name))
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", check)


def attach(image: Any, name: str, data: bytes) -> None:
    """Attach a block of metadata, say ``icc-profile-data``, to an image that is ours alone."""
    image.set_type(load().GValue.blob_type, name, data)


def forget_errors() -> None:
    """Empty libvips' error buffer, so that the next message speaks of the next operation only."""
    load().vips_lib.vips_error_clear()


def reason(error: Exception) -> str:
    """Put the last line of a libvips error in words fit for the middle of a sentence."""
    lines = [line.strip() for line in str(error).splitlines()]
    useful = [line for line in lines if line and not line.startswith(("unable to ", "("))]
    text = re.sub(r"^(?:\w+: +)+", "", useful[-1]) if useful else ""
    return text.rstrip(".!")[:160] or "the library below gives no reason"


def _lenient(decode: Any) -> Any:
    """Return pyvips' decoder of messages, for bytes that are not UTF-8 too.

    A damaged file's bytes come along in messages; pyvips would raise inside libvips' callback.
    """

    def to_string(text: Any) -> Any:
        try:
            return decode(text)
        except UnicodeDecodeError:
            return "a message that is not UTF-8"

    return to_string
