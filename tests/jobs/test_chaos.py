"""Kills, full disks, locked folders, two jobs at once: the end is that of an undisturbed run.

All of it with real processes and a model small enough to start in no time.
"""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tinct.bundle import Bundle
from tinct.jobs.survey import survey

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has other signals")
PICTURES = 24
Start = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture(scope="module")
def album(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tree of small pictures, one of them damaged."""
    folder = tmp_path_factory.mktemp("album")
    noise = np.random.default_rng(5)
    for number in range(PICTURES):
        inside = folder / f"{number % 3}"
        inside.mkdir(exist_ok=True)
        pixels = noise.integers(0, 255, (60 + number, 90), np.uint8)
        Image.fromarray(pixels).save(inside / f"{number:02}.{'png' if number % 2 else 'jpg'}")
    (folder / "0" / "bad.jpg").write_bytes(b"\xff\xd8\xff not a picture")
    return folder


@pytest.fixture
def start(tiny: Bundle) -> Start:
    """Starts tinct on a folder."""

    def started(album: Path, out: Path, *more: str) -> subprocess.Popen[bytes]:
        words = ["--recursive", "--model", str(tiny.path), "--threads", "2", *more]
        return subprocess.Popen(
            [sys.executable, "-m", "tinct", str(album), "-o", str(out), *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    return started


@pytest.fixture(scope="module")
def undisturbed(
    album: Path, tiny: Bundle, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, bytes]:
    """What a run without trouble leaves."""
    out = tmp_path_factory.mktemp("undisturbed") / "out"
    words = ["--recursive", "--model", str(tiny.path), "--threads", "1"]
    command = [sys.executable, "-m", "tinct", str(album), "-o", str(out), *words]
    assert subprocess.run(command, capture_output=True, timeout=120, check=False).returncode == 8
    return contents(out)


def contents(out: Path) -> dict[str, bytes]:
    """Return all files but the journal; of the report, what failed.

    Not the library's own words in brackets: libvips has one buffer of errors for all threads, so
    that a thread may find it emptied by another.
    """
    found = {}
    for path in sorted(out.rglob("*")):
        if path.is_file() and not path.name.startswith(".tinct-journal"):
            found[path.relative_to(out).as_posix()] = path.read_bytes()
    report = json.loads(found["tinct-report.json"])
    found["tinct-report.json"] = re.sub(r"\([^)]*\)", "()", json.dumps(report["failures"])).encode()
    return found


def finish(process: subprocess.Popen[bytes], *, code: int = 8) -> str:
    _, err = process.communicate(timeout=120)
    assert process.returncode == code, err
    return err.decode()


def test_twenty_kills(
    album: Path, tmp_path: Path, start: Start, undisturbed: dict[str, bytes]
) -> None:
    out, chance = tmp_path / "out", random.Random(13)
    seen = []
    for _ in range(20):
        process = start(album, out)
        wanted = len(list(out.rglob("*.color.*"))) + chance.randrange(8)
        try:
            began = time.monotonic()
            while process.poll() is None and time.monotonic() - began < 30:
                if len(list(out.rglob("*.color.*"))) >= wanted and list(out.rglob("*.part")):
                    break
                time.sleep(0.001)
            time.sleep(chance.uniform(0, 0.02))
        finally:
            process.send_signal(signal.SIGKILL)
            process.communicate(timeout=30)
        for path in out.rglob("*.color.*"):
            name = path.relative_to(out).as_posix()
            assert path.read_bytes() == undisturbed[name], "an output is either whole or absent"
        seen.append(len(list(out.rglob("*.color.*"))))
        for path in chance.sample(sorted(out.rglob("*.color.*")), seen[-1] // 2):
            path.unlink()  # so that there is work left for twenty kills
    assert len(set(seen)) > 3, f"the kills did not come at different times: {seen}"
    finish(start(album, out))
    assert contents(out) == undisturbed
    assert {one.state for one in survey(out).lines} == {"here"}
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*.color.*")}
    finish(start(album, out))
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_two_jobs_on_one_folder(
    album: Path, tmp_path: Path, start: Start, undisturbed: dict[str, bytes]
) -> None:
    out = tmp_path / "out"
    for process in [start(album, out), start(album, out)]:
        assert finish(process).count("\n") == 2  # the damaged one, and the count
    assert contents(out) == undisturbed
    assert {one.state for one in survey(out).lines} == {"here"}


def test_a_limit_on_files_then_none(
    album: Path, tmp_path: Path, tiny: Bundle, start: Start, undisturbed: dict[str, bytes]
) -> None:
    """Writing fails in the middle of files, as on a full disk."""
    out = tmp_path / "out"
    out.mkdir()
    words = ["--recursive", "--model", str(tiny.path), "--threads", "2", "--json"]
    limit = sorted(map(len, undisturbed.values()))[len(undisturbed) // 2]

    resource = pytest.importorskip("resource")

    def limited() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    command = [sys.executable, "-m", "tinct", str(album), "-o", str(out), *words]
    done = subprocess.run(
        command, capture_output=True, timeout=120, check=False, preexec_fn=limited
    )
    assert done.returncode in (4, 8)
    for path in out.rglob("*.color.*"):
        assert path.read_bytes() == undisturbed[path.relative_to(out).as_posix()]
    assert not list(out.rglob("*.part"))
    finish(start(album, out))
    assert contents(out) == undisturbed


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of its own in memory."""
    folder = tmp_path / "disk"
    folder.mkdir()
    try:
        command = ["mount", "-t", "tmpfs", "tmpfs", str(folder)]
        done = subprocess.run(command, capture_output=True, check=False)
    except OSError:
        pytest.skip("there is no mount here")
    if done.returncode:
        pytest.skip("a small disk cannot be mounted here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def remount(disk: Path, how: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{how}", str(disk)], capture_output=True, check=True)


def test_a_disk_that_is_full(
    album: Path, disk: Path, start: Start, undisturbed: dict[str, bytes]
) -> None:
    remount(disk, f"size={sum(map(len, undisturbed.values())) // 2}")
    out = disk / "out"
    told = finish(start(album, out))
    assert "no space left on device" in told
    assert "free some space" in told
    for path in out.rglob("*.color.*"):
        assert path.read_bytes() == undisturbed[path.relative_to(out).as_posix()]
    assert not list(out.rglob("*.part"))
    remount(disk, "size=64m")
    finish(start(album, out))
    assert contents(out) == undisturbed


def test_a_disk_that_may_not_be_written(
    album: Path, disk: Path, start: Start, undisturbed: dict[str, bytes]
) -> None:
    out = disk / "out"
    for made in (False, True):
        if made:
            finish(start(album, out))
        remount(disk, "ro")
        told = finish(start(album, out, "--force"), code=4)
        assert "read-only file system; choose another folder" in told
        assert told.count("\n") == 1
        remount(disk, "rw")
    assert contents(out) == undisturbed


def test_a_target_that_is_a_file(album: Path, tmp_path: Path, start: Start) -> None:
    file = tmp_path / "out"
    file.write_text("not a folder")
    finish(start(album, file), code=2)
    assert file.read_text() == "not a folder"


def test_pictures_that_come_go_and_grow(tmp_path: Path, start: Start) -> None:
    album, out = tmp_path / "album", tmp_path / "out"
    album.mkdir()
    whole = {}
    for number in range(12):
        path = album / f"{number:02}.png"
        Image.new("L", (300, 200), number * 9 + 40).save(path)
        whole[path] = path.read_bytes()
    process = start(album, out)
    for path in list(whole)[4:8]:
        path.write_bytes(whole[path][:90])  # as if it were being copied here
    for path in list(whole)[8:]:
        path.unlink()
    process.communicate(timeout=120)
    for path, data in whole.items():
        path.write_bytes(data)
    finish(start(album, out), code=0)
    assert len(list(out.glob("*.color.png"))) == 12
    assert not (out / "tinct-report.json").exists()
    straight = tmp_path / "straight"
    finish(start(album, straight), code=0)
    for path in straight.glob("*.color.png"):
        assert (out / path.name).read_bytes() == path.read_bytes()
