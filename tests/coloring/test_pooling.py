"""Colors that keep to the regions of a drawing."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from tinct.coloring.pooling import ALONE, enlarge_chroma, pool_chroma


def test_each_region_gets_the_color_of_its_paper() -> None:
    chance = np.random.default_rng(5)
    lab = chance.uniform(-20, 60, (3, 12, 18)).astype(np.float32)
    regions = np.zeros((12, 18), np.int32)
    regions[:, 9:] = 1
    regions[3:6, 2:7] = 2
    paper = np.ones((12, 18), np.float32)
    paper[:4] = 0  # four rows are ink
    found = pool_chroma(lab, paper, regions)
    assert np.array_equal(found[0], lab[0])
    for name in range(3):
        inside = regions == name
        seen = inside & (np.arange(12) >= 4)[:, None]
        assert seen.sum() >= ALONE
        expected = lab[1:, seen].astype(np.float64).mean(axis=1)
        assert np.allclose(found[1:, inside], expected[:, None], atol=1e-4)


def test_a_region_of_few_cells_looks_like_what_is_around() -> None:
    lab = np.full((3, 40, 40), 30, np.float32)
    regions = np.zeros((40, 40), np.int32)
    regions[20, 20:22] = 1
    lab[1:, regions == 1] = -70
    found = pool_chroma(lab, np.ones((40, 40), np.float32), regions)[1, 20, 20]
    # Two cells of eight that would be enough, and what is around them is nearly all else.
    assert 30 - 0.25 * 100 - 8 < found < 30 - 0.25 * 100


def test_paper_around_a_drawing_stays_paper() -> None:
    paper = np.full((40, 40), 0.97, np.float32)
    regions = np.zeros((40, 40), np.int32)
    regions[10:30, 10:30] = 1  # inside
    regions[:2, :2] = 2  # a corner is too small to be told
    lab = np.zeros((3, 40, 40), np.float32)
    lab[0], lab[2] = 92, 6
    lab[0, 32:34, 5:9] = 55  # something open to the paper is painted gray
    found = pool_chroma(lab, paper, regions)
    gray = lab[0] == 55
    outside = (regions == 0) & ~gray
    np.testing.assert_allclose(found[0, outside], 97)
    np.testing.assert_allclose(found[1:, outside], 0)
    np.testing.assert_allclose(found[0, gray], 55)
    for inside in (regions == 1, regions == 2):
        np.testing.assert_allclose(found[0, inside], 92)
        assert (np.abs(found[2, inside] - 6) < 0.2).all()
    lab[0], lab[2] = 92, 30  # a yellow backdrop is no paper
    np.testing.assert_allclose(pool_chroma(lab, paper, regions)[2, outside], 30, atol=1e-4)


def test_what_is_all_ink_gives_numbers() -> None:
    lab = np.full((3, 4, 4), 7, np.float32)
    found = pool_chroma(lab, np.zeros((4, 4), np.float32), np.zeros((4, 4), np.int32))
    assert np.isfinite(found).all()


@pytest.mark.parametrize("cover", [(1.0, 1.0), (0.75, 0.5)])
def test_inside_one_region_it_is_bilinear(cover: tuple[float, float]) -> None:
    chance = np.random.default_rng(0)
    chroma = chance.normal(size=(2, 16, 24)).astype(np.float32)
    fine = np.zeros((60, 90), np.int32)
    found = enlarge_chroma(chroma, np.zeros((16, 24), np.int32), fine, cover=cover)
    at = [
        np.clip((np.arange(count) + 0.5) * size * share / count - 0.5, 0, size - 1)
        for count, size, share in zip(fine.shape, (16, 24), cover, strict=True)
    ]
    places = np.stack(np.meshgrid(*at, indexing="ij"))
    expected = [ndimage.map_coordinates(plane, places, order=1) for plane in chroma]
    np.testing.assert_allclose(found, expected, atol=0.02)  # corners have a little weight


def test_regions_do_not_mix_whatever_their_shape() -> None:
    chance = np.random.default_rng(3)
    fine = np.kron(chance.integers(0, 5, (20, 20)), np.ones((5, 5))).astype(np.int32)
    regions = fine[2::5, 2::5]
    colors = chance.normal(size=(2, 5)).astype(np.float32)
    found = enlarge_chroma(colors[:, regions], regions, fine)
    np.testing.assert_allclose(found, colors[:, fine], atol=1e-5)


def test_a_region_between_cells_takes_what_is_around() -> None:
    fine = np.zeros((40, 40), np.int32)
    fine[20, 20] = 1  # no cell of the painting is in it
    fine[0, :2] = 2  # one cell is, far away
    regions = np.zeros((10, 10), np.int32)
    regions[9, 9] = 2
    chroma = np.full((2, 10, 10), 3, np.float32)
    chroma[:, 9, 9] = 8
    found = enlarge_chroma(chroma, regions, fine)
    assert found[0, 20, 20] == pytest.approx(3)
    assert found[0, 0, 0] == pytest.approx(8)
