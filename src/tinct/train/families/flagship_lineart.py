"""The flagship for line art: the same network, which paints lightness as well, at full size.

What it adds to :mod:`tinct.train.families.flagship`: a last level at stride 1, where the drawing
itself and the hints come in once more, so that lines and the edges of flats are where they were
drawn; and, in stages that ask for them, two more loss terms: the perceptual distance to the truth
and the verdict of a discriminator that sees patches of drawing and picture together, by least
squares [1, 2].

References:
    [1] P. Isola, J.-Y. Zhu, T. Zhou, A. A. Efros: Image-to-Image Translation with Conditional
        Adversarial Networks, CVPR 2017 (arXiv 1611.07004).
    [2] X. Mao et al.: Least Squares Generative Adversarial Networks, ICCV 2017 (arXiv 1611.04076).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tinct.color import lab_to_rgb, lightness_to_gray
from tinct.train.families.flagship import FlagshipTask
from tinct.train.nets.blocks import ConvNormAct, PatchDiscriminator, ShuffleUp
from tinct.train.nets.finishing import AB_LIMIT
from tinct.train.nets.flagship import STRIDES, FlagshipNet, spread_hints
from tinct.train.nets.losses import gan_loss
from tinct.train.recipe import Recipe, Stage
from tinct.train.recipes.flagship import Flagship
from tinct.train.task import Batch, Player

UNIT = 20.0  # Lab units; differences count in these
BEND = 0.25  # of a unit; smaller differences count squared, larger ones linearly
CHROMA = 60.0  # Lab units; what the discriminator sees of a* and b* counts in these
VERDICT = "least-squares"
OVER = 60.0  # the lightness head reaches from 50 - OVER to 50 + OVER before it is clipped


class PaintingNet(FlagshipNet):
    """``net(lightness, hint) -> {"lab": (N, 3, H, W), "bins": (N, K, H/4, W/4)}``.

    H and W are multiples of 32. a* and b* join the two heads: what the bins say at stride 4 beyond
    the mean that the regressor gives there is added to the regressor's, so that edges stay sharp.
    """

    predicts = "lab"

    def __init__(self, settings: Flagship) -> None:
        super().__init__(settings)
        del self.to_ab
        w2, w1 = settings.widths[0], settings.width_full
        self.up1 = ShuffleUp(w2, w1)
        self.mix1 = ConvNormAct(w1 + 1 + 4, w1)
        self.to_lab = nn.Conv2d(w1, 3, 3, padding=1)

    def told(self, hint: Tensor) -> dict[int, Tensor]:
        """Return what is told of hints, by strides, carried to all cells without any."""
        return spread_hints(hint, (*STRIDES, 1))

    def heads(self, lightness: Tensor, hint: Tensor) -> tuple[Tensor, Tensor]:
        """Return the raw heads: Lab (N, 3, H, W), not clipped, and logits (N, K, H/4, W/4)."""
        x, bins = self.decode(lightness, hint)
        gray = lightness_to_gray(lightness) * 2 - 1
        x = self.mix1(torch.cat([self.up1(x), gray, self.told(hint)[1]], dim=1))
        lab = torch.tanh(self.to_lab(x))
        return torch.cat([50 + OVER * lab[:, :1], AB_LIMIT * lab[:, 1:]], dim=1), bins

    def joined(
        self,
        regressed: Tensor,
        bins: Tensor,
        *,
        temperature: Tensor | float,
        share: Tensor | float,
        gain: Tensor | float,
    ) -> Tensor:
        """Make one prediction of the two raw heads: Lab (N, 3, H, W)."""
        lightness, ab = regressed[:, :1], regressed[:, 1:]
        more = self.annealed_mean(bins, temperature) - F.avg_pool2d(ab, 4)
        more = F.interpolate(more, scale_factor=4.0, mode="bilinear", align_corners=False)
        ab = (gain * (ab + share * more)).clamp(-AB_LIMIT, AB_LIMIT)
        return torch.cat([lightness.clamp(0, 100), ab], dim=1)


class PaintingTask(FlagshipTask):
    """The network: L1-like on Lab, cross entropy on the bins, perhaps perception and a GAN loss.

    The discriminator, where there is one, is the second player; its turns are a stage's to give.
    """

    net: PaintingNet
    keeps_regions = True
    spreads_hints = False  # the network knows what to do with a hint's lightness, and with shading

    def __init__(self, recipe: Recipe) -> None:
        super().__init__(recipe)
        self.discriminator: PatchDiscriminator | None = None
        if self.settings.discriminator:
            self.discriminator = PatchDiscriminator(
                4, width=self.settings.discriminator, norm="instance"
            )

    def players(self) -> list[Player]:
        """Return the network with its groups, and the discriminator with one of its name."""
        players = super().players()
        if self.discriminator is not None:
            own = {"discriminator": list(self.discriminator.parameters())}
            players.append(Player(name="discriminator", groups=own))
        return players

    def discriminate(self, batch: Batch, lab: Tensor) -> Tensor:
        """Return the discriminator's verdict, (N, 1, h, w), on Lab pictures of a batch."""
        assert self.discriminator is not None
        seen = [batch.input_lightness / 50 - 1, lab[:, :1] / 50 - 1, lab[:, 1:] / CHROMA]
        verdict: Tensor = self.discriminator(torch.cat(seen, dim=1))
        return verdict

    def _discriminator_loss(self, batch: Batch) -> dict[str, Tensor]:
        with torch.no_grad():
            made = self.net.heads(batch.input_lightness, batch.hint)[0]
        truth = torch.cat([batch.lightness, batch.ab], dim=1)
        real = gan_loss(self.discriminate(batch, truth), real=True, kind=VERDICT)
        fake = gan_loss(self.discriminate(batch, made), real=False, kind=VERDICT)
        return {"real": real / 2, "fake": fake / 2}

    def build_net(self, settings: Flagship) -> PaintingNet:
        """Return the network."""
        return PaintingNet(settings)

    def loss(
        self,
        player: str,
        batch: Batch,
        stage: Stage | None = None,
    ) -> dict[str, Tensor]:
        """Return the weighted terms of a player.

        The network's: ``lightness``, ``ab``, ``bins`` and, where the stage asks for them,
        ``perceptual`` and ``adversarial``. The discriminator's: ``real`` and ``fake``.
        """
        s = self.settings
        if player == "discriminator":
            return self._discriminator_loss(batch)
        lab, bins = self.net.heads(batch.input_lightness, batch.hint)
        lab = lab.float()
        truth = torch.cat([batch.lightness, batch.ab], dim=1)
        chroma = batch.ab.norm(dim=1, keepdim=True)
        weight = 1 + s.chroma_weight * chroma.clamp(max=60) / 60
        error = F.smooth_l1_loss(lab / UNIT, truth / UNIT, beta=BEND, reduction="none")
        terms = {
            "lightness": s.lightness_weight * error[:, :1].mean(),
            "ab": s.ab_weight * (weight * error[:, 1:]).mean(),
            "bins": s.bins_weight * self._bins_term(bins.float(), F.avg_pool2d(batch.ab, 4)),
        }
        if factor := self.term("perceptual", stage):
            made = lab_to_rgb(lab[:: s.perceptual_every], axis=1).clamp(0, 1)
            terms["perceptual"] = factor * self.perceptual(made, batch.rgb[:: s.perceptual_every])
        if factor := self.term("adversarial", stage):
            verdict = self.discriminate(batch, lab)
            terms["adversarial"] = factor * gan_loss(verdict, real=True, kind=VERDICT)
        return terms

    @torch.no_grad()
    def predict(self, batch: Batch) -> Tensor:
        """Return float (N, 3, H, W) Lab."""
        return self.net(batch.input_lightness, batch.hint)["lab"].float()  # type: ignore[no-any-return]
