"""Color many pictures, one after the other, past any that fails.

:mod:`tinct.jobs.paths` decides beforehand which file becomes which. Some names are known only when
a picture is open (pages, pictures without an ending): those are checked here.
"""

from __future__ import annotations

import os
import sys
import time
import traceback
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tinct import photo
from tinct.errors import DeviceError, PictureError, SaveError, TinctError, UsageError
from tinct.jobs.paths import MARK, PIPE, Identity, Job, identities, inputs_of
from tinct.settings import Settings

if TYPE_CHECKING:
    from tinct.bundle import Bundle
    from tinct.colorizer import Front
    from tinct.jobs.ledger import Entry, Ledger


@dataclass(frozen=True, kw_only=True)
class Outputs:
    """What is written of every picture of a batch.

    Attributes:
        file_format: a format's name; None: as the target's ending says, else the picture's own.
        overwrite: whether existing files may be replaced.
        force: color again what the journal says is done.
        all_pages: color every page, each into a file of its own.
        layers: a file of layers for drawing programs, or None.
    """

    file_format: str | None = None
    overwrite: bool = False
    force: bool = False
    all_pages: bool = False
    layers: str | None = None


@dataclass(frozen=True)
class Result:
    """What became of one picture: ``error`` is None when it was written, now or earlier."""

    source: Path | None
    target: Path | None
    size: tuple[int, int] | None = None  # width, height
    model: str = ""
    bundle: Bundle | None = None  # the model's, when it was written
    seconds: float = 0.0
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
) -> Iterator[Result]:
    """Color one picture after the other; a failure becomes a `Result` with an error.

    Args:
        jobs: what :func:`tinct.jobs.paths.plan` gave.
        colorizer: what colors them.
        settings: the same for every picture; None means the defaults.
        outputs: what is written; None means the defaults.
        ledger: where it is kept what is done; None: nowhere, every picture is colored.

    Yields:
        One result for each picture, or for each page with ``outputs.all_pages``.
    """
    outputs = outputs or Outputs()
    reserved = dict.fromkeys(inputs_of(jobs), "is one of the inputs")
    work = _Work(colorizer, settings or Settings(), outputs, reserved, ledger)
    for job in jobs:
        try:
            count = _count_pages(job) if outputs.all_pages else 1
        except (TinctError, OSError) as error:
            told = _told(error, job) if isinstance(error, OSError) else error
            yield Result(job.source, job.target, model=colorizer.name, root=job.root, error=told)
            continue
        pages = [None] if count == 1 else range(count)
        for page in pages:
            result = work.guarded(job, page=page)
            if result.error is None and result.target is not None:
                made = f"is the result of {result.name} already"
                reserved |= dict.fromkeys(identities(result.target), made)
            yield result


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
        reserved: files that no result may replace, and why.
        ledger: where it is kept what is done.
    """

    colorizer: Front
    settings: Settings
    outputs: Outputs
    reserved: Mapping[Identity, str]
    ledger: Ledger | None = None

    def guarded(self, job: Job, *, page: int | None) -> Result:
        """Color one picture or page; any failure that can be expected becomes a `Result`."""
        began = time.perf_counter()
        result = Result(job.source, job.target, model=self.colorizer.name, root=job.root)
        try:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("ignore")
                warnings.simplefilter("always", photo.PictureWarning)
                result = self.done(job, result, page=page)
            texts = tuple(dict.fromkeys(str(warning.message) for warning in caught))
            result = replace(result, warnings=texts)
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

    def done(self, job: Job, result: Result, *, page: int | None) -> Result:
        """Open, color and save one picture or page, unless the journal says that it is done."""
        outputs, target = self.outputs, job.target
        kept = self.entered(job, page=page)
        if kept is not None and kept.standing.done and not outputs.force:
            return _skipped(result, kept)
        if kept is not None and kept.standing.ours:
            outputs = replace(outputs, overwrite=True)
        unfinished = target is not None and target.suffix == MARK and outputs.file_format is None
        if target is not None and not unfinished:
            target = self.settled(target, page=page, overwrite=outputs.overwrite)
        source = _read_stdin() if job.source is None else job.source
        picture = self.colorizer.open(source, page=page)
        if target is not None and unfinished:
            name = f"{target.name}{photo.suffix_for(picture)}"
            target = self.settled(target.with_name(name), page=page, overwrite=outputs.overwrite)
        colored = self.colorizer.color(picture, self.settings)
        model = colored.bundle.manifest.name
        result = replace(
            result,
            model=model,
            bundle=colored.bundle,
            target=target,
            size=(picture.width, picture.height),
        )
        if outputs.layers is not None:
            colored.save_layers(outputs.layers, overwrite=outputs.overwrite)
        if target is None:
            sys.stdout.buffer.write(colored.encode(outputs.file_format))
            sys.stdout.buffer.flush()
            return result
        _make_folder(target.parent)
        try:
            colored.save(
                target,
                file_format=outputs.file_format,
                overwrite=outputs.overwrite,
                ready=None if kept is None else partial(kept.write, result),
            )
        except SaveError:
            if kept is None or outputs.force or not kept.look().done:
                raise
            return _skipped(result, kept)  # another job was faster
        return result

    def entered(self, job: Job, *, page: int | None) -> Entry | None:
        """Return what the journal holds of a picture or page; None where there is no journal."""
        if self.ledger is None or job.root is None or job.source is None:
            return None
        assert job.target is not None
        return self.ledger.enter(job.root, job.source, _numbered(job.target, page=page))

    def settled(self, target: Path, *, page: int | None, overwrite: bool) -> Path:
        """Return the final name of a result, if it may be written."""
        target = _numbered(target, page=page)
        for one in identities(target):
            if one in self.reserved:
                raise SaveError(f"{target} {self.reserved[one]}; give another name with -o")
        if os.path.lexists(target) and not overwrite:
            raise SaveError(f"{target} exists already; give --overwrite or another name with -o")
        return target


def _skipped(result: Result, kept: Entry) -> Result:
    """Return the result of a picture that was done before."""
    line = kept.journal.find(kept.target)
    assert line is not None
    return replace(
        result,
        target=kept.journal.folder / line.result,
        size=(line.width, line.height),
        model=line.model,
        bundle=None,
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
