"""Check every metric against scikit-image, colour-science, torchmetrics or published figures."""

from __future__ import annotations

import math
import statistics

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from tinct import color
from tinct.errors import UsageError
from tinct.measure import metrics

# The 34 pairs and differences that Sharma, Wu and Dalal published with the formula (table 1).
SHARMA = np.array(
    [
        [50.0000, 2.6772, -79.7751, 50.0000, 0.0000, -82.7485, 2.0425],
        [50.0000, 3.1571, -77.2803, 50.0000, 0.0000, -82.7485, 2.8615],
        [50.0000, 2.8361, -74.0200, 50.0000, 0.0000, -82.7485, 3.4412],
        [50.0000, -1.3802, -84.2814, 50.0000, 0.0000, -82.7485, 1.0000],
        [50.0000, -1.1848, -84.8006, 50.0000, 0.0000, -82.7485, 1.0000],
        [50.0000, -0.9009, -85.5211, 50.0000, 0.0000, -82.7485, 1.0000],
        [50.0000, 0.0000, 0.0000, 50.0000, -1.0000, 2.0000, 2.3669],
        [50.0000, -1.0000, 2.0000, 50.0000, 0.0000, 0.0000, 2.3669],
        [50.0000, 2.4900, -0.0010, 50.0000, -2.4900, 0.0009, 7.1792],
        [50.0000, 2.4900, -0.0010, 50.0000, -2.4900, 0.0010, 7.1792],
        [50.0000, 2.4900, -0.0010, 50.0000, -2.4900, 0.0011, 7.2195],
        [50.0000, 2.4900, -0.0010, 50.0000, -2.4900, 0.0012, 7.2195],
        [50.0000, -0.0010, 2.4900, 50.0000, 0.0009, -2.4900, 4.8045],
        [50.0000, -0.0010, 2.4900, 50.0000, 0.0010, -2.4900, 4.8045],
        [50.0000, -0.0010, 2.4900, 50.0000, 0.0011, -2.4900, 4.7461],
        [50.0000, 2.5000, 0.0000, 50.0000, 0.0000, -2.5000, 4.3065],
        [50.0000, 2.5000, 0.0000, 73.0000, 25.0000, -18.0000, 27.1492],
        [50.0000, 2.5000, 0.0000, 61.0000, -5.0000, 29.0000, 22.8977],
        [50.0000, 2.5000, 0.0000, 56.0000, -27.0000, -3.0000, 31.9030],
        [50.0000, 2.5000, 0.0000, 58.0000, 24.0000, 15.0000, 19.4535],
        [50.0000, 2.5000, 0.0000, 50.0000, 3.1736, 0.5854, 1.0000],
        [50.0000, 2.5000, 0.0000, 50.0000, 3.2972, 0.0000, 1.0000],
        [50.0000, 2.5000, 0.0000, 50.0000, 1.8634, 0.5757, 1.0000],
        [50.0000, 2.5000, 0.0000, 50.0000, 3.2592, 0.3350, 1.0000],
        [60.2574, -34.0099, 36.2677, 60.4626, -34.1751, 39.4387, 1.2644],
        [63.0109, -31.0961, -5.8663, 62.8187, -29.7946, -4.0864, 1.2630],
        [61.2901, 3.7196, -5.3901, 61.4292, 2.2480, -4.9620, 1.8731],
        [35.0831, -44.1164, 3.7933, 35.0232, -40.0716, 1.5901, 1.8645],
        [22.7233, 20.0904, -46.6940, 23.0331, 14.9730, -42.5619, 2.0373],
        [36.4612, 47.8580, 18.3852, 36.2715, 50.5065, 21.2231, 1.4146],
        [90.8027, -2.0831, 1.4410, 91.1528, -1.6435, 0.0447, 1.4441],
        [90.9257, -0.5406, -0.9208, 88.6381, -0.8985, -0.7239, 1.5381],
        [6.7747, -0.2908, -2.4247, 5.8714, -0.0985, -2.2286, 0.6377],
        [2.0776, 0.0795, -1.1350, 0.9033, -0.0636, -0.5514, 0.9082],
    ]
)


def _pair(height: int = 40, width: int = 57, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return a smooth color picture and a disturbed copy, uint8."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width] / max(height, width)
    truth = np.stack([x, y, (x + y) / 2], -1) * 200 + random.normal(0, 12, (height, width, 3)) + 20
    other = truth * 0.9 + random.normal(0, 20, (height, width, 3))
    return np.clip(other, 0, 255).astype(np.uint8), np.clip(truth, 0, 255).astype(np.uint8)


def test_ciede2000_matches_the_published_pairs() -> None:
    ours = metrics.ciede2000(SHARMA[:, :3], SHARMA[:, 3:6])
    np.testing.assert_allclose(ours, SHARMA[:, 6], atol=5e-5)
    np.testing.assert_allclose(metrics.ciede2000(SHARMA[:, 3:6], SHARMA[:, :3]), ours, atol=1e-9)


def test_ciede2000_matches_colour_science_and_scikit_image() -> None:
    import colour
    import skimage.color as skimage_color

    random = np.random.default_rng(3)
    lab1, lab2 = random.uniform((0, -100, -100), (100, 100, 100), (2, 4000, 3))
    lab2[:500, 1:] = 0  # neutrals take another branch
    ours = metrics.ciede2000(lab1, lab2)
    np.testing.assert_allclose(ours, colour.delta_E(lab1, lab2, method="CIE 2000"), atol=1e-9)
    np.testing.assert_allclose(ours, skimage_color.deltaE_ciede2000(lab1, lab2), atol=1e-9)


def test_ciede2000_broadcasts_and_takes_float32() -> None:
    lab = np.random.default_rng(0).uniform(0, 50, (3, 4, 3)).astype(np.float32)
    apart = metrics.ciede2000(lab, np.array([50, 0, 0], np.float32))
    assert apart.shape == (3, 4)
    assert apart.dtype == np.float64
    assert np.all(metrics.ciede2000(lab, lab) == 0)


@settings(max_examples=60, deadline=None)
@given(
    arrays.arrays(np.float64, (2, 5, 3), elements=st.floats(-120, 120)),
)
def test_ciede2000_is_symmetric_and_never_negative(pair: np.ndarray) -> None:
    pair[..., 0] = np.abs(pair[..., 0]) % 100
    forth, back = metrics.ciede2000(*pair), metrics.ciede2000(*pair[::-1])
    assert np.all(forth >= 0)
    # Opposite hues leave the mean hue ambiguous; everywhere else the order does not count.
    hues = np.degrees(np.arctan2(pair[..., 2], pair[..., 1]))
    clear = np.abs(np.abs(hues[0] - hues[1]) - 180) > 1
    np.testing.assert_allclose(forth[clear], back[clear], atol=1e-6)


@pytest.mark.parametrize("shape", [(40, 57), (11, 11), (300, 500)])
def test_ssim_matches_scikit_image(shape: tuple[int, int]) -> None:
    import skimage.metrics as skimage_metrics

    ours, truth = _pair(*shape)
    expected = skimage_metrics.structural_similarity(
        ours,
        truth,
        channel_axis=-1,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        data_range=255,
    )
    assert metrics.ssim(ours, truth) == pytest.approx(expected, abs=1e-9)


def test_ssim_matches_torchmetrics() -> None:
    import torch
    import torchmetrics.functional.image as functional

    ours, truth = _pair()
    planes = [
        torch.from_numpy(p.astype(np.float64) / 255).permute(2, 0, 1)[None] for p in (ours, truth)
    ]
    _, expected = functional.structural_similarity_index_measure(
        *planes, data_range=1.0, kernel_size=11, sigma=1.5, return_full_image=True
    )
    inside = expected[..., 5:-5, 5:-5]  # torchmetrics also counts windows that hang over the edge
    assert metrics.ssim(ours, truth) == pytest.approx(float(inside.mean()), abs=1e-5)


@pytest.mark.parametrize("strip", [37, 700, 1 << 17])
def test_figures_do_not_depend_on_the_strips(strip: int, monkeypatch: pytest.MonkeyPatch) -> None:
    ours, truth = _pair(61, 37)
    whole = metrics.compare(ours, truth)
    monkeypatch.setattr(metrics, "STRIP_PIXELS", strip)
    part = metrics.compare(ours, truth)
    for name in whole.__dataclass_fields__:
        assert getattr(part, name) == pytest.approx(getattr(whole, name), rel=1e-9), name


def test_psnr_matches_scikit_image_and_torchmetrics() -> None:
    import skimage.metrics as skimage_metrics
    import torch
    import torchmetrics.functional.image as functional

    ours, truth = _pair()
    result = metrics.psnr(ours, truth)
    assert result == pytest.approx(skimage_metrics.peak_signal_noise_ratio(truth, ours), abs=1e-9)
    expected = functional.peak_signal_noise_ratio(
        torch.from_numpy(ours.astype(np.float64)),
        torch.from_numpy(truth.astype(np.float64)),
        data_range=255.0,
    )
    assert result == pytest.approx(float(expected), abs=1e-4)
    assert metrics.psnr(truth, truth) == math.inf


def test_psnr_is_the_same_at_every_depth() -> None:
    ours, truth = _pair()
    eight = metrics.psnr(ours, truth)
    sixteen = metrics.psnr(ours.astype(np.uint16) * 257, truth.astype(np.uint16) * 257)
    assert sixteen == pytest.approx(eight, abs=1e-9)
    assert metrics.psnr(ours / 255, truth / 255) == pytest.approx(eight, abs=1e-9)


def test_colorfulness_matches_the_formula_in_plain_python() -> None:
    rgb, _ = _pair(9, 13)
    pixels = [[int(v) for v in pixel] for pixel in rgb.reshape(-1, 3)]
    rg = [r - g for r, g, _ in pixels]
    yb = [0.5 * (r + g) - b for r, g, b in pixels]
    expected = math.hypot(statistics.pstdev(rg), statistics.pstdev(yb)) + 0.3 * math.hypot(
        statistics.fmean(rg), statistics.fmean(yb)
    )
    assert metrics.colorfulness(rgb) == pytest.approx(expected, abs=1e-9)


def test_colorfulness_of_known_pictures() -> None:
    gray = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, -1)
    assert metrics.colorfulness(gray) == 0
    red = np.zeros((5, 4, 3), np.uint8)
    red[..., 0] = 255
    assert metrics.colorfulness(red) == pytest.approx(0.3 * math.hypot(255, 127.5))
    # Signed: half red, half green has no mean rg, and yb is the same everywhere.
    half = red.copy()
    half[:, 2:] = (0, 255, 0)
    assert metrics.colorfulness(half) == pytest.approx(255 + 0.3 * 127.5)


def test_chroma_error_and_lightness_shift_match_scikit_image() -> None:
    import skimage.color as skimage_color
    import skimage.metrics as skimage_metrics

    ours, truth = _pair()
    lab1, lab2 = (color.rgb_to_lab(p / 255.0) for p in (ours, truth))
    expected = math.sqrt(skimage_metrics.mean_squared_error(lab1[..., 1:], lab2[..., 1:]))
    assert metrics.ab_rmse(lab1, lab2) == pytest.approx(expected, abs=1e-9)
    theirs1, theirs2 = (skimage_color.rgb2lab(p) for p in (ours, truth))
    shift = np.abs(theirs1[..., 0] - theirs2[..., 0]).mean()
    assert metrics.lightness_shift(lab1, lab2) == pytest.approx(shift, abs=2e-3)


def test_compare_gives_what_the_single_functions_give() -> None:
    import skimage.color as skimage_color

    ours, truth = _pair(300, 500)
    all_at_once = metrics.compare(ours, truth)
    lab1, lab2 = (color.rgb_to_lab(p / 255.0) for p in (ours, truth))
    apart = metrics.ciede2000(lab1, lab2)
    assert all_at_once.ciede2000 == pytest.approx(apart.mean(), rel=1e-6)
    assert all_at_once.ciede2000_p95 == pytest.approx(np.percentile(apart, 95), rel=1e-6)
    assert all_at_once.ab_rmse == pytest.approx(metrics.ab_rmse(lab1, lab2), rel=1e-9)
    assert all_at_once.lightness_shift == pytest.approx(metrics.lightness_shift(lab1, lab2))
    assert all_at_once.psnr == metrics.psnr(ours, truth)
    assert all_at_once.ssim == metrics.ssim(ours, truth)
    assert all_at_once.colorfulness == metrics.colorfulness(ours)
    # End to end, from sRGB bytes to the difference, by another library.
    theirs = skimage_color.deltaE_ciede2000(*(skimage_color.rgb2lab(p) for p in (ours, truth)))
    assert all_at_once.ciede2000 == pytest.approx(theirs.mean(), abs=5e-3)


@pytest.mark.parametrize("shape", [(1, 1), (1, 30), (10, 3), (12, 5)])
def test_tiny_pictures_are_measured(shape: tuple[int, int]) -> None:
    ours, truth = _pair(*shape)
    assert metrics.compare(truth, truth).ssim == pytest.approx(1)
    figures = metrics.compare(ours, truth)
    assert figures.ciede2000 >= 0
    assert -1 <= figures.ssim <= 1


def test_pictures_that_do_not_match_are_refused() -> None:
    ours, truth = _pair()
    with pytest.raises(UsageError, match="same size and type"):
        metrics.compare(ours[1:], truth)
    with pytest.raises(UsageError, match="uint16"):
        metrics.psnr(ours.astype(np.uint16), truth)
    with pytest.raises(UsageError, match="not \\(height, width, 3\\)"):
        metrics.ssim(ours[..., 0], truth[..., 0])
