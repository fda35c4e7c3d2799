"""Print for people and for machines: data on stdout, everything else on stderr.

When nobody watches (stderr is no terminal) only warnings and errors are printed. rich is imported
only when a table or a progress bar is shown, so that short commands answer at once.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

from tinct.errors import TinctError

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.progress import Progress, TaskID


class Steps(Protocol):
    """What a progress display offers while it is shown."""

    def show(self, text: str) -> None:
        """Print one line above the display."""

    def step(self) -> None:
        """Count one step as done."""


def watched() -> bool:
    """Return whether a person watches stderr."""
    return sys.stderr.isatty()


def readable(text: str) -> str:
    """Return text that any stream can print: bytes of file names that are no text become ?."""
    return text.encode("utf-8", "replace").decode("utf-8")


def write(text: str) -> None:
    """Print one line of data to stdout."""
    sys.stdout.write(readable(text) + "\n")


def write_json(value: Mapping[str, Any]) -> None:
    """Print ``value`` as one line of JSON to stdout, at once (others may wait for it)."""
    sys.stdout.write(json.dumps(value) + "\n")  # ASCII: file names may hold any bytes
    sys.stdout.flush()


def say(text: str) -> None:
    """Print one friendly line to stderr when a person watches."""
    if watched():
        complain(text)


def complain(text: str) -> None:
    """Print one line to stderr: a warning or an error."""
    sys.stderr.write(readable(text) + "\n")
    sys.stderr.flush()


class _Lines:
    """No display: lines are printed as they come."""

    def show(self, text: str) -> None:
        complain(text)

    def step(self) -> None:
        return


class _Bar:
    """A progress bar of rich on stderr; lines are printed above it."""

    def __init__(self, bar: Progress, job: TaskID) -> None:
        self._bar = bar
        self._job = job

    def show(self, text: str) -> None:
        self._bar.console.print(readable(text), markup=False, highlight=False, soft_wrap=True)

    def step(self) -> None:
        self._bar.advance(self._job)


@contextmanager
def progress(title: str, *, total: int) -> Iterator[Steps]:
    """Show a progress bar on stderr when a person watches and there is more than one step.

    Args:
        title: what is counted, for example "coloring".
        total: the number of steps.

    Yields:
        An object with ``show(text)`` (a line above the bar) and ``step()``.
    """
    if total < 2 or not watched():
        yield _Lines()
        return
    with _bar() as bar:
        yield _Bar(bar, bar.add_task(title, total=total))


@contextmanager
def counter(title: str) -> Iterator[Callable[[int, int | None], None]]:
    """Show a progress bar on stderr when a person watches; the total comes with each count.

    Args:
        title: what is counted, for example "measuring".

    Yields:
        A function to be called with (steps done, steps in all, None if nobody knows).
    """
    if not watched():
        yield lambda _done, _total: None
        return
    with _bar() as bar:
        job = bar.add_task(title, total=None)
        yield lambda done, total: bar.update(job, completed=done, total=total)


def rate(speed: float) -> str:
    """Return how fast it goes, in words; ``speed`` is steps a second."""
    if 0 < speed < 0.5:
        return f"{1 / speed:.1f} s each"
    return f"{speed:.1f} a second"


def _bar() -> Progress:
    """Return a progress bar of rich that vanishes when it is done."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        ProgressColumn,
        Task,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.text import Text

    class Rate(ProgressColumn):
        """How fast it goes."""

        def render(self, task: Task) -> Text:
            return Text(rate(task.speed) if task.speed else "")

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        Rate(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )


def write_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table to stdout: drawn on a terminal, plain aligned columns otherwise.

    Args:
        columns: the column heads.
        rows: one sequence of cells for each row, as many as there are columns.
    """
    held = [tuple(columns), *map(tuple, rows)]
    if not sys.stdout.isatty():
        from rich.cells import cell_len

        widths = [max(map(cell_len, column)) for column in zip(*held, strict=True)]
        for row in held:
            cells = (cell + " " * (w - cell_len(cell)) for cell, w in zip(row, widths, strict=True))
            write("  ".join(cells).rstrip())
        return
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(*columns, box=SIMPLE_HEAD, header_style="bold")
    for row in held[1:]:
        table.add_row(*map(Text, row))
    Console().print(table)


def write_drawing(drawing: RenderableType) -> None:
    """Print what rich draws to stdout; wide enough for all of it when that is no terminal."""
    from rich.console import Console

    Console(width=None if sys.stdout.isatty() else 200).print(drawing)


def ended(error: TinctError) -> str:
    """Return the sentence of an error as lines on a console end: without a full stop."""
    return str(error).removesuffix(".")
