"""Show what evaluations found as tables for the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tinct.measure.results import FIGURES, Results

if TYPE_CHECKING:
    from rich.table import Table

AGAINST_HINTS = (
    "ciede2000",
    "ciede2000_of_gray",
    "ciede2000_p95",
    "psnr_median",
    "vgg_distance",
    "colorfulness_share",
)
"""Figures of the table against the number of hints."""


def table(results: Results) -> Table:
    """Return the pooled rows as a table for the terminal: a line per figure, a column per row."""
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    counts = f"n = {results.n}, failures = {len(results.failures)}"
    notes = Text("\n".join(results.notes)) if results.notes else None
    title = Text(f"{results.system} on {results.folder}: {counts}")
    drawn = Table(title=title, caption=notes, caption_justify="left")
    drawn.add_column("")
    for row in results.rows:
        style = "bold" if row == "ours" else ""
        drawn.add_column(Text(results.row_label(row)), justify="right", style=style)
    for figure in FIGURES:
        values = [row[figure.key] for row in results.rows.values()]
        if any(value is not None for value in values):
            cells = ["" if v is None else f"{v:.{figure.digits}f}" for v in values]
            drawn.add_row(figure.label, *cells)
    return drawn


def hint_table(evaluations: Sequence[Results]) -> Table:
    """Return evaluations that differ in the number of hints: a line per number.

    Args:
        evaluations: of one model on one folder, at least one.
    """
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    first = evaluations[0]
    name = first.model["name"] if first.model else first.system
    drawn = Table(title=Text(f"{name} on {first.folder}: n = {first.n}"))
    drawn.add_column("hints", justify="right", style="bold")
    shown, whole = [], ""
    for figure in FIGURES:
        # "... / gray's" goes on from the last figure that stands for itself.
        whole = whole if figure.label.startswith("...") else figure.label
        known = any(part.rows.get("ours", {}).get(figure.key) is not None for part in evaluations)
        if figure.key in AGAINST_HINTS and known:
            shown.append(figure)
            drawn.add_column(Text(figure.label.replace("...", whole)), justify="right")
    for part in evaluations:
        values = [part.rows.get("ours", {}).get(figure.key) for figure in shown]
        cells = [
            "" if value is None else f"{value:.{figure.digits}f}"
            for figure, value in zip(shown, values, strict=True)
        ]
        drawn.add_row(str(part.settings["hints"]), *cells)
    return drawn
