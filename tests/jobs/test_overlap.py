"""Several pictures at a time: in order, past failures, warnings apart, large ones alone."""

from __future__ import annotations

import threading
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tests.jobs.test_batch import Painter

from tinct.jobs import batch
from tinct.jobs.overlap import Hearing, Room, in_order, share
from tinct.jobs.paths import plan
from tinct.photo import PictureWarning
from tinct.settings import Settings


def test_cores_are_shared_out() -> None:
    assert share(1, threads=None) == (1, None)
    assert share(1, threads=3) == (1, 3)
    assert share(100, threads=1) == (1, 1)
    assert share(100, threads=4) == (4, 1)
    assert share(3, threads=7) == (3, 2)
    assert share(100, threads=64) == (8, 8)


def test_results_come_in_order_and_work_overlaps() -> None:
    both = threading.Barrier(2, timeout=20)

    def work(number: int) -> int:
        if number < 2:
            both.wait()
        time.sleep(0.02 * (number % 2 == 0))
        return number * number

    assert list(in_order(work, range(9), workers=2)) == [n * n for n in range(9)]


def test_only_a_few_units_are_looked_at_ahead() -> None:
    seen: list[int] = []

    def units() -> Any:
        for number in range(1000):
            seen.append(number)
            yield number

    results = in_order(abs, units(), workers=3)
    next(results)
    assert len(seen) < 10
    results.close()  # type: ignore[attr-defined]


def test_large_pictures_are_alone() -> None:
    room, inside, most = Room(10), [0], [0]

    def visit(pixels: int) -> None:
        with room.of(pixels):
            inside[0] += min(pixels, 10)
            most[0] = max(most[0], inside[0])
            time.sleep(0.01)
            inside[0] -= min(pixels, 10)

    list(in_order(visit, [4, 5, 99, 3, 10, 3, 3], workers=4))
    assert most[0] <= 10


def test_each_thread_hears_its_own() -> None:
    hearing = Hearing()
    both = threading.Barrier(2, timeout=20)

    def work(number: int) -> list[str]:
        with hearing.of_one() as texts:
            both.wait()
            for _ in range(2):
                warnings.warn(f"number {number}", PictureWarning, stacklevel=1)
            warnings.warn("not ours", UserWarning, stacklevel=1)
            both.wait()
        return texts

    with hearing.open():
        warnings.warn("nobody listens", PictureWarning, stacklevel=1)
        found = list(in_order(work, range(2), workers=2))
    assert found == [["number 0"] * 2, ["number 1"] * 2]


def test_many_pictures_at_a_time_are_as_one_after_the_other(tmp_path: Path) -> None:
    album = tmp_path / "album"
    album.mkdir()
    for number in range(12):
        mode, value = ("RGB", (number, 200, 9)) if number % 3 == 0 else ("L", 9 * number)
        Image.new(mode, (20 + number, 20), value).save(album / f"{number:02}.png")
    (album / "07.png").write_bytes(b"broken")

    def run(workers: int) -> list[Any]:
        out = tmp_path / f"out{workers}"
        jobs = plan([str(album)], output=str(out))
        results = batch.color_all(jobs, colorizer=Painter(), workers=workers)
        return [
            (one.source, one.size, one.warnings, str(one.error or ""), _pixels(out, one))
            for one in results
        ]

    assert run(4) == run(1)


def _pixels(out: Path, result: batch.Result) -> bytes:
    if result.error:
        return b""
    assert result.target is not None
    return result.target.read_bytes()


def test_an_interrupt_leaves_nothing_running(album: Path, tmp_path: Path) -> None:
    class Interrupted(Painter):
        def render(self, gray: np.ndarray, settings: Settings | None = None) -> np.ndarray:
            raise KeyboardInterrupt

    before = threading.active_count()
    jobs = plan([str(album)], output=str(tmp_path / "out"))
    with pytest.raises(KeyboardInterrupt):
        list(batch.color_all(jobs, colorizer=Interrupted(), workers=2))
    assert threading.active_count() == before
    assert not list((tmp_path / "out").glob("*.part"))
