"""Recipes: everything a training run depends on besides its pictures, as one frozen value.

A recipe is a plain function that returns a :class:`Recipe`; ``--set stage.field=value`` replaces
single fields. The resolved recipe is saved beside the weights and never changes afterwards.
"""

from __future__ import annotations

import dataclasses
import difflib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, get_type_hints

from tinct.errors import UsageError


@dataclass(frozen=True)
class Stage:
    """One part of a run at one picture size.

    Attributes:
        size: side of the square pictures in pixels.
        steps: optimizer steps.
        batch: pictures per step, over all processes.
        lr: peak learning rate.
        lr_scale: factor on ``lr`` by parameter group.
        freeze: groups that do not move (their normalization layers stay in evaluation mode).
        warmup: share of the steps in which the learning rate rises; it falls along a half cosine
            afterwards.
        final: the last learning rate as a share of the peak.
        accumulate: the batch is worked through in this many equal parts.
    """

    size: int
    steps: int
    batch: int = 32
    lr: float = 1e-3
    lr_scale: dict[str, float] = field(default_factory=dict)
    freeze: tuple[str, ...] = ()
    warmup: float = 0.05
    final: float = 0.02
    accumulate: int = 1


@dataclass(frozen=True)
class DataRecipe:
    """How folders become batches.

    Attributes:
        short: pictures are kept with their short side at most this long.
        val_share: share of the pictures held out for validation during training.
        val_pictures: at most this many of them are looked at.
        smallest_crop: the smallest random square, as a share of the short side.
        unhinted: share of the pictures that come without hints.
        most_hints: the largest number of simulated hints.
        sharp: how strongly folders whose pictures must be enlarged are drawn less; 0 switches it
            off.
        degraded: share of the pictures whose luma is aged.
        threads: loading threads.
    """

    short: int = 256
    val_share: float = 0.01
    val_pictures: int = 256
    smallest_crop: float = 0.65
    unhinted: float = 0.5
    most_hints: int = 12
    sharp: float = 1.5
    degraded: float = 0.3
    threads: int = 2


@dataclass(frozen=True)
class Optimizer:
    """AdamW and what surrounds it.

    Attributes:
        betas: decay of the two moments.
        weight_decay: decoupled weight decay, on matrices and kernels only.
        clip: largest norm of the gradient.
        ema: decay of the moving average of the weights, which is what is exported; 0 switches it
            off.
    """

    betas: tuple[float, float] = (0.9, 0.99)
    weight_decay: float = 0.02
    clip: float = 1.0
    ema: float = 0.998


@dataclass(frozen=True)
class Flagship:
    """The flagship photo network and its losses.

    Attributes:
        encoder: name of the pretrained encoder.
        pretrained: start it from ImageNet weights.
        widths: channels of the decoder at strides 2, 4, 8, 16 and 32.
        heads: attention heads at stride 16.
        bin_step: width of an ab bin in Lab units.
        bin_sigma: softness of the bins' target in Lab units.
        rebalance: share of the uniform distribution in the rarity weights of the bins (Zhang et al.
            2016: 0.5).
        rarity: exponent on those weights; 0 switches them off, 1 is the paper's.
        ab_weight: factor of the regression term.
        bins_weight: factor of the classification term.
        chroma_weight: how much more a colorful pixel counts in the regression term.
        temperature: of the annealed mean over the bins.
        bins_share: share of the bins' color in the joined result, the rest being the regressor's.
        gain: factor on the joined chroma.
        calm: how much of the rarity weights' effect on the bins is taken back at export, 0 to 1.
    """

    encoder: str = "efficientnet_lite0"
    pretrained: bool = True
    widths: tuple[int, int, int, int, int] = (24, 64, 96, 144, 224)
    heads: int = 4
    bin_step: float = 10.0
    bin_sigma: float = 5.0
    rebalance: float = 0.5
    rarity: float = 0.5
    ab_weight: float = 1.0
    bins_weight: float = 0.2
    chroma_weight: float = 1.0
    temperature: float = 0.45
    bins_share: float = 0.6
    gain: float = 1.35
    calm: float = 0.5


@dataclass(frozen=True)
class Recipe:
    """A whole training run.

    Attributes:
        name: of the recipe.
        family: the module in ``tinct.train.families`` that builds the task.
        task: ``photo`` or ``lineart``.
        model: the family's own settings.
        stages: in order.
        data: how folders become batches.
        optimizer: AdamW, clipping, averaging.
        seed: of everything random.
        precision: ``32-true``, ``bf16-mixed`` or ``16-mixed``.
        sizes: working sizes the exported bundle offers: short side in pixels for fast, balanced,
            best.
        validate_every: steps between looks at the validation pictures.
        save_every: steps between checkpoints.
        sample_pictures: how many pictures the sample grids show.
    """

    name: str
    family: str
    task: str
    model: Flagship
    stages: tuple[Stage, ...]
    data: DataRecipe = field(default_factory=DataRecipe)
    optimizer: Optimizer = field(default_factory=Optimizer)
    seed: int = 0
    precision: str = "32-true"
    sizes: tuple[int, int, int] = (160, 192, 256)
    validate_every: int = 500
    save_every: int = 250
    sample_pictures: int = 12


# The first blocks see edges and textures, which do not change when color goes: they stay as
# ImageNet left them.
_EARLY = ("encoder.early",)
_GENTLE = {"encoder.early": 0.1, "encoder.late": 0.1}


def flagship_photo() -> Recipe:
    """Color photographs: breadth of subjects at 64 px, then 128 px, then the working size."""
    return Recipe(
        name="flagship-photo",
        family="flagship",
        task="photo",
        model=Flagship(),
        stages=(
            Stage(size=64, steps=30_000, batch=128, lr=2e-3, lr_scale=_GENTLE, freeze=_EARLY),
            Stage(size=128, steps=60_000, batch=64, lr=1.5e-3, lr_scale=_GENTLE),
            Stage(size=256, steps=20_000, batch=32, lr=5e-4, lr_scale=_GENTLE),
        ),
    )


def flagship_photo_cpu() -> Recipe:
    """Color photographs: what two processor cores learn in about an hour and a half."""
    return dataclasses.replace(
        flagship_photo(),
        name="flagship-photo-cpu",
        stages=(
            Stage(size=64, steps=900, batch=96, lr=2e-3, lr_scale=_GENTLE, freeze=_EARLY),
            Stage(size=128, steps=2000, batch=32, lr=1.2e-3, lr_scale=_GENTLE, freeze=_EARLY),
            Stage(size=192, steps=140, batch=24, lr=4e-4, lr_scale=_GENTLE, freeze=_EARLY),
        ),
    )


def flagship_photo_nano() -> Recipe:
    """Color photographs badly but in seconds: for tests and first steps."""
    return Recipe(
        name="flagship-photo-nano",
        family="flagship",
        task="photo",
        model=Flagship(pretrained=False, widths=(8, 8, 12, 16, 16), heads=2),
        stages=(Stage(size=32, steps=20, batch=4, lr=2e-3),),
        data=DataRecipe(short=48, val_share=0.2, val_pictures=8),
        validate_every=10,
        save_every=10,
        sample_pictures=4,
    )


RECIPES: dict[str, Callable[[], Recipe]] = {
    "flagship-photo": flagship_photo,
    "flagship-photo-cpu": flagship_photo_cpu,
    "flagship-photo-nano": flagship_photo_nano,
}


def names() -> list[str]:
    """Return the names of all recipes."""
    return list(RECIPES)


def get(name: str, overrides: Mapping[str, str] | None = None) -> Recipe:
    """Return a recipe, single fields replaced.

    Args:
        name: one of :func:`names`.
        overrides: dotted field to value, both text; ``stages.0.steps`` reaches into the first
            stage.

    Raises:
        UsageError: unknown recipe or field, or a value of the wrong type.
    """
    if name not in RECIPES:
        near = difflib.get_close_matches(name, RECIPES, n=1)
        guess = f" Did you mean {near[0]!r}?" if near else f" Choose from {', '.join(RECIPES)}."
        raise UsageError(f"No recipe is called {name!r}.{guess}")
    return replace_fields(RECIPES[name](), overrides or {})


def replace_fields(recipe: Recipe, overrides: Mapping[str, str]) -> Recipe:
    """Return a recipe with single fields replaced, as :func:`get` does.

    Raises:
        UsageError: an unknown field, or a value of the wrong type.
    """
    for path, text in overrides.items():
        recipe = _replaced(recipe, path.split("."), text, path)
    return recipe


def _replaced(value: Any, keys: list[str], text: str, path: str) -> Any:
    """Return ``value`` with the field that ``keys`` lead to replaced by ``text``."""
    if not keys:
        return _parsed(value, text, path)
    key, rest = keys[0], keys[1:]
    if isinstance(value, tuple) and key.isdigit() and int(key) < len(value):
        new = _replaced(value[int(key)], rest, text, path)
        return (*value[: int(key)], new, *value[int(key) + 1 :])
    if isinstance(value, dict) and not rest:
        return {**value, key: _parsed(value.get(key, 0.0), text, path)}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        held = [f.name for f in dataclasses.fields(value)]
        if key in held:
            new = _replaced(getattr(value, key), rest, text, path)
            return dataclasses.replace(value, **{key: new})
        raise UsageError(f"--set {path}: no field {key!r}; choose from {', '.join(held)}.")
    raise UsageError(f"--set {path}: {key!r} leads nowhere.")


def _parsed(old: Any, text: str, path: str) -> Any:
    """Read ``text`` as the type of ``old``."""
    if isinstance(old, str):
        return text
    try:
        new = json.loads(text)
    except json.JSONDecodeError:
        new = text
    if isinstance(old, tuple) and isinstance(new, list):
        return tuple(new)
    if isinstance(old, float) and isinstance(new, int) and not isinstance(new, bool):
        return float(new)
    if type(new) is not type(old):
        kind = type(old).__name__
        raise UsageError(f"--set {path}={text}: expected a value of type {kind}, like {old!r}.")
    return new


def to_json(recipe: Recipe) -> str:
    """Write a recipe as JSON text."""
    return json.dumps(dataclasses.asdict(recipe), indent=2)


def from_json(text: str) -> Recipe:
    """Read a recipe back; the inverse of :func:`to_json`."""
    recipe: Recipe = _build(Recipe, json.loads(text))
    return recipe


def _build(kind: Any, held: Any) -> Any:
    hints = get_type_hints(kind)
    parts: dict[str, Any] = {}
    for part in dataclasses.fields(kind):
        if part.name not in held:  # a field younger than the file: its default is what was done
            continue
        value, hint = held[part.name], hints[part.name]
        if dataclasses.is_dataclass(hint):
            value = _build(hint, value)
        elif part.name == "stages":
            value = tuple(_build(Stage, stage) for stage in value)
        elif isinstance(value, list):
            value = tuple(value)
        parts[part.name] = value
    return kind(**parts)
