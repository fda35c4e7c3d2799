"""Hints are obeyed at their places, color whole regions, stop at edges, and do no harm."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw
from skimage.color import deltaE_ciede2000, rgb2lab

from tinct import Colorizer, color
from tinct.bundle import Bundle
from tinct.coloring.propagation import PHOTOGRAPH as REACH
from tinct.coloring.propagation import follow
from tinct.hints import Point, rasterize
from tiny_models import make_bundle

PHOTOGRAPH = Path(__file__).parents[2] / "examples" / "pictures" / "photographer.jpg"
OBEYED = 3.0  # CIEDE2000
Floats = np.ndarray


def two_regions(height: int = 120, width: int = 160, light: float = 80.0) -> Floats:
    """Return L*: dark left, light right, with the little noise that no photograph is without."""
    lightness = np.full((height, width), 30, np.float32)
    lightness[:, width // 2 :] = light
    noise = np.random.default_rng(3).normal(0, 1.5, lightness.shape)
    return (lightness + noise).astype(np.float32)


def told(lightness: Floats, *points: Point) -> Floats:
    return rasterize(points, *lightness.shape, lightness=lightness)


def point(x: float, y: float, a: float, b: float, radius: float = 0.01) -> Point:
    return Point(x=x, y=y, color=(50.0, a, b), radius=radius)


def plain(lightness: Floats, a: float = 5.0, b: float = 10.0) -> Floats:
    half = lightness.shape[0] // 2, lightness.shape[1] // 2
    return np.stack([np.full(half, a, np.float32), np.full(half, b, np.float32)])


def test_a_hint_colors_its_region_and_not_the_next() -> None:
    lightness = two_regions()
    ab = follow(lightness, plain(lightness), told(lightness, point(0.25, 0.5, -30, 20)))
    assert ab.shape == (2, 120, 160)
    moved = (ab[0] - 5) / (-30 - 5)  # 0: as proposed, 1: as told
    assert moved[30:90, 10:70].min() > 0.7
    assert np.abs(moved[:, 84:]).max() < 0.05


def test_hints_stay_in_their_region_though_nothing_is_seen_between() -> None:
    white = np.full((96, 128), 95, np.float32)
    regions = np.zeros((96, 128), np.int32)
    regions[:, 64:] = 1
    proposal = np.stack([white, np.full_like(white, 5), np.full_like(white, 10)])
    planes = told(white, point(0.25, 0.5, -30, 20))
    walled = follow(white, proposal, planes, regions=regions)
    open_ = follow(white, proposal, planes)
    assert np.abs(walled[1:, :, 66:] - proposal[1:, :, 66:]).max() < 0.1
    assert np.abs(walled[1:, :, :62] - np.array([-30, 20])[:, None, None]).max() < 3
    assert np.abs(open_[1:, 48, 70] - proposal[1:, 48, 70]).max() > 20


def test_alike_places_follow_across_a_gap() -> None:
    lightness = np.full((120, 160), 30, np.float32)
    lightness[:, 70:84] = 90  # a white shirt between two lapels
    ab = follow(lightness, plain(lightness), told(lightness, point(0.35, 0.5, -30, 20)))
    moved = (ab[0] - 5) / (-30 - 5)
    assert moved[50:70, 90:100].mean() > 0.5
    assert moved[50:70, 74:80].mean() < 0.3


def test_far_places_keep_the_proposal() -> None:
    lightness = np.full((100, 1000), 60, np.float32)
    ab = follow(lightness, plain(lightness), told(lightness, point(0.05, 0.5, 40, -40)))
    np.testing.assert_allclose(
        ab[:, :, 500:], plain(lightness)[:, :1, :1] + np.zeros((2, 100, 500))
    )


def test_keep_gray_is_a_hint_like_others() -> None:
    lightness = two_regions()
    ab = follow(lightness, plain(lightness, 25, 25), told(lightness, point(0.25, 0.5, 0, 0)))
    assert np.hypot(*ab)[30:90, 10:70].max() < 8
    assert np.hypot(*ab)[:, 90:].min() > 30


def test_what_is_told_everywhere_is_what_comes_out() -> None:
    lightness = two_regions(64, 96)
    planes = np.random.default_rng(0).uniform(-60, 60, (4, 64, 96)).astype(np.float32)
    planes[3] = 1
    np.testing.assert_allclose(follow(lightness, plain(lightness), planes), planes[1:3], atol=1e-3)


@given(
    x=st.floats(0, 1),
    y=st.floats(0, 1),
    a=st.floats(-60, 60),
    b=st.floats(-60, 60),
    height=st.integers(1, 90),
    width=st.integers(1, 90),
)
def test_nothing_leaves_the_range_of_what_goes_in(
    x: float, y: float, a: float, b: float, height: int, width: int
) -> None:
    random = np.random.default_rng(height)
    lightness = random.uniform(0, 100, (height, width)).astype(np.float32)
    proposal = random.uniform(-40, 40, (2, height, width)).astype(np.float32)
    ab = follow(lightness, proposal, told(lightness, point(x, y, a, b), point(y, x, b, a)))
    assert np.isfinite(ab).all()
    assert np.abs(ab).max() <= max(np.abs(proposal).max(), abs(a), abs(b)) + 1e-3


@given(seed=st.integers(0, 99), change=st.floats(0.1, 10))
def test_changed_colors_change_the_result_boundedly(seed: int, change: float) -> None:
    random = np.random.default_rng(seed)
    lightness = two_regions(48, 64)
    places = random.uniform(0, 1, (6, 2))
    colors = random.uniform(-40, 40, (6, 2))
    others = colors + random.uniform(-change, change, (6, 2))
    one, two = (
        follow(
            lightness,
            plain(lightness),
            told(
                lightness, *(point(*p, *c, radius=0.05) for p, c in zip(places, some, strict=True))
            ),
        )
        for some in (colors, others)
    )
    largest = np.abs(one - two)
    # The bound of the module's docstring; by far most pixels change by no more than the hints.
    assert largest.max() <= 3 * change + 1e-3
    assert largest.mean() <= change


@pytest.mark.parametrize("step", [0.01, 0.02])
def test_moved_hints_change_the_result_boundedly(step: float) -> None:
    # In a region without edges the first filter's weights fall with the way at most by
    # exp(-sqrt(2) way / s) along an axis, s the deviation of its first round, so a hint moved by
    # `step` along both changes them by a factor of at most r = exp(2 sqrt(2) step / s). A trust
    # 1 / (1 + (doubt / w)^2) then changes by at most tanh(log(r) / 2). The likeness adds a
    # Gaussian, for which the same holds as long as the way is below s. So the first spreading
    # changes by at most tanh(log(r) / 2) of the difference between told and proposed.
    lightness = np.full((96, 128), 50, np.float32)
    proposal = plain(lightness)
    before = follow(lightness, proposal, told(lightness, point(0.5, 0.5, -30, 30)))
    after = follow(
        lightness, proposal, told(lightness, point(0.5 + step * 0.75, 0.5 + step, -30, 30))
    )
    deviation = REACH.along * np.sqrt(3) * 4 / np.sqrt(63)
    bound = np.tanh(np.sqrt(2) * step / deviation)
    difference = np.hypot(-30 - 5, 30 - 10)
    assert np.hypot(*(after - before)).mean() <= bound * difference


@pytest.mark.parametrize("step", [0.01, 0.02])
def test_moved_hints_in_a_photograph(step: float) -> None:
    lightness = _lightness(PHOTOGRAPH, 192)
    random = np.random.default_rng(7)
    proposal = plain(lightness)
    places = random.uniform(0.1, 0.9, (10, 2))
    colors = random.uniform(-40, 40, (10, 2))
    moves = random.uniform(0, 2 * np.pi, 10)
    moved = places + step * np.stack([np.cos(moves), np.sin(moves)], 1)
    one, two = (
        follow(
            lightness,
            proposal,
            told(lightness, *(point(*p, *c) for p, c in zip(some, colors, strict=True))),
        )
        for some in (places, moved)
    )
    change = np.hypot(*(two - one)).mean()
    spread = np.hypot(*(one - proposal.mean((1, 2))[:, None, None])).mean()
    assert 0 < change <= 0.35 * spread


def _lightness(path: Path, short: int) -> Floats:
    with Image.open(path) as opened:
        image = opened.convert("L")
        scale = short / min(image.size)
        image = image.resize((round(image.width * scale), round(image.height * scale)))
    return np.asarray(color.gray_to_lightness(np.asarray(image) / 255), np.float32)


@cache
def _gray(height: int, width: int) -> Floats:
    """Return a photograph of that size, with a black bar and a white bar across it."""
    with Image.open(PHOTOGRAPH) as opened:
        gray = np.array(opened.convert("L").resize((width, height)))
    gray[:, width // 3 : width // 3 + max(4, width // 20)] = 235
    gray[height // 2 : height // 2 + max(4, height // 20)] = 20
    return gray


def _off(rgb: Floats, hint: Point, *, lightness: bool = False) -> float:
    """Return CIEDE2000 between the asked color and the result at the hinted pixel.

    At the result's own L*, and with the chroma that sRGB can show there, unless ``lightness``.
    """
    row = min(int(hint.y * rgb.shape[0]), rgb.shape[0] - 1)
    column = min(int(hint.x * rgb.shape[1]), rgb.shape[1] - 1)
    lab = rgb2lab(rgb[row : row + 1, column : column + 1])[0, 0]
    asked = np.array(hint.lab)
    if not lightness:
        asked[0] = lab[0]
        asked = np.asarray(color.fit_gamut(asked))
    return float(deltaE_ciede2000(lab, asked))


hinted = {
    "x": st.floats(0, 1),
    "y": st.floats(0, 1),
    "a": st.floats(-60, 60),
    "b": st.floats(-60, 60),
}


@given(**hinted, size=st.sampled_from([(256, 256), (256, 340), (600, 400), (90, 140)]))
def test_obeyed_in_the_full_picture(
    tiny: Bundle, x: float, y: float, a: float, b: float, size: tuple[int, int]
) -> None:
    hint = point(x, y, a, b)
    rgb = Colorizer(tiny.path, threads=1)(_gray(*size), hints=[hint])
    assert _off(rgb, hint) <= OBEYED


@settings(max_examples=2)
@given(**hinted)
def test_obeyed_in_12_megapixels(tiny: Bundle, x: float, y: float, a: float, b: float) -> None:
    hint = point(x, y, a, b)
    rgb = Colorizer(tiny.path)(_gray(3000, 4000), hints=[hint])
    row, column = min(int(y * 3000), 2999), min(int(x * 4000), 3999)
    part = rgb[row : row + 1, column : column + 1]
    assert _off(part, Point(x=0, y=0, color=hint.lab)) <= OBEYED


@cache
def _drawing(height: int, width: int) -> Floats:
    """Return paper with black lines: a grid of cells a quarter of the short side wide."""
    drawing = np.full((height, width), 250, np.uint8)
    step, line = min(height, width) // 4, max(2, min(height, width) // 100)
    for start in range(0, max(height, width), step):
        drawing[start : start + line] = 10
        drawing[:, start : start + line] = 10
    return drawing


@pytest.fixture(scope="module")
def painter(tmp_path_factory: pytest.TempPathFactory) -> Colorizer:
    """A model that paints drawings at half the working size."""
    folder = tmp_path_factory.mktemp("bundles") / "painter"
    sizes = {"fast": 64, "balanced": 128, "best": 192}
    made = make_bundle(
        folder, predicts="lab", task="lineart", sizes=sizes, max_long=256, keeps_regions=True
    )
    return Colorizer(made.path, threads=1)


@given(
    cell=st.tuples(st.integers(0, 3), st.integers(0, 3)),
    inside=st.tuples(st.floats(0.35, 0.65), st.floats(0.35, 0.65)),
    shade=st.sampled_from(["#b04030", "#305080", "#f0d060", "#808080", "#204020"]),
    size=st.sampled_from([(256, 256), (600, 600), (1200, 1200)]),
)
def test_obeyed_in_drawings_away_from_lines(
    painter: Colorizer,
    cell: tuple[int, int],
    inside: tuple[float, float],
    shade: str,
    size: tuple[int, int],
) -> None:
    x, y = ((number + share) / 4 for number, share in zip(cell, inside, strict=True))
    hint = Point(x=x, y=y, color=shade)
    assert _off(painter(_drawing(*size), hints=[hint]), hint, lightness=True) <= OBEYED


def test_a_drawing_keeps_its_lines(painter: Colorizer) -> None:
    drawing = _drawing(600, 600)
    rgb = painter(drawing, hints=[Point(x=0.6, y=0.6, color="#f0d060")])
    cell, line = rgb[320:430, 320:430], rgb[300:306, 320:430]
    assert rgb2lab(line)[..., 0].max() < 10
    told_color = rgb2lab(np.array([[[0xF0, 0xD0, 0x60]]], np.uint8))
    assert np.median(deltaE_ciede2000(rgb2lab(cell), told_color)) < OBEYED
    beside = rgb2lab(rgb[20:140, 320:430])
    assert np.abs(beside - rgb2lab(painter(drawing)[20:140, 320:430])).max() < 3


def test_a_dark_hint_on_a_line_is_no_hole(painter: Colorizer) -> None:
    drawing = _drawing(600, 600)
    rgb = painter(drawing, hints=[Point(x=302.5 / 600, y=0.6, color="#ffffff")])
    assert rgb2lab(rgb[330:390, 301:305])[..., 0].max() < 15


@pytest.mark.parametrize("ink", [0, 170])
def test_hints_stop_at_gaps_and_faint_lines(painter: Colorizer, ink: int) -> None:
    """Two boxes that share a wall with a gap in it, full size, firm and faint lines."""
    image = Image.new("L", (640, 640), 255)
    pen = ImageDraw.Draw(image)
    pen.rectangle([100, 160, 540, 480], outline=ink, width=4)
    pen.line([320, 160, 320, 480], fill=ink, width=4)
    pen.line([320, 310, 320, 317], fill=255, width=4)
    gray = np.asarray(image)
    before = rgb2lab(np.asarray(painter(gray)))
    hint = Point(x=0.35, y=0.5, color=(60.0, 60.0, 40.0))
    after = rgb2lab(np.asarray(painter(gray, hints=(hint,))))
    changed = deltaE_ciede2000(before, after)
    assert changed[180:460, 340:520].max() < 5
    assert changed[:140].max() < 5
    assert np.median(changed[180:460, 120:300]) > 20


def test_shading_is_kept_in_part() -> None:
    """A hint in a region that was painted lighter on the right."""
    lightness = np.full((60, 80), 90, np.float32)
    shading = np.tile(np.linspace(40, 60, 80, dtype=np.float32), (60, 1))
    proposal = np.stack([shading, np.zeros_like(shading), np.zeros_like(shading)])
    planes = told(lightness, Point(x=0.5, y=0.5, color=(70.0, 40.0, 20.0), radius=0.05))
    planes[0][planes[3] > 0] = 70
    flat, shaded = (follow(lightness, proposal, planes, shading=s) for s in (None, shading))
    middle = 30
    assert np.ptp(flat[0, middle, 5:75]) < 4
    steps = np.diff(shaded[0, middle, [5, 20, 60, 75]])
    assert (steps > 1).all()
    assert shaded[0, middle, 40] == pytest.approx(70, abs=1.5)
    assert np.allclose(shaded[1:], flat[1:], atol=1e-3)
