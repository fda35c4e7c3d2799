"""Layers that two or more families use.

References:
    [1] P. Isola, J.-Y. Zhu, T. Zhou, A. A. Efros: Image-to-Image Translation with Conditional
        Adversarial Networks, CVPR 2017 (arXiv 1611.07004), section 3.2.2 and appendix 6.1.
    [2] A. Radford, L. Metz, S. Chintala: Unsupervised Representation Learning with Deep
        Convolutional Generative Adversarial Networks, ICLR 2016 (arXiv 1511.06434), section 3.
    [3] W. Shi et al.: Real-Time Single Image and Video Super-Resolution Using an Efficient
        Sub-Pixel CNN, CVPR 2016.
    [4] A. Aitken et al.: Checkerboard artifact free sub-pixel convolution, 2017 (arXiv 1707.02937).
    [5] Y. Sugawara, S. Shiota, H. Kiya: Super-Resolution using Convolutional Neural Networks
        without Any Checkerboard Artifacts, ICIP 2018 (arXiv 1806.02658).
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

LEAK = 0.2


def normalization(kind: str, channels: int) -> nn.Module:
    """Return a normalization layer with a scale and a shift for each channel.

    Args:
        kind: ``batch``; ``instance``, which is what ``batch`` is at batch 1; or ``none``.
        channels: of the layer's input.
    """
    assert kind in ("batch", "instance", "none"), kind
    if kind == "batch":
        return nn.BatchNorm2d(channels)
    if kind == "instance":
        return nn.InstanceNorm2d(channels, affine=True)
    return nn.Identity()


class PatchDiscriminator(nn.Sequential):
    """Judge every patch of a picture by itself: the PatchGAN, a Markovian discriminator [1].

    4x4 convolutions with padding 1: ``layers`` of stride 2 that begin at ``width`` channels and
    double them, at most eightfold, then two of stride 1, the last with one channel. LeakyReLU 0.2
    after all but the last; normalization after all but the first and the last. With three layers
    (N, inputs, 256, 256) becomes (N, 1, 30, 30), and each value has seen 70x70 pixels.

    Batch normalization always takes the statistics of the batch at hand: real and made pictures
    come in batches of their own, and a mean over both would fit neither.

    The values are raw logits; see :func:`tinct.train.nets.losses.gan_loss`.

    Args:
        inputs: channels of what is judged: the condition's and the picture's together.
        width: channels after the first layer.
        norm: ``batch``, ``instance`` or ``none``.
        layers: convolutions of stride 2.
    """

    def __init__(
        self, inputs: int, *, width: int = 64, norm: str = "batch", layers: int = 3
    ) -> None:
        widths = [width * min(2**number, 8) for number in range(layers + 1)]
        parts: list[nn.Module] = [
            nn.Conv2d(inputs, width, 4, stride=2, padding=1),
            nn.LeakyReLU(LEAK, inplace=True),
        ]
        for number, (before, after) in enumerate(pairwise(widths), start=1):
            stride = 2 if number < layers else 1
            parts += [
                nn.Conv2d(before, after, 4, stride=stride, padding=1, bias=norm == "none"),
                nn.BatchNorm2d(after, track_running_stats=False)
                if norm == "batch"
                else normalization(norm, after),
                nn.LeakyReLU(LEAK, inplace=True),
            ]
        super().__init__(*parts, nn.Conv2d(widths[-1], 1, 4, padding=1))


@torch.no_grad()
def initialize_normal(module: nn.Module, deviation: float = 0.02) -> None:
    """Draw weights as the GAN papers do [1, 2].

    Weights of convolutions and linear layers come from N(0, ``deviation``), scales of
    normalizations from N(1, ``deviation``); all biases and shifts become 0.

    Args:
        module: changed in place, with everything in it.
        deviation: standard deviation.
    """
    drawn = (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)
    scaled = (nn.BatchNorm1d, nn.BatchNorm2d, nn.InstanceNorm2d)
    for part in module.modules():
        if not isinstance(part, drawn + scaled):
            continue
        if part.weight is not None:
            nn.init.normal_(part.weight, 0.0 if isinstance(part, drawn) else 1.0, deviation)
        if part.bias is not None:
            nn.init.zeros_(part.bias)


class ConvNormAct(nn.Sequential):
    """A 3x3 convolution, batch normalization and ReLU."""

    def __init__(self, inputs: int, outputs: int, *, stride: int = 1) -> None:
        super().__init__(
            nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(inplace=True),
        )


class ShuffleUp(nn.Module):
    """Double the size by a 1x1 convolution, ReLU and pixel shuffle [3], without checkerboard.

    The four convolutions behind the pixels of a 2x2 block start alike (ICNR [4]).

    Args:
        inputs: channels that come in.
        outputs: channels that go out.
        blur: average each pixel with its neighbors above and to the left afterwards, so that no
            checkerboard comes up during training either [5].
    """

    def __init__(self, inputs: int, outputs: int, *, blur: bool = False) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs * 4, 1)
        self.act = nn.ReLU(inplace=True)
        self.blur = blur
        with torch.no_grad():
            first = torch.empty(outputs, inputs, 1, 1)
            nn.init.kaiming_normal_(first)
            self.conv.weight.copy_(first.repeat_interleave(4, dim=0))
            assert self.conv.bias is not None
            self.conv.bias.zero_()

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, inputs, H, W) to (N, outputs, 2 H, 2 W)."""
        x = self.act(F.pixel_shuffle(self.conv(x), 2))
        if self.blur:
            x = F.avg_pool2d(F.pad(x, (1, 0, 1, 0), mode="replicate"), 2, stride=1)
        return x
