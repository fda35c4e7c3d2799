"""Measure whether a model's doubt is worth its numbers.

``python -m benchmarks.doubt FOLDER [--model photo] [--limit N]`` fits a temperature on every other
picture (Guo et al., On Calibration of Modern Neural Networks, 2017) and tells, on the others, the
negative log-likelihood of the true color's bin and the expected calibration error of the likeliest
bin, before and after; then how much variants gain: the CIEDE2000 of the first picture, of the best
of it and its variants, and how far they lie apart where they differ.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinct import Colorizer, Proposal
from tinct.color import rgb_to_lab
from tinct.coloring.suggest import probabilities
from tinct.measure import metrics
from tinct.measure.dataset import Pair, list_pictures, open_pair

TEMPERATURES = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.35, 1.5, 1.75, 2.0, 2.5, 3.0)
GROUPS = 15
DIFFERENT = 2.0  # Lab units


def true_bins(pair: Pair, proposal: Proposal) -> NDArray[np.int64]:
    """Return the number of the bin that the truth is in, (h, w) on the bins' grid."""
    assert proposal.bins is not None
    rows, columns = (
        max(1, round(side * cover))
        for side, cover in zip(proposal.bins.shape[1:], proposal.cover, strict=True)
    )
    lab = rgb_to_lab(pair.truth / 255.0)
    tall, wide = lab.shape[:2]
    down = np.minimum(((np.arange(rows) + 0.5) * tall / rows).astype(int), tall - 1)
    across = np.minimum(((np.arange(columns) + 0.5) * wide / columns).astype(int), wide - 1)
    centers = np.asarray(proposal.bundle.manifest.ab_bins)
    apart = np.linalg.norm(lab[down][:, across, None, 1:] - centers, axis=-1)
    return np.asarray(apart.argmin(axis=-1))


def figures(held: list[tuple[Any, Any]], temperature: float) -> dict[str, float]:
    """Return NLL and calibration error over all places of all pictures."""
    right, sure, loss = [], [], []
    for bins, truth in held:
        rows, columns = truth.shape
        chances = probabilities(bins, temperature=temperature)[:, :rows, :columns]
        loss.append(-np.log(np.take_along_axis(chances, truth[None], 0) + 1e-9).mean())
        sure.append(chances.max(axis=0).ravel())
        right.append((chances.argmax(axis=0) == truth).ravel())
    confidence, hit = np.concatenate(sure), np.concatenate(right)
    group = np.minimum((confidence * GROUPS).astype(int), GROUPS - 1)
    error = sum(
        abs(confidence[group == n].mean() - hit[group == n].mean()) * (group == n).mean()
        for n in range(GROUPS)
        if (group == n).any()
    )
    return {"nll": float(np.mean(loss)), "calibration_error": float(error)}


def variants(colorizer: Colorizer, pair: Pair, proposal: Proposal) -> dict[str, float]:
    """Return what variants gain on one picture."""
    made = [proposal, *colorizer.vary(proposal, count=3)]
    pictures = [colorizer.render(pair.gray, proposal=one) for one in made]
    errors = [metrics.compare(rgb, pair.truth).ciede2000 for rgb in pictures]
    lab = [rgb_to_lab(rgb / 255.0)[..., 1:] for rgb in pictures]
    apart = [np.linalg.norm(a - b, axis=-1) for a, b in itertools.combinations(lab, 2)]
    found = {"first": errors[0], "best": min(errors)}
    if apart and (varied := np.maximum.reduce(apart) > DIFFERENT).any():
        found["apart"] = float(np.mean([one[varied].mean() for one in apart]))
    return found


def main() -> int:
    """Measure, and print a line of JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.doubt", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", default="photo")
    parser.add_argument("--limit", type=int)
    given = parser.parse_args()
    colorizer = Colorizer(given.model)
    held, gains = [], []
    for path in list_pictures(given.folder, limit=given.limit):
        pair = open_pair(path)
        proposal = colorizer.propose(pair.gray, bins=True)
        held.append((proposal.bins, true_bins(pair, proposal)))
        gains.append(variants(colorizer, pair, proposal))
    fitted = min(TEMPERATURES, key=lambda t: figures(held[::2], t)["nll"])
    told = {
        "model": colorizer.name,
        "pictures": len(held),
        "temperature": fitted,
        "as_given": figures(held[1::2], 1.0),
        "calibrated": figures(held[1::2], fitted),
        "variants": {
            key: float(np.mean([one[key] for one in gains if key in one]))
            for key in ("first", "best", "apart")
        },
    }
    sys.stdout.write(json.dumps(told) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
