"""What becomes of color once the heads are joined: contrast, coherence, and how strong it is.

Nothing here is learned, but what is learned before it is trained through it.

References:
    [1] K. He, J. Sun, X. Tang: Guided Image Filtering, ECCV 2010.
    [2] K. He, J. Sun: Fast Guided Filter, arXiv 1505.00996, 2015.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

AB_LIMIT = 110.0  # Lab units; no color has more
PIVOT = 12.0  # Lab units; the chroma that contrast leaves as it is
MOST_CONTRAST = 3.0  # factor on chroma
USUAL_SPREAD, USUAL_CHROMA = 10.0, 8.0  # Lab units; a picture that has both stays as it is
FACTORS = (0.2, 1.2)  # at most so much paler or stronger does doubt make a picture


def contrasted(ab: Tensor, contrast: float) -> Tensor:
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


def box_mean(x: Tensor, radius: int) -> Tensor:
    """Mean over squares of side ``2 radius + 1``, cut off at the borders."""
    side = 2 * radius + 1
    down = F.avg_pool2d(x, (side, 1), 1, (radius, 0), count_include_pad=False)
    return F.avg_pool2d(down, (1, side), 1, (0, radius), count_include_pad=False)


def guided_filter(guide: Tensor, x: Tensor, *, radius: int, smoothness: float) -> Tensor:
    """Smooth maps inside the regions of a guide, but not over its edges [1].

    Colors that disagree inside one region mislead the eye, and a classifier, even where they are
    faint.

    In every square each map is taken for a linear function of the guide; what all squares say of a
    place is averaged. The functions are found at half the size and used at the whole [2].

    Args:
        guide: (N, 1, H, W); H and W are even.
        x: (N, C, H, W).
        radius: of the squares, in cells of 2 x 2 places.
        smoothness: variance of the guide up to which a square counts as one region.

    Returns:
        (N, C, H, W).
    """
    with torch.autocast(x.device.type, enabled=False):  # small differences of large sums
        return _filtered(guide.float(), x.float(), radius, smoothness)


def _filtered(guide: Tensor, x: Tensor, radius: int, smoothness: float) -> Tensor:
    small, maps = F.avg_pool2d(guide, 2), F.avg_pool2d(x, 2)
    mean_guide, mean_x = box_mean(small, radius), box_mean(maps, radius)
    variance = box_mean(small * small, radius) - mean_guide * mean_guide
    slope = (box_mean(small * maps, radius) - mean_guide * mean_x) / (variance + smoothness)
    line = box_mean(torch.cat([slope, mean_x - slope * mean_guide], dim=1), radius)
    line = F.interpolate(line, scale_factor=2.0, mode="bilinear", align_corners=False)
    slope, offset = line.chunk(2, dim=1)
    return slope * guide + offset


def spread(bins: Tensor, centers: Tensor) -> Tensor:
    """Return how far the likely colors of each place lie from their mean.

    Args:
        bins: logits (N, K, h, w).
        centers: of the bins, (K, 2), a* and b*.

    Returns:
        (N, 1, h, w), standard deviation in Lab units.
    """
    shares = bins.softmax(dim=1).float()
    moments = torch.cat([centers.t(), centers.square().sum(dim=1)[None]])
    with torch.autocast(bins.device.type, enabled=False):
        found = F.conv2d(shares, moments[:, :, None, None])
    variance = found[:, 2:] - found[:, :2].square().sum(dim=1, keepdim=True)
    return (variance.clamp(min=0) + 0.25).sqrt()


def weighed(ab: Tensor, doubt: Tensor, *, confidence: float, evenness: float) -> Tensor:
    """Make pictures paler whose colors are in doubt, and stronger where they are sure.

    A wrong color costs more the stronger it is; a right one is worth more. What is doubtful is
    doubtful in the whole picture, more often than not, so that one factor serves all of it.

    Args:
        ab: (N, 2, H, W), Lab units.
        doubt: as from :func:`spread`, (N, 1, h, w).
        confidence: exponent by which a picture gets paler with its mean doubt.
        evenness: exponent by which it gets paler with its own mean chroma.
    """
    unsure = doubt.mean(dim=(1, 2, 3), keepdim=True) / USUAL_SPREAD
    chroma = (ab.square().sum(dim=1, keepdim=True) + 1e-2).sqrt()
    strong = chroma.mean(dim=(2, 3), keepdim=True) / USUAL_CHROMA
    factor = unsure.pow(-confidence) * strong.pow(-evenness)
    return (factor.clamp(*FACTORS) * ab).clamp(-AB_LIMIT, AB_LIMIT)
