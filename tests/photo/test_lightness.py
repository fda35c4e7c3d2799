"""Codes to neutral codes of the same lightness, against scikit-image."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.color import rgb2lab

from made_pictures import gamma, gray_profile
from tinct.color import gray_to_lightness
from tinct.photo import icc, lightness


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_encode_gives_the_lightness_of_the_luminance(dtype: type) -> None:
    top = np.iinfo(dtype).max
    codes = np.linspace(0, top, 256).round().astype(dtype)
    neutral = np.repeat(codes[:, None], 3, axis=1) / top
    wanted = rgb2lab(neutral)[:, 0]
    light = icc.lightness_to_luminance(wanted)
    np.testing.assert_allclose(lightness.encode(light, dtype), codes, atol=0 if top == 255 else 2)


def test_no_code_is_lost_on_the_way() -> None:
    read = lightness.reader("rgb", np.uint8, None)
    codes = np.arange(256, dtype=np.uint8)
    almost = np.stack([codes, codes, codes], axis=-1)[None]
    almost[0, 0, 0] = 1  # one pixel off: the whole strip goes through luminance
    gray, colored = read(almost)
    np.testing.assert_array_equal(gray[0, 1:], codes[1:])
    assert colored == 0


def test_lab_strips() -> None:
    read = lightness.reader("lab", np.uint16, None)
    strip = np.zeros((1, 101, 3), np.float32)
    strip[0, :, 0] = np.arange(101)
    strip[0, :10, 1] = 30
    gray, colored = read(strip)
    assert np.abs(gray_to_lightness(gray[0] / 65535) - np.arange(101)).max() < 0.01
    assert colored == 10


@pytest.mark.parametrize(
    ("layout", "words"), [("rgb", "gray pictures, not for rgb"), ("cmyk", "not for cmyk")]
)
def test_profiles_that_do_not_fit(layout: lightness.Layout, words: str) -> None:
    with pytest.raises(icc.ProfileError, match=words):
        lightness.reader(layout, np.uint8, gray_profile(gamma(2.2)))


def test_a_profile_without_effect_changes_nothing() -> None:
    matrix = lightness._plain_tables(256, lightness.Coding())
    assert sum(float(table[-1]) for table in matrix) == pytest.approx(1, abs=1e-6)
