"""Simulated hints are the article's formulas, pixel for pixel, and what a person might give."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter

from tinct.measure import simulated_hints

# As the article prints them: rows and columns where its 20 patches begin.
PIX1 = [64, 32, 96, 32, 96, 32, 64, 64, 96, 16, 32, 16, 16, 64, 16, 96, 112, 112, 96, 80]
PIX2 = [64, 32, 96, 96, 32, 64, 32, 96, 64, 16, 16, 32, 64, 16, 96, 16, 112, 96, 112, 80]


def noise(height: int, width: int, seed: int = 0) -> NDArray[np.uint8]:
    """Return a picture whose pixels are all different from black."""
    return np.random.default_rng(seed).integers(1, 256, (height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize(("height", "width"), [(128, 128), (33, 70), (32, 32), (5, 9), (1, 1)])
def test_blur_is_the_articles_box(height: int, width: int) -> None:
    """``cv2.blur``: 16 pixels before and 15 behind, beyond the edges a mirror image without it."""
    rgb = noise(height, width)
    colors, mask = simulated_hints.blur(rgb)
    expected = uniform_filter(rgb.astype(np.float64), size=(32, 32, 1), mode="mirror")
    assert colors.dtype == mask.dtype == np.uint8
    assert mask.shape == (height, width)
    assert mask.all()
    assert np.abs(colors - expected).max() <= 0.5


def test_blur_of_an_odd_box() -> None:
    rgb = noise(20, 31)
    expected = uniform_filter(rgb.astype(np.float64), size=(5, 5, 1), mode="mirror")
    assert np.abs(simulated_hints.blur(rgb, box=5)[0] - expected).max() <= 0.5
    assert np.array_equal(simulated_hints.blur(rgb, box=1)[0], rgb)


def test_blur_sees_its_window_and_no_more() -> None:
    """Of one white pixel, 255 / 1024 is nothing; of a white line of 32, 7.97 is 8."""
    rgb = np.zeros((128, 128, 3), np.uint8)
    rgb[60] = 255
    colors, _ = simulated_hints.blur(rgb)
    rows = np.flatnonzero(colors[:, 64, 0])
    assert (int(rows[0]), int(rows[-1])) == (60 - 15, 60 + 16)
    assert set(colors[rows].ravel().tolist()) == {8}


def test_article_patches_equal_the_articles_loop() -> None:
    truth = noise(128, 128)
    sketch = np.zeros_like(truth)
    for place in range(20):
        for j in range(7):
            for k in range(7):
                sketch[PIX1[place] + j, PIX2[place] + k] = truth[PIX1[place] + j, PIX2[place] + k]
    colors, mask = simulated_hints.article_patches(truth)
    assert np.array_equal(colors, sketch)
    assert np.array_equal(mask, sketch.all(axis=2))
    assert int(mask.sum()) == 20 * 49


def test_article_patches_lie_alike_in_other_sizes() -> None:
    _, once = simulated_hints.article_patches(noise(128, 128))
    _, twice = simulated_hints.article_patches(noise(256, 256))
    assert np.array_equal(twice, np.kron(once, np.ones((2, 2), np.uint8)))
    truth = noise(32, 48)
    colors, mask = simulated_hints.article_patches(truth)
    assert np.array_equal(colors, truth * mask[..., None])
    assert int(mask.sum()) == 20 * 2 * 2


def test_a_random_patch_is_copied_and_a_stroke_has_one_color() -> None:
    truth = noise(128, 128)
    patches = strokes = 0
    for seed in range(200):
        colors, mask = simulated_hints.random_patches(truth, np.random.default_rng(seed), most=1)
        given = colors[mask > 0]
        assert not colors[mask == 0].any()
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        box = truth[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].reshape(-1, 3)
        if np.array_equal(given, box) and len(given) > 1:
            patches += 1
            assert len(rows) <= 7
            assert len(columns) <= 7
            inside = rows[0] > 0 and rows[-1] < 127 and columns[0] > 0 and columns[-1] < 127
            assert not inside or len(given) == 49
        else:
            strokes += 1
            assert np.array_equal(given, np.broadcast_to(given[0], given.shape))
            mean = truth[mask > 0].mean(axis=0)
            assert np.abs(given[0] - mean).max() <= 0.5
    assert patches > 100
    assert strokes > 20


def test_random_patches_are_few_or_many_and_anywhere() -> None:
    truth = noise(64, 96)
    seen = np.zeros(truth.shape[:2], np.int64)
    counts = []
    for seed in range(300):
        _, mask = simulated_hints.random_patches(truth, np.random.default_rng(seed), most=50)
        counts.append(mask.sum() / 16)  # a patch has 4 x 4 pixels in a picture of 64
        seen += mask
    assert float((seen > 0).mean()) > 0.99
    assert min(counts) < 3
    assert max(counts) > 20
    assert float(np.median(counts)) < 10
    none, mask = simulated_hints.random_patches(truth, np.random.default_rng(0), most=0)
    assert not none.any()
    assert not mask.any()


@pytest.mark.parametrize("draw", [simulated_hints.points, simulated_hints.random_patches])
@pytest.mark.parametrize(("height", "width"), [(1, 1), (3, 90), (40, 52)])
def test_the_same_chance_gives_the_same_hints(draw, height: int, width: int) -> None:  # type: ignore[no-untyped-def]
    truth = noise(height, width)
    one = draw(truth, np.random.default_rng(7), most=12)
    two = draw(truth, np.random.default_rng(7), most=12)
    assert all(np.array_equal(a, b) for a, b in zip(one, two, strict=True))
    assert one[0].shape == truth.shape
    assert one[1].any()
    assert set(one[1].ravel().tolist()) <= {0, 1}


def flats() -> NDArray[np.uint8]:
    """Return four fields of even color."""
    rgb = np.zeros((96, 96, 3), np.uint8)
    rgb[:48, :48], rgb[:48, 48:] = (200, 40, 40), (40, 200, 40)
    rgb[48:, :48], rgb[48:, 48:] = (40, 40, 200), (220, 220, 60)
    return rgb


def test_mixed_hints_are_near_the_truth_and_of_every_kind() -> None:
    rgb = flats()
    maps = counts = far = near = 0
    for seed in range(300):
        colors, mask = simulated_hints.mixed(rgb, np.random.default_rng(seed), most=60)
        assert not colors[mask == 0].any()
        if mask.all():
            maps += 1
            continue
        counts += int(mask.sum() > 400)
        # Brushes of a few pixels cross into the next field; where they do not, people are
        # careless by some codes only.
        off = np.abs(colors[mask > 0].astype(int) - rgb[mask > 0]).max(axis=1)
        far, near = far + int((off > 40).sum()), near + int((off <= 40).sum())
    assert 5 < maps < 40
    assert counts > 20
    assert far < 0.08 * near


def test_strokes_follow_regions() -> None:
    """The line of a stroke ends where the color does."""
    rgb = flats()
    longest = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        y, x = (int(v) for v in rng.integers(0, 96, 2))
        places = simulated_hints._along(rgb, y, x, rng)
        assert places[0] == (y, x)
        assert {tuple(rgb[place]) for place in places} == {tuple(rgb[y, x])}
        longest = max(longest, len(places))
    assert longest > 20


def test_the_number_of_mixed_hints_is_spread_evenly_by_its_logarithm() -> None:
    sizes = []
    for seed in range(400):
        _, mask = simulated_hints.mixed(flats(), np.random.default_rng(seed), most=60)
        if not mask.all():
            sizes.append(int(mask.sum()))
    # One or two hints of at most 49 pixels: log 3 / log 61 of the pictures, a quarter; strokes are
    # larger. More than 20 hints: another quarter.
    assert 0.12 < sum(size <= 98 for size in sizes) / len(sizes) < 0.4
    assert 0.12 < sum(size > 20 * 25 for size in sizes) / len(sizes) < 0.4
