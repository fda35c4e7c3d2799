"""ChromaGAN: its settings and recipes."""

from __future__ import annotations

from dataclasses import dataclass, replace

from tinct.errors import UsageError
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

BASES = ("vgg16", "efficientnet_lite0", "none")


@dataclass(frozen=True)
class ChromaGan:
    """The network, its discriminator, and what each is taught.

    A weight of 0 leaves out a term together with the network that only this term needs.

    Attributes:
        base: whose features everything starts from: ``vgg16`` (published), ``efficientnet_lite0``,
            or ``none`` for three fresh convolutions.
        pretrained: start the base from ImageNet weights.
        fresh: channels of a base of fresh convolutions at strides 2, 4 and 8.
        overview: channels of the four convolutions that look at the whole picture.
        grid: side of the square that their map is resized to, so that any size of picture fits the
            fully connected layers; 7 is what 224 px give by themselves.
        summary: values after each fully connected layer of the vector repeated over the map.
        class_widths: values after the hidden layers of the class branch.
        middle: channels of the two convolutions beside the overview.
        color: channels of the 1x1 convolution that joins both, of the 3x3 one after it, of the two
            after the first and of the one after the second enlargement.
        discriminator_width: channels of the discriminator's first layer.
        discriminator_layers: its convolutions of stride 2.
        teacher: the ImageNet classifier whose opinion of the gray picture the class branch learns,
            or ``stand-in``, a random one for tests.
        teacher_size: side of the pictures it is shown, in pixels.
        color_weight: factor of the squared error of a* and b*, in units of 255.
        class_weight: factor of the divergence from the teacher's opinion.
        adversary_weight: factor of the discriminator's verdict.
        penalty_weight: factor of the discriminator's gradient penalty.
    """

    base: str = "vgg16"
    pretrained: bool = True
    fresh: tuple[int, int, int] = (64, 128, 256)
    overview: int = 512
    grid: int = 7
    summary: tuple[int, ...] = (1024, 512, 256)
    class_widths: tuple[int, ...] = (4096, 4096)
    middle: tuple[int, int] = (512, 256)
    color: tuple[int, int, int, int, int] = (256, 128, 64, 64, 32)
    discriminator_width: int = 64
    discriminator_layers: int = 3
    teacher: str = "efficientnet_lite2"
    teacher_size: int = 224
    color_weight: float = 1.0
    class_weight: float = 0.003
    adversary_weight: float = 0.1
    penalty_weight: float = 10.0

    def __post_init__(self) -> None:
        if self.base not in BASES:
            raise UsageError(f"model.base must be {', '.join(BASES)}, not {self.base!r}.")
        if self.grid < 2:
            raise UsageError(f"model.grid must be at least 2, not {self.grid}.")


# VGG-16's part alone is 15 MB, and 57 times the multiplications of EfficientNet-Lite0's.
_SMALL = ChromaGan(
    base="efficientnet_lite0",
    overview=64,
    grid=4,
    summary=(128, 64, 64),
    class_widths=(256, 256),
    middle=(96, 64),
    color=(64, 48, 32, 32, 16),
    discriminator_width=16,
    teacher="efficientnet_lite0",
    teacher_size=128,
)
_NANO = ChromaGan(
    base="none",
    pretrained=False,
    fresh=(8, 12, 16),
    overview=12,
    grid=2,
    summary=(16, 12, 8),
    class_widths=(12, 12),
    middle=(16, 12),
    color=(12, 12, 8, 8, 8),
    discriminator_width=4,
    teacher="stand-in",
    teacher_size=32,
)
_BATCH = 16
_IMAGENET = 1_300_000
_EPOCHS, _PUBLISHED_BATCH = 5, 10

_STAGES: dict[Size, Stage] = {
    "full": Stage(
        size=224,
        steps=_EPOCHS * _IMAGENET // _PUBLISHED_BATCH,
        batch=_PUBLISHED_BATCH,
        lr=2e-5,
        warmup=0,
        schedule="constant",
    ),
    "small": Stage(
        size=128,
        steps=SMALL_PICTURES // _BATCH,
        batch=_BATCH,
        lr=1e-3,
        lr_scale={"base.late": 0.2, "discriminator": 0.5},
        freeze=("base.early",),
        schedule="linear",
    ),
    "nano": Stage(size=32, steps=20, batch=4, lr=2e-3),
}


def _recipe(name: str, size: Size) -> Recipe:
    """Return what all variants share."""
    model = {"full": ChromaGan(), "small": _SMALL, "nano": _NANO}[size]
    recipe = Recipe(
        name=name,
        family="chromagan",
        task="photo",
        model=model,
        stages=(_STAGES[size],),
        size=size,
        # The published pictures are squeezed to a square; here a square is cut out.
        data=DataRecipe(hints="none", degraded=0, short=256),
        optimizer=Optimizer(betas=(0.5, 0.999), weight_decay=0, clip=0, ema=0),
        sizes=(224, 224, 448),
        multiple_of=16 if model.base == "efficientnet_lite0" else 8,
        limits=COLLAPSE,
        validate_every=5000,
        save_every=5000,
    )
    if size == "small":
        return replace(
            recipe,
            optimizer=replace(recipe.optimizer, ema=0.99),
            sizes=(128, 128, 256),
            validate_every=150,
            save_every=150,
        )
    if size == "nano":
        return replace(at_nano(recipe), sizes=(32, 32, 64))
    return recipe


def chromagan(size: Size) -> Recipe:
    """Color photographs with ChromaGAN: VGG-16, class distributions, Wasserstein discriminator.

    ``full`` has the published networks, losses and hyper-parameters: squared error of a*, b* in
    units of 255 [1.0], divergence of the class distribution [0.003], discriminator [0.1] with
    gradient penalty [10]; Adam 2e-5 throughout, betas 0.5 and 0.999. The steps are the published 5
    epochs of 1.3 million ImageNet photographs at batch 10. The class distributions come from
    EfficientNet-Lite2 in place of VGG-16.

    ``small`` stands on EfficientNet-Lite0's features in place of VGG-16's, is taught by
    EfficientNet-Lite0, and is narrower. It sees a 500th of the pictures, so it learns faster (Adam
    1e-3, a fifth of it for the pretrained features, half of it for the discriminator), and is
    averaged.
    """
    return _recipe("chromagan", size)


def chromagan_no_class(size: Size) -> Recipe:
    """Color photographs with ChromaGAN without class distributions: what they buy.

    Left are the squared error [1.0] and the discriminator [0.1] with its gradient penalty [10].
    There is no class branch and no teacher; the branch that looks at the whole picture stays.
    """
    return _without(_recipe("chromagan-no-class", size), adversary=True)


def chromagan_no_adversary(size: Size) -> Recipe:
    """Color photographs with ChromaGAN's chroma network alone: what the discriminator buys.

    Left is the squared error of a* and b* [1.0], and nothing else: no discriminator, no class
    branch.
    """
    return _without(_recipe("chromagan-no-adversary", size), adversary=False)


def _without(recipe: Recipe, *, adversary: bool) -> Recipe:
    """Return the recipe without the class term, and perhaps without the discriminator."""
    model = replace(recipe.model, class_weight=0.0)
    if adversary:
        return replace(recipe, model=model)
    (stage,) = recipe.stages
    scales = {name: scale for name, scale in stage.lr_scale.items() if name != "discriminator"}
    return replace(
        recipe,
        model=replace(model, adversary_weight=0.0),
        stages=(replace(stage, lr_scale=scales),),
    )


RECIPES = {
    "chromagan": chromagan,
    "chromagan-no-class": chromagan_no_class,
    "chromagan-no-adversary": chromagan_no_adversary,
}
