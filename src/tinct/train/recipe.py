"""What a training run depends on besides its pictures, as one frozen value.

``--set stage.field=value`` replaces single fields of a named recipe (:mod:`tinct.train.recipes`).
The resolved recipe is saved beside the weights and never changes afterwards.
"""

from __future__ import annotations

import dataclasses
import json
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec

from tinct.errors import UsageError
from tinct.train.former_names import rename_recipe

Size = Literal["nano", "small", "full"]
SIZES: tuple[Size, ...] = ("nano", "small", "full")
SMALL_PICTURES = 8_000
"""Pictures that every published system sees at size ``small``: one budget for all, so that the
comparison is between methods."""
COLLAPSE: dict[str, tuple[float, float]] = {"val.error": (0.0, 5.0), "val.chroma": (0.01, 10.0)}
"""Where figures of a game between a discriminator and a network belong: a network that gives up
color, or paints anything, has collapsed."""


SCHEDULES = ("cosine", "linear", "constant")
HINTS = ("points", "mixed", "patches", "article-patches", "blur", "truth", "none")


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
        warmup: share of the steps in which the learning rate rises.
        schedule: what it does afterwards: ``cosine`` falls along half a cosine, ``linear`` stays
            for half of the steps and falls along a line then, ``constant`` stays.
        final: the last learning rate as a share of the peak.
        accumulate: the batch is worked through in this many equal parts.
        turns: how often a player plays: at every n-th step, 0: never; at every one if it is not
            named.
        terms: factors of the loss terms that a family offers besides its own, by name; those that
            are not named cost nothing.
        minutes: the stage ends after this time at the latest, and its learning rate falls by the
            clock; 0: it takes the time that it takes.
        patience: the stage ends early when ``val.error`` has not become better for this many
            validations; 0 never ends it early.
    """

    size: int
    steps: int
    batch: int = 32
    lr: float = 1e-3
    lr_scale: dict[str, float] = field(default_factory=dict)
    freeze: tuple[str, ...] = ()
    warmup: float = 0.05
    schedule: str = "cosine"
    final: float = 0.02
    accumulate: int = 1
    turns: dict[str, int] = field(default_factory=dict)
    terms: dict[str, float] = field(default_factory=dict)
    minutes: float = 0.0
    patience: int = 0

    def __post_init__(self) -> None:
        if self.schedule not in SCHEDULES:
            raise UsageError(f"The schedule must be {', '.join(SCHEDULES)}, not {self.schedule!r}.")

    def plays(self, player: str, step: int) -> bool:
        """Return whether it is a player's turn at a step."""
        every = self.turns.get(player, 1)
        return every > 0 and step % every == 0


@dataclass(frozen=True)
class DataRecipe:
    """How folders become batches.

    Attributes:
        short: pictures are kept with their short side at most this long.
        val_share: share of the pictures held out for validation during training.
        val_pictures: at most this many of them are used.
        smallest_crop: the smallest random square, as a share of the short side.
        first: the first n pictures by name train, the next m validate, the next k are left for
            testing; zeros choose by ``val_share``.
        hints: what a simulated person gives: ``points`` (and strokes), ``mixed`` (points, strokes
            along regions and patches, carelessly, or a blurred map of all colors), ``patches`` at
            random places (and strokes), ``article-patches`` at fixed places, ``blur`` (a blurred
            map), ``truth`` (every pixel's own color, for a network that gives it back), or
            ``none``.
        unhinted: share of the pictures that come without hints; not for ``blur``, ``truth`` and
            ``article-patches``, which every picture has.
        most_hints: the largest number of simulated hints.
        sharp: how strongly folders whose pictures must be enlarged are drawn less; 0 switches it
            off.
        degraded: share of the pictures whose lightness is aged; of drawings: that look scanned.
        penciled: share of the drawings made on the way that a soft pencil draws rather than XDoG.
        lighting: largest relative change of brightness and of contrast.
        warp: largest shift of a corner by a perspective warp, as a share of the side.
        threads: loading threads.
        window: tar shards that are held in memory at a time.
        window_pictures: pictures a stage sees before the window moves on to other shards.
    """

    short: int = 256
    val_share: float = 0.01
    val_pictures: int = 256
    smallest_crop: float = 0.65
    first: tuple[int, int, int] = (0, 0, 0)
    hints: str = "points"
    unhinted: float = 0.5
    most_hints: int = 12
    sharp: float = 1.5
    degraded: float = 0.3
    penciled: float = 0.0
    lighting: float = 0.0
    warp: float = 0.0
    threads: int = 2
    window: int = 2
    window_pictures: int = 8000

    def __post_init__(self) -> None:
        if self.hints not in HINTS:
            raise UsageError(f"data.hints must be {', '.join(HINTS)}, not {self.hints!r}.")


@dataclass(frozen=True)
class Optimizer:
    """AdamW and what surrounds it.

    Attributes:
        betas: decay of the two moments.
        weight_decay: decoupled weight decay, on matrices and kernels only; 0 makes it Adam.
        clip: largest norm of the gradient; 0 switches clipping off.
        ema: decay of the moving average of the weights, which is what is exported; 0 switches it
            off.
    """

    betas: tuple[float, float] = (0.9, 0.99)
    weight_decay: float = 0.02
    clip: float = 1.0
    ema: float = 0.998


@dataclass(frozen=True)
class Recipe:
    """A whole training run.

    Attributes:
        name: of the recipe.
        family: the module in ``tinct.train.families`` that builds the task.
        task: ``photo`` or ``lineart``.
        model: the family's own settings, a frozen dataclass.
        stages: in order.
        size: ``nano`` for a test, ``small`` for a laptop, ``full`` for a GPU.
        data: how folders become batches.
        optimizer: AdamW, clipping, averaging.
        seed: of everything random.
        precision: ``32-true``, ``bf16-mixed``, ``16-mixed``, or ``auto``: bfloat16 where the GPU or
            the processor multiplies matrices in it (AMX), else ``32-true``.
        sizes: working sizes the exported bundle offers: short side in pixels for fast, balanced,
            best.
        looks: short sides at which the exported bundle looks besides for ``best``, photographs
            only; the mean is taken.
        multiple_of: sides of the exported network's input are multiples of this.
        limits: smallest and largest value of figures on the validation pictures, such as
            ``val.error``; see ``limit_patience``.
        limit_patience: a run stops whose figures are outside their limits at this many validations
            in a row.
        validate_every: steps between validations.
        save_every: steps between checkpoints.
        sample_pictures: how many pictures the sample grids show.
    """

    name: str
    family: str
    task: str
    model: Any
    stages: tuple[Stage, ...]
    size: str = "full"
    data: DataRecipe = field(default_factory=DataRecipe)
    optimizer: Optimizer = field(default_factory=Optimizer)
    seed: int = 0
    precision: str = "32-true"
    sizes: tuple[int, int, int] = (160, 192, 256)
    looks: tuple[int, ...] = ()
    multiple_of: int = 32
    limits: dict[str, tuple[float, float]] = field(default_factory=dict)
    limit_patience: int = 5
    validate_every: int = 500
    save_every: int = 250
    sample_pictures: int = 12


def at_nano(recipe: Recipe) -> Recipe:
    """Return a recipe that suits a test: small pictures, few of them, validated often."""
    small = dataclasses.replace(
        recipe.data, short=48, first=(0, 0, 0), val_share=0.2, val_pictures=8
    )
    return dataclasses.replace(
        recipe, data=small, validate_every=10, save_every=10, sample_pictures=4
    )


def replace_fields(recipe: Recipe, overrides: Mapping[str, str]) -> Recipe:
    """Return a recipe with single fields replaced.

    Args:
        recipe: the recipe.
        overrides: dotted field to value, both text; ``stages.0.steps`` reaches into the first
            stage.

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
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        held = [f.name for f in dataclasses.fields(value)]
        if key in held and isinstance(getattr(value, key), dict) and len(rest) == 1:
            kind = typing.get_args(typing.get_type_hints(type(value))[key])[1]
            named = {**getattr(value, key), rest[0]: _parsed(kind(), text, path)}
            return dataclasses.replace(value, **{key: named})
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
        kind = "list" if isinstance(old, tuple) else type(old).__name__
        raise UsageError(
            f"--set {path}={text}: expected a value of type {kind}, like {json.dumps(old)}."
        )
    return new


def to_json(recipe: Recipe) -> str:
    """Write a recipe as JSON text."""
    return json.dumps(dataclasses.asdict(recipe), indent=2)


def from_json(text: str, settings: Mapping[str, type]) -> Recipe:
    """Read a recipe back, also under former names; the inverse of :func:`to_json`.

    Args:
        text: a run's ``recipe.json``.
        settings: the settings' type by family.
    """
    held = rename_recipe(msgspec.json.decode(text))
    model: Any = msgspec.convert(held["model"], settings[held["family"]])
    # A field younger than the file has its default, which is what was done.
    return dataclasses.replace(msgspec.convert(held, Recipe), model=model)
