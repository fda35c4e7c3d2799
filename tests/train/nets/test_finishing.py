"""Finished color agrees with its formulas: contrast, the guided filter, spread and strength."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from tinct.color import ab_bins
from tinct.train.nets.finishing import contrasted, guided_filter, spread, weighed


def test_the_guided_filter_agrees_with_its_formula() -> None:
    """He, Sun and Tang 2010, equations 5, 6 and 8, window by window in NumPy, at half the size."""
    rng = np.random.default_rng(0)
    whole = rng.random((2, 18, 22))
    guide, x = whole.reshape(2, 9, 2, 11, 2).mean(axis=(2, 4))
    radius, smoothness = 2, 0.03
    rows, columns = guide.shape

    def window(row: int, column: int) -> tuple[slice, slice]:
        return (
            slice(max(0, row - radius), row + radius + 1),
            slice(max(0, column - radius), column + radius + 1),
        )

    slopes, offsets = np.empty_like(guide), np.empty_like(guide)
    for place in np.ndindex(rows, columns):
        part, value = guide[window(*place)], x[window(*place)]
        covariance = (part * value).mean() - part.mean() * value.mean()
        slopes[place] = covariance / (part.var() + smoothness)
        offsets[place] = value.mean() - slopes[place] * part.mean()
    lines = np.empty((1, 2, rows, columns))
    for place in np.ndindex(rows, columns):
        lines[0, :, *place] = slopes[window(*place)].mean(), offsets[window(*place)].mean()
    larger = F.interpolate(torch.from_numpy(lines), scale_factor=2, mode="bilinear")[0].numpy()
    planes = (torch.from_numpy(plane)[None, None] for plane in whole)
    found = guided_filter(*planes, radius=radius, smoothness=smoothness)
    np.testing.assert_allclose(found[0, 0].numpy(), larger[0] * whole[0] + larger[1], atol=1e-5)


def test_contrast_spreads_chroma_about_its_pivot_and_keeps_hue() -> None:
    ab = torch.tensor([[3.0, 12.0, 30.0], [4.0, 0.0, -40.0]]).reshape(1, 2, 1, 3)
    found = contrasted(ab, 1.0)[0, :, 0]
    np.testing.assert_allclose(np.hypot(*found[:, :2]), [5 * 5 / 12, 12], rtol=1e-3)
    np.testing.assert_allclose(found[:, 2], [90, -110], rtol=1e-3)  # three times, limited
    np.testing.assert_allclose(np.arctan2(*found[:, 0]), np.arctan2(3, 4), atol=1e-5)
    assert torch.equal(contrasted(ab, 0.0), ab)


def test_spread_is_the_deviation_of_the_likely_colors() -> None:
    torch.manual_seed(0)
    bins = 3 * torch.randn(1, len(ab_bins()), 2, 3)
    found = spread(2 * bins, torch.from_numpy(ab_bins()))[0, 0]
    shares = np.exp(2 * bins[0].double().numpy())
    shares /= shares.sum(axis=0)
    for row, column in np.ndindex(2, 3):
        cov = np.cov(ab_bins().T, aweights=shares[:, row, column], ddof=0)
        assert float(found[row, column]) == pytest.approx(np.sqrt(np.trace(cov) + 0.25), rel=1e-4)


def test_doubt_makes_a_picture_paler() -> None:
    """By the given powers of its mean spread and of its mean chroma; the first is unsure here."""
    doubt = torch.tensor([40.0, 10.0, 10.0])[:, None, None, None].expand(3, 1, 2, 2)
    ab = torch.full((3, 2, 4, 4), 9.0)
    ab[2] = 36.0
    factor = (weighed(ab, doubt, confidence=0.5, evenness=0.25) / ab).mean(dim=(1, 2, 3))
    np.testing.assert_allclose(factor / factor[1], [4**-0.5, 1, 4**-0.25], rtol=1e-3)
    assert float(factor[1]) == pytest.approx((9 * 2**0.5 / 8) ** -0.25, rel=1e-3)
    sure = weighed(ab, torch.full((3, 1, 2, 2), 0.5), confidence=0.5, evenness=0.0)
    assert torch.allclose(sure, 1.2 * ab)  # not without end
    lost = weighed(ab, torch.full((3, 1, 2, 2), 100.0), confidence=1.0, evenness=0.0)
    assert torch.allclose(lost, 0.2 * ab)
