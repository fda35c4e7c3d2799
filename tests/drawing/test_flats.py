"""Regions that lines enclose, and their colors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw
from scipy import ndimage

from made_pictures import line_drawing
from tinct.colorizer import Colorizer
from tinct.drawing import flats
from tinct.errors import UsageError
from tiny_models import make_bundle, make_copier


def boxes(*, gap: int = 0, size: int = 240) -> np.ndarray:
    """Two boxes side by side; ``gap`` pixels are missing in the wall between them."""
    image = Image.new("L", (size, size), 255)
    pen = ImageDraw.Draw(image)
    pen.rectangle([40, 60, 200, 180], outline=0, width=3)
    pen.line([120, 60, 120, 180], fill=0, width=3)
    if gap:
        pen.line([120, 110, 120, 109 + gap], fill=255, width=3)
    return np.asarray(image)


def test_closed_regions_are_those_of_scipy() -> None:
    for drawing in (boxes(), line_drawing(300)):
        found = flats.find_regions(drawing)
        lines = flats.lines_of(drawing)
        parts, _ = ndimage.label(~lines)
        sizes = np.bincount(parts.ravel())
        for part in np.flatnonzero(sizes > 300)[1:] if sizes[0] > 300 else np.flatnonzero(sizes):
            inside = parts == part
            biggest = np.bincount(found[inside]).max()
            assert biggest > 0.9 * inside.sum()
    found = flats.find_regions(boxes())
    assert found.max() == 2
    assert len({int(found[120, 80]), int(found[120, 160]), int(found[5, 5])}) == 3


@pytest.mark.parametrize(("gap", "apart"), [(0, True), (3, True), (40, False)])
def test_small_gaps_are_closed_and_wide_ones_are_not(gap: int, apart: bool) -> None:
    found = flats.find_regions(boxes(gap=gap))
    assert (found[120, 80] != found[120, 160]) == apart
    assert found[120, 80] != found[5, 5]


def test_a_wedge_is_one_region() -> None:
    # Balls that fit its wide end do not reach its point; smaller ones do, beside no line.
    image = Image.new("L", (300, 300), 255)
    ImageDraw.Draw(image).polygon([(150, 20), (110, 280), (190, 280)], outline=0, width=3)
    found = flats.find_regions(np.asarray(image), gap=0.05)
    assert found.max() == 1
    assert found[50, 150] == found[250, 150] != found[50, 50]


def test_regions_for_a_painting_are_the_same_with_padding_beside() -> None:
    found = flats.drawn_regions(boxes(gap=3))
    small = flats.sampled(found, (48, 80), cover=(1.0, 0.5))
    np.testing.assert_array_equal(small[:, :40], found[2::5, 3::6])
    np.testing.assert_array_equal(small[:, 40:], small[:, 39:40].repeat(40, 1))


@pytest.mark.parametrize("share", [0.2, 0.5])
def test_faint_lines_are_lines(share: float) -> None:
    firm = line_drawing(300)
    faint = np.rint(255 - share * (255.0 - firm)).astype(np.uint8)
    lines, same = flats.lines_of(firm), flats.lines_of(faint)
    assert (lines & same).sum() > 0.9 * max(lines.sum(), same.sum())
    found = flats.find_regions(np.rint(255 - share * (255.0 - boxes(gap=3))).astype(np.uint8))
    assert len({int(found[120, 80]), int(found[120, 160]), int(found[5, 5])}) == 3


def test_paper_has_no_lines() -> None:
    noise = np.random.default_rng(0).normal(225, 4, (200, 200))
    assert flats.lines_of(np.clip(noise, 0, 255).astype(np.uint8)).mean() < 1e-3


def test_thin_lines_survive_reduction() -> None:
    drawing = np.full((101, 67), 255, np.uint8)
    drawing[50] = 0
    small = flats.shrink(drawing, 4)
    assert small.shape == (26, 17)
    assert (small[12] == 0).all()
    assert (small == 0).sum() == 17


def test_every_pixel_has_a_region_and_lines_have_that_nearby() -> None:
    found = flats.find_regions(boxes())
    assert found.dtype == np.int32
    assert set(np.unique(found)) == set(range(found.max() + 1))
    assert found[120, 42] == found[120, 60]  # the wall's inner side
    assert found[40, 120] == found[5, 5]


@pytest.mark.parametrize("size", [(1, 1), (2, 50), (40, 3), (90, 70)])
def test_any_size_and_nothing_drawn(size: tuple[int, int]) -> None:
    for value in (0, 128, 255):
        assert (flats.find_regions(np.full(size, value, np.uint8)) == 0).all()


def test_large_and_16_bit_drawings() -> None:
    large = np.kron(boxes(), np.ones((10, 10), np.uint8))  # 2400 x 2400
    found = flats.find_regions(large)
    assert found.shape == large.shape
    assert len({int(found[1200, 800]), int(found[1200, 1600]), int(found[50, 50])}) == 3
    deep = flats.find_regions(boxes().astype(np.uint16) * np.uint16(257))
    np.testing.assert_array_equal(deep, flats.find_regions(boxes()))


@pytest.mark.parametrize("radius", [0, 1, 2, 5, 40])
def test_balls_are_those_of_scipy(radius: int) -> None:
    rng = np.random.default_rng(radius)
    for height, width in ((1, 9), (40, 3), (57, 83)):
        free = rng.random((height, width)) > 0.02
        free[0, 0] = False
        far = ndimage.distance_transform_edt(free)
        np.testing.assert_array_equal(flats._eroded(free, radius), far > radius)
        labels = np.where(free, 0, rng.integers(1, 9, free.shape)).astype(np.int32)
        grown = flats._grown(labels, radius)
        np.testing.assert_array_equal(grown > 0, far <= radius)
        ours = np.argwhere(grown > 0)
        for row, column in ours[:: max(1, len(ours) // 60)]:
            places = np.argwhere(labels > 0)
            away = ((places - (row, column)) ** 2).sum(axis=1)
            nearest = labels[tuple(places[away == away.min()].T)]
            assert grown[row, column] in nearest


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_medians_against_numpy(dtype: type) -> None:
    rng = np.random.default_rng(3)
    labels = rng.integers(0, 5, (31, 47)).astype(np.int32)
    rgb = rng.integers(0, 256, (31, 47, 3)).astype(dtype)
    if dtype == np.uint16:
        rgb = rgb * np.uint16(257)
    filled = flats.fill(rgb, labels)
    for label in range(5):
        values = rgb[labels == label]
        upper = np.sort(values, axis=0)[len(values) // 2]
        np.testing.assert_array_equal(filled[labels == label], np.broadcast_to(upper, values.shape))


def test_lines_do_not_darken_flat_colors() -> None:
    gray = boxes()
    rgb = np.repeat(gray[..., None], 3, 2)
    rgb[62:178, 42:118] = (200, 80, 40)
    rgb[gray < 128] = 0
    flat = flats.flatten(gray, rgb)
    assert tuple(flat[120, 80]) == (200, 80, 40)
    assert tuple(flat[5, 5]) == (255, 255, 255)
    assert flat[120, 41].max() == 0
    inside = flat[64:176, 44:116]
    assert (inside == (200, 80, 40)).all()


def test_solid_ink_stays_ink() -> None:
    gray = np.full((200, 200), 240, np.uint8)
    gray[60:140, 60:140] = 10
    assert flats.lines_of(gray)[100, 100]
    assert flats.line_layer(gray)[100, 100] < 30
    assert flats.line_layer(gray)[10, 10] == 255


def test_the_colorizer_gives_flat_colors(tmp_path: Path) -> None:
    for predicts in ("lab", "ab"):
        folder = tmp_path / predicts
        art = Colorizer(make_copier(folder, predicts=predicts, task="lineart", color=(9, 5)).path)
        drawing = boxes()
        flat = art(drawing, flat=True)
        np.testing.assert_array_equal(flat, flats.flatten(drawing, art(drawing)))
        assert len(np.unique(flat[70:170, 50:110].reshape(-1, 3), axis=0)) == 1
    with pytest.raises(UsageError, match="are for drawings"):
        Colorizer(make_bundle(tmp_path / "photo").path)(boxes(), flat=True)
