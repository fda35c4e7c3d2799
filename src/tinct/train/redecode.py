"""A model bundle -> another that decodes color differently: the same weights, another finish.

How color is decoded is chosen after training, and may be chosen again when the run is long gone.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import tinct
from tinct.bundle import Bundle, write_bundle
from tinct.errors import TrainingError, UsageError
from tinct.measure.curves import CURVES
from tinct.train.export import OPSET, check_free, decoded, to_model
from tinct.train.families import build_task, recipe_of
from tinct.train.recipe import Recipe
from tinct.train.task import Task
from tinct.train.warm_start import warm_start

SETTLED = "calm"  # went into the weights when the bundle was made


def load_bundle_task(
    bundle: Bundle, overrides: Mapping[str, str] | None = None
) -> tuple[Recipe, Task]:
    """Return a bundle's recipe and its task, in evaluation mode.

    Args:
        bundle: one that tinct exported.
        overrides: fields of the recipe's ``model`` that concern decoding only; not ``calm``, which
            cannot be taken back.

    Raises:
        UsageError: an override is unknown, or ``calm``; or the model was adapted.
        TrainingError: the bundle was not made by tinct, or by a version of it that made others.
    """
    recipe = recipe_of(bundle.manifest.recipe)
    if recipe is None:
        raise TrainingError(f"The model {bundle.manifest.name!r} does not say how it was made.")
    if getattr(recipe.model, "gated", False):
        raise UsageError(
            f"The model {bundle.manifest.name!r} was adapted, and its decoding stays as it is; "
            "choose that of the model it was made from, and adapt what comes of it."
        )
    if SETTLED in (overrides or {}):
        raise UsageError(f"--set {SETTLED}: it cannot be chosen again once a run is exported.")
    recipe = decoded(recipe, overrides)
    fields = {part.name for part in dataclasses.fields(recipe.model)}
    plain = {"pretrained": False, SETTLED: 0.0}
    model = dataclasses.replace(recipe.model, **{k: v for k, v in plain.items() if k in fields})
    task = build_task(dataclasses.replace(recipe, model=model))
    warm_start(task, bundle.path)
    task.prepare_export()
    task.net.eval()
    return recipe, task


def redecode(
    bundle: Bundle,
    out: Path,
    *,
    name: str | None = None,
    overwrite: bool = False,
    overrides: Mapping[str, str] | None = None,
) -> Path:
    """Write a bundle again with another decoding.

    Args:
        bundle: one that tinct exported.
        out: the new bundle's folder.
        name: of the new bundle; the folder's name if not given.
        overwrite: replace a bundle that is there.
        overrides: as for :func:`load_bundle_task`.

    Returns:
        The new bundle's folder. Its figures are not measured yet.

    Raises:
        UsageError: the folder exists and ``overwrite`` was not asked for, nothing is to be changed,
            or as :func:`load_bundle_task` says.
        TrainingError: as there; or the graph does not agree with the network.
    """
    check_free(out, overwrite=overwrite)
    was = bundle.manifest
    if not overrides:
        raise UsageError(
            f"{was.name!r} is a model already; say how it shall decode color: --set NAME=VALUE"
        )
    recipe, task = load_bundle_task(bundle, overrides)
    model, _, parity = to_model(recipe, task)
    manifest = dataclasses.replace(
        was,
        name=name or out.name,
        sha256=hashlib.sha256(model).hexdigest(),
        recipe={**was.recipe, "model": dataclasses.asdict(recipe.model), "parity": parity},
        metrics={},
        created=datetime.now(UTC).strftime("%Y-%m-%d"),
        tinct=tinct.__version__,
        opset=OPSET,
    )
    changed = ", ".join(f"{key} {value}" for key, value in (overrides or {}).items())
    card = (
        f"# {manifest.name}\n\nThe weights of {was.name}, with another decoding of color: "
        f"{changed}. Not evaluated yet: `tinct evaluate FOLDER --model` this folder tells how good "
        f"it is.\n\nWhat follows is the card of {was.name}; its figures are that model's.\n\n"
        f"{bundle.card}"
    )
    curves = bundle.path / CURVES
    held = curves.read_bytes() if curves.is_file() else None  # it may be the folder replaced
    write_bundle(out, model, manifest, card)
    if held is not None:
        (out / CURVES).write_bytes(held)
    return out
