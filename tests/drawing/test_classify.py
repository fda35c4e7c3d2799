"""Photographs are told from line drawings by what a gray picture shows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import skimage.data
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image
from scipy import ndimage, stats

from made_pictures import line_drawing
from tinct.drawing import classify
from tinct.drawing.classify import leveled, reduce, tell_kind, without_margins
from tinct.drawing.morphology import close_lines

PHOTOGRAPHS = ("astronaut", "camera", "chelsea", "coffee", "motorcycle_left", "moon", "brick")


def gray_of(name: str) -> np.ndarray:
    root = Path(skimage.data.__file__).parent
    return np.asarray(Image.open(next(root.glob(f"{name}.*"))).convert("L"))


@pytest.mark.parametrize("name", PHOTOGRAPHS)
def test_photographs(name: str) -> None:
    gray = gray_of(name)
    for one in (gray, gray.astype(np.uint16) * np.uint16(257), gray[::3, ::3]):
        assert tell_kind(one).kind == "photo"


@pytest.mark.parametrize("size", [64, 200, 1000, 3000])
@pytest.mark.parametrize(("paper", "ink"), [(255, 0), (205, 90), (240, 150)])
def test_drawings(size: int, paper: int, ink: int) -> None:
    found = tell_kind(line_drawing(size, width=max(2, size // 120), paper=paper, ink=ink))
    assert found.kind == "lineart"
    assert 0.5 < found.confidence <= 1


def test_a_scan_with_noise_and_uneven_light() -> None:
    rng = np.random.default_rng(1)
    light = np.linspace(0.85, 1, 400)[:, None]
    scan = line_drawing(400, paper=230, ink=70) * light + rng.normal(0, 5, (400, 400))
    assert tell_kind(np.clip(scan, 0, 255).astype(np.uint8)).kind == "lineart"


def test_big_margins() -> None:
    assert tell_kind(np.pad(line_drawing(200), 300, constant_values=255)).kind == "lineart"


def test_white_on_black_is_no_drawing_for_dark_lines() -> None:
    assert tell_kind(255 - line_drawing()).kind == "photo"


@pytest.mark.parametrize("value", [0, 128, 255])
def test_nothing_drawn(value: int) -> None:
    assert tell_kind(np.full((300, 400), value, np.uint8)) == classify.Verdict("photo", 1.0)


@given(
    arrays(
        st.sampled_from([np.uint8, np.uint16]),
        st.tuples(st.integers(1, 40), st.integers(1, 40)),
    )
)
@settings(max_examples=40, deadline=None)
def test_any_size(gray: np.ndarray) -> None:
    found = tell_kind(gray)
    assert 0.5 <= found.confidence <= 1


@pytest.mark.parametrize("shape", [(1, 300_000), (300_000, 1), (3, 100_000)])
def test_strips(shape: tuple[int, int]) -> None:
    ramp = np.arange(300_000) % 250
    assert tell_kind(ramp.astype(np.uint8).reshape(shape)).kind == "photo"


def test_figures_against_scipy() -> None:
    plane = gray_of("camera")[::2, ::2].astype(np.float32) / np.float32(255)
    found = classify.measure(plane)
    counts = np.histogram(plane, bins=np.arange(33) / (32 - 0.001))[0]
    assert found.entropy == pytest.approx(stats.entropy(counts, base=2), abs=1e-3)
    assert found.skewness == pytest.approx(stats.skew(plane.astype(float).ravel()), rel=0.02)
    side = 2 * round(min(plane.shape) / 20) + 1
    closed = ndimage.grey_closing(plane, size=(side, side), mode="nearest")
    assert found.paper == pytest.approx(np.median(closed))
    assert found.ink == pytest.approx(np.mean(closed - plane > 0.25 * found.paper), abs=1e-4)


@given(arrays(np.uint8, st.tuples(st.integers(1, 20), st.integers(1, 20))), st.integers(1, 6))
@settings(max_examples=60, deadline=None)
def test_closing_against_scipy(plane: np.ndarray, radius: int) -> None:
    side = (2 * radius + 1, 2 * radius + 1)
    grown = ndimage.maximum_filter(plane, size=side, mode="nearest")
    expected = ndimage.minimum_filter(grown, size=side, mode="nearest")
    np.testing.assert_array_equal(close_lines(plane, radius), expected)


def test_a_large_picture_is_looked_at_small() -> None:
    gray = np.kron(gray_of("camera"), np.ones((6, 6), np.uint8))  # 3072 x 3072
    small = classify.reduce(gray)
    assert small.size <= classify.PIXELS
    factor = 3072 // small.shape[0]
    means = gray[: small.shape[0] * factor, : small.shape[1] * factor].astype(float)
    means = means.reshape(small.shape[0], factor, small.shape[1], factor).mean((1, 3)) / 255
    assert np.abs(small - means).mean() < 0.01


# ------------------------------------------------------------- on pages, in poor light, cut out


@pytest.mark.parametrize("share", [2, 3])
@pytest.mark.parametrize("tone", [255, 236, 12])
def test_a_photograph_on_a_page_is_one(share: int, tone: int) -> None:
    from skimage import data, transform

    picture = (transform.resize(data.camera(), (200, 200)) * 255).astype(np.uint8)
    page = np.full((200 * share, 200 * share), tone, np.uint8)
    page[60:260, 90:290] = picture
    assert tell_kind(page).kind == "photo"


@pytest.mark.parametrize("darkest", [0.6, 0.4])
def test_a_drawing_in_uneven_light_is_one(darkest: float) -> None:
    drawing = line_drawing(320).astype(np.float64)
    fall = np.linspace(1, darkest, 320)
    for light in (fall[None, :], fall[:, None] * np.ones(320), np.minimum.outer(fall, fall)):
        assert tell_kind((drawing * light).astype(np.uint8)).kind == "lineart"


def test_leveling_leaves_photographs_alone() -> None:
    from skimage import data

    plane = reduce(data.camera())
    assert leveled(plane) is plane
    assert without_margins(plane) is not None


def test_margins_of_any_tone_are_cut_off() -> None:
    rng = np.random.default_rng(0)
    inside = rng.random((80, 90)).astype(np.float32)
    for tone in (0.0, 0.5, 1.0):
        page = np.full((200, 240), tone, np.float32)
        page[30:110, 100:190] = inside
        np.testing.assert_array_equal(without_margins(page), inside)
