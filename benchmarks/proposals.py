"""Compare the sizes at which a model looks, and ways to reach a multiple, on color pictures.

``python -m benchmarks.proposals FOLDER [--model M] [--limit N] [--sizes 192,256,256+320+448]
[--edge auto]`` prints one JSON line for each variant; sizes joined by ``+`` are looked at in turn
and averaged. Variants differ in colorfulness, and error with it, so the error is also told where
colorfulness is the same, read from a parabola through three strengths.
"""

from __future__ import annotations

import argparse
import json
import sys

import numpy as np

from tinct import Colorizer, Settings
from tinct.coloring import chroma
from tinct.measure import evaluate
from tinct.measure.dataset import Pair, Rgb

EDGES: tuple[chroma.Edge, ...] = ("pad", "resize", "auto")
STRENGTHS = (0.8, 1.0, 1.25)
KEYS = ("ciede2000_of_gray", "psnr_over_gray", "colorfulness_share")


def main() -> int:
    """Measure every variant."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.proposals", description=__doc__)
    parser.add_argument("folder")
    parser.add_argument("--model", default="photo")
    parser.add_argument("--limit", type=int, default=150)
    parser.add_argument("--sizes", default="192,256,320", help="short sides, joined by + or apart")
    parser.add_argument("--edge", choices=EDGES, default="auto")
    parser.add_argument("--at", type=float, default=0.76, help="the colorfulness to compare at")
    chosen = parser.parse_args()
    colorizer = Colorizer(chosen.model)
    manifest = colorizer.bundle.manifest
    for name in chosen.sizes.split(","):
        first, *others = (int(side) for side in name.split("+"))
        manifest.sizes["best"] = first
        manifest.looks[:] = others
        rows = []
        for strength in STRENGTHS:

            def painter(pair: Pair, strength: float = strength) -> Rgb:
                found = colorizer.propose(pair.gray, quality="best", edge=chosen.edge)
                return colorizer.render(pair.gray, Settings(strength=strength), proposal=found)

            results = evaluate.score(
                chosen.folder, painter=painter, system=name, limit=chosen.limit
            )
            rows.append(results.to_json()["rows"]["ours"])
        error, _, share = ([row[key] for row in rows] for key in KEYS)
        plain = {key: round(rows[1][key], 4) for key in KEYS}
        alike = round(float(np.polyval(np.polyfit(share, error, 2), chosen.at)), 4)
        print(json.dumps({"variant": name, **plain, f"error at {chosen.at}": alike}))
        sys.stdout.flush()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
