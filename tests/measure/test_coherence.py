"""Blotches and leak on pictures whose figures are known by hand."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.color import lab2rgb

from tinct.measure import coherence


def two_surfaces(height: int = 60, width: int = 80) -> np.ndarray:
    """A dark red surface beside a light green one, L*, a*, b*."""
    lab = np.empty((height, width, 3))
    lab[:, : width // 2] = (30, 25, 10)
    lab[:, width // 2 :] = (75, -20, 20)
    return lab


def test_two_clean_surfaces_have_neither() -> None:
    lab = two_surfaces()
    labels = coherence.regions(lab[..., 0])
    assert len(np.unique(labels[labels >= 0])) >= 2
    inner = np.zeros(lab.shape[:2], bool)
    inner[:, 5:35] = inner[:, 45:75] = True
    assert coherence.blotches(lab, np.where(inner, labels, -1)) == pytest.approx(0, abs=1e-9)
    off, step = coherence.leak(lab, lab[..., 0])
    assert off == 0
    assert step == pytest.approx(np.hypot(45, 10))


def test_blotches_are_the_deviation_inside() -> None:
    lab = two_surfaces(200, 300)
    labels = np.repeat([[0] * 150 + [1] * 150], 200, axis=0)
    rng = np.random.default_rng(0)
    lab[..., 1] += rng.normal(0, 3, lab.shape[:2])
    lab[..., 2] += rng.normal(0, 4, lab.shape[:2])
    assert coherence.blotches(lab, labels) == pytest.approx(5, rel=0.02)
    assert coherence.blotches(lab, np.full_like(labels, -1)) is None


@pytest.mark.parametrize("turned", [False, True])
def test_a_blurred_color_leaks_what_its_blur_says(turned: bool) -> None:
    """Color that goes over linearly within 4 pixels of the edge has 1/4 left at 2 pixels."""
    lab = two_surfaces()
    place = np.arange(80) - 39.5
    share = np.clip(0.5 + place / 8, 0, 1)[None, :, None]
    lab[..., 1:] = (1 - share) * lab[:1, :1, 1:] + share * lab[:1, -1:, 1:]
    if turned:
        lab = lab.transpose(1, 0, 2)
    off, step = coherence.leak(lab, lab[..., 0])
    # The edge is seen at -0.5 and 0.5; two pixels from there are 1.5 and 2.5 pixels from the step.
    near = np.mean([0.5 - 1.5 / 8, 0.5 - 2.5 / 8])
    assert off / step == pytest.approx(near, rel=1e-6)


def test_pictures_without_edges_say_nothing() -> None:
    lab = np.full((20, 30, 3), (50.0, 10.0, 10.0))
    assert coherence.leak(lab, lab[..., 0]) == (0.0, 0.0)
    rgb = np.rint(lab2rgb(lab) * 255).astype(np.uint8)
    assert set(coherence.coherence(rgb, rgb)) == {"blotches"}


def test_gray_has_no_blotches_and_no_leak() -> None:
    rgb = np.rint(lab2rgb(two_surfaces(300, 400)) * 255).astype(np.uint8)
    gray = np.repeat(rgb[..., :1], 3, axis=2)
    figures = coherence.coherence(gray, rgb)
    assert figures["blotches"] < 0.1
    assert "leak" not in figures
    true = coherence.coherence(rgb, rgb)
    assert true["leak"] < 0.2
    assert coherence.lab_of(rgb).shape[:2] == (256, 341)
