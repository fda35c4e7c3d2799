from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tinct.color import gray_to_lightness, rgb_to_lab
from tinct.coloring import luma_chroma


def rgb_of(luma: np.ndarray, cb: np.ndarray, cr: np.ndarray) -> np.ndarray:
    """As Pillow converts (ITU-T T.871)."""
    return np.asarray(
        Image.merge("YCbCr", [Image.fromarray(p) for p in (luma, cb, cr)]).convert("RGB")
    )


@pytest.mark.parametrize("code", [40, 90, 128, 180, 230])
@pytest.mark.parametrize("hue", range(0, 360, 45))
def test_hue_is_as_proposed_and_lightness_near(code: int, hue: int) -> None:
    codes = np.full((4, 4), code / 255, np.float32)
    angle = np.deg2rad(hue)
    ab = np.stack(
        [np.full((4, 4), 25 * part, np.float32) for part in (np.cos(angle), np.sin(angle))]
    )
    cb, cr = luma_chroma.chroma_of(codes, ab)
    luma = np.full((4, 4), code, np.uint8)
    low, up = (np.full((4, 4), code, np.uint8) for _ in range(2))
    blue, red = luma_chroma.chroma_planes((low, up), luma, ab)
    seen = rgb_to_lab(rgb_of(luma, blue, red) / 255)[1, 1]
    assert abs(seen[0] - gray_to_lightness(code / 255)) <= luma_chroma.MOST_SHIFT + 0.7
    chroma = np.hypot(seen[1], seen[2])
    assert 4 < chroma < 27
    turned = np.rad2deg(np.arctan2(seen[2], seen[1])) - hue
    assert abs((turned + 180) % 360 - 180) < 12
    assert np.sign(cb[0, 0]) == np.sign(blue[0, 0].astype(int) - 128) or abs(cb[0, 0]) < 0.01
    assert np.sign(cr[0, 0]) == np.sign(red[0, 0].astype(int) - 128) or abs(cr[0, 0]) < 0.01


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 1000),
    height=st.integers(1, 40),
    width=st.integers(1, 40),
    strength=st.floats(0, 1.5),
)
def test_no_channel_of_any_pixel_leaves_its_range(
    seed: int, height: int, width: int, strength: float
) -> None:
    rng = np.random.default_rng(seed)
    luma = rng.integers(0, 256, (height * 2, width * 2), np.uint8)
    squares = luma.reshape(height, 2, width, 2)
    ab = rng.normal(0, 60, (2, 8, 8)).astype(np.float32)
    cb, cr = luma_chroma.chroma_planes(
        (squares.min((1, 3)), squares.max((1, 3))), luma, ab, strength=strength
    )
    blue, red = (np.repeat(np.repeat(p.astype(float) - 128, 2, 0), 2, 1) for p in (cb, cr))
    for step in (1.402 * red, 1.772 * blue, -0.344136 * blue - 0.714136 * red):
        channel = luma + step
        assert channel.min() > -1.5  # half a code of Cb or Cr, rounded
        assert channel.max() < 256.5


def test_no_color_is_gray() -> None:
    luma = np.arange(256, dtype=np.uint8).reshape(16, 16)
    for ab, strength in (
        (np.zeros((2, 4, 4), np.float32), 1.0),
        (np.full((2, 4, 4), 40, np.float32), 0),
    ):
        for plane in luma_chroma.chroma_planes((luma, luma), luma, ab, strength=strength):
            assert (plane == 128).all()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("strong", [0.0, 12.0, 45.0, 140.0])
def test_the_luma_of_every_code_is_had_back(dtype: type, strong: float) -> None:
    """All 256 codes under every hue, to the gamut's edge; Pillow's luma for 8 bits."""
    most = np.iinfo(dtype).max
    codes = np.linspace(0, most, 256).round().astype(dtype)
    gray = np.repeat(codes[:, None], 64, axis=1)
    angle = np.linspace(0, 2 * np.pi, 64, endpoint=False, dtype=np.float32)
    ab = np.broadcast_to(
        np.stack([strong * np.cos(angle), strong * np.sin(angle)])[:, None], (2, 256, 64)
    )
    rgb = luma_chroma.compose_luma(gray, ab.astype(np.float32))
    assert rgb.dtype == dtype
    exact = np.rint(rgb @ np.array([0.299, 0.587, 0.114]))
    np.testing.assert_array_equal(exact, gray)
    if dtype is np.uint8:
        np.testing.assert_array_equal(np.asarray(Image.fromarray(rgb).convert("L")), gray)
    if strong > 10:
        assert np.ptp(rgb[100].astype(int), axis=1).min() > 0
