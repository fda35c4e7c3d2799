"""The chunks of PNG files that libvips' interface cannot carry whole: texts, and the gamma.

References:
    [1] W3C: Portable Network Graphics (PNG) Specification, third edition, 2025: 5 (chunks), 11.3.2
        (gAMA, cHRM, iCCP, sRGB, cICP), 11.3.3 (tEXt, zTXt, iTXt), 13.13 (gamma handling).
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np

from tinct.color import RGB_TO_XYZ
from tinct.photo.lightness import Coding

SIGNATURE = b"\x89PNG\r\n\x1a\n"
XMP = "XML:com.adobe.xmp"
LONGEST_TEXT = 1 << 22  # bytes; longer texts, packed or not, are left out
ALL_TEXTS = 1 << 24
BLOCK = 1 << 22  # bytes moved at a time
MANY = 10_000  # chunks that are looked at
KEYWORD = 79  # bytes of Latin-1
READ = (b"tEXt", b"zTXt", b"iTXt", b"gAMA", b"cHRM", b"eXIf")
RAW_EXIF = ("Raw profile type exif", "Raw profile type APP1")
SAME_WEIGHTS = 0.01  # luminance weights that are nearer to those of sRGB are taken for them
PLAIN = (0.43, 0.48)  # file gamma of pictures for ordinary screens: taken for sRGB


@dataclass(frozen=True)
class PngFacts:
    """What the chunks of a PNG tell.

    Attributes:
        texts: keywords and texts in the file's order, without XMP.
        coding: how the colors are coded, as in gAMA and cHRM, where these decide how pixels are
            read: no chunk that goes before them is there, and they are not those of ordinary
            screens.
        exif: the block of eXIf, wherever it stands, or the one that ImageMagick and others write as
            a text in hexadecimal; None without either.
    """

    texts: tuple[tuple[str, str], ...] = ()
    coding: Coding | None = None
    exif: bytes | None = None


def read_facts(stream: BinaryIO) -> PngFacts:
    """Read the texts and the coding of a PNG; damaged chunks are left out.

    Args:
        stream: the file, seekable.
    """
    texts: list[tuple[str, str]] = []
    exif: bytes | None = None
    gamma: float | None = None
    weights: tuple[float, float, float] | None = None
    total = 0
    kinds: set[bytes] = set()
    for kind, data in _chunks(stream):
        kinds.add(kind)
        if kind == b"gAMA" and len(data) == 4:
            gamma = int.from_bytes(data, "big") / 100_000
        if kind == b"eXIf" and data:
            exif = data.removeprefix(b"Exif\0\0")
        if kind == b"cHRM" and len(data) == 32:
            weights = luminance_weights([v / 100_000 for v in struct.unpack(">8I", data)])
        found = _text(kind, data)
        if found is not None and found[0] in RAW_EXIF:
            exif = exif or _raw_profile(found[1])
        elif found is not None and found[0] != XMP:
            total += len(found[1])
            if total <= ALL_TEXTS:
                texts.append(found)
    # Each of these says more than gAMA and cHRM and goes before them [1, 11.3.2].
    if kinds & {b"iCCP", b"sRGB", b"cICP"}:
        return PngFacts(tuple(texts), exif=exif)
    if gamma is not None and (not 0.1 <= gamma <= 10 or PLAIN[0] <= gamma <= PLAIN[1]):
        gamma = None
    if gamma is None and weights is None:
        return PngFacts(tuple(texts), exif=exif)
    return PngFacts(tuple(texts), Coding(gamma, weights), exif)


def _raw_profile(text: str) -> bytes | None:
    """Return the EXIF block of such a text: its kind, its length, and hexadecimal digits."""
    parts = text.split(None, 2)
    try:
        block = bytes.fromhex(parts[2]) if len(parts) == 3 else b""
    except ValueError:
        return None
    return block.removeprefix(b"Exif\0\0") or None


def luminance_weights(chromaticities: Sequence[float]) -> tuple[float, float, float] | None:
    """Return what linear R, G and B add to the luminance, from their chromaticities.

    Args:
        chromaticities: x and y of white, red, green and blue.

    Returns:
        None where no colors have these chromaticities, or they are those of sRGB.
    """
    pairs = np.reshape(np.asarray(chromaticities, dtype=np.float64), (4, 2))
    x, y = pairs.T
    if (y <= 0.001).any():
        return None
    xyz = np.stack([x / y, np.ones(4), (1 - x - y) / y])
    try:
        weights = np.linalg.solve(xyz[:, 1:], xyz[:, 0])
    except np.linalg.LinAlgError:
        return None
    if (weights <= 0).any() or np.abs(weights - RGB_TO_XYZ[1]).max() < SAME_WEIGHTS:
        return None
    return float(weights[0]), float(weights[1]), float(weights[2])


def _chunks(stream: BinaryIO) -> Iterator[tuple[bytes, bytes]]:
    """Yield the kind and data of small chunks, and the kind of others with no data."""
    stream.seek(0, 2)
    end = stream.tell()
    place = len(SIGNATURE)
    for _ in range(MANY):
        stream.seek(place)
        head = stream.read(8)
        if len(head) < 8 or head[4:] == b"IEND":
            return
        length = int.from_bytes(head[:4], "big")
        if place + length + 12 > end:
            return
        wanted = (
            head[4:] in (b"tEXt", b"zTXt", b"iTXt", b"gAMA", b"cHRM", b"eXIf")
            and length <= LONGEST_TEXT
        )
        yield head[4:], stream.read(length) if wanted else b""
        place += length + 12


def _text(kind: bytes, data: bytes) -> tuple[str, str] | None:
    """Return the keyword and text of a chunk; None where it holds none or is damaged."""
    if kind not in (b"tEXt", b"zTXt", b"iTXt") or b"\0" not in data:
        return None
    keyword, rest = data.split(b"\0", 1)
    if kind == b"tEXt":
        return _latin(keyword), _either(rest)
    if kind == b"zTXt":
        plain = _unpacked(rest[1:]) if rest[:1] == b"\0" else None
        return None if plain is None else (_latin(keyword), _either(plain))
    parts = rest[2:].split(b"\0", 2)
    if len(rest) < 2 or len(parts) < 3:
        return None
    packed = rest[0] == 1
    plain = _unpacked(parts[2]) if packed else parts[2]
    return None if plain is None else (_latin(keyword), plain.decode("utf-8", "replace"))


def _unpacked(data: bytes) -> bytes | None:
    """Return zlib data unpacked; None where it is damaged or too long."""
    packer = zlib.decompressobj()
    try:
        plain = packer.decompress(data, LONGEST_TEXT)
    except zlib.error:
        return None
    return plain if packer.eof else None


def _latin(data: bytes) -> str:
    return data[:KEYWORD].decode("latin-1")


def _either(data: bytes) -> str:
    """Decode a text that should be Latin-1, but is UTF-8 in many files."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def insert_texts(stream: BinaryIO, texts: Sequence[tuple[str, str]], *, xmp: bytes | None) -> None:
    """Write texts before the pixels of a PNG, as tEXt where they are ASCII and as iTXt elsewhere.

    Args:
        stream: a complete PNG, open for reading and writing.
        texts: keywords, Latin-1 of up to 79 characters, and texts.
        xmp: a packet, or None.
    """
    made = []
    for keyword, text in texts:
        name = keyword.encode("latin-1", "replace")[:KEYWORD] or b"Comment"
        if text.isascii() and "\0" not in text:
            made.append(_chunk(b"tEXt", name + b"\0" + text.encode("ascii")))
        else:
            plain = text.replace("\0", " ").encode("utf-8", "replace")
            made.append(_chunk(b"iTXt", name + b"\0\0\0\0\0" + plain))
    if xmp is not None:
        made.append(_chunk(b"iTXt", XMP.encode("ascii") + b"\0\0\0\0\0" + xmp))
    place = len(SIGNATURE)
    stream.seek(place)
    while (head := stream.read(8))[4:] != b"IDAT":
        assert len(head) == 8, "a PNG without pixels"
        place += int.from_bytes(head[:4], "big") + 12
        stream.seek(place)
    _insert(stream, place, b"".join(made))


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _insert(stream: BinaryIO, place: int, data: bytes) -> None:
    """Move what lies behind a place of a file, from its end on, and write there."""
    start = stream.seek(0, 2)
    while start > place:
        size = min(BLOCK, start - place)
        start -= size
        stream.seek(start)
        block = stream.read(size)
        stream.seek(start + len(data))
        stream.write(block)
    stream.seek(place)
    stream.write(data)
