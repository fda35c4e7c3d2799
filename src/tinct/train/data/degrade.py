"""What time does to photographs, applied to the luma plane only: fading, contrast, softness, grain.

The truth's colors stay as they are, so a network learns to color an old print as if it were a fresh
one.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F


def age(lightness: Tensor, *, share: float, seeds: Sequence[int]) -> Tensor:
    """Fade, soften and roughen some of the pictures.

    Args:
        lightness: float (N, 1, H, W), L* 0..100.
        share: of the pictures that are changed, 0..1.
        seeds: one for each picture; the same seed gives the same result.

    Returns:
        float (N, 1, H, W), L* 0..100.
    """
    chances = [torch.Generator().manual_seed(seed) for seed in seeds]

    def draw(low: float, high: float) -> Tensor:
        values = torch.stack([torch.rand((1, 1, 1), generator=chance) for chance in chances])
        return (values * (high - low) + low).to(lightness.device)

    unit = lightness / 100
    gamma, black, white = draw(0.7, 1.45), draw(0.0, 0.2), draw(0.8, 1.0)
    faded = black + (white - black) * unit.clamp(1e-4, 1) ** gamma
    soft = F.avg_pool2d(F.pad(faded, (1, 1, 1, 1), mode="replicate"), 3, stride=1)
    faded = torch.where(draw(0, 1) < 0.3, soft, faded)
    shape = lightness.shape[1:]
    grain = torch.stack([torch.randn(shape, generator=chance) for chance in chances])
    faded = faded + grain.to(lightness.device) * draw(0.0, 0.05)
    changed = draw(0, 1) < share
    return torch.where(changed, faded.clamp(0, 1) * 100, lightness)
