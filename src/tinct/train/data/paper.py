"""What pencils, paper and scanners do to a drawing: weight and tone of lines, tone of paper, noise.

Applied to what a line-art network sees; the colored truth stays as it is, so that a network learns
to color a scanned pencil drawing as if it were clean.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

THINNED, THICKENED = 0.15, 0.2  # shares of the drawings whose lines become thinner or thicker
BROKEN = 0.35  # share of the drawings whose lines have gaps
PATCH = 6  # pixels; gaps are about so wide
WHERE = 1.3  # deviations of smooth noise, above which ink is missing: a tenth of all places


def scan(lightness: Tensor, *, share: float, seeds: Sequence[int]) -> Tensor:
    """Make some drawings look drawn on paper and scanned.

    In this order: lines become a little thinner or thicker (a 3 x 3 erosion or dilation, mixed in);
    ink becomes gray and grainy as pencil on rough paper, and is missing here and there; the whole
    becomes soft; paper gets a tone and uneven light; the scanner adds noise.

    Args:
        lightness: float (N, 1, H, W), L* 0..100, dark lines on white.
        share: of the drawings that are changed, 0..1.
        seeds: one for each drawing; the same seed gives the same result.

    Returns:
        float (N, 1, H, W), L* 0..100.
    """
    chances = [torch.Generator().manual_seed(seed) for seed in seeds]
    shape = lightness.shape[1:]

    def draw(low: float, high: float) -> Tensor:
        values = torch.stack([torch.rand((1, 1, 1), generator=chance) for chance in chances])
        return (values * (high - low) + low).to(lightness.device)

    def noise(cells: int = 0) -> Tensor:
        """Return normal noise: of every pixel, or of so many cells a side, blown up smoothly."""
        size = (1, cells, cells) if cells else tuple(shape)
        values = torch.stack([torch.randn(size, generator=chance) for chance in chances])
        values = values.to(lightness.device)
        if not cells:
            return values
        return F.interpolate(values, shape[1:], mode="bicubic", align_corners=False)

    white = lightness / 100
    around = F.pad(white, (1, 1, 1, 1), mode="replicate")
    thin, thick = F.max_pool2d(around, 3, stride=1), -F.max_pool2d(-around, 3, stride=1)
    soft = F.avg_pool2d(around, 3, stride=1)
    weight, mixed = draw(0, 1), draw(0.2, 0.8)
    other = torch.where(weight < THINNED, thin, torch.where(weight > 1 - THICKENED, thick, white))
    ink = 1 - torch.lerp(white, other, mixed)
    grain = 1 + draw(0, 0.5) * noise().clamp(-2, 2) * (draw(0, 1) < 0.5)
    ink = ink * draw(0.35, 1.0) * grain.clamp(0, 2)
    missing = noise(max(2, min(shape[1:]) // PATCH)) > WHERE
    ink = torch.where(missing & (draw(0, 1) < BROKEN), 0.1 * ink, ink)
    page = 1 - ink.clamp(0, 1)
    softened = draw(0, 1) < 0.3
    page = torch.where(softened, torch.lerp(page, torch.minimum(soft, page + 0.3), 0.6), page)
    tone = draw(0.75, 1.0) + draw(0, 0.04) * noise(3)
    page = page * tone + draw(0, 0.02) * noise()
    changed = draw(0, 1) < share
    return torch.where(changed, page.clamp(0, 1) * 100, lightness)
