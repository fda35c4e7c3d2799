"""The training loop against a plain PyTorch loop over the same network, losses and batch."""

from __future__ import annotations

import dataclasses
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from benchmarks import pictures
from benchmarks.clock import Runs
from benchmarks.rows import Row, Setting

if TYPE_CHECKING:
    import torch

    from tinct.train.recipe import Recipe
    from tinct.train.task import Batch

SYSTEMS = ("pix2pix-gray", "resunet")
PICTURES = 96
WIDE, HIGH = 500, 375  # as photographs in ImageNet usually are
STEPS = 12
GOAL = 1 / 1.3
WORKERS = 2


def _write_pictures(folder: Path) -> None:
    """Write color JPEGs: gray ones with a tint that follows their lightness."""
    folder.mkdir(exist_ok=True)
    for number in range(PICTURES):
        gray = np.asarray(pictures.photograph(WIDE, HIGH, seed=number), np.float32)
        tint = np.stack([gray, gray * 0.6 + 60, 230 - gray * 0.7], axis=2)
        image = Image.fromarray(np.clip(tint, 0, 255).astype(np.uint8))
        image.save(folder / f"{number:03}.jpg", quality=pictures.QUALITY)


def _recipe(name: str) -> Recipe:
    """Return a recipe at size small with one stage of a few steps and no looks in between."""
    from tinct.train import recipes

    recipe = recipes.get(name, size="small")
    stage = dataclasses.replace(recipe.stages[-1], size=128, steps=STEPS, batch=16, patience=0)
    return dataclasses.replace(
        recipe,
        stages=(stage,),
        validate_every=10**9,
        save_every=10**9,
        data=dataclasses.replace(recipe.data, val_pictures=1),
    )


def _ours(recipe: Recipe, folder: Path, run: Path) -> float:
    """Return the seconds that the steps take in tinct's loop; pictures were decoded before."""
    from tinct.train import trainer

    made = trainer.Trainer(recipe, data=[folder], out=run, resume=False)
    begun = time.perf_counter()
    made.fit()
    return time.perf_counter() - begun


def _loader(recipe: Recipe, folder: Path) -> Iterator[torch.Tensor]:
    """Yield RGB batches (N, 3, H, W), 0..1, as a DataLoader of torchvision's folder gives them."""
    from torch.utils.data import DataLoader
    from torchvision.datasets import ImageFolder
    from torchvision.transforms import v2

    stage = recipe.stages[0]
    look = v2.Compose(
        [
            v2.RandomResizedCrop(stage.size, scale=(recipe.data.smallest_crop**2, 1.0)),
            v2.RandomHorizontalFlip(),
            v2.PILToTensor(),
        ]
    )
    data = ImageFolder(str(folder.parent), transform=look, allow_empty=True)
    loader: Any = DataLoader(
        data, batch_size=stage.batch, shuffle=True, drop_last=True, num_workers=WORKERS
    )
    while True:
        for rgb, _ in loader:
            yield rgb.float() / 255


def _batch(rgb: torch.Tensor) -> Batch:
    import torch

    from tinct.color import rgb_to_lab
    from tinct.train.task import Batch

    lab = rgb_to_lab(rgb, axis=1).float()
    blank = torch.zeros(len(rgb), 4, *rgb.shape[2:])
    return Batch(
        input_lightness=lab[:, :1], lightness=lab[:, :1], ab=lab[:, 1:], hint=blank, rgb=rgb
    )


def _plain(recipe: Recipe, folder: Path) -> float:
    """Return the seconds that the steps take in the loop that everybody writes."""
    import torch

    from tinct.train.families import build_task

    task = build_task(recipe)
    task.train()
    stage = recipe.stages[0]
    optimizers = {}
    for player in task.players():
        moving = [p for name, group in player.groups.items() for p in group]
        for name, group in player.groups.items():
            for parameter in group:
                parameter.requires_grad_(name not in stage.freeze)
        optimizers[player.name] = torch.optim.Adam([p for p in moving if p.requires_grad], lr=1e-4)
    batches = _loader(recipe, folder)
    begun = time.perf_counter()
    for step in range(STEPS):
        batch = _batch(next(batches))
        for name, optimizer in optimizers.items():
            if step % stage.turns.get(name, 1):
                continue
            optimizer.zero_grad()
            loss: Any = torch.stack(list(task.loss(name, batch).values())).sum()
            loss.backward()
            optimizer.step()
    return time.perf_counter() - begun


def training(setting: Setting) -> list[Row]:
    """Measure steps per second of two systems at size small, 128 px, batch 16."""
    import torch

    folder = setting.folder / "training" / "all"
    folder.parent.mkdir()
    _write_pictures(folder)
    held = os.environ.get("TINCT_CACHE")
    os.environ["TINCT_CACHE"] = str(setting.folder / "cache")
    rows = []
    try:
        for name in SYSTEMS:
            recipe = _recipe(name)
            ours: list[float] = []
            floor: list[float] = []
            for turn in range(setting.repeats + 1):
                run = setting.folder / f"{name}-{turn}"
                pair = [_ours(recipe, folder, run), _plain(recipe, folder)]
                if turn:  # the first warms up: it decodes the pictures, once for all
                    ours.append(pair[0])
                    floor.append(pair[1])
            speed = STEPS * 16 / Runs(tuple(ours)).median
            rows.append(
                Row(
                    name=f"train_{name.replace('-', '_')}",
                    what=f"{STEPS} training steps of {name} --size small, 128 px, batch 16",
                    unit="s",
                    ours=Runs(tuple(ours)),
                    floor="plain PyTorch: ImageFolder, DataLoader of 2 workers, Adam, same losses",
                    against=Runs(tuple(floor)),
                    goal=GOAL,
                    goal_of="ratio",
                    note=f"{speed:.1f} pictures/s with {torch.get_num_threads()} threads; "
                    f"{PICTURES} JPEGs of {WIDE} x {HIGH}, decoded once before (not counted)",
                )
            )
    finally:
        if held is None:
            del os.environ["TINCT_CACHE"]
        else:
            os.environ["TINCT_CACHE"] = held
    return rows
