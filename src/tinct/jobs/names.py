"""Which names the results of a batch may not take."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

from tinct.errors import SaveError
from tinct.jobs.paths import Job, identities, inputs_of


class Names:
    """Which names no result may take, and why; safe to use from several threads.

    Args:
        jobs: whose inputs no result may replace.
    """

    def __init__(self, jobs: Sequence[Job]) -> None:
        self._taken = dict.fromkeys(inputs_of(jobs), "is one of the inputs")
        self._lock = threading.Lock()

    def take(self, target: Path, *, name: str) -> None:
        """Take a name for the result of the picture ``name``.

        Raises:
            SaveError: it is taken by another.
        """
        mine = f"is the result of {name} already"
        with self._lock:
            found = identities(target)
            for why in filter(None, map(self._taken.get, found)):
                raise SaveError(f"{target} {why}; give another name with -o")
            self._taken |= dict.fromkeys(found, mine)

    def settle(self, target: Path, *, written: bool) -> None:
        """Keep a name and what lies there, or give it back where nothing was written."""
        found = identities(target)
        with self._lock:
            if written:
                mine = next(filter(None, map(self._taken.get, found)))
                self._taken |= dict.fromkeys(found, mine)
                return
            for one in found:
                self._taken.pop(one, None)
