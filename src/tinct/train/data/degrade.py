"""What time does to photographs, applied to what the network sees and never to the truth.

Early plates saw blue far better than red; hands and faces in the light came out white; prints fade,
yellow, curl and get scratched; scans are soft, grainy and unevenly lit. The truth's colors stay as
they are, so a network learns to color an old print as if it were a fresh one.

References:
    [1] C. E. K. Mees: The Theory of the Photographic Process, 1942, on the spectral sensitivity of
        ordinary (blue), orthochromatic (blue, green) and panchromatic plates.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from tinct.color import gray_to_lightness, linear_to_srgb, srgb_to_linear

LUMINANCE = (0.2126, 0.7152, 0.0722)  # Rec. 709, of linear RGB: what a modern gray picture shows
PLATES = ((0.02, 0.30, 0.68), (0.08, 0.55, 0.37), (0.35, 0.45, 0.20))  # blue, ortho, panchromatic
SHOULDER = 0.75  # sRGB code from which on an overexposed plate saturates
FAINTEST = 0.1  # share of the full contrast that the most faded print has left


def age(rgb: Tensor, lightness: Tensor, *, share: float, seeds: Sequence[int]) -> Tensor:
    """Fade, soften, scratch and roughen some of the pictures.

    Args:
        rgb: float (N, 3, H, W), sRGB 0..1 of the truth.
        lightness: float (N, 1, H, W), its L* 0..100.
        share: of the pictures that are changed, 0..1.
        seeds: one for each picture; the same seed gives the same result.

    Returns:
        float (N, 1, H, W), L* 0..100.
    """
    chances = [torch.Generator().manual_seed(seed) for seed in seeds]
    device, shape = lightness.device, lightness.shape[1:]

    def draw(low: float, high: float) -> Tensor:
        values = torch.stack([torch.rand((1, 1, 1), generator=chance) for chance in chances])
        return (values * (high - low) + low).to(device)

    def sometimes(chance: float, then: Tensor, otherwise: Tensor) -> Tensor:
        return torch.where(draw(0, 1) < chance, then, otherwise)

    gray = _through_plate(rgb, chances, amount=sometimes(0.35, draw(0.3, 1), draw(0, 0)))
    gray = gray.clamp(1e-4, 1) ** sometimes(0.7, draw(-0.6, 0.6), draw(0, 0)).exp()
    gray = sometimes(0.35, _overexposed(gray, draw(1.1, 2)), gray)
    gray = sometimes(0.3, _soft(gray), gray)
    gray = sometimes(0.15, _soft(_soft(gray)), gray)
    gray = gray * (1 - sometimes(0.3, draw(0.1, 0.6), draw(0, 0)) * _falling_off(shape, device))
    # Contrast falls from 1 to the faintest, most often a little; the rest of the range lies below
    # or above what is left.
    contrast = FAINTEST ** (draw(0, 1) ** 1.5)
    gray = contrast * gray + (1 - contrast) * draw(0, 1)
    grain = torch.stack([torch.randn(shape, generator=chance) for chance in chances]).to(device)
    coarse = _soft(grain) * 2
    grain = sometimes(0.5, coarse, grain) * contrast * sometimes(0.6, draw(0, 0.06), draw(0, 0))
    gray = _scratched(gray + grain, chances, share=0.1)
    changed = draw(0, 1) < share
    aged: Tensor = gray_to_lightness(gray.clamp(0, 1))
    return torch.where(changed, aged, lightness).float()


def _through_plate(rgb: Tensor, chances: Sequence[torch.Generator], *, amount: Tensor) -> Tensor:
    """Return the sRGB codes (N, 1, H, W) that a plate of another sensitivity records."""
    kinds = [int(torch.randint(len(PLATES), (1,), generator=chance)) for chance in chances]
    plate = torch.tensor([PLATES[kind] for kind in kinds], device=rgb.device)[:, :, None, None]
    modern = torch.tensor(LUMINANCE, device=rgb.device)[None, :, None, None]
    weights = amount * plate + (1 - amount) * modern
    exposed: Tensor = linear_to_srgb((srgb_to_linear(rgb) * weights).sum(dim=1, keepdim=True))
    return exposed.float()


def _overexposed(gray: Tensor, gain: Tensor) -> Tensor:
    """Return sRGB codes times a gain, saturating as a plate does instead of being cut off."""
    brighter = gray * gain
    room = 1 - SHOULDER
    over: Tensor = 1 - room * ((SHOULDER - brighter) / room).clamp(max=0).exp()
    return torch.where(brighter > SHOULDER, over, brighter)


def _soft(gray: Tensor) -> Tensor:
    return F.avg_pool2d(F.pad(gray, (1, 1, 1, 1), mode="replicate"), 3, stride=1)


def _falling_off(shape: torch.Size, device: torch.device) -> Tensor:
    """Return 0 in the middle of a picture (1, H, W) and 1 in its corners."""
    rows, columns = (torch.linspace(-1, 1, side, device=device) for side in shape[1:])
    return ((rows[:, None] ** 2 + columns[None, :] ** 2) / 2)[None]


def _scratched(gray: Tensor, chances: Sequence[torch.Generator], *, share: float) -> Tensor:
    """Draw up to six thin bright or dark lines over some of the pictures."""
    gray = gray.clone()
    rows, columns = (torch.arange(side, device=gray.device) for side in gray.shape[2:])
    for plane, chance in zip(gray, chances, strict=True):
        value = torch.rand(32, generator=chance).tolist()
        if value[0] >= share:
            continue
        for number in range(1 + int(value[1] * 6)):
            at, turn, tone = value[2 + number * 3 : 5 + number * 3]
            slope = math.tan((turn - 0.5) * 0.6)
            center = at * len(columns) + slope * (rows[:, None] - len(rows) / 2)
            plane[0][(columns[None, :] - center).abs() < 0.6] = round(tone)
    return gray
