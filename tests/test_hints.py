"""Hints: colors and places from text, and what reaches the planes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import ImageColor
from skimage.color import rgb2lab

from tinct.color_text import parse_color
from tinct.errors import UsageError
from tinct.hint_text import parse_hint
from tinct.hints import RADIUS, Point, rasterize

SHARES = st.floats(0, 1)
RED = (53.0, 80.0, 67.0)


@pytest.mark.parametrize("name", sorted(ImageColor.colormap))
def test_css_names(name: str) -> None:
    rgb = np.array(ImageColor.getrgb(name)) / 255
    np.testing.assert_allclose(parse_color(name), rgb2lab(rgb), atol=0.02)


@pytest.mark.parametrize(
    ("text", "rgb"),
    [("#f80", (255, 136, 0)), ("#FF8800", (255, 136, 0)), (" rgb(1, 2, 3) ", (1, 2, 3))],
)
def test_hexadecimal(text: str, rgb: tuple[int, int, int]) -> None:
    np.testing.assert_allclose(parse_color(text), rgb2lab(np.array(rgb) / 255), atol=0.02)


@pytest.mark.parametrize(
    "text", ["lab(50 -20.5 30)", "LAB( 50, -20.5, +30 )", "lab(5e1 -20.5 30.)"]
)
def test_lab(text: str) -> None:
    assert parse_color(text) == (50, -20.5, 30)


@pytest.mark.parametrize("text", ["", "#12", "reddish", "lab(1 2)", "lab(1 2 x)", "lab(1-2 3 4)"])
def test_no_color(text: str) -> None:
    with pytest.raises(UsageError, match="is no color"):
        parse_color(text)


def test_hints_from_text() -> None:
    assert parse_hint("0.42,0.6=lab(20 1 2)") == Point(x=0.42, y=0.6, color="lab(20 1 2)")
    assert parse_hint(" 0 , 1 , 0.05 = red") == Point(x=0, y=1, color="red", radius=0.05)
    assert Point(x=0, y=0, color="red").lab == parse_color("red")
    assert Point(x=0, y=0, color=RED).lab == RED


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("0.1,0.2", "is no hint"),
        ("0.1=red", "is no hint"),
        ("0.1,0.2,0.3,0.4=red", "is no hint"),
        ("a,0.2=red", "a place is two numbers"),
        ("0.1,0.2=", "is no color"),
        ("1.1,0.2=red", "x: must lie in 0..1"),
        ("0.1,-1=red", "y: must lie in 0..1"),
        ("0.1,nan=red", "y: must lie in 0..1"),
        ("0.1,0.2,2=red", "radius: must lie in 0..1"),
        ("0.1,0.2=lab(120 0 0)", "out of range"),
        ("0.1,0.2=lab(50 0 200)", "out of range"),
    ],
)
def test_wrong_hints(text: str, match: str) -> None:
    with pytest.raises(UsageError, match=match):
        parse_hint(text)


@given(SHARES, SHARES, SHARES, st.integers(1, 60), st.integers(1, 60))
def test_no_point_is_lost_and_no_color_bleeds(
    x: float, y: float, radius: float, height: int, width: int
) -> None:
    planes = rasterize([Point(x=x, y=y, color=RED, radius=radius)], height, width)
    assert planes.shape == (4, height, width)
    assert planes.dtype == np.float32
    given = planes[3] == 1
    assert given[min(int(y * height), height - 1), min(int(x * width), width - 1)]
    np.testing.assert_array_equal(planes[3], given)
    np.testing.assert_allclose(planes[:3, given], np.float32(RED)[:, None].repeat(given.sum(), 1))
    assert not planes[:, ~given].any()
    rows, columns = np.mgrid[:height, :width] + 0.5
    distance = np.hypot(rows - y * height, columns - x * width)
    reach = radius * min(height, width)
    assert given[distance < reach - 1e-4].all()
    assert not given[distance > max(reach, 1) + 1e-4].any()


def test_overlaps_are_averaged() -> None:
    hints = [
        Point(x=0.4, y=0.5, color=(50, 20, 0), radius=0.3),
        Point(x=0.6, y=0.5, color=(70, 0, 40), radius=0.3),
    ]
    planes = rasterize(hints, 40, 40)
    np.testing.assert_allclose(planes[:, 20, 20], [60, 10, 20, 1])
    np.testing.assert_allclose(planes[:, 20, 8], [50, 20, 0, 1])


def test_the_pictures_own_lightness() -> None:
    lightness = np.random.default_rng(0).uniform(0, 100, (20, 30)).astype(np.float32)
    planes = rasterize([Point(x=0.3, y=0.3, color=RED, radius=0.2)], 20, 30, lightness=lightness)
    given = planes[3] == 1
    np.testing.assert_array_equal(planes[0, given], lightness[given])
    assert not planes[0, ~given].any()


def test_the_default_radius_and_no_hints() -> None:
    planes = rasterize([Point(x=0.5, y=0.5, color=RED)], 500, 700)
    assert planes[3].sum() == pytest.approx(np.pi * (RADIUS * 500) ** 2, rel=0.1)
    assert not rasterize([], 3, 4).any()


@pytest.mark.parametrize("color", [(1, 2), (1, 2, 3, 4), ("a", "b", "c"), None, 7])
def test_colors_that_are_not_three_numbers(color: object) -> None:
    with pytest.raises(UsageError, match="is no color"):
        Point(x=0.5, y=0.5, color=color)  # type: ignore[arg-type]
