"""Choose how the flagship's two heads become one color, by measuring on held-out pictures.

``python -m tinct.train.calibrate RUN --data FOLDER`` prints a table over calm, temperature, the
bins' share, the gain and the contrast of chroma: CIEDE2000 as a share of the input's (gray, or an
uncolored drawing), colorfulness as a share of the truth's, on the validation split of the folders.
The chosen values go into ``tinct export RUN --set``.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

from tinct.measure.metrics import ciede2000, colorfulness
from tinct.train.data.batches import Pictures, to_batch
from tinct.train.export import load_net
from tinct.train.rundir import lab_to_pixels

CALMS = (0.0, 0.5, 1.0)
TEMPERATURES = (0.15, 0.3, 0.45, 0.7)
SHARES = (0.0, 0.5, 0.75, 1.0)
GAINS = (1.0, 1.2)
CONTRASTS = (0.0, 0.5, 1.0)


def calibrate(
    run: Path, data: list[str], *, size: int, limit: int, batch: int = 16
) -> list[dict[str, float]]:
    """Measure every combination of temperature, share, gain and contrast.

    Args:
        run: a run of the flagship.
        data: folders; only their validation split is looked at.
        size: side of the square pictures in pixels.
        limit: how many pictures at most.
        batch: pictures at a time.

    Returns:
        One row per combination, sorted by error: ``calm``, ``temperature``, ``share``, ``gain``,
        ``contrast``, ``error`` (CIEDE2000 as a share of the input's), ``colorfulness`` (of the
        truth's).

    Raises:
        TrainingError: there is no run, or a folder is missing.
    """
    recipe, found_net = load_net(run, {"calm": "0"})
    net: Any = found_net
    calmed: Any = load_net(run, {"calm": "1"})[1]
    change = (calmed.to_bins.bias - net.to_bins.bias).detach()[:, None, None]
    pictures = Pictures(data, recipe=recipe.data, seed=recipe.seed)
    contrasts = CONTRASTS if net.predicts == "ab" else CONTRASTS[:1]
    combinations = list(itertools.product(CALMS, TEMPERATURES, SHARES, GAINS, contrasts))
    errors = dict.fromkeys(combinations, 0.0)
    colors = dict.fromkeys(combinations, 0.0)
    blank = truth_color = 0.0
    for raw in pictures.held_batches(size=size, count=batch, limit=limit):
        part = to_batch(raw, device=torch.device("cpu"), task=recipe.task)
        count = len(part.input_lightness)
        with torch.no_grad():
            regressed, plain = net.heads(part.input_lightness, part.hint)
        # The size at which color is predicted; errors there are what can be calibrated.
        step = size // regressed.shape[2]
        truth = F.avg_pool2d(torch.cat([part.lightness, part.ab], dim=1), step)
        true_lab = np.moveaxis(truth.numpy(), 1, -1)
        given = F.avg_pool2d(
            torch.cat([part.input_lightness, torch.zeros_like(part.ab)], dim=1), step
        )
        blank += float(ciede2000(np.moveaxis(given.numpy(), 1, -1), true_lab).mean()) * count
        truth_color += sum(colorfulness(p) for p in lab_to_pixels(truth))
        for key in combinations:
            calm, temperature, share, gain, contrast = key
            if share == 0 and (calm, temperature) != (CALMS[0], TEMPERATURES[0]):
                continue
            bins = plain + calm * change
            with torch.no_grad():
                found = net.joined(regressed, bins, temperature=temperature, share=share, gain=gain)
                if net.predicts == "ab":
                    found = net.finished(found, bins, part.input_lightness, contrast)
            lab = torch.cat([truth[:, :1], found], dim=1) if net.predicts == "ab" else found
            error = ciede2000(np.moveaxis(lab.numpy(), 1, -1), true_lab)
            errors[key] += float(error.mean()) * count
            colors[key] += sum(colorfulness(p) for p in lab_to_pixels(lab))
    rows = [
        {
            "calm": key[0],
            "temperature": key[1],
            "share": key[2],
            "gain": key[3],
            "contrast": key[4],
            "error": errors[key] / blank,
            "colorfulness": colors[key] / truth_color,
        }
        for key in combinations
        if errors[key]
    ]
    return sorted(rows, key=lambda row: row["error"])


def main(argv: list[str] | None = None) -> int:
    """Print the table as JSON lines, best error first."""
    parser = argparse.ArgumentParser(prog="python -m tinct.train.calibrate", description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("--data", action="append", required=True, metavar="FOLDER")
    parser.add_argument("--size", type=int, default=192)
    parser.add_argument("--limit", type=int, default=200)
    chosen = parser.parse_args(argv)
    for row in calibrate(chosen.run, chosen.data, size=chosen.size, limit=chosen.limit):
        sys.stdout.write(json.dumps({key: round(value, 4) for key, value in row.items()}) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
