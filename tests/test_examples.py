"""The examples run as they stand."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tinct.drawing.classify import tell_kind
from tiny_models import make_bundle

EXAMPLES = Path(__file__).parents[1] / "examples"
PICTURE = EXAMPLES / "pictures" / "cat.jpg"
TARGET = "TARGET"

RUNS = {
    "color_a_picture.py": [PICTURE, TARGET],
    "color_an_array.py": [],
    "compare_strengths.py": [PICTURE, TARGET],
    "give_hints.py": [PICTURE, TARGET, "0.5,0.5=#b08050", "0.95,0.2=olive"],
    "keep_a_recipe.py": [PICTURE, TARGET],
}


DRAWN = {"make_drawings.py", "draw_a_portrait.py"}


def test_every_example_is_run() -> None:
    assert {path.name for path in EXAMPLES.glob("*.py")} == {*RUNS, *DRAWN}


def test_drawings_have_their_lines_alone_beside_them(tmp_path: Path) -> None:
    command = [sys.executable, EXAMPLES / "make_drawings.py", str(tmp_path)]
    subprocess.run(command, capture_output=True, timeout=60, check=True)
    names = sorted(path.name for path in (tmp_path / "color").iterdir())
    assert names == sorted(path.name for path in (tmp_path / "sketch").iterdir())
    for name in names:
        with Image.open(tmp_path / "color" / name) as color:
            colored = np.asarray(color.convert("RGB")).astype(int)
        with Image.open(tmp_path / "sketch" / name) as sketch:
            lines = np.asarray(sketch).astype(int)
        assert colored.shape == (*lines.shape, 3)
        ink = lines < 60
        assert 0.01 < ink.mean() < 0.2
        assert colored[ink].max(axis=1).mean() < 80  # dark where the lines are
        assert np.ptp(colored, axis=2).mean() > 20  # and colorful elsewhere


def test_the_portrait_is_the_one_beside_the_examples(tmp_path: Path) -> None:
    target = tmp_path / "portrait.png"
    command = [sys.executable, EXAMPLES / "draw_a_portrait.py", str(target)]
    subprocess.run(command, capture_output=True, timeout=120, check=True)
    with Image.open(target) as drawn, Image.open(EXAMPLES / "pictures" / "portrait.jpg") as kept:
        ours, held = (np.asarray(image.convert("L")).astype(float) for image in (drawn, kept))
    assert np.abs(ours - held).mean() < 3  # JPEG, and curves as another Pillow rounds them
    assert tell_kind(ours.astype(np.uint8)).kind == "lineart"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A TINCT_HOME whose default model is small."""
    root = tmp_path_factory.mktemp("home")
    make_bundle(root / "models" / "photo", name="photo")
    return root


@pytest.mark.parametrize("name", RUNS)
def test_example(name: str, home: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.jpg"
    words = [str(target) if word == TARGET else str(word) for word in RUNS[name]]
    done = subprocess.run(
        [sys.executable, EXAMPLES / name, *words],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "TINCT_HOME": str(home)},
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("\n") == 1
    if TARGET in RUNS[name]:
        with Image.open(target) as image:
            assert image.mode == "RGB"
            assert image.height == 300
