"""The command line: what it accepts, and how it looks on a terminal."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import types
from pathlib import Path
from typing import Any

import pytest

import tinct.train
from command_line import Captured
from tinct import errors
from tinct.bundle import Bundle
from tinct.command import cli, commands, options

# Every option of every command; whoever changes the command line changes this list knowingly.
OPTIONS = {
    "colorize": "-h --help -o --output --overwrite --format --strength --warmth --hint --hints "
    "--reference --recipe --save-recipe --flat --keep --layers --all-pages --json --raw "
    "--recursive --glob --watch --sheet --force --encoder --crf --frame-by-frame --stills --model "
    "--quality --device --threads",
    "suggest": "-h --help --count --colors --map --variants -o --output --overwrite --json --model "
    "--quality --device --threads",
    "restore": "-h --help -o --output --overwrite",
    "verify": "-h --help --json",
    "studio": "-h --help --host --port --token --insecure --name --max-upload --max-pixels "
    "--at-once --queue",
    "serve": "-h --help --host --port --token --insecure --name --max-upload --max-pixels "
    "--at-once --queue --workers --log",
    "models": "-h --help --json",
    "doctor": "-h --help --json",
    "evaluate": "-h --help --hints --limit --faded --json --html --model --quality --device "
    "--threads",
    "jobs": "-h --help --json",
    "cluster": "-h --help --workers --gpus --address --format --strength --warmth --recipe --force "
    "--json --model --quality --device --threads",
    "train": "-h --help --list --data --out --size --set --resume --from --new --anew",
    "pack": "-h --help -o --output --mib --short",
    "average": "-h --help -o --output",
    "finetune": "-h --help --from -o --output --name --overwrite",
    "export": "-h --help -o --output --name --set --overwrite",
    "report": "-h --help --data --show --limit --json --html --markdown --pictures",
}


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
        (["x.jpg", "--warmth", "2"], "'2' is not a number from -1 (cooler) to 1 (warmer)"),
        (["x.jpg", "--warmth", "warm"], "'warm' is not a number from -1 (cooler) to 1 (warmer)"),
        (["x.jpg", "--threads", "0"], "'0' is not a whole number of at least 1"),
        (["x.jpg", "--hint", "nonsense"], "nonsense"),
        (["-", "--raw", "640"], "'640' is no width and height"),
        (["-", "--raw", "640x0"], "write them as in 640x480"),
        (["x.jpg", "--raw", "64x48"], "from stdin to stdout"),
        (["-", "--raw", "64x48", "--format", "png"], "does not go with --format"),
        (["x.jpg", "--crf", "20"], "--crf is for films"),
        (["a.mp4", "b.mp4"], "one at a time"),
        (["a.mp4", "--sheet", "x.html"], "--sheet is for pictures"),
        (["a.mp4", "-o", "-"], "does not go to stdout"),
        (["x.jpg", "--output"], "--output: expected one argument"),
        (["cluster", "in"], "OUT"),
        (["cluster", "in", "out", "--gpus", "1.5"], "'1.5' is no share of a GPU"),
        (["colorize"], "PICTURE"),
        (["evaluate"], "FOLDER"),
        (["train"], "tinct train --list"),
        (["train", "flagship-photo"], "--data FOLDER and --out RUN"),
        (["train", "flagship-photo", "--set", "x"], "'x' is not NAME=VALUE"),
        (["export", "run"], "-o/--output"),
        (["average", "run", "run"], "-o/--output"),
        (["finetune", "folder"], "-o/--output"),
        (["pack", "folder"], "-o/--output"),
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
        {"resume": True, "start": None, "new": [], "anew": []},
    )


def test_export_gets_what_was_asked(make_wing: list[Any]) -> None:
    words = ["export", "run", "-o", "out", "--name", "mine", "--overwrite", "--set", "gain=1.2"]
    assert cli.main(words) == 0
    more = {"name": "mine", "overwrite": True, "overrides": {"gain": "1.2"}}
    assert make_wing == [((Path("run"), Path("out")), more)]


def test_export_of_a_model_decodes_it_anew(
    make_wing: list[Any], tiny: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[Any] = []

    def door(*values: Any, **more: Any) -> Path:
        calls.append((values, more))
        return Path("bundle")

    monkeypatch.setitem(sys.modules, "tinct.train.redecode", types.SimpleNamespace(redecode=door))
    assert cli.main(["export", str(tiny.path), "-o", "out", "--set", "gain=0.8"]) == 0
    (((bundle, out), more),) = calls
    assert (bundle.path, out) == (tiny.path, Path("out"))
    assert more == {"name": None, "overwrite": False, "overrides": {"gain": "0.8"}}
    assert make_wing == []


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


def test_the_program_keeps_openblas_from_spinning(tmp_path: Path) -> None:
    """OpenBLAS says itself how many threads it holds, once NumPy is loaded."""
    code = (
        "import os, sys\n"
        "from tinct.command import cli\n"
        "sys.argv = ['tinct', '--version']\n"
        "os._exit = lambda code: None\n"
        "cli.run()\n"
        "import threadpoolctl, numpy\n"
        "print([pool['num_threads'] for pool in threadpoolctl.threadpool_info()"
        " if pool['internal_api'] == 'openblas'])\n"
    )
    plain = {k: v for k, v in os.environ.items() if not k.endswith("_NUM_THREADS")}
    told = subprocess.run(
        [sys.executable, "-c", code], env=plain, capture_output=True, text=True, check=True
    )
    assert told.stdout.splitlines()[-1] == "[1]"


def test_who_chose_openblas_threads_keeps_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "3")
    monkeypatch.setattr(sys, "argv", ["tinct", "--version"])
    monkeypatch.setattr(os, "_exit", lambda _code: None)
    cli.run()
    assert os.environ["OPENBLAS_NUM_THREADS"] == "3"
