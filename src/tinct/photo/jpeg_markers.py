"""Take a JPEG apart into its segments and scans, byte for byte.

References:
    [1] ITU-T T.81 (JPEG), annex B.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

SOI, EOI, SOS, DQT, DHT, DRI, DNL, COM = 0xD8, 0xD9, 0xDA, 0xDB, 0xC4, 0xDD, 0xDC, 0xFE
BASELINE, EXTENDED, PROGRESSIVE = 0xC0, 0xC1, 0xC2
FRAMES = tuple(marker for marker in range(0xC0, 0xD0) if marker not in (DHT, 0xC8, 0xCC))
APP0, APP1, APP2, APP7, APP13, APP14 = 0xE0, 0xE1, 0xE2, 0xE7, 0xED, 0xEE
ALONE = (0x01, *range(0xD0, 0xD8))
"""Markers without a length beside SOI and EOI: TEM and RSTn."""


ENDING = re.compile(rb"\xff[^\x00\xd0-\xd7]")


class JpegError(ValueError):
    """The file is cut short, damaged, or not of this form."""


@dataclass(frozen=True)
class Segment:
    """A marker segment, and what is coded behind it if it begins a scan.

    Attributes:
        marker: its second byte.
        start: where it begins in the file, at FF (or at fill bytes before it).
        body: where its body begins, after the length.
        stop: where its body ends.
        end: where the next segment begins: after a scan's entropy-coded data.
    """

    marker: int
    start: int
    body: int
    stop: int
    end: int


@dataclass(frozen=True)
class Component:
    """A component of a frame header: its name, sampling factors and quantization table."""

    name: int
    across: int
    down: int
    table: int


@dataclass(frozen=True)
class FrameHeader:
    """A frame header: kind (its marker), bits a sample, size, components."""

    kind: int
    bits: int
    height: int
    width: int
    components: tuple[Component, ...]


@dataclass(frozen=True)
class Jpeg:
    """A JPEG taken apart.

    Attributes:
        data: the whole file.
        segments: everything from SOI to before EOI, in order and without gaps.
        end: where EOI begins; what follows it is no part of the picture.
    """

    data: bytes
    segments: tuple[Segment, ...]
    end: int

    @property
    def frame(self) -> FrameHeader:
        """The frame header.

        Raises:
            JpegError: there is none, or more than one, or it is damaged.
        """
        found = [segment for segment in self.segments if segment.marker in FRAMES]
        if len(found) != 1:
            raise JpegError(f"{len(found)} frames")
        body = self.body(found[0])
        if len(body) < 6 or len(body) != 6 + 3 * body[5]:
            raise JpegError("a frame header that is cut short")
        components = tuple(
            Component(body[at], body[at + 1] >> 4, body[at + 1] & 15, body[at + 2])
            for at in range(6, len(body), 3)
        )
        height, width = int.from_bytes(body[1:3], "big"), int.from_bytes(body[3:5], "big")
        return FrameHeader(found[0].marker, body[0], height, width, components)

    def body(self, segment: Segment) -> bytes:
        """Return a segment's body, without marker and length."""
        return self.data[segment.body : segment.stop]

    def bytes_of(self, segment: Segment) -> bytes:
        """Return a segment as it stands in the file, with entropy-coded data behind it."""
        return self.data[segment.start : segment.end]

    def scan_names(self, segment: Segment) -> tuple[int, ...]:
        """Return the names of the components in a scan, from its header."""
        body = self.body(segment)
        if not body or len(body) != 4 + 2 * body[0]:
            raise JpegError("a scan header that is cut short")
        return tuple(body[1 : 1 + 2 * body[0] : 2])


def parse(data: bytes) -> Jpeg:
    """Take a JPEG apart.

    Raises:
        JpegError: it does not run from SOI over segments and scans to EOI.
    """
    if data[:2] != b"\xff\xd8":
        raise JpegError("no SOI at its start")
    segments = [Segment(SOI, 0, 2, 2, 2)]
    place = 2
    while True:
        at = place
        while data[at : at + 1] == b"\xff" and data[at + 1 : at + 2] == b"\xff":
            at += 1  # fill bytes [1, B.1.1.2]
        if at + 2 > len(data) or data[at] != 0xFF:
            raise JpegError(f"no marker at {at}")
        marker = data[at + 1]
        if marker == EOI:
            return Jpeg(data, tuple(segments), place)
        if marker in ALONE:
            segments.append(Segment(marker, place, at + 2, at + 2, at + 2))
            place = at + 2
            continue
        size = int.from_bytes(data[at + 2 : at + 4], "big")
        stop = at + 2 + size
        if marker in (0x00, SOI) or size < 2 or stop > len(data):
            raise JpegError(f"a segment at {at} that is damaged")
        end = _end_of_scan(data, stop) if marker == SOS else stop
        segments.append(Segment(marker, place, at + 4, stop, end))
        place = end


def _end_of_scan(data: bytes, place: int) -> int:
    """Return where entropy-coded data ends: at a marker that is no RSTn."""
    found = ENDING.search(data, place)
    if found is None:
        raise JpegError("a scan that is cut short")
    return found.start()


def segment(marker: int, body: bytes) -> bytes:
    """Return a marker segment.

    Raises:
        JpegError: its body is longer than 65 533 bytes.
    """
    if len(body) > 65_533:
        raise JpegError(f"{len(body)} bytes do not fit into a segment")
    return bytes((0xFF, marker)) + (len(body) + 2).to_bytes(2, "big") + body


def parted(marker: int, name: bytes, content: bytes, *, room: int = 65_000) -> Iterator[bytes]:
    """Give segments that hold a long content, each with its number and their count."""
    count = max(1, -(-len(content) // room))
    for number in range(count):
        part = content[number * room : (number + 1) * room]
        yield segment(marker, name + bytes((number, count)) + part)


def joined(jpeg: Jpeg, marker: int, name: bytes) -> bytes | None:
    """Return what :func:`parted` spread over segments; None if none or a part lacks."""
    parts: dict[int, bytes] = {}
    count = 0
    for one in jpeg.segments:
        body = jpeg.body(one)
        if one.marker == marker and body.startswith(name) and len(body) >= len(name) + 2:
            number, count = body[len(name)], body[len(name) + 1]
            parts[number] = body[len(name) + 2 :]
    if not count or sorted(parts) != list(range(count)):
        return None
    return b"".join(parts[number] for number in range(count))
