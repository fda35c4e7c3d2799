"""What the directories of a TIFF say that libvips does not tell: which of them is the picture.

References:
    [1] Adobe, TIFF Revision 6.0, 1992, and its Technical Note 1 (SubIFDs), 1995.
    [2] Adobe, Digital Negative Specification 1.7, 2023.
"""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from tinct.photo import exif

NOT_READ = {34712: "JPEG 2000", 34925: "LZMA", 50000: "Zstandard", 50001: "WebP",
            50002: "JPEG XL", 52546: "JPEG XL"}  # fmt: skip
"""Compressions of TIFF that libvips' wheel does not read, by number."""

NEW_SUBFILE_TYPE, BITS, COMPRESSION, PHOTOMETRIC, PLANAR = 254, 258, 259, 262, 284
TILE_WIDTH, SUB_DIRECTORIES, EXTRA_SAMPLES, SUBSAMPLING = 322, 330, 338, 530
RAW = (32803, 34892)
"""Photometric interpretations of a camera's raw data [2]."""
OLD_JPEG = "old-style JPEG inside"
MANY_PAGES = 1 << 16


@dataclass(frozen=True)
class TiffFacts:
    """Which page of a TIFF is the picture, and what about it libvips does not tell.

    Attributes:
        page: the page that shows the picture: the first that is no reduced copy, or the one asked
            for.
        sub: the directory below that page that holds the picture, from 0; None: the page itself.
        reduced: how many pages are reduced copies.
        extra: what the first channel beyond the colors is, as in ExtraSamples (1, 2: alpha); None
            where the file does not say.
        orientation: 1..8, or None.
        unread: what about the page libvips does not read, in words, or nothing.
        bits: a sample.
        broken: where the file points at a later page that is damaged: the place of that pointer,
            and its size; None: all are sound.
        raw: whether the picture is a camera's raw data, which nothing here reads.
    """

    page: int
    sub: int | None
    reduced: int
    extra: int | None
    orientation: int | None
    unread: str
    raw: bool
    bits: int = 8
    broken: tuple[int, int] | None = None


def read_facts(content: Path | bytes, *, page: int | None) -> TiffFacts | None:
    """Read the directories of a TIFF.

    Args:
        content: a file or its bytes.
        page: the page asked for, or None.

    Returns:
        None where they are damaged, or there is no such page.

    Raises:
        OSError: the file cannot be read.
    """
    pages: list[exif.Tags] = []
    broken = None
    with content.open("rb") if isinstance(content, Path) else io.BytesIO(content) as stream:
        try:
            header = exif.read_header(stream)
            offset, seen, before = header.first, set[int](), 0
            while offset and offset not in seen and len(seen) < MANY_PAGES:
                seen.add(offset)
                tags, following = exif.read_tags(stream, header, offset)
                pages.append(tags)
                before, offset = offset, following
        except exif.ExifError:
            if not pages:
                return None
            broken = (exif.link_of(stream, header, before), 8 if header.big else 4)
        reduced = [bool(_value(tags, NEW_SUBFILE_TYPE, 0, header) & 1) for tags in pages]
        whole = [number for number, small in enumerate(reduced) if not small]
        chosen = page if page is not None else (whole[0] if whole else 0)
        if chosen >= len(pages):
            return None
        tags, sub = pages[chosen], None
        orientation = exif.number(tags, exif.ORIENTATION, header)
        if page is None and not whole:
            below = _directories_below(stream, header, tags)
            fits = [place for place, held in below if _is_picture(held, header)]
            if fits:
                sub = fits[0]
                tags = dict(below)[sub]
            elif below:
                tags = below[0][1]  # raw data
    raw = _value(tags, PHOTOMETRIC, 1, header) in RAW
    return TiffFacts(
        page=chosen,
        sub=sub,
        reduced=sum(reduced) if whole else 0,
        extra=exif.number(tags, EXTRA_SAMPLES, header),
        orientation=orientation,
        unread="a camera's raw data; develop it first" if raw else _unread(tags, header),
        raw=raw,
        bits=_value(tags, BITS, 1, header),
        broken=broken,
    )


def without_broken(content: Path | bytes, link: tuple[int, int]) -> bytes:
    """Return a TIFF whose chain of pages ends before the damaged one."""
    data = bytearray(content if isinstance(content, bytes) else content.read_bytes())
    place, size = link
    data[place : place + size] = bytes(size)
    return bytes(data)


def _value(tags: exif.Tags, name: int, otherwise: int, header: exif.Header) -> int:
    found = exif.number(tags, name, header)
    return otherwise if found is None else found


def _is_picture(tags: exif.Tags, header: exif.Header) -> bool:
    """Tell whether a directory holds a whole picture in colors or grays, no reduced copy."""
    reduced = _value(tags, NEW_SUBFILE_TYPE, 0, header) & 1
    return not reduced and _value(tags, PHOTOMETRIC, -1, header) in (0, 1, 2, 3, 5, 6, 8)


def _directories_below(
    stream: BinaryIO, header: exif.Header, tags: exif.Tags
) -> list[tuple[int, exif.Tags]]:
    """Return the directories that SubIFDs points at, whole pictures first, with their numbers."""
    tag = tags.get(SUB_DIRECTORIES)
    code = {4: "I", 13: "I", 16: "Q", 18: "Q"}.get(tag.kind) if tag else None
    if tag is None or code is None:
        return []
    found = []
    for number, offset in enumerate(struct.unpack(f"{header.order}{tag.length}{code}", tag.data)):
        try:
            found.append((number, exif.read_tags(stream, header, offset)[0]))
        except exif.ExifError:
            continue
    return sorted(found, key=lambda one: _value(one[1], NEW_SUBFILE_TYPE, 0, header) & 1)


def _whole_chroma(tags: exif.Tags, header: exif.Header) -> bool:
    """Tell whether YCbCr has chroma for every pixel: libvips takes that for RGB."""
    tag = tags.get(SUBSAMPLING)
    return tag is not None and tag.data[:4] == struct.pack(header.order + "HH", 1, 1)


def _unread(tags: exif.Tags, header: exif.Header) -> str:
    """Say what about a page libvips' wheel does not read; nothing if it reads it."""
    bits = _value(tags, BITS, 1, header)
    compression = _value(tags, COMPRESSION, 1, header)
    photometric = _value(tags, PHOTOMETRIC, 1, header)
    planes, tiled = _value(tags, PLANAR, 1, header) == 2, TILE_WIDTH in tags
    cases = (
        (compression == 6, OLD_JPEG),
        (compression in NOT_READ, f"{NOT_READ.get(compression)} inside"),
        (compression == 7 and bits > 8, f"JPEG of {bits} bits inside"),
        (bits not in (1, 2, 4, 8, 16, 32, 64), f"{bits} bits packed"),
        (bits in (2, 4) and photometric == 2, f"RGB of {bits} bits"),
        (planes and tiled, "tiles in planes"),
        (planes and photometric == 6, "YCbCr in planes"),
        (photometric == 6 and compression != 7 and _whole_chroma(tags, header), "plain YCbCr"),
    )
    return next((what for holds, what in cases if holds), "")
