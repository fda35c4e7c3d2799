"""The flagship for line art: the same network, which paints lightness as well, at full size.

What it adds to :mod:`tinct.train.families.flagship`: a last level at stride 1, where the drawing
itself and the hints come in once more, so that lines and the edges of flats are where they were
drawn; and, in stages that ask for it, the perceptual distance to the truth as a loss term.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tinct.color import lab_to_rgb, lightness_to_gray
from tinct.train.blocks import ConvNormAct, ShuffleUp
from tinct.train.families.flagship import AB_LIMIT, FlagshipNet, FlagshipTask, pool_hints
from tinct.train.perceptual import Perceptual
from tinct.train.recipe import Recipe
from tinct.train.recipes.flagship import Flagship
from tinct.train.task import Batch

UNIT = 20.0  # Lab units; differences count in these
BEND = 0.25  # of a unit; smaller differences count squared, larger ones linearly
OVER = 60.0  # the lightness head reaches from 50 - OVER to 50 + OVER before it is clipped


class PaintingNet(FlagshipNet):
    """``net(luma, hint) -> {"lab": (N, 3, H, W), "bins": (N, K, H/4, W/4)}``.

    H and W are multiples of 32. a* and b* join the two heads: what the bins say at stride 4 beyond
    the mean that the regressor gives there is added to the regressor's, so that edges stay sharp.
    """

    def __init__(self, settings: Flagship) -> None:
        super().__init__(settings)
        del self.to_ab
        w2, w1 = settings.widths[0], settings.width_full
        self.up1 = ShuffleUp(w2, w1)
        self.mix1 = ConvNormAct(w1 + 1 + 4, w1)
        self.to_lab = nn.Conv2d(w1, 3, 3, padding=1)

    def heads(self, luma: Tensor, hint: Tensor) -> tuple[Tensor, Tensor]:
        """Return the raw heads: Lab (N, 3, H, W), not clipped, and logits (N, K, H/4, W/4)."""
        x, bins = self.decode(luma, hint)
        gray = lightness_to_gray(luma) * 2 - 1
        x = self.mix1(torch.cat([self.up1(x), gray, pool_hints(hint, 1)], dim=1))
        lab = torch.tanh(self.to_lab(x))
        return torch.cat([50 + OVER * lab[:, :1], AB_LIMIT * lab[:, 1:]], dim=1), bins

    def forward(self, luma: Tensor, hint: Tensor) -> dict[str, Tensor]:
        """Color a batch.

        Args:
            luma: float32 (N, 1, H, W), L* 0..100, of the drawing.
            hint: float32 (N, 4, H, W): L*, a*, b*, mask.
        """
        lab, bins = self.heads(luma, hint)
        lightness, regressed = lab[:, :1], lab[:, 1:]
        temperature, share, gain = self.join.unbind()
        more = self.annealed_mean(bins, temperature) - F.avg_pool2d(regressed, 4)
        more = F.interpolate(more, scale_factor=4.0, mode="bilinear", align_corners=False)
        ab = (gain * (regressed + share * more)).clamp(-AB_LIMIT, AB_LIMIT)
        return {"lab": torch.cat([lightness.clamp(0, 100), ab], dim=1), "bins": bins}


class PaintingTask(FlagshipTask):
    """One player, the network: L1-like on Lab, cross entropy on the bins, perhaps perception."""

    net: PaintingNet

    def __init__(self, recipe: Recipe) -> None:
        super().__init__(recipe)
        self.perceptual = Perceptual(self.settings.judge)

    def build_net(self, settings: Flagship) -> PaintingNet:
        """Return the network."""
        return PaintingNet(settings)

    def loss(self, player: str, batch: Batch) -> dict[str, Tensor]:  # noqa: ARG002  (one player)
        """Return the weighted terms ``lightness``, ``ab``, ``bins``, perhaps ``perceptual``."""
        s = self.settings
        lab, bins = self.net.heads(batch.luma, batch.hint)
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
        factor = 0.0 if self.stage is None else self.stage.terms.get("perceptual", 0.0)
        if factor:
            made = lab_to_rgb(lab[:: s.judged], axis=1).clamp(0, 1)
            terms["perceptual"] = factor * self.perceptual(made, batch.rgb[:: s.judged])
        return terms

    @torch.no_grad()
    def predict(self, batch: Batch) -> Tensor:
        """Return float (N, 3, H, W) Lab."""
        return self.net(batch.luma, batch.hint)["lab"].float()  # type: ignore[no-any-return]


def build(recipe: Recipe) -> PaintingTask:
    """Build the task of a recipe."""
    return PaintingTask(recipe)
