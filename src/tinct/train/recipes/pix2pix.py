"""The pix2pix networks: their settings and recipes."""

from __future__ import annotations

from dataclasses import dataclass, replace

from tinct.train.recipe import (
    COLLAPSE,
    SMALL_PICTURES,
    DataRecipe,
    Optimizer,
    Recipe,
    Size,
    Stage,
    at_nano,
)


@dataclass(frozen=True)
class Pix2Pix:
    """A U-Net, the discriminator beside it, and what each is taught.

    Attributes:
        space: what the network gives: ``rgb``, a painted picture, or ``ab``, chroma alone.
        widths: channels after each convolution of stride 2; their number says how often the
            picture is halved.
        norm: ``instance``, which is what batch normalization is at batch 1, or ``batch``.
        dropout: share of the features left out in the three innermost layers that enlarge, during
            training.
        discriminator_width: channels of the discriminator's first layer.
        discriminator_layers: its convolutions of stride 2; three see 70 x 70 pixels.
        conditional: whether the discriminator sees the gray picture beside the colored one.
        verdict: what the discriminator's map is compared by: ``least-squares`` or
            ``cross-entropy``.
        l1_weight: factor of the distance from the truth, beside the discriminator's 1.
    """

    space: str = "rgb"
    widths: tuple[int, ...] = (64, 128, 256, 512, 512, 512, 512, 512)
    norm: str = "instance"
    dropout: float = 0.5
    discriminator_width: int = 64
    discriminator_layers: int = 3
    conditional: bool = True
    verdict: str = "least-squares"
    l1_weight: float = 100.0


# Narrow ones, for two processor cores and for tests. At more than one picture a step there is no
# reason to part from the batch normalization of the paper.
_SMALL = Pix2Pix(widths=(32, 64, 96, 112, 112, 96), norm="batch", discriminator_width=16)
_NANO = Pix2Pix(widths=(8, 8, 12, 12, 12), norm="batch", discriminator_width=4)
_BATCH = 16

_PHOTOS = 6 * 1_200_000  # pictures seen by the paper's BW -> color: 6 epochs of ImageNet
_DRAWINGS = 15 * 137_000  # and by its largest edges -> picture: 15 epochs of 137 000 handbags


def _recipe(name: str, size: Size, *, task: str = "photo", pictures: int = _PHOTOS) -> Recipe:
    """Return what all variants share; ``pictures`` are seen at full size, one a step."""
    stages = {
        "full": Stage(
            size=256, steps=pictures, batch=1, lr=2e-4, warmup=0, schedule="linear", final=0
        ),
        "small": Stage(
            size=128,
            steps=SMALL_PICTURES // _BATCH,
            batch=_BATCH,
            lr=1e-3,
            schedule="linear",
            final=0.02,
        ),
        "nano": Stage(size=32, steps=20, batch=4, lr=2e-3),
    }
    model = {"full": Pix2Pix(), "small": _SMALL, "nano": _NANO}[size]
    recipe = Recipe(
        name=name,
        family="pix2pix",
        task=task,
        model=model,
        stages=(stages[size],),
        size=size,
        # The paper mirrors its photographs and does not scale them.
        data=DataRecipe(hints="none", degraded=0, smallest_crop=1.0, short=256),
        optimizer=Optimizer(betas=(0.5, 0.999), weight_decay=0, clip=0, ema=0),
        sizes=(256, 256, 512),
        multiple_of=2 ** len(model.widths),
        limits=COLLAPSE,
        validate_every=5000,
        save_every=5000,
    )
    if size == "small":
        return replace(
            recipe,
            data=replace(recipe.data, smallest_crop=0.65),
            optimizer=replace(recipe.optimizer, ema=0.99),
            sizes=(128, 128, 256),
            validate_every=150,
            save_every=150,
        )
    if size == "nano":
        return replace(at_nano(recipe), sizes=(32, 32, 64))
    return recipe


def pix2pix_gray(size: Size) -> Recipe:
    """Color photographs with pix2pix: U-Net, 70x70 discriminator, least squares, 100 L1.

    ``full`` has the article's layers and loss; the article names no data, so the steps are the
    paper's 6 epochs of 1.2 million photographs at batch 1 (the paper: 4), with the learning rate of
    the published code: level for half of the steps, then down a line to 0. ``small`` is narrower,
    sees 128 px at batch 16, and is averaged.
    """
    return _recipe("pix2pix-gray", size)


def pix2pix_gray_cross_entropy(size: Size) -> Recipe:
    """Color photographs with pix2pix by the paper's own verdict, cross entropy."""
    return _with(_recipe("pix2pix-gray-cross-entropy", size), verdict="cross-entropy")


def pix2pix_gray_unconditional(size: Size) -> Recipe:
    """Color photographs with pix2pix whose discriminator sees no gray: what the condition buys.

    As in DCGAN the discriminator judges the colored picture alone.
    """
    return _with(_recipe("pix2pix-gray-unconditional", size), conditional=False)


def pix2pix_gray_lab(size: Size) -> Recipe:
    """Color photographs with pix2pix in CIE Lab: a* and b* alone, lightness is the picture's."""
    return _with(_recipe("pix2pix-gray-lab", size), space="ab")


def pix2pix_lineart(size: Size) -> Recipe:
    """Paint line drawings with pix2pix: the same network from a drawing to a picture.

    ``full`` takes as many steps as the paper's largest edges -> picture: 15 epochs of 137 000.
    """
    return _recipe("pix2pix-lineart", size, task="lineart", pictures=_DRAWINGS)


def _with(
    recipe: Recipe, *, space: str = "rgb", conditional: bool = True, verdict: str = "least-squares"
) -> Recipe:
    """Return the recipe with another discriminator or another output."""
    model = replace(recipe.model, space=space, conditional=conditional, verdict=verdict)
    return replace(recipe, model=model)


RECIPES = {
    "pix2pix-gray": pix2pix_gray,
    "pix2pix-gray-cross-entropy": pix2pix_gray_cross_entropy,
    "pix2pix-gray-unconditional": pix2pix_gray_unconditional,
    "pix2pix-gray-lab": pix2pix_gray_lab,
    "pix2pix-lineart": pix2pix_lineart,
}
