from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tinct.errors import UsageError
from tinct.train import optimization, recipes
from tinct.train.families import build_task
from tinct.train.optimization import learning_rate, only
from tinct.train.recipe import Stage


def test_linear_schedule_is_that_of_torch() -> None:
    stage = Stage(size=32, steps=100, lr=2.0, warmup=0.0, final=0.0, schedule="linear")
    # Constant for the first half, then linearly to zero, as pix2pix does.
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=2.0)
    half = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda s: 1 - max(0, s - 50) / 50)
    expected = []
    for _ in range(100):
        expected.append(half.get_last_lr()[0])
        optimizer.step()
        half.step()
    assert [learning_rate(stage, step) for step in range(100)] == pytest.approx(expected)


def test_constant_schedule_stays() -> None:
    stage = Stage(size=32, steps=100, lr=2.0, warmup=0.02, schedule="constant")
    assert [learning_rate(stage, step) for step in (0, 1, 2, 50, 99)] == [1.0, 2.0, 2.0, 2.0, 2.0]


def test_unknown_schedule_is_refused() -> None:
    with pytest.raises(UsageError, match="cosine, linear, constant"):
        Stage(size=32, steps=1, schedule="sine")


def test_only_one_player_gathers_gradients() -> None:
    task = build_task(recipes.get("pix2pix-gray", size="nano"))
    players = {
        player.name: [p for group in player.groups.values() for p in group]
        for player in task.players()
    }
    assert len(players) == 2
    kept = players["discriminator"][0]
    kept.requires_grad_(False)  # frozen by a stage: stays so
    for name in players:
        with only(task, name):
            for other, parameters in players.items():
                moving = [p.requires_grad for p in parameters if p is not kept]
                assert all(moving) if other == name else not any(moving)
    assert all(p.requires_grad for ps in players.values() for p in ps if p is not kept)
    assert not kept.requires_grad


@pytest.mark.parametrize(
    ("flags", "wanted"),
    [
        ("fpu avx2 amx_tile amx_bf16", "bf16-mixed"),
        ("fpu avx2 avx512f avx512_bf16", "bf16-mixed"),
        ("fpu avx2 avx512f", "32-true"),
    ],
)
def test_precision_follows_the_processor(
    flags: str, wanted: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cpuinfo").write_text(f"flags\t\t: {flags}\n")
    monkeypatch.setattr(optimization, "CPU_FACTS", tmp_path / "cpuinfo")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert optimization.choose_precision("auto") == wanted
    assert optimization.choose_precision("16-mixed") == "16-mixed"
    monkeypatch.setattr(optimization, "CPU_FACTS", tmp_path / "none")
    assert optimization.choose_precision("auto") == "32-true"
