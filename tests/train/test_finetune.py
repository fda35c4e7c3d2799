"""Adapting a model to a few pictures: it gets better on others of the same kind, or says so."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage.color import deltaE_ciede2000, rgb2lab

import tinct
from command_line import Captured
from conftest import make_bundle
from tinct.bundle import find_bundle
from tinct.command import cli
from tinct.errors import TrainingError, UsageError
from tinct.train import finetune
from tinct.train.export import export

COUNT = 30


@pytest.fixture
def purple(tmp_path: Path) -> Path:
    """A folder of purple scenes, which no model expects."""
    folder = tmp_path / "purple"
    folder.mkdir()
    rng = np.random.default_rng(4)
    for number in range(COUNT):
        shade = rng.uniform(60, 200, (6, 8)).astype(np.float32)
        gray = np.asarray(Image.fromarray(shade).resize((52, 40), Image.Resampling.BICUBIC))
        rgb = np.clip(gray[..., None] * np.array([1.1, 0.75, 1.25]), 0, 255)
        Image.fromarray(rgb.astype(np.uint8)).save(folder / f"{number:02}.png")
    return folder


@pytest.fixture
def nano(nano_run: Path, tmp_path: Path) -> Path:
    """The bundle of a nano run."""
    return export(nano_run, tmp_path / "nano")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finetune, "ROUNDS", 30)
    monkeypatch.setattr(finetune, "RATE", 2e-3)


def _error(model: Path, folder: Path) -> float:
    """Return the mean CIEDE2000 of colored gray pictures, by another library's formula."""
    colorizer, errors = tinct.Colorizer(model), []
    for path in sorted(folder.iterdir())[-3:]:
        true = rgb2lab(np.asarray(Image.open(path)))
        codes = tinct.color.lightness_to_gray(true[..., 0])
        found = colorizer(np.rint(codes * 255).astype(np.uint8))
        errors.append(deltaE_ciede2000(rgb2lab(found), true).mean())
    return float(np.mean(errors))


def test_it_learns_the_kind_and_tells_what_was_gained(
    purple: Path, nano: Path, tmp_path: Path, capsys: Captured
) -> None:
    mine = tmp_path / "mine"
    words = ["finetune", str(purple), "--from", str(nano), "-o", str(mine)]
    assert cli.main(words) == 0
    told = capsys.readouterr()
    assert "before" in told.out
    manifest = find_bundle(mine).manifest
    figures = manifest.metrics
    assert figures["held_error_after"] < 0.9 * figures["held_error_before"]
    assert _error(mine, purple) < 0.9 * _error(nano, purple)
    assert manifest.metrics["finetuned_from"] == "nano"
    assert (manifest.name, manifest.task) == ("mine", "photo")
    assert "held out" in find_bundle(mine).card
    assert cli.main(words) == 2  # it is there already
    with pytest.raises(UsageError, match="was adapted before"):
        finetune.finetune(purple, tmp_path / "again", start=str(mine))


def test_pictures_of_another_kind_are_colored_as_before(
    purple: Path, nano: Path, tmp_path: Path
) -> None:
    """White noise is no purple scene."""
    mine = tmp_path / "mine"
    finetune.finetune(purple, mine, start=str(nano), tell=lambda _: None)
    noise = np.random.default_rng(0).integers(0, 256, (160, 160), dtype=np.uint8)
    before, after = (rgb2lab(tinct.Colorizer(model)(noise)) for model in (nano, mine))
    changed = deltaE_ciede2000(before, after)
    assert np.quantile(changed, 0.99) < 0.5  # what is left is a step of 8 bits here and there
    assert changed.max() < 2
    assert _error(mine, purple) < 0.9 * _error(nano, purple)


def test_what_does_not_help_is_not_written(
    purple: Path, nano: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(finetune, "RATE", 0.0)
    with pytest.raises(TrainingError, match="did not become better"):
        finetune.finetune(purple, tmp_path / "mine", start=str(nano))
    assert not (tmp_path / "mine").exists()


def test_what_cannot_be_adapted_is_told(purple: Path, nano: Path, tmp_path: Path) -> None:
    for path in sorted(purple.iterdir())[10:]:
        path.unlink()
    with pytest.raises(TrainingError, match="10 color pictures are too few"):
        finetune.finetune(purple, tmp_path / "mine", start=str(nano))
    with pytest.raises(UsageError, match="cannot be adapted"):
        finetune.finetune(purple, tmp_path / "mine", start="lineart")
    other = make_bundle(tmp_path / "other")
    with pytest.raises(UsageError, match="cannot be adapted"):
        finetune.finetune(purple, tmp_path / "mine", start=str(other.path))
