"""Color a gray JPEG without touching its gray, and take the color back.

A gray JPEG is a luma plane. The colored file has three components, each in scans of its own: the
gray file's entropy-coded data byte for byte, then Cb and Cr, at half size. The scan of a single
component has the same blocks whatever the sampling factors [1, A.2.2], and tables may be defined
anew between scans [1, B.2.4]. Where the gray has restart markers the chroma has full size: Go's
image/jpeg counts restart intervals in squares of all components, which are the luma's blocks only
then. What the gray file held beside its scans is kept in APP7 segments, so
that it can be restored byte for byte.

References:
    [1] ITU-T T.81 (JPEG), annexes A and B.
    [2] ITU-T T.871 (JFIF): Y, Cb and Cr of Rec. 601 in full range.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tinct import libvips
from tinct.photo.jpeg_markers import (
    APP0,
    APP1,
    APP2,
    APP7,
    APP14,
    BASELINE,
    COM,
    DHT,
    DQT,
    DRI,
    EXTENDED,
    FRAMES,
    PROGRESSIVE,
    SOS,
    Jpeg,
    JpegError,
    Segment,
    joined,
    parse,
    parted,
    segment,
)

NAME = b"tinct gray\0"
"""How the APP7 segments begin that hold what is needed to restore the gray file."""
CHROMA_QUALITY = 88
MOST_BESIDE = 200 * 65_000
"""Bytes beside the scans that can be kept."""
REPLACED = {
    APP1: (b"Exif\0", b"http://ns.adobe.com/"),
    APP2: (b"ICC_PROFILE\0", b"MPF\0"),
    APP7: (NAME,),
}
"""Segments of the gray file whose content is written anew, or no longer holds."""
JFIF = segment(APP0, b"JFIF\0\1\2\0\0\1\0\1\0\0")


@dataclass(frozen=True)
class Extras:
    """Metadata of the colored file; None where it has none.

    Attributes:
        exif: block from the byte order on.
        xmp: packet.
        icc: profile.
    """

    exif: bytes | None = None
    xmp: bytes | None = None
    icc: bytes | None = None


def obstacle(jpeg: Jpeg) -> str:
    """Say why a JPEG's gray cannot be kept as it is coded; nothing if it can.

    Raises:
        JpegError: it is damaged.
    """
    frame = jpeg.frame
    cases = (
        (frame.kind not in (BASELINE, EXTENDED, PROGRESSIVE), "it is coded in a rare way"),
        (frame.bits != 8, f"it has {frame.bits} bits"),
        (len(frame.components) != 1, "it is stored in color"),
        (not frame.height or not frame.width, "it does not tell its height"),
        (_free_table(jpeg) is None, "it uses every quantization table"),
        (not any(one.marker == SOS for one in jpeg.segments), "it has no scan"),
    )
    return next((why for holds, why in cases if holds), "")


def splice(
    jpeg: Jpeg,
    chroma: tuple[NDArray[np.uint8], NDArray[np.uint8]],
    extras: Extras,
    *,
    memory: bytes | None = None,
) -> bytes:
    """Join a gray JPEG with color.

    Args:
        jpeg: taken apart; :func:`obstacle` has nothing against it.
        chroma: Cb and Cr, uint8 (ceil(H / 2), ceil(W / 2)), 128 is neutral [2], in the orientation
            in which the gray is stored.
        extras: metadata of the colored file.
        memory: what :func:`memory_of` gave, if it was asked already.

    Returns:
        The colored JPEG.

    Raises:
        JpegError: the gray JPEG is damaged, or holds too much beside its scans.
    """
    frame = jpeg.frame
    luma = frame.components[0]
    names = (luma.name, (luma.name + 1) % 256, (luma.name + 2) % 256)
    table = _free_table(jpeg)
    assert table is not None
    whole = _has_restarts(jpeg)

    def code(plane: NDArray[np.uint8]) -> Jpeg:
        size = (frame.height, frame.width) if whole else plane.shape
        return _coded(plane, size=size, progressive=frame.kind == PROGRESSIVE)

    with ThreadPoolExecutor(2) as pool:
        coded = list(pool.map(code, chroma))
    out = [b"\xff\xd8", *_head(jpeg, extras), *parted(APP7, NAME, memory or memory_of(jpeg))]
    quantizer = next(one for one in coded[0].segments if one.marker == DQT)
    body = coded[0].body(quantizer)
    out.append(segment(DQT, bytes((body[0] & 0xF0 | table,)) + body[1:]))
    for one in jpeg.segments:
        if one.marker in FRAMES:
            body = struct.pack(">BHHB", 8, frame.height, frame.width, 3)
            body += bytes((names[0], 0x11 if whole else 0x22, luma.table))
            body += bytes((names[1], 0x11, table, names[2], 0x11, table))
            out.append(segment(frame.kind, body))
        elif one.marker in (SOS, DHT, DQT, DRI):
            out.append(jpeg.bytes_of(one))
    out.append(segment(DRI, b"\0\0"))
    for name, plane in zip(names[1:], coded, strict=True):
        for one in plane.segments:
            if one.marker == DHT:
                out.append(plane.bytes_of(one))
            elif one.marker == SOS:
                scan = bytearray(plane.bytes_of(one))
                scan[one.body - one.start + 1] = name
                out.append(bytes(scan))
    out.append(b"\xff\xd9")
    return b"".join(out)


def _has_restarts(jpeg: Jpeg) -> bool:
    """Tell whether any scan may hold restart markers."""
    return any(one.marker == DRI and any(jpeg.body(one)) for one in jpeg.segments)


def _coded(plane: NDArray[np.uint8], *, size: tuple[int, ...], progressive: bool) -> Jpeg:
    """Encode one chroma plane as a gray JPEG of its own, enlarged twice if that is its size."""
    image = libvips.image_of(plane, interpretation="b-w")
    if size != plane.shape:
        height, width = size
        image = image.resize(2, kernel="linear").crop(0, 0, width, height)
    return parse(bytes(image.jpegsave_buffer(Q=CHROMA_QUALITY, interlace=progressive, keep="none")))


def _free_table(jpeg: Jpeg) -> int | None:
    """Return a quantization table that the gray JPEG leaves free; the luma's is never taken."""
    used = {component.table for component in jpeg.frame.components}
    for one in jpeg.segments:
        if one.marker == DQT:
            body, at = jpeg.body(one), 0
            while at < len(body):
                used.add(body[at] & 15)
                at += 129 if body[at] >> 4 else 65
    return next((number for number in (1, 0, 2, 3) if number not in used), None)


def _head(jpeg: Jpeg, extras: Extras) -> list[bytes]:
    """Return the segments before the tables: JFIF, metadata, and the gray file's own others."""
    own = [one for one in jpeg.segments if 0xE0 <= one.marker <= 0xEF or one.marker == COM]
    first = [jpeg.bytes_of(one) for one in own if one.marker == APP0]
    if not first and jpeg.frame.components[0].name != 1:
        first = [JFIF]  # it says that these are Y, Cb and Cr, where their names do not
    if extras.exif is not None:
        first.append(segment(APP1, b"Exif\0\0" + extras.exif))
    if extras.xmp is not None:
        first.append(segment(APP1, b"http://ns.adobe.com/xap/1.0/\0" + extras.xmp))
    if extras.icc is not None:
        # The parts of a profile are counted from 1 (ICC.1, B.4); those that tinct writes are one.
        first.append(segment(APP2, b"ICC_PROFILE\0\1\1" + extras.icc))
    for one in own:
        body = jpeg.body(one)
        if one.marker == APP14 and body.startswith(b"Adobe") and len(body) >= 12:
            first.append(segment(APP14, body[:11] + b"\1" + body[12:]))  # 1: Y, Cb, Cr
        elif one.marker != APP0 and not any(map(body.startswith, REPLACED.get(one.marker, ()))):
            first.append(jpeg.bytes_of(one))
    return first


def _luma_scans(jpeg: Jpeg) -> list[Segment]:
    """Return the scans of the first component alone."""
    first = (jpeg.frame.components[0].name,)
    scans = [one for one in jpeg.segments if one.marker == SOS]
    return [one for one in scans if jpeg.scan_names(one) == first]


def _hash_of(jpeg: Jpeg, scans: list[Segment]) -> bytes:
    total = hashlib.sha256()
    for one in scans:
        total.update(memoryview(jpeg.data)[one.start : one.end])
    return total.digest()


def memory_of(jpeg: Jpeg) -> bytes:
    """Return what restores the gray file: hashes, and what it holds beside its scans.

    Raises:
        JpegError: that is more than can be kept.
    """
    scans = _luma_scans(jpeg)
    cuts = [0, *(place for one in scans for place in (one.start, one.end)), len(jpeg.data)]
    beside = [jpeg.data[cuts[at] : cuts[at + 1]] for at in range(0, len(cuts), 2)]
    packed = zlib.compress(b"".join(struct.pack(">I", len(part)) + part for part in beside), 6)
    if sum(map(len, beside)) + 4 * len(beside) > MOST_BESIDE:
        raise JpegError(f"{sum(map(len, beside))} bytes beside its scans are more than can be kept")
    whole = hashlib.sha256(jpeg.data).digest()
    return b"\1" + whole + _hash_of(jpeg, scans) + packed


def restore(jpeg: Jpeg) -> bytes:
    """Return the gray file that a colored JPEG was made from, byte for byte.

    Raises:
        JpegError: it was not made by :func:`splice`, or has been changed since.
    """
    memory = joined(jpeg, APP7, NAME)
    if memory is None or memory[:1] != b"\1" or len(memory) < 65:
        raise JpegError("no gray original is kept in it")
    scans = _luma_scans(jpeg)
    if _hash_of(jpeg, scans) != memory[33:65]:
        raise JpegError("its gray has been changed since it was colored")
    try:
        packed = zlib.decompressobj()
        rest = packed.decompress(memory[65:], MOST_BESIDE)
    except zlib.error as error:
        raise JpegError(f"what is kept of the original is damaged ({error})") from error
    parts: list[bytes] = []
    while rest:
        (length,) = struct.unpack_from(">I", rest.ljust(4, b"\0"))
        parts.append(rest[4 : 4 + length])
        rest = rest[4 + length :]
    if len(parts) != len(scans) + 1:
        raise JpegError("what is kept of the original is damaged")
    whole = [parts[0]]
    for one, part in zip(scans, parts[1:], strict=True):
        whole += [jpeg.bytes_of(one), part]
    data = b"".join(whole)
    if hashlib.sha256(data).digest() != memory[1:33]:
        raise JpegError("what is kept of the original is damaged")
    return data
