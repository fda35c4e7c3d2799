"""``tinct-report.json`` beside the results: what failed in the last run over a folder."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tinct import __version__
from tinct.atomic import replacing

if TYPE_CHECKING:
    from tinct.jobs.batch import Result

NAME = "tinct-report.json"
SCHEMA = "tinct.report/1"


def write_reports(roots: Iterable[Path], results: Sequence[Result]) -> list[Path]:
    """Write a report into every folder where something failed; remove those of earlier runs.

    Args:
        roots: the folders of results.
        results: what became of the pictures that had their turn.

    Returns:
        The reports that were written.

    Raises:
        SaveError: a report cannot be written.
    """
    written = []
    for root in roots:
        path = root / NAME
        here = [result for result in results if result.root == root]
        if any(result.error is not None for result in here):
            with replacing(path, overwrite=True) as temporary:
                text = json.dumps(as_dict(here), indent=1, ensure_ascii=True)
                temporary.write_text(text + "\n", "ascii")
            written.append(path)
        elif read_report(root) is not None:
            with suppress(OSError):
                path.unlink()
    return written


def as_dict(results: Sequence[Result]) -> dict[str, Any]:
    """Return a report as plain values for JSON."""
    failed = [result for result in results if result.error is not None]
    skipped = sum(result.skipped for result in results)
    return {
        "schema": SCHEMA,
        "tinct": __version__,
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "colored": len(results) - len(failed) - skipped,
        "skipped": skipped,
        "failed": len(failed),
        "failures": [
            {
                "input": "-" if result.source is None else os.fspath(result.source),
                "error": str(result.error),
                "exit_code": result.error.exit_code,
            }
            for result in failed
            if result.error is not None
        ],
    }


def read_report(root: Path) -> dict[str, Any] | None:
    """Return the report in a folder; None where there is none that is ours."""
    try:
        held = json.loads((root / NAME).read_text("utf-8"))
    except (OSError, ValueError):
        return None
    ours = isinstance(held, dict) and held.get("schema") == SCHEMA
    return held if ours else None
