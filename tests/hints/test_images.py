"""Color pictures that hints are made of, read as Pillow reads them."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms
from skimage.color import rgb2lab

from tinct.errors import PictureError
from tinct.hints import images
from tinct.hints.images import Pixels, of_array, of_picture, of_text


@pytest.fixture
def rgba() -> np.ndarray:
    """Random colors; the left half is half clear, the first column clear."""
    codes = np.random.default_rng(0).integers(0, 256, (9, 14, 4)).astype(np.uint8)
    codes[..., 3] = 255
    codes[:, :7, 3] = 128
    codes[:, 0] = 0
    return codes


def test_every_kind_of_picture_is_the_same(rgba: np.ndarray, tmp_path: Path) -> None:
    image = Image.fromarray(rgba)
    image.save(tmp_path / "layer.png")
    data = (tmp_path / "layer.png").read_bytes()
    wanted = Pixels(9, 14, rgba.tobytes())
    kinds = [rgba, image, data, tmp_path / "layer.png", str(tmp_path / "layer.png"), wanted]
    kinds += [rgba / 255, rgba.astype(np.uint16) * 257]
    for kind in kinds:
        assert of_picture(kind) == wanted
    assert of_text(wanted.as_text(), folder=None) == wanted
    assert of_text("layer.png", folder=tmp_path) == wanted
    np.testing.assert_array_equal(wanted.rgba, rgba)
    with Image.open(io.BytesIO(data)) as opened:
        assert wanted.painted == opened.getchannel("A").getbbox() == (1, 0, 14, 9)
    assert not wanted.opaque
    assert of_array(rgba[..., :3]).opaque


def test_orientation_and_profile_are_applied(rgba: np.ndarray, tmp_path: Path) -> None:
    image = Image.fromarray(rgba[..., :3])
    exif = Image.Exif()
    exif[0x0112] = 6
    image.save(tmp_path / "turned.png", exif=exif)
    upright = np.rot90(rgba[..., :3], -1)
    for kind in (tmp_path / "turned.png", Image.open(tmp_path / "turned.png")):
        np.testing.assert_array_equal(of_picture(kind).rgba[..., :3], upright)
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    image.save(tmp_path / "profiled.png", icc_profile=profile)
    found = of_picture(tmp_path / "profiled.png").rgba[..., :3]
    assert np.abs(found.astype(int) - rgba[..., :3]).max() <= 1


def test_gray_and_palette_become_colors(tmp_path: Path) -> None:
    for mode in ("L", "P", "1", "LA"):
        image = Image.new("RGB", (5, 4), (255, 255, 255)).convert(mode)
        image.save(tmp_path / "x.png")
        assert (of_picture(tmp_path / "x.png").rgba == 255).all()
        assert (of_picture(image).rgba == 255).all()


def test_strips_are_premultiplied_lab(rgba: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "STRIP_PIXELS", 30)
    parts = list(of_array(rgba).strips())
    assert len(parts) == 5
    planes = np.concatenate(parts, axis=1)
    alpha = rgba[..., 3] / 255
    lab = rgb2lab(rgba[..., :3] / 255).transpose(2, 0, 1) * alpha
    np.testing.assert_allclose(planes[:3], lab, atol=0.03)
    np.testing.assert_allclose(planes[3], alpha, atol=1e-6)
    np.testing.assert_array_equal(planes[4] == 1, alpha >= 0.5)


def test_blocks_are_means_by_alpha(rgba: np.ndarray) -> None:
    planes = np.concatenate(list(of_array(rgba).strips(4)), axis=1)
    assert planes.shape == (5, 3, 4)
    block = rgba[4:8, 4:8] / 255
    weight = block[..., 3:]
    rgb = (block[..., :3] * weight).sum((0, 1)) / weight.sum()
    assert planes[3, 1, 1] == pytest.approx(weight.mean(), abs=1e-5)
    np.testing.assert_allclose(planes[:3, 1, 1] / planes[3, 1, 1], rgb2lab(rgb), atol=0.05)
    assert planes[3, 2, 3] == pytest.approx(2 / 16)  # two pixels wide and one high remain
    assert planes[4, 2, 3] == 1


def test_large_pictures_become_small(rgba: np.ndarray) -> None:
    small = of_array(rgba).within(7)
    assert (small.height, small.width) == (4, 7)
    assert of_array(rgba).within(14) == of_array(rgba)


@pytest.mark.parametrize(
    ("picture", "match"),
    [
        (np.zeros((4, 4), np.uint8), "is no color picture"),
        (np.zeros((4, 4, 5), np.uint8), "is no color picture"),
        (np.zeros((0, 4, 3), np.uint8), "is no color picture"),
        (np.full((4, 4, 3), 2.0), "must lie in 0..1"),
        (np.full((4, 4, 3), np.nan), "must lie in 0..1"),
        (np.zeros((4, 4, 3), np.int64), "an array of int64"),
        (b"nonsense", "cannot be read as a picture"),
        (7, "a int is no picture"),
        ("x" * 300, "no name that a file can have|is not there"),
        ("none.png", "none.png is not there"),
    ],
)
def test_what_is_no_picture(picture: object, match: str) -> None:
    with pytest.raises(PictureError, match=match) as caught:
        of_picture(picture)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("data:image/jpeg;base64,AAAA", "begins with data:image/png"),
        (images.DATA + "A*A", "no PNG in base64"),
        (images.DATA + "AAAA", "cannot be read as a picture"),
        ("/etc/hosts", "in the folder of this file or below"),
        ("../x.png", "in the folder of this file or below"),
        ("a/../../x.png", "in the folder of this file or below"),
        ("C:x.png", "in the folder of this file or below"),
        ("a\\x.png", "in the folder of this file or below"),
        ("x.png", "x.png is not there"),
    ],
)
def test_texts_that_name_no_picture(text: str, match: str, tmp_path: Path) -> None:
    with pytest.raises(PictureError, match=match):
        of_text(text, folder=tmp_path)


def test_a_name_needs_a_folder() -> None:
    with pytest.raises(PictureError, match="relative to no folder"):
        of_text("x.png", folder=None)


def test_too_many_pixels(rgba: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "MAX_PIXELS", 100)
    with pytest.raises(PictureError, match="has 14 x 9 pixels"):
        of_picture(Image.fromarray(rgba))
