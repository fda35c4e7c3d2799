"""Tell photographs from line drawings by a few statistics of the gray picture.

A drawing is thin dark lines on light, even paper. So its tones are few, nearly all of it is paper
once the lines are closed, little of it is much darker than what surrounds it, and its tones lean to
the light side. Seven such figures are weighed by logistic regression; three of them rule out
drawings by themselves. Before, margins of one tone are cut off, so that a photograph on a page is
judged by itself, and where all that is not ink is one smooth tone, as paper is by lamplight or
under a telephone, that is leveled. How the weights were found and how often they are right is told
in docs/experiments.md.

Where the choice is close, a picture counts as a photograph: a model for photographs cannot damage
lightness.

White lines on black count as a photograph: models for line art expect dark lines, and a night sky
looks the same.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tinct.drawing.morphology import close_lines
from tinct.resample import quantiles

Kind = Literal["photo", "lineart"]
Floats = NDArray[np.float32]

PIXELS = 98_304  # of the picture that is looked at, at most: 384 x 256
SAMPLES = 4  # a side: what is averaged of each block of a large picture
TONES = 32
CLOSING = 20  # the radius that closes lines is this part of the short side
DEEP = 0.25  # darker than the paper by this share of its tone: ink
ALIKE = 0.12  # tones that differ by less are of the same paper
LEAST_INK = 5e-4  # share of the picture; with less nothing is drawn
LEAST_PAPER = 0.5  # darker is no paper
MOST_SKEWNESS = -0.2  # tones that lean to the dark side, or to none
CLOSE = 0.6  # less likely drawings are left to the model for photographs
INSIDE = 0.1  # what is a drawing with its margins must be this likely one without

MARGIN = 0.06  # what differs by less from the tone of the border belongs to the margin
CONTENT = 0.01  # share of a row or column that differs where the picture begins
LEAST_SIDE = 48  # pixels of the small picture that are left without margins, at least

LIGHT = 0.6  # the lightest of paper, at least
UNEVEN = 0.9  # darkest over lightest paper, at most: more even paper is not leveled
SMOOTH = 0.97  # share of the paper that the smooth tone must explain
LEVELED = 0.97  # tone of leveled paper


@dataclass(frozen=True)
class Figures:
    """What is measured, on sRGB-encoded gray 0..1.

    Attributes:
        entropy: of the tones, in bits.
        paper: median tone after the lines are closed.
        ink: share of pixels clearly darker than the paper around them.
        skewness: of the tones; negative when most are light and few are dark.
        even: share of the closed picture whose tone is nearly the lightest.
        calm: first quartile of the differences between neighbors: noise.
        edges: their 95th percentile: lines.
    """

    entropy: float
    paper: float
    ink: float
    skewness: float
    even: float
    calm: float
    edges: float


WEIGHTS = Figures(
    entropy=-2.879,
    paper=-4.092,
    ink=-9.994,
    skewness=-0.910,
    even=5.035,
    calm=43.157,
    edges=12.001,
)
START = 4.347


@dataclass(frozen=True)
class Verdict:
    """What a picture is taken for.

    Attributes:
        kind: ``photo`` or ``lineart``.
        confidence: 0.5 (as good as a guess) to 1.
        close: whether it could as well be the other kind; then it counts as a photograph.
    """

    kind: Kind
    confidence: float
    close: bool = False


def tell_kind(gray: NDArray[Any]) -> Verdict:
    """Tell whether a picture is a photograph or a line drawing.

    Args:
        gray: uint8 or uint16 (H, W), sRGB-encoded.
    """
    plane = reduce(gray)
    likely = _likely(leveled(plane))
    if likely > 1 - CLOSE:
        part = without_margins(plane)
        if part.shape != plane.shape and _likely(leveled(part)) < INSIDE:
            return Verdict("photo", likely)  # one on a page
    if likely > CLOSE:
        return Verdict("lineart", likely)
    return Verdict("photo", max(likely, 1 - likely), close=likely > 1 - CLOSE)


def _likely(plane: Floats) -> float:
    """Return how likely a small picture is a drawing, 0..1."""
    found = measure(plane)
    if found.ink < LEAST_INK or found.paper < LEAST_PAPER or found.skewness > MOST_SKEWNESS:
        return 0.0
    score = START + sum(getattr(WEIGHTS, name) * value for name, value in vars(found).items())
    return 1 / (1 + math.exp(-min(max(score, -30.0), 30.0)))


def without_margins(plane: Floats) -> Floats:
    """Cut margins of one tone off: a scanner's lid, an album's page, the desk below.

    Args:
        plane: float32 (H, W), 0..1.

    Returns:
        The part between the first and the last rows and columns that differ from the border; all of
        it where there is no such margin, or little between.
    """
    border = np.concatenate([plane[0], plane[-1], plane[:, 0], plane[:, -1]])
    other = np.abs(plane - quantiles(border, (0.5,))[0]) > MARGIN
    rows = np.flatnonzero(other.mean(axis=1) > CONTENT)
    columns = np.flatnonzero(other.mean(axis=0) > CONTENT)
    if not rows.size or not columns.size:
        return plane
    part = plane[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    kept: Floats = part if min(part.shape) >= min(LEAST_SIDE, *plane.shape) else plane
    return kept


def leveled(plane: Floats) -> Floats:
    """Even out light that falls unevenly on paper; anything else stays as it is.

    The tone of the paper (lines closed) is described by a quadratic surface, dark places counting
    little. Where it is uneven, and describes nearly all of the picture, it is divided out.

    Args:
        plane: float32 (H, W), 0..1.
    """
    height, width = plane.shape
    if min(height, width) < 3:
        return plane
    closed = close_lines(plane, max(2, round(min(height, width) / CLOSING)))
    y, x = np.meshgrid(np.linspace(-1, 1, height), np.linspace(-1, 1, width), indexing="ij")
    terms = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=-1).reshape(-1, 6)
    some, tones = terms[::7], closed.reshape(-1)[::7].astype(np.float64)
    weights = np.ones_like(tones)
    for _ in range(4):
        factors = np.linalg.lstsq(some * weights[:, None], tones * weights, rcond=None)[0]
        weights = np.where(tones - some @ factors < -0.05, 0.05, 1.0)
    surface = (terms @ factors).reshape(height, width)
    low, high = float(surface.min()), float(surface.max())
    if low < 0.1 or high < LIGHT or low > UNEVEN * high:
        return plane
    if float((closed > (1 - ALIKE) * surface).mean()) < SMOOTH:
        return plane
    even = plane / surface
    lifted: Floats = np.clip(even * (LEVELED / quantiles(even, (0.95,))[0]), 0, 1).astype(
        np.float32
    )
    return lifted


def reduce(gray: NDArray[Any]) -> Floats:
    """Make a picture small: at most PIXELS, each the mean of a few samples of a square block.

    Args:
        gray: uint8 or uint16 (H, W).

    Returns:
        float32 (h, w), 0..1.
    """
    height, width = gray.shape
    factor = min(math.ceil(math.sqrt(height * width / PIXELS)), height, width)
    rows, columns = height // factor, width // factor
    blocks = gray[: rows * factor, : columns * factor].reshape(rows, factor, columns, factor)
    picks = range(0, factor, max(1, factor // SAMPLES))
    total = np.zeros((rows, columns), np.float32)
    for row in picks:
        for column in picks:
            total += blocks[:, row, :, column]
    total /= np.float32(len(picks) ** 2 * np.iinfo(gray.dtype).max)
    return total


def measure(plane: Floats) -> Figures:
    """Return the figures of a small picture.

    Args:
        plane: float32 (H, W), 0..1.
    """
    radius = max(2, round(min(plane.shape) / CLOSING))
    closed = close_lines(plane, radius)
    paper, lightest = quantiles(closed[::2, ::2], (0.5, 0.95))  # every second pixel is enough
    tones = np.bincount((plane * (TONES - 0.001)).astype(np.intp).ravel(), minlength=TONES)
    shares = tones[tones > 0] / plane.size
    apart = plane - plane.mean()
    across = np.abs(np.diff(plane, axis=1))[: max(1, plane.shape[0] - 1)]
    down = np.abs(np.diff(plane, axis=0))[:, : max(1, plane.shape[1] - 1)]
    steps = across + down if across.shape == down.shape else np.zeros(1, np.float32)
    calm, edges = quantiles(steps[..., ::2], (0.25, 0.95))
    return Figures(
        entropy=float(-(shares * np.log2(shares)).sum()),
        paper=float(paper),
        ink=float((closed - plane > DEEP * paper).mean()),
        skewness=float((apart**3).mean() / (apart.std() + 1e-3) ** 3),
        even=float((closed > lightest - ALIKE).mean()),
        calm=float(calm),
        edges=float(edges),
    )
