"""EXIF blocks and TIFF tags, read back by Pillow and tifffile; damaged ones."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from made_pictures import MAKER_NOTE, exif_block, pil_bytes, ramp, tiff_bytes
from tinct.photo import exif


def read(block: bytes) -> Image.Exif:
    tags = Image.Exif()
    tags.load(b"Exif\0\0" + block)
    return tags


def thumbnail(block: bytes) -> int:
    """Return where the second directory, that of the thumbnail, begins; 0: there is none."""
    order = "<" if block[:2] == b"II" else ">"
    (first,) = struct.unpack_from(order + "I", block, 4)
    (count,) = struct.unpack_from(order + "H", block, first)
    return int(struct.unpack_from(order + "I", block, first + 2 + 12 * count)[0])


@pytest.mark.parametrize("order", ["<", ">"])
def test_revise_changes_what_is_stale_and_nothing_else(order: str) -> None:
    old = exif_block(orientation=6, order=order, thumbnail=b"\xff\xd8an old thumbnail")
    new = exif.revise(old, width=300, height=70_000, software="tinct 1.2.3", dpi=(300, 150))
    before, after = read(old), read(new)
    changed = {0x0112: 1, 0x0131: "tinct 1.2.3", 282: 300, 283: 150, 296: 2}
    for tag in set(before) | set(after) - {0x8769, 0x8825}:
        if tag not in (0x8769, 0x8825):
            assert after[tag] == changed.get(tag, before.get(tag))
    inside, wanted = dict(after.get_ifd(0x8769)), dict(before.get_ifd(0x8769))
    assert inside == wanted | {0xA001: 1, 0xA002: 300, 0xA003: 70_000}
    assert dict(after.get_ifd(0x8825)) == dict(before.get_ifd(0x8825))
    assert thumbnail(old)
    assert not thumbnail(new)
    assert b"an old thumbnail" not in new
    assert old.index(MAKER_NOTE) == new.index(MAKER_NOTE)  # offsets inside it still hold
    assert exif.read_orientation(old) == 6
    assert exif.read_orientation(new) == 1


def test_revise_begins_a_block() -> None:
    tags = read(exif.revise(None, width=3, height=4, software="tinct ü"))
    assert tags[0x0112] == 1
    assert "tinct" in tags[0x0131]
    assert dict(read(exif.revise(None, width=3, height=4, software=None))) == {0x0112: 1}


def test_thumbnails_in_the_middle_are_blanked() -> None:
    old = exif_block(thumbnail=b"\xff\xd8an old thumbnail") + b"something after"
    new = exif.revise(old, width=1, height=1, software=None)
    assert b"an old thumbnail" not in new
    assert b"something after" in new


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("block_order", ["<", ">"])
def test_tags_move_into_tiff_files_and_back(big: bool, order: str, block_order: str) -> None:
    stream = io.BytesIO(tiff_bytes(ramp(), bigtiff=big, byteorder=order, metadata=None))
    exif.into_tiff(stream, exif_block(order=block_order))
    with tifffile.TiffFile(io.BytesIO(stream.getvalue())) as file:
        page = file.pages[0]
        assert isinstance(page, tifffile.TiffPage)
        np.testing.assert_array_equal(page.asarray(), ramp())
        assert page.tags["Artist"].value == "Somebody"
        inside = page.tags["ExifTag"].value
        assert inside["ExposureTime"] in ((1, 125), (0.008))
        assert inside["DateTimeOriginal"] == "1931:02:03 04:05:06"
        assert page.tags["GPSTag"].value["GPSLatitudeRef"] == "N"
    block, compression = exif.from_tiff(stream, page=0)
    assert compression == 1
    assert block is not None
    tags, wanted = read(block), read(exif_block(order=block_order))
    assert dict(tags.get_ifd(0x8769)) == dict(wanted.get_ifd(0x8769))
    assert dict(tags.get_ifd(0x8825)) == dict(wanted.get_ifd(0x8825))
    assert tags[0x8298] == "Public domain"


def test_pages_have_their_own_tags() -> None:
    first, second = (Image.fromarray(ramp()) for _ in range(2))
    data = pil_bytes(first, "TIFF", save_all=True, append_images=[second], description="both")
    block, _ = exif.from_tiff(io.BytesIO(data), page=1)
    assert block is not None
    assert read(block)[270] == "both"
    with pytest.raises(exif.ExifError):
        exif.from_tiff(io.BytesIO(data), page=2)
    plain = tiff_bytes(ramp(), metadata=None, software=False, description=None)
    assert exif.from_tiff(io.BytesIO(plain), page=0)[0] is None


@pytest.mark.parametrize(
    "block",
    [
        b"",
        b"II*\0",
        b"XX*\0\x08\0\0\0",
        b"II\0\0\x08\0\0\0",
        b"II*\0\xff\xff\0\0",
        b"II*\0\x08\0\0\0\xff\xff",
    ],
)
def test_damaged_blocks(block: bytes) -> None:
    with pytest.raises(exif.ExifError):
        exif.revise(block, width=1, height=1, software=None)
    assert exif.read_orientation(block) == 1


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 699), st.integers(0, 255)), max_size=12),
    st.sampled_from("<>"),
)
def test_mutated_blocks_never_surprise(changes: list[tuple[int, int]], order: str) -> None:
    block = bytearray(exif_block(order=order, thumbnail=b"thumbnail"))
    for place, value in changes:
        block[place % len(block)] = value
    try:
        new = exif.revise(bytes(block), width=5, height=6, software="tinct")
    except exif.ExifError:
        return
    assert exif.read_orientation(new) == 1
    stream = io.BytesIO(tiff_bytes(ramp()))
    exif.into_tiff(stream, new)
    with tifffile.TiffFile(io.BytesIO(stream.getvalue())) as file:
        np.testing.assert_array_equal(file.pages[0].asarray(), ramp())


def test_a_directory_cannot_fill_the_memory() -> None:
    """Thousands of tags that all point at the same large place."""

    def entry(number: int) -> bytes:
        return struct.pack("<HHII", number, 7, 1 << 22, 60_000)

    block = b"II*\0\x08\0\0\0" + (4000).to_bytes(2, "little") + b"".join(map(entry, range(4000)))
    block = block.ljust(60_000, b"\0") + bytes(1 << 22)
    stream = io.BytesIO(block)
    tags, _ = exif.read_tags(stream, exif.read_header(stream), 8)
    assert sum(len(tag.data) for tag in tags.values()) <= exif.LIMIT
