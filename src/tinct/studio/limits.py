"""What a server refuses, and how much it does at once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tinct.resample import cores


@dataclass(frozen=True, kw_only=True)
class Limits:
    """The limits of a server.

    Attributes:
        upload: bytes of a request's body.
        pixels: of a picture, told by its header before anything is decoded.
        working: requests that are worked on at a time.
        waiting: requests that wait for them; beyond that the answer is 503.
        seconds: that a request waits for its turn, and that its body may take to arrive.
        sessions: pictures that are open at a time; the one longest unused makes room.
        idle: seconds after which an unused session ends.
    """

    upload: int = 200 << 20
    pixels: int = 120_000_000
    working: int = field(default_factory=lambda: max(1, min(4, cores() // 2)))
    waiting: int = 32
    seconds: float = 60.0
    sessions: int = 64
    idle: float = 24 * 3600.0


class BusyError(Exception):
    """More requests wait than the limits allow, or one waited too long."""


class Gate:
    """Lets so many requests work at a time, and so many wait.

    Args:
        limits: how many.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.free = threading.Semaphore(limits.working)
        self.lock = threading.Lock()
        self.waiting = 0
        self.working = 0
        self.refused = 0

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait for a turn and hold it.

        Raises:
            BusyError: too many wait already, or the wait was too long.
        """
        with self.lock:
            if self.waiting >= self.limits.waiting:
                self.refused += 1
                raise BusyError
            self.waiting += 1
        try:
            entered = self.free.acquire(timeout=self.limits.seconds)
        finally:
            with self.lock:
                self.waiting -= 1
        if not entered:
            with self.lock:
                self.refused += 1
            raise BusyError
        with self.lock:
            self.working += 1
        try:
            yield
        finally:
            with self.lock:
                self.working -= 1
            self.free.release()
