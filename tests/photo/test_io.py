"""Opening and saving pictures of every kind, against other readers and color libraries."""

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
from skimage.color import rgb2gray, rgb2lab

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
    rgb_profile,
    tiff_bytes,
)
from tinct import libvips, photo
from tinct.color import gray_to_lightness
from tinct.errors import PictureError, SaveError, UsageError
from tinct.photo import (
    Note,
    PictureWarning,
    encode_photo,
    from_array,
    from_pil,
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


# -- what comes in --------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "how"), [*LOSSLESS, ("BMP", {}), ("JPEG2000", {}), ("GIF", {})])
def test_gray_without_profile_is_taken_as_it_is(kind: str, how: dict[str, Any]) -> None:
    gray = ramp()
    picture = open_photo(pil_bytes(Image.fromarray(gray), kind, **how))
    np.testing.assert_array_equal(picture.gray, gray)
    assert (picture.alpha, picture.was_color, picture.depth) == (None, False, 8)
    assert (picture.height, picture.width, picture.pixels) == (24, 40, 960)


def test_a_gray_jpeg_is_decoded_as_pillow_decodes_it() -> None:
    data = pil_bytes(Image.fromarray(ramp()), "JPEG", quality=90)
    np.testing.assert_array_equal(open_photo(data).gray, np.asarray(read_pil(data)))


@pytest.mark.parametrize("order", ["<", ">"])
def test_16_bit_gray_keeps_every_bit(order: str) -> None:
    gray = ramp(dtype=np.uint16)
    for data in (tiff_bytes(gray, byteorder=order), pil_bytes(Image.fromarray(gray), "PNG")):
        picture = open_photo(data)
        np.testing.assert_array_equal(picture.gray, gray)
        assert (picture.depth, picture.metadata.bits) == (16, 16)


def test_white_can_be_zero() -> None:
    for dtype in (np.uint8, np.uint16):
        gray = ramp(dtype=dtype)
        data = tiff_bytes(np.iinfo(dtype).max - gray, photometric="miniswhite")
        np.testing.assert_array_equal(open_photo(data).gray, gray)


@pytest.mark.parametrize(("kind", "how"), [*LOSSLESS, ("BMP", {})])
def test_color_gives_its_lightness(kind: str, how: dict[str, Any]) -> None:
    rgb = colors()
    picture = open_photo(pil_bytes(Image.fromarray(rgb), kind, **how))
    assert picture.was_color
    assert np.abs(lightness(picture.gray) - rgb2lab(rgb)[..., 0]).max() < 0.25


def test_16_bit_color_gives_its_lightness_precisely() -> None:
    rgb = colors(dtype=np.uint16)
    picture = open_photo(tiff_bytes(rgb, photometric="rgb"))
    assert picture.was_color
    assert np.abs(lightness(picture.gray) - rgb2lab(rgb / 65535)[..., 0]).max() < 0.01


def test_gray_stored_as_color_is_not_color() -> None:
    gray = ramp()
    same = Image.fromarray(np.repeat(gray[..., None], 3, axis=2))
    picture = open_photo(pil_bytes(same, "PNG"))
    np.testing.assert_array_equal(picture.gray, gray)
    assert not picture.was_color
    noise = np.random.default_rng(0).integers(-3, 4, (24, 40, 3))
    noisy = Image.fromarray(np.clip(gray[..., None] + noise, 0, 255).astype(np.uint8))
    for quality in (30, 60, 95):
        assert not open_photo(pil_bytes(noisy, "JPEG", quality=quality)).was_color
    assert open_photo(pil_bytes(Image.fromarray(colors()), "JPEG")).was_color


def test_palette_and_one_bit() -> None:
    image = Image.fromarray(colors()).convert("P", palette=Image.Palette.ADAPTIVE)
    picture = open_photo(pil_bytes(image, "PNG"))
    wanted = rgb2lab(np.asarray(image.convert("RGB")))[..., 0]
    assert np.abs(lightness(picture.gray) - wanted).max() < 0.25
    bits = Image.fromarray(ramp() > 100)
    for data in (pil_bytes(bits, "PNG"), pil_bytes(bits, "TIFF", compression="group4")):
        np.testing.assert_array_equal(open_photo(data).gray, np.asarray(bits) * np.uint8(255))


def test_cmyk_jpeg_with_and_without_profile() -> None:
    press = libvips.load().Operation.call("profile_load", "cmyk")
    image = Image.fromarray(colors()).convert("CMYK")
    to_lab = ImageCms.buildTransform(
        ImageCms.ImageCmsProfile(io.BytesIO(press)),
        ImageCms.createProfile("LAB"),
        "CMYK",
        "LAB",
        renderingIntent=1,
    )
    for how in ({"icc_profile": press}, {}):
        data = pil_bytes(image, "JPEG", quality=100, **how)
        picture = open_photo(data)
        assert picture.was_color
        lab = np.asarray(ImageCms.applyTransform(read_pil(data), to_lab)).astype(float)
        assert np.abs(lightness(picture.gray) - lab[..., 0] / 2.55).mean() < 1.5
        assert picture.metadata.had_icc == bool(how)
    black = np.zeros((24, 40, 4), np.uint8)
    black[..., 3] = ramp()
    picture = open_photo(pil_bytes(Image.fromarray(black, "CMYK"), "TIFF"))
    assert not picture.was_color
    assert picture.gray[0, 0] > 250
    assert picture.gray[-1, -1] < 60


def test_floats() -> None:
    value = ramp().astype(np.float32) / 255
    picture = open_photo(tiff_bytes(value))
    assert picture.depth == 16
    np.testing.assert_array_equal(picture.gray, np.rint(value * 65535).astype(np.uint16))
    strange = value * 300 - 20
    strange[12, 20] = np.nan
    with pytest.warns(PictureWarning, match="-20 to 280: they were stretched"):
        picture = open_photo(tiff_bytes(strange))
    assert picture.gray[12, 20] == picture.gray[0, 0] == 0
    assert picture.gray[-1, -1] == 65535
    with pytest.warns(PictureWarning, match="stretched"):
        assert open_photo(tiff_bytes(ramp().astype(np.int16))).gray.max() == 65535
    with pytest.raises(PictureError, match="no finite values"):
        open_photo(tiff_bytes(np.full((4, 4), np.nan, np.float32)))


def test_lab_tiff() -> None:
    lab = np.zeros((24, 40, 3), np.uint8)
    lab[..., 0] = ramp()
    picture = open_photo(pil_bytes(Image.fromarray(lab, "LAB"), "TIFF"))
    assert np.abs(lightness(picture.gray) - ramp() / 2.55).max() < 0.3
    assert not picture.was_color


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [2, 4])
def test_alpha(dtype: Any, channels: int) -> None:
    pixels = np.repeat(ramp(dtype=dtype)[..., None], channels, axis=2)
    pixels[..., -1] = ramp(dtype=dtype)[::-1]
    kind = "minisblack" if channels == 2 else "rgb"
    picture = open_photo(tiff_bytes(pixels, photometric=kind, extrasamples=["unassalpha"]))
    np.testing.assert_array_equal(picture.gray, pixels[..., 0])
    np.testing.assert_array_equal(picture.alpha, pixels[..., -1])


def test_more_channels_than_alpha() -> None:
    with pytest.warns(PictureWarning, match="5 channels"):
        picture = open_photo(tiff_bytes(np.zeros((8, 9, 5), np.uint8), photometric="rgb"))
    assert picture.gray.shape == (8, 9)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_applied_once(kind: str, orientation: int) -> None:
    tag = Image.Exif()
    tag[0x0112] = orientation
    image = Image.fromarray(ramp(12, 20)).convert("RGB")
    how = {"lossless": True} if kind == "WEBP" else {}
    data = pil_bytes(image, kind, exif=tag.tobytes(), **how)
    picture = open_photo(data)
    wanted = np.asarray(ImageOps.exif_transpose(read_pil(data)).convert("L"))
    assert picture.gray.shape == wanted.shape
    assert np.abs(picture.gray.astype(int) - wanted).max() <= 3
    again = open_photo(encode_photo(painted(picture), picture))
    assert again.gray.shape == wanted.shape
    saved = read_pil(encode_photo(painted(picture), picture))
    assert saved.getexif().get(0x0112, 1) == 1


# -- through profiles -----------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_gray_profile(dtype: Any) -> None:
    gray, block = ramp(dtype=dtype), gray_profile(gamma(1.8))
    picture = open_photo(tiff_bytes(gray, iccprofile=block))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import colour
    light = (gray / np.iinfo(dtype).max) ** (round(1.8 * 65536) / 65536)
    wanted = colour.XYZ_to_Lab(
        light[..., None] * np.array([0.9642, 1, 0.8249]), colour.XYZ_to_xy([0.9642, 1, 0.8249])
    )
    assert np.abs(lightness(picture.gray) - wanted[..., 0]).max() < (
        0.25 if dtype == np.uint8 else 0.01
    )
    assert not np.array_equal(picture.gray, gray)


def test_gray_jpeg_with_profile_as_by_little_cms() -> None:
    block = gray_profile(gamma(2.6))
    data = pil_bytes(Image.fromarray(ramp()), "JPEG", quality=95, icc_profile=block)
    transform = ImageCms.buildTransform(
        ImageCms.ImageCmsProfile(io.BytesIO(block)),
        ImageCms.createProfile("sRGB"),
        "L",
        "RGB",
        renderingIntent=1,
    )
    wanted = np.asarray(ImageCms.applyTransform(read_pil(data), transform))[..., 1]
    assert np.abs(open_photo(data).gray.astype(int) - wanted).max() <= 1


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_wide_gamut_profile(dtype: Any) -> None:
    p3 = libvips.load().Operation.call("profile_load", "p3")
    rgb = colors(dtype=dtype)
    picture = open_photo(tiff_bytes(rgb, photometric="rgb", iccprofile=p3))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import colour
    space = colour.RGB_COLOURSPACES["Display P3"]
    xyz = colour.RGB_to_XYZ(rgb / np.iinfo(dtype).max, space, apply_cctf_decoding=True)
    wanted = colour.XYZ_to_Lab(xyz, space.whitepoint)[..., 0]
    assert np.abs(lightness(picture.gray) - wanted).max() < (0.3 if dtype == np.uint8 else 0.02)
    neutral = np.repeat(ramp(dtype=dtype)[..., None], 3, axis=2)
    picture = open_photo(tiff_bytes(neutral, photometric="rgb", iccprofile=p3))
    assert np.abs(picture.gray.astype(int) - ramp(dtype=dtype)).max() <= (
        0 if dtype == np.uint8 else 1
    )


def test_an_srgb_profile_changes_nothing() -> None:
    srgb = libvips.load().Operation.call("profile_load", "srgb")
    plain = open_photo(tiff_bytes(colors(), photometric="rgb"))
    tagged = open_photo(tiff_bytes(colors(), photometric="rgb", iccprofile=srgb))
    assert np.abs(plain.gray.astype(int) - tagged.gray).max() <= 1


def test_gray_with_a_profile_for_color() -> None:
    matrix = np.array(
        [[0.4361, 0.3851, 0.1431], [0.2225, 0.7169, 0.0606], [0.0139, 0.0971, 0.7141]]
    )
    data = pil_bytes(
        Image.fromarray(ramp()), "JPEG", quality=100, icc_profile=rgb_profile(matrix, gamma(1.0))
    )
    light = np.asarray(read_pil(data)) / 255
    wanted = 116 * np.cbrt(np.maximum(light, 0.008857)) - 16
    bright = light > 0.04
    assert np.abs(lightness(open_photo(data).gray) - wanted)[bright].max() < 0.3


@pytest.mark.parametrize(
    "block", [b"nonsense" * 40, gray_profile(gamma(2.2))], ids=["damaged", "gray"]
)
def test_a_profile_that_does_not_fit_is_ignored_and_said(block: bytes) -> None:
    data = tiff_bytes(colors(), photometric="rgb", iccprofile=block)
    with pytest.warns(PictureWarning, match="ICC profile was ignored"):
        picture = open_photo(data)
    np.testing.assert_array_equal(
        picture.gray, open_photo(tiff_bytes(colors(), photometric="rgb")).gray
    )


# -- pages, sources, arrays -----------------------------------------------------------------------


def test_pages() -> None:
    pages = [Image.fromarray(ramp(10 + i, 12)) for i in range(3)]
    data = pil_bytes(pages[0], "TIFF", save_all=True, append_images=pages[1:])
    assert photo.page_count(data) == 3
    with pytest.warns(PictureWarning, match="3 pages: only the first"):
        assert open_photo(data).height == 10
    for page in range(3):
        picture = open_photo(data, page=page)
        assert (picture.height, picture.metadata.page, picture.metadata.pages) == (
            10 + page,
            page,
            3,
        )
    with pytest.raises(PictureError, match="no page 3"):
        open_photo(data, page=3)
    with pytest.raises(UsageError, match="-1"):
        open_photo(data, page=-1)
    with pytest.raises(PictureError, match="no page 1"):
        open_photo(pil_bytes(pages[0], "PNG"), page=1)


def test_animations_give_their_first_frame() -> None:
    frames = [Image.fromarray(ramp() // n) for n in (1, 2)]
    for kind in ("GIF", "WEBP"):
        data = pil_bytes(frames[0], kind, save_all=True, append_images=frames[1:], lossless=True)
        with pytest.warns(PictureWarning, match="2 frames"):
            np.testing.assert_array_equal(open_photo(data).gray, ramp())


def test_sources(tmp_path: Path) -> None:
    data = pil_bytes(Image.fromarray(ramp()), "PNG")
    path = tmp_path / "photo.jpg"  # the content decides, not the name
    path.write_bytes(data)
    for source in (path, str(path), data, bytearray(data), io.BytesIO(data)):
        np.testing.assert_array_equal(open_photo(source).gray, ramp())
    with path.open("rb") as stream:
        assert open_photo(stream).metadata.format == "png"


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.float64, np.bool_])
def test_arrays(dtype: Any) -> None:
    gray = ramp()
    array = gray > 100 if dtype == np.bool_ else gray.astype(dtype)
    if np.dtype(dtype).kind == "f":
        array /= 255
    picture = from_array(array)
    rgb = from_array(np.repeat(array[..., None], 3, axis=2))
    np.testing.assert_array_equal(picture.gray, rgb.gray)
    assert picture.depth == (8 if np.dtype(dtype).itemsize == 1 else 16)
    assert not rgb.was_color
    clear = from_array(np.stack([array] * 4, axis=-1))
    np.testing.assert_array_equal(clear.alpha, clear.gray)


def test_color_arrays_against_scikit_image() -> None:
    rgb = colors()
    linear = np.where(rgb / 255 <= 0.04045, rgb / 255 / 12.92, ((rgb / 255 + 0.055) / 1.055) ** 2.4)
    light = rgb2gray(linear)
    coded = np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)
    assert np.abs(from_array(rgb).gray - coded * 255).max() < 0.6


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((0, 3)),
        np.zeros(5, np.uint8),
        np.zeros((2, 2, 5), np.uint8),
        np.zeros((2, 2), np.int32),
        np.full((2, 2), 255.0),
        np.full((2, 2), np.nan),
        np.zeros((2, 2), complex),
    ],
    ids=lambda array: f"{array.dtype}{array.shape}",
)
def test_arrays_that_are_no_pictures(array: np.ndarray[Any, Any]) -> None:
    with pytest.raises(PictureError, match=r"\.$"):
        from_array(array)


@pytest.mark.parametrize(
    "mode",
    [
        "1",
        "L",
        "LA",
        "La",
        "P",
        "PA",
        "RGB",
        "RGBA",
        "RGBa",
        "RGBX",
        "YCbCr",
        "HSV",
        "CMYK",
        "LAB",
        "I",
        "F",
        "I;16",
    ],
)
def test_pillow_modes(mode: str) -> None:
    gray = Image.fromarray(ramp())
    if mode == "I;16":
        image = Image.fromarray(ramp(dtype=np.uint16))
    elif mode == "LAB":
        image = ImageCms.profileToProfile(
            gray.convert("RGB"),
            ImageCms.createProfile("sRGB"),
            ImageCms.createProfile("LAB"),
            outputMode="LAB",
        )
    elif mode in ("La", "RGBa"):
        image = gray.convert("LA" if mode == "La" else "RGBA").convert(mode)
    else:
        image = gray.convert(mode)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore" if mode == "F" else "error", "The image holds values")
        picture = from_pil(image)
    assert picture.gray.shape == (24, 40)
    assert picture.depth == (16 if mode in ("I", "F", "I;16") else 8)
    assert not picture.was_color
    assert (picture.alpha is not None) == (mode in ("LA", "La", "PA", "RGBA", "RGBa"))
    if mode in ("L", "LA", "RGB", "RGBA", "RGBX", "P"):
        np.testing.assert_array_equal(picture.gray, ramp())
    if mode == "LAB":
        assert np.abs(picture.gray.astype(int) - ramp()).max() <= 2


@pytest.mark.parametrize(
    "values", [np.float32([[0, 30], [60, 90]]), np.int32([[-5, 0], [70000, 9]])]
)
def test_pillow_images_that_are_stretched_say_so(values: np.ndarray) -> None:
    with pytest.warns(PictureWarning, match="stretched from black to white"):
        picture = from_pil(Image.fromarray(values))
    low = min(values.min(), 0)
    wanted = 65535 * ((values - low) / (values.max() - low))
    assert np.abs(picture.gray - wanted).max() < 1


@pytest.mark.parametrize("dtype", [">u2", "<u2", ">f4"])
def test_arrays_of_either_byte_order(dtype: str) -> None:
    native = ramp(dtype=np.uint16)
    given = native if dtype.endswith("u2") else native / np.float32(65535)
    picture = from_array(given.astype(dtype))
    np.testing.assert_array_equal(picture.gray, native)
    assert picture.gray.dtype.isnative


def test_pillow_images_keep_what_they_carry() -> None:
    block = gray_profile(gamma(1.8))
    data = pil_bytes(
        Image.fromarray(ramp(12, 20)),
        "JPEG",
        exif=b"Exif\0\0" + exif_block(orientation=6),
        icc_profile=block,
        dpi=(200, 200),
    )
    of_file, of_image = open_photo(data), from_pil(read_pil(data))
    np.testing.assert_array_equal(of_file.gray, of_image.gray)
    assert of_image.metadata.exif == of_file.metadata.exif
    assert of_image.metadata.dpi == (200, 200)
    assert of_image.metadata.had_icc


# -- what goes out --------------------------------------------------------------------------------

FORMATS = ["jpeg", "png", "webp", "tiff", "avif", "heic"]


def needs(kind: str) -> None:
    if kind == "heic":
        pytest.importorskip("pillow_heif").register_heif_opener()


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
    assert set(listed) == {*FORMATS, "gif", "bmp", "jp2"}
    assert listed["jpeg"].writes
    assert not listed["gif"].writes
