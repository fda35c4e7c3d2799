"""Compare pictures as a trained network sees them: the perceptual distance, to be minimized.

At the last layer before each max-pool the features of each place are scaled to unit length over the
channels; their squared difference is averaged over the places, then over the layers [1, 2].

References:
    [1] J. Johnson, A. Alahi, L. Fei-Fei: Perceptual Losses for Real-Time Style Transfer and
        Super-Resolution, ECCV 2016.
    [2] R. Zhang, P. Isola, A. A. Efros, E. Shechtman, O. Wang: The Unreasonable Effectiveness of
        Deep Features as a Perceptual Metric, CVPR 2018; without its learned weights.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tinct.train.nets.backbones import build_perceptual_network

MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class Perceptual:
    """The distance of pictures under a frozen network.

    Not a module, so that the network is neither trained nor saved; it is made when it is first
    asked.

    Args:
        network: ``vgg16``, or ``random`` for a tiny network that was never trained.
    """

    def __init__(self, network: str) -> None:
        self.name = network
        self._network: nn.Sequential | None = None

    def network(self, device: torch.device) -> nn.Sequential:
        """Return the frozen network that judges."""
        if self._network is None:
            self._network = (
                build_perceptual_network(self.name).to(memory_format=torch.channels_last).to(device)
            )
        return self._network

    def features(self, rgb: Tensor) -> list[Tensor]:
        """Return the unit-length features before each max-pool, and the last ones.

        Args:
            rgb: float (N, 3, H, W), sRGB 0..1.
        """
        mean, deviation = (rgb.new_tensor(v)[None, :, None, None] for v in (MEAN, DEVIATION))
        x = (rgb - mean) / deviation
        taken: list[Tensor] = []
        for layer in self.network(rgb.device):
            if isinstance(layer, nn.MaxPool2d):
                taken.append(x)
            x = layer(x)
        return [F.normalize(part.float(), dim=1, eps=1e-8) for part in (*taken, x)]

    def __call__(self, made: Tensor, truth: Tensor) -> Tensor:
        """Return the distance, a scalar, 0 to 2.

        Args:
            made: float (N, 3, H, W), sRGB 0..1.
            truth: the same.
        """
        with torch.no_grad():
            goals = self.features(truth)
        found = zip(self.features(made), goals, strict=True)
        return torch.stack([(one - two).square().sum(dim=1).mean() for one, two in found]).mean()
