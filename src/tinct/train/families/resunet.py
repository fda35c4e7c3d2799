"""A U-Net on a pretrained encoder, taught by a feature loss.

The decoder follows from the encoder's shapes, as in fastai's dynamic U-Net [2]: a bottleneck of two
convolutions; at each stride pixel shuffle with ICNR, the encoder's map, normalized, beside it, and
two convolutions; at full size the input itself once more (the cross connection), a residual block,
and a 1x1 convolution to RGB. The loss compares pixels, activations of VGG-16 and their Gram
matrices [3, 4]; it stays as it is during training, which is what [1] prefers it for over a
discriminator.

References:
    [1] C. Thomas: U-Net deep learning colourisation of greyscale images, Towards Data Science,
        2019; and its companions on U-Nets with cross connections and on feature losses.
    [2] fastai 1.0, ``fastai.vision.models.unet``; and its lesson 7, super-resolution: the loss and
        its weights, the blur, the rates.
    [3] J. Johnson, A. Alahi, L. Fei-Fei: Perceptual Losses for Real-Time Style Transfer and
        Super-Resolution, ECCV 2016.
    [4] L. A. Gatys, A. S. Ecker, M. Bethge: Image Style Transfer Using Convolutional Neural
        Networks, CVPR 2016 (Gram matrices).
    [5] P. Goyal et al.: Accurate, Large Minibatch SGD, 2017 (a residual block starts as identity).
    [6] J. Antic: DeOldify, 2018, of the same descent (the bounds of the output).
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tinct.color import lightness_to_gray, rgb_to_lab
from tinct.errors import TrainingError
from tinct.train.nets import backbones
from tinct.train.nets.backbones import Pyramid, build_perceptual_network
from tinct.train.nets.blocks import ConvNormAct, ShuffleUp
from tinct.train.recipe import Recipe, Stage
from tinct.train.recipes.resunet import ResUNet
from tinct.train.task import Batch, Player, Task

Triple = tuple[float, float, float]

IMAGENET: tuple[Triple, Triple] = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
HALVES: tuple[Triple, Triple] = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
RANGE = 3.0  # the network's colors lie within -3..3 in units of ImageNet's deviation [6]
EARLY_STAGES = 3  # of the encoder: strides 2 to 8
TINY = (8, 8, 12, 16, 24)  # channels of the encoder that tests use
STEP = 8  # the decoder's channels are multiples of this


def build_encoder(name: str, *, pretrained: bool) -> tuple[Pyramid, tuple[Triple, Triple]]:
    """Return an encoder, and the mean and deviation of RGB 0..1 that it expects.

    Args:
        name: ``resnet34``, ``efficientnet_lite0`` (``1``, ``2``) or ``tiny``.
        pretrained: with ImageNet weights, or freshly initialized.

    Raises:
        TrainingError: the name is unknown, or the weights cannot be had.
    """
    if name == "resnet34":
        return backbones.resnet34(pretrained=pretrained), IMAGENET
    if name in backbones.CLASSIFIERS:
        return _lite(name, pretrained=pretrained), HALVES
    if name != "tiny" or pretrained:
        raise TrainingError(
            f"There is no {'pretrained ' * pretrained}encoder {name!r}; choose from resnet34, "
            f"{', '.join(backbones.CLASSIFIERS)}, or tiny without model.pretrained."
        )
    stages = [ConvNormAct(before, after, stride=2) for before, after in pairwise((3, *TINY))]
    return Pyramid(stages, TINY), HALVES


def _lite(name: str, *, pretrained: bool) -> Pyramid:
    """Return an EfficientNet-Lite cut where its maps become smaller."""
    features: Any = backbones.encoder(name, pretrained=pretrained)
    stages: list[nn.Module] = []
    parts: list[nn.Module] = [features.conv_stem, features.bn1]
    for number, block in enumerate(features.blocks):
        parts.append(block)
        if f"blocks.{number}" in features.feature_info.module_name():
            stages.append(nn.Sequential(*parts))
            parts = []
    return Pyramid(stages, features.feature_info.channels())


class Level(nn.Module):
    """Double the size, join the encoder's map, mix both by two convolutions."""

    def __init__(self, inputs: int, skip: int, outputs: int, *, blur: bool) -> None:
        super().__init__()
        self.up = ShuffleUp(inputs, inputs // 2, blur=blur)
        self.norm = nn.BatchNorm2d(skip)
        self.mix = nn.Sequential(
            ConvNormAct(inputs // 2 + skip, outputs), ConvNormAct(outputs, outputs)
        )

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        """Map (N, inputs, H, W) and (N, skip, 2 H, 2 W) to (N, outputs, 2 H, 2 W)."""
        joined = torch.cat([self.up(x), self.norm(skip)], dim=1).relu()
        return cast(Tensor, self.mix(joined))


class Residual(nn.Module):
    """Two convolutions beside the identity, which is all that there is at the start [5]."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = ConvNormAct(channels, channels)
        self.second = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(channels)
        nn.init.zeros_(self.norm.weight)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, channels, H, W) to the same shape."""
        return x + cast(Tensor, self.norm(self.second(self.first(x))))


def decoder_widths(channels: tuple[int, ...], *, width: float = 1.0) -> tuple[int, ...]:
    """Return the decoder's channels after the bottleneck and at strides 16, 8, 4 and 2.

    At ``width`` 1 they are what fastai derives [2]: the bottleneck keeps the encoder's channels; a
    level has those of its two inputs together, the last one half of them.

    Args:
        channels: of the encoder's maps at strides 2, 4, 8, 16 and 32.
        width: factor on the result, which is rounded to a multiple of 8.
    """
    c2, c4, c8, c16, c32 = channels
    found = [c32]
    for skip in (c16, c8, c4, c2):
        found.append(found[-1] // 2 + skip)
    found[-1] //= 2
    return tuple(max(STEP, STEP * round(width * count / STEP)) for count in found)


class Decoder(nn.Module):
    """From the encoder's maps and its input back to three channels at full size."""

    def __init__(self, channels: tuple[int, ...], *, width: float, blur: bool) -> None:
        super().__init__()
        deepest = channels[-1]
        widths = decoder_widths(channels, width=width)
        self.bottom = nn.Sequential(
            nn.BatchNorm2d(deepest),
            nn.ReLU(),
            ConvNormAct(deepest, 2 * widths[0]),
            ConvNormAct(2 * widths[0], widths[0]),
        )
        skips = channels[-2::-1]
        self.levels = nn.ModuleList(
            Level(before, skip, after, blur=blur)
            for (before, after), skip in zip(pairwise(widths), skips, strict=True)
        )
        self.up = ShuffleUp(widths[-1], widths[-1])
        self.last = nn.Sequential(Residual(widths[-1] + 3), nn.Conv2d(widths[-1] + 3, 3, 1))

    def forward(self, seen: Tensor, maps: list[Tensor]) -> Tensor:
        """Map (N, 3, H, W) and its maps at strides 2 to 32 to (N, 3, H, W)."""
        x = self.bottom(maps[-1])
        for level, skip in zip(self.levels, maps[-2::-1], strict=True):
            x = level(x, skip)
        return cast(Tensor, self.last(torch.cat([self.up(x), seen], dim=1)))


class ResUNetNet(nn.Module):
    """``net(lightness, hint) -> {"lab": (N, 3, H, W)}``; H and W are multiples of 32.

    ``hint`` is not looked at.
    """

    def __init__(self, settings: ResUNet) -> None:
        super().__init__()
        self.encoder, expected = build_encoder(settings.encoder, pretrained=settings.pretrained)
        self.decoder = Decoder(self.encoder.channels, width=settings.width, blur=settings.blur)
        self.scales: Tensor
        planes = torch.tensor([*expected, *IMAGENET]).reshape(4, 3, 1, 1)
        self.register_buffer("scales", planes, persistent=False)

    def normalize(self, rgb: Tensor) -> Tensor:
        """Return sRGB 0..1 in the units of :meth:`paint`."""
        return (rgb - self.scales[2]) / self.scales[3]

    def paint(self, lightness: Tensor) -> Tensor:
        """Return colors normalized by ImageNet's mean and deviation, -3..3, not yet clipped.

        Args:
            lightness: float32 (N, 1, H, W), L* 0..100.
        """
        seen = (lightness_to_gray(lightness) - self.scales[0]) / self.scales[1]
        made: Tensor = self.decoder(seen, self.encoder(seen))
        return RANGE * torch.tanh(made / 2)

    def forward(self, lightness: Tensor, hint: Tensor) -> dict[str, Tensor]:  # noqa: ARG002  (no hints)
        """Color a batch.

        Args:
            lightness: float32 (N, 1, H, W), L* 0..100.
            hint: not looked at.
        """
        rgb = self.paint(lightness).float() * self.scales[3] + self.scales[2]
        return {"lab": rgb_to_lab(rgb.clamp(0, 1), axis=1)}


def gram(features: Tensor) -> Tensor:
    """Return how channels go together: (N, C, C), the mean product over places, divided by C [2].

    Args:
        features: float (N, C, H, W).
    """
    count = features[0].numel()
    flat = features.flatten(2)
    return flat @ flat.transpose(1, 2) / count


class FeatureLoss:
    """Compare pictures as a trained network sees them [2, 3].

    Not a module, so that the network is neither trained nor saved; it is made when it is first
    asked.

    Args:
        settings: which network, and what counts how much.
    """

    def __init__(self, settings: ResUNet) -> None:
        self.settings = settings
        self._network: nn.Sequential | None = None

    def network(self, device: torch.device) -> nn.Sequential:
        """Return the frozen network that judges."""
        if self._network is None:
            self._network = build_perceptual_network(self.settings.perceptual_network).to(device)
        return self._network

    def features(self, pictures: Tensor) -> list[Tensor]:
        """Return the activations before the second and third max-pool, and the last ones.

        For VGG-16 up to relu4_3 the last ones are those before the fourth.

        Args:
            pictures: float (N, 3, H, W), normalized by ImageNet's mean and deviation.
        """
        x = F.avg_pool2d(pictures, self.settings.feature_scale)
        taken: list[Tensor] = []
        for layer in self.network(pictures.device):
            if isinstance(layer, nn.MaxPool2d):
                taken.append(x)
            x = layer(x)
        return [*(part.float() for part in taken[1:]), x.float()]

    def __call__(self, made: Tensor, truth: Tensor) -> dict[str, Tensor]:
        """Return the terms ``features`` and ``gram``, weighted.

        A layer's activations are first scaled so that those of the truth have the mean
        ``feature_mean``: how large they are is a matter of where the network's weights come from.
        Differences are mean absolute ones over all activations, and over all entries of the Gram
        matrices.

        Args:
            made: float (N, 3, H, W), normalized by ImageNet's mean and deviation.
            truth: the same.
        """
        with torch.no_grad():
            goals = self.features(truth)
        terms = {"features": made.new_zeros(()), "gram": made.new_zeros(())}
        found = self.features(made)
        for weight, seen, wanted in zip(self.settings.feature_weights, found, goals, strict=True):
            scale = self.settings.feature_mean / wanted.mean().clamp(min=1e-6)
            one, other = scale * seen, scale * wanted
            style = self.settings.gram_weight * weight**2
            terms["features"] = terms["features"] + weight * F.l1_loss(one, other)
            terms["gram"] = terms["gram"] + style * F.l1_loss(gram(one), gram(other))
        return terms


class ResUNetTask(Task):
    """One player, the network: pixels, features and Gram matrices."""

    net: ResUNetNet

    def __init__(self, recipe: Recipe) -> None:
        super().__init__()
        self.net = ResUNetNet(recipe.model)
        weighted = any(recipe.model.feature_weights)
        self.feature_loss = FeatureLoss(recipe.model) if weighted else None

    def _groups(self) -> dict[str, list[nn.Module]]:
        stages = list(self.net.encoder.stages)
        return {
            "encoder.early": stages[:EARLY_STAGES],
            "encoder.late": stages[EARLY_STAGES:],
            "decoder": [self.net.decoder],
        }

    def players(self) -> list[Player]:
        """Return the one player: groups ``encoder.early``, ``encoder.late``, ``decoder``."""
        groups = {
            name: [parameter for part in parts for parameter in part.parameters()]
            for name, parts in self._groups().items()
        }
        return [Player(name="net", groups=groups)]

    def frozen(self, names: tuple[str, ...]) -> list[nn.Module]:
        """Return the modules behind the frozen groups' names."""
        return [part for name, parts in self._groups().items() if name in names for part in parts]

    def loss(
        self,
        player: str,  # noqa: ARG002  (there is one)
        batch: Batch,
        stage: Stage | None = None,  # noqa: ARG002  (all are alike)
    ) -> dict[str, Tensor]:
        """Return the weighted terms ``pixels`` and, unless they weigh nothing, the features'."""
        made, truth = self.net.paint(batch.input_lightness), self.net.normalize(batch.rgb)
        terms = {"pixels": F.l1_loss(made.float(), truth)}
        if self.feature_loss is not None:
            terms |= self.feature_loss(made, truth)
        return terms

    def figures(self, batch: Batch) -> dict[str, Tensor]:
        """Return the term ``pixels``; the features would cost as much as a step of training."""
        made = self.net.paint(batch.input_lightness).float()
        return {"pixels": F.l1_loss(made, self.net.normalize(batch.rgb))}

    @torch.no_grad()
    def predict(self, batch: Batch) -> Tensor:
        """Return float (N, 3, H, W) Lab: the picture's own lightness with the network's color."""
        lab = self.net(batch.input_lightness, batch.hint)["lab"]
        return torch.cat([batch.lightness, lab[:, 1:]], dim=1)
