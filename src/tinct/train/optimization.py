"""How weights move: learning rates, optimizers, what is frozen in a stage, weight averaging."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import nn

from tinct.errors import TrainingError
from tinct.train.recipe import Recipe, Stage
from tinct.train.task import Task

CPU_FACTS = Path("/proc/cpuinfo")  # on Linux
BFLOAT16_FLAGS = ("amx_bf16", "avx512_bf16")


def choose_precision(wanted: str) -> str:
    """Return the precision to train in; ``auto`` asks the machine.

    On processors that multiply bfloat16 (AMX or AVX-512: ``amx_bf16``, ``avx512_bf16`` in
    ``/proc/cpuinfo``) it trains faster, on others it is many times slower than float32.
    """
    if wanted != "auto":
        return wanted
    if torch.cuda.is_available():
        return "bf16-mixed" if torch.cuda.is_bf16_supported() else "32-true"
    facts = CPU_FACTS.read_text() if CPU_FACTS.is_file() else ""
    return "bf16-mixed" if any(flag in facts for flag in BFLOAT16_FLAGS) else "32-true"


class EMA:
    """An exponential moving average of all weights and normalization statistics.

    Args:
        module: what is averaged.
        decay: of the average; the first steps use less, (1 + t) / (10 + t).
    """

    def __init__(self, module: nn.Module, decay: float) -> None:
        self.decay = decay
        self.state = {key: value.detach().clone() for key, value in module.state_dict().items()}

    @torch.no_grad()
    def update(self, module: nn.Module, step: int) -> None:
        """Move the average towards the module's present weights."""
        decay = min(self.decay, (1 + step) / (10 + step))
        for key, value in module.state_dict().items():
            held = self.state[key]
            if held.is_floating_point():
                held.lerp_(value, 1 - decay)
            else:
                held.copy_(value)


def learning_rate(stage: Stage, step: int) -> float:
    """Return the rate of a step: a linear rise, then what ``stage.schedule`` says."""
    rise = max(1, round(stage.warmup * stage.steps))
    if stage.warmup and step < rise:
        return stage.lr * (step + 1) / rise
    if stage.schedule == "constant":
        return stage.lr
    if stage.schedule == "linear":
        half = stage.steps / 2
        along = max(0.0, (step - half) / half)
        return stage.lr * (1 - (1 - stage.final) * along)
    along = (step - rise) / max(1, stage.steps - rise)
    return stage.lr * (stage.final + (1 - stage.final) * 0.5 * (1 + math.cos(math.pi * along)))


def build_optimizers(task: Task, recipe: Recipe) -> dict[str, torch.optim.Optimizer]:
    """Return one AdamW per player; matrices and kernels decay, biases and scales do not."""
    made: dict[str, torch.optim.Optimizer] = {}
    for player in task.players():
        groups: list[dict[str, Any]] = []
        for name, parameters in player.groups.items():
            for decays in (True, False):
                chosen = [p for p in parameters if (p.ndim > 1) == decays]
                decay = recipe.optimizer.weight_decay if decays else 0.0
                if chosen:
                    groups.append({"params": chosen, "weight_decay": decay, "name": name})
        made[player.name] = torch.optim.AdamW(groups, lr=1e-3, betas=recipe.optimizer.betas)
    return made


def prepare_stage(task: Task, stage: Stage) -> None:
    """Set every group to moving or, in evaluation mode, to frozen."""
    known: set[str] = set()
    for player in task.players():
        for name, parameters in player.groups.items():
            known.add(name)
            for parameter in parameters:
                parameter.requires_grad_(name not in stage.freeze)
    unknown = (set(stage.freeze) | set(stage.lr_scale)) - known
    if unknown:
        raise TrainingError(
            f"No parameter group is called {sorted(unknown)[0]!r}; "
            f"there are {', '.join(sorted(known))}."
        )
    task.train()
    for part in task.frozen(stage.freeze):
        part.eval()


@contextmanager
def only(task: Task, player: str) -> Iterator[None]:
    """Let only one player's parameters gather gradients; afterwards all is as it was."""
    others = [
        parameter
        for other in task.players()
        if other.name != player
        for parameters in other.groups.values()
        for parameter in parameters
        if parameter.requires_grad
    ]
    for parameter in others:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in others:
            parameter.requires_grad_(True)
