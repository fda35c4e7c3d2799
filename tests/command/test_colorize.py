"""The command that colors: what it prints, writes and leaves with."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from command_line import PROPOSED, Captured, chroma_of, tinct_process
from made_pictures import line_drawing
from tinct.command import cli, terminal
from tinct.settings import QUALITIES
from tiny_models import make_bundle, make_copier


def test_color_one_picture(
    capsys: Captured, gray_jpeg: Path, chosen: list[str], tmp_path: Path
) -> None:
    assert cli.main([str(gray_jpeg), *chosen]) == 0
    assert capsys.readouterr() == ("", "")  # nobody watches
    assert sorted(path.name for path in tmp_path.iterdir()) == ["photo.color.jpg", "photo.jpg"]
    assert np.abs(chroma_of(tmp_path / "photo.color.jpg") - PROPOSED).max() < 2


def test_the_word_colorize_may_be_left_out(gray_jpeg: Path, chosen: list[str]) -> None:
    target = gray_jpeg.with_name("photo.color.jpg")
    assert cli.main(["colorize", str(gray_jpeg), *chosen]) == 0
    first = target.read_bytes()
    assert cli.main([*chosen, "--overwrite", str(gray_jpeg)]) == 0
    assert target.read_bytes() == first


def test_a_picture_named_like_a_command(
    gray_jpeg: Path, chosen: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(gray_jpeg.parent)
    gray_jpeg.rename("models")
    assert cli.main(["./models", *chosen]) == 0
    assert cli.main(["colorize", "models", "--overwrite", *chosen]) == 0
    assert Path("models.color.jpg").exists()


def test_settings_change_the_picture(gray_jpeg: Path, chosen: list[str], tmp_path: Path) -> None:
    def run(*words: str) -> np.ndarray:
        target = tmp_path / "out.png"
        assert cli.main([str(gray_jpeg), "-o", str(target), "--overwrite", *chosen, *words]) == 0
        return chroma_of(target)

    plain = run()
    assert np.abs(run("--strength", "0")).max() < 0.1
    assert np.abs(run("--strength", "0.5") - plain / 2).max() < 2
    greener = run("--hint", "0.5,0.5,1=lab(50 -40 0)")
    assert greener[0] < plain[0] - 20
    for quality in QUALITIES:
        assert np.abs(run("--quality", quality) - plain).max() < 1


def test_never_overwrites(capsys: Captured, gray_jpeg: Path, chosen: list[str]) -> None:
    target = gray_jpeg.with_name("photo.color.jpg")
    target.write_bytes(b"precious")
    assert cli.main([str(gray_jpeg), *chosen]) == 4
    assert "exists already" in capsys.readouterr().err
    assert target.read_bytes() == b"precious"
    assert cli.main([str(gray_jpeg), "--overwrite", *chosen]) == 0
    assert target.read_bytes() != b"precious"


def test_one_broken_picture_of_several(
    capsys: Captured, gray_jpeg: Path, chosen: list[str], tmp_path: Path
) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"\xff\xd8\xff not much of a picture")
    words = [str(broken), str(gray_jpeg), str(tmp_path / "gone.jpg"), "-o", str(tmp_path / "out")]
    assert cli.main([*words, *chosen]) == 8
    out, err = capsys.readouterr()
    assert out == ""
    lines = err.splitlines()
    assert len(lines) == 3
    assert "broken.jpg" in lines[0]
    assert "gone.jpg" in lines[1]
    assert lines[2] == "tinct: 2 of 3 pictures failed, see above"
    left = {path.name for path in (tmp_path / "out").iterdir()}
    assert left == {"photo.color.jpg", "tinct-report.json", ".tinct-journal.sqlite"}


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (["gone.jpg"], 3, "gone.jpg"),
        (["photo.jpg", "--model", "tinyy"], 5, "did you mean 'tiny'?"),
        (["photo.jpg", "--device", "abacus"], 2, "abacus"),
        (["photo.jpg", "-o", "out.gif"], 4, "out.gif"),
        (["photo.jpg", "-o", "photo.jpg/"], 4, "photo.jpg"),
        (["empty.jpg"], 3, "empty.jpg"),
        (["x" * 300], 3, "file name too long"),
        (["photo.jpg", "--model", "x" * 300], 5, "no model"),
        (["photo.jpg", "-o", "x" * 300 + ".png"], 4, "shorter name"),
        (["photo.jpg", "-o", "x" * 300 + "/"], 4, "file name too long"),
    ],
)
def test_one_failure_leaves_with_its_own_code(
    capsys: Captured,
    gray_jpeg: Path,
    chosen: list[str],
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    code: int,
    text: str,
) -> None:
    monkeypatch.chdir(gray_jpeg.parent)
    Path("empty.jpg").write_bytes(b"")
    before = sorted(Path().iterdir())
    assert cli.main([*chosen, *words]) == code
    err = capsys.readouterr().err
    assert text in err
    assert err.count("\n") == 1
    assert sorted(Path().iterdir()) == before


def test_json_lines(capsys: Captured, gray_jpeg: Path, chosen: list[str], tmp_path: Path) -> None:
    Image.new("RGB", (40, 30), (200, 20, 20)).save(tmp_path / "red.png")
    words = [str(gray_jpeg), str(tmp_path / "red.png"), str(tmp_path / "gone.jpg")]
    assert cli.main([*words, "--json", *chosen]) == 8
    first, second, third = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert first.pop("seconds") > 0
    assert first == {
        "input": str(gray_jpeg),
        "output": str(tmp_path / "photo.color.jpg"),
        "size": [48, 32],
        "model": "tiny",
        "skipped": False,
        "warnings": [],
        "error": None,
    }
    assert "its lightness is used" in second["warnings"][0]
    assert (third["output"], third["size"]) == (None, None)
    assert "gone.jpg" in third["error"]


def test_each_picture_gets_the_model_for_its_kind(
    capsys: Captured, gray_jpeg: Path, no_bundles: Path, tmp_path: Path
) -> None:
    make_bundle(no_bundles / "photo", name="photo")
    drawing = tmp_path / "drawing.png"
    Image.fromarray(line_drawing()).save(drawing)
    words = [str(gray_jpeg), str(drawing), "--overwrite", "--force", "--threads", "1"]

    def models_of(*more: str) -> list[tuple[str, int]]:
        assert cli.main([*words, "--json", *more]) == 0
        lines = capsys.readouterr().out.splitlines()
        return [(one["model"], len(one["warnings"])) for one in map(json.loads, lines)]

    assert models_of() == [("photo", 0), ("photo", 1)]
    assert cli.main(words) == 0
    assert "looks like a line drawing" in capsys.readouterr().err
    make_copier(no_bundles / "lineart", name="lineart", task="lineart")
    assert models_of("--save-recipe") == [("photo", 0), ("lineart", 0)]
    made = [json.loads((tmp_path / f"{n}.tinct.json").read_text()) for n in ("photo", "drawing")]
    assert [one["model"]["name"] for one in made] == ["photo", "lineart"]
    with Image.open(tmp_path / "drawing.color.png") as image:
        assert "lineart" in image.getexif()[305]  # the note
    assert models_of("--model", "photo") == [("photo", 0), ("photo", 0)]


def test_flat_colors_and_layers(
    capsys: Captured, gray_jpeg: Path, chosen: list[str], home: Path, tmp_path: Path
) -> None:
    art = make_copier(tmp_path / "art", task="lineart", color=(20, 10)).path
    drawing, ora = tmp_path / "drawing.png", tmp_path / "out.ora"
    Image.fromarray(line_drawing()).save(drawing)
    words = [str(drawing), "--model", str(art), "--layers", str(ora)]
    assert cli.main([*words, "--flat"]) == 0
    with Image.open(tmp_path / "drawing.color.png") as image:
        assert image.size == (256, 256)
    with zipfile.ZipFile(ora) as archive:
        assert {"data/flats.png", "data/shading.png", "data/lines.png"} < set(archive.namelist())
    for more, text in (
        ([*words[:3], "--layers", "x.psd", "--overwrite"], "must end with .ora"),
        ([*words, "--overwrite", str(gray_jpeg)], "one by one"),
        ([str(gray_jpeg), *chosen, "--flat"], "are for drawings"),
    ):
        assert cli.main(more) == 2
        assert text in capsys.readouterr().err
    assert cli.main(words) == 4
    assert "out.ora exists already" in capsys.readouterr().err
    again = [str(gray_jpeg), *chosen, "--layers", str(ora), "--overwrite"]
    assert cli.main(again) == 0
    with zipfile.ZipFile(ora) as archive:
        assert {"data/lightness.png", "data/color.png"} < set(archive.namelist())


def test_a_reference_gives_its_palette(
    capsys: Captured, gray_jpeg: Path, chosen: list[str], tmp_path: Path
) -> None:
    Image.new("RGB", (40, 30), (200, 90, 20)).save(tmp_path / "orange.png")
    words = [str(gray_jpeg), "--reference", str(tmp_path / "orange.png"), *chosen]
    assert cli.main(words) == 0
    a, b = chroma_of(tmp_path / "photo.color.jpg")
    assert 40 < np.degrees(np.arctan2(b, a)) < 75  # scikit-image: the hue of the orange is 59
    assert np.hypot(a, b) > 3 * np.hypot(*PROPOSED)
    first = (tmp_path / "photo.color.jpg").read_bytes()
    assert cli.main([*words, "--overwrite", "--save-recipe"]) == 0
    recipe = tmp_path / "photo.tinct.json"
    assert json.loads(recipe.read_text())["settings"]["reference"].keys() == {"mean", "covariance"}
    capsys.readouterr()
    (tmp_path / "photo.color.jpg").unlink()
    assert (
        cli.main([str(gray_jpeg), "--recipe", str(recipe)]) == 0
    )  # the orange itself is not asked
    assert (tmp_path / "photo.color.jpg").read_bytes() == first
    Image.new("L", (40, 30), 99).save(tmp_path / "orange.png")
    assert cli.main([*words, "--overwrite"]) == 2
    assert "has no colors" in capsys.readouterr().err


def test_a_warning_is_one_line(capsys: Captured, chosen: list[str], tmp_path: Path) -> None:
    Image.new("RGB", (40, 30), (200, 20, 20)).save(tmp_path / "red.png")
    assert cli.main([str(tmp_path / "red.png"), *chosen]) == 0
    err = capsys.readouterr().err
    assert (
        err == f"tinct: {tmp_path / 'red.png'}: "
        "The picture is in color already: its lightness is used\n"
    )


def test_a_person_who_watches_sees_lines_and_a_bar(
    capsys: Captured, gray_jpeg: Path, chosen: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(terminal, "watched", lambda: True)
    assert cli.main([str(gray_jpeg), *chosen]) == 0
    out, err = capsys.readouterr()
    assert out == ""
    assert re.fullmatch(r".*photo\.jpg -> .*photo\.color\.jpg  \(48 x 32, tiny, \d+\.\d s\)\n", err)
    other = gray_jpeg.with_name("other.jpg")
    other.write_bytes(gray_jpeg.read_bytes())
    assert cli.main([str(gray_jpeg), str(other), "--overwrite", *chosen]) == 0
    out, err = capsys.readouterr()
    assert out == ""
    assert "other.color.jpg" in err


def test_pipes(gray_jpeg: Path, home: Path) -> None:
    words = ["-", "--model", home / "models" / "tiny", "--threads", "1"]
    done = tinct_process(*words, input=gray_jpeg.read_bytes())
    assert (done.returncode, done.stderr) == (0, b"")
    with Image.open(io.BytesIO(done.stdout)) as image:
        assert (image.format, image.size) == ("JPEG", (48, 32))
    assert np.abs(chroma_of(io.BytesIO(done.stdout)) - PROPOSED).max() < 2
    done = tinct_process(*words, "--format", "png", input=gray_jpeg.read_bytes())
    assert done.stdout.startswith(b"\x89PNG")
    done = tinct_process(*words, input=b"")
    assert (done.returncode, done.stdout) == (3, b"")
    assert b"stdin is empty" in done.stderr
    done = tinct_process(gray_jpeg, "-o", "-", *words[1:])
    assert done.stdout.startswith(b"\xff\xd8")


def test_a_picture_does_not_fill_a_terminal(
    capsys: Captured, gray_jpeg: Path, chosen: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert cli.main([str(gray_jpeg), "-o", "-", *chosen]) == 2
    assert "fill the terminal" in capsys.readouterr().err


def test_ctrl_c_leaves_with_130_and_no_half_file(
    capsys: Captured,
    gray_jpeg: Path,
    chosen: list[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    from tinct.photo import encode

    def interrupted(*_: object, path: Path | None = None, **__: object) -> bytes:
        assert path is not None
        path.write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(encode, "encode", interrupted)
    assert cli.main([str(gray_jpeg), *chosen, "--keep", "lightness"]) == 130
    assert capsys.readouterr().err == "tinct: interrupted\n"
    assert [path.name for path in tmp_path.iterdir()] == ["photo.jpg"]


@pytest.mark.skipif(os.name == "nt", reason="Windows has other signals")
def test_ctrl_c_on_a_real_process(home: Path) -> None:
    # A job that a script put into the background ignores SIGINT, and so would its children.
    start = (
        "import runpy, signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
        "runpy.run_module('tinct', run_name='__main__')"
    )
    command = [sys.executable, "-c", start, "-", "--model", str(home / "models" / "tiny")]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stderr is not None
    with pytest.raises(subprocess.TimeoutExpired):  # it waits for its picture
        process.wait(timeout=3)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (130, b"")
    assert err == b"tinct: interrupted\n"


@pytest.mark.skipif(os.name == "nt", reason="Windows has other pipes")
def test_a_reader_that_goes_away() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "tinct", "--help"]
    try:
        done = subprocess.run(
            command, stdout=writing, stderr=subprocess.PIPE, timeout=60, check=False
        )
    finally:
        os.close(writing)
    assert (done.returncode, done.stderr) == (141, b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs the device that is always full")
@pytest.mark.parametrize("words", [["--help"], ["colorize", "--help"], ["-"]])
def test_a_full_disk_behind_stdout(words: list[str], gray_jpeg: Path, home: Path) -> None:
    if words == ["-"]:
        words = ["-", "--threads", "1", "--model", str(home / "models" / "tiny")]
    with Path("/dev/full").open("wb") as full, gray_jpeg.open("rb") as picture:
        done = subprocess.run(
            [sys.executable, "-m", "tinct", *words],
            stdin=picture,
            stdout=full,
            stderr=subprocess.PIPE,
            timeout=60,
            check=False,
        )
    assert done.returncode == 4
    assert done.stderr.count(b"\n") == 1
    assert b"no space left on device" in done.stderr


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (PermissionError(13, "Permission denied", "/x"), 4, "/x cannot be used"),
        (MemoryError(), 6, "not enough memory"),
    ],
)
def test_failures_of_the_system_are_one_sentence(
    capsys: Captured, monkeypatch: pytest.MonkeyPatch, error: Exception, code: int, text: str
) -> None:
    def fail(_: object) -> int:
        raise error

    monkeypatch.setattr("tinct.command.commands.doctor", fail)
    assert cli.main(["doctor"]) == code
    err = capsys.readouterr().err
    assert text in err
    assert err.count("\n") == 1


def test_odd_file_names_survive_json(capsys: Captured) -> None:
    terminal.write_json({"input": "\udce9t\u00e9.jpg"})
    out = capsys.readouterr().out
    assert out.isascii()
    assert json.loads(out) == {"input": "\udce9t\u00e9.jpg"}


def test_names_that_begin_with_a_dash(
    gray_jpeg: Path, chosen: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(gray_jpeg.parent)
    gray_jpeg.rename(gray_jpeg.with_name("-dash.jpg"))
    assert cli.main([*chosen, "--", "-dash.jpg"]) == 0
    assert Path("-dash.color.jpg").is_file()
    assert cli.main(["--"]) == 2


def test_the_same_command_again_skips_what_is_done(
    capsys: Captured,
    gray_jpeg: Path,
    chosen: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out = tmp_path / "out"
    words = [str(gray_jpeg.parent), "-o", str(out), *chosen]
    for _ in range(2):
        assert cli.main([*words, "--json"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["skipped"] for line in lines] == [False, True]
    assert lines[0]["output"] == lines[1]["output"] == str(out / "photo.color.jpg")
    monkeypatch.setattr(terminal, "watched", lambda: True)
    shutil.copy(gray_jpeg, gray_jpeg.with_name("other.jpg"))
    assert cli.main(words) == 0
    assert re.search(r"2 pictures: 1 colored, .*; 1 done already", capsys.readouterr().err)
    assert cli.main([*words, "--force"]) == 0
    assert "done already" not in capsys.readouterr().err


def test_the_journal_is_shown(
    capsys: Captured, gray_jpeg: Path, chosen: list[str], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    (tmp_path / "broken.jpg").write_bytes(b"broken")
    assert cli.main([str(tmp_path), "-o", str(out), *chosen]) == 8
    capsys.readouterr()
    assert cli.main(["jobs", str(out)]) == 0
    shown = capsys.readouterr().out
    assert "photo.color.jpg" in shown
    assert "1 result, 1 failed the last time" in shown
    assert "broken.jpg" in shown.splitlines()[-1]
    assert cli.main(["jobs", str(out), "--json"]) == 0
    (line,) = map(json.loads, capsys.readouterr().out.splitlines())
    assert (line["state"], line["model"], len(line["source_hash"])) == ("here", "tiny", 64)
    assert cli.main(["jobs", str(tmp_path)]) == 2
