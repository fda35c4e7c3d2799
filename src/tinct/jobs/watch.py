"""Color what comes into folders, when it is whole; survive folders that go away.

Events of the file system (watchfiles) only say when to look; what is to be done is found out by
looking, so that a missed event, or a network folder that sends none, costs time and nothing else.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tinct.errors import MissingExtraError, TinctError
from tinct.jobs.journal import Stamp
from tinct.jobs.paths import Job

STILL = 1.0  # seconds for which size and time must not have changed
IDLE = 5.0  # seconds between looks when nothing is told
SHARE = 0.05  # of the time that may go into looking when nothing is told


@dataclass
class Watch:
    """What is known between looks.

    Attributes:
        folders: that are watched.
        plan: says what is to be colored now.
        color: colors pictures, and tells what became of them.
        tell: is told, in sentences, when a folder goes and comes.
        still: seconds for which a picture must not have changed.
        clock: seconds.
    """

    folders: Sequence[Path]
    plan: Callable[[], Sequence[Job]]
    color: Callable[[Sequence[Job]], object]
    tell: Callable[[str], object]
    still: float = STILL
    clock: Callable[[], float] = time.monotonic
    _seen: dict[Path, tuple[Stamp, float]] = field(default_factory=dict)
    _done: dict[Path, Stamp] = field(default_factory=dict)
    _away: bool = False
    _next: float = 0.0

    def look(self, *, told: bool) -> int:
        """Look once, and color what is whole.

        Args:
            told: whether something has changed, as far as the system says.

        Returns:
            How many pictures were handed on.
        """
        began = self.clock()
        if not told and not self._seen and began < self._next:
            return 0
        gone = [folder for folder in self.folders if not folder.is_dir()]
        if gone:
            return self._wait(f"the folder {gone[0]} is not there")
        try:
            jobs = self.plan()
        except TinctError as error:
            return self._wait(str(error).removesuffix("."))
        if self._away:
            self.tell("the folder is there again")
            self._away = False
            self._done.clear()
        ready = self._whole(jobs)
        self._next = self.clock() + max(IDLE, (self.clock() - began) / SHARE)
        if not ready:
            return 0
        try:
            self.color(ready)
        except TinctError as error:  # the folder of the results is away
            for job in ready:
                self._done.pop(job.source or Path(), None)
            return self._wait(str(error).removesuffix("."))
        return len(ready)

    def _wait(self, why: str) -> int:
        """Tell once that a folder cannot be looked at, and look again soon."""
        if not self._away:
            self.tell(f"{why}; waiting for it")
        self._away = True
        self._seen.clear()
        self._next = self.clock() + self.still
        return 0

    def _whole(self, jobs: Sequence[Job]) -> list[Job]:
        """Return the jobs whose pictures are new and have not changed for a while."""
        now, there, ready = self.clock(), set(), []
        for job in jobs:
            if job.source is None:
                continue
            try:
                stamp = Stamp.of(job.source)
            except OSError:  # gone since
                continue
            there.add(job.source)
            if self._done.get(job.source) == stamp:
                continue
            known, since = self._seen.get(job.source, (None, now))
            if known != stamp:
                self._seen[job.source] = (stamp, now)
            elif now - since >= self.still:
                ready.append(job)
                self._done[job.source] = stamp
                del self._seen[job.source]
        for held in (self._seen, self._done):
            for gone in held.keys() - there:
                del held[gone]
        return ready


def ticks(
    folders: Sequence[Path], *, recursive: bool, stop: threading.Event | None = None
) -> Iterator[bool]:
    """Yield about once a second, and soon after something changes: whether it did.

    Args:
        folders: that are watched; each may go away and come back.
        recursive: whether folders inside are watched, too.
        stop: ends it.

    Raises:
        MissingExtraError: watchfiles is not installed.
    """
    try:
        import watchfiles  # noqa: PLC0415
    except ImportError as error:
        raise MissingExtraError(
            "Watching needs watchfiles: pip install 'tinct[watch]' (from a checkout: pip install "
            "'.[watch]')."
        ) from error
    stop = stop or threading.Event()
    yield True
    while not stop.is_set():
        before = _identities(folders)
        try:
            for changes in watchfiles.watch(
                *folders,
                watch_filter=None,
                debounce=400,
                rust_timeout=1000,
                yield_on_timeout=True,
                recursive=recursive,
                stop_event=stop,
                ignore_permission_denied=True,
            ):
                yield bool(changes)
                if _identities(folders) != before:
                    break
        except OSError:  # a folder is not there now, or the system watches no more of them
            stop.wait(1.0)
        while not stop.is_set():
            yield True
            if None not in _identities(folders):
                break
            stop.wait(1.0)


def _identities(folders: Sequence[Path]) -> list[tuple[int, int] | None]:
    """Return by what folders are told from others of their names; None for one that is gone."""
    found: list[tuple[int, int] | None] = []
    for folder in folders:
        try:
            status = folder.stat()
        except OSError:
            found.append(None)
        else:
            found.append((status.st_dev, status.st_ino))
    return found
