"""Measure speed and memory."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks import table
from benchmarks.rows import ROWS, SLOW_ROWS, Row, Setting

SCHEMA = "tinct.benchmark/1"


def measure(
    rows: Mapping[str, Callable[[Setting], list[Row]]],
    *,
    model: str,
    repeats: int,
    scale: float = 1.0,
) -> dict[str, Any]:
    """Measure rows one after the other.

    Args:
        rows: functions by name; one that fails is listed and does not stop the others.
        model: name or path of the bundle.
        repeats: how often each side runs.
        scale: share of the pixels of every picture; below 1 only to try the benchmarks out.

    Returns:
        Results as ``schema.json`` describes them.
    """
    from tinct.bundle import find_bundle

    manifest = find_bundle(model).manifest
    before = _load()
    done: list[Row] = []
    failures = []
    with tempfile.TemporaryDirectory() as folder:
        setting = Setting(model, Path(folder), repeats, scale)
        for name, row in rows.items():
            print(f"measuring {name} ...", file=sys.stderr)
            try:
                done += row(setting)
            except Exception as error:  # noqa: BLE001  one row's failure is a result, and not the others'
                failures.append({"name": name, "error": f"{type(error).__name__}: {error}"})
    return {
        "schema": SCHEMA,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "tinct": _tinct_version(),
        "model": {"name": manifest.name, "sha256": manifest.sha256},
        "machine": {**_machine(), "load_before": before, "load_after": _load()},
        "settings": {"repeats": repeats, "scale": scale},
        "rows": [row.to_json() for row in done],
        "failures": failures,
    }


def _tinct_version() -> str:
    import tinct

    return tinct.__version__


def _load() -> float | None:
    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None


def _processor() -> str:
    """Return the processor's name where the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _machine() -> dict[str, Any]:
    import numpy as np
    import onnxruntime
    import PIL

    from tinct import libvips

    return {
        "system": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "onnxruntime": onnxruntime.__version__,
        "pillow": PIL.__version__,
        "libvips": libvips.version(),
    }


def main(argv: Sequence[str] | None = None) -> int:
    """Measure what the command line asks for, print the table, write the JSON.

    Returns:
        1 if a row could not be measured, else 0; a missed goal is a result, not a failure.
    """
    known = {**ROWS, **SLOW_ROWS}
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "rows",
        nargs="*",
        metavar="ROW",
        help=f"{', '.join(known)}; none: all but {', '.join(SLOW_ROWS)}, which are slow",
    )
    parser.add_argument("--model", default="photo", help="name or path of the bundle")
    parser.add_argument("--repeats", type=int, default=5, help="runs of each side (default: 5)")
    parser.add_argument("--scale", type=float, default=1.0, help="share of the pixels, to try out")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results to FILE")
    given = parser.parse_args(argv)
    unknown = [name for name in given.rows if name not in known]
    if unknown:
        parser.error(f"no row is called {unknown[0]!r}; choose from {', '.join(known)}")
    if given.repeats < 1 or not 0 < given.scale <= 1:
        parser.error("--repeats must be at least 1, --scale above 0 and at most 1")
    chosen = {name: known[name] for name in given.rows} or ROWS
    results = measure(chosen, model=given.model, repeats=given.repeats, scale=given.scale)
    if given.json:
        given.json.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    Console().print(table.draw(results))
    return 1 if results["failures"] else 0


if __name__ == "__main__":
    sys.exit(main())
