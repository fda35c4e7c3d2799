"""Measure what drawings should keep: crisp lines, and colors that stay within them.

``python -m benchmarks.lines FOLDER [--model NAME] [--limit N] [--hints N]`` prints a line of JSON.
The folder is one that ``tinct evaluate`` takes for line art: ``color/`` and perhaps ``sketch/``.

*Line F1*: pixels much darker than what surrounds them, in the drawing and in the colored picture,
that have their like in the other within one pixel; 1 is best. *Chroma step*: mean difference of a*,
b* between neighbors inside a region that lines enclose, away from the lines; 0 is flat. The same
figures of the true picture stand beside.
"""

from __future__ import annotations

import argparse
import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinct import color
from tinct.bundle import find_bundle
from tinct.colorizer import Colorizer
from tinct.drawing.flats import INK, find_regions, near_lines
from tinct.drawing.morphology import close_lines, extreme
from tinct.measure.dataset import Dataset, gray_of, random_hints
from tinct.measure.drawings import find_drawings
from tinct.train.data.lineart import standard_drawer

Mask = NDArray[np.bool_]
REACH = 1  # pixels that a line may be off
AROUND = 40  # the radius that closes lines is this part of the short side


def main() -> int:
    """Measure one model."""
    parser = parser_for("lines", __doc__)
    parser.add_argument("--hints", type=int, default=0, help="random true points per picture")
    given = parser.parse_args()
    colorizer, source = opened(given)
    found: dict[str, list[float]] = {}
    for path in source.files:
        pair = source.open(path)
        hints = random_hints(pair, count=given.hints, seed=0)
        ours = np.asarray(colorizer(pair.gray, hints=hints))
        lines, regions = thin_dark(pair.gray), find_regions(pair.gray)
        inside = ~near_lines(pair.gray)
        for name, picture in (("ours", ours), ("truth", pair.truth)):
            score = line_f1(lines, thin_dark(gray_of(picture)))
            found.setdefault(f"line F1, {name}", []).append(score)
            step = chroma_step(picture, regions, inside)
            found.setdefault(f"chroma step, {name}", []).append(step)
    figures = {name: round(float(np.nanmean(values)), 3) for name, values in found.items()}
    print(json.dumps({"model": colorizer.name, "pictures": len(source.files), **figures}))
    return 0


def parser_for(name: str, about: str | None) -> argparse.ArgumentParser:
    """Return what reads the words that benchmarks of drawings share."""
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks.{name}", description=about)
    parser.add_argument("folder")
    parser.add_argument("--model", default="lineart")
    parser.add_argument("--limit", type=int, help="only so many pictures, evenly spaced")
    return parser


def opened(given: argparse.Namespace) -> tuple[Colorizer, Dataset]:
    """Return the model and the drawings that were asked for."""
    colorizer = Colorizer(find_bundle(given.model).path)
    return colorizer, find_drawings(given.folder, limit=given.limit, draw=standard_drawer)


def thin_dark(gray: NDArray[Any]) -> Mask:
    """Return what is thin and clearly darker than its surroundings.

    Args:
        gray: uint8 or uint16 (H, W).
    """
    closed = close_lines(gray, max(2, round(min(gray.shape) / AROUND)))
    thin: Mask = gray < closed * (1 - INK)
    return thin


def line_f1(one: Mask, two: Mask) -> float:
    """Return the harmonic mean of the shares of each that lie within a pixel of the other.

    Two drawings without lines agree.
    """
    if not one.any() and not two.any():
        return 1.0
    shares = []
    for mine, other in ((one, two), (two, one)):
        near = extreme(other.astype(np.uint8), REACH, np.maximum) > 0
        shares.append(float((mine & near).sum()) / max(1, int(mine.sum())))
    return 2 * shares[0] * shares[1] / max(sum(shares), 1e-9)


def chroma_step(rgb: NDArray[Any], regions: NDArray[np.int32], inside: Mask) -> float:
    """Return the mean distance of a*, b* between neighbors of one region, in Lab units.

    Args:
        rgb: uint8 (H, W, 3).
        regions: labels (H, W).
        inside: where to look.
    """
    ab = np.asarray(color.rgb_to_lab(rgb / 255.0))[..., 1:]
    total = count = 0.0
    for here, there in (
        ((slice(1, None), slice(None)), (slice(None, -1), slice(None))),
        ((slice(None), slice(1, None)), (slice(None), slice(None, -1))),
    ):
        same = (regions[here] == regions[there]) & inside[here] & inside[there]
        total += float(np.linalg.norm(ab[here] - ab[there], axis=-1)[same].sum())
        count += int(same.sum())
    return total / count if count else float("nan")


if __name__ == "__main__":
    raise SystemExit(main())
