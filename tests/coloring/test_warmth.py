"""Warmer and cooler colors, against the CIE's white points and by what must not change."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.color import xyz2lab

from tinct.coloring.warmth import TOWARDS_D50, warmed

D50 = (0.96422, 1.0, 0.82521)  # CIE 15:2004, CIE 1931 observer


def test_the_way_is_that_from_the_white_of_d65_to_that_of_d50() -> None:
    lab = xyz2lab(np.array(D50)[None, None], illuminant="D65")[0, 0]
    assert lab[0] == pytest.approx(100)
    np.testing.assert_allclose(lab[1:], TOWARDS_D50, atol=0.06)


@pytest.mark.parametrize("warmth", [-1.0, -0.3, 0.5, 1.0])
def test_strong_colors_move_and_grays_stay(warmth: float) -> None:
    angles = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    for chroma, least, most in ((0.0, 0.0, 0.0), (10.0, 0.49, 0.51), (90.0, 0.89, 1.0)):
        ab = (chroma * np.stack([np.cos(angles), np.sin(angles)]))[:, None].astype(np.float32)
        moved = warmed(ab, warmth) - ab
        np.testing.assert_allclose(moved[0] * TOWARDS_D50[1], moved[1] * TOWARDS_D50[0], atol=1e-3)
        share = moved[1] / TOWARDS_D50[1] / warmth
        assert np.all((share >= least - 1e-5) & (share <= most + 1e-5))
    assert moved.dtype == np.float32
