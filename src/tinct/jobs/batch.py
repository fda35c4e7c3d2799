"""Color many pictures, several at a time, past any that fails.

:mod:`tinct.jobs.paths` decides beforehand which file becomes which. Some names are known only when
a picture is open (pages, pictures without an ending): those are checked here.
"""

from __future__ import annotations

import os
import sys
import time
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tinct import photo
from tinct.errors import DeviceError, PictureError, SaveError, TinctError, UsageError
from tinct.jobs.doubt import doubt_of
from tinct.jobs.names import Names
from tinct.jobs.overlap import Hearing, Room, in_order
from tinct.jobs.paths import MARK, PIPE, Job
from tinct.settings import Settings

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tinct.bundle import Bundle
    from tinct.colored import Colored, ColoredJpeg, ColoredLarge
    from tinct.front import Front
    from tinct.jobs.journal import Line
    from tinct.jobs.ledger import Entry, Ledger


SEEN = 360
"""Least short side at which a JPEG is decoded to be asked about its doubt."""


@dataclass(frozen=True, kw_only=True)
class Outputs:
    """What is written of every picture of a batch.

    Attributes:
        file_format: a format's name; None: as the target's ending says, else the picture's own.
        overwrite: whether existing files may be replaced.
        force: color again what the journal says is done.
        all_pages: color every page, each into a file of its own.
        layers: a file of layers for drawing programs, or None.
        doubt: also find out how unsure the model is.
    """

    file_format: str | None = None
    overwrite: bool = False
    force: bool = False
    all_pages: bool = False
    layers: str | None = None
    doubt: bool = False


@dataclass(frozen=True)
class Result:
    """What became of one picture: ``error`` is None when it was written, now or earlier."""

    source: Path | None
    target: Path | None
    size: tuple[int, int] | None = None  # width, height
    model: str = ""
    bundle: Bundle | None = None  # the model's, when it was written
    seconds: float = 0.0
    doubt: float | None = None  # 0 to 1, where it was asked for
    warnings: tuple[str, ...] = ()
    root: Path | None = None  # the folder whose journal holds it
    skipped: bool = False  # it was done already
    error: TinctError | None = None

    @property
    def name(self) -> str:
        """Return the picture's name for messages."""
        return "stdin" if self.source is None else str(self.source)

    def as_dict(self) -> dict[str, Any]:
        """Return the result as plain values for JSON."""
        return {
            "input": PIPE if self.source is None else str(self.source),
            "output": None if self.error else PIPE if self.target is None else str(self.target),
            "size": None if self.size is None else list(self.size),
            "model": self.model,
            "seconds": round(self.seconds, 3),
            "skipped": self.skipped,
            "warnings": list(self.warnings),
            "error": None if self.error is None else str(self.error),
        }


def color_all(
    jobs: Sequence[Job],
    *,
    colorizer: Front,
    settings: Settings | None = None,
    outputs: Outputs | None = None,
    ledger: Ledger | None = None,
    workers: int = 1,
) -> Iterator[Result]:
    """Color pictures, the results in their order; a failure becomes a `Result` with an error.

    Args:
        jobs: what :func:`tinct.jobs.paths.plan` gave.
        colorizer: what colors them.
        settings: the same for every picture; None means the defaults.
        outputs: what is written; None means the defaults.
        ledger: where it is kept what is done; None: nowhere, every picture is colored.
        workers: pictures in work at a time; see :mod:`tinct.jobs.overlap`.

    Yields:
        One result for each picture, or for each page with ``outputs.all_pages``.
    """
    outputs = outputs or Outputs()
    work = _Work(
        colorizer, settings or Settings(), outputs, Names(jobs), ledger=ledger, hearing=Hearing()
    )

    def known(unit: tuple[Job, int | None] | Result) -> Result | None:
        return unit if isinstance(unit, Result) else work.finished(*unit)

    def do(unit: tuple[Job, int | None] | Result) -> Result:
        assert not isinstance(unit, Result)
        job, page = unit
        return work.guarded(job, page=page)

    with work.hearing.open():
        units = _units(jobs, outputs, model=colorizer.name)
        yield from in_order(do, units, workers=workers, known=known)


def _units(
    jobs: Sequence[Job], outputs: Outputs, *, model: str
) -> Iterator[tuple[Job, int | None] | Result]:
    """Yield pictures or their pages; a result where the pages cannot be counted."""
    for job in jobs:
        try:
            count = _count_pages(job) if outputs.all_pages else 1
        except (TinctError, OSError) as error:
            told = _told(error, job) if isinstance(error, OSError) else error
            yield Result(job.source, job.target, model=model, root=job.root, error=told)
            continue
        yield from ((job, page) for page in ([None] if count == 1 else range(count)))


def _count_pages(job: Job) -> int:
    """Return how many pages of a job are to be colored."""
    if job.source is None:
        raise UsageError("--all-pages needs a file, not stdin; give its name, or leave the option")
    count = photo.page_count(job.source)
    if count > 1 and job.target is None:
        raise UsageError(f"{job.source} has {count} pages; stdout takes one: give -o FILE")
    return count


def _numbered(target: Path, *, page: int | None) -> Path:
    """Return ``target`` with the page's number, from 1, before its ending."""
    if page is None:
        return target
    return target.with_name(f"{target.stem}.page{page + 1}{target.suffix}")


@dataclass(frozen=True)
class _Work:
    """The work on single pictures of a batch.

    Attributes:
        colorizer: what colors them.
        settings: how.
        outputs: what is written.
        names: of files that no result may replace.
        ledger: where it is kept what is done.
        hearing: of warnings.
        room: for large pictures.
    """

    colorizer: Front
    settings: Settings
    outputs: Outputs
    names: Names
    ledger: Ledger | None
    hearing: Hearing
    room: Room = field(default_factory=Room)

    def guarded(self, job: Job, *, page: int | None) -> Result:
        """Color one picture or page; any failure that can be expected becomes a `Result`."""
        began = time.perf_counter()
        result = Result(job.source, job.target, model=self.colorizer.name, root=job.root)
        try:
            with self.hearing.of_one() as texts:
                result = self.done(job, result, page=page)
            result = replace(result, warnings=tuple(dict.fromkeys(texts)))
        except BrokenPipeError:
            raise
        except TinctError as error:
            result = replace(result, error=error)
        except MemoryError:
            text = "not enough memory for this picture; close other programs or make it smaller"
            result = replace(result, error=DeviceError(text))
        except OSError as error:
            result = replace(result, error=_told(error, job))
        except Exception as error:  # noqa: BLE001  (a defect of ours must not stop the others)
            result = replace(result, error=_defect(error, result.name))
        return replace(result, seconds=time.perf_counter() - began)

    def finished(self, job: Job, page: int | None) -> Result | None:
        """Return the result of a picture that is done, if that is known without reading it."""
        if self.ledger is None or self.outputs.force or None in (job.root, job.source, job.target):
            return None
        assert job.root is not None
        assert job.source is not None
        assert job.target is not None
        target = _numbered(job.target, page=page)
        line = self.ledger.known(job.root, job.source, target)
        if line is None or (self.outputs.doubt and line.doubt < 0):
            return None
        result = Result(job.source, job.target, root=job.root)
        return _as_before(result, line, folder=job.root)

    def done(self, job: Job, result: Result, *, page: int | None) -> Result:
        """Open, color and save one picture or page, unless the journal says that it is done."""
        outputs = self.outputs
        kept = self.entered(job, page=page)
        if kept is not None and kept.standing.done and not outputs.force:
            if outputs.doubt and kept.unasked:
                kept.note_doubt(doubt_of(self.colorizer, self.colorizer.open(kept.source).gray))
            return _skipped(result, kept)
        if kept is None:
            return self.made(job, result, page=page, outputs=outputs, kept=None)
        if kept.standing.ours:
            outputs = replace(outputs, overwrite=True)
        try:
            return self.made(job, result, page=page, outputs=outputs, kept=kept)
        except SaveError:
            if outputs.force or not kept.look().done:
                raise
            return _skipped(result, kept)  # another job was faster

    def made(
        self, job: Job, result: Result, *, page: int | None, outputs: Outputs, kept: Entry | None
    ) -> Result:
        """Open, color and save one picture or page."""
        target = None if job.target is None else _numbered(job.target, page=page)
        if target is not None and target.suffix == MARK and outputs.file_format is None:
            target = None  # its ending is known when it is open
        elif target is not None:
            _check(target, overwrite=outputs.overwrite)
        source = _read_stdin() if job.source is None else job.source
        known = job.target is None or target is not None
        if known and page is None and outputs.layers is None:
            reversible = self.reversible(source, target, outputs=outputs)
            if reversible is not None:
                return self.with_gray(reversible, result, target, outputs=outputs, kept=kept)
        if target is not None and job.source is not None and outputs.layers is None:
            wanted = outputs.file_format or photo.format_of(target)
            large = self.colorizer.color_large(
                job.source, self.settings, file_format=wanted, page=page
            )
            if large is not None:
                return self.in_strips(large, result, target, outputs=outputs, kept=kept)
        picture = self.colorizer.open(source, page=page)
        if target is None and job.target is not None:
            name = f"{job.target.name}{photo.suffix_for(picture)}"
            target = _numbered(job.target.with_name(name), page=page)
            _check(target, overwrite=outputs.overwrite)
        with self.room.of(picture.width * picture.height):
            colored = self.colorizer.color(picture, self.settings)
            seen = picture.gray if outputs.doubt else None
            size = (picture.height, picture.width)
            result = self.told(result, colored, target, size=size, seen=seen)
            if outputs.layers is not None:
                colored.save_layers(outputs.layers, overwrite=outputs.overwrite)
            if target is None:
                sys.stdout.buffer.write(colored.encode(outputs.file_format))
                sys.stdout.buffer.flush()
                return result
            return self.saved(colored, result, target, outputs=outputs, kept=kept)

    def told(
        self,
        result: Result,
        colored: Colored | ColoredJpeg | ColoredLarge,
        target: Path | None,
        *,
        size: tuple[int, int],
        seen: NDArray[Any] | None,
    ) -> Result:
        """Return what is to be told of a picture: height and width given, doubt of what is seen."""
        return replace(
            result,
            model=colored.bundle.manifest.name,
            bundle=colored.bundle,
            target=target,
            size=size[::-1],
            doubt=None if seen is None else doubt_of(self.colorizer, seen),
        )

    def reversible(
        self, source: bytes | Path, target: Path | None, *, outputs: Outputs
    ) -> ColoredJpeg | None:
        """Color a gray JPEG as a JPEG, its gray untouched, if it is one and shall become one."""
        wanted = outputs.file_format
        if target is not None and wanted is None:
            wanted = photo.format_of(target)
        if wanted not in (None, "jpeg"):
            return None
        return self.colorizer.color_jpeg(source, self.settings)

    def with_gray(
        self,
        colored: ColoredJpeg,
        result: Result,
        target: Path | None,
        *,
        outputs: Outputs,
        kept: Entry | None,
    ) -> Result:
        """Write a gray JPEG that was colored."""
        seen = colored.gray.reduced(least=SEEN) if outputs.doubt else None
        result = self.told(result, colored, target, size=colored.gray.size, seen=seen)
        if target is not None:
            return self.saved(colored, result, target, outputs=outputs, kept=kept)
        sys.stdout.buffer.write(colored.encode())
        sys.stdout.buffer.flush()
        return result

    def in_strips(
        self,
        colored: ColoredLarge,
        result: Result,
        target: Path,
        *,
        outputs: Outputs,
        kept: Entry | None,
    ) -> Result:
        """Write a very large picture, which gets its colors on the way."""
        seen = colored.seen if outputs.doubt else None
        result = self.told(result, colored, target, size=colored.photo.size, seen=seen)
        with self.room.of(self.room.pixels):
            return self.saved(colored, result, target, outputs=outputs, kept=kept)

    def saved(
        self,
        colored: Colored | ColoredJpeg | ColoredLarge,
        result: Result,
        target: Path,
        *,
        outputs: Outputs,
        kept: Entry | None,
    ) -> Result:
        """Save one picture under a name that is nobody else's."""
        self.names.take(target, name=result.name)
        written = False
        try:
            _make_folder(target.parent)
            colored.save(
                target,
                file_format=outputs.file_format,
                overwrite=outputs.overwrite,
                ready=None if kept is None else partial(kept.write, result),
            )
            written = True
        finally:
            self.names.settle(target, written=written)
        return result

    def entered(self, job: Job, *, page: int | None) -> Entry | None:
        """Return what the journal holds of a picture or page; None where there is no journal."""
        if self.ledger is None or job.root is None or job.source is None:
            return None
        assert job.target is not None
        return self.ledger.enter(job.root, job.source, _numbered(job.target, page=page))


def _check(target: Path, *, overwrite: bool) -> None:
    """Raise SaveError when a result may not be written, before any work is done for it."""
    if os.path.lexists(target) and not overwrite:
        raise SaveError(f"{target} exists already; give --overwrite or another name with -o")


def _skipped(result: Result, kept: Entry) -> Result:
    """Return the result of a picture that was done before."""
    line = kept.journal.find(kept.target)
    assert line is not None
    return _as_before(result, line, folder=kept.journal.folder)


def _as_before(result: Result, line: Line, *, folder: Path) -> Result:
    """Return the result that a line tells of."""
    return replace(
        result,
        target=folder / line.result,
        size=(line.width, line.height),
        model=line.model,
        bundle=None,
        doubt=None if line.doubt < 0 else line.doubt,
        skipped=True,
    )


def _defect(error: Exception, name: str) -> TinctError:
    """Word a defect of tinct's own: what happened where, and that we want to know of it."""
    frames = traceback.extract_tb(error.__traceback__)
    where = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "unknown place"
    told = " ".join(str(error).split())[:200]
    return TinctError(
        f"{name}: a defect of tinct: {type(error).__name__} in {where} ({told}); the picture was "
        "left out. Please report it with the picture, or with what `file` says of it"
    )


def _told(error: OSError, job: Job) -> TinctError:
    """Word a failure of the system: the input cannot be read, or the result not be written."""
    why = (error.strerror or str(error)).lower()
    if job.source is not None and error.filename == str(job.source):
        return PictureError(f"{job.source} cannot be read ({why}); check its permissions")
    what = "stdout" if job.target is None else str(job.target)
    return SaveError(f"{what} cannot be written ({why}); check the name and the free space")


def _read_stdin() -> bytes:
    """Return all of stdin."""
    data = sys.stdin.buffer.read()
    if not data:
        raise PictureError("stdin is empty; send it a picture, as in: tinct - < photo.jpg")
    return data


def _make_folder(folder: Path) -> None:
    """Make ``folder`` if it is missing."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SaveError(
            f"the folder {folder} cannot be made ({(error.strerror or str(error)).lower()}); "
            "choose another with -o"
        ) from error
