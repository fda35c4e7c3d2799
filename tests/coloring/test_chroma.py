"""Fitting and composing: sizes, positions, lightness, gamut, both painters."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from skimage.color import deltaE_ciede2000, rgb2lab

from tinct import color
from tinct.coloring import chroma, lab_render


def lab_of(rgb: np.ndarray) -> np.ndarray:
    """Lab by scikit-image, of 8 or 16 bits."""
    return rgb2lab(rgb / np.iinfo(rgb.dtype).max)


def lightness_of(gray: np.ndarray) -> np.ndarray:
    return lab_of(np.repeat(gray[..., None], 3, axis=-1))[..., 0]


def flat(a: float, b: float, height: int = 4, width: int = 4) -> np.ndarray:
    return np.broadcast_to(np.float32([a, b])[:, None, None], (2, height, width)).copy()


def noise(shape: tuple[int, int], dtype: type = np.uint8, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, np.iinfo(dtype).max + 1, shape, dtype=dtype)


# ------------------------------------------------------------------------------------- way down


SIDES = st.integers(1, 20000)


@given(SIDES, SIDES, st.sampled_from([1, 8, 32]))
def test_padded_shapes_keep_the_aspect(height: int, width: int, multiple: int) -> None:
    shape = chroma.working_shape(
        height, width, size=256, multiple_of=multiple, max_long=1024, edge="pad"
    )
    short, long = sorted((shape.height, shape.width))
    assert 1 <= short <= 256
    assert long <= 1024
    assert short == 256 or long == 1024
    exact = max(height, width) / min(height, width)
    assert abs(long - exact * short) <= 0.5 * exact + 0.5 or short == 1
    assert (shape.height + shape.bottom) % multiple == 0
    assert (shape.width + shape.right) % multiple == 0
    assert 0 <= shape.bottom < multiple
    assert 0 <= shape.right < multiple


@given(SIDES, SIDES, st.sampled_from([1, 8, 32]), st.sampled_from([20, 100, 192, 256]))
def test_no_side_is_stretched_by_more_than_a_sixth(
    height: int, width: int, multiple: int, size: int
) -> None:
    shape = chroma.working_shape(height, width, size=size, multiple_of=multiple, max_long=1024)
    scale = min(size / min(height, width), 1024 / max(height, width))
    for side, found, padding in (
        (height, shape.height, shape.bottom),
        (width, shape.width, shape.right),
    ):
        exact = max(1.0, side * scale)
        rounded = 0.5 + 1e-9  # pixels are whole
        assert abs(found - exact) <= exact / 6 + rounded * 7 / 6
        assert (found + padding) % multiple == 0
        if padding:  # as it is, and only because both multiples beside it are too far
            assert abs(found - exact) <= rounded
            assert padding < multiple
            assert padding > found / 6
            assert found < multiple or found % multiple > found / 6


@pytest.mark.parametrize("multiple", [8, 32])
@pytest.mark.parametrize("size", [160, 192, 256])
def test_ordinary_pictures_are_not_padded(size: int, multiple: int) -> None:
    """From five multiples on, the nearest is at most a tenth away."""
    for height, width in [(3000, 4000), (500, 333), (300, 1000), (1080, 1920), (7, 5)]:
        shape = chroma.working_shape(height, width, size=size, multiple_of=multiple, max_long=768)
        assert shape.cover == (1, 1)
        assert shape.height % multiple == shape.width % multiple == 0
        stretch = (shape.height / height) / (shape.width / width)
        assert max(stretch, 1 / stretch) <= 1.1


def test_narrow_strips_are_padded_rather_than_stretched() -> None:
    """A strip of 3 x 900 becomes 768 long and 3 (not 32) wide; 10:1 becomes 768 x 77, not 64."""
    strip = chroma.working_shape(900, 3, size=192, multiple_of=32, max_long=768)
    assert strip == chroma.Shape(768, 3, 0, 29)
    panorama = chroma.working_shape(100, 1000, size=192, multiple_of=32, max_long=768)
    assert panorama == chroma.Shape(77, 768, 19, 0)
    dot = chroma.working_shape(1, 1, size=192, multiple_of=32, max_long=768)
    assert dot == chroma.Shape(192, 192)


def test_resizing_to_a_multiple_instead_of_padding() -> None:
    shape = chroma.working_shape(300, 1000, size=250, multiple_of=32, max_long=2000, edge="resize")
    assert shape == chroma.Shape(256, 832)
    assert shape.cover == (1, 1)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("shape", [(1, 1), (3, 400), (90, 130), (500, 333)])
def test_fitting_is_pillows_bicubic_in_lightness(dtype: type, shape: tuple[int, int]) -> None:
    top = np.iinfo(dtype).max
    gray = noise(shape, dtype)
    fitted = chroma.fit(gray, size=64, multiple_of=16, max_long=256)
    part = fitted.shape
    assert fitted.lightness.dtype == np.float32
    assert fitted.lightness.shape == (1, 1, part.height + part.bottom, part.width + part.right)
    small = Image.fromarray(gray.astype(np.float32) / top).resize(
        (part.width, part.height), Image.Resampling.BICUBIC
    )
    expected = rgb2lab(np.repeat(np.clip(np.asarray(small), 0, 1)[..., None], 3, -1))[..., 0]
    np.testing.assert_allclose(
        fitted.lightness[0, 0, : part.height, : part.width], expected, atol=0.02
    )


def test_padding_mirrors_the_picture() -> None:
    fitted = chroma.fit(noise((50, 70)), size=50, multiple_of=32, max_long=200, edge="pad")
    lightness, part = fitted.lightness[0, 0], fitted.shape
    assert (part.bottom, part.right) == (14, 26)
    np.testing.assert_array_equal(lightness[50:], lightness[36:50][::-1])
    np.testing.assert_array_equal(lightness[:, 70:], lightness[:, 44:70][:, ::-1])


# --------------------------------------------------------------------------------------- way up


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_no_color_gives_the_gray_back(dtype: type) -> None:
    codes = np.arange(np.iinfo(dtype).max + 1, dtype=dtype).reshape(-1, 64)
    rgb = chroma.compose(codes, flat(0, 0))
    off = np.abs(rgb.astype(int) - codes[..., None].astype(int)).max()
    assert off <= (0 if dtype == np.uint8 else 1)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("reach", [20, 60, 150])
def test_lightness_is_kept(dtype: type, reach: int) -> None:
    gray = noise((150, 200), dtype)
    ab = np.random.default_rng(1).uniform(-reach, reach, (2, 20, 30)).astype(np.float32)
    off = np.abs(lab_of(chroma.compose(gray, ab))[..., 0] - lightness_of(gray))
    assert off.mean() <= (0.3 if dtype == np.uint8 else 0.01)
    assert np.percentile(off, 99.9) <= (1.0 if dtype == np.uint8 else 0.05)
    assert off.max() <= (1.5 if dtype == np.uint8 else 0.3)


def test_colors_in_gamut_come_out_as_asked() -> None:
    gray = noise((60, 80), np.uint16)
    lightness = color.gray_to_lightness(gray / 65535)
    lab = np.stack([lightness, np.full_like(lightness, 12), np.full_like(lightness, -9)], -1)
    inside = color.in_gamut(lab)
    assert inside.mean() > 0.5
    found = lab_of(chroma.compose(gray, flat(12, -9)))
    np.testing.assert_allclose(found[inside], lab[inside], atol=0.05)


def test_colors_out_of_gamut_keep_lightness_and_hue() -> None:
    lightness = np.linspace(5, 95, 60)
    gray = np.rint(color.lightness_to_gray(lightness) * 65535).astype(np.uint16)[None]
    for angle in np.linspace(0, 2 * np.pi, 24, endpoint=False):
        ab = 160 * np.cos(angle), 160 * np.sin(angle)
        found = lab_of(chroma.compose(gray, flat(*ab)))[0]
        size = np.hypot(found[:, 1], found[:, 2])
        turn = np.angle((found[:, 1] + 1j * found[:, 2]) * np.exp(-1j * angle))
        largest = color.max_chroma(lightness, np.full_like(lightness, angle))
        assert np.abs(size * turn).max() < 0.4
        assert np.all(size < largest + 0.5)
        assert np.mean(largest - size) < 0.5


def test_strength_is_a_factor() -> None:
    gray = noise((40, 40), np.uint16)
    ab = np.random.default_rng(0).uniform(-20, 20, (2, 5, 5)).astype(np.float32)
    np.testing.assert_array_equal(
        chroma.compose(gray, ab, strength=1.5), chroma.compose(gray, ab * np.float32(1.5))
    )
    np.testing.assert_array_equal(
        chroma.compose(gray, ab, strength=0), chroma.compose(gray, flat(0, 0))
    )


@pytest.mark.parametrize("size", [(7, 9), (300, 200), (1, 1), (3, 500)])
def test_planes_are_enlarged_as_by_pillow(size: tuple[int, int]) -> None:
    """A ramp and an impulse show any shift; mid-gray in 16 bits shows a*, b* themselves."""
    gray = np.full(size, 30000, np.uint16)
    ab = np.zeros((2, 12, 10), np.float32)
    ab[0] = np.linspace(-8, 8, 10)
    ab[1, 5, 6] = 20
    found = lab_of(chroma.compose(gray, ab, cover=(0.75, 0.9)))
    for axis in (0, 1):
        expected = Image.fromarray(ab[axis]).resize(
            size[::-1], Image.Resampling.BICUBIC, box=(0, 0, 9, 9)
        )
        np.testing.assert_allclose(found[..., 1 + axis], np.asarray(expected), atol=0.05)


@given(st.integers(1, 70), st.integers(1, 70), st.integers(1, 9), st.integers(1, 9))
def test_any_size(height: int, width: int, h: int, w: int) -> None:
    gray = noise((height, width))
    rgb = chroma.compose(gray, flat(10, 10, h, w))
    assert rgb.shape == (height, width, 3)
    assert rgb.dtype == np.uint8
    np.testing.assert_array_equal(rgb, chroma.compose(gray, flat(10, 10)))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_threads_and_memory_order_do_not_change_the_result(dtype: type) -> None:
    gray = noise((1100, 1500), dtype)
    ab = np.random.default_rng(0).uniform(-30, 30, (2, 16, 22)).astype(np.float32)
    one = chroma.compose(gray, ab, threads=1)
    np.testing.assert_array_equal(one, chroma.compose(gray, ab, threads=4))
    np.testing.assert_array_equal(one, chroma.compose(np.asfortranarray(gray), ab))


# ------------------------------------------------------------------------------------- painters


def smooth(height: int, width: int, reach: float) -> np.ndarray:
    rows, columns = np.mgrid[:height, :width]
    a = reach * np.sin(columns / 7) - 5
    return np.stack([a, reach * np.cos(rows / 5) + 5]).astype(np.float32)


@pytest.mark.parametrize("reach", [8, 40])
def test_the_table_paints_as_the_calculation(reach: float, monkeypatch: pytest.MonkeyPatch) -> None:
    gray = noise((900, 1300))
    ab = smooth(18, 26, reach)
    monkeypatch.setattr(lab_render, "PIXELS_PER_ENTRY", 0.1)
    assert isinstance(lab_render.choose(256, ab, pixels=gray.size), lab_render.Tabled)
    tabled = chroma.compose(gray, ab)
    monkeypatch.setattr(lab_render, "PIXELS_PER_ENTRY", 1e9)
    assert isinstance(lab_render.choose(256, ab, pixels=gray.size), lab_render.Exact)
    exact = chroma.compose(gray, ab)
    off = deltaE_ciede2000(lab_of(tabled[::9, ::9]), lab_of(exact[::9, ::9]))
    assert off.mean() < 0.45  # both are rounded to 8 bits, which alone is about 0.3
    assert np.percentile(off, 99.9) < 2
    shift = np.abs(lab_of(tabled[::5, ::5])[..., 0] - lightness_of(gray[::5, ::5]))
    assert shift.mean() < 0.3


def _enlarged(ab: np.ndarray, height: int, width: int) -> np.ndarray:
    planes = [Image.fromarray(p).resize((width, height), Image.Resampling.BICUBIC) for p in ab]
    return np.stack([np.asarray(plane) for plane in planes])


@given(st.integers(0, 1000), st.sampled_from([1.0, 15.0, 60.0, 160.0]))
def test_the_table_covers_whatever_the_filter_makes(seed: int, reach: float) -> None:
    ab = np.random.default_rng(seed).uniform(-reach, reach, (2, 5, 6)).astype(np.float32)
    used, low = lab_render.used_cells(ab)
    if not used.any():
        assert reach == 160
        return
    a, b = (
        np.floor((plane - start) / size).astype(int)
        for plane, start, size in zip(_enlarged(ab, 60, 71), low, lab_render.CELL, strict=True)
    )
    assert min(a.min(), b.min()) >= 0
    assert used[a, b].all()


def test_the_table_keeps_neutral_neutral(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lab_render, "PIXELS_PER_ENTRY", 0.01)
    monkeypatch.setattr(lab_render, "LEAST_PIXELS", 1)
    ab = smooth(8, 8, 30)
    ab[:, 2:6, 2:6] = 0
    gray = noise((160, 160))
    assert isinstance(lab_render.choose(256, ab, pixels=gray.size), lab_render.Tabled)
    middle = slice(79, 81)
    rgb = chroma.compose(gray, ab)[middle, middle]
    np.testing.assert_array_equal(rgb, gray[middle, middle, None].repeat(3, axis=2))


def test_small_and_deep_pictures_are_calculated() -> None:
    ab = smooth(8, 8, 3)
    assert isinstance(lab_render.choose(256, ab, pixels=10**7), lab_render.Tabled)
    assert isinstance(lab_render.choose(256, ab, pixels=10_000), lab_render.Exact)
    assert isinstance(lab_render.choose(65536, ab, pixels=10**9), lab_render.Exact)


@pytest.mark.parametrize(("contrast", "offset"), [(0.2, 0.1), (0.12, 0.45), (0.2, 0.75)])
def test_a_faded_print_is_seen_as_a_fresh_one(contrast: float, offset: float) -> None:
    rng = np.random.default_rng(0)
    fresh = rng.beta(2, 2, (60, 80)).astype(np.float32)
    low, high = np.quantile(fresh, (0.01, 0.99))
    wanted = np.clip(0.03 + 0.94 * (fresh - low) / (high - low), 0, 1)
    seen = chroma.unfaded((fresh * contrast + offset).astype(np.float32))
    np.testing.assert_allclose(seen, wanted, atol=1e-4)
    np.testing.assert_array_equal(chroma.unfaded(fresh), fresh)


def test_flat_pictures_are_not_spread() -> None:
    rng = np.random.default_rng(0)
    flat = (0.5 + rng.normal(0, 0.004, (50, 50))).astype(np.float32)
    np.testing.assert_array_equal(chroma.unfaded(flat), flat)


def test_spreading_sets_in_gradually() -> None:
    ramp_codes = np.linspace(0, 1, 5000, dtype=np.float32)[None]
    reached = [
        float(np.ptp(chroma.unfaded(0.3 + ramp_codes * share)))
        for share in np.linspace(0.25, 0.37, 15)
    ]
    assert max(abs(np.diff(reached))) < 0.12  # no jump


def test_a_page_around_a_picture_stays_gray_and_a_sky_does_not() -> None:
    rng = np.random.default_rng(0)
    ab = np.full((2, 40, 60), 20, np.float32)
    page = np.full((80, 120), 85, np.float32)
    page[20:60, 30:90] = rng.uniform(10, 90, (40, 60))
    kept = chroma.gray_margins(page, ab)
    inside = np.zeros((40, 60), bool)
    inside[10:30, 15:45] = True
    assert (kept[:, inside] == 20).all()
    assert (kept[:, ~inside] == 0).all()
    sky = page.copy()
    sky[:, :] += np.linspace(-4, 4, 80, dtype=np.float32)[
        :, None
    ]  # as skies and backdrops fall off
    open_side = page.copy()
    open_side[60:, 30:90] = rng.uniform(10, 90, (20, 60))  # no margin below
    for other in (sky, open_side, np.full((80, 120), 85, np.float32)):
        assert chroma.gray_margins(other, ab) is ab
