"""The flagship's task: what its network learns from.

The network is :mod:`tinct.train.nets.flagship`. Its losses: Huber on ab, and cross entropy on the
distribution over ab bins with rarity weights [1]; a stage may ask for more.

References:
    [1] R. Zhang, P. Isola, A. A. Efros: Colorful Image Colorization, ECCV 2016.
    [2] CIE 116-1995: Industrial colour-difference evaluation.
    [3] D. Hasler, S. Suesstrunk: Measuring Colourfulness in Natural Images, SPIE 2003.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tinct.color import lab_to_rgb
from tinct.train.nets.flagship import MULTIPLE_OF, FlagshipNet
from tinct.train.nets.perceptual import Perceptual
from tinct.train.nets.teacher import Teacher
from tinct.train.recipe import Recipe, Stage
from tinct.train.recipes.flagship import Flagship
from tinct.train.task import Batch, Player, Task

EARLY_BLOCKS = 3  # conv_stem, bn1 and blocks 0..2: strides 2 to 8


def ab_distance(found: Tensor, truth: Tensor) -> Tensor:
    """Return distances of ab maps (N, 2, H, W) in units of 20, (N, H, W).

    Distances, not their squares: a choice costs no more than a compromise.
    """
    return (found - truth).square().sum(dim=1).add(1.0).sqrt() / 20


def seen_distance(found: Tensor, truth: Tensor) -> Tensor:
    """Return how different ab maps (N, 2, H, W) look, (N, H, W), about in units of CIEDE2000.

    As CIE94 [2] weighs chroma and hue, by the mean of both chromas as CIEDE2000 does: a difference
    of strong colors is seen less than one near gray.
    """
    c1, c2 = (ab.square().sum(dim=1).add(1e-2).sqrt() for ab in (found, truth))
    chroma = (c1 - c2).square()
    hue = ((found - truth).square().sum(dim=1) - chroma).clamp(min=0)
    mean = ((c1 + c2) / 2).detach()
    weighed = chroma / (1 + 0.045 * mean).square() + hue / (1 + 0.015 * mean).square()
    return (weighed + 0.25).sqrt()


def mean_chroma(ab: Tensor) -> Tensor:
    """Return the mean chroma of each picture, (N,), of ab maps (N, 2, H, W) in Lab units."""
    return (ab.square().sum(dim=1) + 1e-2).sqrt().mean(dim=(1, 2))  # a slope at gray, too


def colorfulness(rgb: Tensor) -> Tensor:
    """Return the colorfulness [3] of each picture, (N,), on the scale of codes 0..255.

    Args:
        rgb: float (N, 3, H, W), sRGB 0..1.
    """
    red, green, blue = (255 * rgb.float()).flatten(2).unbind(dim=1)
    opponents = torch.stack([red - green, (red + green) / 2 - blue])
    deviation = (opponents.var(dim=2, unbiased=False).sum(dim=0) + 1e-2).sqrt()  # a slope at gray
    return deviation + 0.3 * (opponents.mean(dim=2).square().sum(dim=0) + 1e-2).sqrt()


def _quarter(*maps: Tensor) -> tuple[Tensor, ...]:
    """Return every second row and column of maps, beginning at random, to save time."""
    row, column = torch.randint(2, (2,)).tolist()
    return tuple(plane[:, :, row::2, column::2] for plane in maps)


def _rgb(lightness: Tensor, ab: Tensor) -> Tensor:
    """Join L* (N, 1, H, W) and a*, b* (N, 2, H, W) to sRGB 0..1, cut off at the gamut's ends."""
    rgb: Tensor = lab_to_rgb(torch.cat([lightness, ab], dim=1), axis=1).clamp(0, 1)
    return rgb


class FlagshipTask(Task):
    """One player, the network: Huber on ab, cross entropy on the bins with rarity weights."""

    net: FlagshipNet
    prior: Tensor
    takes_hints = True
    spreads_hints = True

    def __init__(self, recipe: Recipe) -> None:
        super().__init__()
        self.settings: Flagship = recipe.model
        self.net = self.build_net(recipe.model)
        self.perceptual = Perceptual(self.settings.perceptual_network)
        self.teacher = Teacher(self.settings.encoder, pretrained=self.settings.pretrained)
        judge = self.settings.believed_by
        self.judge = Teacher(judge, pretrained=self.settings.pretrained) if judge else self.teacher
        # The running share of each bin in the truth: what "rare" means.
        count = len(self.net.bin_centers)
        self.register_buffer("prior", torch.full((count,), 1 / count))

    def build_net(self, settings: Flagship) -> FlagshipNet:
        """Return the network."""
        return FlagshipNet(settings)

    def _early(self) -> list[nn.Module]:
        encoder: Any = self.net.encoder
        return [encoder.conv_stem, encoder.bn1, *list(encoder.blocks)[:EARLY_BLOCKS]]

    def players(self) -> list[Player]:
        """Return the one player: groups ``encoder.early``, ``encoder.late``, ``decoder``."""
        early = [p for part in self._early() for p in part.parameters()]
        known = {id(p) for p in early}
        late = [p for p in self.net.encoder.parameters() if id(p) not in known]
        known |= {id(p) for p in late}
        decoder = [p for p in self.net.parameters() if id(p) not in known]
        groups = {"encoder.early": early, "encoder.late": late, "decoder": decoder}
        return [Player(name="net", groups=groups)]

    def frozen(self, names: tuple[str, ...]) -> list[nn.Module]:
        """Return the modules behind the frozen groups' names, and what never learns.

        The statistics of a pretrained encoder's normalizations stay as ImageNet left them: batches
        with aged pictures in them would pull them away from those of sound ones.
        """
        parts: list[nn.Module] = []
        if self.settings.pretrained:
            norms = (m for m in self.net.encoder.modules() if isinstance(m, nn.BatchNorm2d))
            parts += list(norms)
        if "encoder.early" in names:
            parts += self._early()
        if "encoder.late" in names:
            encoder: Any = self.net.encoder
            parts += list(encoder.blocks)[EARLY_BLOCKS:]
        if "decoder" in names:
            parts += [part for part in self.net.children() if part is not self.net.encoder]
        return parts

    def loss(
        self,
        player: str,  # noqa: ARG002  (there is one)
        batch: Batch,
        stage: Stage | None = None,
    ) -> dict[str, Tensor]:
        """Return the weighted terms ``ab`` and ``bins``.

        Where the stage asks for them, ``joined``, ``chroma``, ``perceptual``, ``believed`` and
        ``colorful`` as well: the distance of the two heads' join; how far its mean chroma is from
        the truth's, picture by picture, so that colors are chosen and not averaged away; and of
        the picture as it will be exported, its distance as a trained network sees it, how
        differently a classifier, ``believed_by``, does, and how much color the batch lacks. A stage
        with the term ``recognition`` teaches the encoder alone: to see in gray what it saw in
        color.
        """
        s = self.settings
        if factor := self.term("recognition", stage):
            # Smaller, as it is, or larger: what is known at one size only is lost at others.
            side = max(
                MULTIPLE_OF, batch.rgb.shape[-1] + MULTIPLE_OF * int(torch.randint(-1, 2, ()))
            )
            seen = F.interpolate(
                batch.input_lightness, size=(side, side), mode="bilinear", antialias=True
            )
            deepest = self.net.encode(seen)[-1]
            return {"recognition": factor * self.teacher(deepest, batch.rgb)}
        regressed, bins = self.net.heads(batch.input_lightness, batch.hint)
        # Huber in units of 20: squared for small errors, so that it seeks the mean; linear for
        # large ones.
        regressed, bins = regressed.float(), bins.float()
        truth = F.avg_pool2d(batch.ab, 2)
        chroma = truth.norm(dim=1, keepdim=True)
        weight = 1 + s.chroma_weight * chroma.clamp(max=60) / 60
        error = F.smooth_l1_loss(regressed / 20, truth / 20, reduction="none")
        terms = {
            "ab": s.ab_weight * (weight * error).mean(),
            "bins": s.bins_weight * self._bins_term(*_quarter(bins, F.avg_pool2d(batch.ab, 4))),
        }
        joined = self.net.joined(
            regressed, bins, temperature=s.temperature, share=s.bins_share, gain=1.0
        )
        if factor := self.term("joined", stage):
            distance = seen_distance(joined, truth) / 12 if s.seen else ab_distance(joined, truth)
            terms["joined"] = factor * distance.mean()
        if factor := self.term("chroma", stage):
            terms["chroma"] = factor * (mean_chroma(joined) - mean_chroma(truth)).abs().mean() / 20
        perceptual, believed = self.term("perceptual", stage), self.term("believed", stage)
        colorful = self.term("colorful", stage)
        if perceptual or believed or colorful:
            calm = bins - s.calm * self.rare_weights().log()[:, None, None]
            colored = self.net.joined(
                regressed, calm, temperature=s.temperature, share=s.bins_share, gain=s.gain
            )
            colored = self.net.finished(colored, calm, batch.input_lightness, s.contrast)
        if colorful:
            lightness = F.avg_pool2d(batch.lightness, 2)
            made, true = (colorfulness(_rgb(lightness, ab)).mean() for ab in (colored, truth))
            terms["colorful"] = colorful * (s.colorful - made / true.clamp(min=1.0)).clamp(min=0)
        if perceptual:
            # Color has half the size: so has the picture that is looked at.
            some = slice(None, None, s.perceptual_every)
            lightness = F.avg_pool2d(batch.lightness[some], 2)
            terms["perceptual"] = perceptual * self.perceptual(
                *(_rgb(lightness, ab[some]) for ab in (colored, truth))
            )
        if believed:
            some = slice(None, None, s.believed_every)
            whole = F.interpolate(
                colored[some], scale_factor=2.0, mode="bilinear", align_corners=False
            )
            made = _rgb(batch.lightness[some], whole)
            terms["believed"] = believed * self.judge.believed(made, batch.rgb[some])
        return terms

    def figures(self, batch: Batch) -> dict[str, Tensor]:
        """Return how often the encoder recognizes what its teacher does, where it has one."""
        if not self.teacher.asked:
            return {}
        deepest = self.net.encode(batch.input_lightness)[-1]
        return {"recognized": self.teacher.agreement(deepest, batch.rgb)}

    def term(self, name: str, stage: Stage | None) -> float:
        """Return the factor of an extra term in a stage."""
        return 0.0 if stage is None else stage.terms.get(name, 0.0)

    def rare_weights(self) -> Tensor:
        """Return how much each bin counts, (K,), 1 on average over the truth."""
        s = self.settings
        flat = (1 - s.rebalance) * self.prior + s.rebalance / len(self.prior)
        rare = (1 / flat) ** s.rarity
        return rare / (self.prior * rare).sum()

    @torch.no_grad()
    def prepare_export(self) -> None:
        """Settle how color is decoded: the join of the heads, and how calm the bins are.

        Rarity weights teach the bins to claim rare colors more often than they occur. Subtracting
        the weights' logarithm from the logits takes that back; ``calm`` says how much of it. It
        goes into the bias of the last layer, so that the graph does not change.
        """
        s = self.settings
        self.net.set_join(s.temperature, s.bins_share, s.gain)
        assert self.net.to_bins.bias is not None
        self.net.to_bins.bias -= s.calm * self.rare_weights().log()

    def _bins_term(self, bins: Tensor, truth: Tensor) -> Tensor:
        """Return the cross entropy against softly encoded bins, rare colors counting more [1]."""
        s = self.settings
        with torch.no_grad(), torch.autocast(bins.device.type, enabled=False):
            places = truth.permute(0, 2, 3, 1).reshape(-1, 2)
            centers = self.net.bin_centers / s.bin_sigma
            # -|p - c|^2 / 2, less |p|^2, which is the same for all bins.
            near = torch.addmm(-centers.square().sum(dim=1) / 2, places / s.bin_sigma, centers.t())
            soft = near.softmax(dim=1)
            if self.training:
                self.prior.lerp_(soft.mean(dim=0), 0.01)
            rare = soft @ self.rare_weights()
        logits = bins.permute(0, 2, 3, 1).reshape(-1, bins.shape[1])
        return (rare * (logits.logsumexp(dim=1) - (soft * logits).sum(dim=1))).mean()

    @torch.no_grad()
    def predict(self, batch: Batch) -> Tensor:
        """Return float (N, 3, H, W) Lab: the picture's own lightness with the network's color."""
        ab = self.net(batch.input_lightness, batch.hint)["ab"].float()
        size = batch.lightness.shape[-2:]
        ab = F.interpolate(ab, size=size, mode="bicubic", align_corners=False)
        return torch.cat([batch.lightness, ab], dim=1)
