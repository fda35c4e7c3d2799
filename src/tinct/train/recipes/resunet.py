"""The U-Net on a pretrained encoder, taught by a feature loss: its settings and recipes."""

from __future__ import annotations

from dataclasses import dataclass, replace

from tinct.train.recipe import SMALL_PICTURES, DataRecipe, Optimizer, Recipe, Size, Stage, at_nano


@dataclass(frozen=True)
class ResUNet:
    """A U-Net whose decoder follows from the encoder's shapes, and what it is taught by.

    Attributes:
        encoder: ``resnet34``, ``efficientnet_lite0`` (``1``, ``2``), or ``tiny``, which is fresh.
        pretrained: start the encoder from ImageNet weights.
        width: factor on the decoder's channels; 1 is as published.
        blur: average neighbors after each pixel shuffle.
        perceptual_network: whose activations the feature loss compares: ``vgg16``, or ``random``, a
            tiny network that was never trained.
        feature_weights: factors of the activations before its second, third and fourth max-pool;
            all zero leaves the pixels alone.
        gram_weight: times the squares of those: factors of the Gram matrices.
        feature_mean: what the mean activation of each of those layers is scaled to. The published
            weights belong to a VGG-16 with batch normalization, whose activations are small; at
            0.03 the terms are of the size that they have there.
        feature_scale: it sees the pictures reduced by this factor.
    """

    encoder: str = "resnet34"
    pretrained: bool = True
    width: float = 1.0
    blur: bool = True
    perceptual_network: str = "vgg16"
    feature_weights: tuple[float, float, float] = (5.0, 15.0, 2.0)
    gram_weight: float = 5e3
    feature_mean: float = 0.03
    feature_scale: int = 1


_SMALL = ResUNet(encoder="efficientnet_lite0", width=0.4, feature_scale=2)
_NANO = ResUNet(encoder="tiny", pretrained=False, width=0.5, perceptual_network="random")

_FROZEN = ("encoder.early", "encoder.late")
# A tenth from group to group, as fastai spreads slice(lr / 100, lr) over three groups.
_DISCRIMINATIVE = {"encoder.early": 0.01, "encoder.late": 0.1}

_PICTURES = 720  # DIV2K's 800 training pictures without a tenth for validation
_PATIENCE = 4  # validations without improvement, after which a stage has reached its plateau


def _published(size: int, *, epochs: int, batch: int) -> Stage:
    """Return a stage of the article, which ends early at a plateau."""
    return Stage(
        size=size,
        steps=epochs * _PICTURES // batch,
        batch=batch,
        lr=1e-3,
        freeze=_FROZEN,
        warmup=0.3,
        patience=_PATIENCE,
    )


def _stages(size: Size) -> tuple[Stage, ...]:
    """Return the stages: pictures double their size, and the encoder moves in the last one."""
    if size == "full":
        last = _published(512, epochs=10, batch=4)
        return (
            _published(64, epochs=50, batch=64),
            _published(128, epochs=25, batch=32),
            _published(256, epochs=10, batch=16),
            last,
            replace(last, lr=1e-4, freeze=(), lr_scale=_DISCRIMINATIVE),
        )
    if size == "nano":
        first = Stage(size=32, steps=14, batch=4, lr=2e-3, freeze=_FROZEN)
        return (first, replace(first, steps=6, lr=1e-3, freeze=(), lr_scale=_DISCRIMINATIVE))
    batch = 16
    steps = SMALL_PICTURES // batch
    first = Stage(size=64, steps=steps // 2, batch=batch, lr=2e-3, freeze=_FROZEN)
    second = replace(first, size=128, steps=steps * 4 // 10, lr=1e-3)
    rest = steps - first.steps - second.steps
    third = replace(second, steps=rest, lr=3e-4, freeze=(), lr_scale=_DISCRIMINATIVE)
    return first, second, third


def resunet(size: Size) -> Recipe:
    """Color photographs with a U-Net on ResNet-34, by pixels, VGG-16 features and Gram matrices.

    ``full`` follows the article: 64, 128, 256 and 512 px for 50, 25, 10 and 10 epochs of 720
    pictures with the encoder frozen, each until the validation error stays level, then 10 epochs at
    512 px in which it moves, slower the deeper. The article does not tell its batches and rates;
    the rates are those of the fastai lesson that it follows. ``small`` has EfficientNet-Lite0 for
    an encoder, a narrower decoder, and compares features at half the size.
    """
    model = {"full": ResUNet(), "small": _SMALL, "nano": _NANO}[size]
    recipe = Recipe(
        name="resunet",
        family="resunet",
        task="photo",
        model=model,
        stages=_stages(size),
        size=size,
        # Random squares, mirroring, lighting and perspective as the article has them, their
        # strengths fastai's defaults: 0.2 of half a side is 0.1 of the side.
        data=DataRecipe(hints="none", degraded=0.0, lighting=0.2, warp=0.1, short=256),
        optimizer=Optimizer(betas=(0.9, 0.99), weight_decay=1e-3, clip=0, ema=0),
        sizes=(128, 128, 256),
        validate_every=100,
        save_every=100,
    )
    if size == "full":
        data = replace(recipe.data, short=768, val_share=0.1)
        return replace(recipe, data=data, sizes=(256, 384, 512))
    if size == "nano":
        return replace(at_nano(recipe), sizes=(32, 32, 64))
    return recipe


def resunet_pixel(size: Size) -> Recipe:
    """Color photographs with the same U-Net by pixels alone: what the feature loss buys."""
    recipe = resunet(size)
    model = replace(recipe.model, feature_weights=(0.0, 0.0, 0.0))
    return replace(recipe, name="resunet-pixel", model=model)


RECIPES = {"resunet": resunet, "resunet-pixel": resunet_pixel}
