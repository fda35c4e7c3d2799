"""Resampling against Pillow, which implements the same filter independently."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from scipy.ndimage import uniform_filter

from tinct.resample import (
    BLAS_ALONE,
    bicubic,
    blurred,
    cores,
    for_each,
    product,
    quantiles,
    resample_rows,
    widen_columns,
)

SIDES = st.integers(1, 90)


def pillow(plane: np.ndarray, height: int, width: int, box: tuple[float, ...] | None = None):
    image = Image.fromarray(plane.astype(np.float32))
    return np.asarray(image.resize((width, height), Image.Resampling.BICUBIC, box=box))


def ours(plane: np.ndarray, height: int, width: int) -> np.ndarray:
    rows = resample_rows(plane, bicubic(height, plane.shape[0]))
    return resample_rows(rows.T, bicubic(width, plane.shape[1])).T


@given(SIDES, SIDES, SIDES, SIDES, st.integers(0, 9))
def test_any_size_to_any_size_as_pillow(h: int, w: int, to_h: int, to_w: int, seed: int) -> None:
    plane = np.random.default_rng(seed).integers(0, 256, (h, w), dtype=np.uint8)
    np.testing.assert_allclose(ours(plane, to_h, to_w), pillow(plane, to_h, to_w), atol=2e-3)


@given(SIDES, SIDES, st.floats(0.3, 1))
def test_a_part_of_the_axis_as_pillows_box(size: int, count: int, share: float) -> None:
    plane = np.random.default_rng(size).normal(0, 50, (size, 4)).astype(np.float32)
    rows = resample_rows(plane, bicubic(count, size, length=size * share))
    expected = pillow(plane, count, 4, box=(0, 0, 4, size * share))
    np.testing.assert_allclose(rows, expected, atol=2e-3)


def test_columns_in_pieces_are_the_columns_at_once() -> None:
    planes = np.random.default_rng(0).normal(0, 20, (2, 5, 30)).astype(np.float32)
    taps = bicubic(200, 30)
    whole = np.stack([resample_rows(plane.T, taps).T for plane in planes])
    for start, stop in ((0, 200), (37, 38), (63, 171)):
        part = widen_columns(planes, taps, start=start, stop=stop)
        np.testing.assert_allclose(part, whole[:, :, start:stop], atol=1e-4)


def test_threads_do_not_change_the_result() -> None:
    plane = np.random.default_rng(0).integers(0, 65536, (300, 500), dtype=np.uint16)
    one, four = (resample_rows(plane, bicubic(41, 300), threads=n) for n in (1, 4))
    np.testing.assert_array_equal(one, four)


def test_every_unit_is_worked_on_once_and_errors_come_out() -> None:
    done: list[int] = []
    lock = threading.Lock()

    def work(unit: int) -> None:
        with lock:
            done.append(unit)
        if unit == 7:
            raise ValueError("seven")

    for_each(work, range(5), threads=None)
    assert sorted(done) == list(range(5))
    for threads in (1, 3):
        with pytest.raises(ValueError, match="seven"):
            for_each(work, range(5, 9), threads=threads)
    assert cores() >= 1


@given(
    st.lists(st.floats(-1e3, 1e3, width=32), min_size=1, max_size=60),
    st.lists(st.floats(0, 1), min_size=1, max_size=4),
)
def test_quantiles_are_those_of_numpy(values: list[float], shares: list[float]) -> None:
    array = np.array(values, np.float32)
    found = quantiles(array, tuple(shares))
    np.testing.assert_allclose(found, np.quantile(array.astype(float), shares), atol=1e-6)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ((3, 3), (3, 70_000)),
        ((40, 9), (2, 9, 3000)),
        ((2, 200, 70), (70, 64)),
        ((600, 600), (600, 3)),
    ],
)
def test_products_are_numpys_and_stay_on_one_thread(
    left: tuple[int, ...], right: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    one = rng.normal(size=left).astype(np.float32)
    two = rng.normal(size=right).astype(np.float32)
    expected = np.einsum("...mk,...kn->...mn", one, two, optimize=False)
    costs = []
    real = np.matmul

    def counted(a: np.ndarray, b: np.ndarray, out: np.ndarray) -> np.ndarray:
        costs.append(a.shape[-2] * a.shape[-1] * b.shape[-1])
        return real(a, b, out=out)

    monkeypatch.setattr(np, "matmul", counted)
    out = np.full(expected.shape, np.nan, np.float32)
    assert product(one, two, out=out) is out
    np.testing.assert_allclose(out, expected, rtol=1e-4, atol=1e-4)
    one_column = left[-2] * left[-1]
    assert max(costs) <= max(BLAS_ALONE, one_column)


@pytest.mark.parametrize("side", [1.9, 2, 3.5, 7, 30])
def test_blur_is_that_of_scipy(side: float) -> None:
    planes = np.random.default_rng(4).uniform(0, 9, (2, 13, 21)).astype(np.float32)
    size = 2 * int(side / 2) + 1
    want = np.stack([uniform_filter(plane.astype(float), size, mode="reflect") for plane in planes])
    np.testing.assert_allclose(blurred(planes, side=side), want, atol=1e-4)
