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
DOUBT_TEMPERATURE = 0.45  # of the bins when doubt is asked for, however color is decoded
USUAL_SPREAD, USUAL_CHROMA = 10.0, 8.0  # Lab units; a picture that has both stays as it is
FIRST_RADIUS = 2  # cells of 2 x 2 places
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
    """Mean over squares of side ``2 radius + 1``, cut off at the borders.

    A product with a band of ones for each direction: large squares take no longer than small ones.
    """
    rows, columns = (_band(x.shape[axis], radius, x) for axis in (-2, -1))
    return rows @ (x @ columns.t())


def _band(count: int, radius: int, like: Tensor) -> Tensor:
    """Return the matrix (count, count) whose rows average what is at most ``radius`` away."""
    places = torch.arange(count, device=like.device)
    near = ((places[:, None] - places).abs() <= radius).to(like.dtype)
    return near / near.sum(dim=1, keepdim=True)


def guided_filter(guide: Tensor, x: Tensor, *, radius: int, smoothness: float) -> Tensor:
    """Smooth maps inside the regions of a guide, but not over its edges [1].

    Colors that disagree inside one region mislead the eye, and a classifier, even where they are
    faint.

    In every square each map is taken for a linear function of the guide's channels; what all
    squares say of a place is averaged. The functions are found at half the size and used at the
    whole [2].

    Args:
        guide: (N, K, H, W), one channel or three; H and W are even.
        x: (N, C, H, W).
        radius: of the squares, in cells of 2 x 2 places.
        smoothness: variance of the guide up to which a square counts as one region.

    Returns:
        (N, C, H, W).
    """
    with torch.autocast(x.device.type, enabled=False):  # small differences of large sums
        return _filtered(guide.float(), x.float(), radius, smoothness)


def _filtered(guide: Tensor, x: Tensor, radius: int, smoothness: float) -> Tensor:
    channels = guide.chunk(guide.shape[1], dim=1)
    small = [F.avg_pool2d(channel, 2) for channel in channels]
    maps = F.avg_pool2d(x, 2)
    means, mean_x = [box_mean(channel, radius) for channel in small], box_mean(maps, radius)
    pairs = [(i, j) for i in range(len(small)) for j in range(i, len(small))]
    covariance = {
        (i, j): box_mean(small[i] * small[j], radius) - means[i] * means[j] for i, j in pairs
    }
    for i in range(len(small)):
        covariance[i, i] = covariance[i, i] + smoothness
    with_x = [
        box_mean(channel * maps, radius) - mean * mean_x
        for channel, mean in zip(small, means, strict=True)
    ]
    slopes = _solved(covariance, with_x)
    offset = mean_x - sum(slope * mean for slope, mean in zip(slopes, means, strict=True))
    line = box_mean(torch.cat([*slopes, offset], dim=1), radius)
    line = F.interpolate(line, scale_factor=2.0, mode="bilinear", align_corners=False)
    *slopes, found = line.chunk(len(slopes) + 1, dim=1)
    for slope, channel in zip(slopes, channels, strict=True):
        found = found + slope * channel
    return found


def _solved(left: dict[tuple[int, int], Tensor], right: list[Tensor]) -> list[Tensor]:
    """Solve symmetric systems of one or three equations, place by place, by their adjugates.

    Args:
        left: the upper triangle, each (N, 1, H, W).
        right: right sides, each (N, C, H, W).
    """
    if len(right) == 1:
        return [right[0] / left[0, 0]]
    a, b, c, d, e, f = (left[pair] for pair in ((0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2)))
    rows = (
        (d * f - e * e, c * e - b * f, b * e - c * d),
        (c * e - b * f, a * f - c * c, b * c - a * e),
        (b * e - c * d, b * c - a * e, a * d - b * b),
    )
    whole = a * rows[0][0] + b * rows[0][1] + c * rows[0][2]
    x, y, z = right
    return [(p * x + q * y + r * z) / whole for p, q, r in rows]


def coherent(
    gray: Tensor, ab: Tensor, *, radius: int, smoothness: float, color_range: float
) -> Tensor:
    """Smooth color along a picture's regions: places alike in gray, and in color if so asked.

    By gray alone a face and a backdrop of the same gray are one region, and skin glows into the
    backdrop where squares are large. So what a small filter by gray gives tells regions apart, too.

    Args:
        gray: the picture's sRGB codes 0..1, (N, 1, H, W).
        ab: (N, 2, H, W), Lab units.
        radius: as for :func:`guided_filter`, and so the next.
        smoothness: variance of codes.
        color_range: difference in Lab units that tells as much as the one from black to white; 0:
            gray alone tells.
    """
    if not color_range:
        return guided_filter(gray, ab, radius=radius, smoothness=smoothness)
    first = guided_filter(gray, ab, radius=FIRST_RADIUS, smoothness=smoothness)
    guide = torch.cat([gray, first / color_range], dim=1)
    return guided_filter(guide, ab, radius=radius, smoothness=smoothness)


def expected(bins: Tensor, values: Tensor, temperature: Tensor | float) -> Tensor:
    """Return the expected values of a distribution, place by place.

    The quotient of two weighted sums, in one convolution; a softmax over the channels takes several
    times as long in ONNX Runtime.

    Args:
        bins: logits (N, K, h, w).
        values: of the bins, (C, K).
        temperature: by which logits are divided.

    Returns:
        float32 (N, C, h, w).
    """
    with torch.autocast(bins.device.type, enabled=False):
        logits = bins.float()
        weights = ((logits - logits.amax(dim=1, keepdim=True).detach()) / temperature).exp()
        kernel = torch.cat([values, torch.ones_like(values[:1])])[:, :, None, None]
        sums = F.conv2d(weights, kernel)
    return sums[:, :-1] / sums[:, -1:]


def spread(bins: Tensor, centers: Tensor) -> Tensor:
    """Return how far the likely colors of each place lie from their mean.

    Args:
        bins: logits (N, K, h, w); they are sharpened by :data:`DOUBT_TEMPERATURE`.
        centers: of the bins, (K, 2), a* and b*.

    Returns:
        (N, 1, h, w), standard deviation in Lab units.
    """
    moments = torch.cat([centers.t(), centers.square().sum(dim=1)[None]])
    found = expected(bins, moments, DOUBT_TEMPERATURE)
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
