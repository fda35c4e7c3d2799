"""The published methods and ours: for each its settings, and what builds its task.

A family is a file here, read top to bottom; it is loaded when one of its recipes is trained.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tinct.train import recipe as recipes
from tinct.train.recipe import Recipe
from tinct.train.recipes.autoencoder import Autoencoder
from tinct.train.recipes.chromagan import ChromaGan
from tinct.train.recipes.flagship import Flagship
from tinct.train.recipes.pix2pix import Pix2Pix
from tinct.train.recipes.resunet import ResUNet
from tinct.train.recipes.sketch_unet import SketchUNet

if TYPE_CHECKING:
    from tinct.train.task import Task


@dataclass(frozen=True)
class Family:
    """A method.

    Attributes:
        settings: the type of a recipe's ``model``.
        build: a recipe of the family -> its task.
    """

    settings: type
    build: Callable[[Recipe], Task]


def _autoencoder(recipe: Recipe) -> Task:
    from tinct.train.families.autoencoder import AutoencoderTask  # noqa: PLC0415

    return AutoencoderTask(recipe)


def _chromagan(recipe: Recipe) -> Task:
    from tinct.train.families.chromagan import ChromaGanTask  # noqa: PLC0415

    return ChromaGanTask(recipe)


def _flagship(recipe: Recipe) -> Task:
    from tinct.train.families.flagship import FlagshipTask  # noqa: PLC0415

    return FlagshipTask(recipe)


def _flagship_lineart(recipe: Recipe) -> Task:
    from tinct.train.families.flagship_lineart import PaintingTask  # noqa: PLC0415

    return PaintingTask(recipe)


def _pix2pix(recipe: Recipe) -> Task:
    from tinct.train.families.pix2pix import Pix2PixTask  # noqa: PLC0415

    return Pix2PixTask(recipe)


def _resunet(recipe: Recipe) -> Task:
    from tinct.train.families.resunet import ResUNetTask  # noqa: PLC0415

    return ResUNetTask(recipe)


def _sketch_unet(recipe: Recipe) -> Task:
    from tinct.train.families.sketch_unet import SketchTask  # noqa: PLC0415

    return SketchTask(recipe)


FAMILIES: dict[str, Family] = {
    "flagship": Family(Flagship, _flagship),
    "flagship_lineart": Family(Flagship, _flagship_lineart),
    "autoencoder": Family(Autoencoder, _autoencoder),
    "chromagan": Family(ChromaGan, _chromagan),
    "pix2pix": Family(Pix2Pix, _pix2pix),
    "resunet": Family(ResUNet, _resunet),
    "sketch_unet": Family(SketchUNet, _sketch_unet),
}


def build_task(recipe: Recipe) -> Task:
    """Build the task of a recipe, with fresh or pretrained weights."""
    return FAMILIES[recipe.family].build(recipe)


def recipe_of(held: Mapping[str, Any]) -> Recipe | None:
    """Return the recipe that a bundle's manifest tells of, or None where tinct did not make it."""
    known = {part.name for part in dataclasses.fields(Recipe)}
    told = {key: value for key, value in held.items() if key in known}
    return recipe_from_json(json.dumps(told)) if told else None


def recipe_from_json(text: str) -> Recipe:
    """Read a run's ``recipe.json``; the inverse of :func:`tinct.train.recipe.to_json`."""
    return recipes.from_json(text, {name: family.settings for name, family in FAMILIES.items()})
