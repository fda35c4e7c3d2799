"""Sketch to color, the article's four models and two more: their settings and recipes."""

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
class SketchUNet:
    """A U-Net that paints a drawing, perhaps a discriminator beside it, and what each is taught.

    Attributes:
        widths: channels after each convolution of stride 2; their number says how often the
            drawing is halved.
        scaling: ``tanh``, pictures from -1 to 1 and a tanh at the end, or ``relu``, pictures from
            0 to 1 and a ReLU at the end.
        loss: of pixels: ``l1``, ``mse`` or ``cross-entropy``, the last of values from 0 to 1.
        pixel_weight: factor of it, beside the discriminator's 1.
        discriminator: ``none``; ``whole``, one verdict on a picture; or ``patches``, one on each
            part.
        discriminator_widths: channels of the discriminator's convolutions of stride 2; a
            discriminator of patches takes the first and doubles it.
        conditional: whether the discriminator sees the drawing beside the colored picture.
        hint_share: share of a hint in what the network sees where there is one; 0 for a network
            that takes no hints.
    """

    widths: tuple[int, ...] = (64, 128, 256, 512, 512)
    scaling: str = "tanh"
    loss: str = "l1"
    pixel_weight: float = 1.0
    discriminator: str = "none"
    discriminator_widths: tuple[int, ...] = (64, 128, 256, 512, 512)
    conditional: bool = False
    hint_share: float = 0.0


_MODELS = {
    "full": SketchUNet(),
    "small": SketchUNet(widths=(24, 48, 80, 120, 120), discriminator_widths=(16, 32, 48, 64, 64)),
    "nano": SketchUNet(widths=(8, 12, 16, 16), discriminator_widths=(4, 8, 8, 8)),
}
_BATCH = 32
_EPOCH = 20_000 // _BATCH  # steps
_EPOCHS = 100
_SMALL_BATCH = 16
_BLURRED, _COPIED = 0.5, 1.0  # share of the hint


def _recipe(
    name: str,
    size: Size,
    *,
    discriminator: str = "none",
    hints: str = "none",
    hint_share: float = 0.0,
) -> Recipe:
    """Return what all models share, with the discriminator and the hints of one."""
    stage = {
        "full": Stage(
            size=128, steps=_EPOCHS * _EPOCH, batch=_BATCH, lr=2e-4, warmup=0, schedule="constant"
        ),
        "small": Stage(
            size=128,
            steps=SMALL_PICTURES // _SMALL_BATCH,
            batch=_SMALL_BATCH,
            lr=1e-3,  # at the article's 2e-4 a few hundred steps lead nowhere
            schedule="linear",
        ),
        "nano": Stage(size=32, steps=20, batch=4, lr=2e-3),
    }[size]
    model = replace(_MODELS[size], discriminator=discriminator, hint_share=hint_share)
    if discriminator != "none":
        model = replace(model, pixel_weight=100.0)
        stage = replace(stage, turns={"discriminator": 2})
    data = DataRecipe(hints=hints, most_hints=50, degraded=0, smallest_crop=1.0, short=128)
    recipe = Recipe(
        name=name,
        family="sketch_unet",
        task="lineart",
        model=model,
        stages=(stage,),
        size=size,
        data=replace(data, first=(20_000, 3_000, 3_000), val_pictures=3_000),
        optimizer=Optimizer(betas=(0.5, 0.999), weight_decay=0, clip=0, ema=0),
        sizes=(128, 128, 256),
        multiple_of=2 ** len(model.widths),
        limits={} if discriminator == "none" else COLLAPSE,
        validate_every=5 * _EPOCH,
        save_every=_EPOCH,
    )
    if size == "small":
        return replace(
            recipe,
            data=replace(data, smallest_crop=0.65, short=256),
            optimizer=replace(recipe.optimizer, ema=0.99),
            validate_every=125,
            save_every=125,
        )
    if size == "nano":
        return replace(at_nano(recipe), sizes=(32, 32, 64))
    return recipe


def sketch_unet(size: Size) -> Recipe:
    """Paint line drawings with the article's U-Net: 5x5 convolutions, skips, L1 alone.

    ``full`` is as published: 128 px, the first 20 000 pictures train, 3 000 validate, 3 000 are
    left for testing, Adam 2e-4. The article counts no epochs and shows pictures after every 20th;
    here they are 100, at batch 32 62 500 steps. ``small`` is narrower, sees crops at a higher rate,
    and is averaged.

    The article's comparisons are ``--set model.loss=mse`` or ``cross-entropy``, and
    ``--set model.scaling=relu``.
    """
    return _recipe("sketch-unet", size)


def sketch_gan(size: Size) -> Recipe:
    """Paint line drawings with the article's GAN: the U-Net and a discriminator of whole pictures.

    100 L1 and binary cross entropy; the discriminator learns at alternate iterations. Steps as of
    ``sketch-unet``.
    """
    return _recipe("sketch-gan", size, discriminator="whole")


def sketch_gan_blur_hint(size: Size) -> Recipe:
    """Paint line drawings with the article's GAN, half of whose input is the colors, blurred.

    The drawing becomes the mean of itself and the truth blurred by a box of 32 x 32 pixels. Every
    picture of the training has this map; a drawing without one is nothing the network knows.
    """
    return _recipe(
        "sketch-gan-blur-hint", size, discriminator="whole", hints="blur", hint_share=_BLURRED
    )


def sketch_unet_article_patches(size: Size) -> Recipe:
    """Paint line drawings with the article's U-Net, told 20 patches of color at fixed places.

    The patches of 7 x 7 pixels replace the drawing where they lie.
    """
    return _recipe("sketch-unet-article-patches", size, hints="article-patches", hint_share=_COPIED)


def sketch_unet_patch_hint(size: Size) -> Recipe:
    """Paint line drawings with the article's U-Net, told patches and strokes wherever one likes.

    Half of the pictures have none, the others up to 50 at random places: fixed places cannot serve
    a person who clicks.
    """
    return _recipe("sketch-unet-patch-hint", size, hints="patches", hint_share=_COPIED)


def sketch_gan_patchgan(size: Size) -> Recipe:
    """Paint line drawings with the article's GAN, judging patches of 70 x 70 pixels.

    What the article leaves to future work.
    """
    return _recipe("sketch-gan-patchgan", size, discriminator="patches")


RECIPES = {
    "sketch-unet": sketch_unet,
    "sketch-gan": sketch_gan,
    "sketch-gan-blur-hint": sketch_gan_blur_hint,
    "sketch-unet-article-patches": sketch_unet_article_patches,
    "sketch-unet-patch-hint": sketch_unet_patch_hint,
    "sketch-gan-patchgan": sketch_gan_patchgan,
}
