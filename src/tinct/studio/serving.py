"""Run the studio's server."""

from __future__ import annotations

import json
import logging
import signal
import socket
import sys
import threading
import webbrowser
from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

import uvicorn
from fastapi import FastAPI
from uvicorn.supervisors import Multiprocess

from tinct.errors import UsageError
from tinct.studio.app import create_app
from tinct.studio.connections import Impatient, share_arenas
from tinct.studio.guard import Line
from tinct.studio.limits import Limits

LOCAL = ("127.0.0.1", "localhost", "::1")


def run(
    *,
    host: str,
    port: int,
    limits: Limits,
    token: str | None,
    insecure: bool,
    names: tuple[str, ...],
    browser: bool,
    tell: Callable[[str], object],
    workers: int = 1,
    log: bool = False,
) -> None:
    """Serve until interrupted; what runs is finished, what is new is refused.

    Args:
        host: the address to listen at.
        port: 0 takes a free one.
        limits: what is refused; the pictures that are worked on at a time are shared out among the
            workers.
        token: that must come along with every request, or None.
        insecure: whether another address than loopback may be served without a token.
        names: further names under which the server may be asked.
        browser: whether the page is opened.
        tell: is called with one line when it listens.
        workers: processes behind the address; more than one keep no sessions and serve no page.
        log: whether every answer is told on stderr, as a line of JSON.

    Raises:
        UsageError: the address is not loopback and there is no token, or it cannot be had; or a
            page is to be opened that several workers do not serve.
    """
    if host not in LOCAL and token is None and not insecure:
        raise UsageError(
            f"Serving at {host} lets other computers in: give --token, or --insecure if all of "
            "them may use it."
        )
    if workers > 1 and browser:
        raise UsageError("The page needs one worker; leave out --workers, or use tinct serve.")
    everywhere = host in ("0.0.0.0", "::")
    hosts = (*LOCAL, *names, *((socket.gethostname(), "#") if everywhere else (host,)))
    listening = _listen(host, port)
    port = listening.getsockname()[1]
    shown = "127.0.0.1" if everywhere else host
    address = f"http://{'[' + shown + ']' if ':' in shown else shown}:{port}/"
    opened = address if token is None else f"{address}?token={token}"
    limits = replace(limits, working=max(1, limits.working // workers))
    make = partial(
        _app,
        limits=limits,
        hosts=hosts,
        token=token,
        sessions=workers == 1,
        log=log_line if log else None,
    )
    config = uvicorn.Config(
        make,
        factory=True,
        workers=workers,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_keep_alive=15,
        timeout_graceful_shutdown=30,
        http=Impatient,
        ws="none",
    )
    tell(opened)
    if browser:
        threading.Timer(0.3, webbrowser.open, [opened]).start()
    if threading.current_thread() is threading.main_thread():
        # The server ends by this signal, and raises it once more when all is finished.
        signal.signal(signal.SIGTERM, lambda *_: None)
    if workers == 1:
        uvicorn.Server(config).run(sockets=[listening])
        return
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
    listening.set_inheritable(True)
    Multiprocess(config, [listening]).run()


def _app(**how: Any) -> FastAPI:
    """Make the app in the process that serves it."""
    share_arenas()
    return create_app(**how)


def log_line(line: Line) -> None:
    """Write a line of the log to stderr, as JSON."""
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    sys.stderr.write(json.dumps({"time": now, **asdict(line)}) + "\n")
    sys.stderr.flush()


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind((host, port))
        made.listen(256)  # whoever asks before the server is there waits
    except OSError as error:
        made.close()
        why = (error.strerror or str(error)).lower()
        raise UsageError(
            f"The server cannot listen at {host} port {port} ({why}); give another --port."
        ) from error
    return made
