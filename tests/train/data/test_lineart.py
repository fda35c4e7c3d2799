from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter, maximum_filter

from tinct.color import gray_to_lightness
from tinct.train.data import lineart


def scene(count: int = 2, side: int = 48) -> torch.Tensor:
    """Gray pictures 0..1 with a dark disk and a soft ramp."""
    y, x = np.mgrid[0:side, 0:side] / side
    disk = np.where((x - 0.5) ** 2 + (y - 0.5) ** 2 < 0.06, 0.15, 0.8)
    planes = [disk, 0.3 + 0.5 * x, np.clip(disk * (0.6 + y), 0, 1)][:count]
    return torch.tensor(np.stack(planes))[:, None].double()


@pytest.mark.parametrize("values", [(0.5, 1.6, 0.975, -0.005, 60.0), (0.8, 1.6, 0.96, -0.015, 20)])
def test_lines_follow_the_formula_of_the_paper(values: tuple[float, ...]) -> None:
    gray = scene(3)
    drawn = lineart.Handwriting(*(torch.full((3,), float(value)) for value in values))
    found = lineart.xdog(gray, drawn)[:, 0].numpy()
    sigma, k, gamma, eps, phi = values
    for picture, lines in zip(gray[:, 0].numpy(), found, strict=True):
        # SciPy's "mirror" is what torch calls "reflect": the outermost pixel is not repeated.
        narrow = gaussian_filter(picture, sigma, mode="mirror", truncate=8)
        wide = gaussian_filter(picture, sigma * k, mode="mirror", truncate=8)
        difference = narrow - gamma * wide
        expected = np.where(difference >= eps, 1, 1 + np.tanh(phi * (difference - eps)))
        # Kernels end at 3 deviations here, where 0.3 % of a Gaussian lies beyond.
        assert np.abs(lines - np.clip(expected, 0, 1)).max() < 0.15
        assert np.abs(lines - np.clip(expected, 0, 1)).mean() < 0.01


def test_paper_is_white_and_outlines_are_dark() -> None:
    lightness = gray_to_lightness(scene(1)).float()
    drawing = lineart.standard(lightness)[0, 0]
    assert drawing.shape == lightness.shape[2:]
    assert float(drawing[:4].min()) > 99
    rim = drawing[24, :]  # across the disk: two dark places, where its outline is
    dark = torch.nonzero(rim < 50).flatten().tolist()
    edges = [
        i
        for i in range(47)
        if float((lightness[0, 0, 24, i + 1] - lightness[0, 0, 24, i]).abs()) > 20
    ]
    assert edges
    assert all(min(abs(i - edge) for i in dark) <= 1 for edge in edges)
    assert all(min(abs(i - edge) for edge in edges) <= 2 for i in dark)


def test_handwriting_varies_with_the_seed_alone() -> None:
    lightness = gray_to_lightness(scene(1)).float().expand(6, -1, -1, -1).contiguous()
    one, same = lineart.vary(lightness, seeds=range(6)), lineart.vary(lightness, seeds=range(6))
    other = lineart.vary(lightness, seeds=range(6, 12))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    assert len({float(plane.sum()) for plane in one}) == 6
    assert float(one.min()) >= 0
    assert float(one.max()) <= 100.001


def test_pencil_is_gray_over_its_dilation() -> None:
    gray = scene(3)
    exponent = torch.tensor([1.0, 2.0, 5.0])
    for radius in (1, 2):
        found = lineart.pencil(gray, radius=radius, exponent=exponent)[:, 0].numpy()
        for picture, lines, power in zip(gray[:, 0].numpy(), found, exponent, strict=True):
            lifted = np.maximum(picture, lineart.DARKEST)
            brightest = maximum_filter(lifted, 2 * radius + 1, mode="nearest")
            assert np.abs(lines - (lifted / brightest) ** float(power)).max() < 1e-6


def test_some_drawings_are_penciled() -> None:
    lightness = gray_to_lightness(scene(1)).float().expand(60, -1, -1, -1).contiguous()
    seeds = range(60)
    inked, mixed = (lineart.vary(lightness, seeds=seeds, penciled=p) for p in (0.0, 0.3))
    changed = [not torch.equal(a, b) for a, b in zip(inked, mixed, strict=True)]
    assert 8 < sum(changed) < 30
    assert float(mixed.min()) >= 0
    assert float(mixed.max()) <= 100.001
    # A pencil leaves even areas white, the dark disk's inside too.
    everywhere = lineart.vary(lightness, seeds=seeds, penciled=1.0)
    assert float(everywhere[:, 0, 22:26, 22:26].min()) > 99
