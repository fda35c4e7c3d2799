"""Put a model's doubt to use: where it is unsure, which colors are likely there, and variants.

A distribution over ab bins says more than its mean: a coat may be red or green. All functions take
logits (K, h, w) over K bins, as models give them at a quarter of their working size.

References:
    [1] Zhang, Isola, Efros, Colorful Image Colorization, ECCV 2016: the bins.
    [2] Guo et al., On Calibration of Modern Neural Networks, ICML 2017: temperature scaling.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tinct import color

Floats = NDArray[np.float32]
Ab = tuple[float, float]

APART = 16.0
"""Colors that are nearer than this in a*, b* are one suggestion."""
LEVEL = 9.0
"""Steps of L* inside a region are smaller than this, from cell to cell and against its seed."""
ALIKE = 10.0
"""Mean colors inside a region are nearer than this to that of its seed, in a*, b*."""
LEAST_SHARE = 0.03
"""What is less likely than this makes no variant."""
TOWARD = 0.8
"""How far a variant goes from the mean of what is likely to the mean of what is on one side of it:
all the way costs more where it is wrong than it gains where it is right."""
LIMIT = 110.0
"""Largest a*, b* of a variant."""
LEAST_CHANGE = 2.0
"""Variants change some region by more than this in a*, b*, each another way."""
SMALLEST = 0.004
"""Smaller regions are not asked about: share of the picture."""


@dataclass(frozen=True)
class Likely:
    """A color that a place may have.

    Attributes:
        ab: a*, b* in Lab units.
        share: the probability of it and of colors like it, 0..1.
    """

    ab: tuple[float, float]
    share: float

    def at(self, lightness: float) -> str:
        """Return the color at a lightness L* as ``#rrggbb``, paler where sRGB cannot show it."""
        lab = color.fit_gamut(np.array([lightness, *self.ab]))
        codes = np.rint(np.clip(color.lab_to_rgb(lab), 0, 1) * 255).astype(int)
        return "#{:02x}{:02x}{:02x}".format(*codes.tolist())


@dataclass(frozen=True, eq=False)
class Doubtful:
    """A region whose color the model is unsure of.

    Attributes:
        x: of the place inside it that is farthest from its border, a share of the width.
        y: likewise, of the height.
        area: share of the picture.
        lightness: mean L* there.
        doubt: mean distance of what is likely from the mean color there, Lab units.
        colors: likely colors, the likeliest first.
        mask: bool (h, w), the region in cells of the bins' grid.
    """

    x: float
    y: float
    area: float
    lightness: float
    doubt: float
    colors: tuple[Likely, ...]
    mask: NDArray[np.bool_]


def probabilities(bins: Floats, *, temperature: float = 1.0) -> Floats:
    """Return the distribution (K, h, w) of logits; a temperature above 1 is less sure [2]."""
    logits = bins / np.float32(temperature)
    shifted = np.exp(logits - logits.max(axis=0, keepdims=True))
    result: Floats = shifted / shifted.sum(axis=0, keepdims=True)
    return result


def doubt_map(chances: Floats, centers: Floats) -> Floats:
    """Return how far colors lie apart that are likely at a place.

    Args:
        chances: (K, h, w), a distribution at each place.
        centers: (K, 2), a*, b* of the bins.

    Returns:
        float32 (h, w): the mean distance from the mean color, Lab units.
    """
    mean = np.tensordot(centers.T, chances, axes=1)
    apart = np.linalg.norm(centers.T[:, :, None, None] - mean[:, None], axis=0)
    result: Floats = (chances * apart).sum(axis=0).astype(np.float32)
    return result


def likely_colors(
    chances: Floats, centers: Floats, *, count: int = 5, apart: float = APART
) -> tuple[Likely, ...]:
    """Return the likeliest colors that can be told from each other.

    Args:
        chances: (K,), a distribution.
        centers: (K, 2), a*, b* of the bins.
        count: how many colors at most.
        apart: colors that are nearer than this count as one, Lab units.
    """
    left = np.asarray(chances, np.float64).copy()
    near = np.linalg.norm(centers[:, None] - centers[None], axis=-1) < apart
    found: list[Likely] = []
    while len(found) < count and left.sum() > 0.01:
        around = near @ left
        place = int((around + 1e-6 * left).argmax())
        here = near[place] * left
        ab = here @ centers / here.sum()
        if not found or min(np.linalg.norm(ab - np.array(other.ab)) for other in found) >= apart:
            found.append(Likely((float(ab[0]), float(ab[1])), float(here.sum())))
        left[near[place]] = 0
    return tuple(sorted(found, key=lambda one: -one.share))


def doubtful_regions(
    chances: Floats,
    centers: Floats,
    lightness: Floats,
    *,
    cover: tuple[float, float] = (1.0, 1.0),
    count: int = 5,
    colors: int = 5,
) -> list[Doubtful]:
    """Find the regions where asking a person helps most: by doubt times area.

    Args:
        chances: (K, h, w), a distribution at each place.
        centers: (K, 2), a*, b* of the bins.
        lightness: (h s, w s) for a whole number s, L* of the picture.
        cover: shares of height and width that show the picture; the rest is padding.
        count: how many regions at most.
        colors: how many colors for each at most.
    """
    _, height, width = chances.shape
    rows = max(1, min(height, round(cover[0] * height)))
    columns = max(1, min(width, round(cover[1] * width)))
    step = lightness.shape[0] // height
    light = lightness.reshape(height, step, width, step).mean((1, 3))[:rows, :columns]
    kept = chances[:, :rows, :columns]
    doubt = doubt_map(kept, centers)
    mean = np.tensordot(centers.T, kept, axes=1)
    free = np.ones((rows, columns), bool)
    found: list[Doubtful] = []
    for _ in range(8 * count):
        if not free.any():
            break
        seed = np.unravel_index(int(np.where(free, doubt, -1).argmax()), free.shape)
        region = _grow(seed, free, light, mean)
        free &= ~region
        if region.mean() < SMALLEST:
            continue
        shares = kept[:, region].mean(axis=1)
        row, column = _inmost(region)
        mask = np.zeros((height, width), bool)
        mask[:rows, :columns] = region
        found.append(
            Doubtful(
                x=(column + 0.5) / columns,
                y=(row + 0.5) / rows,
                area=float(region.mean()),
                lightness=float(light[region].mean()),
                doubt=float(doubt[region].mean()),
                colors=likely_colors(shares, centers, count=colors),
                mask=mask,
            )
        )
    return sorted(found, key=lambda region: -region.doubt * region.area)[:count]


def alternatives(
    regions: Sequence[Doubtful], chances: Floats, centers: Floats, shown: Floats, *, count: int
) -> list[list[tuple[Doubtful, Ab]]]:
    """Choose other colors for the regions, in each choice all of them leaning the same way.

    A picture whose colors are wrong is wrong as a whole, more often than not: too warm, too green.
    So a choice is a direction in the plane of a*, b*. The directions are ``count`` equal parts of a
    turn apart and begin with the axis along which the likely colors vary the most, at its end of
    less a*. Each region goes from the color it has towards what is likely for it on that side.

    Args:
        regions: as from :func:`doubtful_regions`.
        chances: (K, h, w), the distribution that they were found in.
        centers: (K, 2), a*, b* of the bins.
        shown: (2, h s, w s) for a whole number s, the colors as they are.
        count: how many choices at most; fewer where they would be alike, or change nothing.

    Returns:
        For each choice the regions, and the color a*, b* that each of them takes.
    """
    if not regions:
        return []
    likely = [_spread(chances[:, region.mask].mean(axis=1), centers) for region in regions]
    varies = sum(
        region.area * (shares * away.T) @ away
        for region, (shares, away) in zip(regions, likely, strict=True)
    )
    axis = np.linalg.eigh(varies).eigenvectors[:, -1]
    start = math.atan2(*(axis[::-1] * (-1 if axis[0] > 0 else 1)))
    step = shown.shape[1] // chances.shape[1]
    found: list[NDArray[np.float64]] = [np.zeros((len(regions), 2))]
    for number in range(count):
        turn = start + 2 * math.pi * number / count
        side = np.array([math.cos(turn), math.sin(turn)])
        change = TOWARD * np.array([_lean(shares, away, side) for shares, away in likely])
        if all(np.linalg.norm(change - other, axis=1).max() > LEAST_CHANGE for other in found):
            found.append(change)
    colors = np.array(
        [
            shown[:, region.mask.repeat(step, axis=0).repeat(step, axis=1)].mean(axis=1)
            for region in regions
        ]
    )
    return [
        [
            (region, (float(a), float(b)))
            for region, (a, b) in zip(regions, np.clip(colors + change, -LIMIT, LIMIT), strict=True)
        ]
        for change in found[1:]
    ]


def _spread(chances: Floats, centers: Floats) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return a distribution (K,), summing to 1, and how far the bins are from its mean (K, 2)."""
    shares = chances.astype(np.float64) / chances.sum()
    return shares, centers - shares @ centers


def _lean(
    shares: NDArray[np.float64], away: NDArray[np.float64], side: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return how far from the mean the mean of what lies on one side of it is, (2,)."""
    there = shares * (away @ side > 0)
    if there.sum() < LEAST_SHARE:
        return np.zeros(2)
    lean: NDArray[np.float64] = there @ away / there.sum()
    return lean


def _grow(
    seed: Sequence[np.intp] | tuple[np.intp, ...],
    free: NDArray[np.bool_],
    light: Floats,
    mean: Floats,
) -> NDArray[np.bool_]:
    """Return what hangs together with a place and is alike in lightness and mean color."""
    alike = free & (np.abs(light - light[tuple(seed)]) < 2 * LEVEL)
    alike &= np.linalg.norm(mean - mean[:, *seed][:, None, None], axis=0) < ALIKE
    region = np.zeros_like(free)
    region[tuple(seed)] = True
    queue = deque([(int(seed[0]), int(seed[1]))])
    height, width = free.shape
    while queue:
        row, column = queue.popleft()
        for down, across in ((0, 1), (1, 0), (0, -1), (-1, 0)):
            y, x = row + down, column + across
            if (
                0 <= y < height and 0 <= x < width and alike[y, x] and not region[y, x]
                and abs(light[y, x] - light[row, column]) < LEVEL
            ):  # fmt: skip
                region[y, x] = True
                queue.append((y, x))
    return region


def _inmost(region: NDArray[np.bool_]) -> tuple[int, int]:
    """Return the cell of a region that is farthest from its border, counted in cells."""
    left = np.pad(region, 1)
    last = left
    while left.any():
        last = left
        left = left & np.roll(left, 1, 0) & np.roll(left, -1, 0)
        left = left & np.roll(last, 1, 1) & np.roll(last, -1, 1)
    places = np.argwhere(last)
    middle = places[np.linalg.norm(places - places.mean(0), axis=1).argmin()]
    return int(middle[0]) - 1, int(middle[1]) - 1


def interior(
    mask: NDArray[np.bool_], *, cover: tuple[float, float] = (1.0, 1.0), most: int = 12
) -> list[tuple[float, float]]:
    """Return places spread over a region, inside rather than at its border.

    Args:
        mask: bool (h, w).
        cover: shares of height and width that show the picture.
        most: how many places.

    Returns:
        Shares of width and height, (x, y); at least one if there is any cell.
    """
    padded = np.pad(mask, 1)
    inner = padded & np.roll(padded, 1, 0) & np.roll(padded, -1, 0)
    inner &= np.roll(padded, 1, 1) & np.roll(padded, -1, 1)
    inner = inner[1:-1, 1:-1]
    places = np.argwhere(inner if inner.any() else mask)
    chosen = places[np.linspace(0, len(places) - 1, min(most, len(places))).astype(int)]
    height, width = mask.shape[0] * cover[0], mask.shape[1] * cover[1]
    return [
        (min((column + 0.5) / width, 1.0), min((row + 0.5) / height, 1.0))
        for row, column in chosen.tolist()
    ]
