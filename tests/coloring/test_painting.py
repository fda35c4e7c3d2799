"""Painting a drawing: the model's picture at its size, the drawing's lines at every size."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw
from scipy.ndimage import binary_dilation
from skimage.color import deltaE_ciede2000, lab2rgb, rgb2lab

from tinct import color
from tinct.coloring import chroma
from tinct.coloring.painting import paint_drawing


def lab_of(rgb: np.ndarray) -> np.ndarray:
    return rgb2lab(rgb / np.iinfo(rgb.dtype).max)


def planes(lab: np.ndarray) -> np.ndarray:
    """Return (h, w, 3) as a model gives it."""
    return np.ascontiguousarray(np.moveaxis(lab, -1, 0), dtype=np.float32)


def lightness(gray: np.ndarray) -> np.ndarray:
    """Return what a model of the drawing's own size sees."""
    return lab_of(np.repeat(gray[..., None], 3, -1))[..., 0].astype(np.float32)


def noise(height: int, width: int, dtype: type = np.uint8, seed: int = 0) -> np.ndarray:
    top = np.iinfo(dtype).max
    return np.random.default_rng(seed).integers(0, top + 1, (height, width), dtype=dtype)


def draw(size: int, *, width: int, seed: int = 0) -> np.ndarray:
    """Return black curves on white, antialiased."""
    sheet = Image.new("L", (2 * size, 2 * size), 255)
    pen = ImageDraw.Draw(sheet)
    random = np.random.default_rng(seed)
    for _ in range(9):
        (x, y), r = random.uniform(0.2, 0.8, 2) * 2 * size, random.uniform(0.05, 0.3) * 2 * size
        pen.ellipse((x - r, y - r, x + r, y + r), outline=0, width=2 * width)
    pen.line((0, 1.9 * size, 2 * size, 0.1 * size), fill=0, width=2 * width)
    return np.asarray(sheet.resize((size, size), Image.Resampling.BOX))


def shrink(picture: np.ndarray, size: int) -> np.ndarray:
    """Return the picture (H, W, 3), 0..1, at a model's size."""
    channels = [
        np.asarray(Image.fromarray(p.astype(np.float32)).resize((size, size), 3))
        for p in np.moveaxis(picture, -1, 0)
    ]
    return np.clip(np.stack(channels, -1), 0, 1)


def near(mask: np.ndarray) -> np.ndarray:
    return binary_dilation(mask, np.ones((3, 3)))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("strength", [0.5, 1.0])
def test_at_the_models_size_its_picture_comes_out(dtype: type, strength: float) -> None:
    top = np.iinfo(dtype).max
    painted = np.random.default_rng(1).uniform(0.02, 0.98, (40, 60, 3))
    gray = noise(40, 60, dtype)
    lab = rgb2lab(painted)
    found = paint_drawing(gray, planes(lab), lightness(gray), strength=strength)
    expected = lab2rgb(lab * (1, strength, strength))
    assert found.dtype == dtype
    off = np.abs(found / top - expected) * 255
    assert off.max() <= 1  # the darkest channels hang on the fourth digit of the white point
    assert off.mean() <= (0.26 if dtype == np.uint8 else 0.02)


@pytest.mark.parametrize("width", [2, 5, 12])
def test_lines_stay_where_and_as_sharp_as_they_are(width: int) -> None:
    drawing = draw(2000, width=width)
    fill = np.array([0.95, 0.62, 0.35])
    true = drawing[..., None] / 255 * fill
    seen = chroma.fit(drawing, size=256, max_long=256).lightness[0, 0]
    found = lab_of(paint_drawing(drawing, planes(rgb2lab(shrink(true, 256))), seen))
    flat = rgb2lab(fill)
    ours, drawn = found[..., 0] < flat[0] / 2, drawing < 128
    precision = (ours & near(drawn)).sum() / ours.sum()
    recall = (drawn & near(ours)).sum() / drawn.sum()
    assert 2 * precision * recall / (precision + recall) > 0.99
    # One pixel beside a line the color is the fill's, though its blur is eight pixels wide.
    away = ~near(near(drawing < 255))
    off = deltaE_ciede2000(found[away], np.broadcast_to(flat, (away.sum(), 3)), channel_axis=-1)
    assert off.mean() < 0.5
    assert np.percentile(off, 99) < 6


def test_a_model_that_copies_gives_the_drawing_back() -> None:
    drawing = draw(900, width=3)
    seen = chroma.fit(drawing, size=128, max_long=128).lightness[0, 0]
    copied = np.stack([seen, 0 * seen, 0 * seen])
    off = paint_drawing(drawing, copied, seen).astype(int) - drawing[..., None]
    assert np.abs(off).mean() < 0.5
    assert np.percentile(np.abs(off), 99.9) <= 8


def test_nothing_beside_a_line_is_brighter_than_the_painting() -> None:
    """A painting that leaves the lines gray, as if they had faded."""
    drawing = draw(600, width=4)
    seen = chroma.fit(drawing, size=100, max_long=100).lightness[0, 0]
    faded = np.stack([30 + 0.3 * seen, 0 * seen, 0 * seen])
    found = lab_of(paint_drawing(drawing, faded, seen))[..., 0]
    assert found.max() < 60 * 1.05
    assert found[drawing == 255].mean() > 57


@pytest.mark.parametrize("shade", [(80, 20, 10), (35, -12, 20), (100, 0, 0), (0, 0, 0)])
def test_white_paper_takes_one_color_evenly(shade: tuple[float, float, float]) -> None:
    paper = np.full((500, 300), 255, np.uint8)
    lab = np.broadcast_to(np.float32(shade)[:, None, None], (3, 16, 12))
    found = paint_drawing(paper, lab, np.full((32, 24), 100, np.float32))
    expected = np.rint(np.clip(lab2rgb(np.array([[shade]], float)), 0, 1) * 255)
    np.testing.assert_array_equal(found, np.broadcast_to(expected, found.shape))


def test_colors_that_cannot_be_shown_keep_lightness_and_hue() -> None:
    drawing = np.array([[255, 188]], np.uint8).repeat(30, 0).repeat(20, 1)
    seen = np.full((6, 8), 100, np.float32)  # the right half is darker than the model saw
    unused = []
    for angle in np.linspace(0, 2 * np.pi, 16, endpoint=False):
        ab = 120 * np.cos(angle), 120 * np.sin(angle)
        lab = np.broadcast_to(np.float32([60, *ab])[:, None, None], (3, 6, 8))
        found = lab_of(paint_drawing(drawing, lab, seen))
        light = color.gray_to_lightness(188 / 255)
        dark = 116 * np.cbrt((76 / 116) ** 3 * ((light + 16) / 116) ** 3) - 16
        np.testing.assert_allclose(found[:, :20, 0], 60, atol=1)
        np.testing.assert_allclose(found[:, 20:, 0], dark, atol=1)
        chroma_there = np.hypot(found[..., 1], found[..., 2])
        turn = np.angle((found[..., 1] + 1j * found[..., 2]) * np.exp(-1j * angle))
        assert np.abs(turn * chroma_there).max() < 1.5
        for part, level in ((chroma_there[:, :20], 60), (chroma_there[:, 20:], dark)):
            most = min(float(color.max_chroma(level, angle)), 120)
            assert part.max() < most + 1.5
            unused.append(most - part.mean())
    assert np.median(unused) < 0.5


def test_strength_changes_chroma_only() -> None:
    drawing = draw(300, width=2)
    seen = chroma.fit(drawing, size=64, max_long=64).lightness[0, 0]
    lab = planes(rgb2lab(np.random.default_rng(3).uniform(0.3, 0.7, (64, 64, 3))))
    one, half, none = (
        lab_of(paint_drawing(drawing, lab, seen, strength=s)) for s in (1.0, 0.5, 0.0)
    )
    assert np.abs(one[..., 0] - none[..., 0]).mean() < 0.35
    # Gray; processors differ in the last bit, and a channel may round to the code beside.
    assert np.abs(none[..., 1:]).mean() < 0.01
    assert np.abs(none[..., 1:]).max() < 1
    bright = one[..., 0] > 20
    ratio = np.hypot(*half[bright].T[1:]).mean() / np.hypot(*one[bright].T[1:]).mean()
    assert ratio == pytest.approx(0.5, abs=0.02)


def test_padding_is_left_out() -> None:
    drawing = draw(400, width=3)[:250]
    fitted = chroma.fit(drawing, size=50, multiple_of=64, max_long=80, edge="pad")
    seen = fitted.lightness[0, 0]
    assert fitted.shape.bottom > 0
    lab = np.stack([seen, 20 - seen / 5, seen / 10])
    part = slice(fitted.shape.height), slice(fitted.shape.width)
    whole = paint_drawing(drawing, lab, seen, cover=fitted.shape.cover)
    cut = paint_drawing(drawing, np.ascontiguousarray(lab[:, *part]), seen[part])
    inner = slice(20, -20), slice(20, -20)
    np.testing.assert_array_equal(whole[inner], cut[inner])


@given(st.integers(1, 70), st.integers(1, 70), st.integers(1, 9), st.integers(1, 9))
def test_any_size(height: int, width: int, h: int, w: int) -> None:
    lab = np.broadcast_to(np.float32([70, 8, -8])[:, None, None], (3, h, w))
    drawing = np.full((height, width), 255, np.uint8)
    found = paint_drawing(drawing, lab, np.full((2 * h, 2 * w), 100, np.float32))
    expected = np.rint(lab2rgb(np.array([[[70.0, 8, -8]]])) * 255)
    assert found.shape == (height, width, 3)
    assert np.abs(found - expected).max() <= 1


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_threads_and_memory_order_do_not_change_the_result(dtype: type) -> None:
    drawing = noise(1100, 4200, dtype)
    random = np.random.default_rng(0)
    lab = planes(rgb2lab(random.uniform(0, 1, (16, 60, 3))))
    seen = random.uniform(0, 100, (16, 60)).astype(np.float32)
    one = paint_drawing(drawing, lab, seen, threads=1)
    np.testing.assert_array_equal(one, paint_drawing(drawing, lab, seen, threads=4))
    np.testing.assert_array_equal(one, paint_drawing(np.asfortranarray(drawing), lab, seen))


def test_memory_is_the_result_and_strips() -> None:
    drawing = np.tile(draw(1000, width=3), (3, 4))
    seen = chroma.fit(drawing, size=256, max_long=512).lightness[0, 0]
    lab = np.stack([seen, 40 + 0 * seen, 60 + 0 * seen])  # much of it out of gamut
    tracemalloc.start()
    found = paint_drawing(drawing, lab, seen, threads=2)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak - found.nbytes < 48 << 20


def test_colors_end_where_the_drawing_says() -> None:
    # A painting of 32 x 32 cells; the line of the drawing of 256 x 256 runs inside a column of it.
    drawing = np.full((256, 256), 255, np.uint8)
    drawing[:, 131:134] = 0
    fine = np.zeros((128, 128), np.int32)
    fine[:, 66:] = 1
    regions = fine[2::4, 2::4]
    lab = np.zeros((3, 32, 32), np.float32)
    lab[0], lab[1] = 60, np.where(regions, 30, -30)
    seen = lightness(drawing)
    found = lab_of(paint_drawing(drawing, lab, seen, regions=(regions, fine)))
    for paper, expected in ((np.s_[:, :131, 1], -30), (np.s_[:, 134:, 1], 30)):
        np.testing.assert_allclose(found[paper], expected, atol=5)
    blurred = lab_of(paint_drawing(drawing, lab, seen))
    assert np.abs(blurred[:, :131, 1] + 30).max() > 30
