"""The command line: what it accepts, prints, writes and leaves with."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import types
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import tinct.train
from made_pictures import line_drawing
from tinct import errors
from tinct.command import cli, commands, options, terminal
from tiny_models import A, B, make_bundle, make_copier

# Every option of every command; whoever changes the command line changes this list knowingly.
OPTIONS = {
    "colorize": "-h --help -o --output --overwrite --format --strength --hint --hints --reference "
    "--recipe --save-recipe --flat --layers --all-pages --json --model --quality --device "
    "--threads",
    "models": "-h --help --json",
    "doctor": "-h --help --json",
    "evaluate": "-h --help --hints --limit --json --html --model --quality --device --threads",
    "train": "-h --help --list --data --out --size --set --resume --from --new",
    "export": "-h --help -o --output --name --set --overwrite",
    "report": "-h --help --data --show --limit --json --html --markdown --pictures",
}

LIGHTNESS = 80
PROPOSED = (A[0] * LIGHTNESS + A[1], B[0] * LIGHTNESS + B[1])  # a*, b* of the model "tiny"

Captured = pytest.CaptureFixture[str]


@pytest.fixture
def gray_jpeg(tmp_path: Path) -> Path:
    """A JPEG of 48 x 32 pixels, all of the gray whose lightness is LIGHTNESS."""
    path = tmp_path / "photo.jpg"
    Image.new("L", (48, 32), 198).save(path)
    return path


def tinct_process(*words: str | Path, **more: object) -> subprocess.CompletedProcess[bytes]:
    """Run ``python -m tinct`` as a process of its own."""
    command = [sys.executable, "-m", "tinct", *map(str, words)]
    return subprocess.run(command, capture_output=True, timeout=60, check=False, **more)  # type: ignore[call-overload,no-any-return]


# ------------------------------------------------------------------------------- what it accepts


def test_options_are_frozen() -> None:
    found = {name: " ".join(parser().names) for name, parser in options.PARSERS.items()}
    assert found == OPTIONS


def test_every_command_has_a_line_of_help_and_a_parser() -> None:
    assert list(options.COMMANDS) == list(options.PARSERS) == list(cli.COMMANDS)


def test_version(capsys: Captured) -> None:
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out == f"tinct {tinct.__version__}\n"


@pytest.mark.parametrize("word", ["-h", "--help", "help"])
def test_help(capsys: Captured, word: str) -> None:
    assert cli.main([word]) == 0
    out = capsys.readouterr().out
    assert all(name in out for name in options.COMMANDS)
    assert "tinct photo.jpg" in out
    assert max(map(len, out.splitlines())) <= 100


def test_without_words_it_helps_and_fails(capsys: Captured) -> None:
    assert cli.main([]) == 2
    assert "usage" in capsys.readouterr().out


@pytest.mark.parametrize("command", options.COMMANDS)
def test_help_of_commands(capsys: Captured, command: str) -> None:
    assert cli.main([command, "--help"]) == 0
    assert f"usage: tinct {command}" in capsys.readouterr().out


def test_exit_codes_are_those_of_the_errors_everywhere() -> None:
    codes = options.exit_codes()
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    assert {kind.exit_code for kind in kinds} | {0, 130, 141} == set(codes)
    guide = Path(__file__).parents[2] / "docs" / "guide.md"
    listed = re.findall(r"^\| (\d+) \| (.+) \|$", guide.read_text("utf-8"), re.MULTILINE)
    assert {int(code): meaning for code, meaning in listed} == codes
    assert [f"  {code:<4} {meaning}" for code, meaning in codes.items()] == (
        options.main_help().split("exit codes:\n")[1].splitlines()
    )


@pytest.mark.parametrize("words", [["--version"], ["--help"], ["colorize", "--help"]])
def test_short_answers_import_nothing_heavy(words: list[str]) -> None:
    command = [sys.executable, "-X", "importtime", "-m", "tinct", *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    imported = {line.rsplit("|", 1)[-1].strip() for line in done.stderr.splitlines()}
    assert "tinct.command.cli" in imported
    heavy = {"numpy", "onnxruntime", "pyvips", "PIL", "rich", "torch", "asyncio", "email"}
    assert not heavy & imported


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["modles"], "did you mean models?"),
        (["doctr"], "did you mean doctor?"),
        (["x.jpg", "--qualty", "best"], "--qualty is not known here; did you mean --quality?"),
        (["x.jpg", "--overwrit"], "did you mean --overwrite?"),
        (["x.jpg", "--quality", "bset"], "did you mean best?"),
        (["x.jpg", "--format", "jpge"], "did you mean jpeg?"),
        (["x.jpg", "--format", "pdf"], "'pdf' is none of jpeg, png"),
        (["x.jpg", "--strength", "1.6"], "'1.6' is not a number from 0 to 1.5"),
        (["x.jpg", "--strength", "-1"], "'-1' is not a number from 0 to 1.5"),
        (["x.jpg", "--strength", "nan"], "'nan' is not a number from 0 to 1.5"),
        (["x.jpg", "--threads", "0"], "'0' is not a whole number of at least 1"),
        (["x.jpg", "--hint", "nonsense"], "nonsense"),
        (["x.jpg", "--output"], "--output: expected one argument"),
        (["colorize"], "PICTURE"),
        (["evaluate"], "FOLDER"),
        (["train"], "tinct train --list"),
        (["train", "flagship-photo"], "--data FOLDER and --out RUN"),
        (["train", "flagship-photo", "--set", "x"], "'x' is not NAME=VALUE"),
        (["export", "run"], "-o/--output"),
        (["report", "--data", "x"], "RUN|NAME|PATH"),
        (["report", "photo"], "--data FOLDER"),
        (["report", "photo", "--data", "x", "--pictures", "y"], "--markdown FILE"),
        (["a.jpg", "b.jpg", "-o", "-"], "cannot all go to stdout"),
        (["a.jpg", "-o", "-", "--json"], "cannot both go to stdout"),
        (["a.jpg", "-o", "a.jpg"], "would replace an input"),
    ],
)
def test_mistakes_are_one_sentence_with_the_remedy(
    capsys: Captured, words: list[str], text: str
) -> None:
    assert cli.main(words) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("tinct: ")
    assert text in err
    assert err.count("\n") == 1


def test_a_missing_extra_says_how_to_get_it(
    capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commands, "find_spec", lambda name: None if name == "torch" else object())
    words = ["train", "flagship-photo", "--data", "x", "--out", "y"]
    for command in (words, ["export", "x", "-o", "y"], ["report", "x", "--data", "y"]):
        assert cli.main(command) == 7
        err = capsys.readouterr().err
        assert "needs torch" in err
        assert "pip install 'tinct[train]'" in err


def test_recipes_are_listed(capsys: Captured) -> None:
    assert cli.main(["train", "--list"]) == 0
    assert "flagship-photo" in capsys.readouterr().out


@pytest.fixture
def make_wing(monkeypatch: pytest.MonkeyPatch) -> list[tuple[tuple[Any, ...], dict[str, Any]]]:
    """Calls of the make wing's doors, which do nothing: torch is not needed here."""
    calls: list[tuple[tuple[Any, ...], dict[str, Any]]] = []

    def door(*values: Any, **more: Any) -> Path:
        calls.append((values, more))
        return Path("bundle")

    monkeypatch.setattr(commands, "find_spec", lambda _: object())
    for name in ("train", "export"):
        room = types.SimpleNamespace(**{name: door})
        room_name = {"train": "trainer", "export": "export"}[name]
        monkeypatch.setitem(sys.modules, f"tinct.train.{room_name}", room)
        monkeypatch.setattr(tinct.train, room_name, room, raising=False)
    return calls


def test_training_gets_what_was_asked(make_wing: list[Any], tmp_path: Path) -> None:
    words = ["train", "flagship-photo", "--data", "a", "--data", "b=2", "--out", str(tmp_path)]
    assert cli.main([*words, "--size", "nano", "--set", "stages.0.steps=3", "--resume"]) == 0
    ((recipe, data, out), more) = make_wing[0]
    assert recipe.stages[0].steps == 3
    assert recipe.size == "nano"
    assert (data, out, more) == (
        ["a", "b=2"],
        tmp_path,
        {"resume": True, "start": None, "new": []},
    )


def test_export_gets_what_was_asked(make_wing: list[Any]) -> None:
    words = ["export", "run", "-o", "out", "--name", "mine", "--overwrite", "--set", "gain=1.2"]
    assert cli.main(words) == 0
    more = {"name": "mine", "overwrite": True, "overrides": {"gain": "1.2"}}
    assert make_wing == [((Path("run"), Path("out")), more)]


# ------------------------------------------------------------------------------------ coloring


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A TINCT_HOME with one model, "tiny"."""
    root = tmp_path_factory.mktemp("home")
    metrics = {"colorfulness_share": 0.5, "n": 3, "note": "none"}
    make_bundle(root / "models" / "tiny", metrics=metrics)
    return root


@pytest.fixture
def chosen(home: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the words that choose the model "tiny"."""
    monkeypatch.setenv("TINCT_HOME", str(home))
    return ["--model", "tiny", "--threads", "1"]


def chroma_of(path: Path | io.BytesIO) -> np.ndarray:
    """Return the mean a*, b* of a picture by scikit-image."""
    from skimage.color import rgb2lab

    with Image.open(path) as image:
        return rgb2lab(np.asarray(image.convert("RGB")))[4:-4, 16:-16, 1:].mean((0, 1))


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
    for quality in options.QUALITIES:
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
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["photo.color.jpg"]


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
    words = [str(gray_jpeg), str(drawing), "--overwrite", "--threads", "1"]

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
    assert cli.main([*words, "--overwrite", "--save-recipe"]) == 2
    assert "a recipe cannot hold a reference" in capsys.readouterr().err
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
    assert cli.main([str(gray_jpeg), *chosen]) == 130
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

    monkeypatch.setitem(cli.COMMANDS, "doctor", fail)
    assert cli.main(["doctor"]) == code
    err = capsys.readouterr().err
    assert text in err
    assert err.count("\n") == 1


def test_odd_file_names_survive_json(capsys: Captured) -> None:
    terminal.write_json({"input": "\udce9t\u00e9.jpg"})
    out = capsys.readouterr().out
    assert out.isascii()
    assert json.loads(out) == {"input": "\udce9t\u00e9.jpg"}


# ---------------------------------------------------------------------------------- models & co


@pytest.mark.usefixtures("chosen")
def test_models(capsys: Captured) -> None:
    assert cli.main(["models"]) == 0
    out = capsys.readouterr().out
    row = next(line for line in out.splitlines() if "tiny" in line)
    assert "Apache-2.0" in row
    assert "colorfulness share 0.5" in row
    assert cli.main(["models", "--json"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert "tiny" in [row["name"] for row in rows]


@pytest.mark.usefixtures("chosen")
def test_one_model(capsys: Captured, home: Path) -> None:
    assert cli.main(["models", "tiny"]) == 0
    assert capsys.readouterr().out == "# tiny\n"
    assert cli.main(["models", str(home / "models" / "tiny"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["parameters"] == 4
    assert cli.main(["models", "tinyy"]) == 5
    assert "did you mean 'tiny'?" in capsys.readouterr().err


def test_a_broken_model_is_listed(
    capsys: Captured, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "home"
    shutil.copytree(home / "models" / "tiny", root / "models" / "photo")
    (root / "models" / "bad").mkdir()
    (root / "models" / "bad" / "manifest.json").write_text("{")
    monkeypatch.setenv("TINCT_HOME", str(root))
    assert cli.main(["models"]) == 0
    rows = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()}
    assert "MB" in rows["photo"]  # by its folder's name, though its manifest says "tiny"
    assert "broken: " in rows["bad"]
    assert cli.main(["models", "--json"]) == 0
    listed = {row["name"]: row for row in map(json.loads, capsys.readouterr().out.splitlines())}
    assert "is no model bundle" in listed["bad"]["error"]
    assert "error" not in listed["photo"]
    assert cli.main(["doctor"]) == 0
    assert "bad: broken: " in capsys.readouterr().out


@pytest.fixture
def as_photo(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A TINCT_HOME whose default model is a copy of "tiny"."""
    copy = tmp_path / "home" / "models" / "photo"
    shutil.copytree(home / "models" / "tiny", copy)
    monkeypatch.setenv("TINCT_HOME", str(tmp_path / "home"))
    return copy


@pytest.mark.usefixtures("as_photo")
def test_doctor(capsys: Captured) -> None:
    assert cli.main(["doctor"]) == 0
    out = capsys.readouterr().out
    assert "Everything needed to color pictures works." in out
    assert cli.main(["doctor", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["problems"] == []
    assert report["versions"]["numpy"] == np.__version__
    assert {"auto", "cpu"} <= set(report["devices"])
    assert {row["name"] for row in report["formats"] if row["writes"]} >= {"jpeg", "png", "tiff"}
    assert report["trial"].startswith("colored a")


def test_doctor_finds_a_damaged_model(capsys: Captured, as_photo: Path) -> None:
    (as_photo / "model.onnx").write_bytes(b"damaged")
    assert cli.main(["doctor"]) == 1
    out = capsys.readouterr().out
    assert "damaged" in out
    assert "Problem: a test picture cannot be colored" in out


def test_evaluate(
    capsys: Captured, chosen: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commands, "_learned_metrics", lambda: ([], []))  # they load torch
    folder = tmp_path / "truth"
    folder.mkdir()
    for number, shade in enumerate([(190, 120, 60), (60, 120, 190), (90, 160, 70)]):
        flat = np.full((40, 48, 3), shade, np.uint8)
        flat[:, :20] //= 2
        Image.fromarray(flat).save(folder / f"{number}.png")
    words = ["evaluate", str(folder), *chosen, "--hints", "2", "--limit", "2"]
    page, results = tmp_path / "page.html", tmp_path / "results.json"
    assert cli.main([*words, "--json", str(results), "--html", str(page)]) == 0
    assert "CIEDE2000" in capsys.readouterr().out
    assert json.loads(results.read_text("utf-8"))["n"] == 2
    assert page.read_text("utf-8").lstrip().lower().startswith("<!doctype html>")
    (folder / "0.png").write_bytes(b"broken")
    results.unlink()
    assert cli.main(["evaluate", str(folder), *chosen, "--json", str(results)]) != 0
    assert json.loads(results.read_text("utf-8"))["n"] == 2
    assert "0.png" in capsys.readouterr().err


def test_evaluate_with_several_numbers_of_hints(
    capsys: Captured, chosen: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commands, "_learned_metrics", lambda: ([], []))  # they load torch
    folder, results = tmp_path / "truth", tmp_path / "results.json"
    folder.mkdir()
    flat = np.full((40, 48, 3), (190, 120, 60), np.uint8)
    flat[:, :20] //= 2
    Image.fromarray(flat).save(folder / "0.png")
    words = ["evaluate", str(folder), *chosen, "--hints", "0, 2,9"]
    assert cli.main([*words, "--json", str(results)]) == 0
    lines = capsys.readouterr().out.splitlines()
    held = json.loads(results.read_text("utf-8"))
    assert re.sub(r"[^a-z0-9/']", "", "".join(lines)).count("colorfulness/truth's") == 1
    assert held["schema"] == "tinct.evaluations/1"
    assert [part["settings"]["hints"] for part in held["evaluations"]] == [0, 2, 9]
    for part in held["evaluations"]:
        start = f"│{part['settings']['hints']:>6} │"
        row = next(line for line in lines if line.startswith(start))
        assert f" {part['rows']['ours']['ciede2000']:.2f} " in row
    assert cli.main([*words, "--html", str(tmp_path / "page.html")]) == 2
    assert "--html shows one number of hints" in capsys.readouterr().err
    assert cli.main(["evaluate", str(folder), *chosen, "--hints", "1,x"]) == 2
    assert "'x' is not a whole number" in capsys.readouterr().err


def test_evaluate_checks_its_targets_before_the_work(
    capsys: Captured, chosen: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tinct.measure import evaluate

    monkeypatch.delattr(evaluate, "evaluate")  # the work
    for option in ("--json", "--html"):
        assert cli.main(["evaluate", str(tmp_path), *chosen, option, f"{tmp_path}/none/x"]) == 4
        assert "does not exist" in capsys.readouterr().err


# ---------------------------------------------------------------------------- on a real terminal


def on_terminal(*words: str | Path) -> tuple[int, str]:
    """Run ``python -m tinct`` on a terminal of its own; return its exit code and all it shows."""
    pty = pytest.importorskip("pty")
    inside, outside = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "tinct", *map(str, words)],
        stdin=outside,
        stdout=outside,
        stderr=outside,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "120"},
    )
    os.close(outside)
    shown = b""
    while True:
        try:
            part = os.read(inside, 4096)
        except OSError:  # Linux says so when the other side is closed
            part = b""
        if not part:
            break
        shown += part
    os.close(inside)
    return process.wait(timeout=60), shown.decode("utf-8")


def test_a_table_on_a_terminal(chosen: list[str]) -> None:
    assert chosen
    code, shown = on_terminal("models")
    assert code == 0
    assert "\x1b[" in shown
    assert "tiny" in shown
    assert "Apache-2.0" in shown


def test_a_bar_on_a_terminal(gray_jpeg: Path, chosen: list[str]) -> None:
    broken = gray_jpeg.with_name("broken.jpg")
    broken.write_bytes(b"broken")
    code, shown = on_terminal(gray_jpeg, broken, *chosen)
    assert code == 8
    assert "coloring" in shown
    assert "photo.color.jpg" in shown
    assert "broken.jpg" in shown
    assert "1 of 2 pictures failed" in shown
