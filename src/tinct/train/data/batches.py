"""Color pictures -> batches.

A batch is a pure function of (seed, stage, step): nothing is remembered between steps. So a resumed
run sees exactly the pictures an uninterrupted one would have seen, and several processes split a
batch without talking to each other.

Line art without an artist's drawing is drawn by :mod:`tinct.train.data.lineart` on the way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tinct.color import gray_to_lightness, rgb_to_lab
from tinct.errors import TrainingError
from tinct.measure import simulated_hints
from tinct.train.data import augment, degrade, lineart, paper
from tinct.train.data.augment import Pixels
from tinct.train.data.shards import ShardSource, are_shards
from tinct.train.data.sources import FolderSource, Picture, Source, split_source
from tinct.train.recipe import DataRecipe, Stage
from tinct.train.task import Batch

ALWAYS_HINTED = ("blur", "article-patches", "truth")  # kinds that validation pictures have as well


@dataclass(frozen=True)
class Item:
    """One square picture and what belongs to it.

    Attributes:
        rgb: uint8 (H, W, 3), sRGB.
        hint_rgb: uint8 (H, W, 3), the color of each hint where there is one.
        hint_mask: uint8 (H, W), 1 where there is a hint.
        drawing: uint8 (H, W), an artist's drawing of it, or None.
    """

    rgb: Pixels
    hint_rgb: Pixels
    hint_mask: Pixels
    drawing: Pixels | None


@dataclass(frozen=True)
class RawBatch:
    """What the loading threads hand over: bytes; they become Lab on the training device.

    Attributes:
        rgb: uint8 (N, 3, H, W), sRGB.
        hint_rgb: uint8 (N, 3, H, W), the color of each hint where there is one.
        hint_mask: uint8 (N, 1, H, W), 1 where there is a hint.
        drawing: uint8 (N, 1, H, W), artists' drawings, zeros where there is none.
        drawn: bool (N,), which pictures have a drawing.
        seeds: of each picture, for what happens to its lightness plane.
    """

    rgb: Tensor
    hint_rgb: Tensor
    hint_mask: Tensor
    drawing: Tensor
    drawn: Tensor
    seeds: list[int]


def open_source(text: str | Path, recipe: DataRecipe, *, seed: int) -> Source:
    """Open a folder or tar shards, each perhaps with ``=WEIGHT``.

    Raises:
        TrainingError: there is nothing to train on.
    """
    where, weight = split_source(text)
    if are_shards(where):
        return ShardSource(where, recipe, seed=seed, weight=weight)
    return FolderSource(Path(where), recipe, weight=weight)


class Pictures:
    """Batches from one or more sources.

    Args:
        sources: folders or tar shards, each perhaps with ``=WEIGHT``.
        recipe: sizes, shares, augmentation.
        seed: of everything random.

    Raises:
        TrainingError: a folder is missing or empty, or too small for the split.
    """

    def __init__(self, sources: Sequence[str | Path], *, recipe: DataRecipe, seed: int) -> None:
        if not sources:
            raise TrainingError("Training needs at least one folder of pictures: --data FOLDER.")
        self.recipe = recipe
        self.seed = seed
        self.sources = [open_source(text, recipe, seed=seed) for text in sources]

    def __len__(self) -> int:
        return sum(source.count for source in self.sources)

    def shares(self, size: int) -> NDArray[np.float64]:
        """Return how often each source is drawn from at a picture size; the shares sum to 1.

        A source's share grows with its number of pictures and its weight, and falls where its
        pictures would have to be enlarged: times (their median short side / size) to the power
        ``recipe.sharp``.
        """
        weights = np.array([source.count * source.weight for source in self.sources])
        shorts = np.array([source.short for source in self.sources])
        weighted = weights * np.minimum(1.0, shorts / size) ** self.recipe.sharp
        return np.asarray(weighted / weighted.sum(), dtype=np.float64)

    def _item(self, picture: Picture, size: int, rng: np.random.Generator | None) -> Item:
        """Cut a square at random, or as validation sees it where there is no ``rng``."""
        recipe, pixels = self.recipe, picture.pixels
        if rng is None:
            cut = augment.middle(pixels.shape)
        else:
            cut = augment.draw_cut(
                pixels.shape, rng, smallest=recipe.smallest_crop, warp=recipe.warp
            )
        rgb = augment.take(pixels, cut, size)
        if rng is not None and recipe.lighting:
            rgb = augment.relight(rgb, rng, most=recipe.lighting)
        colors, mask = self._hints(rgb, rng)
        drawing = picture.drawing
        lines = None if drawing is None else augment.take(drawing, cut, size)
        return Item(rgb, colors, mask, lines)

    def _hints(self, rgb: Pixels, rng: np.random.Generator | None) -> tuple[Pixels, Pixels]:
        """Return the colors and the mask of what a simulated person gives."""
        kind, most = self.recipe.hints, self.recipe.most_hints
        if kind == "truth":
            return rgb, np.ones(rgb.shape[:2], np.uint8)
        if kind == "blur":
            return simulated_hints.blur(rgb)
        if kind == "article-patches":
            return simulated_hints.article_patches(rgb)
        if kind == "none" or rng is None or rng.random() < self.recipe.unhinted:
            return np.zeros_like(rgb), np.zeros(rgb.shape[:2], np.uint8)
        invented = {"patches": simulated_hints.random_patches, "mixed": simulated_hints.mixed}
        return invented.get(kind, simulated_hints.points)(rgb, rng, most=most)

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
            source = int(rng.choice(len(self.sources), p=shares))
            picture = self.sources[source].draw(rng, stage=stage, place=step * count)
            items.append(self._item(picture, size, rng))
        numbers = range(rank, count, world)
        seeds = [hash((self.seed, stage, step, number)) & 0x7FFFFFFF for number in numbers]
        return _stack(items, seeds)

    def held_batches(self, *, size: int, count: int, limit: int) -> Iterator[RawBatch]:
        """Yield the validation pictures: middle squares in a fixed order.

        They have hints only where a recipe gives them to every picture.
        """
        chosen = [(source, i) for source in self.sources for i in range(source.held_count)]
        order = np.random.default_rng(0).permutation(len(chosen))[:limit]
        for start in range(0, len(order), count):
            places = (chosen[place] for place in order[start : start + count])
            items = [self._item(source.held(i), size, None) for source, i in places]
            yield _stack(items, [0] * len(items))


def _stack(items: Sequence[Item], seeds: list[int]) -> RawBatch:
    """Lay squares of one size into one batch."""

    def planes(parts: Sequence[Pixels]) -> Tensor:
        return torch.from_numpy(np.stack(parts)).permute(0, 3, 1, 2).contiguous()

    blank = np.zeros(items[0].rgb.shape[:2], np.uint8)
    lines = [blank if item.drawing is None else item.drawing for item in items]
    return RawBatch(
        rgb=planes([item.rgb for item in items]),
        hint_rgb=planes([item.hint_rgb for item in items]),
        hint_mask=planes([item.hint_mask[..., None] for item in items]),
        drawing=planes([plane[..., None] for plane in lines]),
        drawn=torch.tensor([item.drawing is not None for item in items]),
        seeds=seeds,
    )


def to_batch(
    raw: RawBatch,
    *,
    device: torch.device,
    task: str = "photo",
    degraded: float = 0.0,
    penciled: float = 0.0,
    training: bool = False,
) -> Batch:
    """Convert bytes to Lab planes on the training device.

    Args:
        raw: from the loading threads.
        device: where to compute.
        task: ``photo`` or ``lineart``, whose lightness is a drawing.
        degraded: share of the pictures whose lightness is aged, or looks scanned; 0 in validation.
        penciled: share of the drawings made on the way that a soft pencil draws.
        training: drawings made on the way differ in handwriting; in validation they do not.

    Returns:
        The batch, float32.
    """
    rgb = raw.rgb.to(device).float() / 255
    lab = rgb_to_lab(rgb, axis=1).float()
    mask = raw.hint_mask.to(device).float()
    hint_lab = rgb_to_lab(raw.hint_rgb.to(device).float() / 255, axis=1).float() * mask
    lightness = lab[:, :1].contiguous()
    seen = lightness
    if task == "lineart":
        seen = _drawings(raw, lightness, penciled=penciled, training=training)
        if degraded:
            seen = paper.scan(seen, share=degraded, seeds=raw.seeds)
    elif degraded:
        seen = degrade.age(rgb, lightness, share=degraded, seeds=raw.seeds)
    return Batch(
        input_lightness=seen,
        lightness=lightness,
        ab=lab[:, 1:].contiguous(),
        hint=torch.cat([hint_lab, mask], dim=1),
        rgb=rgb,
    )


def _drawings(raw: RawBatch, lightness: Tensor, *, penciled: float, training: bool) -> Tensor:
    """Return L* of the drawings: the artists' where there are some, else made on the way."""
    if bool(raw.drawn.all()):
        made = torch.zeros_like(lightness)
    elif training:
        made = lineart.vary(lightness, seeds=raw.seeds, penciled=penciled)
    else:
        made = lineart.standard(lightness)
    real = gray_to_lightness(raw.drawing.to(lightness.device).float() / 255).float()
    return torch.where(raw.drawn.to(lightness.device)[:, None, None, None], real, made)


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
