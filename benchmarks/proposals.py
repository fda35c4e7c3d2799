"""Compare working sizes, ways to reach a multiple, and mirroring, on color pictures.

``python -m benchmarks.proposals FOLDER [--model M] [--limit N] [--quality Q]`` prints one JSON line
for each variant.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys

from tinct import Colorizer
from tinct.coloring import chroma
from tinct.measure import evaluate
from tinct.measure.dataset import Pair, Rgb
from tinct.settings import QUALITIES

KEYS = ("ciede2000_of_gray", "psnr_over_gray", "colorfulness_share")
EDGES: tuple[chroma.Edge, ...] = ("pad", "resize", "auto")


def main() -> int:
    """Measure every variant."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.proposals", description=__doc__)
    parser.add_argument("folder")
    parser.add_argument("--model", default="photo")
    parser.add_argument("--limit", type=int, default=150)
    parser.add_argument("--quality", choices=QUALITIES, help="only this one (default: all three)")
    chosen = parser.parse_args()
    colorizer = Colorizer(chosen.model)
    qualities = [chosen.quality] if chosen.quality else QUALITIES
    for quality, edge, mirror in itertools.product(qualities, EDGES, (False, True)):

        def painter(
            pair: Pair,
            quality: str = quality,
            edge: chroma.Edge = edge,
            mirror: bool = mirror,
        ) -> Rgb:
            found = colorizer.propose(pair.gray, quality=quality, edge=edge, mirror=mirror)
            return colorizer.render(pair.gray, proposal=found)

        name = f"{quality}, {edge}{', mirrored' if mirror else ''}"
        results = evaluate.score(chosen.folder, painter=painter, system=name, limit=chosen.limit)
        row = results.to_json()["rows"]["ours"]
        print(json.dumps({"variant": name, **{key: round(row[key], 4) for key in KEYS}}))
        sys.stdout.flush()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
