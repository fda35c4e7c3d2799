"""Color conversion against scikit-image and colour-science, round trips, gradients."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from skimage.color import lab2rgb, rgb2lab

from tinct import color

UNIT = st.floats(0, 1, width=32)


@given(arrays(np.float64, (7, 3), elements=st.floats(0, 1)))
def test_lab_equals_scikit_image(rgb: np.ndarray) -> None:
    # scikit-image rounds the matrix and the white point to fewer digits.
    assert np.abs(color.rgb_to_lab(rgb) - rgb2lab(rgb)).max() < 0.03


def test_lab_equals_colour_science() -> None:
    import colour

    rgb = np.random.default_rng(0).random((500, 3))
    space = colour.RGB_COLOURSPACES["sRGB"]
    xyz = colour.RGB_to_XYZ(rgb, space, apply_cctf_decoding=True)
    expected = colour.XYZ_to_Lab(xyz, space.whitepoint)
    assert np.abs(color.rgb_to_lab(rgb) - expected).max() < 0.05


@given(arrays(np.float64, (9, 3), elements=st.floats(0, 1)))
def test_round_trip(rgb: np.ndarray) -> None:
    assert np.abs(color.lab_to_rgb(color.rgb_to_lab(rgb)) - rgb).max() < 1e-9
    linear = color.linear_to_srgb(color.srgb_to_linear(rgb))
    # The two pieces of the standard's curve miss each other by 3e-7 where they meet.
    assert np.abs(linear - rgb).max() < 5e-7


def test_inverse_equals_scikit_image() -> None:
    lab = rgb2lab(np.random.default_rng(1).random((300, 3)))
    assert np.abs(color.lab_to_rgb(lab) - lab2rgb(lab)).max() < 2e-3


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_axis(axis: int) -> None:
    rgb = np.random.default_rng(2).random((4, 5, 3))
    moved = np.moveaxis(rgb, -1, axis)
    for convert in (color.rgb_to_lab, color.lab_to_rgb, color.fit_gamut):
        there = convert(moved * (1 if convert is not color.fit_gamut else 100), axis=axis)
        plain = convert(rgb * (1 if convert is not color.fit_gamut else 100))
        assert np.allclose(np.moveaxis(there, axis, -1), plain)


@given(arrays(np.float64, 20, elements=st.floats(0, 1)))
def test_gray_is_neutral_lab(gray: np.ndarray) -> None:
    lab = color.rgb_to_lab(np.stack([gray] * 3, axis=-1))
    assert np.abs(lab[:, 1:]).max() < 1e-9
    assert np.allclose(color.gray_to_lightness(gray), lab[:, 0])
    assert np.allclose(color.lightness_to_gray(lab[:, 0]), gray, atol=1e-7)


@given(
    arrays(np.float64, (30, 2), elements=st.floats(-128, 128)),
    arrays(np.float64, 30, elements=st.floats(0, 100)),
)
def test_gamut_is_reached_at_constant_lightness_and_hue(ab: np.ndarray, light: np.ndarray) -> None:
    lab = np.concatenate([light[:, None], ab], axis=1)
    fitted = color.fit_gamut(lab)
    assert np.array_equal(fitted[:, 0], light)
    rgb = color.lab_to_rgb(fitted)
    assert rgb.min() > -2e-4
    assert rgb.max() < 1 + 2e-4
    before, after = np.hypot(*ab.T), np.hypot(*fitted[:, 1:].T)
    assert (after <= before + 1e-9).all()
    # The cross product of the two chroma vectors vanishes: the hue is the same.
    cross = ab[:, 0] * fitted[:, 2] - ab[:, 1] * fitted[:, 1]
    assert np.abs(cross).max() < 1e-6 * max(1.0, float((before * after).max()))
    inside = color.in_gamut(lab)
    assert np.array_equal(fitted[inside], lab[inside])


def test_no_chroma_is_given_away() -> None:
    rgb = np.random.default_rng(3).random((200, 3))
    rgb[np.arange(200), np.arange(200) % 3] = np.arange(200) % 2  # on the gamut's surface
    lab = color.rgb_to_lab(rgb)
    far = lab * [1, 3, 3]
    lost = np.abs(color.fit_gamut(far) - lab).max(axis=1)
    assert np.quantile(lost, 0.95) < 0.15  # the gamut is not star-shaped among a few blues


def test_max_chroma_is_the_surface() -> None:
    rgb = np.random.default_rng(4).random((200, 3))
    rgb[np.arange(200), np.arange(200) % 3] = np.arange(200) % 2
    lightness, a, b = color.rgb_to_lab(rgb).T
    off = np.abs(color.max_chroma(lightness, np.arctan2(b, a)) - np.hypot(a, b))
    assert np.quantile(off, 0.95) < 0.15


def test_bins_are_a_grid_inside_the_gamut() -> None:
    bins = color.ab_bins(step=10)
    assert bins.dtype == np.float32
    assert (bins % 10 == 0).all()
    assert len(np.unique(bins, axis=0)) == len(bins)
    held = {tuple(pair) for pair in bins}
    # Every color of a dense sample of sRGB that sits on a grid point is held.
    levels = np.linspace(0, 1, 48)
    lab = color.rgb_to_lab(np.stack(np.meshgrid(levels, levels, levels), -1).reshape(-1, 3))
    nearest = np.round(lab[:, 1:] / 10) * 10
    close = np.abs(lab[:, 1:] - nearest).max(axis=1) < 0.15
    assert {tuple(pair) for pair in nearest[close]} <= held
    assert (0.0, 0.0) in held


def test_torch_agrees_and_has_gradients() -> None:
    import torch

    rgb = np.random.default_rng(5).random((50, 3))
    tensor = torch.tensor(rgb)
    for convert in (color.rgb_to_lab, color.srgb_to_linear, color.linear_to_srgb):
        assert np.allclose(convert(tensor).numpy(), convert(rgb))
    lab = color.rgb_to_lab(rgb) * 1.6
    assert np.allclose(color.fit_gamut(torch.tensor(lab)).numpy(), color.fit_gamut(lab))
    inner = torch.tensor(rgb * 0.8 + 0.1, requires_grad=True)
    assert torch.autograd.gradcheck(color.rgb_to_lab, (inner,))
    black = torch.zeros(1, 3, requires_grad=True)
    color.lab_to_rgb(color.rgb_to_lab(black)).sum().backward()
    assert torch.isfinite(black.grad).all()


def test_integers_are_taken_as_floats() -> None:
    assert color.gray_to_lightness(np.array([0, 1])).tolist() == [0, pytest.approx(100)]
