from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from PIL import Image

from made_pictures import ramp
from tinct.errors import PictureError
from tinct.photo import open_photo

GRAY = ramp(40, 56)


def psd(planes: np.ndarray, *, depth: int = 8, mode: int) -> bytes:
    """Planes (C, H, W) as a Photoshop file without layers (Adobe, File Formats Specification)."""
    count, height, width = planes.shape
    head = b"8BPS" + struct.pack(">H6xHIIHH", 1, count, height, width, depth, mode)
    return head + b"\0" * 12 + b"\0\0" + planes.astype(f">u{depth // 8}").tobytes()


def saved(kind: str, **more: object) -> bytes:
    held = io.BytesIO()
    Image.fromarray(GRAY).convert("RGB").save(held, kind, **more)
    return held.getvalue()


def test_photoshop_files_are_read_flattened() -> None:
    np.testing.assert_array_equal(open_photo(psd(GRAY[None], mode=1)).gray, GRAY)
    colors = open_photo(psd(np.stack([GRAY, GRAY, GRAY]), mode=3))
    np.testing.assert_array_equal(colors.gray, GRAY)


@pytest.mark.parametrize("options", [{}, {"compression": "tga_rle"}])
def test_targa_is_known_by_its_header(options: dict[str, str]) -> None:
    np.testing.assert_array_equal(open_photo(saved("TGA", **options)).gray, GRAY)


def test_an_icon_gives_its_largest_picture() -> None:
    data = saved("ICO", sizes=[(16, 12), (48, 34)])
    assert open_photo(data).gray.shape == (34, 48)


def test_the_first_picture_of_an_mpo_is_read() -> None:
    held = io.BytesIO()
    first, second = Image.fromarray(GRAY), Image.fromarray(GRAY[::-1].copy())
    first.save(held, "MPO", save_all=True, append_images=[second], quality=98)
    assert np.abs(open_photo(held.getvalue()).gray.astype(int) - GRAY).max() < 8


def test_reserved_bytes_of_a_bitmap_may_hold_anything() -> None:
    data = bytearray(saved("BMP"))
    data[6:10] = b"tool"
    np.testing.assert_array_equal(open_photo(bytes(data)).gray, GRAY)


def test_photoshop_files_of_16_bits_are_refused_in_one_sentence() -> None:
    with pytest.raises(PictureError, match="PSD that is damaged, cut short or of an unusual kind"):
        open_photo(psd(GRAY[None].astype(np.uint16) * 257, depth=16, mode=1))


def test_text_is_no_targa() -> None:
    for text in (b"a letter to my aunt, in plain text", b"\0" * 64, bytes(range(64))):
        with pytest.raises(PictureError, match="not a picture tinct knows"):
            open_photo(text)
