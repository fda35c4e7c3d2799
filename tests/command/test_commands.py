"""The other commands: what they print, write and leave with."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from command_line import Captured
from tinct.command import cli, commands


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
