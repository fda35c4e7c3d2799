"""What is done is known by content and settings; nothing that is not ours is taken for ours."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tests.jobs.test_batch import Painter

from tinct.errors import PictureError, SaveError, TinctError, UsageError
from tinct.jobs import batch, journal
from tinct.jobs.ledger import Ledger
from tinct.jobs.paths import plan
from tinct.jobs.report import write_reports
from tinct.jobs.survey import survey
from tinct.settings import Settings

OUT = "out"


class Kinds(list[batch.Result]):
    """Results of one run."""

    @property
    def told(self) -> str:
        """One letter for each: colored, skipped, failed."""
        return "".join("f" if one.error else "s" if one.skipped else "c" for one in self)


def run(*inputs: Path, out: Path, settings: Settings | None = None, **outputs: Any) -> Kinds:
    front, jobs = outputs.pop("front", Painter()), plan(list(map(str, inputs)), output=str(out))
    settings, wanted = settings or Settings(), batch.Outputs(**outputs)
    with Ledger(jobs, settings=settings, outputs=wanted, model=front.sha256) as ledger:
        found = batch.color_all(
            jobs, colorizer=front, settings=settings, outputs=wanted, ledger=ledger
        )
        results = Kinds(found)
        write_reports(ledger.journals, results)
    return results


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / OUT


def test_the_same_command_again_does_nothing(album: Path, out: Path) -> None:
    assert run(album, out=out).told == "cc"
    before = {path: path.stat().st_mtime_ns for path in out.glob("*.color.*")}
    again = run(album, out=out)
    assert again.told == "ss"
    assert [(one.size, one.model) for one in again] == [((40, 30), "painter")] * 2
    assert again[0].target == out / "a.color.PNG"
    assert again[0].as_dict()["skipped"] is True
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_only_what_is_new_is_done(album: Path, out: Path) -> None:
    run(album, out=out)
    shutil.copy(album / "b.jpg", album / "c.jpg")
    (out / "a.color.PNG").unlink()
    assert run(album, out=out).told == "csc"


def test_other_settings_another_model_and_force_color_again(album: Path, out: Path) -> None:
    run(album, out=out)
    assert run(album, out=out, settings=Settings(strength=0.5)).told == "cc"
    assert run(album, out=out, settings=Settings(strength=0.5)).told == "ss"
    front = Painter()
    front.sha256 = "1" * 64
    assert run(album, out=out, settings=Settings(strength=0.5), front=front).told == "cc"
    assert run(album, out=out, front=front).told == "cc"
    assert run(album, out=out, front=front, force=True).told == "cc"


def test_content_counts_and_not_time_or_place(album: Path, out: Path, tmp_path: Path) -> None:
    run(album, out=out)
    os.utime(album / "b.jpg", (1, 1))
    assert run(album, out=out).told == "ss"
    moved = album.rename(tmp_path / "moved")
    assert run(moved, out=out).told == "ss"
    Image.new("L", (40, 30), 9).save(moved / "b.jpg")
    assert run(moved, out=out).told == "sc"


def test_a_finished_folder_is_not_read_again(
    album: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(album, out=out)
    monkeypatch.setattr(journal, "hash_file", lambda path: pytest.fail("nothing has changed"))
    assert run(album, out=out).told == "ss"


def test_what_is_not_ours_is_never_replaced(album: Path, out: Path) -> None:
    out.mkdir()
    (out / "b.color.jpg").write_bytes(b"precious")
    results = run(album, out=out)
    assert results.told == "cf"
    assert isinstance(results[1].error, SaveError)
    assert "--overwrite" in str(results[1].error)
    assert run(album, out=out).told == "sf"
    assert (out / "b.color.jpg").read_bytes() == b"precious"
    assert run(album, out=out, overwrite=True).told == "sc"
    assert run(album, out=out).told == "ss"


def test_a_result_that_somebody_retouched_is_kept(album: Path, out: Path) -> None:
    run(album, out=out)
    (out / "b.color.jpg").write_bytes(b"retouched")
    for more in ({}, {"force": True}, {"settings": Settings(strength=0.2)}):
        assert run(album, out=out, **more)[1].error is not None
    assert (out / "b.color.jpg").read_bytes() == b"retouched"
    assert [one.state for one in survey(out).lines] == ["here", "changed"]


def test_another_picture_of_the_same_name_replaces_nothing(
    album: Path, out: Path, tmp_path: Path
) -> None:
    run(album, out=out)
    other = tmp_path / "other"
    other.mkdir()
    Image.new("L", (40, 30), 99).save(other / "b.jpg")
    assert run(other, out=out).told == "f"


def killed(monkeypatch: pytest.MonkeyPatch, album: Path, out: Path, **more: Any) -> None:
    """Stop a run after its first picture's line is written, before the result has its name."""
    write = journal.Journal.write

    def stop(self: journal.Journal, line: journal.Line) -> None:
        write(self, line)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(journal.Journal, "write", stop)
        with pytest.raises(KeyboardInterrupt):
            run(album, out=out, **more)


def test_killed_between_line_and_name(
    album: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed(monkeypatch, album, out)
    assert not list(out.glob("*.color.*"))
    assert run(album, out=out).told == "cc"
    for strength in (0.5, 0.6):  # the result of ours that should be replaced stays known as ours
        killed(monkeypatch, album, out, settings=Settings(strength=strength))
    assert run(album, out=out, settings=Settings(strength=0.7)).told == "cc"
    assert [one.state for one in survey(out).lines] == ["here", "here"]


def test_a_picture_that_grows_while_it_is_colored(album: Path, out: Path) -> None:
    class Slow(Painter):
        def render(self, gray: np.ndarray, settings: Settings | None = None) -> np.ndarray:
            with (album / "b.jpg").open("ab") as file:
                file.write(b"more")
            return super().render(gray, settings)

    (album / "a.PNG").unlink()
    (result,) = run(album, out=out, front=Slow())
    assert isinstance(result.error, PictureError)
    assert "changed while it was colored" in str(result.error)
    assert not list(out.glob("*.color.*"))
    assert run(album, out=out).told == "c"


def test_a_picture_that_vanishes(album: Path, out: Path) -> None:
    class Thief(Painter):
        def render(self, gray: np.ndarray, settings: Settings | None = None) -> np.ndarray:
            (album / "b.jpg").unlink(missing_ok=True)
            return super().render(gray, settings)

    assert run(album, out=out, front=Thief()).told == "cf"


def test_another_job_was_faster(album: Path, out: Path) -> None:
    class Hurried(Painter):
        def render(self, gray: np.ndarray, settings: Settings | None = None) -> np.ndarray:
            if not self.calls:
                assert run(album, out=out).told == "cc"
            return super().render(gray, settings)

    assert run(album, out=out, front=Hurried()).told == "ss"
    assert run(album, out=out).told == "ss"


def test_pages_and_names_without_ending(album: Path, out: Path) -> None:
    (album / "a.PNG").unlink()
    (album / "b.jpg").rename(album / "b")
    first = Image.new("L", (20, 20), 40)
    first.save(album / "c.tif", save_all=True, append_images=[Image.new("L", (24, 20), 90)])
    inputs = [album / "b", album / "c.tif"]
    assert run(*inputs, out=out, all_pages=True).told == "ccc"
    again = run(*inputs, out=out, all_pages=True)
    assert again.told == "sss"
    names = [one.target.name for one in again if one.target]
    assert names == ["b.color.jpg", "c.color.page1.tif", "c.color.page2.tif"]


def test_a_report_lists_what_failed(album: Path, out: Path) -> None:
    (album / "aa.jpg").write_bytes(b"\xff\xd8\xff broken")
    assert run(album, out=out).told == "cfc"
    held = json.loads((out / "tinct-report.json").read_text())
    assert (held["schema"], held["colored"], held["failed"]) == ("tinct.report/1", 2, 1)
    assert held["failures"][0]["input"] == str(album / "aa.jpg")
    assert survey(out).summary() == "2 results, 1 failed the last time"
    (album / "aa.jpg").unlink()
    assert run(album, out=out).told == "ss"
    assert not (out / "tinct-report.json").exists()


def test_results_beside_the_pictures(album: Path) -> None:
    (album / "b.color.jpg").unlink()
    jobs = plan([str(album)], output=None)
    assert {job.root for job in jobs} == {album}
    assert {job.root for job in plan([str(album / "b.jpg")], output=None)} == {None}
    single = plan([str(album / "b.jpg")], output=f"{album}/{OUT}/")
    assert {job.root for job in single} == {album / OUT}


def test_names_that_are_no_text(out: Path) -> None:
    name = os.fsdecode(b"odd\xff.jpg")
    numbers = dict.fromkeys(("source_size", "source_time", "result_size", "result_time"), 1)
    texts = dict.fromkeys(("source", "source_hash", "settings_hash", "model_hash"), name)
    line = journal.Line(name=name, result=name, result_hash="0", **numbers, **texts)  # type: ignore[arg-type]
    held = journal.Journal(out)
    held.write(line)
    assert held.find(out / name) == line
    assert held.find(out / "other.jpg") is None
    held.forget(out / name)
    assert not list(held.lines())
    held.close()


def test_a_journal_that_cannot_be_used(album: Path, out: Path) -> None:
    out.write_text("a file")
    with pytest.raises(TinctError):
        run(album, out=out)
    out.unlink()
    out.mkdir()
    (out / journal.NAME).write_bytes(b"no database at all, but long enough to be looked at" * 20)
    with pytest.raises(SaveError, match="remove the journal"):
        run(album, out=out)
    (out / journal.NAME).unlink()
    base = sqlite3.connect(out / journal.NAME)
    base.execute("PRAGMA user_version = 99")
    base.close()
    with pytest.raises(SaveError, match="another version of tinct"):
        run(album, out=out)
    with pytest.raises(UsageError, match="holds no journal"):
        survey(album)


def test_settings_are_told_apart() -> None:
    plain = journal.hash_settings(Settings())
    assert plain == journal.hash_settings(Settings())
    others = [
        Settings(hints=("0.5,0.5=red",)),  # type: ignore[arg-type]
        Settings(strength=0.9),
        Settings(quality="fast"),
        Settings(flat=True),
        Settings(reference=np.random.default_rng(1).integers(0, 255, (8, 8, 3), np.uint8)),
    ]
    assert len({plain, *map(journal.hash_settings, others)}) == len(others) + 1
    assert journal.hash_settings(Settings(), file_format="png") != plain
