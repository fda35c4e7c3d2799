"""Take times and memory: in turns, so that a slow minute of the machine hits both sides alike."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

LAUNCHER = Path(__file__).with_name("launcher.py")
LONGEST = 900.0
"""Seconds after which a measured command counts as hung."""


@dataclass(frozen=True)
class Runs:
    """Figures of the same thing, measured several times."""

    runs: tuple[float, ...]

    @property
    def median(self) -> float:
        """The middle figure."""
        return median(self.runs)


def alternate(
    ours: Callable[[], object],
    floor: Callable[[], object] | None,
    *,
    repeats: int,
    warm_up: bool = True,
) -> tuple[Runs, Runs | None]:
    """Time two things in turns: A B, B A, A B ...

    Args:
        ours: what is measured.
        floor: what it is measured against, or None.
        repeats: how often each runs.
        warm_up: run each once before, uncounted.

    Returns:
        Seconds of both.
    """
    sides = {"ours": ours} if floor is None else {"ours": ours, "floor": floor}
    seconds: dict[str, list[float]] = {side: [] for side in sides}
    if warm_up:
        for work in sides.values():
            work()
    for turn in range(repeats):
        order = list(sides) if turn % 2 == 0 else list(reversed(sides))
        for side in order:
            start = time.perf_counter()
            sides[side]()
            seconds[side].append(time.perf_counter() - start)
    against = None if floor is None else Runs(tuple(seconds["floor"]))
    return Runs(tuple(seconds["ours"])), against


def run(command: Sequence[str]) -> None:
    """Run a command to its end; its output is shown only if it fails.

    Raises:
        RuntimeError: it failed.
    """
    done = subprocess.run(command, capture_output=True, text=True, timeout=LONGEST, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} failed: {done.stderr.strip()[-500:]}")


def peak_memory(command: Sequence[str]) -> float:
    """Return the highest resident memory of a command, in MB of 1024 * 1024 bytes.

    The command is started by a small launcher: the system counts what the starting process holds as
    the started one's, and the launcher holds next to nothing.

    Raises:
        RuntimeError: it failed.
    """
    words = [sys.executable, "-I", "-S", str(LAUNCHER), *command]
    done = subprocess.run(words, capture_output=True, text=True, timeout=LONGEST, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} failed: {done.stderr.strip()[-500:]}")
    return int(done.stdout.split()[-1]) / (1 << 20)
