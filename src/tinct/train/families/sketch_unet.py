"""Sketch to color: a U-Net of 5x5 convolutions, alone or with a discriminator, perhaps told colors.

The four models of an article [1] and what it leaves to future work. It prints the layers' kinds,
but not how many there are; their number and widths are those of the work that it descends from [2],
with which everything that is printed agrees (docs/decisions/0004-sketch-unet.md).

References:
    [1] S. Priyadarshi: Automating color image generation from a given sketch, Analytics Vidhya
        (Medium).
    [2] K. Frans: Outline Colorization through Tandem Adversarial Networks, 2017 (arXiv 1704.08834),
        and its code: generator and discriminator.
    [3] O. Ronneberger, P. Fischer, T. Brox: U-Net, MICCAI 2015.
"""

from __future__ import annotations

from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tinct.color import lab_to_rgb, lightness_to_gray, rgb_to_lab
from tinct.train.nets.blocks import LEAK, PatchDiscriminator, initialize_normal
from tinct.train.nets.losses import gan_loss
from tinct.train.recipe import Recipe, Stage
from tinct.train.recipes.sketch_unet import SketchUNet
from tinct.train.task import Batch, Player, Task

KERNEL = 5
MOMENTUM = 0.1  # share of the new statistics; Keras counts the share of the old, 0.9
FLAT = 4  # the discriminator's last map is 4 x 4 where pictures are the article's 128 x 128
CLOSEST = 1e-7  # to 0 and 1, before a logarithm: Keras's
VERDICT = "cross-entropy"


def _down(inputs: int, outputs: int, *, bias: bool) -> nn.Conv2d:
    """Return a convolution of stride 2 that halves an even size.

    Keras's "same" pads 1 before and 2 behind, this pads 2 before and 1 behind: the same layer on
    the mirror image.
    """
    return nn.Conv2d(inputs, outputs, KERNEL, stride=2, padding=KERNEL // 2, bias=bias)


def _up(inputs: int, outputs: int, *, bias: bool) -> nn.ConvTranspose2d:
    """Return its transpose, which doubles a size."""
    return nn.ConvTranspose2d(
        inputs, outputs, KERNEL, stride=2, padding=KERNEL // 2, output_padding=1, bias=bias
    )


class SketchNet(nn.Module):
    """``net(lightness, hint) -> {"lab": (N, 3, H, W)}``; H and W multiples of 2 to the depth.

    Down: LeakyReLU 0.2, convolution, batch normalization; the first is a convolution alone. Up:
    ReLU, transposed convolution, batch normalization; the last is without normalization. Of n
    layers in all, i and n - i are seen side by side by the layer behind the latter.
    """

    def __init__(self, settings: SketchUNet) -> None:
        super().__init__()
        assert settings.scaling in ("tanh", "relu"), settings.scaling
        self.signed = settings.scaling == "tanh"
        self.hint_share = settings.hint_share
        widths = settings.widths
        self.downs = nn.ModuleList([_down(3, widths[0], bias=True)])
        self.downs.extend(
            nn.Sequential(
                nn.LeakyReLU(LEAK),
                _down(before, after, bias=False),
                nn.BatchNorm2d(after, momentum=MOMENTUM),
            )
            for before, after in pairwise(widths)
        )
        inner = [widths[-1], *(2 * width for width in widths[-2::-1])]
        self.ups = nn.ModuleList(
            nn.Sequential(
                nn.ReLU(),
                _up(before, after, bias=False),
                nn.BatchNorm2d(after, momentum=MOMENTUM),
            )
            for before, after in zip(inner[:-1], widths[-2::-1], strict=True)
        )
        self.ups.append(nn.Sequential(nn.ReLU(), _up(inner[-1], 3, bias=True)))
        initialize_normal(self)

    def see(self, lightness: Tensor, hint: Tensor) -> Tensor:
        """Return what the network sees: the drawing in RGB, mixed with hints where there are some.

        Args:
            lightness: (N, 1, H, W), L* 0..100.
            hint: (N, 4, H, W): L*, a*, b* and a 0/1 mask.

        Returns:
            (N, 3, H, W), in the network's own scaling.
        """
        drawn = lightness_to_gray(lightness).expand(-1, 3, -1, -1)
        if self.hint_share:
            colors = lab_to_rgb(hint[:, :3], axis=1).clamp(0, 1)
            drawn = drawn + self.hint_share * hint[:, 3:] * (colors - drawn)
        return self.scale(drawn)

    def scale(self, rgb: Tensor) -> Tensor:
        """Bring sRGB 0..1 to the network's own scaling."""
        return rgb * 2 - 1 if self.signed else rgb

    def unscale(self, made: Tensor) -> Tensor:
        """Bring what the network made to sRGB 0..1; without an upper end, it may be above 1."""
        return made.float() * 0.5 + 0.5 if self.signed else made.float()

    def paint(self, seen: Tensor) -> Tensor:
        """Return (N, 3, H, W) in the network's own scaling."""
        kept: list[Tensor] = []
        x = seen
        for down in self.downs:
            x = down(x)
            kept.append(x)
        x = self.ups[0](kept.pop())
        for up in list(self.ups)[1:]:
            x = up(torch.cat([x, kept.pop()], dim=1))
        return torch.tanh(x) if self.signed else F.relu(x)

    def forward(self, lightness: Tensor, hint: Tensor) -> dict[str, Tensor]:
        """Color a batch.

        Args:
            lightness: float32 (N, 1, H, W), L* 0..100.
            hint: float32 (N, 4, H, W): L*, a*, b* and a 0/1 mask; not looked at without
                ``hint_share``.
        """
        rgb = self.unscale(self.paint(self.see(lightness, hint))).clamp(0, 1)
        return {"lab": rgb_to_lab(rgb, axis=1)}


class WholeDiscriminator(nn.Sequential):
    """The U-Net's way down, flattened, to one verdict: (N, inputs, H, W) -> (N, 1) logits.

    The last map is pooled to 4 x 4, which it is already at the article's 128 x 128 pixels; so the
    discriminator takes other sizes too. Normalization takes the statistics of the batch at hand, as
    in :class:`tinct.train.nets.blocks.PatchDiscriminator`.
    """

    def __init__(self, inputs: int, widths: tuple[int, ...]) -> None:
        parts: list[nn.Module] = [_down(inputs, widths[0], bias=True), nn.LeakyReLU(LEAK)]
        for before, after in pairwise(widths):
            parts += [
                _down(before, after, bias=False),
                nn.BatchNorm2d(after, track_running_stats=False),
                nn.LeakyReLU(LEAK),
            ]
        super().__init__(
            *parts,
            nn.AdaptiveAvgPool2d(FLAT),
            nn.Flatten(),
            nn.Linear(widths[-1] * FLAT**2, 1),
        )


def pixel_loss(made: Tensor, truth: Tensor, *, kind: str, signed: bool) -> Tensor:
    """Return how far pixels are from the truth: a scalar, the mean over all values.

    Args:
        made: any shape, in -1..1, or from 0 on where not ``signed``.
        truth: the same shape, in -1..1 or 0..1.
        kind: ``l1``; ``mse``; or ``cross-entropy`` of the values brought to 0..1 and, as in Keras,
            kept 1e-7 away from both ends.
        signed: whether values run from -1 to 1.
    """
    assert kind in ("l1", "mse", "cross-entropy"), kind
    made = made.float()
    if kind == "l1":
        return F.l1_loss(made, truth)
    if kind == "mse":
        return F.mse_loss(made, truth)
    if signed:
        made, truth = made * 0.5 + 0.5, truth * 0.5 + 0.5
    made = made.clamp(CLOSEST, 1 - CLOSEST)
    return -(truth * made.log() + (1 - truth) * torch.log1p(-made)).mean()


class SketchTask(Task):
    """One player, ``net``; or two, ``discriminator`` and then ``net``."""

    net: SketchNet

    def __init__(self, recipe: Recipe) -> None:
        super().__init__()
        s: SketchUNet = recipe.model
        assert s.discriminator in ("none", "whole", "patches"), s.discriminator
        self.settings = s
        self.takes_hints = s.hint_share > 0
        self.net = SketchNet(s)
        self.discriminator: nn.Module | None = None
        judged = 6 if s.conditional else 3
        if s.discriminator == "whole":
            self.discriminator = WholeDiscriminator(judged, s.discriminator_widths)
        elif s.discriminator == "patches":
            self.discriminator = PatchDiscriminator(judged, width=s.discriminator_widths[0])
        if self.discriminator is not None:
            initialize_normal(self.discriminator)

    def players(self) -> list[Player]:
        """Return the discriminator, where there is one, and the network, one group each."""
        parts = dict(self.named_children())
        order = [name for name in ("discriminator", "net") if name in parts]
        return [Player(name, {name: list(parts[name].parameters())}) for name in order]

    def discriminate(self, seen: Tensor, picture: Tensor) -> Tensor:
        """Return the discriminator's map for what the network saw and a picture (N, 3, H, W)."""
        shown = torch.cat([seen, picture], dim=1) if self.settings.conditional else picture
        assert self.discriminator is not None
        return cast(Tensor, self.discriminator(shown))

    def distance(self, made: Tensor, truth: Tensor) -> Tensor:
        """Return the loss of pixels, not weighted."""
        return pixel_loss(made, truth, kind=self.settings.loss, signed=self.net.signed)

    def loss(
        self,
        player: str,
        batch: Batch,
        stage: Stage | None = None,  # noqa: ARG002  (all are alike)
    ) -> dict[str, Tensor]:
        """Return the player's weighted terms.

        The discriminator's are ``real`` and ``fake``; the network's are ``pixel`` and, where there
        is a discriminator, ``adversarial``.
        """
        seen, truth = self.net.see(batch.input_lightness, batch.hint), self.net.scale(batch.rgb)
        if player == "discriminator":
            with torch.no_grad():
                made = self.net.paint(seen)
            return {
                "real": gan_loss(self.discriminate(seen, truth), real=True, kind=VERDICT),
                "fake": gan_loss(self.discriminate(seen, made), real=False, kind=VERDICT),
            }
        made = self.net.paint(seen)
        terms = {"pixel": self.settings.pixel_weight * self.distance(made, truth)}
        if self.discriminator is not None:
            terms["adversarial"] = gan_loss(self.discriminate(seen, made), real=True, kind=VERDICT)
        return terms

    @torch.no_grad()
    def figures(self, batch: Batch) -> dict[str, Tensor]:
        """Return the loss of pixels and, where there is a discriminator, how the game stands.

        ``d_accuracy`` is the share that the discriminator judges rightly, half of them real; near
        0.5 it guesses, near 1 it has won. ``g_accuracy`` is the share of the network's that pass as
        real.
        """
        seen, truth = self.net.see(batch.input_lightness, batch.hint), self.net.scale(batch.rgb)
        made = self.net.paint(seen)
        pixel = self.distance(made, truth)
        if self.discriminator is None:
            return {"pixel": pixel}
        real, fake = self.discriminate(seen, truth), self.discriminate(seen, made)
        right, passed = (real > 0).float().mean(), (fake > 0).float().mean()
        weighted = self.settings.pixel_weight * pixel
        return {
            "pixel": pixel,
            "d_loss": gan_loss(real, real=True, kind=VERDICT)
            + gan_loss(fake, real=False, kind=VERDICT),
            "d_accuracy": 0.5 * (right + 1 - passed),
            "g_loss": gan_loss(fake, real=True, kind=VERDICT) + weighted,
            "g_accuracy": passed,
        }

    @torch.no_grad()
    def predict(self, batch: Batch) -> Tensor:
        """Return float (N, 3, H, W) Lab."""
        return cast(Tensor, self.net(batch.input_lightness, batch.hint)["lab"])
