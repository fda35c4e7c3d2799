"""The only training loop, on Lightning Fabric: one processor, one GPU, or several processes by DDP.

It knows stages, players, precision, gradient clipping, weight averaging, schedules, validation and
resuming, and nothing of any family. Whatever is random is a function of (seed, stage, step), so a
resumed run equals an uninterrupted one.
"""

from __future__ import annotations

import importlib
import math
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import torch
from lightning.fabric import Fabric
from lightning.fabric.strategies.ddp import DDPStrategy
from torch import Tensor, nn
from torch.utils.tensorboard import SummaryWriter

from tinct.errors import TrainingError
from tinct.train.data import Pictures, split_source, stage_batches, to_batch
from tinct.train.recipe import Recipe, Stage
from tinct.train.rundir import RunDir
from tinct.train.task import Batch, Task

LOG_EVERY = 50


class Turn(nn.Module):
    """Give a task's losses a ``forward``, which is what data-parallel wrappers hook into."""

    def __init__(self, task: Task) -> None:
        super().__init__()
        self.task = task
        self.module = task.module

    def forward(self, player: str, batch: Batch) -> dict[str, Tensor]:
        """Return the player's loss terms."""
        return self.task.loss(player, batch)


class Average:
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
    """Return the rate of a step: a linear rise, then half a cosine down to ``stage.final``."""
    rise = max(1, round(stage.warmup * stage.steps))
    if step < rise:
        return stage.lr * (step + 1) / rise
    along = (step - rise) / max(1, stage.steps - rise)
    return stage.lr * (stage.final + (1 - stage.final) * 0.5 * (1 + math.cos(math.pi * along)))


def build_task(recipe: Recipe) -> Task:
    """Build the task of a recipe from its family's module."""
    family = importlib.import_module(f"tinct.train.families.{recipe.family}")
    return cast(Task, family.build(recipe))


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
    """Set every group to moving or frozen; frozen ones stay in evaluation mode."""
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
    task.module.train()
    for part in task.frozen(stage.freeze):
        part.eval()


class Trainer:
    """Train one recipe in one folder.

    Args:
        recipe: what to train.
        data: folders, each perhaps with ``=WEIGHT``.
        out: the run's folder.
        resume: go on where the run in ``out`` stopped.
    """

    def __init__(
        self, recipe: Recipe, *, data: Sequence[str | Path], out: Path, resume: bool
    ) -> None:
        self.recipe = recipe
        # One process unless torchrun says otherwise.
        world = int(os.environ.get("WORLD_SIZE", "1"))
        local = int(os.environ.get("LOCAL_WORLD_SIZE", world))
        self.fabric = Fabric(
            accelerator="auto",
            devices=local,
            num_nodes=world // local,
            strategy=DDPStrategy(find_unused_parameters=True) if world > 1 else "auto",
            precision=cast(Any, recipe.precision),
        )
        self.fabric.launch()
        torch.manual_seed(recipe.seed)
        self.pictures = Pictures(data, recipe=recipe.data, seed=recipe.seed)
        self.run = RunDir(out)
        if self.fabric.is_global_zero:
            used = [
                {
                    "name": folder.name,
                    "pictures": len(store),
                    "skipped": store.skipped,
                    "weight": split_source(text)[1],
                    "license": "not stated",
                }
                for text, folder, store in zip(
                    data, self.pictures.folders, self.pictures.stores, strict=True
                )
            ]
            self.run.begin(recipe, used, resume=resume)
        self.fabric.barrier()
        self.task = build_task(recipe)
        self.task.module.to(memory_format=torch.channels_last)
        self.task.module.to(self.fabric.device)
        self.average = Average(self.task.module, recipe.optimizer.ema)
        self.optimizers = build_optimizers(self.task, recipe)
        self.stage_number, self.step, self.total, self.seen = 0, 0, 0, 0
        if resume and self.run.checkpoint.is_file():
            self._restore(self.run.load())
        # Everything moves at this point: a data-parallel wrapper only averages the gradients of
        # parameters that it saw moving when it was made. Stages freeze afterwards.
        wrapped = self.fabric.setup(Turn(self.task), *self.optimizers.values())
        self.turn, players = wrapped[0], wrapped[1:]
        self.stepping = dict(zip(self.optimizers, players, strict=True))
        self.writer = (
            SummaryWriter(str(out / "tensorboard")) if self.fabric.is_global_zero else None
        )

    def _restore(self, state: dict[str, Any]) -> None:
        self.task.module.load_state_dict(state["module"], strict=True)
        for key, value in state["average"].items():
            self.average.state[key].copy_(value)
        for name, optimizer in self.optimizers.items():
            optimizer.load_state_dict(state["optimizers"][name])
        self.stage_number, self.step = state["stage"], state["stage_step"]
        self.total, self.seen = state["step"], state["seen"]
        self.fabric.strategy.precision.load_state_dict(state["precision"])
        if self.fabric.is_global_zero:
            self.run.trim(self.total)

    def _save(self) -> None:
        if self.fabric.is_global_zero:
            state = {
                "module": self.task.module.state_dict(),
                "average": self.average.state,
                "optimizers": {name: o.state_dict() for name, o in self.optimizers.items()},
                "stage": self.stage_number,
                "stage_step": self.step,
                "step": self.total,
                "seen": self.seen,
                "precision": self.fabric.strategy.precision.state_dict(),
            }
            self.run.save(state)
        self.fabric.barrier()

    def fit(self) -> None:
        """Train all stages to their end.

        Raises:
            TrainingError: a loss is not finite; the last checkpoint is kept.
        """
        while self.stage_number < len(self.recipe.stages):
            stage = self.recipe.stages[self.stage_number]
            prepare_stage(self.task, stage)
            self._fit_stage(stage)
            self.stage_number, self.step = self.stage_number + 1, 0
            self._save()
        if self.writer is not None:
            self.writer.close()

    def _fit_stage(self, stage: Stage) -> None:
        sums: dict[str, float] = {}
        since, begun = 0, time.perf_counter()
        world, rank = self.fabric.world_size, self.fabric.global_rank
        if stage.batch % (world * stage.accumulate):
            raise TrainingError(
                f"A batch of {stage.batch} cannot be split over {world} processes "
                f"and {stage.accumulate} parts; change stage.batch."
            )
        batches = stage_batches(
            self.pictures, stage, self.stage_number, start=self.step, rank=rank, world=world
        )
        for raw in batches:
            torch.manual_seed(hash((self.recipe.seed, self.stage_number, self.step)) & 0x7FFFFFFF)
            batch = to_batch(raw, device=self.fabric.device, degraded=self.recipe.data.degraded)
            lr = learning_rate(stage, self.step)
            for name, value in self._turns(stage, batch, lr).items():
                sums[name] = sums.get(name, 0.0) + value
            self.average.update(self.task.module, self.total)
            self.step, self.total = self.step + 1, self.total + 1
            self.seen, since = self.seen + stage.batch, since + 1
            if since == LOG_EVERY or self.step == stage.steps:
                speed = since * stage.batch / (time.perf_counter() - begun)
                means = {name: value / since for name, value in sums.items()}
                self._log({**means, "lr": lr, "pictures_per_s": speed})
                sums, since, begun = {}, 0, time.perf_counter()
            if self.total % self.recipe.validate_every == 0 or self.step == stage.steps:
                self._validate(stage)
                begun = time.perf_counter()
            if self.total % self.recipe.save_every == 0:
                self._save()

    def _turns(self, stage: Stage, batch: Batch, lr: float) -> dict[str, float]:
        """Let every player take one step; return the loss terms and gradient norms as numbers."""
        told: dict[str, float] = {}
        for player in self.task.players():
            optimizer = self.stepping[player.name]
            for group in optimizer.param_groups:
                group["lr"] = lr * stage.lr_scale.get(group["name"], 1.0)
            optimizer.zero_grad(set_to_none=True)
            parts = stage.accumulate
            for part in range(parts):
                piece = batch.every(part, parts)
                with self.fabric.no_backward_sync(self.turn, enabled=part < parts - 1):
                    terms = self.turn(player.name, piece)
                    loss = torch.stack(list(terms.values())).sum() / parts
                    self.fabric.backward(loss)
                for name, value in terms.items():
                    key = f"{player.name}.{name}"
                    told[key] = told.get(key, 0.0) + float(value.detach()) / parts
            norm = self.fabric.clip_gradients(
                self.turn, optimizer, max_norm=self.recipe.optimizer.clip, error_if_nonfinite=False
            )
            # In 16-bit precision a gradient may overflow: the loss scale shrinks, no step is taken.
            checked = list(told.values())
            if self.recipe.precision != "16-mixed":
                checked.append(float(cast(Tensor, norm)))
            if not all(math.isfinite(value) for value in checked):
                raise TrainingError(
                    f"The loss is not finite at step {self.total} ({told}); start a new run with "
                    f"--set stages.{self.stage_number}.lr={lr / 3:.2g}. The weights of the last "
                    f"checkpoint are kept in {self.run.checkpoint}."
                )
            told[f"{player.name}.gradient"] = float(cast(Tensor, norm))
            optimizer.step()
        return told

    def _log(self, row: dict[str, float]) -> None:
        if self.writer is None:
            return
        head = {"step": self.total, "stage": self.stage_number, "seen": self.seen}
        self.run.log({**head, **row})
        for name, value in row.items():
            self.writer.add_scalar(name, value, self.total)
        text = "  ".join(f"{name} {value:.4g}" for name, value in row.items())
        self.fabric.print(f"stage {self.stage_number} step {self.step}  {text}", flush=True)

    @torch.no_grad()
    def _validate(self, stage: Stage) -> None:
        """Look at held-out pictures with the averaged weights."""
        if self.writer is None:
            self.fabric.barrier()
            return
        module = self.task.module
        present = {key: value.clone() for key, value in module.state_dict().items()}
        if self.recipe.optimizer.ema:
            module.load_state_dict(self.average.state, strict=True)
        module.eval()
        row, samples = self._figures(stage)
        module.load_state_dict(present, strict=True)
        prepare_stage(self.task, stage)
        if samples:
            name = f"{self.total:07d}"
            grid = self.run.sample(name, samples)
            self.writer.add_image("gray, model, truth", grid, self.total, dataformats="HWC")
        self._log(row)
        self.fabric.barrier()

    def _figures(self, stage: Stage) -> tuple[dict[str, float], list[Tensor]]:
        """Return validation figures and the sample columns.

        ``val.error`` is the mean distance in Lab as a share of gray's; ``val.chroma`` the mean
        chroma as a share of the truth's.
        """
        ours, gray, chroma, true = 0.0, 0.0, 0.0, 0.0
        samples: list[Tensor] = []
        data = self.recipe.data
        batches = self.pictures.held_batches(size=stage.size, count=32, limit=data.val_pictures)
        for raw in batches:
            batch = to_batch(raw, device=self.fabric.device, degraded=0.0)
            with self.fabric.autocast():
                lab = self.task.predict(batch).float()
            truth = torch.cat([batch.lightness, batch.ab], dim=1)
            ours += float((lab - truth).norm(dim=1).mean()) * len(lab)
            gray += float(batch.ab.norm(dim=1).mean()) * len(lab)
            chroma += float(lab[:, 1:].norm(dim=1).mean()) * len(lab)
            true += float(batch.ab.norm(dim=1).mean()) * len(lab)
            if not samples:
                few = self.recipe.sample_pictures
                blank = torch.cat([batch.luma, torch.zeros_like(batch.ab)], dim=1)
                samples = [blank[:few], lab[:few], truth[:few]]
        if not samples:
            return {}, []
        return {"val.error": ours / gray, "val.chroma": chroma / true}, samples


def train(recipe: Recipe, data: Sequence[str | Path], out: Path, *, resume: bool = False) -> None:
    """Train a recipe.

    Args:
        recipe: from :mod:`tinct.train.recipes`.
        data: folders of color pictures, each perhaps with ``=WEIGHT``.
        out: the run's folder, see :mod:`tinct.train.rundir`.
        resume: go on where the run in ``out`` stopped.

    Raises:
        TrainingError: a folder is missing or empty, the run exists already, or the loss is not
            finite.
        UsageError: the recipe is wrong.
    """
    Trainer(recipe, data=data, out=out, resume=resume).fit()
