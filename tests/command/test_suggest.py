"""``tinct suggest`` with the model that ships, on a picture that ships."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from command_line import Captured
from tinct.command import cli

CAT = Path(__file__).parents[2] / "examples" / "pictures" / "cat.jpg"


@pytest.fixture
def cat(tmp_path: Path) -> Path:
    path = tmp_path / "cat.jpg"
    Image.open(CAT).convert("L").save(path)
    return path


def test_places_and_colors_are_hints_that_can_be_given(cat: Path, capsys: Captured) -> None:
    assert cli.main(["suggest", str(cat), "--json", "--count", "3", "--colors", "2"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["model"] == "photo"
    assert 1 <= len(told["regions"]) <= 3
    weights = [region["area"] * region["doubt"] for region in told["regions"]]
    assert weights == sorted(weights, reverse=True)
    for region in told["regions"]:
        assert 1 <= len(region["colors"]) <= 2
        assert sum(color["share"] for color in region["colors"]) <= 1.001
        assert all(re.fullmatch("#[0-9a-f]{6}", color["color"]) for color in region["colors"])
    first = told["regions"][0]
    hint = f"{first['x']},{first['y']}={first['colors'][-1]['color']}"
    assert cli.main([str(cat), "--hint", hint]) == 0
    capsys.readouterr()
    assert cli.main(["suggest", str(cat)]) == 0
    assert "likely colors" in capsys.readouterr().out


def test_the_map_and_the_variants_are_written(cat: Path, capsys: Captured) -> None:
    gray = np.asarray(Image.open(cat))
    words = ["suggest", str(cat), "--map", str(cat.with_name("doubt.png")), "--variants", "2"]
    assert cli.main(words) == 0
    assert cli.main([str(cat)]) == 0
    drawn = np.asarray(Image.open(cat.with_name("doubt.png")))
    assert drawn.shape == gray.shape
    assert drawn.std() > 2
    pictures = [
        np.asarray(Image.open(cat.with_name(f"cat.{name}.jpg")).convert("LAB")).astype(float)
        for name in ("color", "variant1", "variant2")
    ]
    for one in range(3):
        assert pictures[one].shape == (*gray.shape, 3)
        for other in range(one):
            apart = np.linalg.norm(pictures[one][..., 1:] - pictures[other][..., 1:], axis=-1)
            assert apart.max() > 5
    capsys.readouterr()
    assert cli.main(words) == 4
    assert "exists already" in capsys.readouterr().err


def test_what_cannot_be_is_one_sentence(cat: Path, capsys: Captured) -> None:
    for words, told in (
        (["--map", str(cat.with_name("doubt.xyz"))], "must end with .png"),
        (["--variants", "1", "-o", str(cat.with_name("nowhere"))], "is no folder"),
        (["--count", "0"], "at least 1"),
    ):
        assert cli.main(["suggest", str(cat), *words]) != 0
        error = capsys.readouterr().err
        assert told in error
        assert error.count("\n") == 1
    assert sorted(path.name for path in cat.parent.iterdir()) == ["cat.jpg"]


def test_a_model_without_a_distribution_says_so(
    cat: Path, capsys: Captured, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TINCT_HOME", str(home))
    assert cli.main(["suggest", str(cat), "--model", "tiny"]) != 0
    assert "gives no distribution of colors" in capsys.readouterr().err
