"""Finished color agrees with its formulas: contrast, the guided filter, spread and strength."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from tinct.color import ab_bins
from tinct.train import recipes
from tinct.train.nets.finishing import coherent, contrasted, guided_filter, spread, weighed
from tinct.train.nets.flagship import FlagshipNet


@pytest.mark.parametrize("channels", [1, 3])
def test_the_guided_filter_agrees_with_its_formula(channels: int) -> None:
    """He, Sun and Tang 2010, equations 5, 6, 8 and 14 to 16, window by window in NumPy, at half
    the size."""
    rng = np.random.default_rng(0)
    whole = rng.random((channels + 1, 18, 22))
    small = whole.reshape(-1, 9, 2, 11, 2).mean(axis=(2, 4))
    guide, x = small[:channels], small[channels]
    radius, smoothness = 2, 0.03
    rows, columns = x.shape

    def window(row: int, column: int) -> tuple[slice, slice]:
        return (
            slice(max(0, row - radius), row + radius + 1),
            slice(max(0, column - radius), column + radius + 1),
        )

    functions = np.empty((channels + 1, rows, columns))
    for place in np.ndindex(rows, columns):
        part = guide[:, *window(*place)].reshape(channels, -1)
        value = x[window(*place)].ravel()
        left = np.cov(part, ddof=0).reshape(channels, channels) + smoothness * np.eye(channels)
        right = (part * value).mean(axis=1) - part.mean(axis=1) * value.mean()
        slope = np.linalg.solve(left, right)
        functions[:, *place] = [*slope, value.mean() - slope @ part.mean(axis=1)]
    lines = np.empty((1, channels + 1, rows, columns))
    for place in np.ndindex(rows, columns):
        lines[0, :, *place] = functions[:, *window(*place)].mean(axis=(1, 2))
    larger = F.interpolate(torch.from_numpy(lines), scale_factor=2, mode="bilinear")[0].numpy()
    planes = torch.from_numpy(whole)[None]
    found = guided_filter(
        planes[:, :channels], planes[:, channels:], radius=radius, smoothness=smoothness
    )
    expected = (larger[:channels] * whole[:channels]).sum(axis=0) + larger[channels]
    np.testing.assert_allclose(found[0, 0].numpy(), expected, atol=1e-5)


def test_color_tells_regions_of_one_gray_apart() -> None:
    """A face before a backdrop of its own gray: no glow; specks inside each are smoothed away."""
    gray = torch.full((1, 1, 64, 64), 0.6)
    ab = torch.zeros(1, 2, 64, 64)
    ab[..., 32:] = 30.0
    sides = ab.clone()
    ab = ab + 4 * torch.randn(ab.shape, generator=torch.Generator().manual_seed(0))
    beside = slice(16, 24)  # columns of the backdrop, near the face

    def glow(color_range: float) -> float:
        found = coherent(gray, ab, radius=6, smoothness=0.001, color_range=color_range)
        return float((found - sides)[..., beside].mean())

    assert glow(0.0) > 3
    assert abs(glow(280.0)) < 1
    found = coherent(gray, ab, radius=6, smoothness=0.001, color_range=280.0)
    assert float((found - sides)[..., 40:].std()) < 0.5 * float((ab - sides)[..., 40:].std())


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
    found = spread(0.9 * bins, torch.from_numpy(ab_bins()))[0, 0]  # at a temperature of 0.45
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


def test_what_is_adapted_is_made_neither_stronger_nor_paler() -> None:
    """Only the filter is left of it; what is not adapted is finished as ever; a mean is between."""
    chosen = {"coherence": "2", "color_range": "0", "confidence": "1", "evenness": "0.2"}
    recipe = recipes.get(
        "flagship-photo",
        {f"model.{name}": value for name, value in chosen.items()} | {"model.pretrained": "false"},
        size="nano",
    )
    net = FlagshipNet(recipe.model)
    chance = torch.Generator().manual_seed(0)
    ab = torch.randn((2, 2, 16, 16), generator=chance) * 9
    bins = torch.randn((2, len(net.bin_centers), 8, 8), generator=chance)
    lightness = torch.rand((2, 1, 32, 32), generator=chance) * 100

    def finish(adapted: float | None) -> torch.Tensor:
        share = None if adapted is None else torch.full((2, 1, 1, 1), adapted)
        return net.finished(1.3 * ab, bins, lightness, 0.6, share)

    net.set_join(0.4, 0.5, 1.3)
    guide = F.avg_pool2d(net.codes(lightness)[0], 2)
    plain = coherent(guide, ab, radius=2, smoothness=net.settings.smoothness, color_range=0)
    torch.testing.assert_close(finish(1.0), plain, rtol=0, atol=1e-3)
    torch.testing.assert_close(finish(0.0), finish(None))
    assert (finish(None) - plain).abs().max() > 1
    assert not torch.allclose(finish(0.5), plain, atol=0.1)
