"""A folder of results as its journal tells it."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tinct.errors import UsageError
from tinct.jobs.journal import NAME, Journal, Line, Stamp, hash_file
from tinct.jobs.report import read_report

HERE, MISSING, CHANGED = "here", "missing", "changed"


@dataclass(frozen=True)
class Known:
    """One result: its line, and ``here``, ``missing`` or ``changed`` (since it was written)."""

    line: Line
    state: str

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain values for JSON."""
        return {**asdict(self.line), "state": self.state}

    def cells(self) -> tuple[str, ...]:
        """Return it as a row: result, state, source, size, model, time."""
        line = self.line
        when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(line.finished))
        size = f"{line.width} x {line.height}"
        return (line.result, self.state, line.source, size, line.model, when)


@dataclass(frozen=True)
class Survey:
    """What a journal holds, by name, and what failed in the last run, in sentences."""

    lines: tuple[Known, ...]
    failures: tuple[str, ...]

    def summary(self) -> str:
        """Return one line with the counts."""
        states = [known.state for known in self.lines]
        others = [f"{states.count(s)} {s}" for s in (MISSING, CHANGED) if s in states]
        failed = [f"{len(self.failures)} failed the last time"] if self.failures else []
        return ", ".join([_counted(len(states)), *others, *failed])


def survey(folder: Path) -> Survey:
    """Read the journal of a folder of results.

    Raises:
        UsageError: there is none.
        SaveError: it is damaged.
    """
    if not (folder / NAME).is_file():
        raise UsageError(
            f"{folder} holds no journal; name a folder that several pictures were colored into"
        )
    journal = Journal(folder)
    try:
        lines = tuple(Known(line, _state(folder, line)) for line in journal.lines())
    finally:
        journal.close()
    report = read_report(folder) or {}
    return Survey(lines, tuple(str(one.get("error")) for one in report.get("failures", [])))


def _state(folder: Path, line: Line) -> str:
    """Tell whether a result is as it was written; it is read only if its size or time is not."""
    path = folder / line.result
    try:
        same = Stamp.of(path) == line.result_stamp or hash_file(path) == line.result_hash
        return HERE if same else CHANGED
    except OSError:
        return MISSING


def _counted(count: int) -> str:
    return f"{count} result{'' if count == 1 else 's'}"
