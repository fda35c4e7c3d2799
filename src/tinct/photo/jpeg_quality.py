"""Read from the header of a JPEG its size and how strongly it was compressed.

References:
    [1] ITU-T T.81 (JPEG), annexes B and K.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tinct.photo.metadata import Subsampling

# The luma table of [1, K.1], at quality 50 of the usual scale, in the zigzag order of files.
LUMA = np.array(
    [
        16, 11, 12, 14, 12, 10, 16, 14, 13, 14, 18, 17, 16, 19, 24, 40,
        26, 24, 22, 22, 24, 49, 35, 37, 29, 40, 58, 51, 61, 60, 57, 51,
        56, 55, 64, 72, 92, 78, 64, 68, 87, 69, 55, 56, 80, 109, 81, 87,
        95, 98, 103, 104, 103, 62, 77, 113, 121, 112, 100, 120, 92, 101, 103, 99,
    ]
)  # fmt: skip


def read_jpeg(stream: BinaryIO) -> tuple[int | None, Subsampling | None]:
    """Estimate the quality of a JPEG from its luma table, and read its subsampling.

    Returns:
        The quality 1..100 whose standard table is nearest, and the subsampling (None: gray); None
        where the file does not tell.
    """
    tables: dict[int, NDArray[Any]] = {}
    for marker, body in _segments(stream):
        if marker == 0xDB:
            at = 0
            while at < len(body):
                wide, name = body[at] >> 4, body[at] & 15
                length = 128 if wide else 64
                if len(body) < at + 1 + length:
                    return None, None
                tables[name] = np.frombuffer(body, ">u2" if wide else "u1", 64, at + 1).astype(
                    np.int64
                )
                at += 1 + length
        elif _is_frame(marker, body):
            table = tables.get(body[8])
            return (None if table is None else _quality(table)), _subsampling(body)
    return None, None


class Frame(NamedTuple):
    """What a frame header says: bits a sample, and the size."""

    bits: int
    width: int
    height: int


def read_frame(stream: BinaryIO) -> Frame | None:
    """Read the first frame header of a JPEG; None where it has none."""
    for marker, body in _segments(stream):
        if _is_frame(marker, body):
            height, width = struct.unpack_from(">HH", body, 1)
            return Frame(body[0], width, height)
    return None


def _segments(stream: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Give marker and body of the segments before the first scan, as far as they are sound."""
    stream.seek(2)
    while True:
        marker = stream.read(2)
        while marker == b"\xff\xff":
            marker = b"\xff" + stream.read(1)
        size = int.from_bytes(stream.read(2), "big") - 2
        if len(marker) < 2 or marker[0] != 0xFF or size < 0 or marker[1] in (0xD9, 0xDA):
            return
        yield marker[1], stream.read(size)


def _is_frame(marker: int, body: bytes) -> bool:
    return 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC) and len(body) >= 9


def _quality(table: NDArray[Any]) -> int:
    qualities = np.arange(1, 101)
    scale = np.where(qualities < 50, 5000 // qualities, 200 - 2 * qualities)
    standard = np.clip((LUMA * scale[:, None] + 50) // 100, 1, 255)
    return int(qualities[np.abs(standard - table).sum(axis=1).argmin()])


def _subsampling(frame: bytes) -> Subsampling | None:
    if frame[5] != 3 or len(frame) < 15:
        return None
    luma, chroma = frame[7], frame[10]
    across, down = (luma >> 4) / max(chroma >> 4, 1), (luma & 15) / max(chroma & 15, 1)
    if across <= 1 and down <= 1:
        return "4:4:4"
    return "4:2:0" if across > 1 and down > 1 else "4:2:2"
