"""Run the studio's server."""

from __future__ import annotations

import socket
import threading
import webbrowser

import uvicorn

from tinct.errors import UsageError
from tinct.studio.app import create_app
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
    tell: object,
) -> None:
    """Serve until interrupted; what runs is finished, what is new is refused.

    Args:
        host: the address to listen at.
        port: 0 takes a free one.
        limits: what is refused.
        token: that must come along with every request, or None.
        insecure: whether another address than loopback may be served without a token.
        names: further names under which the server may be asked.
        browser: whether the page is opened.
        tell: is called with one line when it listens.

    Raises:
        UsageError: the address is not loopback and there is no token, or it cannot be had.
    """
    assert callable(tell)
    if host not in LOCAL and token is None and not insecure:
        raise UsageError(
            f"Serving at {host} lets other computers in: give --token, or --insecure if all of "
            "them may use it."
        )
    everywhere = host in ("0.0.0.0", "::")
    hosts = (*LOCAL, *names, *((socket.gethostname(), "#") if everywhere else (host,)))
    listening = _listen(host, port)
    port = listening.getsockname()[1]
    shown = "127.0.0.1" if everywhere else host
    address = f"http://{'[' + shown + ']' if ':' in shown else shown}:{port}/"
    opened = address if token is None else f"{address}?token={token}"
    app = create_app(limits=limits, hosts=hosts, token=token)
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_keep_alive=15,
        timeout_graceful_shutdown=30,
        limit_concurrency=limits.waiting + limits.working + 64,
    )
    tell(opened)
    if browser:
        threading.Timer(0.3, webbrowser.open, [opened]).start()
    uvicorn.Server(config).run(sockets=[listening])


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind((host, port))
    except OSError as error:
        made.close()
        why = (error.strerror or str(error)).lower()
        raise UsageError(
            f"The server cannot listen at {host} port {port} ({why}); give another --port."
        ) from error
    return made
