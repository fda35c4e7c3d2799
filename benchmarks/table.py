"""Print a benchmark's JSON as a table (python -m benchmarks.table RESULTS.json)."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text


def draw(results: dict[str, Any]) -> Table:
    """Return the results as a table.

    Args:
        results: as ``schema.json`` describes them.
    """
    machine, settings = results["machine"], results["settings"]
    title = (
        f"tinct {results['tinct']}, model {results['model']['name']}, {machine['cores']} cores, "
        f"load {machine['load_before']} to {machine['load_after']}, median of {settings['repeats']}"
    )
    if settings["scale"] != 1:
        title += f", PICTURES SCALED BY {settings['scale']}: no figures to quote"
    failed = [f"{failure['name']} failed: {failure['error']}" for failure in results["failures"]]
    table = Table(title=Text(title), caption=Text("\n".join(failed)) if failed else None)
    for heading in ("what", "ours", "floor", "ratio", "goal", ""):
        table.add_column(heading, justify="left" if heading == "what" else "right")
    for row in results["rows"]:
        against = row["floor_runs"]
        table.add_row(
            Text(row["what"] + (f"; floor: {row['floor']}" if row["floor"] else "")),
            _figure(row["ours"]["median"], row["unit"]),
            _figure(against["median"], row["unit"]) if against else "",
            f"{row['ratio']:.2f}" if row["ratio"] is not None else "",
            _goal(row),
            {True: "met", False: "MISSED", None: ""}[row["met"]],
        )
    return table


def _goal(row: dict[str, Any]) -> str:
    if row["goal"] is None:
        return ""
    unit = "x" if row["goal"]["of"] == "ratio" else row["unit"]
    return f"<= {row['goal']['at_most']:g} {unit}"


def _figure(value: float, unit: str) -> str:
    return f"{value:.3g} {unit}" if value < 100 else f"{value:.0f} {unit}"


def main() -> None:
    """Read the file that the command line names and print it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=Path, help="written by python -m benchmarks --json")
    given = parser.parse_args()
    Console().print(draw(json.loads(given.results.read_text(encoding="utf-8"))))


if __name__ == "__main__":
    main()
