from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageEnhance
from skimage.transform import ProjectiveTransform, warp

from tinct.train.data import augment
from tinct.train.data.augment import Cut


def picture(height: int = 60, width: int = 90) -> np.ndarray:
    y, x = np.mgrid[0:height, 0:width]
    planes = [np.sin(x / 9) * 60 + 120, np.cos(y / 7) * 70 + 120, (x + y) % 200]
    return np.stack(planes, axis=2).astype(np.uint8)


def test_middle_square_is_the_picture_itself() -> None:
    pixels = picture()
    out = augment.take(pixels, augment.middle(pixels.shape), 60)
    assert np.array_equal(out, pixels[:, 15:75])


def test_flips_and_parts_keep_drawing_and_picture_in_register() -> None:
    pixels = picture()
    for seed in range(20):
        rng = np.random.default_rng(seed)
        cut = augment.draw_cut(pixels.shape, rng, smallest=0.5, warp=0.1)
        both = augment.take(pixels, cut, 32)
        alone = augment.take(np.ascontiguousarray(pixels[..., 1]), cut, 32)
        assert np.abs(both[..., 1].astype(int) - alone).max() <= 1
        assert 0 <= cut.top <= cut.top + cut.height <= 1 + 1e-9
        assert 0 <= cut.left <= cut.left + cut.width <= 1 + 1e-9


def test_warp_is_a_perspective_between_the_shifted_corners() -> None:
    side = 64
    y, x = np.mgrid[0:side, 0:side]
    smooth = (np.sin(x / 9) * 60 + np.cos(y / 11) * 50 + 128).astype(np.uint8)
    corners = ((0.05, 0.1), (0.08, -0.04), (-0.1, -0.02), (0.0, 0.06))
    found = augment.take(smooth, Cut(0, 0, 1, 1, corners=corners), side)
    # A quadrilateral is mapped bilinearly by Pillow; at its corners it meets the perspective.
    places = np.array([(0, 0), (0, 1), (1, 1), (1, 0)], dtype=float)
    transform = ProjectiveTransform.from_estimate(
        places * (side - 1), np.clip((places + corners) * (side - 1), 0, side - 1)
    )
    expected = warp(smooth / 255, transform, order=3) * 255
    for row, column in ((1, 1), (-2, 1), (-2, -2), (1, -2)):
        assert abs(float(found[row, column]) - expected[row, column]) < 8
    assert np.abs(found - expected)[4:-4, 4:-4].mean() < 8


def test_a_cut_without_room_takes_all() -> None:
    cut = augment.draw_cut((5, 5), np.random.default_rng(0), smallest=1.0)
    assert (cut.top, cut.left, cut.height, cut.width) == (0, 0, 1, 1)


@pytest.mark.parametrize("seed", range(4))
def test_light_changes_as_pillow_changes_it(seed: int) -> None:
    pixels = picture()
    bright, contrast = np.random.default_rng(seed).uniform(0.8, 1.2, 2)
    found = augment.relight(pixels, np.random.default_rng(seed), most=0.2)
    # Pillow's contrast turns around the picture's mean; here it turns around middle gray.
    gray = Image.new("RGB", (90, 60), (127, 127, 127))
    image = Image.blend(gray, Image.fromarray(pixels), contrast)
    expected = np.asarray(ImageEnhance.Brightness(image).enhance(bright)).astype(int)
    assert np.abs(found - expected).max() <= 3
