"""The flagship's network: a small U-Net on a pretrained encoder, two color heads, room for hints.

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
    [5] S. J. Gortler, R. Grzeszczuk, R. Szeliski, M. F. Cohen: The Lumigraph, SIGGRAPH 1996
        (pull-push).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tinct.color import ab_bins, lightness_to_gray
from tinct.train.nets import backbones
from tinct.train.nets.blocks import ConvNormAct, ShuffleUp
from tinct.train.nets.finishing import (
    AB_LIMIT,
    coherent,
    contrasted,
    expected,
    spread,
    weighed,
)
from tinct.train.recipes.flagship import Flagship

MULTIPLE_OF = 32
STRIDES = (32, 16, 8, 4, 2)
REACH = 1.5  # times as far as nineteen of twenty pictures of a kind are: half of the kind
STEEP = 12.0  # how fast a picture stops being of a kind
FADING = 0.7  # what is left of a hint's presence when it is carried over to cells without any
FAINTEST = 0.04  # range of sRGB codes; fainter pictures are not spread over the whole range


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


class Gate(nn.Module):
    """Tell whether a picture is of the kind that a decoder was adapted to.

    The features that the encoder has of it, averaged over the picture, are compared with those of
    the pictures adapted to: the mean of squared deviations, in standard deviations.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.mean: Tensor
        self.deviation: Tensor
        self.reach: Tensor
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("deviation", torch.ones(channels))
        self.register_buffer("reach", torch.ones(()))

    def distance(self, deepest: Tensor) -> Tensor:
        """Return how far pictures are from the kind, (N,), of maps (N, C, h, w)."""
        apart = (deepest.mean(dim=(2, 3)) - self.mean) / self.deviation
        return apart.square().mean(dim=1)

    @torch.no_grad()
    def learn(self, deepest: Sequence[Tensor]) -> None:
        """Learn a kind from the maps (1, C, h, w) of its pictures, two or more."""
        seen = torch.cat([maps.mean(dim=(2, 3)) for maps in deepest])
        self.mean.copy_(seen.mean(dim=0))
        spread = seen.std(dim=0)
        self.deviation.copy_(spread + 0.1 * spread.mean() + 1e-6)
        far = torch.cat([self.distance(maps) for maps in deepest])
        self.reach.copy_(REACH * far.quantile(0.95))

    def forward(self, deepest: Tensor) -> Tensor:
        """Return 1 for pictures of the kind, 0 for others, (N, 1, 1, 1), smoothly between."""
        sure = STEEP * (1 - self.distance(deepest) / self.reach)
        return sure.sigmoid()[:, None, None, None]


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


def spread_hints(hint: Tensor, strides: Sequence[int]) -> dict[int, Tensor]:
    """Tell every cell what the hints nearest to it say: pull up a pyramid, push down again [5].

    A point is one cell in thousands; a network that has seen few pictures learns to overlook it.
    What a cell does not know itself it has from the next coarser stride, the coarsest from its
    neighbors and at last from the mean of all hints, fainter each time. Edges do not count: where a
    color ends, the network must see.

    Args:
        hint: float (N, 4, H, W): L*, a*, b*, mask.
        strides: the coarsest first, each twice the next.

    Returns:
        By stride, (N, 4, H / stride, W / stride): a color in units of about 1, and how near the
        hint is that says so: 1 in its own cell, 0 where there are no hints at all. Without hints
        all is 0, as it is in :func:`pool_hints`.
    """
    maps: dict[int, Tensor] = {}
    for stride in strides:
        own = pool_hints(hint, stride)
        if not maps:
            whole = (hint[:, :3] * hint[:, 3:]).mean(dim=(2, 3), keepdim=True) / AB_LIMIT
            share = hint[:, 3:].mean(dim=(2, 3), keepdim=True)
            faint = FADING**2 * (share > 0).to(own.dtype)
            coarse = torch.cat([whole / share.clamp(min=1e-6), faint], dim=1)
            near = F.avg_pool2d(torch.cat([own[:, :3] * own[:, 3:], own[:, 3:]], dim=1), 3, 1, 1)
            beside = near[:, 3:]
            color = near[:, :3] / beside.clamp(min=1e-6)
            near = torch.cat([color, torch.full_like(beside, FADING)], dim=1)
            coarse = torch.where(beside > 0, near, coarse)
        else:
            coarse = F.interpolate(coarse, scale_factor=2.0, mode="bilinear", align_corners=False)
            coarse = torch.cat([coarse[:, :3], FADING * coarse[:, 3:]], dim=1)
        coarse = torch.where(own[:, 3:] > 0, own, coarse)
        maps[stride] = coarse
    return maps


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


class FlagshipNet(nn.Module):
    """``net(lightness, hint) -> {"ab": (N, 2, H/2, W/2), "bins": (N, K, H/4, W/4)}``.

    H and W are multiples of 32.
    ``ab`` joins the two heads: ``gain * ((1 - s) * regressed + s * annealed mean of the bins)``.
    It gets more contrast of chroma, is smoothed along the regions of the picture, and becomes paler
    where it is in doubt; see :mod:`tinct.train.nets.finishing`.
    """

    predicts = "ab"

    def __init__(self, settings: Flagship, *, channels: Sequence[int] | None = None) -> None:
        """Build the network.

        Args:
            settings: its recipe's.
            channels: of the encoder's maps, for a network that has none of its own.
        """
        super().__init__()
        self.settings = settings
        alone = channels is None
        if channels is None:
            encoder: Any = backbones.encoder(settings.encoder, pretrained=settings.pretrained)
            self.encoder = encoder
            channels = encoder.feature_info.channels()
        c2, c4, c8, c16, c32 = channels
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
        if settings.gated and alone:
            self.tuned = FlagshipNet(settings, channels=channels)
            self.gate = Gate(c32)

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

    def told(self, hint: Tensor) -> dict[int, Tensor]:
        """Return what the decoder is told of hints: maps (N, 4, H / s, W / s) by their strides."""
        return {stride: pool_hints(hint, stride) for stride in STRIDES}

    def decode(
        self, lightness: Tensor, hint: Tensor, maps: Sequence[Tensor] | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return features (N, C, H/2, W/2) and the bins' logits (N, K, H/4, W/4).

        Args:
            lightness: as for :meth:`forward`.
            hint: likewise.
            maps: the encoder's, if they are known.
        """
        f2, f4, f8, f16, f32 = maps or self.encode(lightness)
        told = self.told(hint)
        x = self.bottom(torch.cat([f32, told[32]], dim=1))
        x = self.mix16(torch.cat([self.up16(x), f16, told[16]], dim=1))
        x = self.more16(x)
        x = self.mix8(torch.cat([self.up8(x), f8, told[8]], dim=1))
        x = self.more8(x)
        x = self.mix4(torch.cat([self.up4(x), f4, told[4]], dim=1))
        bins = self.to_bins(x)
        return self.mix2(torch.cat([self.up2(x), f2, told[2]], dim=1)), bins

    def heads(self, lightness: Tensor, hint: Tensor) -> tuple[Tensor, Tensor]:
        """Return the raw heads: ab (N, 2, H/2, W/2) in Lab units, and logits (N, K, H/4, W/4)."""
        ab, bins, _ = self._gated_heads(lightness, hint)
        return ab, bins

    def _gated_heads(self, lightness: Tensor, hint: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        """Return the raw heads, and how much of each picture is the adapted decoder's, if any."""
        maps = self.encode(lightness)
        x, bins = self.decode(lightness, hint, maps)
        ab = torch.tanh(self.to_ab(x)) * AB_LIMIT
        if not self.settings.gated:
            return ab, bins, None
        share = self.gate(maps[-1])
        x, other = self.tuned.decode(lightness, hint, maps)
        tuned = torch.tanh(self.tuned.to_ab(x)) * AB_LIMIT
        return ab + share * (tuned - ab), bins + share * (other - bins), share

    def annealed_mean(self, bins: Tensor, temperature: Tensor | float) -> Tensor:
        """Decode logits (N, K, h, w) to ab (N, 2, h, w) by the annealed mean [3]; 1 is the mean."""
        return expected(bins, self.bin_centers.t(), temperature)

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

    def finished(
        self,
        joined: Tensor,
        bins: Tensor,
        lightness: Tensor,
        contrast: float,
        adapted: Tensor | None = None,
    ) -> Tensor:
        """Make of the joined heads the ab maps (N, 2, H/2, W/2) that are exported.

        Args:
            joined: as from :meth:`joined`.
            bins: logits (N, K, h, w) that it came from.
            lightness: the picture's, (N, 1, H, W), L* 0..100.
            contrast: as for :func:`tinct.train.nets.finishing.contrasted`.
            adapted: (N, 1, 1, 1), how much of each picture is the adapted decoder's, 0..1. It knows
                its kind of pictures, and is told neither to be stronger nor to be paler.
        """
        s = self.settings
        ab = contrasted(joined, contrast)
        if adapted is not None:
            ab = ab + adapted * (joined / self.join[2] - ab)
        if s.coherence:
            ab = coherent(
                F.avg_pool2d(self.codes(lightness)[0], 2),
                ab,
                radius=s.coherence,
                smoothness=s.smoothness,
                color_range=s.color_range,
            )
        if s.confidence or s.evenness:
            doubt = spread(bins, self.bin_centers)
            even = ab
            ab = weighed(ab, doubt, confidence=s.confidence, evenness=s.evenness)
            if adapted is not None:
                ab = ab + adapted * (even - ab)
        return ab

    def forward(self, lightness: Tensor, hint: Tensor) -> dict[str, Tensor]:
        """Color a batch.

        Args:
            lightness: float32 (N, 1, H, W), L* 0..100.
            hint: float32 (N, 4, H, W): L*, a*, b*, mask.
        """
        if self.settings.gated:
            regressed, bins, adapted = self._gated_heads(lightness, hint)
        else:
            (regressed, bins), adapted = self.heads(lightness, hint), None
        temperature, share, gain = self.join.unbind()
        found = self.joined(regressed, bins, temperature=temperature, share=share, gain=gain)
        if self.predicts == "ab":
            found = self.finished(found, bins, lightness, self.contrast, adapted)
            found = found * self.codes(lightness)[1]
        return {self.predicts: found, "bins": bins}
