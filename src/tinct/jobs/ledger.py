"""What one run asks the journals of its results, and tells them.

A run has one ledger. It knows by which settings and model everything is colored, and opens the
journal of a folder when the first result goes there.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from tinct.atomic import sweep
from tinct.errors import PictureError, SaveError
from tinct.jobs.journal import Journal, Line, Stamp, Standing, absolute, hash_file, hash_settings

if TYPE_CHECKING:
    from tinct.jobs.batch import Outputs, Result
    from tinct.jobs.paths import Job
    from tinct.settings import Settings


class Ledger:
    """The journals of one run; closed at the end of a ``with`` block.

    Args:
        jobs: the pictures; all their journals are opened at once, so that a folder that cannot be
            written is told before any work.
        settings: how they are colored.
        outputs: what is written of them.
        model: hash of the model, or of all that can be chosen.

    Raises:
        SaveError: a folder cannot be made or written, or a journal is damaged.
    """

    def __init__(
        self, jobs: Iterable[Job], *, settings: Settings, outputs: Outputs, model: str
    ) -> None:
        self.settings = hash_settings(settings, file_format=outputs.file_format)
        self.model = model
        self.journals: dict[Path, Journal] = {}
        jobs = [job for job in jobs if job.root is not None]
        for root in dict.fromkeys(job.root for job in jobs if job.root is not None):
            self.journals[root] = Journal(root)
        for folder in dict.fromkeys(job.target.parent for job in jobs if job.target is not None):
            sweep(folder)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for journal in self.journals.values():
            journal.close()

    def known(self, root: Path, source: Path, target: Path) -> Line | None:
        """Return the line of a picture that is done, as far as sizes and times tell.

        Args:
            root: the folder whose journal holds it.
            source: the picture.
            target: the result as planned.
        """
        try:
            line = self.journals[root].find(target)
            wanted = (self.settings, self.model)
            if line is None or (line.settings_hash, line.model_hash) != wanted:
                return None
            same = line.source == absolute(source) and Stamp.of(source) == line.source_stamp
            return line if same and Stamp.of(root / line.result) == line.result_stamp else None
        except (OSError, ValueError, SaveError):  # told when its turn comes
            return None

    def enter(self, root: Path, source: Path, target: Path) -> Entry:
        """Return the entry of a picture as it stands.

        Args:
            root: the folder whose journal holds it.
            source: the picture.
            target: the result as planned.

        Raises:
            SaveError: the journal cannot be read.
            PictureError: the picture cannot be read.
        """
        return Entry(self, self.journals[root], source, target)


@dataclass
class Entry:
    """One picture between its file and its line in a journal.

    Attributes:
        ledger: of the run.
        journal: that holds the line.
        source: the picture.
        target: the result as planned.
        stamp: of the picture, before it is read.
        standing: how the result stood.
        began: by the clock of ``time.perf_counter``.
    """

    ledger: Ledger
    journal: Journal
    source: Path
    target: Path
    stamp: Stamp = field(init=False)
    standing: Standing = field(init=False)
    began: float = field(default_factory=time.perf_counter)

    def __post_init__(self) -> None:
        try:
            self.stamp = Stamp.of(self.source)
            self.standing = self.look()
        except (OSError, ValueError) as error:
            raise _unreadable(self.source, error) from error

    def look(self) -> Standing:
        """Return how the result stands now."""
        return self.journal.look(
            self.target,
            self.source,
            self.stamp,
            settings=self.ledger.settings,
            model=self.ledger.model,
        )

    @property
    def unasked(self) -> bool:
        """Whether nobody has asked how unsure the model is of a picture that is done."""
        return self.standing.line is not None and self.standing.line.doubt < 0

    def note_doubt(self, doubt: float) -> None:
        """Note how unsure the model is, 0 to 1.

        Raises:
            SaveError: the journal cannot be written.
        """
        line = self.journal.find(self.target)
        if line is not None:
            self.journal.write(replace(line, doubt=doubt))

    def write(self, result: Result, temporary: Path) -> None:
        """Write the line of a result that is complete under a temporary name.

        Args:
            result: what became of the picture.
            temporary: where it lies now.

        Raises:
            PictureError: the picture changed while it was colored.
            SaveError: the journal cannot be written.
        """
        assert result.target is not None
        assert result.size is not None
        read = self.standing.source_hash
        try:
            read = read or hash_file(self.source)
            now = Stamp.of(self.source)
        except OSError as error:
            raise _unreadable(self.source, error) from error
        if now != self.stamp:
            raise PictureError(
                f"{self.source} changed while it was colored; run the command again when it is "
                "whole"
            )
        width, height = result.size
        try:
            line = self.journal.compose(
                self.target,
                temporary=temporary,
                result=result.target,
                source=absolute(self.source),
                source_size=self.stamp.size,
                source_time=self.stamp.time,
                source_hash=read,
                settings_hash=self.ledger.settings,
                model_hash=self.ledger.model,
                model=result.model,
                width=width,
                height=height,
                seconds=time.perf_counter() - self.began,
                doubt=-1.0 if result.doubt is None else result.doubt,
            )
        except OSError as error:
            why = (error.strerror or str(error)).lower()
            raise SaveError(f"{result.target} cannot be written ({why})") from error
        self.journal.write(line)


def _unreadable(source: Path, error: OSError | ValueError) -> PictureError:
    """Word that a picture cannot be read."""
    why = (getattr(error, "strerror", None) or str(error)).lower()
    return PictureError(f"{source} cannot be read ({why}); check the name and the permissions")
