"""The flagship network for photographs and for line art: its settings and recipes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

from tinct.train.recipe import DataRecipe, Optimizer, Recipe, Size, Stage, at_nano


@dataclass(frozen=True)
class Flagship:
    """The flagship network and its losses.

    Attributes:
        encoder: name of the pretrained encoder.
        pretrained: start it from ImageNet weights.
        widths: channels of the decoder at strides 2, 4, 8, 16 and 32.
        width_full: channels at stride 1, for line art only.
        heads: attention heads at strides 16 and 8.
        more16: attention blocks at stride 16 besides the first.
        more8: attention blocks at stride 8.
        stretched: the network sees every picture with its tones spread over the whole range.
        gated: a second decoder, adapted to one kind of pictures, takes over where a picture is of
            that kind; for photographs only, and set by ``tinct finetune``.
        bin_step: width of an ab bin in Lab units.
        bin_sigma: softness of the bins' target in Lab units.
        rebalance: share of the uniform distribution in the rarity weights of the bins (Zhang et al.
            2016: 0.5).
        rarity: exponent on those weights; 0 switches them off, 1 is the paper's.
        ab_weight: factor of the regression term.
        lightness_weight: factor of the regression of lightness, for line art only.
        bins_weight: factor of the classification term.
        chroma_weight: how much more a colorful pixel counts in the regression term.
        seen: the extra term ``joined`` measures distances as eyes do (CIE94), not in ab units.
        perceptual_network: whose features the extra term ``perceptual`` compares: ``vgg16``, or
            ``random``, a tiny network that was never trained.
        perceptual_every: it looks at every n-th picture of a batch.
        believed_every: the extra term ``believed`` looks at every n-th picture of a batch.
        believed_by: the classifier that it asks, named like an encoder; empty: the encoder's own.
            One that is not the encoder's sees other mistakes, and leaves the encoder's for a test.
        colorful: the extra term ``colorful`` asks for this share of the truth's colorfulness, of
            the batch as a whole, so that the network chooses where color is safe.
        discriminator: channels of the first layer of a discriminator of patches, which the extra
            term ``adversarial`` asks, for line art only; 0: there is none.
        temperature: of the annealed mean over the bins.
        bins_share: share of the bins' color in the joined result, the rest being the regressor's.
        gain: factor on the joined chroma.
        contrast: exponent that makes strong colors stronger and weak ones weaker; 0 is without. Not
            for line art.
        coherence: radius, in cells of 4 x 4 pixels, of the filter that smooths the color along the
            picture's regions; 0: there is none. Not for line art.
        smoothness: variance of sRGB codes 0..1 up to which that filter sees one region.
        color_range: difference of colors, in Lab units, that tells regions apart as much as that of
            black and white; 0: gray alone does.
        confidence: exponent by which a picture gets paler the farther its likely colors lie apart.
            Not for line art.
        evenness: exponent by which a picture of strong colors gets paler, and one of weak ones
            stronger. Not for line art.
        calm: how much of the rarity weights' effect on the bins is taken back at export, 0 to 1.
    """

    DECODING: ClassVar = (
        "temperature",
        "bins_share",
        "gain",
        "contrast",
        "coherence",
        "smoothness",
        "color_range",
        "confidence",
        "evenness",
        "calm",
    )

    encoder: str = "efficientnet_lite0"
    pretrained: bool = True
    widths: tuple[int, int, int, int, int] = (24, 64, 96, 144, 224)
    width_full: int = 16
    heads: int = 4
    more16: int = 0
    more8: int = 0
    stretched: bool = False
    gated: bool = False
    bin_step: float = 10.0
    bin_sigma: float = 5.0
    rebalance: float = 0.5
    rarity: float = 0.5
    ab_weight: float = 1.0
    lightness_weight: float = 1.0
    bins_weight: float = 0.2
    chroma_weight: float = 1.0
    seen: bool = False
    perceptual_network: str = "vgg16"
    perceptual_every: int = 4
    believed_every: int = 2
    believed_by: str = "efficientnet_lite0"
    colorful: float = 0.8
    discriminator: int = 0
    temperature: float = 0.45
    bins_share: float = 0.6
    gain: float = 1.35
    contrast: float = 0.0
    coherence: int = 0
    smoothness: float = 0.001
    color_range: float = 0.0
    confidence: float = 0.0
    evenness: float = 0.0
    calm: float = 0.5


# The first blocks see edges and textures, which do not change when color goes: they stay as
# ImageNet left them.
_EARLY = ("encoder.early",)
_GENTLE = {"encoder.early": 0.1, "encoder.late": 0.1}

# Drawings have other edges than photographs.
_EARLIER = {"encoder.early": 0.3, "encoder.late": 0.3}
_EYE = {"perceptual": 1.0, "adversarial": 0.3}  # what makes a painting look better, not nearer

_ENCODER = ("encoder.early", "encoder.late")
_BELIEVED = {"believed": 0.08}
_BELIEVABLE = {"joined": 0.3, "perceptual": 3.0}

_STAGES: dict[Size, tuple[Stage, ...]] = {
    "full": (
        Stage(size=64, steps=30_000, batch=128, lr=2e-3, lr_scale=_GENTLE, freeze=_EARLY),
        Stage(size=128, steps=60_000, batch=64, lr=1.5e-3, lr_scale=_GENTLE),
        Stage(size=256, steps=20_000, batch=32, lr=5e-4, lr_scale=_GENTLE),
    ),
    "small": (
        Stage(
            size=160,
            steps=950,
            batch=48,
            lr=2e-4,
            lr_scale={"encoder.late": 1.0},
            freeze=("encoder.early", "decoder"),
            terms={"recognition": 1.0},
        ),
        Stage(size=128, steps=5000, batch=32, lr=1e-3, freeze=_ENCODER),
        Stage(size=160, steps=4000, batch=24, lr=8e-4, freeze=_ENCODER),
        Stage(size=192, steps=1200, batch=16, lr=4e-4, freeze=_ENCODER, terms=_BELIEVED),
    ),
    "nano": (Stage(size=32, steps=20, batch=4, lr=2e-3, terms=_BELIEVABLE),),
}


def flagship_photo(size: Size) -> Recipe:
    """Color photographs: breadth of subjects on small pictures, then larger ones.

    It works at larger sizes than it is trained at: training shows parts of pictures, so that things
    are as large there as they are in whole pictures of more pixels (Touvron et al. 2019, FixRes).
    ``small`` is what two processor cores learn in about two hours: first the encoder alone
    learns to see in gray what it saw in color, then it stands still while the decoder learns.
    ``nano`` has every option of the network switched on, also those that did not make it better
    (docs/experiments.md).
    """
    recipe = Recipe(
        name="flagship-photo",
        family="flagship",
        task="photo",
        model=replace(
            Flagship(),
            temperature=0.38,
            bins_share=0.7,
            gain=1.14,
            contrast=0.6,
            coherence=8,
            color_range=280.0,
            confidence=1.25,
            evenness=0.2,
        ),
        stages=_STAGES[size],
        size=size,
        data=DataRecipe(hints="mixed", unhinted=0.88, most_hints=50, degraded=0.3, sharp=1.0),
        precision="auto",
        sizes=(160, 256, 448),
        looks=(256, 320),
    )
    if size != "nano":
        return recipe
    model = replace(
        recipe.model,
        pretrained=False,
        widths=(8, 8, 12, 16, 16),
        heads=2,
        more16=1,
        more8=1,
        stretched=True,
        coherence=4,
        color_range=300.0,
        perceptual_network="random",
        perceptual_every=3,
        seen=True,
        rarity=0.25,
        temperature=0.25,
        bins_share=0.8,
        gain=1.3,
        confidence=1.0,
        evenness=0.3,
        calm=0.0,
    )
    data = replace(recipe.data, unhinted=0.75, degraded=0.6, sharp=1.5)
    recipe = replace(recipe, data=data, sizes=(128, 160, 160), looks=(128,))
    return replace(at_nano(recipe), model=model)


_RESTING = {"discriminator": 0}
_FINISH: dict[str, Any] = {"lr_scale": {**_EARLIER, "discriminator": 0.5}, "terms": _EYE}
_LINES: dict[Size, tuple[Stage, ...]] = {
    "full": (
        Stage(size=128, steps=60_000, batch=64, lr=1.5e-3, lr_scale=_EARLIER, turns=_RESTING),
        Stage(size=256, steps=30_000, batch=32, lr=5e-4, **_FINISH),
    ),
    "small": (
        Stage(size=128, steps=3200, batch=24, lr=1.2e-3, lr_scale=_EARLIER, turns=_RESTING),
        Stage(size=160, steps=1340, batch=12, lr=4e-4, **_FINISH),
    ),
    "nano": (
        Stage(size=32, steps=10, batch=4, lr=2e-3, turns=_RESTING),
        Stage(size=32, steps=10, batch=4, lr=2e-3, terms=_EYE),
    ),
}


def flagship_lineart(size: Size) -> Recipe:
    """Color line drawings: lightness and chroma at 128 px, then perception and a discriminator.

    Two thirds of the drawings have hints of all kinds, half of them look like scans of paper.
    ``small`` is what two processor cores learn in about an hour and a half.
    """
    recipe = Recipe(
        name="flagship-lineart",
        family="flagship_lineart",
        task="lineart",
        model=replace(
            Flagship(), rarity=0.3, chroma_weight=0.5, bins_share=0.3, gain=1.2, discriminator=32
        ),
        stages=_LINES[size],
        size=size,
        data=DataRecipe(
            hints="mixed",
            unhinted=0.33,
            most_hints=60,
            degraded=0.5,
            penciled=0.3,
            smallest_crop=0.5,
        ),
        optimizer=Optimizer(ema=0.998),
        precision="auto",
        sizes=(160, 192, 256),
    )
    if size != "nano":
        return recipe
    model = replace(recipe.model, pretrained=False, widths=(8, 8, 12, 16, 16), heads=2)
    model = replace(model, width_full=8, perceptual_network="random", discriminator=4)
    return replace(at_nano(recipe), model=model)


RECIPES = {"flagship-photo": flagship_photo, "flagship-lineart": flagship_lineart}
