"""Opening pictures of every kind, against other readers and color libraries."""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms, ImageOps
from skimage.color import rgb2gray, rgb2lab

from made_pictures import (
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
from tinct.errors import PictureError, UsageError
from tinct.photo import (
    Note,
    PictureWarning,
    encode_photo,
    from_array,
    from_pil,
    open_photo,
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


@pytest.mark.filterwarnings("ignore:.*CMYK without a color profile")
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


@pytest.mark.filterwarnings("ignore:.*CMYK without a color profile")
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
