"""Several pictures at a time: decoding, network and encoding of neighbors overlap.

Threads, not processes: libvips, ONNX Runtime and most of NumPy let go of the interpreter's lock, so
that threads were as fast as processes when measured, and they share one model
(docs/decisions/0013-many-pictures.md).
"""

from __future__ import annotations

import threading
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

from tinct.photo import PictureWarning
from tinct.resample import cores

Unit = TypeVar("Unit")
Done = TypeVar("Done")

MOST = 8  # pictures at a time; more need memory and hardly help
ROOM = 48_000_000  # pixels that are colored at a time; a larger picture is colored alone


def share(count: int, *, threads: int | None) -> tuple[int, int | None]:
    """Return how many pictures are worked on at a time, and the threads for each.

    Args:
        count: of pictures.
        threads: for all of them; None means one for each core.
    """
    if count < 2:
        return 1, threads
    held = threads or cores()
    workers = min(held, MOST, count)
    return workers, max(1, held // workers)


def in_order(
    work: Callable[[Unit], Done],
    units: Iterable[Unit],
    *,
    workers: int,
    known: Callable[[Unit], Done | None] = lambda _: None,
) -> Iterator[Done]:
    """Do work on several units at a time, and yield the results in the order of the units.

    Args:
        work: what to do; what it raises is raised when its turn comes.
        units: looked at a few ahead.
        workers: units in work at a time; 1 needs no threads.
        known: gives results that need no work, at once; None for the others.
    """
    if workers <= 1:
        for unit in units:
            found = known(unit)
            yield work(unit) if found is None else found
        return
    pool = ThreadPoolExecutor(workers)
    waiting: deque[Future[Done] | Done] = deque()
    try:
        for unit in units:
            found = known(unit)
            waiting.append(pool.submit(work, unit) if found is None else found)
            if len(waiting) > 2 * workers:
                yield _result(waiting.popleft())
        while waiting:
            yield _result(waiting.popleft())
    finally:
        pool.shutdown(cancel_futures=True)


def _result(waiting: Future[Done] | Done) -> Done:
    return waiting.result() if isinstance(waiting, Future) else waiting


class Room:
    """Lets small pictures in together and large ones alone, so that memory stays bounded.

    Args:
        pixels: that may be inside at a time.
    """

    def __init__(self, pixels: int = ROOM) -> None:
        self.pixels = pixels
        self._inside = 0
        self._changed = threading.Condition()

    @contextmanager
    def of(self, pixels: int) -> Iterator[None]:
        """Wait until there is room for a picture, and hold it.

        Args:
            pixels: of the picture; as many as the whole room if there are more.
        """
        pixels = min(pixels, self.pixels)
        with self._changed:
            self._changed.wait_for(lambda: self._inside + pixels <= self.pixels)
            self._inside += pixels
        try:
            yield
        finally:
            with self._changed:
                self._inside -= pixels
                self._changed.notify_all()


class Hearing(threading.local):
    """Collects what is to be said of pictures, for each thread apart."""

    def __init__(self) -> None:
        self.texts: list[str] | None = None

    @contextmanager
    def open(self) -> Iterator[None]:
        """Hear all threads' warnings until the end of the block; others than ours are left out."""

        def hear(message: Warning | str, *_: object, **__: object) -> None:
            if self.texts is not None:
                self.texts.append(str(message))

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.simplefilter("always", PictureWarning)
            warnings.showwarning = hear
            yield

    @contextmanager
    def of_one(self) -> Iterator[list[str]]:
        """Give the list that this thread's warnings go to during the block."""
        texts: list[str] = []
        self.texts = texts
        try:
            yield texts
        finally:
            self.texts = None
