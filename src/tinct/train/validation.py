"""Validate on held-out pictures while a network trains, and stop early.

``val.error`` is the mean distance in Lab as a share of that of the input, a gray photograph or an
uncolored drawing; ``val.chroma`` the mean chroma as a share of the truth's; a task's own figures
come beside them.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor

from tinct.train.data.batches import Pictures, to_batch
from tinct.train.recipe import Recipe
from tinct.train.task import Task

BATCH = 32


@torch.no_grad()
def validate(
    task: Task, pictures: Pictures, recipe: Recipe, *, size: int, fabric: Fabric
) -> tuple[dict[str, float], list[Tensor]]:
    """Return the figures, and the columns of the sample grid.

    Args:
        task: in evaluation mode.
        pictures: whose held-out part is used.
        recipe: how many of them, and what the network sees.
        size: side of the squares in pixels.
        fabric: device and precision.

    Returns:
        Figures by name, empty where nothing is held out; Lab batches: input, model, truth.
    """
    sums: dict[str, float] = {}
    ours = given = chroma = true = seen = 0.0
    samples: list[Tensor] = []
    limit = recipe.data.val_pictures
    for raw in pictures.held_batches(size=size, count=BATCH, limit=limit):
        batch = to_batch(raw, device=fabric.device, task=recipe.task)
        with fabric.autocast():
            lab = task.predict(batch).float()
            figures = task.figures(batch)
        truth = torch.cat([batch.lightness, batch.ab], dim=1)
        blank = torch.cat([batch.input_lightness, torch.zeros_like(batch.ab)], dim=1)
        ours += float((lab - truth).norm(dim=1).mean()) * len(lab)
        given += float((blank - truth).norm(dim=1).mean()) * len(lab)
        chroma += float(lab[:, 1:].norm(dim=1).mean()) * len(lab)
        true += float(batch.ab.norm(dim=1).mean()) * len(lab)
        seen += len(lab)
        for name, value in figures.items():
            sums[name] = sums.get(name, 0.0) + float(value) * len(lab)
        if not samples:
            few = recipe.sample_pictures
            samples = [blank[:few], lab[:few], truth[:few]]
    if not seen:
        return {}, []
    row = {"val.error": ours / given, "val.chroma": chroma / true}
    return row | {f"val.{name}": value / seen for name, value in sums.items()}, samples


@dataclass
class EarlyStopping:
    """Watch the validations of a stage: whether it gets better, and stays within its limits.

    Attributes:
        best: the lowest ``val.error`` of the stage.
        stale: validations since then.
        outside: validations in a row with a figure outside the recipe's limits.
    """

    best: float = float("inf")
    stale: int = 0
    outside: int = 0

    def update(self, row: dict[str, float], recipe: Recipe) -> str:
        """Take in one validation.

        Returns:
            Which figure is outside its limits, in words; empty where none is.
        """
        error = row.get("val.error", float("inf"))
        self.best, self.stale = (error, 0) if error < self.best else (self.best, self.stale + 1)
        odd = [
            f"{name} is {row[name]:.3g}, not {low:g} to {high:g}"
            for name, (low, high) in recipe.limits.items()
            if name in row and not low <= row[name] <= high
        ]
        self.outside = self.outside + 1 if odd else 0
        return "; ".join(odd)

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint keeps."""
        return asdict(self)
