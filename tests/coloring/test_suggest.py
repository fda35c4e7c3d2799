from __future__ import annotations

import numpy as np
import pytest

from tinct.coloring import suggest
from tinct.coloring.suggest import Doubtful, Likely

CENTERS = np.array([[0, 0], [5, 0], [60, 30], [0, -50], [-40, 40]], np.float32)


def chances(*shares: float, size: tuple[int, int] = (1, 1)) -> np.ndarray:
    return np.broadcast_to(np.array(shares, np.float32)[:, None, None], (5, *size)).copy()


def test_probabilities_are_a_softmax_with_temperature() -> None:
    logits = np.log(np.array([[[0.7]], [[0.2]], [[0.1]]], np.float32))
    np.testing.assert_allclose(suggest.probabilities(logits)[:, 0, 0], [0.7, 0.2, 0.1], atol=1e-6)
    flat = suggest.probabilities(logits, temperature=2.0)[:, 0, 0]
    roots = np.sqrt([0.7, 0.2, 0.1])
    np.testing.assert_allclose(flat, roots / roots.sum(), atol=1e-6)


def test_doubt_by_hand() -> None:
    """Half gray, half 60, 30: both lie half their distance from the mean."""
    found = suggest.doubt_map(chances(0.5, 0, 0.5, 0, 0), CENTERS)[0, 0]
    assert found == pytest.approx(np.hypot(60, 30) / 2, rel=1e-5)
    assert suggest.doubt_map(chances(0, 0, 0, 1, 0), CENTERS)[0, 0] == pytest.approx(0, abs=1e-4)


def test_likely_colors_are_distinct_and_in_order() -> None:
    found = suggest.likely_colors(np.array([0.25, 0.2, 0.15, 0.3, 0.1]), CENTERS, apart=20)
    assert [round(color.share, 3) for color in found] == [0.45, 0.3, 0.15, 0.1]
    assert found[0].ab == pytest.approx((5 * 0.2 / 0.45, 0))  # the mean of the two that are alike
    assert found[1].ab == pytest.approx((0, -50))
    assert len(suggest.likely_colors(np.array([0.25, 0.2, 0.15, 0.3, 0.1]), CENTERS, count=2)) == 2


def test_colors_are_told_in_srgb() -> None:
    assert Likely((0.0, 0.0), 1.0).at(53.585) == "#808080"
    assert Likely((80.09, 67.2), 1.0).at(53.24) == "#ff0000"  # CIE Lab of sRGB's red
    assert Likely((120.0, 100.0), 1.0).at(99.0)[1:3] >= "f0"  # paler rather than darker


def test_the_region_that_is_large_and_doubtful_comes_first() -> None:
    """Left three quarters unsure, a small corner just as unsure, the rest sure."""
    grid = chances(0, 0, 0, 1, 0, size=(16, 16))
    light = np.full((64, 64), 70, np.float32)
    light[:, 40:] = 30
    grid[:, :, :10] = chances(0.5, 0, 0.5, 0, 0, size=(16, 10))
    grid[:, 13:, 13:] = chances(0.5, 0, 0, 0, 0.5, size=(3, 3))
    light[52:, 52:] = 90
    first, second = suggest.doubtful_regions(grid, CENTERS, light, count=2)
    assert first.area == pytest.approx(160 / 256)
    assert second.area == pytest.approx(9 / 256)
    assert 0.2 < first.x < 0.5
    assert 0.3 < first.y < 0.7
    assert first.mask[int(first.y * 16), int(first.x * 16)]
    assert first.lightness == pytest.approx(70)
    assert {round(color.ab[0]) for color in first.colors} == {0, 60}


def test_padding_is_never_suggested() -> None:
    grid = chances(0.5, 0, 0.5, 0, 0, size=(16, 16))
    light = np.full((64, 64), 50, np.float32)
    (only,) = suggest.doubtful_regions(grid, CENTERS, light, cover=(0.5, 0.75))
    assert only.area == 1
    assert only.mask.sum() == 8 * 12
    for x, y in suggest.interior(only.mask, cover=(0.5, 0.75)):
        assert 0 < x < 1
        assert 0 < y < 1


def region(area: float, *cells: tuple[int, int]) -> Doubtful:
    mask = np.zeros((2, 2), bool)
    mask[tuple(np.array(cells).T)] = True
    return Doubtful(0.5, 0.5, area, 50, 10, (), mask)


def test_alternatives_lean_the_same_way_and_never_repeat() -> None:
    """Two bins of equal chance in one region, two others in another: their halves are known."""
    centers = np.array([[0, 0], [40, 0], [0, 10], [30, 10]], np.float32)
    grid = np.zeros((4, 2, 2), np.float32)
    grid[:2, 0] = 0.5
    grid[2:, 1] = 0.5
    upper, lower = region(0.5, (0, 0), (0, 1)), region(0.5, (1, 0), (1, 1))
    shown = np.zeros((2, 4, 4), np.float32)
    shown[:, :2] = np.array([21, 3])[:, None, None]
    shown[:, 2:] = np.array([5, 10])[:, None, None]
    found = suggest.alternatives([upper, lower], grid, centers, shown, count=3)
    # The likely colors vary along a*: first all have less of it, then more, and that is all.
    assert [[one is upper for one, _ in choice] for choice in found] == [[True, False]] * 2
    less, more = ([color for _, color in choice] for choice in found)
    change = np.array([[20, 0], [15, 0]]) * suggest.TOWARD
    np.testing.assert_allclose(less, np.array([[21, 3], [5, 10]]) - change, atol=1e-4)
    np.testing.assert_allclose(more, np.array([[21, 3], [5, 10]]) + change, atol=1e-4)
    assert len(suggest.alternatives([upper, lower], grid, centers, shown, count=1)) == 1
    shown[0] = 108
    found = suggest.alternatives([upper], grid, centers, shown, count=2)
    assert found[1][0][1][0] == suggest.LIMIT


def test_who_is_sure_has_no_alternatives() -> None:
    centers = np.array([[0, 0], [40, 0]], np.float32)
    grid = np.zeros((2, 2, 2), np.float32)
    shown = np.zeros((2, 2, 2), np.float32)
    sure = region(1, (0, 0), (1, 1))
    grid[0], grid[1] = 0.96, 0.04  # the mean is 1.6, the rarer color 38.4 from it
    rare, *others = suggest.alternatives([sure], grid, centers, shown, count=2)
    assert rare[0][1] == pytest.approx((0.8 * 38.4, 0), abs=1e-3)
    assert not others  # the other color is nearer to the mean than a variant must be
    grid[0], grid[1] = 0.99, 0.01  # hardly likely
    assert suggest.alternatives([sure], grid, centers, shown, count=3) == []
    grid[0], grid[1] = 1, 0
    assert suggest.alternatives([sure], grid, centers, shown, count=3) == []
    assert suggest.alternatives([], grid, centers, shown, count=3) == []
