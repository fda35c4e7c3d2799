"""What the addresses share: the open pictures, the gate before the work, the counters."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from fastapi import HTTPException

from tinct.studio.limits import Gate, Limits
from tinct.studio.sessions import Session, Studio


class Desk:
    """Where the work of one server is done.

    Args:
        limits: what is refused.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.studio = Studio(sessions=limits.sessions, idle=limits.idle, pixels=limits.pixels)
        self.gate = Gate(limits)
        self.requests: dict[tuple[str, int], int] = {}
        self.colored = 0
        self.seconds = 0.0

    @contextmanager
    def working(self) -> Iterator[None]:
        """Wait for a turn, and count the time.

        Raises:
            BusyError: too many wait.
        """
        with self.gate.turn():
            began = time.perf_counter()
            try:
                yield
            finally:
                self.seconds += time.perf_counter() - began

    def session(self, key: str) -> Session:
        """Return an open picture.

        Raises:
            HTTPException: 404, there is none.
        """
        session = self.studio.get(key)
        if session is None:
            raise HTTPException(404, "There is no such picture any more; open it again.")
        return session

    def metrics(self) -> str:
        """Return the counters in the text format of Prometheus."""
        lines = ["# TYPE tinct_requests_total counter"]
        lines += [
            f'tinct_requests_total{{route="{route}",status="{status}"}} {count}'
            for (route, status), count in sorted(self.requests.items())
        ]
        for name, kind, value in (
            ("tinct_pictures_colored_total", "counter", self.colored),
            ("tinct_coloring_seconds_total", "counter", round(self.seconds, 6)),
            ("tinct_requests_refused_total", "counter", self.gate.refused),
            ("tinct_requests_waiting", "gauge", self.gate.waiting),
            ("tinct_requests_working", "gauge", self.gate.working),
            ("tinct_sessions", "gauge", len(self.studio.held)),
        ):
            lines += [f"# TYPE {name} {kind}", f"{name} {value}"]
        return "\n".join(lines) + "\n"
