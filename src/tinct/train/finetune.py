"""Adapt a model to a person's own color pictures: a few minutes on a processor.

The encoder stays as it is; what makes colors of its features moves a little. A tenth of the
pictures is held out: the weights that do best there are kept, and the report tells what they
gained. The new bundle holds both, the decoder that was and the one that was adapted, and the latter
colors only what is like the pictures that it learned from, so that all else is colored as before.
"""

from __future__ import annotations

import dataclasses
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from tinct.bundle import Bundle, find_bundle
from tinct.coloring import chroma
from tinct.colorizer import Colorizer
from tinct.errors import TrainingError, UsageError
from tinct.measure import metrics
from tinct.measure.dataset import gray_of
from tinct.train.data.store import cache_folder, open_store
from tinct.train.export import export
from tinct.train.families import build_task, recipe_of
from tinct.train.recipe import DataRecipe, Recipe, Stage
from tinct.train.rundir import RunDir
from tinct.train.task import Batch
from tinct.train.trainer import Trainer
from tinct.train.warm_start import warm_start

LEAST = 20  # pictures
SIZE = 160  # pixels
BATCH = 8
ROUNDS = 24  # times that every picture is seen, at most
LOOKS = 12  # validations in that time
PATIENCE = 3
RATE = 2e-4
MOST_HELD = 60  # pictures that the report colors
MOST_LEARNED = 500  # pictures that tell what a kind looks like
ENOUGH = 0.99  # of the error before, at most
FINISH = ("gain", "contrast", "confidence", "evenness")  # neutral for what is adapted
FROZEN = ("encoder.early", "encoder.late")


@dataclass(frozen=True)
class Figures:
    """How a model does on the pictures held out.

    Attributes:
        error: mean CIEDE2000 as a share of the gray pictures'.
        colorfulness: as a share of the true pictures'.
    """

    error: float
    colorfulness: float


@dataclass(frozen=True)
class Report:
    """What came of it.

    Attributes:
        folder: the bundle's.
        trained: pictures that were learned from.
        held: pictures that were held out and measured.
        skipped: pictures that are damaged or near gray.
        before: of the model that it began with.
        after: of the new one.
    """

    folder: Path
    trained: int
    held: int
    skipped: int
    before: Figures
    after: Figures


class _Tuner(Trainer):
    """A trainer that keeps the weights of its best validation; it begins with one."""

    best: dict[str, torch.Tensor] | None = None

    def _turns(self, stage: Stage, batch: Batch, lr: float) -> dict[str, float]:
        for module in self.task.modules():
            if isinstance(module, nn.BatchNorm2d):  # few pictures tell no statistics
                module.eval()
        return super()._turns(stage, batch, lr)

    def _validate_once(self, stage: Stage) -> str:
        told = super()._validate_once(stage)
        if self.early_stopping.stale == 0:
            self.best = {key: value.clone() for key, value in self.ema.state.items()}
        return told

    def tune(self) -> None:
        """Train, and leave the best weights in the checkpoint."""
        with torch.no_grad():
            self._validate(self.recipe.stages[0])
        self.fit()
        if self.best is not None:
            for key, value in self.best.items():
                self.ema.state[key].copy_(value)
        self._save()


def recipe_for(bundle: Bundle, *, pictures: int) -> Recipe:
    """Return the recipe by which a model is adapted.

    Args:
        bundle: the model; of the flagship, for photographs.
        pictures: how many there are.

    Raises:
        UsageError: the model is of another kind, or does not say how it was made.
    """
    held = bundle.manifest
    if held.family != "flagship" or not held.recipe:
        raise UsageError(
            f"The model {held.name!r} cannot be adapted: only models for photographs of the family "
            "flagship can, such as photo."
        )
    if held.recipe["model"].get("gated"):
        raise UsageError(
            f"The model {held.name!r} was adapted before; adapt the model that it was made from to "
            "all the pictures together."
        )
    recipe = recipe_of(held.recipe)
    assert recipe is not None  # it has a family, and a recipe
    steps = max(LOOKS, ROUNDS * pictures // BATCH)
    size = min(SIZE, recipe.stages[-1].size)
    stage = Stage(size=size, steps=steps, batch=BATCH, lr=RATE, freeze=FROZEN, patience=PATIENCE)
    aside = max(4, pictures // 10)
    return dataclasses.replace(
        recipe,
        name=f"{recipe.name}-finetuned",
        # A bundle's bins are calmed already; here they go on without rarity weights, and color is
        # neither strengthened nor weighed by doubt, so that the pictures held out are judged as the
        # new bundle will color them.
        model=dataclasses.replace(
            recipe.model,
            pretrained=False,
            rarity=0.0,
            calm=0.0,
            gain=1.0,
            contrast=0.0,
            confidence=0.0,
            evenness=0.0,
        ),
        stages=(stage,),
        data=DataRecipe(
            short=256,
            # A tenth by name where that is enough to measure with.
            first=(pictures - aside, aside, 0) if pictures < 10 * aside else (0, 0, 0),
            val_share=0.1,
            unhinted=1.0,
            degraded=0.3,
        ),
        optimizer=dataclasses.replace(recipe.optimizer, ema=0.99),
        precision="auto",
        validate_every=max(1, steps // LOOKS),
        save_every=steps,
    )


def finetune(
    folder: Path,
    out: Path,
    *,
    start: str = "photo",
    name: str | None = None,
    overwrite: bool = False,
    tell: Callable[[str], object] = print,
) -> Report:
    """Adapt a model to the color pictures in a folder and write the bundle.

    Args:
        folder: color pictures, searched with all its subfolders; 30 to 3 000 are what it is for.
        out: the new bundle's folder.
        start: name or folder of the model to begin with.
        name: the new model's; that of the folder if not given.
        overwrite: replace a bundle that is there.
        tell: is told, in words, what is being done.

    Returns:
        What was gained on the pictures held out.

    Raises:
        UsageError: ``out`` exists, or the model cannot be adapted.
        ModelError: there is no such model.
        TrainingError: there are too few pictures, or the model does not become better; nothing is
            written then.
    """
    if out.exists() and not overwrite:
        raise UsageError(f"{str(out)!r} exists already; choose another folder or pass --overwrite.")
    bundle = find_bundle(start)
    recipe_for(bundle, pictures=LEAST)  # before pictures are decoded for minutes
    store = open_store(folder, short=256)
    if len(store) < LEAST:
        raise TrainingError(
            f"{len(store)} color pictures are too few to adapt a model to; give {LEAST} or more."
        )
    recipe = recipe_for(bundle, pictures=len(store))
    cache_folder().mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache_folder(), prefix="finetune-") as scratch:
        run, fresh = Path(scratch) / "run", Path(scratch) / "bundle"
        trainer = _Tuner(recipe, data=[folder], out=run, start=bundle.path)
        (source,) = trainer.pictures.sources
        held = [source.held(number).pixels for number in range(min(source.held_count, MOST_HELD))]
        before = measure(Colorizer(bundle.path), held)
        tell(f"{source.count} pictures to learn from, {source.held_count} held out")
        trainer.tune()
        run = _joined(trainer, bundle, Path(scratch) / "joined")
        export(run, fresh, name=name or out.name)
        after = measure(Colorizer(fresh), held)
        if after.error > ENOUGH * before.error:
            raise TrainingError(
                f"The pictures held out did not become better ({after.error:.3f} of gray's error, "
                f"{before.error:.3f} before), so nothing was written; give more pictures, or more "
                "alike ones."
            )
        report = Report(out, source.count, len(held), store.skipped, before, after)
        export(
            run,
            out,
            name=name or out.name,
            overwrite=overwrite,
            metrics={
                "finetuned_from": bundle.manifest.name,
                "held_pictures": len(held),
                "held_error_before": round(before.error, 4),
                "held_error_after": round(after.error, 4),
            },
            card=_card(name or out.name, bundle, report),
        )
    return report


def _joined(trainer: Trainer, bundle: Bundle, out: Path) -> Path:
    """Join a model and what became of it: the latter colors what is like the pictures learned from.

    Args:
        trainer: that has adapted the model.
        bundle: the model.
        out: the folder of a run that is written.
    """
    was, tuned_like = recipe_of(bundle.manifest.recipe), trainer.recipe.model
    assert was is not None  # checked by recipe_for
    finish = {name: getattr(was.model, name) for name in FINISH}  # of all that is not alike
    recipe = dataclasses.replace(
        trainer.recipe, model=dataclasses.replace(tuned_like, gated=True, **finish)
    )
    task = build_task(recipe)
    warm_start(task, bundle.path, new=("net.tuned", "net.gate"))
    net: Any = task.net.eval()
    tuned = {key.removeprefix("net."): value for key, value in trainer.ema.state.items()}
    net.tuned.load_state_dict({key: tuned[key] for key in net.tuned.state_dict()})
    (source,) = trainer.pictures.sources
    size = bundle.manifest.sizes["balanced"]
    rng = np.random.default_rng(0)
    learned = [source.draw(rng, stage=0, place=n) for n in range(min(source.count, MOST_LEARNED))]
    with torch.no_grad():
        grays = [
            chroma.fit(
                gray_of(picture.pixels),
                size=size,
                multiple_of=bundle.manifest.multiple_of,
                max_long=bundle.manifest.max_long,
            )
            for picture in learned
        ]
        net.gate.learn([net.encode(torch.from_numpy(seen.lightness))[-1] for seen in grays])
    run, made = RunDir(out), RunDir(trainer.run.path)
    run.begin(recipe, made.data(), resume=False)
    shutil.copyfile(made.metrics, run.metrics)
    weights = task.state_dict()
    run.save({**made.load(), "module": weights, "ema": weights})
    return out


def measure(colorizer: Colorizer, pictures: list[NDArray[np.uint8]]) -> Figures:
    """Return the figures of a model on true pictures, uint8 (H, W, 3)."""
    ours = gray = color = true = 0.0
    for truth in pictures:
        codes = gray_of(truth)
        found = metrics.compare(colorizer.render(codes), truth)
        ours += found.ciede2000
        gray += metrics.compare(np.repeat(codes[..., None], 3, axis=2), truth).ciede2000
        color += found.colorfulness
        true += metrics.colorfulness(truth)
    return Figures(ours / max(gray, 1e-9), color / max(true, 1e-9))


def _card(name: str, bundle: Bundle, report: Report) -> str:
    """Write the model card."""
    before, after = report.before, report.after
    return (
        f"# {name}\n\n`{bundle.manifest.name}` adapted to {report.trained} pictures of one "
        f"person's or place's ({report.skipped} others were damaged or near gray).\n\n"
        f"On {report.held} pictures held out:\n\n"
        "| | before | after |\n|---|---|---|\n"
        f"| CIEDE2000 / gray's | {before.error:.3f} | {after.error:.3f} |\n"
        f"| colorfulness / truth's | {before.colorfulness:.2f} | {after.colorfulness:.2f} |\n\n"
        "It colors pictures of that kind; those that look different to its encoder are colored as "
        "by the model it began with, whose card follows.\n\n"
        f"{bundle.card}"
    )
