"""The commands ``tinct studio`` and ``tinct serve``."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace

from tinct.command import terminal


def studio(given: argparse.Namespace) -> int:
    """Serve the page and open it."""
    return serve(given)


def serve(given: argparse.Namespace) -> int:
    """Serve until Ctrl-C."""
    from tinct.studio import serving
    from tinct.studio.limits import Limits

    limits = Limits(
        upload=given.max_upload << 20, pixels=given.max_pixels * 1_000_000, waiting=given.queue
    )
    if given.at_once is not None:
        limits = replace(limits, working=given.at_once)

    def tell(address: str) -> None:
        terminal.write(address)
        sys.stdout.flush()  # whoever reads it from a pipe or a container's log waits for it
        terminal.say("pictures stay on this computer; Ctrl-C ends it")

    serving.run(
        host=given.host,
        port=given.port,
        limits=limits,
        token=given.token,
        insecure=given.insecure,
        names=tuple(given.name),
        browser=given.browser,
        workers=given.workers,
        log=given.log,
        tell=tell,
    )
    return 0
