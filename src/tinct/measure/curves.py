"""The course of a training run: read, made small enough to lie beside a bundle, drawn.

A run keeps every figure in ``metrics.jsonl``. A bundle may carry ``curves.json``, the same with at
most :data:`POINTS` points to a figure::

    {"schema": "tinct.curves/1",
     "stages": [0, 57600],                              pictures seen where each stage begins
     "series": {"net.ab": [[1600, 0.41], ...], ...}}    [pictures seen, value], in order

Names are those of the run: ``PLAYER.TERM`` for what a player minimizes, ``train.NAME`` and
``val.NAME`` for what was watched on training and on validation pictures.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tinct.errors import TrainingError

SCHEMA = "tinct.curves/1"
CURVES, METRICS = "curves.json", "metrics.jsonl"
POINTS = 200
DIGITS = 5
NOT_DRAWN = ("lr", "pictures_per_s", "gradient")  # last parts of names
ACROSS = 3  # panels in a row
LINEAR = 0.01  # magnitude below which a panel with negative values is linear
ERROR, CHROMA = "error", "chroma"

Points = Sequence[Sequence[float]]
Curves = Mapping[str, Any]


def thin_curves(metrics: Path) -> dict[str, Any]:
    """Make a run's ``metrics.jsonl`` small: neighbors are averaged.

    Args:
        metrics: the file.

    Returns:
        Plain values for ``curves.json``; see above.

    Raises:
        TrainingError: the file cannot be read.
    """
    try:
        rows = [json.loads(line) for line in metrics.read_text("utf-8").splitlines() if line]
    except (OSError, ValueError) as error:
        raise TrainingError(f"{metrics} cannot be read ({error}); copy it again.") from error
    series: dict[str, list[list[float]]] = {}
    stages: dict[int, float] = {}
    seen = 0.0
    for row in rows:
        if row["stage"] not in stages:
            stages[row["stage"]] = seen
        seen = row["seen"]
        for name, value in row.items():
            if name in ("step", "stage", "seen") or name.rpartition(".")[2] in NOT_DRAWN:
                continue
            if isinstance(value, int | float) and math.isfinite(value):
                series.setdefault(name, []).append([seen, value])
    thinned = {name: _thinned(points) for name, points in series.items()}
    return {"schema": SCHEMA, "stages": list(stages.values()), "series": thinned}


def _thinned(points: Points) -> list[list[float]]:
    """Average groups of neighbors so that at most :data:`POINTS` are left."""
    size = math.ceil(len(points) / POINTS)
    groups = [points[start : start + size] for start in range(0, len(points), size)]
    means = [
        [math.fsum(part) / len(group) for part in zip(*group, strict=True)] for group in groups
    ]
    return [[round(seen), float(f"{value:.{DIGITS}g}")] for seen, value in means]


def read_curves(folder: Path) -> dict[str, Any] | None:
    """Return the course of the run in a folder, a run's or a bundle's; None if it is not told.

    Raises:
        TrainingError: the file is there and cannot be read.
    """
    if (folder / METRICS).is_file():
        return thin_curves(folder / METRICS)
    held = folder / CURVES
    if not held.is_file():
        return None
    try:
        curves: dict[str, Any] = json.loads(held.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise TrainingError(f"{held} cannot be read ({error}); export the run again.") from error
    if not isinstance(curves, dict) or curves.get("schema") != SCHEMA:
        raise TrainingError(f"{held} is not of the schema {SCHEMA!r}; export the run again.")
    return curves


def panels(curves: Curves) -> dict[str, dict[str, Points]]:
    """Sort the series into what is drawn together: title to name to points."""
    drawn: dict[str, dict[str, Points]] = {}
    for name, points in curves["series"].items():
        head, _, last = name.rpartition(".")
        if head not in ("train", "val"):
            title = "loss terms"
        elif last.endswith("accuracy"):
            title = "accuracy"
        elif last in ("d_loss", "g_loss"):
            title = "D and G loss"
        elif last in (ERROR, CHROMA):
            title = "on validation pictures"
        else:
            title = "train and validation"
        drawn.setdefault(title, {})[name] = points
    return {title: drawn[title] for title in sorted(drawn)}


def draw_curves(curves: Curves, *, title: str) -> Any:
    """Draw the course of a run.

    Args:
        curves: from :func:`read_curves`.
        title: above the drawing.

    Returns:
        A ``matplotlib.figure.Figure``, a panel for each of :func:`panels`. A figure on training
        pictures and the same on validation pictures share a color, the second is dashed; the
        beginning of a stage is a thin line.
    """
    from matplotlib.figure import Figure  # noqa: PLC0415

    parts = panels(curves)
    across = min(ACROSS, max(1, len(parts)))
    down = max(1, -(-len(parts) // across))
    figure = Figure(figsize=(3.5 * across, 2.6 * down + 0.3), layout="constrained")
    figure.suptitle(title, fontsize=10)
    for number, (heading, series) in enumerate(parts.items(), start=1):
        axes = figure.add_subplot(down, across, number)
        colors: dict[str, str] = {}
        for name, points in series.items():
            watched = heading != "loss terms"
            shade = name.rpartition(".")[2] if watched else name
            seen, values = zip(*points, strict=True)
            axes.plot(
                seen,
                values,
                "--" if name.startswith("val.") else "-",
                color=colors.setdefault(shade, f"C{len(colors) % 10}"),
                label=name,
                linewidth=1.2,
                marker="." if len(points) < 3 else "",  # so that a single point is seen
            )
        if heading in ("loss terms", "train and validation"):
            _spread(axes, [value for points in series.values() for _, value in points])
        for start in curves["stages"][1:]:
            axes.axvline(start, color="0.7", linewidth=0.6)
        axes.set_title(heading, fontsize=9)
        axes.set_xlabel("pictures seen", fontsize=8)
        axes.tick_params(labelsize=7)
        axes.legend(fontsize=6)
    return figure


def _spread(axes: Any, values: Sequence[float]) -> None:
    """Let values of different magnitudes be seen in one panel."""
    if min(values) > 0:
        axes.set_yscale("log")
    else:
        axes.set_yscale("symlog", linthresh=LINEAR)


def draw_latents(series: Mapping[str, Points]) -> Any:
    """Draw error against latent size.

    Args:
        series: by name, pairs of latent size and CIEDE2000, in order.

    Returns:
        A ``matplotlib.figure.Figure``.
    """
    from matplotlib.figure import Figure  # noqa: PLC0415

    figure = Figure(figsize=(5.0, 3.2), layout="constrained")
    axes = figure.add_subplot()
    for name, points in series.items():
        latents, errors = zip(*points, strict=True)
        axes.plot(latents, errors, "o-", label=name)
    ticks = sorted({int(latent) for points in series.values() for latent, _ in points})
    axes.set_xscale("log", base=2)
    axes.set_xticks(ticks, [str(tick) for tick in ticks])
    axes.set_xlabel("latent numbers in each cell", fontsize=8)
    axes.set_ylabel("CIEDE2000, mean", fontsize=8)
    axes.set_ylim(0, 1.1 * max(error for points in series.values() for _, error in points))
    axes.tick_params(labelsize=7)
    axes.legend(fontsize=7)
    return figure
