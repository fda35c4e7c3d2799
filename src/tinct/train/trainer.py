"""The only training loop, on Lightning Fabric: one processor, one GPU, or several processes by DDP.

It knows stages, players, precision, gradient clipping, weight averaging, schedules, validation and
resuming, and nothing of any family. Whatever is random is a function of (seed, stage, step), so a
resumed run equals an uninterrupted one.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, cast

import torch
from lightning_fabric import Fabric
from lightning_fabric.strategies.ddp import DDPStrategy
from torch import Tensor, nn
from torch.utils.tensorboard import SummaryWriter

from tinct.errors import TrainingError
from tinct.train.data.batches import Pictures, RawBatch, stage_batches, to_batch
from tinct.train.families import build_task
from tinct.train.optimization import (
    EMA,
    build_optimizers,
    choose_precision,
    learning_rate,
    only,
    prepare_stage,
)
from tinct.train.recipe import Recipe, Stage
from tinct.train.rundir import RunDir
from tinct.train.task import Batch, Task
from tinct.train.validation import EarlyStopping, validate
from tinct.train.warm_start import find_start, warm_start

LOG_EVERY = 50


class Turn(nn.Module):
    """Give a task's losses a ``forward``, which is what data-parallel wrappers hook into."""

    def __init__(self, task: Task) -> None:
        super().__init__()
        self.task = task

    def forward(self, loss: Callable[[], dict[str, Tensor]]) -> dict[str, Tensor]:
        """Return what ``loss()`` returns; Fabric leaves what is inside a function as it is."""
        return loss()


class Trainer:
    """Train one recipe in one folder.

    Args:
        recipe: what to train.
        data: folders, each perhaps with ``=WEIGHT``.
        out: the run's folder.
        resume: go on where the run in ``out`` stopped.
        start: a run or a bundle whose weights a new run begins with.
        new: parts of the network that ``start`` does not have.
        anew: parts that begin anew although ``start`` has them.
    """

    def __init__(
        self,
        recipe: Recipe,
        *,
        data: Sequence[str | Path],
        out: Path,
        resume: bool = False,
        start: Path | None = None,
        new: Sequence[str] = (),
        anew: Sequence[str] = (),
    ) -> None:
        self.recipe = recipe
        self.precision = choose_precision(recipe.precision)
        # One process unless torchrun says otherwise.
        world = int(os.environ.get("WORLD_SIZE", "1"))
        local = int(os.environ.get("LOCAL_WORLD_SIZE", world))
        self.fabric = Fabric(
            accelerator="auto",
            devices=local,
            num_nodes=world // local,
            strategy=DDPStrategy(find_unused_parameters=True) if world > 1 else "auto",
            precision=cast(Any, self.precision),
        )
        self.fabric.launch()
        self.fabric.print(f"training in {self.precision} on {self.fabric.device}", flush=True)
        torch.manual_seed(recipe.seed)
        if start is not None:
            start = find_start(start)  # before pictures are decoded for minutes
        self.pictures = Pictures(data, recipe=recipe.data, seed=recipe.seed)
        self.run = RunDir(out)
        if self.fabric.is_global_zero:
            used = [
                {
                    "name": source.name,
                    "pictures": source.count + source.held_count,
                    "skipped": source.skipped,
                    "weight": source.weight,
                    "license": "not stated",
                }
                for source in self.pictures.sources
            ]
            self.run.begin(recipe, used, resume=resume)
        self.fabric.barrier()
        self.task = build_task(recipe)
        self.task.to(memory_format=torch.channels_last)
        self.task.to(self.fabric.device)
        if world > 1 and self.fabric.device.type == "cuda":
            convert: Any = nn.SyncBatchNorm.convert_sync_batchnorm
            convert(self.task)
        if start is not None and not resume:

            def batch(number: int) -> Batch:
                size = recipe.stages[0].size
                return self._batch(self.pictures.batch(0, number, size=size, count=32))

            for line in warm_start(self.task, start, new=new, anew=anew, pictures=batch):
                self.fabric.print(line, flush=True)
        self.ema = EMA(self.task, recipe.optimizer.ema)
        self.optimizers = build_optimizers(self.task, recipe)
        self.stage_number, self.step, self.total, self.seen = 0, 0, 0, 0
        self.spent = 0.0  # seconds in the present stage
        self.early_stopping = EarlyStopping()
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

    def _batch(self, raw: RawBatch) -> Batch:
        """Return a batch of the training on the device."""
        return to_batch(
            raw,
            device=self.fabric.device,
            task=self.recipe.task,
            degraded=self.recipe.data.degraded,
            penciled=self.recipe.data.penciled,
            training=True,
        )

    def _restore(self, state: dict[str, Any]) -> None:
        self.task.load_state_dict(state["module"], strict=True)
        for key, value in state["ema"].items():
            self.ema.state[key].copy_(value)
        for name, optimizer in self.optimizers.items():
            optimizer.load_state_dict(state["optimizers"][name])
        self.stage_number, self.step = state["stage"], state["stage_step"]
        self.total, self.seen = state["step"], state["seen"]
        self.spent = state.get("stage_seconds", 0.0)
        self.early_stopping = EarlyStopping(**state["early_stopping"])
        self.fabric.strategy.precision.load_state_dict(state["precision"])
        if self.fabric.is_global_zero:
            self.run.trim(self.total)

    def _save(self) -> None:
        if self.fabric.is_global_zero:
            state = {
                "module": self.task.state_dict(),
                "ema": self.ema.state,
                "optimizers": {name: o.state_dict() for name, o in self.optimizers.items()},
                "stage": self.stage_number,
                "stage_step": self.step,
                "stage_seconds": self.spent,
                "step": self.total,
                "seen": self.seen,
                "early_stopping": self.early_stopping.state(),
                "precision": self.fabric.strategy.precision.state_dict(),
            }
            self.run.save(state)
        self.fabric.barrier()

    def fit(self) -> None:
        """Train all stages to their end.

        Raises:
            TrainingError: a loss is not finite, or figures stayed outside the recipe's limits; the
                last good checkpoint is kept.
        """
        while self.stage_number < len(self.recipe.stages):
            stage = self.recipe.stages[self.stage_number]
            prepare_stage(self.task, stage)
            self._fit_stage(stage)
            self.stage_number, self.step, self.spent = self.stage_number + 1, 0, 0.0
            self.early_stopping = EarlyStopping(outside=self.early_stopping.outside)
            self._save()
        if self.writer is not None:
            self.writer.close()

    def _fit_stage(self, stage: Stage) -> None:
        sums: dict[str, list[float]] = {}
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
        started = time.perf_counter() - self.spent
        for raw in batches:
            torch.manual_seed(hash((self.recipe.seed, self.stage_number, self.step)) & 0x7FFFFFFF)
            batch = self._batch(raw)
            lr = learning_rate(stage, self._place(stage))
            for name, value in self._turns(stage, batch, lr).items():
                sums.setdefault(name, []).append(value)
            self.ema.update(self.task, self.total)
            self.step, self.total = self.step + 1, self.total + 1
            self.seen, since = self.seen + stage.batch, since + 1
            self.spent = time.perf_counter() - started
            last = self._place(stage) >= stage.steps
            if since == LOG_EVERY or last:
                speed = since * stage.batch / (time.perf_counter() - begun)
                told = self._over_all(_means(sums) | self._seen(batch))
                self._log({**told, "lr": lr, "pictures_per_s": speed})
                sums, since, begun = {}, 0, time.perf_counter()
            if self.total % self.recipe.validate_every == 0 or last:
                paused = time.perf_counter()
                self._validate(stage)
                begun += time.perf_counter() - paused
            if self.total % self.recipe.save_every == 0 and not self.early_stopping.outside:
                self._save()
            if stage.patience and self.early_stopping.stale >= stage.patience:
                self.fabric.print(f"stage {self.stage_number} ends at a plateau", flush=True)
                break
            if last:
                break

    def _place(self, stage: Stage) -> int:
        """Return how far a stage has come, in steps: by the clock where it has one."""
        if not stage.minutes:
            return self.step
        share: float = self.fabric.broadcast(self.spent / (60 * stage.minutes))
        return max(self.step, round(share * stage.steps))

    def _turns(self, stage: Stage, batch: Batch, lr: float) -> dict[str, float]:
        """Let every player take one step; return the loss terms and gradient norms as numbers."""
        told: dict[str, float] = {}
        for player in self.task.players():
            if not stage.plays(player.name, self.step):
                continue
            optimizer = self.stepping[player.name]
            for group in optimizer.param_groups:
                group["lr"] = lr * stage.lr_scale.get(group["name"], 1.0)
            optimizer.zero_grad(set_to_none=True)
            with only(self.task, player.name):
                terms = self._backward(stage, player.name, batch)
            told |= terms
            if self.recipe.optimizer.clip:
                norm = self.fabric.clip_gradients(
                    self.turn,
                    optimizer,
                    max_norm=self.recipe.optimizer.clip,
                    error_if_nonfinite=False,
                )
                told[f"{player.name}.gradient"] = float(cast(Tensor, norm))
            # In 16-bit precision a gradient may overflow: the loss scale shrinks, no step is taken.
            half = self.precision == "16-mixed"
            if not all(math.isfinite(v) for v in (terms if half else told).values()):
                raise TrainingError(
                    f"The loss is not finite at step {self.total} ({told}); start a new run with "
                    f"--set stages.{self.stage_number}.lr={lr / 3:.2g}. The weights of the last "
                    f"checkpoint are kept in {self.run.checkpoint}."
                )
            optimizer.step()
        return told

    def _backward(self, stage: Stage, player: str, batch: Batch) -> dict[str, float]:
        """Gather a player's gradients over the parts of a batch; return its loss terms."""
        told: dict[str, float] = {}
        parts = stage.accumulate
        for part in range(parts):
            with self.fabric.no_backward_sync(self.turn, enabled=part < parts - 1):
                terms = self.turn(partial(self.task.loss, player, batch.every(part, parts), stage))
                loss = torch.stack(list(terms.values())).sum() / parts
                self.fabric.backward(loss)
            for name, value in terms.items():
                key = f"{player}.{name}"
                told[key] = told.get(key, 0.0) + float(value.detach()) / parts
        return told

    def _over_all(self, row: dict[str, float]) -> dict[str, float]:
        """Return the means over all processes, each of which saw its part of the batches."""
        if self.fabric.world_size == 1:
            return row
        mine = torch.tensor(list(row.values()), dtype=torch.float64, device=self.fabric.device)
        means = cast(Tensor, self.fabric.all_reduce(mine, reduce_op="mean"))
        return dict(zip(row, means.tolist(), strict=True))

    @torch.no_grad()
    def _seen(self, batch: Batch) -> dict[str, float]:
        """Return the task's own figures on a batch of the training."""
        self.task.eval()
        with self.fabric.autocast():
            figures = self.task.figures(batch)
        prepare_stage(self.task, self.recipe.stages[self.stage_number])
        return {f"train.{name}": float(value) for name, value in figures.items()}

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
        """Look at held-out pictures with the averaged weights.

        Raises:
            TrainingError: figures stayed outside the recipe's limits for too many validations.
        """
        odd = ""
        if self.writer is not None:
            odd = self._validate_once(stage)
        # One process looks; all of them must draw the same conclusions.
        state, odd = self.fabric.broadcast((self.early_stopping.state(), odd))
        self.early_stopping = EarlyStopping(**state)
        if self.early_stopping.outside >= self.recipe.limit_patience:
            raise TrainingError(
                f"Training collapsed: {odd}, at {self.early_stopping.outside} validations in a row "
                f"(step {self.total}). The last good checkpoint is kept in {self.run.checkpoint}; "
                f"start a new run with --set stages.{self.stage_number}.lr={stage.lr / 3:.2g}."
            )

    def _validate_once(self, stage: Stage) -> str:
        """Log the figures and the sample grid; return what is outside its limits, in words."""
        module = self.task
        present = {key: value.clone() for key, value in module.state_dict().items()}
        if self.recipe.optimizer.ema:
            module.load_state_dict(self.ema.state, strict=True)
        module.eval()
        row, samples = validate(
            self.task, self.pictures, self.recipe, size=stage.size, fabric=self.fabric
        )
        module.load_state_dict(present, strict=True)
        prepare_stage(self.task, stage)
        if not row:
            return ""
        grid = self.run.sample(f"{self.total:07d}", samples)
        assert self.writer is not None
        self.writer.add_image("input, model, truth", grid, self.total, dataformats="HWC")
        self._log(row)
        return self.early_stopping.update(row, self.recipe)


def _means(sums: dict[str, list[float]]) -> dict[str, float]:
    return {name: sum(values) / len(values) for name, values in sums.items()}


def train(
    recipe: Recipe,
    data: Sequence[str | Path],
    out: Path,
    *,
    resume: bool = False,
    start: Path | None = None,
    new: Sequence[str] = (),
    anew: Sequence[str] = (),
) -> None:
    """Train a recipe.

    Args:
        recipe: from :mod:`tinct.train.recipes`.
        data: folders of color pictures, each perhaps with ``=WEIGHT``.
        out: the run's folder, see :mod:`tinct.train.rundir`.
        resume: go on where the run in ``out`` stopped.
        start: a run or a bundle whose weights a new run begins with, see
            :func:`tinct.train.warm_start.warm_start`; nothing to a run that is resumed.
        new: beginnings of the names of weights that ``start`` does not have.
        anew: the same of weights that begin anew although ``start`` has them.

    Raises:
        TrainingError: a folder is missing or empty, the run exists already, the weights of
            ``start`` do not fit, the loss is not finite, or training collapsed.
        UsageError: the recipe is wrong.
    """
    Trainer(recipe, data=data, out=out, resume=resume, start=start, new=new, anew=anew).fit()
