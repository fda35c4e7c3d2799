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
"""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tinct.color import ab_bins, lightness_to_gray
from tinct.train.nets import backbones
from tinct.train.nets.blocks import ConvNormAct, ShuffleUp
from tinct.train.recipe import Recipe, Stage
from tinct.train.recipes.flagship import Flagship
from tinct.train.task import Batch, Player

AB_LIMIT = 110.0
MULTIPLE_OF = 32
EARLY_BLOCKS = 3  # conv_stem, bn1 and blocks 0..2: strides 2 to 8


class Attention(nn.Module):
    """Let every place look at every other: one pre-norm transformer block.

    A depthwise convolution tells positions, so that any size will do.
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
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

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


class FlagshipNet(nn.Module):
    """``net(luma, hint) -> {"ab": (N, 2, H/2, W/2), "bins": (N, K, H/4, W/4)}``.

    H and W are multiples of 32.
    ``ab`` joins the two heads: ``gain * ((1 - s) * regressed + s * annealed mean of the bins)``.
    """

    predicts = "ab"

    def __init__(self, settings: Flagship) -> None:
        super().__init__()
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
        self.mix4 = ConvNormAct(w4 + c4 + 4, w4)
        self.mix2 = ConvNormAct(w2 + c2 + 4, w2)
        self.to_bins = nn.Conv2d(w4, len(bins), 1)
        self.to_ab = nn.Conv2d(w2, 2, 3, padding=1)
        self.bin_centers: Tensor
        self.join: Tensor
        self.register_buffer("bin_centers", bins)
        self.register_buffer("join", torch.zeros(3))
        self.set_join(settings.temperature, settings.bins_share, settings.gain)

    def set_join(self, temperature: float, share: float, gain: float) -> None:
        """Choose how the two heads become one: temperature, the bins' share, gain on chroma."""
        self.join.copy_(torch.tensor([temperature, share, gain]))

    def decode(self, luma: Tensor, hint: Tensor) -> tuple[Tensor, Tensor]:
        """Return features (N, C, H/2, W/2) and the bins' logits (N, K, H/4, W/4)."""
        # Pretrained encoders expect sRGB, normalized to about -1..1.
        gray = lightness_to_gray(luma) * 2 - 1
        f2, f4, f8, f16, f32 = self.encoder(gray.expand(-1, 3, -1, -1))
        x = self.bottom(torch.cat([f32, pool_hints(hint, 32)], dim=1))
        x = self.mix16(torch.cat([self.up16(x), f16, pool_hints(hint, 16)], dim=1))
        x = self.mix8(torch.cat([self.up8(x), f8, pool_hints(hint, 8)], dim=1))
        x = self.mix4(torch.cat([self.up4(x), f4, pool_hints(hint, 4)], dim=1))
        bins = self.to_bins(x)
        return self.mix2(torch.cat([self.up2(x), f2, pool_hints(hint, 2)], dim=1)), bins

    def heads(self, luma: Tensor, hint: Tensor) -> tuple[Tensor, Tensor]:
        """Return the raw heads: ab (N, 2, H/2, W/2) in Lab units, and logits (N, K, H/4, W/4)."""
        x, bins = self.decode(luma, hint)
        return torch.tanh(self.to_ab(x)) * AB_LIMIT, bins

    def annealed_mean(self, bins: Tensor, temperature: Tensor | float) -> Tensor:
        """Decode logits (N, K, h, w) to ab (N, 2, h, w) by the annealed mean [3]; 1 is the mean."""
        shares = (bins / temperature).softmax(dim=1)
        return F.conv2d(shares, self.bin_centers.t()[:, :, None, None])

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

    def forward(self, luma: Tensor, hint: Tensor) -> dict[str, Tensor]:
        """Color a batch.

        Args:
            luma: float32 (N, 1, H, W), L* 0..100.
            hint: float32 (N, 4, H, W): L*, a*, b*, mask.
        """
        regressed, bins = self.heads(luma, hint)
        temperature, share, gain = self.join.unbind()
        found = self.joined(regressed, bins, temperature=temperature, share=share, gain=gain)
        return {self.predicts: found, "bins": bins}


class FlagshipTask:
    """One player, the network: Huber on ab, cross entropy on the bins with rarity weights."""

    takes_hints = True
    stage: Stage | None = None

    def __init__(self, recipe: Recipe) -> None:
        self.settings: Flagship = recipe.model
        self.net = self.build_net(recipe.model)
        # The running share of each bin in the truth: what "rare" means.
        self.module = nn.ModuleDict({"net": self.net})
        count = len(self.net.bin_centers)
        self.module.register_buffer("prior", torch.full((count,), 1 / count))

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
        """Return the modules behind the frozen groups' names."""
        parts: list[nn.Module] = []
        if "encoder.early" in names:
            parts += self._early()
        if "encoder.late" in names:
            encoder: Any = self.net.encoder
            parts += list(encoder.blocks)[EARLY_BLOCKS:]
        return parts

    def loss(self, player: str, batch: Batch) -> dict[str, Tensor]:  # noqa: ARG002  (one player)
        """Return the weighted terms ``ab`` and ``bins``."""
        s = self.settings
        regressed, bins = self.net.heads(batch.luma, batch.hint)
        # Huber in units of 20: squared for small errors, so that it seeks the mean; linear for
        # large ones.
        truth = F.avg_pool2d(batch.ab, 2)
        chroma = truth.norm(dim=1, keepdim=True)
        weight = 1 + s.chroma_weight * chroma.clamp(max=60) / 60
        error = F.smooth_l1_loss(regressed.float() / 20, truth / 20, reduction="none")
        ab_term = (weight * error).mean()
        return {
            "ab": s.ab_weight * ab_term,
            "bins": s.bins_weight * self._bins_term(bins.float(), F.avg_pool2d(batch.ab, 4)),
        }

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
        places = truth.permute(0, 2, 3, 1).reshape(-1, 2)
        distance = torch.cdist(places, self.net.bin_centers)
        soft = (-(distance**2) / (2 * s.bin_sigma**2)).softmax(dim=1)
        if self.module.training:
            self.prior.lerp_(soft.mean(dim=0).detach(), 0.01)
        rare = self.rare_weights()
        logs = bins.permute(0, 2, 3, 1).reshape(-1, bins.shape[1]).log_softmax(dim=1)
        return -((soft @ rare) * (soft * logs).sum(dim=1)).mean()

    @property
    def prior(self) -> Tensor:
        """Return the running share of each bin in the truth."""
        value: Tensor = self.module.prior  # type: ignore[assignment]
        return value

    def figures(self, batch: Batch) -> dict[str, Tensor]:  # noqa: ARG002  (nothing to watch)
        """Return nothing: the loss terms tell all."""
        return {}

    @torch.no_grad()
    def predict(self, batch: Batch) -> Tensor:
        """Return float (N, 3, H, W) Lab: the picture's own lightness with the network's color."""
        ab = self.net(batch.luma, batch.hint)["ab"].float()
        size = batch.lightness.shape[-2:]
        ab = F.interpolate(ab, size=size, mode="bicubic", align_corners=False)
        return torch.cat([batch.lightness, ab], dim=1)


def build(recipe: Recipe) -> FlagshipTask:
    """Build the task of a recipe."""
    return FlagshipTask(recipe)
