"""What comes into a folder is colored once it is whole; folders may go away and come back."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from PIL import Image

from tinct.bundle import Bundle
from tinct.errors import SaveError
from tinct.jobs.paths import Choice, Job, plan
from tinct.jobs.watch import Watch, ticks


class Desk:
    """A folder that is looked at by a clock of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.now, self.told = folder, 0.0, [""]
        self.colored: list[str] = []
        self.watch = Watch(
            [folder], self.plan, self.color, self.told.append, clock=lambda: self.now
        )

    def plan(self) -> list[Job]:
        return plan([str(self.folder)], output=None, choice=Choice(empty=True))

    def color(self, jobs: Sequence[Job]) -> None:
        self.colored += [job.source.name for job in jobs if job.source]

    def after(self, seconds: float, *, told: bool = True) -> list[str]:
        """Let time pass and look; return what was colored."""
        self.now += seconds
        before = len(self.colored)
        self.watch.look(told=told)
        return self.colored[before:]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    (tmp_path / "in").mkdir()
    return Desk(tmp_path / "in")


def picture(path: Path, size: int = 20) -> None:
    Image.new("L", (size, size), 90).save(path)


def test_a_picture_is_colored_when_it_has_not_changed_for_a_second(desk: Desk) -> None:
    assert desk.after(0) == []
    picture(desk.folder / "a.png")
    assert desk.after(0.1) == []
    assert desk.after(0.5, told=False) == []
    picture(desk.folder / "a.png", 30)  # still being written
    assert desk.after(0.6) == []
    assert desk.after(0.9) == []
    assert desk.after(0.2, told=False) == ["a.png"]
    assert desk.after(9) == []


def test_what_changes_or_is_renamed_comes_again_and_what_is_deleted_never(desk: Desk) -> None:
    picture(desk.folder / "a.png")
    picture(desk.folder / "b.png")
    desk.after(0)
    assert desk.after(1) == ["a.png", "b.png"]
    picture(desk.folder / "a.png", 40)
    (desk.folder / "b.png").rename(desk.folder / "c.png")
    picture(desk.folder / "d.png")
    desk.after(1)
    (desk.folder / "d.png").unlink()
    assert desk.after(1) == ["a.png", "c.png"]


def test_it_looks_now_and_then_even_if_nothing_is_told(desk: Desk) -> None:
    desk.after(0)
    picture(desk.folder / "a.png")
    assert desk.after(1, told=False) == []
    desk.after(9, told=False)
    assert desk.after(1, told=False) == ["a.png"]


def test_a_folder_that_goes_away_and_comes_back(desk: Desk, tmp_path: Path) -> None:
    picture(desk.folder / "a.png")
    desk.after(0)
    assert desk.after(1) == ["a.png"]
    desk.folder.rename(tmp_path / "away")
    desk.after(1)
    desk.after(1)
    assert len(desk.told) == 2
    (tmp_path / "away").rename(desk.folder)
    picture(desk.folder / "b.png")
    desk.after(1)
    # Its journal says what was done; here everything is handed on again.
    assert desk.after(1) == ["a.png", "b.png"]
    assert desk.told[2] == "the folder is there again"


def test_results_that_cannot_be_written_are_tried_again(desk: Desk) -> None:
    picture(desk.folder / "a.png")
    desk.after(0)

    def refuse(jobs: Sequence[Job]) -> None:
        raise SaveError("The folder out cannot be written.")

    desk.watch.color = refuse
    assert desk.after(1) == []
    assert desk.told[1:] == ["The folder out cannot be written; waiting for it"]
    desk.watch.color = desk.color
    desk.after(1)
    assert desk.after(1) == ["a.png"]


def test_ticks_outlive_a_folder_that_goes_away(tmp_path: Path) -> None:
    pytest.importorskip("watchfiles")
    folder, stop = tmp_path / "in", threading.Event()
    folder.mkdir()
    found = ticks([folder], recursive=False, stop=stop)
    assert next(found)
    shutil.rmtree(folder)
    next(found)
    folder.mkdir()
    deadline = time.monotonic() + 20
    picture(folder / "a.png")
    while not next(found):
        assert time.monotonic() < deadline
    stop.set()
    assert len(list(found)) < 4


def test_where_the_system_watches_no_more_folders_they_are_looked_at_now_and_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    watchfiles = pytest.importorskip("watchfiles")
    waited: list[float] = []

    def refuse(*_: object, **__: object) -> None:
        raise OSError("OS file watch limit reached")

    class Stop(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            waited.append(timeout or 0)
            return self.is_set()

    monkeypatch.setattr(watchfiles, "watch", refuse)
    found = ticks([tmp_path], recursive=False, stop=Stop())
    assert [next(found) for _ in range(4)] == [True] * 4
    assert waited == [1.0] * 3


@pytest.mark.skipif(os.name == "nt", reason="Windows has other signals")
def test_the_command_line_watches(tiny: Bundle, tmp_path: Path) -> None:
    pytest.importorskip("watchfiles")
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    start = (
        "import runpy, signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
        "runpy.run_module('tinct', run_name='__main__')"
    )
    words = [str(folder), "-o", str(out), "--watch", "--model", str(tiny.path), "--threads", "1"]
    process = subprocess.Popen(
        [sys.executable, "-c", start, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    try:
        time.sleep(1)
        for name in ("a.png", "b.png"):
            picture(folder / name)
            deadline = time.monotonic() + 30
            while not (out / name.replace(".", ".color.")).exists():
                assert time.monotonic() < deadline
                assert process.poll() is None
                time.sleep(0.1)
    finally:
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (130, b"tinct: interrupted\n")
