"""Drawings out of color pictures: what a line-art model is shown where no artist drew the lines.

Extended difference of Gaussians [1] on the picture's gray: ``D = G(s) - gamma G(k s)``; white where
``D >= eps``, else ``1 + tanh(phi (D - eps))``. A second filter draws as a soft pencil does: gray
divided by its dilation [2], sharpened by an exponent; what is darker than its neighborhood remains:
lines and the dark sides of edges. Both differ from picture to picture in training, so that a model
does not learn one filter's handwriting.

References:
    [1] H. Winnemoeller, J. E. Kyprianidis, S. C. Olsen: XDoG: An eXtended difference-of-Gaussians
        compendium including advanced image stylization, Computers & Graphics 36(6), 2012.
    [2] J. Serra: Image Analysis and Mathematical Morphology, 1982 (dilation); the quotient is the
        "color dodge" of drawing programs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from tinct.color import gray_to_lightness, lightness_to_gray

REACH = 3.0  # standard deviations that a kernel covers on each side
FINE = 0.5  # share of the second filter's drawings whose lines are wide
DARKEST = 0.02  # gray codes below are taken for this by it: black areas stay white


@dataclass(frozen=True)
class Handwriting:
    """Parameters of XDoG [1], one value for each picture.

    Attributes:
        sigma: deviation of the narrow Gaussian in pixels.
        k: the wide one's deviation as a multiple of the narrow one's.
        gamma: weight of the wide one.
        eps: threshold of the difference; gray runs from 0 to 1.
        phi: steepness below the threshold.
    """

    sigma: Tensor
    k: Tensor
    gamma: Tensor
    eps: Tensor
    phi: Tensor


def _standard(count: int) -> Handwriting:
    """Return the setting nearest to artists' lines: F1 0.78 within a pixel on 159 real pairs."""
    values = (0.5, 1.6, 0.975, -0.005, 60.0)
    return Handwriting(*(torch.full((count,), value) for value in values))


def _random(seeds: Sequence[int]) -> Handwriting:
    """Draw settings around the standard one; now and then the often-quoted inky one (k 4.5)."""
    draws = torch.stack(
        [torch.rand(5, generator=torch.Generator().manual_seed(seed)) for seed in seeds]
    ).unbind(1)

    def between(number: int, low: float, high: float) -> Tensor:
        return low + (high - low) * draws[number]

    inky = draws[4] < 0.1
    return Handwriting(
        sigma=between(0, 0.4, 0.8),
        k=torch.where(inky, 4.5, 1.6),
        gamma=torch.where(inky, 0.95, between(1, 0.96, 0.99)),
        eps=torch.where(inky, 0.01, between(2, -0.015, 0.0)),
        phi=torch.exp(between(3, 3.0, 5.3)),  # 20 to 200
    )


def _blur(gray: Tensor, sigma: Tensor) -> Tensor:
    """Blur each picture (N, 1, H, W) by its own Gaussian; edges are mirrored."""
    count, _, height, width = gray.shape
    radius = max(1, min(int(REACH * float(sigma.max()) + 0.5), height - 1, width - 1))
    places = torch.arange(-radius, radius + 1, dtype=gray.dtype, device=gray.device)
    kernel = torch.exp(-(places**2) / (2 * sigma.to(gray)[:, None] ** 2))
    kernel = kernel / kernel.sum(dim=1, keepdim=True)
    planes = F.pad(gray.transpose(0, 1), (radius, radius, radius, radius), mode="reflect")
    planes = F.conv2d(planes, kernel[:, None, :, None], groups=count)
    planes = F.conv2d(planes, kernel[:, None, None, :], groups=count)
    return planes.transpose(0, 1)


def xdog(gray: Tensor, drawn: Handwriting) -> Tensor:
    """Draw pictures.

    Args:
        gray: float (N, 1, H, W), 0..1, sRGB-encoded; H and W at least 2.
        drawn: N values each.

    Returns:
        float (N, 1, H, W), 0..1: dark lines on white paper.
    """

    def each(values: Tensor) -> Tensor:
        return values.to(gray)[:, None, None, None]

    wide = _blur(gray, drawn.sigma * drawn.k)
    difference = _blur(gray, drawn.sigma) - each(drawn.gamma) * wide
    below = difference - each(drawn.eps)
    lines = torch.where(below >= 0, torch.ones_like(below), 1 + torch.tanh(each(drawn.phi) * below))
    return lines.clamp(0, 1)


def pencil(gray: Tensor, *, radius: int, exponent: Tensor) -> Tensor:
    """Draw pictures by dividing gray by its dilation [2].

    Args:
        gray: float (N, 1, H, W), 0..1, sRGB-encoded.
        radius: of the square that dilates, in pixels.
        exponent: (N,), how dark the lines are; 1 leaves the quotient.

    Returns:
        float (N, 1, H, W), 0..1: gray lines on white paper.
    """
    lifted = gray.clamp(min=DARKEST)
    around = F.pad(lifted, (radius, radius, radius, radius), mode="replicate")
    brightest = F.max_pool2d(around, 2 * radius + 1, stride=1)
    return (lifted / brightest) ** exponent.to(gray)[:, None, None, None]


def standard(lightness: Tensor) -> Tensor:
    """Draw pictures in the way nearest to artists' lines, always the same.

    Args:
        lightness: float32 (N, 1, H, W), L* 0..100.

    Returns:
        L* of the drawings, same shape.
    """
    lines = xdog(lightness_to_gray(lightness), _standard(len(lightness)))
    drawing: Tensor = gray_to_lightness(lines).to(lightness.dtype)
    return drawing


def vary(lightness: Tensor, *, seeds: Sequence[int], penciled: float = 0.0) -> Tensor:
    """Draw pictures, each in its own handwriting.

    Args:
        lightness: float32 (N, 1, H, W), L* 0..100.
        seeds: of the handwriting, one for each picture.
        penciled: share of the pictures that the second filter draws.

    Returns:
        L* of the drawings, same shape.
    """
    gray = lightness_to_gray(lightness)
    lines = xdog(gray, _random(seeds))
    if penciled:
        # Their own generators: the handwriting of the first filter stays that of the seeds.
        chances = [torch.Generator().manual_seed(seed + 1) for seed in seeds]
        draws = torch.stack([torch.rand(3, generator=chance) for chance in chances]).to(gray)
        chosen, fine, dark = draws[:, :, None, None, None].unbind(1)
        exponent = dark.flatten()
        thin = pencil(gray, radius=1, exponent=1 + 4 * exponent)
        wide = pencil(gray, radius=2, exponent=1 + 2 * exponent)
        lines = torch.where(chosen < penciled, torch.where(fine > FINE, thin, wide), lines)
    drawing: Tensor = gray_to_lightness(lines).to(lightness.dtype)
    return drawing


def standard_drawer() -> Callable[[NDArray[np.float32]], NDArray[np.float32]]:
    """Return what makes L* (H, W) of a picture L* of a drawing, always in the same way."""

    def draw(lightness: NDArray[np.float32]) -> NDArray[np.float32]:
        with torch.inference_mode():
            drawn = standard(torch.from_numpy(lightness)[None, None])
        return np.asarray(drawn[0, 0].numpy())

    return draw
