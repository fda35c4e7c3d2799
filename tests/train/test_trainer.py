from __future__ import annotations

import itertools
import json
import math
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tinct.errors import TrainingError
from tinct.train import recipes
from tinct.train.recipe import Stage
from tinct.train.rundir import RunDir
from tinct.train.trainer import EMA, Trainer, build_task, learning_rate, prepare_stage, train

NANO = recipes.get("flagship-photo", size="nano")


def test_same_seed_same_weights(pictures: Path, nano_run: Path, tmp_path: Path) -> None:
    train(NANO, [pictures], tmp_path / "again")
    one, two = RunDir(nano_run).load(), RunDir(tmp_path / "again").load()
    assert one["step"] == two["step"] == 20
    for key, value in one["ema"].items():
        assert torch.equal(value, two["ema"][key]), key


def test_resumed_run_equals_an_uninterrupted_one(
    pictures: Path, nano_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Trainer._turns

    def interrupted(self, stage, batch, lr):
        if self.total == 13:
            raise KeyboardInterrupt
        return real(self, stage, batch, lr)

    monkeypatch.setattr(Trainer, "_turns", interrupted)
    with pytest.raises(KeyboardInterrupt):
        train(NANO, [pictures], tmp_path / "run")
    monkeypatch.undo()
    assert RunDir(tmp_path / "run").load()["step"] == 10
    with pytest.raises(TrainingError, match="--resume"):
        train(NANO, [pictures], tmp_path / "run")
    train(NANO, [pictures], tmp_path / "run", resume=True)
    one, two = RunDir(nano_run).load(), RunDir(tmp_path / "run").load()
    for key, value in one["module"].items():
        assert torch.allclose(value, two["module"][key], atol=1e-6), key
    steps = [
        json.loads(line)["step"]
        for line in RunDir(tmp_path / "run").metrics.read_text().splitlines()
    ]
    assert steps == sorted(steps)


def test_resume_wants_the_same_recipe_and_a_run(
    pictures: Path, nano_run: Path, tmp_path: Path
) -> None:
    other = recipes.get("flagship-photo", {"seed": "3"}, size="nano")
    with pytest.raises(TrainingError, match="another recipe"):
        train(other, [pictures], nano_run, resume=True)
    with pytest.raises(TrainingError, match="no run"):
        train(NANO, [pictures], tmp_path / "none", resume=True)


def test_run_leaves_what_it_promises(nano_run: Path) -> None:
    assert RunDir(nano_run).recipe() == NANO
    assert RunDir(nano_run).data()[0]["pictures"] == 24
    assert RunDir(nano_run).data()[0]["skipped"] == 2
    rows = [json.loads(line) for line in (nano_run / "metrics.jsonl").read_text().splitlines()]
    assert {"net.ab", "net.bins", "lr"} <= rows[-2].keys()
    assert {"val.error", "val.chroma"} <= rows[-1].keys()
    assert sorted(p.name for p in (nano_run / "samples").iterdir()) == [
        "0000010.jpg",
        "0000020.jpg",
    ]
    assert list((nano_run / "tensorboard").iterdir())


def test_frozen_groups_do_not_move(pictures: Path, tmp_path: Path) -> None:
    recipe = recipes.get(
        "flagship-photo",
        {"stages.0.freeze": '["encoder.early"]', "stages.0.steps": "3"},
        size="nano",
    )
    trainer = Trainer(recipe, data=[pictures], out=tmp_path / "run", resume=False)
    before = {key: value.clone() for key, value in trainer.task.state_dict().items()}
    trainer.fit()
    after = trainer.task.state_dict()
    early = [k for k in before if k.startswith(("net.encoder.conv_stem", "net.encoder.blocks.1."))]
    assert early
    assert all(torch.equal(before[key], after[key]) for key in early)
    late = [k for k in before if "encoder.blocks.6" in k and k.endswith("weight")]
    assert late
    assert any(not torch.equal(before[key], after[key]) for key in late)


def test_unknown_group_is_named() -> None:
    task = build_task(NANO)
    with pytest.raises(TrainingError, match=r"encoder\.middle"):
        prepare_stage(task, Stage(size=32, steps=1, freeze=("encoder.middle",)))


def test_nan_stops_with_the_checkpoint_kept(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tinct.train.families.flagship import FlagshipTask

    real = FlagshipTask.loss
    calls = []

    def poisoned(self, player, batch, stage):
        calls.append(1)
        terms = real(self, player, batch, stage)
        return {**terms, "ab": terms["ab"] * math.nan} if len(calls) > 12 else terms

    monkeypatch.setattr(FlagshipTask, "loss", poisoned)
    with pytest.raises(TrainingError, match="not finite"):
        train(NANO, [pictures], tmp_path / "run")
    state = RunDir(tmp_path / "run").load()
    assert state["step"] == 10
    assert all(bool(torch.isfinite(v).all()) for v in state["module"].values())


def test_batch_that_cannot_be_split_is_refused(pictures: Path, tmp_path: Path) -> None:
    recipe = recipes.get("flagship-photo", {"stages.0.accumulate": "3"}, size="nano")
    with pytest.raises(TrainingError, match="cannot be split"):
        train(recipe, [pictures], tmp_path / "run")


def test_schedule_rises_and_falls_along_a_cosine() -> None:
    stage = Stage(size=32, steps=100, lr=2.0, warmup=0.1, final=0.1)
    rates = [learning_rate(stage, step) for step in range(100)]
    assert rates[:10] == pytest.approx([0.2 * (i + 1) for i in range(10)])
    half = torch.optim.lr_scheduler.CosineAnnealingLR(
        torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=2.0), T_max=90, eta_min=0.2
    )
    expected = []
    for _ in range(90):
        expected.append(half.get_last_lr()[0])
        half.optimizer.step()
        half.step()
    assert rates[10:] == pytest.approx(expected, rel=1e-6)


def test_average_follows_the_formula() -> None:
    module = torch.nn.Linear(1, 1, bias=False)
    average = EMA(module, 0.5)
    start = float(module.weight.detach())
    with torch.no_grad():
        module.weight.fill_(start + 1)
    average.update(module, 0)  # decay (1 + 0) / (10 + 0) = 0.1
    assert float(average.state["weight"]) == pytest.approx(start + 0.9)
    average.update(module, 10_000)  # decay 0.5
    assert float(average.state["weight"]) == pytest.approx(start + 0.95)


def test_accumulation_equals_one_large_batch(pictures: Path, tmp_path: Path) -> None:
    """Two halves of a batch give the gradient of the whole, normalization statistics aside."""
    recipe = recipes.get("flagship-photo", {"stages.0.steps": "1"}, size="nano")
    trainer = Trainer(recipe, data=[pictures], out=tmp_path / "run", resume=False)
    trainer.task.eval()
    raw = trainer.pictures.batch(0, 0, size=32, count=4)
    from tinct.train.data.batches import to_batch

    batch = to_batch(raw, device=torch.device("cpu"), degraded=0.0)
    net = trainer.task.net

    def gradient(parts: int) -> torch.Tensor:
        net.zero_grad()
        for part in range(parts):
            piece = batch.every(part, parts)
            (trainer.task.loss("net", piece)["ab"] / parts).backward()
        return net.to_ab.weight.grad.clone()

    assert torch.allclose(gradient(1), gradient(2), atol=1e-6)


TWO_PROCESSES = """
import dataclasses, json, sys
from pathlib import Path
import torch
from tinct.train import recipes, trainer

pictures, out = Path(sys.argv[1]), Path(sys.argv[2])
torch.set_num_threads(1)
recipe = recipes.get("flagship-photo", {"stages.0.steps": "3"}, size="nano")
first, second = recipe.stages[0], recipe.stages[0]
first = dataclasses.replace(first, freeze=("encoder.early",))
recipe = dataclasses.replace(recipe, stages=(first, second), validate_every=100)
two = trainer.Trainer(recipe, data=[pictures], out=out / "weights", resume=False)
before = two.task.net.encoder.conv_stem.weight.detach().clone()
two.fit()
weights = [float(p.detach().double().sum()) for p in two.task.net.parameters()]
moved = bool((two.task.net.encoder.conv_stem.weight != before).any())
told = {"world": two.fabric.world_size, "weights": weights, "moved": moved}
(out / f"rank{two.fabric.global_rank}.json").write_text(json.dumps(told))

trainer.LOG_EVERY = 1
recipe = recipes.get("autoencoder", {"stages.0.steps": "12"}, size="nano")
trainer.train(recipe, [pictures], out / "curve")
torch.distributed.destroy_process_group()  # else its threads may end the process by an abort
"""


@pytest.fixture(scope="module")
def by_two(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of what two processes left."""
    folder = tmp_path_factory.mktemp("two")
    script = folder / "two.py"
    script.write_text(TWO_PROCESSES)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command += ["--nproc-per-node", "2", str(script), str(pictures), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return folder


def test_two_processes_keep_the_same_weights(by_two: Path) -> None:
    """Also those of layers that only a later stage lets move."""
    one, two = (json.loads((by_two / f"rank{rank}.json").read_text()) for rank in (0, 1))
    assert one["world"] == two["world"] == 2
    assert one["moved"]
    assert one["weights"] == pytest.approx(two["weights"], abs=1e-9)


def test_two_processes_give_the_loss_curve_of_one(
    by_two: Path, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The autoencoder normalizes nothing over a batch, so that not even that is in the way."""
    monkeypatch.setattr("tinct.train.trainer.LOG_EVERY", 1)
    recipe = recipes.get("autoencoder", {"stages.0.steps": "12"}, size="nano")
    train(recipe, [pictures], tmp_path / "one")
    curves = []
    for run in (tmp_path / "one", by_two / "curve"):
        rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
        terms = sorted(key for key in rows[0] if key.startswith("net."))
        curves.append([row[key] for row in rows if terms[0] in row for key in terms])
    assert len(curves[0]) >= 12
    assert len(set(curves[0])) >= 12
    assert curves[0] == pytest.approx(curves[1], rel=1e-4)


def test_a_stage_may_end_by_the_clock_with_its_rate_at_the_end(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second goes by at every look at the clock; a minute ends the stage, also when resumed."""
    looks = itertools.count()
    monkeypatch.setattr("tinct.train.trainer.time.perf_counter", lambda: float(next(looks)))
    monkeypatch.setattr("tinct.train.trainer.LOG_EVERY", 1)
    more = {"stages.0.steps": "1000", "stages.0.minutes": "1", "save_every": "5"}
    recipe = recipes.get("flagship-photo", more, size="nano")
    train(recipe, [pictures], tmp_path / "run")
    lines = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    rates = [row["lr"] for row in map(json.loads, lines) if "lr" in row]
    assert 10 < len(rates) < 60
    assert rates[-1] < 0.1 * max(rates)
    assert RunDir(tmp_path / "run").load()["stage"] == 1
    rises = sum(one < other for one, other in itertools.pairwise(rates))
    assert rises <= 0.1 * len(rates) + 1  # the warm-up


def test_a_stage_of_recognition_moves_the_late_encoder_alone(
    pictures: Path, nano_run: Path, tmp_path: Path
) -> None:
    settings = {
        "stages.0.steps": "60",
        "stages.0.size": "64",
        "stages.0.batch": "8",
        "stages.0.lr": "5e-4",
        "stages.0.terms": '{"recognition": 1.0}',
        "stages.0.freeze": '["encoder.early", "decoder"]',
        "validate_every": "1000",
    }
    train(
        recipes.get("flagship-photo", settings, size="nano"),
        [pictures],
        tmp_path / "run",
        start=nano_run,
    )
    before, after = RunDir(nano_run).load()["ema"], RunDir(tmp_path / "run").load()["module"]
    late = [f"net.encoder.blocks.{n}." for n in (3, 4, 5, 6)]
    moved = {key for key, value in after.items() if not torch.equal(value, before[key])}
    assert moved
    assert all(any(key.startswith(part) for part in late) for key in moved)
    rows = [json.loads(line) for line in (tmp_path / "run/metrics.jsonl").read_text().splitlines()]
    told = [row for row in rows if "net.recognition" in row]
    assert told[-1]["net.recognition"] < told[0]["net.recognition"]
    assert all(0 <= row["train.recognized"] <= 1 for row in told)
    assert "net.ab" not in told[-1]
