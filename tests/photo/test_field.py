"""Files that people really have: each a kind that once came out wrong, made small here."""

from __future__ import annotations

import io
import os
import struct
import warnings
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pillow_heif
import pytest
import tifffile
from PIL import Image, TiffImagePlugin

from made_pictures import ramp
from tinct import photo
from tinct.color import lightness_to_gray
from tinct.errors import PictureError
from tinct.photo import PictureWarning, decode_codecs, encode_photo, open_photo, save_photo


def png(gray: np.ndarray, *chunks: tuple[bytes, bytes]) -> bytes:
    """A gray PNG with chunks before its pixels."""
    held = io.BytesIO()
    Image.fromarray(gray).save(held, "PNG")
    data = held.getvalue()
    place = data.index(b"IDAT") - 4
    made = b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
    )
    return data[:place] + made + data[place:]


def tiff(array: np.ndarray, tags: dict[int, Any] | None = None, **more: Any) -> bytes:
    held = io.BytesIO()
    directory = TiffImagePlugin.ImageFileDirectory_v2()
    for name, value in (tags or {}).items():
        directory[name] = value
    Image.fromarray(array).save(held, "TIFF", tiffinfo=directory, **more)
    return held.getvalue()


def changed(data: bytes, name: int, *, value: int, kind: int | None = None) -> bytes:
    """A little-endian TIFF with another value, and perhaps type, of a tag of its first page."""
    offset = struct.unpack_from("<I", data, 4)[0]
    block = bytearray(data)
    for number in range(struct.unpack_from("<H", data, offset)[0]):
        place = offset + 2 + 12 * number
        found, held, length = struct.unpack_from("<HHI", data, place)
        if found == name:
            struct.pack_into("<HHI", block, place, name, kind or held, length)
            block[place + 8 : place + 12] = struct.pack("<I", value)
            return bytes(block)
    raise AssertionError(name)


def recolored(picture: photo.Photo) -> np.ndarray:
    return np.repeat(picture.gray[..., None], 3, axis=2)


# ------------------------------------------------------------------------------- texts in PNG


@pytest.mark.parametrize(
    ("kind", "body", "wanted"),
    [
        (b"tEXt", "Schlüssel\0Wert".encode("latin-1"), ("Schlüssel", "Wert")),
        (b"tEXt", "Author\0Jürgen Müller".encode("latin-1"), ("Author", "Jürgen Müller")),
        (b"tEXt", "Author\0Ælfgifu €".encode(), ("Author", "Ælfgifu €")),
        (b"zTXt", b"Title\0\0" + zlib.compress("Größe".encode("latin-1")), ("Title", "Größe")),
        (b"iTXt", b"Title\0\0\0de\0Titel\0" + "Straße 1912 ♥".encode(), ("Title", "Straße 1912 ♥")),
        (b"iTXt", b"Title\0\1\0\0\0" + zlib.compress("夏".encode()), ("Title", "夏")),
    ],
)
def test_texts_in_any_encoding_are_kept(kind: bytes, body: bytes, wanted: tuple[str, str]) -> None:
    opened = open_photo(png(ramp(20, 30), (kind, body)))
    assert opened.metadata.texts == (wanted,)
    data = encode_photo(recolored(opened), opened, format="png")
    assert open_photo(data).metadata.texts == (wanted,)
    with Image.open(
        io.BytesIO(data)
    ) as image:  # Pillow reads Latin-1 and UTF-8 as the standard says
        image.load()
        assert image.text[wanted[0]] == wanted[1]


def test_damaged_texts_are_left_out() -> None:
    bad = [
        (b"zTXt", b"A\0\0no zlib"),
        (b"iTXt", b"A\0\1"),
        (b"tEXt", b"no separator"),
        (b"zTXt", b"Bomb\0\0" + zlib.compress(bytes(50_000_000))),
    ]
    opened = open_photo(png(ramp(20, 30), *bad, (b"tEXt", b"B\0kept")))
    assert opened.metadata.texts == (("B", "kept"),)


def test_xmp_of_a_png_stands_where_the_standard_says(tmp_path: Path) -> None:
    opened = open_photo(png(ramp(20, 30)))
    note = photo.Note(software="tinct 1", model="photo")
    photo.save_photo(recolored(opened), opened, tmp_path / "out.png", note=note)
    data = (tmp_path / "out.png").read_bytes()
    assert b"iTXtXML:com.adobe.xmp\0\0\0\0\0<?xpacket" in data
    with Image.open(tmp_path / "out.png") as image:
        image.load()
        assert "tinct 1" in image.text["XML:com.adobe.xmp"]


# ------------------------------------------------------------------------------------- gamma


@pytest.mark.parametrize("gamma", [1.0, 0.5556, 2.0])
def test_gamma_is_read_as_the_standard_says(gamma: float) -> None:
    """W3C PNG, 13.13: the sample to the power of 1 / gamma is linear light."""
    gray = ramp(16, 256)
    opened = open_photo(png(gray, (b"gAMA", struct.pack(">I", round(gamma * 100_000)))))
    light = (gray / 255) ** (1 / gamma)
    cube = np.where(light > (6 / 29) ** 3, np.cbrt(light), light / (3 * (6 / 29) ** 2) + 4 / 29)
    wanted = lightness_to_gray(116 * cube - 16) * 255
    assert np.abs(opened.gray - wanted).max() <= 0.51


@pytest.mark.parametrize("chunks", [[], [(b"sRGB", b"\0")], [(b"gAMA", struct.pack(">I", 45455))]])
def test_ordinary_pictures_are_read_as_they_are(chunks: list[tuple[bytes, bytes]]) -> None:
    gray = ramp(16, 256)
    more = (
        [*chunks, (b"gAMA", struct.pack(">I", 100_000))]
        if chunks[:1] == [(b"sRGB", b"\0")]
        else chunks
    )
    np.testing.assert_array_equal(open_photo(png(gray, *more)).gray, gray)


# -------------------------------------------------------------------------------------- TIFF


def test_an_unspecified_channel_is_no_transparency() -> None:
    both = np.dstack([ramp(30, 40), np.full((30, 40), 9, np.uint8)])
    data = tiff(both)
    with pytest.warns(PictureWarning, match="no transparency"):
        opened = open_photo(changed(data, 338, value=0))
    assert opened.alpha is None
    np.testing.assert_array_equal(opened.gray, both[..., 0])
    assert open_photo(data).alpha is not None  # Pillow says it is alpha


def test_what_is_clear_everywhere_is_seen_all_the_same() -> None:
    """Some programs write TGA and ICO with an alpha that is never set."""
    held = io.BytesIO()
    Image.fromarray(np.dstack([ramp(20, 30)] * 3 + [np.zeros((20, 30), np.uint8)])).save(
        held, "TGA"
    )
    with pytest.warns(PictureWarning, match="clear everywhere"):
        opened = open_photo(held.getvalue())
    assert opened.alpha is None
    np.testing.assert_array_equal(opened.gray, ramp(20, 30))


def test_colors_that_were_multiplied_with_alpha() -> None:
    """TIFF 6.0, ExtraSamples 1: associated alpha, with pre-multiplied color."""
    gray, alpha = np.full((30, 40), 200, np.uint8), ramp(30, 40) // 2 + 100
    before = np.rint(gray * (alpha / 255.0)).astype(np.uint8)
    data = tiff(np.dstack([before, alpha]))
    opened = open_photo(changed(data, 338, value=1))
    assert np.abs(opened.gray.astype(int) - 200).max() <= 2
    np.testing.assert_array_equal(opened.alpha, alpha)


def test_colors_in_rare_tiffs_that_were_multiplied_with_alpha() -> None:
    gray, alpha = np.full((32, 48), 200, np.uint8), ramp(32, 48) // 2 + 100
    before = np.rint(gray * (alpha / 255.0)).astype(np.uint8)
    held = io.BytesIO()
    tifffile.imwrite(
        held, np.stack([before, before, before, alpha]), photometric="rgb", tile=(16, 16),
        planarconfig="separate", extrasamples=["ASSOCALPHA"],
    )  # fmt: skip
    opened = open_photo(held.getvalue())
    assert np.abs(opened.gray.astype(int) - 200).max() <= 2
    np.testing.assert_array_equal(opened.alpha, alpha)


def test_orientation_of_an_undefined_type() -> None:
    gray = ramp(20, 30)
    turned = changed(tiff(gray, {274: 3}), 274, value=6, kind=7)
    np.testing.assert_array_equal(open_photo(turned).gray, np.rot90(gray, -1))


def test_exif_that_imagemagick_writes_as_text_is_kept() -> None:
    tags = Image.Exif()
    tags[271], tags[274] = "Leitz", 3
    block = tags.tobytes()
    text = f"\nexif\n{len(block):8}\n{block.hex()}\n".encode()
    data = png(ramp(20, 30), (b"tEXt", b"Raw profile type exif\0" + text))
    opened = open_photo(data)
    np.testing.assert_array_equal(opened.gray, ramp(20, 30)[::-1, ::-1])
    kept = Image.open(io.BytesIO(encode_photo(recolored(opened), opened, format="png")))
    assert kept.getexif()[271] == "Leitz"
    assert "Raw profile type exif" not in kept.info


def test_exif_behind_the_pixels_of_a_png_is_kept() -> None:
    tags = Image.Exif()
    tags[33432] = "Aunt Ada"
    data = png(ramp(20, 30))
    end = data.rindex(b"IEND") - 4
    block = b"eXIf" + tags.tobytes().removeprefix(b"Exif\0\0")
    chunk = struct.pack(">I", len(block) - 4) + block + struct.pack(">I", zlib.crc32(block))
    opened = open_photo(data[:end] + chunk + data[end:])
    kept = Image.open(io.BytesIO(encode_photo(recolored(opened), opened, format="png")))
    assert kept.getexif()[33432] == "Aunt Ada"


def test_old_style_jpeg_in_a_tiff_is_read() -> None:
    """TIFF 6.0, section 22: the whole JPEG, pointed at by JPEGInterchangeFormat."""
    held = io.BytesIO()
    Image.fromarray(ramp(32, 48)).convert("RGB").save(held, "JPEG", quality=95, subsampling=0)
    jpeg = held.getvalue()
    values = [(256, 4, 1, 48), (257, 4, 1, 32), (258, 3, 1, 8), (259, 3, 1, 6), (262, 3, 1, 6),
              (273, 4, 1, 8), (277, 3, 1, 3), (278, 4, 1, 32), (279, 4, 1, len(jpeg)),
              (512, 3, 1, 1), (513, 4, 1, 8), (514, 4, 1, len(jpeg))]  # fmt: skip
    first = 8 + len(jpeg) + len(jpeg) % 2
    entries = b"".join(struct.pack("<HHII", *value) for value in values)
    data = b"II*\0" + struct.pack("<I", first) + jpeg + b"\0" * (len(jpeg) % 2)
    data += struct.pack("<H", len(values)) + entries + b"\0\0\0\0"
    assert np.abs(open_photo(data).gray.astype(int) - ramp(32, 48)).max() < 12


def test_the_primary_picture_of_a_heic_is_taken() -> None:
    small, large = np.full((32, 48), 60, np.uint8), ramp(64, 96)
    held = pillow_heif.HeifFile()
    for plane in (small, large):
        height, width = plane.shape
        held.add_frombytes("RGB", (width, height), np.repeat(plane[..., None], 3, 2).tobytes())
    out = io.BytesIO()
    held.save(out, primary_index=1, quality=95)
    assert open_photo(out.getvalue()).gray.shape == (64, 96)


def test_a_thumbnail_before_the_picture_is_passed_over() -> None:
    small, large = Image.fromarray(ramp(12, 16)), Image.fromarray(ramp(60, 80))
    held = io.BytesIO()
    directory = TiffImagePlugin.ImageFileDirectory_v2()
    directory[254] = 1
    small.save(held, "TIFF", tiffinfo=directory, save_all=True, append_images=[large])
    data = held.getvalue()
    first = struct.unpack_from("<I", data, 4)[0]
    count = struct.unpack_from("<H", data, first)[0]
    second = struct.unpack_from("<I", data, first + 2 + 12 * count)[0]
    if struct.unpack_from("<H", data, second + 2)[0] == 254:  # Pillow marks every page alike
        block = bytearray(data)
        struct.pack_into("<I", block, second + 2 + 8, 0)
        data = bytes(block)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        opened = open_photo(data)
    assert opened.gray.shape == (60, 80)
    assert open_photo(data, page=0).gray.shape == (12, 16)  # who asks for it gets it


def test_orientation_stored_as_a_byte() -> None:
    gray = ramp(20, 30)
    turned = changed(tiff(gray, {274: 3}), 274, value=6, kind=1)
    np.testing.assert_array_equal(open_photo(turned).gray, np.rot90(gray, -1))


@pytest.mark.parametrize(
    ("name", "value", "what"),
    [
        (258, 12, "12 bits packed"),
        (259, 6, "old-style JPEG inside"),
        (259, 50002, "JPEG XL inside"),
        (259, 34712, "JPEG 2000 inside"),
        (262, 32803, "a camera's raw data"),
    ],
)
def test_kinds_that_are_not_read_are_named(
    name: int, value: int, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decode_codecs, "works", lambda: False)
    data = changed(tiff(ramp(20, 30)), name, value=value)
    with pytest.raises(PictureError, match=rf"not read here \({what}.*convert it"):
        open_photo(data)


@pytest.mark.parametrize("cut", ["chain", "directory"])
def test_a_damaged_later_page_does_not_spoil_the_first(cut: str, tmp_path: Path) -> None:
    gray = ramp(20, 30)
    held = io.BytesIO()
    later = Image.fromarray(gray[::-1].copy())
    Image.fromarray(gray).save(held, "TIFF", save_all=True, append_images=[later])
    data = bytearray(held.getvalue())
    first = struct.unpack_from("<I", data, 4)[0]
    link = first + 2 + 12 * struct.unpack_from("<H", data, first)[0]
    second = struct.unpack_from("<I", data, link)[0]
    if cut == "chain":
        struct.pack_into("<I", data, link, len(data) + 400)
    else:
        data = data[: second + 4]
    (tmp_path / "two.tif").write_bytes(data)
    for source in (bytes(data), tmp_path / "two.tif"):
        with pytest.warns(PictureWarning, match="later pages that are damaged"):
            opened = open_photo(source)
        np.testing.assert_array_equal(opened.gray, gray)


# ------------------------------------------------------------------------- what is said, and kept


def test_a_press_picture_without_a_profile_is_told() -> None:
    held = io.BytesIO()
    Image.fromarray(np.dstack([ramp(16, 24)] * 4), "CMYK").save(held, "JPEG")
    with pytest.warns(PictureWarning, match="CMYK without a color profile: a general press"):
        open_photo(held.getvalue())


def test_exif_that_is_too_large_keeps_date_camera_and_place() -> None:
    tags = Image.Exif()
    tags[271], tags[306] = "Zeiss Ikon", "1939:05:01 12:00:00"
    tags.get_ifd(0x8769)[0x927C] = b"M" * 70_000
    tags.get_ifd(0x8769)[36867] = "1939:05:01 11:59:58"
    tags.get_ifd(0x8825)[1] = "N"
    held = io.BytesIO()
    Image.fromarray(ramp(20, 30)).save(held, "PNG", exif=tags)
    opened = open_photo(held.getvalue())
    with pytest.warns(PictureWarning, match="the camera maker's note was left out"):
        data = encode_photo(recolored(opened), opened, format="jpeg")
    kept = Image.open(io.BytesIO(data)).getexif()
    assert (kept[271], kept[306]) == ("Zeiss Ikon", "1939:05:01 12:00:00")
    assert kept.get_ifd(0x8769)[36867] == "1939:05:01 11:59:58"
    assert 0x927C not in kept.get_ifd(0x8769)
    assert kept.get_ifd(0x8825)[1] == "N"


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16", "utf-8"])
def test_xmp_in_any_encoding_is_kept(encoding: str) -> None:
    packet = (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-'
        'syntax-ns#"><rdf:Description xmlns:dc="http://purl.org/dc/elements/1.1/" '
        'dc:source="Frühling in Zürich"/></rdf:RDF></x:xmpmeta>'
    ).encode(encoding)
    held = io.BytesIO()
    Image.fromarray(ramp(20, 30)).save(held, "JPEG", xmp=packet)
    opened = open_photo(held.getvalue())
    kept = Image.open(io.BytesIO(encode_photo(recolored(opened), opened, format="jpeg")))
    assert "Frühling in Zürich" in kept.info["xmp"].decode("utf-8")


def test_names_and_texts_that_are_no_unicode(tmp_path: Path) -> None:
    tags = Image.Exif()
    tags[270] = b"Fr\xfchling\xff"
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/Gro\xdfmutter\xff.jpg"))
    held = io.BytesIO()
    Image.fromarray(ramp(20, 30)).save(held, "JPEG", exif=tags)
    path.write_bytes(held.getvalue())
    opened = open_photo(path)
    target = path.with_name(path.stem + ".color.jpg")
    save_photo(recolored(opened), opened, target)
    assert b"Fr\xfchling\xff" in target.read_bytes()
    assert photo.open_color(path).shape == (20, 30, 3)
    path.write_bytes(held.getvalue()[:200])
    with pytest.raises(PictureError):
        open_photo(path)


def test_primaries_of_a_png_decide_the_luminance() -> None:
    """BT.2020's primaries, whose luminance weights ITU-R BT.2020 gives as 0.2627, 0.678, 0.0593."""
    rgb = np.zeros((8, 8, 3), np.uint8)
    rgb[..., 2] = 255
    values = (0.3127, 0.3290, 0.708, 0.292, 0.170, 0.797, 0.131, 0.046)
    chunk = struct.pack(">8I", *(round(v * 100_000) for v in values))
    plain, wide = (open_photo(png(rgb, *held)).gray[0, 0] for held in ((), ((b"cHRM", chunk),)))
    for found, light in ((plain, 0.0722), (wide, 0.0593)):
        lightness = 116 * np.cbrt(light) - 16
        assert found == round(255 * float(lightness_to_gray(np.array(lightness))))


# ------------------------------------------------------------------------------- without tones


def test_a_photograph_of_one_bit_is_told(tmp_path: Path) -> None:
    from tinct import Colorizer
    from tiny_models import make_bundle

    rng = np.random.default_rng(0)
    dots = Image.fromarray(rng.random((64, 64)) < 0.5)
    dots.save(tmp_path / "dots.tif", compression="group4")
    colorizer = Colorizer(make_bundle(tmp_path / "tiny").path)
    with pytest.warns(PictureWarning, match="1 bit"):
        colorizer(tmp_path / "dots.tif")
