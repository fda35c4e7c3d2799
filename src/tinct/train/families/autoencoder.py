"""The Lab autoencoder: an encoder to a narrow latent space, a decoder back, a quadratic loss.

The encoder is a row of strided convolutions, the decoder of transposed ones; [1] has the two words
exchanged (docs/decisions/0002-autoencoder.md). There are no skip connections: all that the decoder
knows of a picture went through the latent space. Nothing is normalized over a batch, so that a
batch may be split over processes without changing anything.

References:
    [1] G. Kamtziridis: Building an Image Colorization Neural Network, part 1: Generative Models and
        Autoencoders, MLearning.ai.
    [2] G. E. Hinton, R. R. Salakhutdinov: Reducing the Dimensionality of Data with Neural Networks,
        Science 313, 2006.
    [3] K. He et al.: Delving Deep into Rectifiers, ICCV 2015, section 2.2 (initialization).
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tinct.train.recipe import Recipe, Stage
from tinct.train.recipes.autoencoder import Autoencoder
from tinct.train.task import Batch, Player, Task

UNIT = 50.0  # Lab units that are 1 inside the network
KERNEL = 4


def _start(layer: nn.Conv2d | nn.ConvTranspose2d, *, gain: float) -> None:
    """Draw weights so that what comes out varies ``gain`` ** 0.5 times as much as what goes in [3].

    A transposed convolution of stride 2 makes each value from a quarter of its kernel.
    """
    taps = layer.kernel_size[0] * layer.kernel_size[1] * layer.in_channels
    if isinstance(layer, nn.ConvTranspose2d):
        taps //= layer.stride[0] * layer.stride[1]
    nn.init.normal_(layer.weight, 0.0, math.sqrt(gain / taps))
    assert layer.bias is not None
    nn.init.zeros_(layer.bias)


class AutoencoderNet(nn.Module):
    """``net(lightness, hint) -> {"ab": (N, 2, H, W)}``, or ``lab`` for reconstruction.

    H and W are multiples of :attr:`cell`. For reconstruction the a*, b* of ``hint`` are the
    picture's color; elsewhere ``hint`` is not looked at.
    """

    def __init__(self, settings: Autoencoder) -> None:
        super().__init__()
        self.reconstruct = settings.reconstruct
        self.cell = 2 ** len(settings.widths)
        inputs, outputs = (3, 3) if settings.reconstruct else (1, 2)
        rectified = settings.activation == "relu"

        def layer(made: nn.Conv2d | nn.ConvTranspose2d, *, last: bool = False) -> list[nn.Module]:
            active = rectified and not last
            _start(made, gain=2.0 if active else 1.0)
            return [made, nn.ReLU(inplace=True)] if active else [made]

        down: list[nn.Module] = []
        for before, after in pairwise((inputs, *settings.widths)):
            down += layer(nn.Conv2d(before, after, KERNEL, stride=2, padding=1))
        down += layer(nn.Conv2d(settings.widths[-1], settings.latent, 1), last=True)
        back = (*settings.widths[::-1], outputs)
        up = layer(nn.Conv2d(settings.latent, settings.widths[-1], 1))
        for number, (before, after) in enumerate(pairwise(back), start=1):
            made = nn.ConvTranspose2d(before, after, KERNEL, stride=2, padding=1)
            up += layer(made, last=number == len(settings.widths))
        self.encoder = nn.Sequential(*down)
        self.decoder = nn.Sequential(*up)

    def encode(self, lightness: Tensor, hint: Tensor) -> Tensor:
        """Return the latent numbers, (N, latent, H / cell, W / cell); arguments as for forward."""
        seen = (lightness - 50) / UNIT
        if self.reconstruct:
            seen = torch.cat([seen, hint[:, 1:3] / UNIT], dim=1)
        return cast(Tensor, self.encoder(seen))

    def decode(self, latent: Tensor) -> Tensor:
        """Return a*, b* (N, 2, H, W), or L*, a*, b* (N, 3, H, W), from the latent numbers."""
        made: Tensor = self.decoder(latent) * UNIT
        if not self.reconstruct:
            return made
        return torch.cat([made[:, :1] + 50, made[:, 1:]], dim=1)

    def forward(self, lightness: Tensor, hint: Tensor) -> dict[str, Tensor]:
        """Color a batch, or give its color back.

        Args:
            lightness: float32 (N, 1, H, W), L* 0..100.
            hint: float32 (N, 4, H, W): L*, a*, b*, mask.
        """
        made = self.decode(self.encode(lightness, hint))
        return {"lab" if self.reconstruct else "ab": made}


class AutoencoderTask(Task):
    """One player, the network: the mean squared error, in units of 50 Lab."""

    net: AutoencoderNet

    def __init__(self, recipe: Recipe) -> None:
        super().__init__()
        self.net = AutoencoderNet(recipe.model)
        self.takes_hints = self.net.reconstruct

    def players(self) -> list[Player]:
        """Return the one player: groups ``encoder`` and ``decoder``."""
        groups = {
            "encoder": list(self.net.encoder.parameters()),
            "decoder": list(self.net.decoder.parameters()),
        }
        return [Player(name="net", groups=groups)]

    def frozen(self, names: tuple[str, ...]) -> list[nn.Module]:
        """Return the modules behind the frozen groups' names."""
        known: dict[str, nn.Module] = {"encoder": self.net.encoder, "decoder": self.net.decoder}
        return [known[name] for name in names if name in known]

    def loss(
        self,
        player: str,  # noqa: ARG002  (there is one)
        batch: Batch,
        stage: Stage | None = None,  # noqa: ARG002  (all are alike)
    ) -> dict[str, Tensor]:
        """Return the one term ``squares``: the quadratic loss of [1]."""
        (made,) = self.net(batch.input_lightness, batch.hint).values()
        truth = batch.ab
        if self.net.reconstruct:
            truth = torch.cat([batch.lightness, batch.ab], dim=1)
        return {"squares": F.mse_loss(made.float() / UNIT, truth / UNIT)}

    def figures(self, batch: Batch) -> dict[str, Tensor]:
        """Return the loss, to be compared between training and validation pictures."""
        return self.loss("net", batch)

    @torch.no_grad()
    def predict(self, batch: Batch) -> Tensor:
        """Return float (N, 3, H, W) Lab: the true lightness with its color, or the whole."""
        (made,) = self.net(batch.input_lightness, batch.hint).values()
        if self.net.reconstruct:
            return cast(Tensor, made.float())
        return torch.cat([batch.lightness, made.float()], dim=1)
