"""Saving colored pictures in every format, against other readers."""

from __future__ import annotations

import io
import struct
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms, ImageOps

from made_pictures import (
    MAKER_NOTE,
    XMP,
    colors,
    exif_block,
    gamma,
    gray_profile,
    pil_bytes,
    ramp,
    read_pil,
)
from tinct import libvips, photo
from tinct.color import gray_to_lightness
from tinct.errors import SaveError, UsageError
from tinct.photo import (
    Note,
    PictureWarning,
    encode_photo,
    from_array,
    open_photo,
    save_photo,
)

NOTE = Note(software="tinct 1.2.3", model="photo")
LOSSLESS = [
    ("PNG", {}),
    ("TIFF", {}),
    ("TIFF", {"compression": "tiff_lzw"}),
    ("WEBP", {"lossless": True}),
]


def painted(picture: photo.Photo) -> np.ndarray[Any, Any]:
    """Color a picture in a way that is easy to find again."""
    rgb = np.repeat(picture.gray[..., None], 3, axis=2)
    rgb[..., 2] //= 2
    return rgb


def lightness(codes: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return np.asarray(gray_to_lightness(codes / np.iinfo(codes.dtype).max))


FORMATS = ["jpeg", "png", "webp", "tiff", "avif", "heic"]


def needs(kind: str) -> None:
    if kind == "heic":
        import pillow_heif

        pillow_heif.register_heif_opener()


@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_holds_the_colors(kind: str) -> None:
    needs(kind)
    picture = from_array(ramp(64, 80))
    rgb = painted(picture)
    back = np.asarray(read_pil(encode_photo(rgb, picture, format=kind)).convert("RGB"))
    assert np.abs(back.astype(int) - rgb).mean() < (0.1 if kind in ("png", "tiff") else 4)


@pytest.mark.parametrize("kind", ["png", "tiff"])
@pytest.mark.parametrize("alpha", [False, True])
def test_16_bits_and_alpha_survive(kind: str, alpha: bool) -> None:
    pixels = np.repeat(ramp(dtype=np.uint16)[..., None], 2 if alpha else 1, axis=2)
    picture = from_array(pixels)
    rgb = painted(picture)
    image = libvips.load().Image.new_from_buffer(encode_photo(rgb, picture, format=kind), "")
    assert image.format == "ushort"
    back = image.numpy()
    np.testing.assert_array_equal(back[..., :3], rgb)
    if alpha:
        np.testing.assert_array_equal(back[..., 3], picture.alpha)
    assert back.shape[2] == 3 + alpha


@pytest.mark.parametrize("kind", ["webp", "avif", "heic"])
def test_alpha_in_lossy_formats(kind: str) -> None:
    needs(kind)
    picture = from_array(np.stack([ramp(64, 80), ramp(64, 80)[::-1]], axis=-1))
    back = read_pil(encode_photo(painted(picture), picture, format=kind))
    assert back.mode == "RGBA"
    assert np.abs(np.asarray(back)[..., 3].astype(int) - ramp(64, 80)[::-1]).mean() < 3


def test_avif_keeps_ten_and_twelve_bits() -> None:
    for bits in (10, 12):
        wide = np.repeat(ramp(32, 32, dtype=np.uint16)[..., None], 3, axis=2)
        data = libvips.image_of(wide, interpretation="rgb16").heifsave_buffer(
            compression="av1", bitdepth=bits, lossless=True
        )
        picture = open_photo(data)
        assert (picture.depth, picture.metadata.bits) == (16, bits)
        assert open_photo(encode_photo(painted(picture), picture)).metadata.bits == bits


@pytest.mark.parametrize(("kind", "words"), [("jpeg", "rounded to 8"), ("webp", "rounded to 8")])
def test_formats_of_8_bits_round_and_say_so(kind: str, words: str) -> None:
    picture = from_array(ramp(dtype=np.uint16))
    with pytest.warns(PictureWarning, match=words):
        data = encode_photo(painted(picture), picture, format=kind)
    assert np.abs(np.asarray(read_pil(data))[..., 0].astype(int) - ramp()).mean() < 2


@pytest.mark.parametrize("kind", ["avif", "heic"])
def test_formats_of_12_bits_round_and_say_so(kind: str) -> None:
    needs(kind)
    picture = from_array(ramp(dtype=np.uint16))
    with pytest.warns(PictureWarning, match="16 were rounded to 12"):
        data = encode_photo(painted(picture), picture, format=kind)
    back = open_photo(data)  # 12 bits again: nothing to warn about
    assert (back.depth, back.metadata.bits) == (16, 12)
    assert open_photo(encode_photo(painted(back), back)).metadata.bits == 12


def test_jpeg_shows_clear_places_on_white() -> None:
    picture = from_array(np.stack([ramp(), np.zeros_like(ramp())], axis=-1))
    with pytest.warns(PictureWarning, match="transparency"):
        data = encode_photo(painted(picture), picture, format="jpeg")
    assert np.asarray(read_pil(data)).min() > 250


@pytest.mark.parametrize("quality", [20, 50, 75, 90, 97])
@pytest.mark.parametrize(("subsampling", "name"), [(0, "4:4:4"), (1, "4:2:2"), (2, "4:2:0")])
def test_jpeg_quality_and_subsampling_stay_near(quality: int, subsampling: int, name: str) -> None:
    data = pil_bytes(Image.fromarray(colors()), "JPEG", quality=quality, subsampling=subsampling)
    picture = open_photo(data)
    assert picture.metadata.quality == quality
    assert picture.metadata.subsampling == name
    saved = read_pil(encode_photo(painted(picture), picture))
    assert saved.quantization[0] == read_pil(data).quantization[0]
    gray = open_photo(pil_bytes(Image.fromarray(ramp()), "JPEG", quality=quality))
    assert (gray.metadata.quality, gray.metadata.subsampling) == (quality, None)


@pytest.mark.parametrize("compression", ["none", "lzw", "deflate", "packbits"])
def test_tiff_compression_stays(compression: str) -> None:
    name = {
        "none": None,
        "lzw": "tiff_lzw",
        "deflate": "tiff_adobe_deflate",
        "packbits": "packbits",
    }[compression]
    picture = open_photo(pil_bytes(Image.fromarray(ramp()), "TIFF", compression=name))
    assert picture.metadata.compression == compression
    assert open_photo(encode_photo(painted(picture), picture)).metadata.compression == compression


def test_lossless_webp_stays_lossless() -> None:
    for lossless in (True, False):
        picture = open_photo(pil_bytes(Image.fromarray(ramp()), "WEBP", lossless=lossless))
        assert picture.metadata.lossless == lossless
        assert (b"VP8L" in encode_photo(painted(picture), picture)) == lossless


def test_lossless_webp_is_known_behind_a_large_profile() -> None:
    profile = gray_profile(gamma(2.2))
    profile += b"\0" * (9001 - len(profile))
    profile = struct.pack(">I", len(profile)) + profile[4:]
    for lossless in (True, False):
        data = pil_bytes(Image.fromarray(colors()), "WEBP", lossless=lossless, icc_profile=profile)
        assert data.find(b"VP8L" if lossless else b"VP8 ") > 9000
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", PictureWarning)
            assert open_photo(data).metadata.lossless == lossless


@pytest.mark.parametrize("kind", FORMATS)
def test_a_profile_in_means_an_srgb_profile_out(kind: str) -> None:
    needs(kind)
    for block in (gray_profile(gamma(2.2)), None):
        data = pil_bytes(
            Image.fromarray(ramp()), "PNG", **({"icc_profile": block} if block else {})
        )
        saved = read_pil(encode_photo(painted(open_photo(data)), open_photo(data), format=kind))
        tagged = saved.info.get("icc_profile")
        assert bool(tagged) == bool(block)
        if tagged:
            space = ImageCms.ImageCmsProfile(io.BytesIO(tagged))
            to_srgb = ImageCms.buildTransform(space, ImageCms.createProfile("sRGB"), "RGB", "RGB")
            back = ImageCms.applyTransform(Image.fromarray(colors()), to_srgb)
            assert np.abs(np.asarray(back).astype(int) - colors()).max() <= 2


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("order", ["<", ">"])
def test_exif_survives_whole(kind: str, order: str) -> None:
    needs(kind)
    old = pil_bytes(Image.fromarray(ramp(4, 4)), "JPEG")
    block = exif_block(orientation=6, order=order, thumbnail=old)
    data = pil_bytes(Image.fromarray(ramp()), "JPEG", exif=b"Exif\0\0" + block)
    picture = open_photo(data)
    saved = encode_photo(painted(picture), picture, format=kind, note=NOTE)
    tags = read_pil(saved).getexif()
    inside, place = tags.get_ifd(0x8769), tags.get_ifd(0x8825)
    assert (tags[0x010F], tags[0x013B], tags[0x8298]) == ("Maker", "Somebody", "Public domain")
    assert tags.get(0x0112, 1) == 1
    assert tags[0x0131] == "tinct 1.2.3 (model photo)"
    assert inside[0x927C] == MAKER_NOTE
    assert (inside[0x9003], inside[0xFDE8]) == ("1931:02:03 04:05:06", "an unknown tag")
    assert inside[0x829A] == pytest.approx(0.008)
    assert (place[1], tuple(map(float, place[2]))) == ("N", (48.0, 12.0, 30.5))
    assert old not in saved
    if kind != "tiff":  # updated where they stand
        assert (inside[0xA001], inside[0xA002], inside[0xA003]) == (1, 24, 40)
    again = open_photo(saved)
    tags = read_pil(encode_photo(painted(again), again, note=NOTE)).getexif()
    assert tags.get_ifd(0x8769)[0x927C] == MAKER_NOTE


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("before", [XMP, None], ids=["merged", "new"])
def test_the_note(kind: str, before: bytes | None) -> None:
    needs(kind)
    data = pil_bytes(Image.fromarray(ramp()), "PNG")
    picture = open_photo(data)
    if before is not None:
        picture = open_photo(pil_bytes(Image.fromarray(ramp()), "JPEG", xmp=before))
        assert picture.metadata.xmp is not None
    saved = open_photo(encode_photo(painted(picture), picture, format=kind, note=NOTE))
    assert saved.metadata.xmp is not None
    text = saved.metadata.xmp.decode()
    assert "http://cv.iptc.org/newscodes/digitalsourcetype/algorithmicallyEnhanced" in text
    assert "tinct 1.2.3 (model photo)" in text
    assert ("Market &amp; square" in text) == (before is not None)
    assert saved.metadata.exif is not None
    assert b"tinct 1.2.3 (model photo)" in saved.metadata.exif
    silent = open_photo(encode_photo(painted(picture), picture, format=kind))
    assert b"algorithmicallyEnhanced" not in (silent.metadata.xmp or b"")


@pytest.mark.parametrize("kind", ["jpeg", "png", "tiff"])
def test_resolution_survives(kind: str) -> None:
    name = kind.upper()
    for dpi in ((300, 300), (96, 96 if kind == "jpeg" else 192), None):
        how = {} if dpi is None else {"dpi": dpi}
        picture = open_photo(pil_bytes(Image.fromarray(ramp()), name, **how))
        saved = read_pil(encode_photo(painted(picture), picture))
        np.testing.assert_allclose([float(v) for v in saved.info["dpi"]], dpi or (72, 72), atol=0.1)


@pytest.mark.parametrize("kind", ["jpeg", "tiff"])
def test_iptc_survives_without_its_thumbnail(kind: str) -> None:
    record = b"\x1c\x02\x05\x00\x05Title"
    blocks = b"".join(
        b"8BIM" + struct.pack(">HHI", number, 0, len(data)) + data + b"\0" * (len(data) % 2)
        for number, data in ((0x0404, record), (0x040C, b"old thumbnail"), (0x0425, b"other"))
    )
    source = bytearray(pil_bytes(Image.fromarray(ramp()), "JPEG"))
    body = b"Photoshop 3.0\0" + blocks
    source[2:2] = b"\xff\xed" + struct.pack(">H", len(body) + 2) + body
    picture = open_photo(bytes(source))
    saved = encode_photo(painted(picture), picture, format=kind)
    assert record in saved
    assert b"other" in saved
    assert b"old thumbnail" not in saved
    again = encode_photo(painted(open_photo(saved)), open_photo(saved), format="jpeg")
    assert read_pil(again).info["photoshop"][0x0404] == record


def test_texts_of_a_png_survive() -> None:
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    info.add_text("Title", "A market")
    picture = open_photo(pil_bytes(Image.fromarray(ramp()), "PNG", pnginfo=info))
    assert read_pil(encode_photo(painted(picture), picture)).info["Title"] == "A market"


def test_damaged_metadata_is_left_out_and_said() -> None:
    data = pil_bytes(
        Image.fromarray(ramp()),
        "JPEG",
        exif=b"Exif\0\0II*\0\xff\xff\0\0",
        xmp=b"<x:xmpmeta><broken>",
    )
    picture = open_photo(data)
    with pytest.warns(PictureWarning) as said:
        saved = encode_photo(painted(picture), picture, note=NOTE)
    assert sorted(str(item.message).split()[0] for item in said) == ["EXIF", "XMP"]
    assert read_pil(saved).getexif()[0x0131] == "tinct 1.2.3 (model photo)"


def test_too_much_metadata_for_a_jpeg() -> None:
    tags = Image.Exif()
    tags[0x010E] = "x" * 70_000
    picture = open_photo(pil_bytes(Image.fromarray(ramp()), "PNG", exif=tags.tobytes()))
    with pytest.warns(PictureWarning, match="EXIF was left out"):
        saved = encode_photo(painted(picture), picture, format="jpeg", note=NOTE)
    assert read_pil(saved).getexif()[0x0131] == "tinct 1.2.3 (model photo)"
    kept = encode_photo(painted(picture), picture, format="tiff", note=NOTE)
    assert read_pil(kept).getexif()[0x010E] == "x" * 70_000


@settings(max_examples=40, deadline=None)
@given(
    height=st.integers(1, 70),
    width=st.integers(1, 70),
    wide=st.booleans(),
    alpha=st.booleans(),
    kind=st.sampled_from(["png", "tiff"]),
    orientation=st.integers(1, 8),
)
def test_round_trip(
    height: int, width: int, wide: bool, alpha: bool, kind: str, orientation: int
) -> None:
    rng = np.random.default_rng(height * 100 + width)
    top = 65536 if wide else 256
    pixels = rng.integers(0, top, (height, width, 2 if alpha else 1)).astype(
        np.uint16 if wide else np.uint8
    )
    picture = from_array(pixels)
    np.testing.assert_array_equal(picture.gray, pixels[..., 0])
    neutral = np.repeat(picture.gray[..., None], 3, axis=2)
    again = open_photo(encode_photo(neutral, picture, format=kind, note=NOTE))
    np.testing.assert_array_equal(again.gray, picture.gray)
    assert (again.alpha is None) == (picture.alpha is None)
    if alpha:
        np.testing.assert_array_equal(again.alpha, picture.alpha)
    assert not again.was_color
    tag = Image.Exif()
    tag[0x0112] = orientation
    data = pil_bytes(Image.fromarray(pixels[..., 0]), "PNG", exif=tag.tobytes())
    turned = open_photo(data)
    wanted = ImageOps.exif_transpose(read_pil(data))
    np.testing.assert_array_equal(turned.gray, np.asarray(wanted))


# -- saving ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["a.jpg", "a.JPEG", "a.png", "a.webp", "a.tif", "a.TIFF", "a.avif"]
)
def test_the_ending_decides(tmp_path: Path, name: str) -> None:
    picture = from_array(ramp())
    save_photo(painted(picture), picture, tmp_path / name, note=NOTE)
    assert open_photo(tmp_path / name).metadata.format == photo.format_of(name)
    assert (tmp_path / name).read_bytes() == encode_photo(
        painted(picture), picture, format=photo.format_of(name), note=NOTE
    )
    assert list(tmp_path.iterdir()) == [tmp_path / name]


def test_saving_refuses(tmp_path: Path) -> None:
    picture = from_array(ramp())
    rgb = painted(picture)
    for target, words in (
        ("a.gif", "choose one of .jpg"),
        ("a", "choose one of .jpg"),
        ("none/a.png", "does not exist; create it"),
    ):
        with pytest.raises(SaveError, match=words):
            save_photo(rgb, picture, tmp_path / target)
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(SaveError, match="is a folder"):
        save_photo(rgb, picture, tmp_path / "folder.png", overwrite=True)
    with pytest.raises(SaveError, match="'gif'"):
        encode_photo(rgb, picture, format="gif")
    for wrong in (rgb[:-1], rgb[..., :2], rgb.astype(np.uint16)):
        with pytest.raises(UsageError, match="does not fit"):
            save_photo(wrong, picture, tmp_path / "a.png")
    long = from_array(np.zeros((1, 20_000), np.uint8))
    with pytest.raises(SaveError, match="WEBP holds at most 16383"):
        save_photo(painted(long), long, tmp_path / "a.webp")
    assert [path.name for path in tmp_path.iterdir()] == ["folder.png"]


def test_an_existing_file_is_replaced_only_when_asked(tmp_path: Path) -> None:
    picture = from_array(ramp())
    target = tmp_path / "a.png"
    target.write_bytes(b"precious")
    with pytest.raises(SaveError, match="exists already"):
        save_photo(painted(picture), picture, target)
    assert target.read_bytes() == b"precious"
    save_photo(painted(picture), picture, target, overwrite=True)
    assert open_photo(target).was_color


def test_a_failing_encoder_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    picture = from_array(ramp())
    target = tmp_path / "a.png"
    target.write_bytes(b"precious")
    monkeypatch.setattr("tinct.photo.encode._saver", lambda *_: ("pngsave", {"filter": "nonsense"}))
    with pytest.raises(SaveError, match=r"a\.png cannot be written"):
        save_photo(painted(picture), picture, target, overwrite=True)
    assert target.read_bytes() == b"precious"
    assert list(tmp_path.iterdir()) == [target]


def test_endings_for_copies() -> None:
    for kind, source, wanted in (
        ("JPEG", "x.JPG", ".JPG"),
        ("JPEG", "x.jpeg", ".jpeg"),
        ("PNG", "x.jpg", ".png"),
        ("TIFF", "", ".tif"),
        ("BMP", "x.bmp", ".png"),
        ("GIF", "x.gif", ".png"),
    ):
        picture = open_photo(pil_bytes(Image.fromarray(ramp()), kind))
        assert photo.suffix_for(picture, source) == wanted
        assert photo.format_of("x" + wanted) in FORMATS
    assert photo.suffix_for(from_array(ramp())) == ".png"


def test_formats_are_listed() -> None:
    listed = {item.name: item for item in photo.formats()}
    assert set(listed) == {*FORMATS, "jxl", "gif", "bmp", "jp2", "psd", "tga", "ico", "mpo"}
    assert listed["jpeg"].writes
    assert not listed["gif"].writes
