"""The mean of runs' weights: what it is, and what it can be used for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from tinct.command import cli
from tinct.errors import TrainingError, UsageError
from tinct.train import recipes, trainer
from tinct.train.average import average
from tinct.train.export import export
from tinct.train.rundir import RunDir


@pytest.fixture(scope="module")
def after(nano_run: Path, pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that went on from the nano run, for two steps."""
    out = tmp_path_factory.mktemp("runs") / "after"
    chosen = {"stages.0.steps": "2", "stages.0.batch": "2"}
    recipe = recipes.get("flagship-photo", chosen, size="nano")
    trainer.train(recipe, [pictures], out, start=nano_run)
    return out


def test_it_is_the_weighted_mean(nano_run: Path, after: Path, tmp_path: Path) -> None:
    made = RunDir(average([(nano_run, 1.0), (after, 3.0)], tmp_path / "mean"))
    one, other, mean = (RunDir(path).load() for path in (nano_run, after, made.path))
    name = "net.to_ab.weight"
    assert not torch.equal(one["ema"][name], other["ema"][name])
    expected = torch.lerp(one["ema"][name], other["ema"][name], 0.75)
    torch.testing.assert_close(mean["ema"][name], expected)
    assert mean["seen"] == 20 * 4 + 2 * 2
    assert made.recipe() == RunDir(after).recipe()
    assert made.data() == RunDir(after).data()  # the same pictures are named once


def test_the_mean_of_a_run_with_itself_is_that_run(nano_run: Path, tmp_path: Path) -> None:
    made = average([(nano_run, 1.0), (nano_run, 0.3)], tmp_path / "mean")
    held, found = (RunDir(path).load()["ema"] for path in (nano_run, made))
    for name, value in held.items():
        torch.testing.assert_close(found[name], value)
        assert found[name].dtype == value.dtype


def test_a_mean_can_be_exported(nano_run: Path, after: Path, tmp_path: Path) -> None:
    out = tmp_path / "mean"
    assert cli.main(["average", str(nano_run), f"{after}=0.5", "-o", str(out)]) == 0
    bundle = export(out, tmp_path / "bundle")
    assert json.loads((bundle / "manifest.json").read_text())["recipe"]["seen"] == 84


def test_mistakes_leave_nothing(nano_run: Path, pictures: Path, tmp_path: Path) -> None:
    out = tmp_path / "mean"
    with pytest.raises(UsageError, match="two runs"):
        average([(nano_run, 1.0)], out)
    with pytest.raises(TrainingError, match="no training run in"):
        average([(nano_run, 1.0), (tmp_path / "none", 1.0)], out)
    other = tmp_path / "other"
    chosen = {"stages.0.steps": "1", "stages.0.batch": "2", "model.more8": "0"}
    trainer.train(recipes.get("flagship-photo", chosen, size="nano"), [pictures], other)
    with pytest.raises(TrainingError, match=r"more8.*differs, and \d+ more"):
        average([(nano_run, 1.0), (other, 1.0)], out)
    assert not out.exists()
    with pytest.raises(UsageError, match="exists already"):
        average([(nano_run, 1.0), (nano_run, 1.0)], nano_run)
