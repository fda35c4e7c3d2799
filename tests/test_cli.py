"""The command line: what it accepts, prints, writes and leaves with."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

import tinct
from tinct import cli, errors, options

# Every option of every command; whoever changes the command line changes this list knowingly.
OPTIONS = {
    "colorize": "-h --help -o --output --overwrite --format --strength --hint --all-pages --json "
    "--model --quality --device --threads",
    "models": "-h --help --json",
    "doctor": "-h --help --json",
    "evaluate": "-h --help --hints --limit --json --html --model --quality --device --threads",
    "train": "-h --help --list --data --out --set --resume",
    "export": "-h --help -o --output --name --overwrite",
}

Captured = pytest.CaptureFixture[str]


@pytest.fixture
def gray_jpeg(tmp_path: Path) -> Path:
    """A gray JPEG of 48 x 32 pixels."""
    path = tmp_path / "photo.jpg"
    Image.linear_gradient("L").resize((48, 32)).save(path)
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
    guide = Path(__file__).parents[1] / "docs" / "guide.md"
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
    assert "tinct.cli" in imported
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
        (["train", "flagship-photo-nano"], "--data FOLDER and --out RUN"),
        (["train", "flagship-photo-nano", "--set", "x"], "'x' is not NAME=VALUE"),
        (["export", "run"], "-o/--output"),
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
    monkeypatch.setattr(cli, "find_spec", lambda name: None if name == "torch" else object())
    words = ["train", "flagship-photo-nano", "--data", "x", "--out", "y"]
    for command in (words, ["export", "x", "-o", "y"]):
        assert cli.main(command) == 7
        err = capsys.readouterr().err
        assert "needs torch" in err
        assert "pip install 'tinct[train]'" in err


def test_recipes_are_listed(capsys: Captured) -> None:
    assert cli.main(["train", "--list"]) == 0
    assert "flagship-photo-nano" in capsys.readouterr().out


def test_training_gets_what_was_asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    trainer = pytest.importorskip("tinct.train.trainer")
    calls = []
    monkeypatch.setattr(trainer, "train", lambda *a, **b: calls.append((a, b)))
    words = ["train", "flagship-photo-nano", "--data", "a", "--data", "b=2", "--out", str(tmp_path)]
    assert cli.main([*words, "--set", "stages.0.steps=3", "--resume"]) == 0
    ((recipe, data, out), more) = calls[0]
    assert recipe.stages[0].steps == 3
    assert (data, out, more) == (["a", "b=2"], tmp_path, {"resume": True})


def test_export_gets_what_was_asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    room = pytest.importorskip("tinct.train.export")
    calls = []

    def export(*words: object, **more: object) -> Path:
        calls.append((words, more))
        return tmp_path

    monkeypatch.setattr(room, "export", export)
    assert cli.main(["export", "run", "-o", "out", "--name", "mine", "--overwrite"]) == 0
    assert calls == [((Path("run"), Path("out")), {"name": "mine", "overwrite": True})]
