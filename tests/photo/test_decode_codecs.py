from __future__ import annotations

import io
import struct
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image

from made_pictures import ramp
from tinct import photo
from tinct.errors import PictureError
from tinct.photo import decode_codecs, encode_photo, open_photo

RGB = np.dstack([ramp(40, 56), ramp(40, 56)[::-1], ramp(40, 56)[:, ::-1]])


def written(array: np.ndarray, **settings: Any) -> bytes:
    held = io.BytesIO()
    tifffile.imwrite(held, array, **settings)
    return held.getvalue()


def packed(codes: np.ndarray, bits: int) -> bytes:
    """Codes (H, W) as a TIFF of ``bits`` bits a pixel, rows padded to whole bytes."""
    rows = [
        np.packbits(
            np.array([[int(b) for b in format(int(v), f"0{bits}b")] for v in row], np.uint8)
        ).tobytes()
        for row in codes
    ]
    data = b"".join(rows)
    height, width = codes.shape
    tags = [(256, 4, width), (257, 4, height), (258, 3, bits), (259, 3, 1), (262, 3, 1),
            (273, 4, 8), (277, 3, 1), (278, 4, height), (279, 4, len(data))]  # fmt: skip
    entries = b"".join(struct.pack("<HHII", name, kind, 1, value) for name, kind, value in tags)
    first = 8 + len(data) + len(data) % 2
    head = b"II*\0" + struct.pack("<I", first) + data + b"\0" * (len(data) % 2)
    return head + struct.pack("<H", len(tags)) + entries + b"\0\0\0\0"


@pytest.mark.parametrize("bits", [10, 12, 14])
def test_packed_grays_become_16_bits(bits: int) -> None:
    codes = np.arange(20 * 50).reshape(20, 50) * (2**bits - 1) // 999
    opened = open_photo(packed(codes, bits))
    wanted = np.rint(codes * 65535 / (2**bits - 1))
    assert opened.gray.dtype == np.uint16
    assert np.abs(opened.gray - wanted).max() <= 1
    assert opened.metadata.bits == bits


@pytest.mark.parametrize(
    "settings",
    [
        {"planarconfig": "separate", "tile": (16, 16)},
        {"compression": "lzma"},
        {"compression": "zstd"},
        {"compression": "jpeg2000", "compressionargs": {"reversible": True}},
        {"compression": "jpegxl", "compressionargs": {"lossless": True}},
        {"compression": "webp", "compressionargs": {"lossless": True}},
    ],
    ids=lambda held: held.get("compression", "planes"),
)
def test_rare_kinds_of_tiff_are_read_like_plain_ones(settings: dict[str, Any]) -> None:
    array = RGB if "planarconfig" not in settings else np.moveaxis(RGB, -1, 0)
    rare = written(array, photometric="rgb", **settings)
    plain = written(RGB, photometric="rgb")
    np.testing.assert_array_equal(open_photo(rare).gray, open_photo(plain).gray)


def test_video_colors_in_planes_are_converted() -> None:
    ycc = np.asarray(Image.fromarray(RGB).convert("YCbCr"))
    data = written(np.moveaxis(ycc, -1, 0), photometric="ycbcr", planarconfig="separate")
    data = data.replace(
        struct.pack("<HHIHH", 530, 3, 2, 2, 2), struct.pack("<HHIHH", 530, 3, 2, 1, 1)
    )
    plain = open_photo(written(RGB, photometric="rgb"))
    assert np.abs(open_photo(data).gray.astype(int) - plain.gray).max() <= 2


@pytest.mark.parametrize(("red", "blue"), [(0.299, 0.114), (0.2126, 0.0722)])
def test_video_colors_without_jpeg_are_no_rgb(red: float, blue: float) -> None:
    """TIFF 6.0, section 21: YCbCrCoefficients; gray colors with a tint, by hand."""
    rgb = np.empty((20, 30, 3))
    rgb[..., 0], rgb[..., 1], rgb[..., 2] = ramp(20, 30), 90, 120
    luma = red * rgb[..., 0] + (1 - red - blue) * rgb[..., 1] + blue * rgb[..., 2]
    cb = (rgb[..., 2] - luma) / (2 * (1 - blue)) + 128
    cr = (rgb[..., 0] - luma) / (2 * (1 - red)) + 128
    ycc = np.rint(np.dstack([luma, cb, cr])).astype(np.uint8)
    rationals = tuple(
        part for share in (red, 1 - red - blue, blue) for part in (round(share * 10_000), 10_000)
    )
    data = written(
        ycc, photometric="ycbcr", subsampling=(1, 1), extratags=[(529, 5, 3, rationals, True)]
    )
    plain = open_photo(written(np.rint(rgb).astype(np.uint8), photometric="rgb"))
    assert np.abs(open_photo(data).gray.astype(int) - plain.gray).max() <= 2


def test_24_bits_become_16() -> None:
    codes = ramp(20, 30).astype(np.uint32) * 65793
    data = written(codes, photometric="minisblack", bitspersample=24, compression=None)
    np.testing.assert_array_equal(open_photo(data).gray, codes >> 8)


def test_the_whole_picture_below_a_thumbnail_is_taken() -> None:
    held = io.BytesIO()
    whole = ramp(64, 96)
    with tifffile.TiffWriter(held) as out:
        out.write(whole[::8, ::8], subfiletype=1, subifds=1, photometric="minisblack")
        out.write(whole, photometric="minisblack")
    np.testing.assert_array_equal(open_photo(held.getvalue()).gray, whole)


def test_raw_data_below_a_thumbnail_is_refused_in_one_sentence() -> None:
    held = io.BytesIO()
    with tifffile.TiffWriter(held) as out:
        out.write(RGB[::8, ::8], subfiletype=1, subifds=1, photometric="rgb")
        out.write(ramp(64, 96), photometric="cfa")
    with pytest.raises(PictureError, match="raw data; develop it first"):
        open_photo(held.getvalue())


@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize("clear", [False, True])
def test_jpeg_xl_is_written_and_read_by_others(wide: bool, clear: bool, tmp_path: Path) -> None:
    gray = ramp(40, 56).astype(np.uint16) * 257 if wide else ramp(40, 56)
    source = np.dstack([gray, gray[:, ::-1]]) if clear else gray
    before = photo.from_array(source)
    rgb = np.dstack([gray, gray, gray // 2])
    photo.save_photo(rgb, before, tmp_path / "out.jxl")
    data = (tmp_path / "out.jxl").read_bytes()
    seen = imagecodecs.jpegxl_decode(data)
    assert seen.dtype == gray.dtype
    assert seen.shape == (40, 56, 4 if clear else 3)
    step = np.abs(seen[..., :3].astype(float) - rgb).max()
    assert step == 0 if wide else step < 24
    back = open_photo(tmp_path / "out.jxl")
    assert (back.alpha is not None) is clear
    assert back.metadata.format == "jxl"
    assert back.metadata.exif is not None


def test_exif_of_a_jpeg_goes_into_jpeg_xl_and_back() -> None:
    tags = Image.Exif()
    tags[271] = "Ernemann"
    held = io.BytesIO()
    Image.fromarray(ramp(24, 32)).save(held, "JPEG", exif=tags)
    opened = open_photo(held.getvalue())
    made = encode_photo(np.repeat(opened.gray[..., None], 3, 2), opened, format="jxl")
    block = open_photo(made).metadata.exif
    assert block is not None
    again = Image.Exif()
    again.load(block)
    assert again[271] == "Ernemann"


def test_jpeg_xl_tells_its_size_before_it_is_decoded() -> None:
    for height, width in ((8, 8), (64, 48), (100, 300), (1, 700), (256, 256), (90, 160)):
        data = imagecodecs.jpegxl_encode(np.zeros((height, width), np.uint8), lossless=True)
        assert decode_codecs.jxl_size(data.ljust(12, b"\0")) == (width, height)
    with pytest.raises(PictureError, match="300 x 100 pixels, more than"):
        open_photo(
            imagecodecs.jpegxl_encode(np.zeros((100, 300), np.uint8), lossless=True),
            max_pixels=1000,
        )


def test_jpeg_of_12_bits_becomes_16() -> None:
    codes = ramp(48, 64).astype(np.uint16) * 16
    opened = open_photo(imagecodecs.jpeg8_encode(codes, level=98, bitspersample=12))
    assert opened.gray.dtype == np.uint16
    assert np.abs(opened.gray.astype(int) - codes.astype(int) * 65535 // 4095).max() < 300


@pytest.mark.parametrize(
    "data",
    [
        imagecodecs.jpegxl_encode(RGB)[:-30],
        imagecodecs.jpeg8_encode(ramp(48, 64).astype(np.uint16), bitspersample=12)[:150],
        written(RGB, photometric="rgb", compression="lzma")[:-60],
        packed(np.zeros((20, 50), int), 12)[:200] + packed(np.zeros((20, 50), int), 12)[400:],
    ],
    ids=["jxl", "jpeg", "lzma", "packed"],
)
def test_damage_is_one_sentence(data: bytes) -> None:
    with pytest.raises(PictureError, match=r"damaged|not a picture"):
        open_photo(data)


def test_without_the_extra_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decode_codecs, "works", lambda: False)
    for data in (
        imagecodecs.jpegxl_encode(RGB),
        imagecodecs.jpeg8_encode(ramp(48, 64).astype(np.uint16), bitspersample=12),
        packed(np.zeros((20, 50), int), 12),
    ):
        with pytest.raises(PictureError, match=r"pip install 'tinct\[formats\]'"):
            open_photo(data)
