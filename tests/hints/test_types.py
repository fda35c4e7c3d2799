"""Hints as values, and what reaches the planes."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw
from skimage.color import rgb2lab

from tinct.errors import PictureError, UsageError
from tinct.hints import (
    RADIUS,
    BlurMap,
    Hint,
    KeepGray,
    Layer,
    Patch,
    Point,
    Stroke,
    rasterize,
)
from tinct.hints.color_names import parse_color

SHARES = st.floats(0, 1)
RED = (53.0, 80.0, 67.0)


def test_colors_are_texts_or_numbers() -> None:
    assert Point(x=0, y=0, color="red").lab == parse_color("red")
    assert Point(x=0, y=0, color=RED).lab == RED
    assert Stroke(points=((0, 0), (1, 1)), color="red").lab == parse_color("red")


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


def test_strokes_and_their_default_width() -> None:
    stroke = Stroke(points=((0.1, 0.5), (0.9, 0.5)), color=RED)
    planes = rasterize([stroke], 500, 700)
    wide = 2 * RADIUS * 500
    assert planes[3].sum() == pytest.approx(wide * 560 + np.pi * (wide / 2) ** 2, rel=0.05)
    image = Image.new("L", (700, 500))
    ImageDraw.Draw(image).line([(70, 250), (630, 250)], fill=1, width=10)
    assert planes[3][np.asarray(image) == 1].mean() >= 0.9  # its rows lie half a pixel higher
    np.testing.assert_allclose(planes[:3, 250, 350], RED)


def test_what_stays_gray_has_no_chroma_and_the_pictures_lightness() -> None:
    lightness = np.random.default_rng(0).uniform(0, 100, (20, 30)).astype(np.float32)
    hints = [
        KeepGray(points=((0.5, 0.5),), width=0.4),
        KeepGray(points=((0.1, 0.1), (0.9, 0.1))),
        KeepGray(box=(0, 0.8, 0.5, 1)),
    ]
    for own in (False, True):
        planes = rasterize(hints, 20, 30, lightness=lightness, own_lightness=own)
        given = planes[3] == 1
        assert given[10, 15]
        assert given[2, 5:25].all()
        assert given[16:, :15].all()
        assert not given[16:, 15:].any()
        assert not planes[1:3].any()
        np.testing.assert_allclose(planes[0, given], lightness[given], rtol=1e-6)
    assert (rasterize(hints, 20, 30)[0] == 50).any()


def test_hints_may_keep_their_own_lightness() -> None:
    lightness = np.full((8, 8), 90, np.float32)
    hint = Point(x=0.5, y=0.5, color=RED, radius=0.2)
    planes = rasterize([hint], 8, 8, lightness=lightness, own_lightness=True)
    np.testing.assert_allclose(planes[:, 4, 4], [*RED, 1])


@pytest.mark.parametrize(
    ("pixels", "shares"),
    [
        (
            Point(x=100, y=50, color=RED, radius=20, unit="px"),
            Point(x=0.25, y=0.25, color=RED, radius=0.1),
        ),
        (
            Stroke(points=((0, 0), (400, 200)), color=RED, width=500, unit="px"),
            Stroke(points=((0, 0), (1, 1)), color=RED, width=1),
        ),
        (
            KeepGray(points=((200, 100),), width=4, unit="px"),
            KeepGray(points=((0.5, 0.5),), width=0.02),
        ),
        (KeepGray(box=(0, 0, 100, 100), unit="px"), KeepGray(box=(0, 0, 0.25, 0.5))),
    ],
)
def test_pixels_are_those_of_the_full_size(pixels: Hint, shares: Hint) -> None:
    assert pixels.in_shares(200, 400) == shares
    assert shares.in_shares(7, 9) is shares
    np.testing.assert_array_equal(
        rasterize([pixels], 20, 40, size=(200, 400)), rasterize([shares], 20, 40)
    )


@pytest.mark.parametrize(
    ("hint", "match"),
    [
        (Point(x=401, y=0, color=RED, unit="px"), r"hints\[1\]\.x: 401 px lies outside"),
        (Point(x=0, y=201, color=RED, unit="px"), r"hints\[1\]\.y: 201 px lies outside"),
        (
            Stroke(points=((0, 0), (0, 300)), color=RED, unit="px"),
            r"hints\[1\]\.points\[1\]\[1\]: 300 px lies outside the picture of 400 x 200 pixels",
        ),
        (KeepGray(box=(0, 0, 500, 1), unit="px"), r"hints\[1\]\.box\[2\]: 500 px"),
    ],
)
def test_pixels_outside_the_picture(hint: Hint, match: str) -> None:
    inside = Point(x=0, y=0, color=RED)
    with pytest.raises(UsageError, match=match):
        rasterize([inside, hint], 20, 40, size=(200, 400))
    with pytest.raises(UsageError, match=r"hints\[1\]\.unit: pixels need the full-size picture"):
        rasterize([inside, hint], 20, 40)


def painted(height: int, width: int) -> np.ndarray:
    """Return a clear picture with an orange box in its middle: RGBA."""
    rgba = np.zeros((height, width, 4), np.uint8)
    rgba[height // 4 : height * 3 // 4, width // 4 : width * 3 // 4] = (200, 120, 40, 255)
    return rgba


@pytest.mark.parametrize("scale", [1, 3, 12, 40])
def test_layers_of_any_size(scale: int) -> None:
    planes = rasterize([Layer(picture=painted(20 * scale, 32 * scale))], 20, 32, size=(200, 321))
    wanted = np.zeros((20, 32), bool)
    wanted[5:15, 8:24] = True
    np.testing.assert_array_equal(planes[3] == 1, wanted)
    lab = rgb2lab(np.array([200, 120, 40]) / 255)
    np.testing.assert_allclose(planes[:3, wanted].T, np.tile(lab, (160, 1)), atol=0.05)


def test_small_things_on_large_layers_are_kept() -> None:
    rgba = np.zeros((1000, 1600, 4), np.uint8)
    rgba[333, 777] = (10, 200, 30, 255)
    rgba[700, 100:1500] = (200, 10, 30, 255)
    planes = rasterize([Layer(picture=rgba)], 20, 32)
    assert planes[3, 333 // 50, 777 // 50] == 1
    assert planes[3, 14, 2:30].all()
    assert planes[3].sum() == 29
    rgba = rgba.repeat(2, 0).repeat(2, 1)  # large enough to be joined first
    again = rasterize([Layer(picture=rgba)], 20, 32)
    np.testing.assert_array_equal(again[3], planes[3])
    np.testing.assert_allclose(again, planes, atol=0.1)
    want = rgb2lab(np.array([10, 200, 30]) / 255)
    np.testing.assert_allclose(planes[:3, 6, 15], want, atol=0.1)


def test_layers_of_another_shape() -> None:
    with pytest.raises(UsageError, match="another shape than the picture of 300 x 200"):
        rasterize([Layer(picture=painted(20, 40))], 20, 30, size=(200, 300))


def test_patches_lie_in_their_box_and_are_averaged() -> None:
    picture = np.zeros((10, 20, 3), np.uint8)
    picture[:, 10:] = 255
    planes = rasterize([Patch(box=(0.25, 0.5, 0.75, 1), picture=picture)], 8, 8)
    np.testing.assert_array_equal(np.argwhere(planes[3]).min(0), [4, 2])
    assert planes[3].sum() == 16
    assert (planes[0, 4:, 2:4] < 0.1).all()
    assert (planes[0, 4:, 4:6] > 99.9).all()
    (cell,) = np.argwhere(rasterize([Patch(box=(0.1, 0.1, 0.2, 0.2), picture=picture)], 5, 5)[3])
    assert cell.tolist() == [0, 0]
    tiny = rasterize([Patch(box=(0.3, 0.3, 0.31, 0.31), picture=picture)], 4, 4)
    assert tiny[3].sum() == 1
    assert tiny[0, 1, 1] == pytest.approx(50, abs=0.5)
    assert not rasterize([Patch(box=(0, 0, 1, 1), picture=painted(1, 1))], 4, 4).any()


def test_a_map_lies_under_everything_else() -> None:
    lightness = np.full((16, 16), 70, np.float32)
    rgb = np.full((4, 4, 3), (200, 120, 40), np.uint8)
    lab = rgb2lab(rgb / 255)[0, 0]
    dot = Point(x=0.5, y=0.5, color=RED, radius=0.1)
    planes = rasterize([BlurMap(picture=rgb), dot], 16, 16)
    assert planes[3].all()
    np.testing.assert_allclose(planes[:3, 8, 8], RED, atol=1e-4)
    np.testing.assert_allclose(planes[:3, 0, 0], lab, atol=0.05)
    half = BlurMap(picture=rgb, opacity=0.5)
    planes = rasterize([half], 16, 16, lightness=lightness, own_lightness=True)
    want = np.add(lab, (70, 0, 0)) / 2
    np.testing.assert_allclose(planes[:3, 5, 5], want, atol=0.05)


def test_maps_are_blurred_but_not_over_clear_parts() -> None:
    rgba = painted(64, 64)
    rgba[:, :, 3] = 255
    sharp, soft = (rasterize([BlurMap(picture=rgba, blur=blur)], 32, 32) for blur in (0, 0.4))
    steps = [np.abs(np.diff(planes[2], axis=0)).max() for planes in (sharp, soft)]
    assert steps[1] < steps[0] / 5
    rgba[:, 32:, 3] = 0
    given = rasterize([BlurMap(picture=rgba, blur=0.4)], 32, 32)[3]
    assert given[:, :16].all()
    assert not given[:, 16:].any()


def test_two_hundred_points_take_milliseconds() -> None:
    random = np.random.default_rng(0)
    hints = [Point(x=x, y=y, color=RED) for x, y in random.uniform(0, 1, (200, 2))]
    took = []
    for _ in range(5):
        began = time.process_time()
        rasterize(hints, 256, 384)
        took.append(time.process_time() - began)
    assert min(took) < 0.02


@pytest.mark.parametrize("color", [(1, 2), (1, 2, 3, 4), ("a", "b", "c"), None, 7, (1, True, 3)])
def test_colors_that_are_not_three_numbers(color: object) -> None:
    with pytest.raises(UsageError, match=r"color: .*is no color"):
        Point(x=0.5, y=0.5, color=color)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: Point(x="0", y=0, color=RED), "x: '0' is no number"),  # type: ignore[arg-type]
        (lambda: Point(x=10**400, y=0, color=RED, unit="px"), "x: the number is too large"),
        (lambda: Point(x=0, y=0, color=RED, unit="cm"), "unit: 'cm' is neither"),
        (lambda: Stroke(points=((0, 0),), color=RED), "points: a stroke needs two"),
        (lambda: Stroke(points=((0, 0, 0), (1, 1)), color=RED), r"points\[0\]: must be two"),  # type: ignore[arg-type]
        (lambda: Stroke(points=7, color=RED), "points: 7 is no list"),  # type: ignore[arg-type]
        (KeepGray, "points: either points or a box"),
        (lambda: KeepGray(points=((0, 0),), box=(0, 0, 1, 1)), "points: either points or a box"),
        (lambda: KeepGray(box=(0, 0, 1)), "box: must be four numbers"),  # type: ignore[arg-type]
        (lambda: KeepGray(box=(0.5, 0, 0.5, 1)), "box: left must be less"),
        (lambda: BlurMap(picture=painted(4, 4), opacity=2), "opacity: must lie in 0..1, not 2"),
        (lambda: BlurMap(picture=painted(4, 4), blur=-1), "blur: must lie in 0..1, not -1"),
        (lambda: Layer(picture=np.zeros((4, 4, 4), np.uint8)), "picture: it is clear everywhere"),
    ],
)
def test_wrong_fields_are_named(make: object, match: str) -> None:
    with pytest.raises(UsageError, match=match):
        make()  # type: ignore[operator]


def test_pictures_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    with pytest.raises(PictureError, match=r"picture: none\.png is not there"):
        Layer(picture=tmp_path / "none.png")
