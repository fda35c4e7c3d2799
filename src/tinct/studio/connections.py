"""Connections that a server does not wait for, and the memory that its threads share."""

from __future__ import annotations

import asyncio
import ctypes
import sys
from contextlib import suppress
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_SECONDS = 20.0
"""Seconds in which the head of a request must have come."""
WHY = b"The head of the request took too long to come"
LATE = (
    b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Type: text/plain\r\n"
    b"Content-Length: %d\r\n\r\n%s" % (len(WHY), WHY)
)
M_ARENA_MAX = -8  # of glibc's malloc.h
ARENAS = 2


class Impatient(H11Protocol):
    """HTTP/1.1, where a head that does not come to its end is cut off with 408.

    uvicorn bounds the time between requests only: a client that sends half a head would hold its
    connection for ever.
    """

    head: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Begin to wait for a head."""
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        """Take bytes, and wait for a head's end unless a request is being answered."""
        super().data_received(data)
        if self._answering():
            self._rest()
        elif self.head is None:
            self._wait()

    def on_response_complete(self) -> None:
        """Go on with what the client has sent meanwhile."""
        super().on_response_complete()
        if not self._answering():
            self._rest()  # between requests uvicorn's own time counts

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no longer."""
        self._rest()
        super().connection_lost(exc)

    def _answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _wait(self) -> None:
        self.head = self.loop.call_later(HEAD_SECONDS, self._end)

    def _rest(self) -> None:
        if self.head is not None:
            self.head.cancel()
            self.head = None

    def _end(self) -> None:
        if not self._answering() and not self.transport.is_closing():
            self.transport.write(LATE)
            self.transport.close()


def share_arenas() -> None:
    """Let threads share glibc's arenas: each of its own would keep a picture's worth of memory."""
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):  # other C libraries have none
            ctypes.CDLL(None).mallopt(M_ARENA_MAX, ARENAS)
