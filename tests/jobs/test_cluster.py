"""A real Ray on this machine: all pictures once, past failures and a killed worker."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from command_line import Captured
from tinct.bundle import Bundle
from tinct.command import cli
from tinct.errors import MissingExtraError, UsageError
from tinct.jobs import cluster
from tinct.jobs.cluster import Crew, color_cluster, place_of

ray = pytest.importorskip("ray")
pytest.importorskip("ray.data")
PICTURES = 24


@pytest.fixture(scope="module")
def running() -> Iterator[None]:
    """A Ray with two cores."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")
        source = Path(__file__).parents[2]
        paths = [str(source / "src"), str(source), str(source / "tests")]
        patch.setenv("PYTHONPATH", os.pathsep.join([*paths, os.environ.get("PYTHONPATH", "")]))
        ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="error")
        yield
        ray.shutdown()


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    folder = tmp_path / "scans"
    (folder / "deep").mkdir(parents=True)
    noise = np.random.default_rng(2)
    for number in range(PICTURES):
        pixels = noise.integers(0, 255, (60, 80), np.uint8)
        inside = "deep" if number % 2 else "."
        Image.fromarray(pixels).save(folder / inside / f"{number:03}.png")
    (folder / "deep" / "bad.jpg").write_bytes(b"not a picture")
    (folder / "notes.txt").write_text("not a picture either")
    return folder


def names(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*.color.*")}


@pytest.mark.filterwarnings("ignore")
def test_the_same_job_on_a_cluster(
    running: None, scans: Path, tiny: Bundle, tmp_path: Path, capsys: Captured
) -> None:
    out, crew = tmp_path / "out", Crew(workers=2)
    model = str(tiny.path)
    done = color_cluster(str(scans), str(out), model=model, crew=crew)
    assert (done.colored, done.skipped, done.failed) == (PICTURES, 0, 1)
    assert "bad.jpg" in done.failures[0]
    assert names(out) == {
        f"{'deep/' if number % 2 else ''}{number:03}.color.png" for number in range(PICTURES)
    }
    assert not list(out.rglob("*.part"))
    # It is what the command line makes of them.
    assert cli.main([str(scans / "000.png"), "-o", str(tmp_path / "x.png"), "--model", model]) == 0
    assert (out / "000.color.png").read_bytes() == (tmp_path / "x.png").read_bytes()
    (out / "deep" / "001.color.png").unlink()
    Image.new("L", (60, 80), 9).save(scans / "002.png")
    (scans / "deep" / "bad.jpg").unlink()
    again = color_cluster(str(scans), str(out), model=model, crew=crew)
    assert (again.colored, again.skipped, again.failed) == (2, PICTURES - 2, 0)
    capsys.readouterr()
    words = ["cluster", f"file://{scans}", str(out), "--model", model, "--strength", "0.5"]
    assert cli.main([*words, "--workers", "2", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)  # other settings: nothing is done yet
    assert (told["colored"], told["skipped"]) == (PICTURES, 0)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.skipif(not Path("/proc").is_dir(), reason="workers are found in /proc")
def test_a_worker_is_killed(running: None, scans: Path, tiny: Bundle, tmp_path: Path) -> None:
    out, killed = tmp_path / "out", []

    def kill() -> None:
        while not killed:
            if len(list(out.rglob("*.color.png"))) > 3:
                for path in Path("/proc").glob("[0-9]*/cmdline"):
                    try:
                        title = path.read_bytes()
                    except OSError:
                        continue
                    if b"ray::MapWorker(MapBatches(Painter))" in title:
                        os.kill(int(path.parent.name), signal.SIGKILL)
                        killed.append(title)
                        return
            time.sleep(0.005)

    thread = threading.Thread(target=kill, daemon=True)
    thread.start()
    done = color_cluster(str(scans), str(out), model=str(tiny.path), crew=Crew(workers=2))
    assert killed
    thread.join(timeout=10)
    assert (done.colored, done.failed) == (PICTURES, 1)
    assert len(names(out)) == PICTURES


def test_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = place_of(str(tmp_path))
    place.write("deep/a.txt", b"one")
    place.write("deep/a.txt", b"other")
    assert place.read("deep/a.txt") == b"other"
    assert set(place.files()) == {"deep/a.txt"}
    assert place_of(f"file://{tmp_path}").folder == place.folder
    with pytest.raises(UsageError, match="cannot be reached"):
        place_of("nosuch://bucket/folder")
    with pytest.raises(UsageError, match="holds no pictures"):
        color_cluster(str(tmp_path), str(tmp_path / "out"), model="photo")
    monkeypatch.setitem(__import__("sys").modules, "ray", None)
    with pytest.raises(MissingExtraError, match=r"tinct\[ray\]"):
        cluster.ray()
