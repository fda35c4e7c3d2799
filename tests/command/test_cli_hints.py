"""Hints and recipes on the command line: what is written, told, and left alone."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw
from skimage.color import rgb2lab

import tinct
from tinct.command import cli
from tiny_models import make_bundle

Captured = pytest.CaptureFixture[str]


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A TINCT_HOME with the models "tiny" and "other"."""
    root = tmp_path_factory.mktemp("home")
    make_bundle(root / "models" / "tiny")
    make_bundle(root / "models" / "other", predicts="lab")
    return root


@pytest.fixture(autouse=True)
def folder(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with the pictures photo.jpg and large.jpg, twice as large."""
    monkeypatch.setenv("TINCT_HOME", str(home))
    monkeypatch.chdir(tmp_path)
    Image.new("L", (96, 64), 150).save("photo.jpg", quality=95)
    Image.new("L", (192, 128), 150).save("large.jpg", quality=95)
    return tmp_path


def ab(path: str | io.BytesIO, left: float, top: float) -> np.ndarray:
    """Return a*, b* of a result at a place in shares, by scikit-image."""
    with Image.open(path) as image:
        lab = rgb2lab(np.asarray(image.convert("RGB")))
        return lab[int(top * image.height), int(left * image.width), 1:]


def run(*words: str) -> int:
    return cli.main([*words, "--threads", "1"])


ASKED = rgb2lab(np.array([[[0x30, 0x60, 0xA0]]]) / 255)[0, 0, 1:]
TINY = ("--model", "tiny")


def test_hints_of_every_kind_reach_the_picture() -> None:
    layer = Image.new("RGBA", (96, 64))
    ImageDraw.Draw(layer).rectangle((0, 0, 23, 63), fill="#3060a0")
    layer.save("painted.png")
    Image.new("RGB", (3, 2), "#3060a0").save("rough.png")
    patch = {"kind": "patch", "box": [0, 0, 0.25, 1], "picture": "rough.png"}
    Path("coat.json").write_text(json.dumps([patch]), "utf-8")
    assert run("photo.jpg", *TINY, "-o", "plain.png") == 0
    plain = ab("plain.png", 0.1, 0.5)
    assert np.abs(plain - ASKED).max() > 15
    given = {
        "layer.png": ["--hints", "painted.png"],
        "map.png": ["--hints", "rough.png"],
        "list.png": ["--hints", "coat.json"],
        "stroke.png": ["--hint", "0,0.5 0.25,0.5,1=#3060a0"],
        "pixels.png": ["--hint", "0px,0px 24px,64px,60px=#3060a0"],
        "both.png": ["--hint", "0.1,0.5,0.3=#3060a0", "--hints", "coat.json"],
    }
    for target, words in given.items():
        assert run("photo.jpg", *TINY, "-o", target, *words) == 0
        assert np.abs(ab(target, 0.1, 0.5) - ASKED).max() < 5, target
    assert run("photo.jpg", *TINY, "-o", "gray.png", "--hint", "0,0:1,1=gray") == 0
    assert np.abs(ab("gray.png", 0.1, 0.5)).max() < 1


def test_a_recipe_is_replayed_at_another_resolution(capsys: Captured) -> None:
    hint = ("--hint", "0px,0px 24px,64px,60px=#3060a0", "--hint", "0.9,0.5,0.1=olive")
    words = ("photo.jpg", *TINY, "--strength", "0.9", "--quality", "best", *hint)
    assert run(*words, "--save-recipe") == 0
    held = json.loads(Path("photo.tinct.json").read_text("utf-8"))
    assert held["settings"] == {
        "strength": 0.9,
        "warmth": 0.0,
        "quality": "best",
        "flat": False,
        "keep": "auto",
    }
    assert held["model"]["name"] == "tiny"
    assert held["tinct"] == tinct.__version__
    assert "px" not in json.dumps(held["hints"])
    before = Path("photo.color.jpg").read_bytes()
    assert run("photo.jpg", "--recipe", "photo.tinct.json", "--overwrite") == 0
    assert Path("photo.color.jpg").read_bytes() == before
    assert run("large.jpg", "--recipe", "photo.tinct.json", "-o", "large.png") == 0
    for left in (0.1, 0.9):
        np.testing.assert_allclose(
            ab("large.png", left, 0.5), ab("photo.color.jpg", left, 0.5), atol=3
        )
    assert capsys.readouterr().err == ""


def test_options_beside_a_recipe_win_and_hints_are_added() -> None:
    assert run("photo.jpg", *TINY, "--hint", "0.1,0.5,0.3=#3060a0", "--save-recipe") == 0
    words = ("--recipe", "photo.tinct.json", "--strength", "0", "--warmth", "-0.5")
    words += ("--quality", "fast")
    assert run("photo.jpg", *words, "-o", "x.png", "--save-recipe", "new.json") == 0
    assert np.abs(ab("x.png", 0.1, 0.5)).max() < 0.5
    held = json.loads(Path("new.json").read_text("utf-8"))
    assert held["settings"] == {
        "strength": 0,
        "warmth": -0.5,
        "quality": "fast",
        "flat": False,
        "keep": "auto",
    }
    more = ("--recipe", "photo.tinct.json", "--hint", "0.9,0.5=red", "--save-recipe", "more.json")
    assert run("photo.jpg", *more, "-o", "y.png") == 0
    held = json.loads(Path("more.json").read_text("utf-8"))
    assert [hint["color"] for hint in held["hints"]] == ["#3060a0", "red"]
    assert run("photo.jpg", "--recipe", "new.json", "--model", "other", "-o", "z.png") == 0


def test_another_model_than_the_recipes_is_told_once(capsys: Captured) -> None:
    assert run("photo.jpg", *TINY, "--save-recipe") == 0
    held = json.loads(Path("photo.tinct.json").read_text("utf-8"))
    held["model"]["sha256"] = "f" * 64
    Path("old.json").write_text(json.dumps(held), "utf-8")
    assert run("photo.jpg", "large.jpg", "--recipe", "old.json", "-o", "out") == 0
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "old.json: the recipe was made with the model tiny (ffffffff), not tiny (" in err


def test_several_pictures_with_one_recipe(capsys: Captured) -> None:
    hint = ("--hint", "0px,0px,60px=#3060a0")
    assert run("photo.jpg", "large.jpg", *TINY, *hint, "-o", "out", "--save-recipe") == 0
    found = {path.name: path for path in Path("out").iterdir() if path.name[0] != "."}
    assert set(found) == {
        *("photo.color.jpg", "large.color.jpg", "photo.tinct.json", "large.tinct.json")
    }
    small, large = (
        json.loads(found[f"{name}.tinct.json"].read_text("utf-8"))["hints"][0]["radius"]
        for name in ("photo", "large")
    )
    assert small == pytest.approx(2 * large)
    words = ("photo.jpg", "large.jpg", *TINY, *hint, "-o", "more")
    assert run(*words, "--save-recipe", "one.json") == 8
    assert "holds another picture's recipe" in capsys.readouterr().err
    assert run("photo.jpg", "large.jpg", "--recipe", "one.json", "-o", "again") == 0
    assert len(list(Path("again").glob("*.jpg"))) == 2


def test_pipes(home: Path) -> None:
    assert run("photo.jpg", *TINY, "--hint", "0.1,0.5,0.3=#3060a0", "--save-recipe") == 0
    command = [sys.executable, "-m", "tinct", "-", "--recipe", "photo.tinct.json"]
    command += ["--save-recipe", "piped.json"]
    done = subprocess.run(
        command, input=Path("photo.jpg").read_bytes(), capture_output=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, b"")
    np.testing.assert_allclose(
        ab(io.BytesIO(done.stdout), 0.1, 0.5), ab("photo.color.jpg", 0.1, 0.5), atol=0.5
    )
    assert Path("piped.json").read_bytes() == Path("photo.tinct.json").read_bytes()


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (["--hint", "0.5=red"], 2, "'0.5=red' is no hint; write X,Y=COLOR"),
        (["--hint", "2,0=red"], 2, "x: must lie in 0..1, not 2; pixels are marked px"),
        (["--hint", "200px,0px=red"], 2, "hints[0].x: 200 px lies outside the picture of 96 x 64"),
        (["--hints", "bad.json"], 2, "bad.json: hints[1].color: 'reddish' is no color"),
        (["--hints", "none.json"], 2, "none.json cannot be read"),
        (["--hints", "none.png"], 3, "none.png is not there"),
        (["--hints", "bad.png"], 3, "bad.png cannot be read as a picture"),
        (["--hints", "wide.png"], 2, "layer of 50 x 10 pixels has another shape"),
        (["--recipe", "bad.json"], 2, "bad.json: schema: must be 'tinct.recipe/1'"),
        (["--recipe", "strong.json"], 2, "strong.json: settings.strength: must lie in 0..1.5"),
        (["--recipe", "gone.json"], 5, "no model"),
        (["--save-recipe", "bad.json"], 4, "bad.json exists already"),
        (["--save-recipe", "x.txt"], 2, "'x.txt' is no name for a recipe"),
        (["--save-recipe", "no/x.json"], 4, "the folder no does not exist"),
        (["-o", "-", "--save-recipe"], 2, "--save-recipe FILE.json"),
    ],
)
def test_mistakes_are_one_sentence_and_write_nothing(
    capsys: Captured,
    monkeypatch: pytest.MonkeyPatch,
    folder: Path,
    words: list[str],
    code: int,
    text: str,
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: False)
    dot = {"kind": "point", "x": 0.5, "y": 0.5, "color": "red"}
    Path("bad.json").write_text(json.dumps([dot, {**dot, "color": "reddish"}]), "utf-8")
    schema = {"schema": "tinct.recipe/1"}
    Path("strong.json").write_text(json.dumps({**schema, "settings": {"strength": 9}}), "utf-8")
    Path("gone.json").write_text(json.dumps({**schema, "model": {"name": "gone"}}), "utf-8")
    Path("bad.png").write_bytes(b"nonsense")
    layer = Image.new("RGBA", (50, 10))
    layer.putpixel((3, 3), (200, 0, 0, 255))
    layer.save("wide.png")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    model = () if "gone.json" in words else TINY
    assert run("photo.jpg", *model, *words) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert text.lower() in err.lower()
    assert err.startswith("tinct: ")
    assert err.count("\n") == 1
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_picture_after_save_recipe_is_not_taken_for_its_name(capsys: Captured) -> None:
    assert run("--save-recipe", "photo.jpg", *TINY) == 2
    assert "give the pictures first" in capsys.readouterr().err
    assert run(*TINY, "--save-recipe=x.json", "photo.jpg") == 0
    assert Path("x.json").exists()


def test_python_takes_layers_texts_and_files(folder: Path) -> None:
    layer = Image.new("RGBA", (96, 64))
    ImageDraw.Draw(layer).rectangle((0, 0, 23, 63), fill="#3060a0")
    layer.save("painted.png")
    colorizer = tinct.Colorizer("tiny", threads=1)
    results = [
        np.asarray(colorizer("photo.jpg", hints=given))
        for given in (
            "painted.png",
            [folder / "painted.png"],
            layer,
            [layer],
            [tinct.Layer(picture=np.asarray(layer))],
        )
    ]
    for result in results[1:]:
        np.testing.assert_array_equal(result, results[0])
    assert np.abs(rgb2lab(results[0])[32, 10, 1:] - ASKED).max() < 5
