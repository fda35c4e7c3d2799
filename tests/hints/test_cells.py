"""Cells that drawn things cover, against plain distances, Pillow and scikit-image."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image
from scipy.ndimage import uniform_filter
from skimage import draw

from tinct.hints.cells import PIECE, box_cells, place, stroke_cells

SHARES = st.floats(0, 1)
PLACES = st.tuples(SHARES, SHARES)


def covered(
    paths: list[list[tuple[float, float]]], radii: list[float], height: int, width: int
) -> np.ndarray:
    """Return how many times each cell was given for each path."""
    counts = np.zeros((len(paths), height * width), int)
    corners = [np.array(path, float) for path in paths]
    for owner, cell in stroke_cells(corners, radii, height=height, width=width):
        np.add.at(counts, (owner, cell), 1)
    return counts.reshape(-1, height, width)


def distances(path: list[tuple[float, float]], height: int, width: int) -> np.ndarray:
    """Return the distance of each cell's center from a path: the least of 2000 places on it."""
    rows, columns = np.mgrid[:height, :width] + 0.5
    least = np.full((height, width), np.inf)
    for (x0, y0), (x1, y1) in zip(path, path[1:] or path, strict=False):
        for t in np.linspace(0, 1, 2000):
            far = np.hypot(columns - x0 - t * (x1 - x0), rows - y0 - t * (y1 - y0))
            np.minimum(least, far, out=least)
    return least


@given(st.lists(PLACES, min_size=1, max_size=4), st.floats(0, 9), st.integers(1, 40))
@example(shares=[(0.0, 0.0), (1.0, 0.3984375)], radius=0.0, height=5)
def test_strokes_are_the_cells_within_half_their_width(
    shares: list[tuple[float, float]], radius: float, height: int
) -> None:
    width = 50
    path = [(x * width, y * height) for x, y in shares]
    (counts,) = covered([path], [radius], height, width)
    far = distances(path, height, width)
    reach = radius if len(path) == 1 else max(radius, 0.5)
    corners = np.zeros((height, width), bool)
    for x, y in path:
        corners[min(int(y), height - 1), min(int(x), width - 1)] = True
    assert counts.max() == 1
    assert counts[(far < reach - 0.02) | corners].all()
    # The path is sampled every 0.05 cells at most: distances of 0.5 are up to 0.0007 too long. Long
    # paths are cut, and the cell of a cut belongs to them: its center may be a little farther away.
    assert not counts[(far > max(reach, 0.5**0.5) + 1e-3) & ~corners].any()
    assert counts[(far > reach + 1e-3) & ~corners].sum() <= len(path) * width / PIECE


def test_thin_lines_are_those_of_scikit_image() -> None:
    for end in [(38, 5), (20, 31), (1, 30), (38, 30), (2, 2)]:
        (counts,) = covered([[(2.5, 3.5), (end[0] + 0.5, end[1] + 0.5)]], [0.0], 32, 40)
        line = np.zeros((32, 40), bool)
        line[draw.line(3, 2, end[1], end[0])] = True
        assert counts[line].mean() > 0.99  # of two cells at the same distance it takes one
        assert counts.sum() <= line.sum() * 1.5
        grown = uniform_filter(line.astype(float), 3) > 0.01
        assert not counts[~grown].any()


def test_thick_strokes_are_those_of_scikit_image() -> None:
    (counts,) = covered([[(10.5, 20.5), (40.5, 20.5)]], [6.2], 40, 60)
    wanted = np.zeros((40, 60), bool)
    for x in range(10, 41):
        wanted[draw.disk((20, x), 6.2, shape=wanted.shape)] = True
    assert (counts != wanted).sum() <= 4
    (disk,) = covered([[(20.5, 20.5)]], [6.2], 40, 60)
    wanted = np.zeros((40, 60), bool)
    wanted[draw.disk((20, 20), 6.2, shape=wanted.shape)] = True
    np.testing.assert_array_equal(disk, wanted)


def test_many_at_once_are_the_same_as_one_by_one() -> None:
    random = np.random.default_rng(1)
    paths = [
        [tuple(place) for place in random.uniform(0, 1, (1 + n % 4, 2)) * (70, 30)]
        for n in range(40)
    ]
    radii = list(random.uniform(0, 12, 40))
    together = covered(paths, radii, 30, 70)
    for path, radius, found in zip(paths, radii, together, strict=True):
        np.testing.assert_array_equal(covered([path], [radius], 30, 70)[0], found)
    assert not list(stroke_cells([], [], height=3, width=3))


@given(SHARES, SHARES, SHARES, SHARES, st.integers(1, 20), st.integers(1, 20))
def test_boxes_hold_the_cells_whose_centers_lie_in_them(
    x0: float, x1: float, y0: float, y1: float, height: int, width: int
) -> None:
    left, right, top, bottom = min(x0, x1), max(x0, x1), min(y0, y1), max(y0, y1)
    rows, columns = box_cells((left, top, right, bottom), height=height, width=width)
    centers = (np.arange(width) + 0.5) / width
    inside = np.flatnonzero((centers >= left + 1e-9) & (centers < right - 1e-9))
    taken = np.arange(width)[columns]
    assert len(taken) >= 1
    assert len(np.arange(height)[rows]) >= 1
    assert set(inside) <= set(taken)
    if len(inside):
        assert set(taken) <= set(np.flatnonzero((centers >= left - 1e-9) & (centers <= right)))


def strips(rgba: np.ndarray) -> list[np.ndarray]:
    """Return premultiplied planes in two strips; the colors are taken for Lab as they are."""
    planes = np.concatenate([rgba[..., :3] * rgba[..., 3:], rgba[..., 3:]], axis=2)
    planes = np.concatenate([planes, rgba[..., 3:] >= 0.5], axis=2)
    planes = planes.transpose(2, 0, 1).astype(np.float32)
    cut = planes.shape[1] // 3
    return [planes[:, :cut], planes[:, cut:]]


@pytest.mark.parametrize(("height", "width"), [(6, 8), (5, 7), (24, 32), (1, 1)])
def test_opaque_pictures_are_averaged_by_area(height: int, width: int) -> None:
    random = np.random.default_rng(2)
    rgba = random.uniform(0, 1, (24, 32, 4))
    rgba[..., 3] = 1
    lab, shares = place(strips(rgba), (24, 32), (0, 0, 1, 1), height=height, width=width)
    np.testing.assert_allclose(shares, 1, atol=1e-5)
    # Repeating each pixel makes every cell a whole number of pixels.
    large = rgba[..., :3].repeat(height, 0).repeat(width, 1)
    means = large.reshape(height, 24, width, 32, 3).mean((1, 3))
    np.testing.assert_allclose(lab.transpose(1, 2, 0), means, atol=1e-4)


def test_boxes_of_pictures_are_placed_as_pillow_places_them() -> None:
    random = np.random.default_rng(3)
    rgba = random.uniform(0, 1, (30, 40, 4))
    rgba[..., 3] = 1
    lab, shares = place(strips(rgba), (30, 40), (0.25, 0.5, 0.75, 1), height=20, width=16)
    assert np.argwhere(shares > 0).min(0).tolist() == [10, 4]
    assert np.argwhere(shares > 0).max(0).tolist() == [19, 11]
    for plane, codes in zip(lab, rgba.transpose(2, 0, 1), strict=False):
        image = Image.fromarray(codes.astype(np.float32)).resize((8, 10), Image.Resampling.BOX)
        np.testing.assert_allclose(plane[10:, 4:12], np.asarray(image), atol=1e-4)


def test_alpha_weighs_colors_and_half_covered_cells_belong() -> None:
    rgba = np.zeros((4, 8, 4))
    rgba[:, :2] = (0.2, 0.4, 0.6, 1)
    rgba[:, 2:4] = (0.8, 0.1, 0.3, 0.5)
    rgba[:, 4] = (0.9, 0.9, 0.9, 0.9)  # a fourth of the last cell, beside one that is covered
    lab, shares = place(strips(rgba), (4, 8), (0, 0, 1, 1), height=1, width=2)
    np.testing.assert_allclose(shares, [[0.75, 0]], atol=1e-6)
    want = (2 * np.array([0.2, 0.4, 0.6]) + np.array([0.8, 0.1, 0.3])) / 3
    np.testing.assert_allclose(lab[:, 0, 0], want, atol=1e-6)
    assert not lab[:, 0, 1].any()


def test_dots_and_thin_lines_are_not_lost() -> None:
    rgba = np.zeros((200, 300, 4))
    rgba[17, 23] = (0.3, 0.6, 0.9, 1)
    rgba[120] = (0.5, 0.2, 0.1, 1)
    lab, shares = place(strips(rgba), (200, 300), (0, 0, 1, 1), height=10, width=15)
    given = shares > 0
    assert sorted(map(tuple, np.argwhere(given))) == [(0, 1), *((6, c) for c in range(15))]
    np.testing.assert_allclose(lab[:, 0, 1], [0.3, 0.6, 0.9], atol=1e-4)
    np.testing.assert_allclose(lab[:, 6, 9], [0.5, 0.2, 0.1], atol=1e-4)


def test_small_pictures_are_enlarged_smoothly() -> None:
    rgba = np.ones((2, 2, 4))
    rgba[:, 0, :3] = 0
    lab, shares = place(strips(rgba), (2, 2), (0, 0, 1, 1), height=12, width=40)
    np.testing.assert_allclose(shares, 1, atol=1e-5)
    across = lab[0, 5]
    assert across[0] == pytest.approx(0)
    assert across[-1] == pytest.approx(1)
    assert (np.diff(across) >= 0).all()
    assert np.diff(across).max() < 0.1
