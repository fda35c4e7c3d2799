"""Measure whether a hint fills the region that it stands in, and whether it leaves it.

``python -m benchmarks.leak FOLDER [--model NAME] [--limit N] [--scale N]`` prints a line of JSON.
The folder is one that ``tinct evaluate`` takes for line art: ``color/`` and perhaps ``sketch/``.

The regions are those of the true picture: connected pixels of about one color, if lines were drawn
around them (a shadow without a line ends nowhere). In the middle of each of the largest few a hint
of a strong color is given, alone. *Leak*: the share of the pixels outside, away from the region's
border, that it changes by more than 5 CIEDE2000. *Fill*: the share of the pixels inside, away from
the border, whose a*, b* it moves by at least half of the way to its own. Each for the drawing as it
is, for one with gaps in its lines, and for one with faint lines.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import skimage.color
import skimage.filters
import skimage.measure
import skimage.morphology
from numpy.typing import NDArray
from PIL import Image

from benchmarks.lines import opened, parser_for
from tinct import color
from tinct.colorizer import Colorizer
from tinct.drawing.flats import lines_of
from tinct.hints import Point

Mask = NDArray[np.bool_]

# scikit-image is partly typed.
colors: Any = skimage.color
filters: Any = skimage.filters
measure: Any = skimage.measure
shapes: Any = skimage.morphology

COLORS = ((60, 60, 40), (60, -45, 35), (55, 10, -50), (75, -5, 60))  # Lab
ONE = 4.0  # Lab units; neighbors that differ by more belong to two regions
SMALLEST, LARGEST = 0.01, 0.5  # of the picture
REGIONS = 4  # of a picture at most
DRAWN = 0.7  # share of a region's border, that of the picture apart, that has a line beside it
BORDER = 2  # pixels at 192
CHANGED = 5.0  # CIEDE2000
FAINT = 0.3  # share of the ink that is left
GAPS = (1.0, 1.4)  # at 192, pixels: how smooth; deviations of noise above which ink is missing


def main() -> int:
    """Measure one model."""
    parser = parser_for("leak", __doc__)
    parser.add_argument("--scale", type=int, default=1, help="enlarge the pictures so many times")
    given = parser.parse_args()
    colorizer, source = opened(given)
    found: dict[str, list[float]] = {}
    for path in source.files:
        pair = source.open(path)
        regions = enclosed(flat_regions(pair.truth), pair.gray)
        if not regions:
            continue
        for name, drawing in _kinds(pair.gray).items():
            for leak, fill in _measured(colorizer, drawing, regions, scale=given.scale):
                found.setdefault(f"leak, {name}", []).append(leak)
                found.setdefault(f"fill, {name}", []).append(fill)
    figures = {name: round(float(np.mean(values)), 4) for name, values in found.items()}
    hints = len(found.get("leak, drawn", []))
    print(json.dumps({"model": colorizer.name, "hints": hints, "scale": given.scale, **figures}))
    return 0


def flat_regions(rgb: NDArray[np.uint8]) -> list[Mask]:
    """Return the largest regions of one color of a true picture, masks (H, W).

    Args:
        rgb: uint8 (H, W, 3).
    """
    lab = color.rgb_to_lab(rgb / 255.0)
    edge = np.zeros(rgb.shape[:2], np.bool_)
    for axis in (0, 1):
        step = np.linalg.norm(np.diff(lab, axis=axis), axis=-1) > ONE
        edge |= np.pad(step, [(0, 1), (0, 0)] if axis == 0 else [(0, 0), (0, 1)])
    named = measure.label(~edge, connectivity=1)
    sizes = np.bincount(named.ravel())
    sizes[0] = 0
    largest = np.argsort(-sizes)[: 4 * REGIONS]
    kept = [n for n in largest if SMALLEST <= sizes[n] / edge.size <= LARGEST]
    return [named == n for n in kept]


def enclosed(regions: list[Mask], gray: NDArray[np.uint8]) -> list[Mask]:
    """Return those of the regions, the largest few, that a drawing has lines around."""
    near = shapes.dilation(lines_of(gray), shapes.disk(BORDER))
    kept = []
    for region in regions:
        border = shapes.dilation(region, shapes.disk(1)) & ~region
        if near[border].mean() >= DRAWN:
            kept.append(region)
    return kept[:REGIONS]


def middle_of(region: Mask) -> tuple[float, float]:
    """Return the place x, y (shares of the sides) deepest inside a region."""
    inside, deepest = region, region
    while inside.any():
        inside, deepest = shapes.erosion(np.pad(inside, 1), shapes.disk(1))[1:-1, 1:-1], inside
    rows, columns = np.nonzero(deepest)
    pick = len(rows) // 2
    return (columns[pick] + 0.5) / region.shape[1], (rows[pick] + 0.5) / region.shape[0]


def _kinds(gray: NDArray[np.uint8]) -> dict[str, NDArray[np.uint8]]:
    """Return a drawing as it is, with gaps, and faint."""
    ink = 255.0 - gray
    smooth, above = GAPS
    noise = filters.gaussian(np.random.default_rng(0).standard_normal(gray.shape), smooth)
    broken = np.where(noise > above * noise.std(), 0, ink)
    return {
        "drawn": gray,
        "broken": np.rint(255 - broken).astype(np.uint8),
        "faint": np.rint(255 - FAINT * ink).astype(np.uint8),
    }


def _measured(
    colorizer: Colorizer, gray: NDArray[np.uint8], regions: list[Mask], *, scale: int
) -> list[tuple[float, float]]:
    """Return leak and fill of a hint in each region."""
    if scale > 1:
        size = (gray.shape[1] * scale, gray.shape[0] * scale)
        gray = np.asarray(Image.fromarray(gray).resize(size, Image.Resampling.BICUBIC))
        regions = [region.repeat(scale, 0).repeat(scale, 1) for region in regions]
    before = _lab(colorizer, gray, ())
    figures = []
    for number, region in enumerate(regions):
        hint = COLORS[number % len(COLORS)]
        x, y = middle_of(region[::scale, ::scale])
        after = _lab(colorizer, gray, (Point(x=x, y=y, color=hint),))
        border = shapes.disk(BORDER * scale)
        outside, inside = ~shapes.dilation(region, border), shapes.erosion(region, border)
        changed = colors.deltaE_ciede2000(before, after) > CHANGED
        way = np.asarray(hint[1:]) - before[..., 1:]
        moved = ((after - before)[..., 1:] * way).sum(-1) / np.square(way).sum(-1).clip(1)
        if inside.any() and outside.any():
            figures.append((float(changed[outside].mean()), float((moved[inside] >= 0.5).mean())))
    return figures


def _lab(colorizer: Colorizer, gray: NDArray[np.uint8], hints: tuple[Point, ...]) -> NDArray[Any]:
    colored = np.asarray(colorizer(gray, hints=hints))
    return np.asarray(color.rgb_to_lab(colored / 255.0))


if __name__ == "__main__":
    raise SystemExit(main())
