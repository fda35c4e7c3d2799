"""The mean of several runs' weights, as a run of its own.

Runs that began with the same weights lie in one valley, and the mean of what they became is often
better than each [1]; so is the mean of a run and the one it went on from [2].

References:
    [1] M. Wortsman et al.: Model soups, ICML 2022.
    [2] M. Wortsman et al.: Robust fine-tuning of zero-shot models, CVPR 2022.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from tinct.errors import TrainingError, UsageError
from tinct.train.rundir import RunDir


def average(runs: Sequence[tuple[Path, float]], out: Path) -> Path:
    """Write the mean of runs' weights as a new run, to be exported or gone on from.

    Averaged weights are taken where a run keeps them. Recipe and course are those of the last run;
    what the runs were trained on is listed once.

    Args:
        runs: two or more folders, each with its share of the mean; shares are scaled to sum to 1.
        out: folder of the new run.

    Returns:
        The folder.

    Raises:
        UsageError: there are fewer than two runs, or the folder exists.
        TrainingError: a run has no checkpoint, or its network is another one.
    """
    if len(runs) < 2:
        raise UsageError("A mean needs two runs or more: tinct average RUN RUN -o RUN")
    if out.exists():
        raise UsageError(f"{str(out)!r} exists already; choose another folder.")
    whole = sum(share for _, share in runs)
    mean: dict[str, Tensor] = {}
    data: list[dict[str, Any]] = []
    seen = 0
    for path, share in runs:
        folder = RunDir(path)
        recipe, state = folder.recipe(), folder.load()
        weights = state["ema"] if recipe.optimizer.ema else state["module"]
        if mean:
            _check_alike(mean, weights, path, runs[0][0])
        for name, value in weights.items():
            if value.is_floating_point():
                part = value.double() * (share / whole)
                mean[name] = mean[name] + part if name in mean else part
            else:
                mean[name] = value
        data += [part for part in folder.data() if part not in data]
        seen += state["seen"]
    like = {k: v.to(weights[k].dtype) for k, v in mean.items()}
    made = RunDir(out)
    made.begin(recipe, data, resume=False)
    made.metrics.write_bytes(folder.metrics.read_bytes())
    made.save({**state, "module": like, "ema": like, "seen": seen})
    return out


def _check_alike(mean: dict[str, Tensor], weights: dict[str, Tensor], path: Path, to: Path) -> None:
    shapes, others = ({k: v.shape for k, v in held.items()} for held in (mean, weights))
    if shapes == others:
        return
    names = sorted(k for k in shapes | others if shapes.get(k) != others.get(k))
    raise TrainingError(
        f"{str(path)!r} is not the network that {str(to)!r} is: {names[0]} differs"
        + (f", and {len(names) - 1} more." if len(names) > 1 else ".")
    )
