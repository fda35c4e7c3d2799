"""Folders of color pictures -> batches.

A batch is a pure function of (seed, stage, step): nothing is remembered between steps. So a resumed
run sees exactly the pictures an uninterrupted one would have seen, and several processes split a
batch without talking to each other.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from tinct.color import rgb_to_lab
from tinct.errors import TrainingError
from tinct.train import degrade
from tinct.train.recipe import DataRecipe, Stage
from tinct.train.store import Store, open_store
from tinct.train.task import Batch


@dataclass(frozen=True)
class RawBatch:
    """What the loading threads hand over: bytes; they become Lab on the training device.

    Attributes:
        rgb: uint8 (N, 3, H, W), sRGB.
        hint_rgb: uint8 (N, 3, H, W), the color of each hint where there is one.
        hint_mask: uint8 (N, 1, H, W), 1 where there is a hint.
        seed: for the augmentation of the luma plane.
    """

    rgb: Tensor
    hint_rgb: Tensor
    hint_mask: Tensor
    seed: int


def split_source(text: str | Path) -> tuple[Path, float]:
    """Split ``FOLDER`` or ``FOLDER=WEIGHT`` into a folder and how often it is drawn from.

    Raises:
        TrainingError: the weight is not a positive number.
    """
    folder, equals, weight = str(text).rpartition("=")
    if not equals:
        return Path(weight), 1.0
    try:
        value = float(weight)
    except ValueError:
        return Path(text), 1.0
    if not 0 < value < float("inf"):
        raise TrainingError(f"The weight in {str(text)!r} must be a positive number.")
    return Path(folder), value


def _held_out(name: str, share: float) -> bool:
    """Tell whether a picture belongs to the validation split: by its name, so for good."""
    draw = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big") / 2**32
    return draw < share


def simulate_hints(
    rgb: NDArray[np.uint8], rng: np.random.Generator, *, most: int
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Invent the hints a person might have given: a few points and strokes of the true color.

    Args:
        rgb: uint8 (H, W, 3), the truth.
        rng: the source of chance.
        most: the largest number of hints; small numbers are likelier.

    Returns:
        uint8 (H, W, 3) colors and uint8 (H, W) mask. Each hint has one color, the mean of what it
        covers.
    """
    height, width = rgb.shape[:2]
    colors = np.zeros_like(rgb)
    mask = np.zeros((height, width), np.uint8)
    count = min(most, int(rng.geometric(0.2)))
    for _ in range(count):
        y, x = int(rng.integers(height)), int(rng.integers(width))
        radius = int(rng.integers(0, max(2, min(height, width) // 32) + 1))
        places = [(y, x)]
        if rng.random() < 0.25:  # a stroke: a short straight line
            angle, length = rng.random() * 2 * np.pi, rng.random() * 0.15 * min(height, width)
            steps = np.linspace(0, 1, max(2, int(length)))
            places = [
                (
                    int(np.clip(y + t * length * np.sin(angle), 0, height - 1)),
                    int(np.clip(x + t * length * np.cos(angle), 0, width - 1)),
                )
                for t in steps
            ]
        own = np.zeros((height, width), bool)
        for py, px in places:
            own[max(0, py - radius) : py + radius + 1, max(0, px - radius) : px + radius + 1] = True
        colors[own] = rgb[own].mean(axis=0).round().astype(np.uint8)
        mask[own] = 1
    return colors, mask


class Pictures:
    """Batches from one or more folders.

    Args:
        sources: ``FOLDER`` or ``FOLDER=WEIGHT``.
        recipe: sizes, shares, augmentation.
        seed: of everything random.

    Raises:
        TrainingError: a folder is missing or empty.
    """

    def __init__(self, sources: Sequence[str | Path], *, recipe: DataRecipe, seed: int) -> None:
        if not sources:
            raise TrainingError("Training needs at least one folder of pictures: --data FOLDER.")
        self.recipe = recipe
        self.seed = seed
        self.stores: list[Store] = []
        self.folders: list[Path] = []
        weights: list[float] = []
        for text in sources:
            folder, weight = split_source(text)
            self.folders.append(folder)
            self.stores.append(open_store(folder, short=recipe.short))
            weights.append(weight)
        self.train: list[NDArray[np.int64]] = []
        self.held: list[NDArray[np.int64]] = []
        for store in self.stores:
            out = np.array([_held_out(name, recipe.val_share) for name in store.names])
            self.train.append(np.flatnonzero(~out))
            self.held.append(np.flatnonzero(out))
        counts = np.array([len(part) for part in self.train], dtype=np.float64)
        if not counts.all():
            raise TrainingError("A data folder has no training picture left; lower data.val_share.")
        self.weights = counts * np.asarray(weights)
        self.shorts = np.array([np.median(store.shapes.min(axis=1)) for store in self.stores])

    def __len__(self) -> int:
        return sum(len(part) for part in self.train)

    def shares(self, size: int) -> NDArray[np.float64]:
        """Return how often each folder is drawn from at a picture size; the shares sum to 1.

        A folder's share grows with its number of pictures and its weight, and falls where its
        pictures would have to be enlarged: times (their median short side / size) to the power
        ``recipe.sharp``.
        """
        blur = np.minimum(1.0, self.shorts / size) ** self.recipe.sharp
        weighted = self.weights * blur
        return np.asarray(weighted / weighted.sum(), dtype=np.float64)

    def _crop(
        self, pixels: NDArray[np.uint8], size: int, rng: np.random.Generator | None
    ) -> NDArray[np.uint8]:
        """Take a square from a picture and scale it to ``size``; the middle one without ``rng``."""
        height, width = pixels.shape[:2]
        short = min(height, width)
        if rng is None:
            side, top, left, flip = short, (height - short) // 2, (width - short) // 2, False
        else:
            side = round(short * float(rng.uniform(self.recipe.smallest_crop, 1.0)))
            top, left = rng.integers(height - side + 1), rng.integers(width - side + 1)
            flip = rng.random() < 0.5
        square = Image.fromarray(pixels[top : top + side, left : left + side])
        if square.size != (size, size):
            square = square.resize((size, size), Image.Resampling.BICUBIC)
        out = np.asarray(square)
        return out[:, ::-1] if flip else out

    def _stack(
        self, items: list[tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]], seed: int
    ) -> RawBatch:
        planes = [np.stack(part) for part in zip(*items, strict=True)]
        return RawBatch(
            rgb=torch.from_numpy(planes[0]).permute(0, 3, 1, 2).contiguous(),
            hint_rgb=torch.from_numpy(planes[1]).permute(0, 3, 1, 2).contiguous(),
            hint_mask=torch.from_numpy(planes[2])[:, None],
            seed=seed,
        )

    def batch(
        self, stage: int, step: int, *, size: int, count: int, rank: int = 0, world: int = 1
    ) -> RawBatch:
        """Return the training batch of a step, or this process's share of it.

        Args:
            stage: number of the stage.
            step: number of the step in it.
            size: side of the square pictures in pixels.
            count: pictures in the whole batch, over all processes.
            rank: number of this process.
            world: how many processes there are; must divide ``count``.
        """
        items = []
        shares = self.shares(size)
        for number in range(rank, count, world):
            rng = np.random.default_rng([self.seed, stage, step, number])
            source = int(rng.choice(len(self.stores), p=shares))
            index = int(self.train[source][rng.integers(len(self.train[source]))])
            rgb = self._crop(self.stores[source][index], size, rng)
            most = 0 if rng.random() < self.recipe.unhinted else self.recipe.most_hints
            colors, mask = simulate_hints(rgb, rng, most=most)
            items.append((rgb, colors, mask))
        return self._stack(items, seed=hash((self.seed, stage, step, rank)) & 0x7FFFFFFF)

    def held_batches(self, *, size: int, count: int, limit: int) -> Iterator[RawBatch]:
        """Yield the validation pictures: middle squares, no hints, in a fixed order."""
        chosen = [(s, int(i)) for s, part in enumerate(self.held) for i in part]
        order = np.random.default_rng(0).permutation(len(chosen))[:limit]
        for start in range(0, len(order), count):
            items = []
            for place in order[start : start + count]:
                source, index = chosen[place]
                rgb = self._crop(self.stores[source][index], size, None)
                items.append((rgb, np.zeros_like(rgb), np.zeros(rgb.shape[:2], np.uint8)))
            yield self._stack(items, seed=0)


def to_batch(raw: RawBatch, *, device: torch.device, degraded: float) -> Batch:
    """Convert bytes to Lab planes on the training device.

    Args:
        raw: from the loading threads.
        device: where to compute.
        degraded: share of the pictures whose luma is faded or grainy; 0 in validation.

    Returns:
        The batch, float32.
    """
    rgb = raw.rgb.to(device).float() / 255
    lab = rgb_to_lab(rgb, axis=1).float()
    mask = raw.hint_mask.to(device).float()
    hint_lab = rgb_to_lab(raw.hint_rgb.to(device).float() / 255, axis=1).float() * mask
    lightness = lab[:, :1].contiguous()
    luma = degrade.age(lightness, share=degraded, seed=raw.seed) if degraded else lightness
    return Batch(
        luma=luma,
        lightness=lightness,
        ab=lab[:, 1:].contiguous(),
        hint=torch.cat([hint_lab, mask], dim=1),
        rgb=rgb,
    )


def ahead(load: Callable[[int], RawBatch], steps: range, *, threads: int) -> Iterator[RawBatch]:
    """Yield ``load(step)`` in order while threads already work on the next ones."""
    with ThreadPoolExecutor(threads) as pool:
        waiting = [pool.submit(load, step) for step in steps[: threads + 1]]
        for step in steps:
            ready = waiting.pop(0)
            following = step + threads + 1
            if following < steps.stop:
                waiting.append(pool.submit(load, following))
            yield ready.result()


def stage_batches(
    pictures: Pictures, stage: Stage, number: int, *, start: int, rank: int, world: int
) -> Iterator[RawBatch]:
    """Yield the batches of a stage from step ``start`` on."""

    def load(step: int) -> RawBatch:
        return pictures.batch(
            number, step, size=stage.size, count=stage.batch, rank=rank, world=world
        )

    return ahead(load, range(start, stage.steps), threads=pictures.recipe.threads)
