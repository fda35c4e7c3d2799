from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path

import pytest
import torch

from tinct.errors import TrainingError
from tinct.train import recipes
from tinct.train.families.flagship import FlagshipTask
from tinct.train.rundir import RunDir
from tinct.train.trainer import Trainer, train
from tinct.train.validation import EarlyStopping, validate

NANO = recipes.get("flagship-photo", size="nano")


def rows(run: Path, key: str) -> list[dict[str, float]]:
    lines = (run / "metrics.jsonl").read_text().splitlines()
    return [row for row in map(json.loads, lines) if key in row]


def test_gray_has_error_one_and_the_truth_none(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = Trainer(NANO, data=[pictures], out=tmp_path / "run", resume=False)

    def seen(ab: float) -> dict[str, float]:
        def predict(self, batch):
            return torch.cat([batch.lightness, ab * batch.ab], dim=1)

        monkeypatch.setattr(FlagshipTask, "predict", predict)
        fabric, pictures_ = trainer.fabric, trainer.pictures
        return validate(trainer.task, pictures_, NANO, size=32, fabric=fabric)[0]

    assert seen(0.0) == pytest.approx({"val.error": 1.0, "val.chroma": 0.0})
    assert seen(1.0) == pytest.approx({"val.error": 0.0, "val.chroma": 1.0})
    assert seen(0.5) == pytest.approx({"val.error": 0.5, "val.chroma": 0.5})


def test_a_stage_ends_at_a_plateau_and_the_next_goes_on(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    errors = iter([0.9, 0.8, 0.85, 0.81, 0.82, 0.9, 0.7, 0.75, 0.6, 0.5])
    real = EarlyStopping.update

    def update(self, row, recipe):
        return real(self, {**row, "val.error": next(errors)}, recipe)

    monkeypatch.setattr(EarlyStopping, "update", update)
    stage = dataclasses.replace(NANO.stages[0], steps=20, patience=3)
    recipe = dataclasses.replace(
        NANO, stages=(stage, dataclasses.replace(stage, steps=4)), validate_every=2
    )
    train(recipe, [pictures], tmp_path / "run")
    looks = [(row["stage"], row["step"]) for row in rows(tmp_path / "run", "val.error")]
    # Three looks after the best one (0.8 at step 4) the first stage is over.
    assert looks == [(0, 2), (0, 4), (0, 6), (0, 8), (0, 10), (1, 12), (1, 14)]
    assert RunDir(tmp_path / "run").load()["step"] == 14


def test_a_collapse_stops_with_the_last_good_checkpoint(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = FlagshipTask.predict

    def collapsing(self, batch):
        calls.append(1)
        lab = real(self, batch)
        return torch.cat([lab[:, :1], lab[:, 1:] * 0], dim=1) if len(calls) > 3 else lab

    calls: list[int] = []
    monkeypatch.setattr(FlagshipTask, "predict", collapsing)
    recipe = dataclasses.replace(
        NANO,
        limits={"val.chroma": (1e-6, 50.0)},
        limit_patience=3,
        validate_every=2,
        save_every=2,
        data=dataclasses.replace(NANO.data, val_pictures=8),
    )
    with pytest.raises(TrainingError, match=r"collapsed: val\.chroma is 0, not 1e-06 to 50"):
        train(recipe, [pictures], tmp_path / "run")
    assert [row["step"] for row in rows(tmp_path / "run", "val.chroma")] == [2, 4, 6, 8, 10, 12]
    state = RunDir(tmp_path / "run").load()
    assert state["step"] == 6
    assert state["early_stopping"]["outside"] == 0


def test_a_good_look_forgives_earlier_ones() -> None:
    recipe = dataclasses.replace(NANO, limits={"val.error": (0.0, 2.0)})
    watch = EarlyStopping()
    assert "val.error is 3" in watch.update({"val.error": 3.0}, recipe)
    assert watch.outside == 1
    assert watch.update({"val.error": 1.0}, recipe) == ""
    assert (watch.outside, watch.best, watch.stale) == (0, 1.0, 0)
    assert "nan" in watch.update({"val.error": math.nan}, recipe)
    assert (watch.outside, watch.stale) == (1, 1)
    assert EarlyStopping(**watch.state()) == watch


def test_figures_of_both_players_are_logged(pictures: Path, tmp_path: Path) -> None:
    recipe = recipes.get("pix2pix-gray", {"stages.0.turns.discriminator": "2"}, size="nano")
    train(recipe, [pictures], tmp_path / "run")
    trained = rows(tmp_path / "run", "train.d_loss")
    held = rows(tmp_path / "run", "val.d_loss")
    names = {"d_loss", "d_accuracy", "g_loss", "g_accuracy"}
    assert trained
    assert held
    for row, kind in ((trained[-1], "train"), (held[-1], "val")):
        found = {name: row[f"{kind}.{name}"] for name in names}
        assert all(math.isfinite(value) for value in found.values())
        assert all(0 <= found[name] <= 1 for name in names if name.endswith("accuracy"))


def test_a_player_plays_at_every_nth_step(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    played: list[tuple[int, str]] = []
    real = Trainer._backward

    def counted(self, stage, player, batch):
        played.append((self.step, player))
        return real(self, stage, player, batch)

    monkeypatch.setattr(Trainer, "_backward", counted)
    overrides = {"stages.0.turns.discriminator": "2", "stages.0.steps": "7"}
    train(recipes.get("pix2pix-gray", overrides, size="nano"), [pictures], tmp_path / "run")
    assert [step for step, player in played if player == "discriminator"] == [0, 2, 4, 6]
    assert [step for step, player in played if player != "discriminator"] == list(range(7))
