"""Let a proposal obey hints: the color of a hinted place goes along the picture's own regions.

Pure array functions, at a model's working size. What a hint says is carried in three steps.

A photograph's lightness is blurred a little first, so that texture and grain are no edges.
*Alike*: pixels nearby that look like the hinted place, in lightness and in the color that the model
proposes, are told faintly too, even across a gap: both lapels of a coat. *Along*: hints and what
they told are spread by the domain transform's recursive filter [1], which runs freely inside a
region and hardly crosses an edge of lightness or proposed color; the spread colors divided by the
spread weight are normalized convolution [2]. Where little weight arrives, the proposal stays.
*Near*: what is still missing at hinted places is spread again, over a short way [3].

Every step is a mean with weights that are 0 or more, joined with what was there before by a trust
of 0..1. So nothing blows up where hardly any weight arrives, and no value leaves the range of the
proposal and the hints. If the colors of hints change by at most d, no value changes by more than
3 d: by d in the first spreading, by 2 d in the second.

References:
    [1] E. S. L. Gastal, M. M. Oliveira: Domain transform for edge-aware image and video processing,
        ACM Trans. Graphics 30(4), 2011, section 5 (recursive filtering).
    [2] H. Knutsson, C.-F. Westin: Normalized and differential convolution, CVPR 1993.
    [3] S. L. Barnes: A technique for maximizing details in numerical weather map analysis,
        J. Applied Meteorology 3, 1964 (successive corrections).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tinct.resample import BLAS_ALONE, bicubic, quantiles, resample_rows

Floats = NDArray[np.float32]

TINY = np.float32(1e-12)  # a weight below this says nothing


@dataclass(frozen=True)
class Reach:
    """How far hints go.

    Lengths are shares of the picture's short side.

    Attributes:
        along: standard deviation of the filter inside a region without any edge.
        edge_lightness: change of L* that stops like a way of one short side.
        edge_chroma: the same for a* and b*, sizes added.
        alike_way: standard deviation over the distance for pixels that look alike.
        alike_lightness: the same over the difference of L*.
        alike_chroma: the same over the difference of proposed a* and b*; in the dark, where
            proposals are vague, differences count for less.
        alike: weight of pixels that look alike, in hinted areas of the same size.
        near: standard deviation of the second filter.
        doubt: weight after the first filter that is trusted by half; a hinted area as large as a
            square of the short side has the weight 1 in all.
        near_doubt: the same for the second.
        most: hinted areas, all together, count as no more than this.
    """

    along: float = 0.25
    edge_lightness: float = 30.0
    edge_chroma: float = 120.0
    alike_way: float = 0.3
    alike_lightness: float = 6.0
    alike_chroma: float = 6.0
    alike: float = 5.0
    near: float = 0.06
    doubt: float = 1.2e-4
    near_doubt: float = 1e-2
    most: float = 0.02


PHOTOGRAPH = Reach()
DRAWING = Reach(along=0.5, edge_lightness=10.0, edge_chroma=math.inf, alike=0.0, doubt=3e-5)
"""Paper is alike everywhere, and what is painted on it is vague: only lines end a color."""
ROUNDS = 3  # of the first filter [1]
NEAR_ROUNDS = 2
CELL = 1 / 24  # hinted pixels in a square of this side and of like lightness are told as one
LEVELS = 16.0  # L*
MOST_SEEDS = 96
BRIGHT = np.float32(50)  # L*; below, differences of proposed chroma count for less
VAGUE = 0.2  # at black: that share
WALL = np.float32(20)  # short sides: a way that nothing survives
FAINTEST = np.float32(-30)  # logarithm; floats much smaller are slow
SOFT = 2  # pixels: how wide the soft borders of lines are in a drawing
DARKER = np.float32(2)  # L*; less is the paper's own texture
SHADED = np.float32(0.5)  # of the differences of L* inside a region that is left of them
MOST_SHADED = 30.0  # L*
PAPER = 0.8  # of a drawing's brightest L*; what is at least as bright is no ink


def follow(
    lightness: Floats,
    proposal: Floats,
    planes: Floats,
    *,
    reach: Reach | None = None,
    regions: NDArray[np.int32] | None = None,
    shading: Floats | None = None,
) -> Floats:
    """Correct proposed colors by hints.

    At hinted pixels and their direct neighbors the result is what the hints say, so that it still
    is after a bicubic enlargement. Chroma is corrected at the size of ``lightness``, whose edges it
    then has; a painting at its own, because its lines are sharpened against a drawing of that size
    later (:mod:`tinct.coloring.painting`).

    Args:
        lightness: float32 (h, w), L* 0..100 of the picture.
        proposal: float32 (2, h / s, w / s) for a whole number s, a*, b* in Lab units; or (3, ...),
            L*, a*, b*, of a model that paints: then L* follows the hints as well, but ink never
            becomes lighter.
        planes: float32 (4, h, w) of :func:`tinct.hints.rasterize`, at least one pixel hinted.
        reach: how far hints go; None means ``DRAWING`` for painted proposals, else ``PHOTOGRAPH``.
        regions: labels of the size of ``proposal``; hints do not go from one to another, as if a
            line stood between them.
        shading: float32 of the size of ``proposal``, L* of a painting whose light and shade the
            hinted regions get; None flattens them.

    Returns:
        float32 (2, h, w) or (3, h / s, w / s).
    """
    painted = len(proposal) == 3
    if reach is None:
        reach = DRAWING if painted else PHOTOGRAPH
    if painted:
        lightness, planes = _shrink(lightness, planes, proposal.shape[1:])
    else:
        proposal = _enlarge(proposal, *lightness.shape)
    mask, told = planes[3], planes[3 - len(proposal) : 3]
    seen = lightness if painted else _blur(lightness)
    side = min(lightness.shape)
    share = np.float32(min(1.0, reach.most * side**2 / mask.sum()))
    carried = _weighted(told, mask * share)
    if shading is not None:
        carried = np.concatenate([(shading * mask * share)[None], carried])
    if reach.alike:
        carried += _tell_alike(seen, proposal, carried, reach)
    steps = _steps(seen, proposal[-2:], reach, regions)
    mean, trust = _spread(carried, steps, reach.along, ROUNDS, doubt=reach.doubt)
    if painted:
        for _ in range(SOFT):
            *values, trust = _lightest(np.concatenate([mean, trust[None]]), lightness)
            mean = np.stack(values)
    if shading is not None:
        base, mean = mean[0], mean[1:]
        mean[0] += SHADED * np.clip(shading - base, -MOST_SHADED, MOST_SHADED)
    result = (proposal + trust * (mean - proposal)).astype(np.float32)
    missing = _weighted(told - result, mask)
    mean, trust = _spread(missing, steps, reach.near, NEAR_ROUNDS, doubt=reach.near_doubt)
    result += trust * mean
    hinted = told[:, mask > 0]
    low = np.minimum(proposal.min((1, 2)), hinted.min(1))
    high = np.maximum(proposal.max((1, 2)), hinted.max(1))
    if shading is not None:
        low[0], high[0] = 0, 100
    result = np.clip(result, low[:, None, None], high[:, None, None])
    result = _pin(result, told, mask)
    if painted:
        raised = np.maximum(result[0] - proposal[0], 0) * (1 - _paper(lightness))
        result[0] = np.clip(result[0] - raised, 0, 100)
    return result


def _shrink(lightness: Floats, planes: Floats, shape: tuple[int, ...]) -> tuple[Floats, Floats]:
    """Average L* and what hints say over squares, to a size that divides theirs."""
    height, width = shape
    step = lightness.shape[0] // height
    assert lightness.shape == (height * step, width * step), (lightness.shape, shape)

    def mean(values: Floats) -> Floats:
        cut = values.reshape(*values.shape[:-2], height, step, width, step)
        small: Floats = cut.mean(axis=(-3, -1), dtype=np.float32)
        return small

    given = mean(planes * planes[3])
    given /= np.where(given[3] > 0, given[3], np.float32(1))
    return mean(lightness), given


def _enlarge(planes: Floats, height: int, width: int) -> Floats:
    """Resample planes (N, h, w) to another size by the bicubic filter."""
    if planes.shape[1:] == (height, width):
        return planes
    down, across = bicubic(height, planes.shape[1]), bicubic(width, planes.shape[2])
    return np.stack(
        [resample_rows(resample_rows(p, down, threads=1).T, across, threads=1).T for p in planes]
    )


def _blur(plane: Floats) -> Floats:
    """Average each pixel of (h, w) with its neighbors, weighted 1 2 1 along both axes."""
    height, width = plane.shape
    around = np.pad(plane, 1, mode="edge")
    rows = around[:height] + 2 * around[1 : height + 1] + around[2:]
    sums: Floats = rows[:, :width] + 2 * rows[:, 1 : width + 1] + rows[:, 2:]
    return sums / np.float32(16)


def _weighted(values: Floats, weight: Floats) -> Floats:
    """Return values (N, h, w) times their weight, and the weight: (N + 1, h, w)."""
    return np.concatenate([values * weight, weight[None]])


def _paper(lightness: Floats) -> Floats:
    """Return how much of a drawing's pixels is paper, 0 (ink) to 1."""
    white = max(quantiles(lightness, (0.9,))[0], 1.0)
    return np.asarray(np.minimum(lightness / (PAPER * white), 1), np.float32)


def _lightest(planes: Floats, lightness: Floats) -> Floats:
    """Give each pixel of (N, h, w) what the lightest pixel beside it has, if it is darker itself.

    So the soft borders of lines take the color of the paper that they lie on.
    """
    height, width = lightness.shape
    around = np.pad(
        np.concatenate([planes, lightness[None]]), ((0, 0), (1, 1), (1, 1)), mode="edge"
    )
    best, out = lightness + DARKER, planes
    for down in range(3):
        for right in range(3):
            there = around[:, down : down + height, right : right + width]
            lighter = there[-1] > best
            best = np.where(lighter, there[-1], best)
            out = np.where(lighter, there[:-1], out)
    return out


def _spread(
    carried: Floats, steps: tuple[Floats, Floats], deviation: float, rounds: int, *, doubt: float
) -> tuple[Floats, Floats]:
    """Return what arrives at every pixel: the mean (N, h, w), and the trust in it (h, w), 0..1.

    Args:
        carried: (N + 1, h, w), values times their weight, and the weight.
        steps: from :func:`_steps`.
        deviation: of the filter.
        rounds: of the filter.
        doubt: the weight that is trusted by half.
    """
    *values, weight = _filter(carried, steps, deviation, rounds)
    weight = np.maximum(weight, TINY)
    return np.stack(values) / weight, 1 / (1 + (np.float32(doubt) / weight) ** 2)


def _steps(
    lightness: Floats, chroma: Floats, reach: Reach, regions: NDArray[np.int32] | None
) -> tuple[Floats, Floats]:
    """Return the way from each pixel to the one below and to the one on its right.

    In short sides; (h - 1, w) and (w - 1, h), the second transposed.
    """
    side = np.float32(min(lightness.shape))

    def way(axis: int) -> Floats:
        light = np.abs(np.diff(lightness, axis=axis))
        color = np.abs(np.diff(chroma, axis=axis + 1)).sum(0)
        steps = (
            1 / side
            + light / np.float32(reach.edge_lightness)
            + color / np.float32(reach.edge_chroma)
        )
        if regions is not None:
            steps += WALL * (np.diff(regions, axis=axis) != 0)
        return np.asarray(steps)

    return way(0), np.ascontiguousarray(way(1).T)


def _filter(planes: Floats, steps: tuple[Floats, Floats], deviation: float, rounds: int) -> Floats:
    """Filter planes (N, h, w) along columns and rows, ``rounds`` times, ever finer [1]."""
    finest = deviation * np.sqrt(3) / np.sqrt(4**rounds - 1)
    # Each round's deviation is half that of the one before: its factors are the squares.
    keep = [np.exp(np.float32(-np.sqrt(2) / finest / 2 ** (rounds - 1)) * way) for way in steps]
    for _ in range(rounds):
        for axis in (0, 1):
            planes = _recur(planes.transpose(1, 0, 2), keep[axis])
            planes = planes.transpose(1, 2, 0)
            keep[axis] = keep[axis] ** 2
    return planes


def _recur(rows: Floats, keep: Floats) -> Floats:
    """Run the recursive filter down and up over the first axis of (n, N, m).

    Args:
        rows: the planes' rows.
        keep: (n - 1, m), how much of a row goes on to its neighbor, 0..1.
    """
    rows = np.array(rows, order="C")
    spare = np.empty_like(rows[0])
    down = list(zip(rows[:-1], rows[1:], keep, strict=True))
    up = [(after, before, factor) for before, after, factor in reversed(down)]
    for source, target, factor in down + up:
        np.subtract(source, target, out=spare)
        np.multiply(spare, factor, out=spare)
        np.add(target, spare, out=target)
    return rows


def _tell_alike(lightness: Floats, proposal: Floats, carried: Floats, reach: Reach) -> Floats:
    """Return what pixels are told because they look like hinted ones.

    Args:
        lightness: L* (h, w).
        proposal: (N, h, w), a*, b* last.
        carried: (N + 1, h, w), what hints say times its weight, and the weight.
        reach: how far hints go.

    Returns:
        (N + 1, h, w) of the same kind.
    """
    side = min(lightness.shape)
    down, right = (np.arange(count) / (side * reach.alike_way) for count in lightness.shape)
    a, b = proposal[-2:] * (np.clip(lightness / BRIGHT, VAGUE, 1) / np.float32(reach.alike_chroma))
    rows = (down[:, None], right, lightness / np.float32(reach.alike_lightness), a, b)
    looks = np.stack([np.broadcast_to(row, lightness.shape).reshape(-1) for row in rows])
    looks = looks.astype(np.float32)
    where = np.flatnonzero(carried[-1])
    told = carried.reshape(len(carried), -1)
    seed = _seeds(where, lightness)
    sums = np.stack([np.bincount(seed, row[where]) for row in told])
    center = np.stack([np.bincount(seed, row[where] * told[-1, where]) for row in looks]) / sums[-1]
    # |x - c|^2 / 2 = |x|^2 / 2 + |c|^2 / 2 - x c, as one product
    ones = np.ones(center.shape[1])
    left = np.stack([*center, -(center**2).sum(0) / 2, -ones]).astype(np.float32).T
    sums = (sums * (reach.alike / side**2)).astype(np.float32)
    out = np.empty_like(told)
    step = max(1, BLAS_ALONE // left.size)
    for start in range(0, lightness.size, step):
        seen = looks[:, start : start + step]
        seen = np.concatenate([seen, np.ones_like(seen[:1]), (seen**2).sum(0)[None] / 2])
        near = np.maximum(left @ seen, FAINTEST)
        np.matmul(sums, np.exp(near, out=near), out=out[:, start : start + step])
    return out.reshape(carried.shape)


def _seeds(where: NDArray[np.intp], lightness: Floats) -> NDArray[np.intp]:
    """Give hinted pixels numbers; those close together and of like lightness share one.

    Args:
        where: flat places of the hinted pixels.
        lightness: L* (h, w).

    Returns:
        Numbers from 0 to at most ``MOST_SEEDS`` - 1, one for each of ``where``.
    """
    row, column = np.divmod(where, lightness.shape[1])
    cell, level = max(1.0, CELL * min(lightness.shape)), LEVELS
    while True:
        key = np.stack([row // cell, column // cell, lightness.reshape(-1)[where] // level])
        _, seed = np.unique(key, axis=1, return_inverse=True)
        if seed.max() < MOST_SEEDS:
            return seed.reshape(-1)
        cell, level = cell * 1.5, level * 1.5


def _pin(result: Floats, told: Floats, mask: Floats) -> Floats:
    """Write what hints say onto hinted pixels and their direct neighbors."""
    around = np.pad(_weighted(told, mask), ((0, 0), (1, 1), (1, 1)))
    height, width = mask.shape
    rows = around[:, :height] + around[:, 1 : height + 1] + around[:, 2:]
    total = rows[..., :width] + rows[..., 1 : width + 1] + rows[..., 2:]
    near = np.where(mask > 0, told, total[:-1] / np.maximum(total[-1], 1))
    return np.where(total[-1] > 0, near, result)
