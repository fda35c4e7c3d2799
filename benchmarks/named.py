"""Tell what several ImageNet classifiers make of a model's colors.

``python -m benchmarks.named FOLDER [--model photo] [--limit N]``; file names begin with ImageNet's
ids. ``tinct evaluate`` asks EfficientNet-Lite2. A model that stands on that network, or was trained
to please another one, is judged more fairly by the others. One line of JSON for each: the share of
its loss on gray pictures that color wins back (1: as much as true color), and in how many pictures
the true class comes first.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np

from tinct import Colorizer
from tinct.measure.dataset import list_pictures, open_pair
from tinct.train.learned_metrics import Classifier
from tinct.train.nets.backbones import CLASSIFIERS, classifier


def main() -> int:
    """Measure, and print a line for each classifier."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.named", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", default="photo")
    parser.add_argument("--limit", type=int)
    given = parser.parse_args()
    colorizer = Colorizer(given.model)
    judges = {name: Classifier(classifier(name)) for name in CLASSIFIERS}
    found: dict[str, list[dict[str, dict[str, float]]]] = {name: [] for name in judges}
    for path in list_pictures(given.folder, limit=given.limit):
        pair = open_pair(path)
        rows = {
            "gray": np.repeat(pair.gray[..., None], 3, axis=-1),
            "ours": colorizer.render(pair.gray),
            "truth": pair.truth,
        }
        for name, judge in judges.items():
            if told := judge(rows, name=path.name):
                found[name].append(told)
    for name, all_told in found.items():
        loss, top1 = (
            {row: float(np.mean([told[row][key] for told in all_told])) for row in all_told[0]}
            for key in ("classifier_loss", "classifier_top1")
        )
        share = (loss["gray"] - loss["ours"]) / (loss["gray"] - loss["truth"])
        line = {"classifier": name, "pictures": len(all_told), "share": round(share, 3)}
        line |= {"top1": {row: round(value, 3) for row, value in top1.items()}}
        sys.stdout.write(json.dumps(line) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
