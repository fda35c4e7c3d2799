"""Read and change EXIF, and the same kind of tags inside TIFF files.

An EXIF block is a small TIFF file: a header, then directories of tags. Changes are appended and
the header is pointed at the changed directory, so everything else stays at its old place: notes of
camera makers hold offsets from the start of the block and would break if moved.

References:
    [1] CIPA DC-008-2023 / JEITA CP-3451, Exif 3.0.
    [2] Adobe, TIFF Revision 6.0, 1992; BigTIFF: 8-byte offsets under the magic number 43.
"""

from __future__ import annotations

import io
import struct
from typing import BinaryIO, NamedTuple

SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4,
         16: 8, 17: 8, 18: 8, 129: 1}  # fmt: skip
UNITS = {3: 2, 4: 4, 5: 4, 8: 2, 9: 4, 10: 4, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
LIMIT = 1 << 24  # bytes that the tags of one directory may hold

WIDTH, HEIGHT, COMPRESSION, ORIENTATION, SOFTWARE = 256, 257, 259, 274, 305
RESOLUTION, UNIT = (282, 283), 296
THUMBNAIL, THUMBNAIL_SIZE = 513, 514
EXIF, GPS, INTEROP = 34665, 34853, 40965
POINTERS = (EXIF, GPS, INTEROP)
MAKER_NOTE, USER_COMMENT, PRINT_IM = 0x927C, 0x9286, 0xC4A5
COLOR_SPACE, PIXEL_WIDTH, PIXEL_HEIGHT = 0xA001, 0xA002, 0xA003

# What a TIFF file tells about the picture rather than about the file: document name, description,
# maker, model, page name, software, date, artist, computer, rating, copyright, the XP tags of
# Windows, PrintIM.
DESCRIPTIVE = frozenset(
    {269, 270, 271, 272, 285, 305, 306, 315, 316, 18246, 18249, 33432, 50341, *range(40091, 40096)}
) | {EXIF, GPS}


class ExifError(ValueError):
    """The block is damaged."""


class Tag(NamedTuple):
    """One tag: its type and number of values as in [2], and its values in the file's byte order."""

    kind: int
    length: int
    data: bytes


class Header(NamedTuple):
    """Byte order (``<`` or ``>``), whether offsets have 8 bytes, where the first directory is."""

    order: str
    big: bool
    first: int


Tags = dict[int, Tag]


def read_header(stream: BinaryIO) -> Header:
    """Read the first bytes of a TIFF file or EXIF block.

    Raises:
        ExifError: it is neither.
    """
    stream.seek(0)
    start = stream.read(16)
    order = {b"II": "<", b"MM": ">"}.get(start[:2])
    if order is None or len(start) < 8:
        raise ExifError("no byte order at its start")
    magic, first = struct.unpack(order + "HI", start[2:8])
    if magic == 42:
        return Header(order, False, first)
    if magic == 43 and len(start) == 16:
        return Header(order, True, struct.unpack(order + "Q", start[8:])[0])
    raise ExifError("no magic number at its start")


def read_tags(stream: BinaryIO, header: Header, offset: int) -> tuple[Tags, int]:
    """Read one directory; tags whose values lie outside the file are left out.

    Returns:
        The tags by number, and the offset of the next directory (0: none).

    Raises:
        ExifError: the directory itself is damaged.
    """
    head, entry, tail = (8, 20, 8) if header.big else (2, 12, 4)
    stream.seek(0, 2)
    end = stream.tell()
    if not 8 <= offset < end:
        raise ExifError(f"a directory at {offset}, outside the file")
    stream.seek(offset)
    start = stream.read(head)
    count = int.from_bytes(start, "little" if header.order == "<" else "big")
    block = stream.read(min(count, 5000) * entry + tail)
    if len(start) < head or count > 4096 or len(block) < count * entry:
        raise ExifError("a directory that is cut short")
    tags = {}
    room = tail
    total = 0
    for index in range(count):
        raw = block[index * entry : (index + 1) * entry]
        number, kind = struct.unpack_from(header.order + "HH", raw)
        length = struct.unpack_from(header.order + ("Q" if header.big else "I"), raw, 4)[0]
        size = SIZES.get(kind, 0) * length
        data = raw[-room:][:size]
        if size > room:
            place = struct.unpack(header.order + ("Q" if header.big else "I"), raw[-room:])[0]
            total += size
            if total > LIMIT or place + size > end:
                continue
            stream.seek(place)
            data = stream.read(size)
        if size and len(data) == size:
            tags[number] = Tag(kind, length, data)
    rest = block[count * entry : count * entry + tail]
    following = int.from_bytes(rest, "little" if header.order == "<" else "big")
    return tags, following if len(rest) == tail else 0


def link_of(stream: BinaryIO, header: Header, offset: int) -> int:
    """Return where the directory at ``offset`` holds the offset of the next one."""
    head, entry = (8, 20) if header.big else (2, 12)
    stream.seek(offset)
    count = int.from_bytes(stream.read(head), "little" if header.order == "<" else "big")
    return offset + head + count * entry


def number(tags: Tags, name: int, header: Header) -> int | None:
    """Return the first value of a whole-number tag, or None if there is none."""
    tag = tags.get(name)
    code = (
        {1: "B", 3: "H", 4: "I", 7: "B", 13: "I", 16: "Q", 18: "Q"}.get(tag.kind) if tag else None
    )
    if tag is None or code is None or tag.length < 1:
        return None
    return int(struct.unpack_from(header.order + code, tag.data)[0])


def _swapped(tag: Tag, source: Header, target: Header) -> Tag:
    unit = UNITS.get(tag.kind, 1)
    if source.order == target.order or unit == 1:
        return tag
    parts = [tag.data[i : i + unit][::-1] for i in range(0, len(tag.data), unit)]
    return tag._replace(data=b"".join(parts))


def _write_tags(stream: BinaryIO, header: Header, tags: Tags) -> int:
    """Append a directory, the last of its chain, and return its offset."""
    room, count_code, size_code = (8, "Q", "Q") if header.big else (4, "H", "I")
    entries = []
    for name in sorted(tags):
        tag = tags[name]
        data = tag.data
        if len(data) > room:
            stream.write(b"\0" * (stream.seek(0, 2) % 2))
            place = stream.tell()
            stream.write(data)
            data = struct.pack(header.order + size_code, place)
        entry = struct.pack(header.order + "HH" + size_code, name, tag.kind, tag.length)
        entries.append(entry + data.ljust(room, b"\0"))
    stream.write(b"\0" * (stream.seek(0, 2) % 2))
    offset = stream.tell()
    stream.write(struct.pack(header.order + count_code, len(entries)))
    stream.write(b"".join(entries) + b"\0" * room)
    return offset


def _point_at(stream: BinaryIO, header: Header, offset: int) -> None:
    stream.seek(8 if header.big else 4)
    stream.write(struct.pack(header.order + ("Q" if header.big else "I"), offset))


def _long(header: Header, value: int) -> Tag:
    return Tag(4, 1, struct.pack(header.order + "I", value))


def _text(value: str) -> Tag:
    data = value.encode("utf-8") + b"\0"
    return Tag(2, len(data), data)


def _copy(
    source: BinaryIO,
    target: BinaryIO,
    *,
    headers: tuple[Header, Header],
    offset: int,
    depth: int = 0,
    everything: bool = False,
    without: frozenset[int] = frozenset(),
) -> Tags:
    """Copy what a directory tells about the picture into another file; return its tags there."""
    old, new = headers
    tags, _ = read_tags(source, old, offset)
    copied: Tags = {}
    for name, tag in tags.items():
        if name in without or (depth == 0 and not everything and name not in DESCRIPTIVE):
            continue
        if name in POINTERS:
            place = number(tags, name, old)
            if depth < 2 and place is not None:
                try:
                    inner = _copy(
                        source, target, headers=headers, offset=place, depth=depth + 1,
                        without=without,
                    )  # fmt: skip
                except ExifError:
                    continue
                place = _write_tags(target, new, inner)
                copied[name] = (
                    Tag(16, 1, struct.pack(new.order + "Q", place))
                    if new.big
                    else _long(new, place)
                )
        elif tag.kind < 16 or tag.kind == 129 or new.big:
            copied[name] = _swapped(tag, old, new)
    return copied


def read_orientation(block: bytes) -> int:
    """Return the orientation 1..8 that an EXIF block tells; 1 if it tells none or is damaged."""
    stream = io.BytesIO(block)
    try:
        header = read_header(stream)
        value = number(read_tags(stream, header, header.first)[0], ORIENTATION, header)
    except ExifError:
        return 1
    return value if value is not None and 1 <= value <= 8 else 1


def revise(
    block: bytes | None,
    *,
    width: int,
    height: int,
    software: str | None,
    dpi: tuple[float, float] | None = None,
    orientation: int = 1,
) -> bytes:
    """Bring an EXIF block up to date with the picture it will be written into.

    The orientation becomes that of the pixels, the color space sRGB, the size the new one; an
    embedded thumbnail is taken out, because it still shows the old picture. Everything else is
    kept.

    Args:
        block: the block from the byte order on (without ``Exif\\0\\0``), or None to begin a new
            one.
        width: in pixels, of the picture as it is stored.
        height: likewise.
        software: what wrote the picture, or None to leave that tag alone.
        dpi: resolution across and down, or None to leave those tags alone.
        orientation: 1..8, in which the pixels are stored; 1 is upright.

    Returns:
        The new block.

    Raises:
        ExifError: the block is damaged.
    """
    stream = io.BytesIO(block if block is not None else b"II*\0\0\0\0\0")
    header = read_header(stream)
    tags: Tags = {}
    if block is not None:
        tags, second = read_tags(stream, header, header.first)
        if second:
            _erase_thumbnail(stream, header, second)
        for name, value in ((WIDTH, width), (HEIGHT, height)):
            if name in tags:
                tags[name] = _long(header, value)
        place = number(tags, EXIF, header)
        if place is not None:
            _update_inside(stream, header, place, width=width, height=height)
    tags[ORIENTATION] = Tag(3, 1, struct.pack(header.order + "H", orientation))
    if software is not None:
        tags[SOFTWARE] = _text(software)
    if dpi is not None:
        for name, inch in zip(RESOLUTION, dpi, strict=True):
            tags[name] = Tag(5, 1, struct.pack(header.order + "II", round(inch * 1000), 1000))
        tags[UNIT] = Tag(3, 1, struct.pack(header.order + "H", 2))
    _point_at(stream, header, _write_tags(stream, header, tags))
    return stream.getvalue()


def slim(block: bytes, *, limit: int) -> tuple[bytes, str]:
    """Make an EXIF block small enough for a format, leaving out what is missed least.

    Args:
        block: as :func:`revise` returns it.
        limit: the most bytes it may have.

    Returns:
        The block, and in words what was left out.

    Raises:
        ExifError: it is damaged, or still too large.
    """
    source = io.BytesIO(block)
    old = read_header(source)
    for without, words in (
        (frozenset[int](), "unused bytes"),
        (frozenset({MAKER_NOTE}), "the camera maker's note"),
        (frozenset({MAKER_NOTE, USER_COMMENT, PRINT_IM}), "the camera maker's note and comments"),
    ):
        target = io.BytesIO(block[:8])
        target.seek(0, 2)
        tags = _copy(
            source, target, headers=(old, old), offset=old.first, everything=True, without=without
        )
        _point_at(target, old, _write_tags(target, old, tags))
        if len(target.getbuffer()) <= limit:
            return target.getvalue(), words
    raise ExifError(f"{len(block)} bytes are more than the {limit} that fit")


def _erase_thumbnail(stream: io.BytesIO, header: Header, offset: int) -> None:
    try:
        tags, _ = read_tags(stream, header, offset)
    except ExifError:
        return
    end = len(stream.getbuffer())
    for where, size in ((THUMBNAIL, THUMBNAIL_SIZE), (273, 279)):
        start, length = number(tags, where, header), number(tags, size, header)
        if start is None or length is None or start < 8 or start + length > end:
            continue
        if start + length == end:
            stream.truncate(start)
        else:
            stream.seek(start)
            stream.write(b"\0" * length)
        return


def _update_inside(
    stream: io.BytesIO, header: Header, offset: int, *, width: int, height: int
) -> None:
    """Overwrite size and color space where they stand in the Exif directory."""
    try:
        read_tags(stream, header, offset)
    except ExifError:
        return
    block = stream.getbuffer()
    (count,) = struct.unpack_from(header.order + "H", block, offset)
    values = {COLOR_SPACE: 1, PIXEL_WIDTH: width, PIXEL_HEIGHT: height}
    for entry in range(offset + 2, min(offset + 2 + 12 * count, len(block) - 11), 12):
        name, kind, length = struct.unpack_from(header.order + "HHI", block, entry)
        value = values.get(name)
        if value is not None and length == 1 and kind in (3, 4):
            kind = 3 if value < 65536 else 4
            code = "HI" + ("H2x" if kind == 3 else "I")
            struct.pack_into(header.order + code, block, entry + 2, kind, 1, value)


def from_tiff(stream: BinaryIO, *, page: int) -> tuple[bytes | None, int]:
    """Gather what a page of a TIFF file tells about its picture as an EXIF block.

    Args:
        stream: the file, seekable.
        page: the page, from 0.

    Returns:
        The block, or None if the file tells nothing; and the number of its compression [2] (1:
        none).

    Raises:
        ExifError: the file is damaged.
    """
    header = read_header(stream)
    offset = header.first
    for _ in range(page):
        offset = read_tags(stream, header, offset)[1]
    compression = number(read_tags(stream, header, offset)[0], COMPRESSION, header) or 1
    target = io.BytesIO(b"II*\0\0\0\0\0" if header.order == "<" else b"MM\0*\0\0\0\0")
    new = read_header(target)
    target.seek(0, 2)
    tags = _copy(stream, target, headers=(header, new), offset=offset)
    if not tags:
        return None, compression
    _point_at(target, new, _write_tags(target, new, tags))
    return target.getvalue(), compression


def into_tiff(stream: BinaryIO, block: bytes) -> None:
    """Write the tags of an EXIF block into the first page of a TIFF file.

    Args:
        stream: the file, open for reading and writing.
        block: an EXIF block as :func:`revise` returns it.

    Raises:
        ExifError: one of the two is damaged.
    """
    source = io.BytesIO(block)
    old = read_header(source)
    header = read_header(stream)
    tags, _ = read_tags(stream, header, header.first)
    tags.update(_copy(source, stream, headers=(old, header), offset=old.first))
    _point_at(stream, header, _write_tags(stream, header, tags))
