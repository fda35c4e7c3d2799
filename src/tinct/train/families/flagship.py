"""The flagship: a small U-Net on a pretrained encoder, with two color heads and room for hints.

What it takes from the published systems: the pretrained encoder and pixel-shuffle decoder [1, 2],
chroma in CIE Lab, a distribution over ab bins beside the regression [3], hints as planes [4]. The
encoder sees the picture alone, so that its features mean what ImageNet taught it; hints enter the
decoder at every stride, as the mean color and the presence of hints in each cell, and travel along
alike features through one attention block at stride 16.

References:
    [1] M. Tan, Q. Le: EfficientNet, ICML 2019 (Lite variants).
    [2] W. Shi et al.: Real-Time Single Image and Video Super-Resolution Using an Efficient
        Sub-Pixel CNN, CVPR 2016; A. Aitken et al.: Checkerboard artifact free sub-pixel
        convolution, 2017 (ICNR initialization).
    [3] R. Zhang, P. Isola, A. A. Efros: Colorful Image Colorization, ECCV 2016.
    [4] R. Zhang et al.: Real-Time User-Guided Image Colorization with Learned Deep Priors, SIGGRAPH
        2017.
    [5] K. He, J. Sun, X. Tang: Guided Image Filtering, ECCV 2010.
    [6] CIE 116-1995: Industrial colour-difference evaluation.
"""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tinct.color import ab_bins, lab_to_rgb, lightness_to_gray
from tinct.train.nets import backbones
from tinct.train.nets.blocks import ConvNormAct, ShuffleUp
from tinct.train.nets.perceptual import Perceptual
from tinct.train.nets.teacher import Teacher
from tinct.train.recipe import Recipe, Stage
from tinct.train.recipes.flagship import Flagship
from tinct.train.task import Batch, Player, Task

AB_LIMIT = 110.0
MULTIPLE_OF = 32
FAINTEST = 0.04  # range of sRGB codes; fainter pictures are not spread over the whole range
PIVOT = 12.0  # Lab units; the chroma that contrast leaves as it is
MOST_CONTRAST = 3.0  # factor on chroma
EARLY_BLOCKS = 3  # conv_stem, bn1 and blocks 0..2: strides 2 to 8


class Attention(nn.Module):
    """Let every place look at every other: one pre-norm transformer block.

    A depthwise convolution tells positions, so that any size will do. A new block changes nothing:
    it can be added to a trained network.
    """

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.position = nn.Conv2d(channels, channels, 3, padding=1, groups=channels)
        self.norm1 = nn.LayerNorm(channels)
        self.qkv = nn.Linear(channels, channels * 3)
        self.out = nn.Linear(channels, channels)
        self.norm2 = nn.LayerNorm(channels)
        self.mlp = nn.Sequential(
            nn.Linear(channels, channels * 2), nn.GELU(), nn.Linear(channels * 2, channels)
        )
        for last in (self.position, self.out, self.mlp[2]):
            for parameter in last.parameters():
                nn.init.zeros_(parameter)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to the same shape."""
        count, channels, height, width = x.shape
        x = x + self.position(x)
        tokens = x.flatten(2).transpose(1, 2)
        qkv = self.qkv(self.norm1(tokens))
        q, k, v = qkv.reshape(count, -1, 3, self.heads, channels // self.heads).unbind(2)
        q, k, v = q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2)
        scores = (q @ k.transpose(2, 3)) * (channels // self.heads) ** -0.5
        mixed = (scores.softmax(dim=-1) @ v).transpose(1, 2).reshape(count, -1, channels)
        tokens = tokens + self.out(mixed)
        tokens = tokens + self.mlp(self.norm2(tokens))
        return cast(Tensor, tokens.transpose(1, 2).reshape(count, channels, height, width))


def _attend(channels: int, heads: int, blocks: int) -> nn.Sequential:
    return nn.Sequential(*(Attention(channels, heads) for _ in range(blocks)))


class Context(nn.Module):
    """Tell every place what the whole picture is about: add the mean feature, transformed."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.mlp = nn.Sequential(
            nn.Linear(channels, channels), nn.ReLU(inplace=True), nn.Linear(channels, channels)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to the same shape."""
        whole: Tensor = self.mlp(x.mean(dim=(2, 3)))
        return x + whole[:, :, None, None]


def pool_hints(hint: Tensor, stride: int) -> Tensor:
    """Shrink hint planes without losing small points.

    Args:
        hint: float (N, 4, H, W): L*, a*, b*, mask.
        stride: H and W are divided by it.

    Returns:
        (N, 4, H / stride, W / stride): the mean color of the hints in each cell, in units of about
        1, and 1 where the cell has any hint.
    """
    color, mask = hint[:, :3], hint[:, 3:]
    share = F.avg_pool2d(mask, stride)
    mean = F.avg_pool2d(color * mask, stride) / share.clamp(min=1e-6)
    return torch.cat([mean / AB_LIMIT, (share > 0).to(mean.dtype)], dim=1)


def stretch(gray: Tensor) -> tuple[Tensor, Tensor]:
    """Undo fading: spread the tones of each picture over the whole range.

    The darkest and the lightest hundredth of all cells of 4 x 4 pixels (which grain hardly moves)
    become 0.03 and 0.97, so what the network sees does not depend on how a print has faded or how a
    scan was exposed.

    Args:
        gray: float (N, 1, H, W), sRGB codes 0..1; H and W are multiples of 4.

    Returns:
        The spread codes, the same shape, -0.2..1.2; and how much there is to see, (N, 1, 1, 1): 0
        for a flat picture, 1 from a range of 0.02 on.
    """
    cells = F.avg_pool2d(gray, 4).flatten(1)
    count = cells.shape[1] // 100 + 1
    low = cells.topk(count, dim=1, largest=False).values[:, -1:]
    high = cells.topk(count, dim=1).values[:, -1:]
    span = (high - low)[:, :, None, None]
    spread = 0.03 + 0.94 * (gray - low[:, :, None, None]) / span.clamp(min=FAINTEST)
    return spread.clamp(-0.2, 1.2), (span / 0.02).clamp(max=1)


def box_mean(x: Tensor, radius: int) -> Tensor:
    """Mean over squares of side ``2 radius + 1``, cut off at the borders."""
    side = 2 * radius + 1
    down = F.avg_pool2d(x, (side, 1), 1, (radius, 0), count_include_pad=False)
    return F.avg_pool2d(down, (1, side), 1, (0, radius), count_include_pad=False)


def guided_filter(guide: Tensor, x: Tensor, *, radius: int, smoothness: float) -> Tensor:
    """Smooth maps inside the regions of a guide, but not over its edges [5].

    In every square each map is taken for a linear function of the guide; what all squares say of a
    place is averaged. It is linear in ``x``: to filter features before a 1x1 convolution is to
    filter all that it makes of them, such as the logits of the bins, and costs less.

    Args:
        guide: (N, 1, H, W).
        x: (N, C, H, W).
        radius: of the squares, in places.
        smoothness: variance of the guide up to which a square counts as one region.

    Returns:
        (N, C, H, W).
    """
    mean_guide, mean_x = box_mean(guide, radius), box_mean(x, radius)
    variance = box_mean(guide * guide, radius) - mean_guide * mean_guide
    slope = (box_mean(guide * x, radius) - mean_guide * mean_x) / (variance + smoothness)
    offset = mean_x - slope * mean_guide
    return box_mean(slope, radius) * guide + box_mean(offset, radius)


class FlagshipNet(nn.Module):
    """``net(lightness, hint) -> {"ab": (N, 2, H/2, W/2), "bins": (N, K, H/4, W/4)}``.

    H and W are multiples of 32.
    The features behind both heads are smoothed along the regions of the picture.
    ``ab`` joins the two heads: ``gain * ((1 - s) * regressed + s * annealed mean of the bins)``,
    and then gets more contrast of chroma; see :meth:`contrasted`.
    """

    predicts = "ab"

    def __init__(self, settings: Flagship) -> None:
        super().__init__()
        self.settings = settings
        encoder: Any = backbones.encoder(settings.encoder, pretrained=settings.pretrained)
        self.encoder = encoder
        c2, c4, c8, c16, c32 = encoder.feature_info.channels()
        w2, w4, w8, w16, w32 = settings.widths
        bins = torch.from_numpy(ab_bins(step=settings.bin_step))
        self.bottom = nn.Sequential(ConvNormAct(c32 + 4, w32), Context(w32))
        self.up16, self.up8 = ShuffleUp(w32, w16), ShuffleUp(w16, w8)
        self.up4, self.up2 = ShuffleUp(w8, w4), ShuffleUp(w4, w2)
        self.mix16 = nn.Sequential(
            ConvNormAct(w16 + c16 + 4, w16), Attention(w16, settings.heads), ConvNormAct(w16, w16)
        )
        self.mix8 = nn.Sequential(ConvNormAct(w8 + c8 + 4, w8), ConvNormAct(w8, w8))
        self.more16 = nn.Sequential(
            *(Attention(w16, settings.heads) for _ in range(settings.more16))
        )
        self.more8 = _attend(w8, settings.heads, settings.more8)
        self.mix4 = ConvNormAct(w4 + c4 + 4, w4)
        self.mix2 = ConvNormAct(w2 + c2 + 4, w2)
        self.to_bins = nn.Conv2d(w4, len(bins), 1)
        self.to_ab = nn.Conv2d(w2, 2, 3, padding=1)
        self.bin_centers: Tensor
        self.join: Tensor
        self.register_buffer("bin_centers", bins)
        self.register_buffer("join", torch.zeros(3))
        self.set_join(settings.temperature, settings.bins_share, settings.gain)
        self.contrast = settings.contrast

    def set_join(self, temperature: float, share: float, gain: float) -> None:
        """Choose how the two heads become one: temperature, the bins' share, gain on chroma."""
        self.join.copy_(torch.tensor([temperature, share, gain]))

    def codes(self, lightness: Tensor) -> tuple[Tensor, Tensor | float]:
        """Return the sRGB codes 0..1 that the network looks at, and how much there is to see."""
        gray = lightness_to_gray(lightness)
        return stretch(gray) if self.settings.stretched else (gray, 1.0)

    def encode(self, lightness: Tensor) -> list[Tensor]:
        """Return the encoder's maps at strides 2, 4, 8, 16 and 32."""
        # Pretrained encoders expect sRGB, normalized to about -1..1.
        gray = self.codes(lightness)[0] * 2 - 1
        return cast(list[Tensor], self.encoder(gray.expand(-1, 3, -1, -1)))

    def decode(self, lightness: Tensor, hint: Tensor) -> tuple[Tensor, Tensor]:
        """Return features (N, C, H/2, W/2) and the bins' logits (N, K, H/4, W/4)."""
        f2, f4, f8, f16, f32 = self.encode(lightness)
        x = self.bottom(torch.cat([f32, pool_hints(hint, 32)], dim=1))
        x = self.mix16(torch.cat([self.up16(x), f16, pool_hints(hint, 16)], dim=1))
        x = self.more16(x)
        x = self.mix8(torch.cat([self.up8(x), f8, pool_hints(hint, 8)], dim=1))
        x = self.more8(x)
        x = self.mix4(torch.cat([self.up4(x), f4, pool_hints(hint, 4)], dim=1))
        if self.settings.coherence:
            guide = F.avg_pool2d(self.codes(lightness)[0] * 2 - 1, 4)
            with torch.autocast(x.device.type, enabled=False):  # small differences of large sums
                x = guided_filter(
                    guide.float(),
                    x.float(),
                    radius=self.settings.coherence,
                    smoothness=self.settings.smoothness,
                )
        bins = self.to_bins(x)
        return self.mix2(torch.cat([self.up2(x), f2, pool_hints(hint, 2)], dim=1)), bins

    def heads(self, lightness: Tensor, hint: Tensor) -> tuple[Tensor, Tensor]:
        """Return the raw heads: ab (N, 2, H/2, W/2) in Lab units, and logits (N, K, H/4, W/4)."""
        x, bins = self.decode(lightness, hint)
        return torch.tanh(self.to_ab(x)) * AB_LIMIT, bins

    def annealed_mean(self, bins: Tensor, temperature: Tensor | float) -> Tensor:
        """Decode logits (N, K, h, w) to ab (N, 2, h, w) by the annealed mean [3]; 1 is the mean."""
        shares = (bins / temperature).softmax(dim=1)
        with torch.autocast(bins.device.type, enabled=False):
            return F.conv2d(shares.float(), self.bin_centers.t()[:, :, None, None])

    def joined(
        self,
        regressed: Tensor,
        bins: Tensor,
        *,
        temperature: Tensor | float,
        share: Tensor | float,
        gain: Tensor | float,
    ) -> Tensor:
        """Make one prediction of the two raw heads: ab (N, 2, H/2, W/2)."""
        drawn = self.annealed_mean(bins, temperature)
        drawn = F.interpolate(drawn, scale_factor=2.0, mode="bilinear", align_corners=False)
        ab = gain * ((1 - share) * regressed + share * drawn)
        return ab.clamp(-AB_LIMIT, AB_LIMIT)

    def contrasted(self, ab: Tensor, contrast: float) -> Tensor:
        """Make strong colors of ab maps (N, 2, H, W) stronger and weak ones weaker.

        Where the network is unsure it gives a weak mean of what may be, brownish for the most part;
        a strong color is one that it is sure of.

        Args:
            ab: Lab units.
            contrast: exponent on chroma, beyond 1; 0 changes nothing.
        """
        if not contrast:
            return ab
        chroma = (ab.square().sum(dim=1, keepdim=True) + 1e-4).sqrt()
        found = ab * (chroma / PIVOT).pow(contrast).clamp(max=MOST_CONTRAST)
        return found.clamp(-AB_LIMIT, AB_LIMIT)

    def forward(self, lightness: Tensor, hint: Tensor) -> dict[str, Tensor]:
        """Color a batch.

        Args:
            lightness: float32 (N, 1, H, W), L* 0..100.
            hint: float32 (N, 4, H, W): L*, a*, b*, mask.
        """
        regressed, bins = self.heads(lightness, hint)
        temperature, share, gain = self.join.unbind()
        found = self.joined(regressed, bins, temperature=temperature, share=share, gain=gain)
        if self.predicts == "ab":
            found = self.contrasted(found, self.contrast) * self.codes(lightness)[1]
        return {self.predicts: found, "bins": bins}


def ab_distance(found: Tensor, truth: Tensor) -> Tensor:
    """Return distances of ab maps (N, 2, H, W) in units of 20, (N, H, W).

    Distances, not their squares: a choice costs no more than a compromise.
    """
    return (found - truth).square().sum(dim=1).add(1.0).sqrt() / 20


def seen_distance(found: Tensor, truth: Tensor) -> Tensor:
    """Return how different ab maps (N, 2, H, W) look, (N, H, W), about in units of CIEDE2000.

    As CIE94 [6] weighs chroma and hue, by the mean of both chromas as CIEDE2000 does: a difference
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


def _quarter(*maps: Tensor) -> tuple[Tensor, ...]:
    """Return every second row and column of maps, beginning at random, to save time."""
    row, column = torch.randint(2, (2,)).tolist()
    return tuple(plane[:, :, row::2, column::2] for plane in maps)


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

        Where the stage asks for them, ``joined``, ``chroma``, ``perceptual`` and ``believed`` as
        well: the distance of the two heads' join; how far its mean chroma is from the truth's,
        picture by picture, so that colors are chosen and not averaged away; the distance of the
        picture as a trained network sees it; and how differently the classifier that the encoder
        came from sees the picture as it will be exported. A stage with the term ``recognition``
        teaches the encoder alone: to see in gray what it saw in color.
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
        if factor := self.term("perceptual", stage):
            # Color has half the size: so has the picture that is looked at.
            lightness = F.avg_pool2d(batch.lightness, 2)[:: s.perceptual_every]
            made, true = (
                lab_to_rgb(torch.cat([lightness, ab[:: s.perceptual_every]], dim=1), axis=1).clamp(
                    0, 1
                )
                for ab in (joined, truth)
            )
            terms["perceptual"] = factor * self.perceptual(made, true)
        if factor := self.term("believed", stage):
            some = slice(None, None, s.believed_every)
            calm = bins[some] - s.calm * self.rare_weights().log()[:, None, None]
            colored = self.net.joined(
                regressed[some], calm, temperature=s.temperature, share=s.bins_share, gain=s.gain
            )
            colored = self.net.contrasted(colored, s.contrast)
            colored = F.interpolate(colored, scale_factor=2.0, mode="bilinear", align_corners=False)
            made = lab_to_rgb(torch.cat([batch.lightness[some], colored], dim=1), axis=1)
            terms["believed"] = factor * self.teacher.believed(made.clamp(0, 1), batch.rgb[some])
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
        """Return the cross entropy against softly encoded bins, rare colors counting more [3]."""
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
