"""The largest chroma at a lightness and hue, against the bisection of tinct.color."""

from __future__ import annotations

import numpy as np

from tinct import color
from tinct.coloring import lab_render


def test_the_kept_share_of_chroma() -> None:
    rng = np.random.default_rng(0)
    level = rng.uniform(4, 254, 4000).astype(np.float32)
    hue = rng.uniform(-np.pi, np.pi, 4000)
    a, b = (200 * np.cos(hue)).astype(np.float32), (200 * np.sin(hue)).astype(np.float32)
    found = 200 * lab_render.kept_chroma(level, a, b)
    largest = color.max_chroma(color.gray_to_lightness(level / 255.0), hue)
    assert np.abs(found - largest).mean() < 0.2
    assert np.percentile(found - largest, 99) < 0.6


def test_gray_keeps_all_of_no_chroma() -> None:
    zero = np.zeros(3, np.float32)
    np.testing.assert_array_equal(lab_render.kept_chroma(np.float32([1, 128, 254]), zero, zero), 1)
