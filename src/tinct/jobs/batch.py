"""Color many pictures, one after the other, past any that fails.

:mod:`tinct.jobs.paths` decides beforehand which file becomes which. Some names are known only when
a picture is open (pages, pictures without an ending): those are checked here.
"""

from __future__ import annotations

import os
import sys
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tinct import __version__, photo
from tinct.drawing.transparency import lay_on_paper
from tinct.errors import DeviceError, PictureError, SaveError, TinctError, UsageError
from tinct.jobs.paths import MARK, PIPE, Identity, Job, identities, inputs_of

if TYPE_CHECKING:
    from tinct.bundle import Bundle
    from tinct.coloring.palette import Palette
    from tinct.colorizer import Colorizer
    from tinct.hints import Hint


@dataclass(frozen=True)
class Settings:
    """How every picture of a batch is colored; see `tinct.Colorizer` for the values."""

    hints: tuple[Hint, ...] = ()
    strength: float = 1.0
    quality: str = "balanced"
    reference: Palette | None = None
    flat: bool = False
    layers: str | None = None
    file_format: str | None = None
    overwrite: bool = False
    all_pages: bool = False


@dataclass(frozen=True)
class Result:
    """What became of one picture: ``error`` is None when it was written."""

    source: Path | None
    target: Path | None
    size: tuple[int, int] | None = None  # width, height
    model: str = ""
    bundle: Bundle | None = None  # the model's, when it was written
    seconds: float = 0.0
    warnings: tuple[str, ...] = ()
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
            "warnings": list(self.warnings),
            "error": None if self.error is None else str(self.error),
        }


def color_all(jobs: Sequence[Job], *, colorizer: Colorizer, settings: Settings) -> Iterator[Result]:
    """Color one picture after the other; a failure becomes a `Result` with an error.

    Args:
        jobs: what `plan` gave.
        colorizer: the model to color with.
        settings: hints, strength and so on, the same for every picture.

    Yields:
        One result for each picture, or for each page with ``settings.all_pages``.
    """
    reserved = dict.fromkeys(inputs_of(jobs), "is one of the inputs")
    for job in jobs:
        try:
            count = _count_pages(job, settings=settings)
        except (TinctError, OSError) as error:
            told = _told(error, job) if isinstance(error, OSError) else error
            yield Result(job.source, job.target, model=colorizer.name, error=told)
            continue
        pages = [None] if count == 1 else range(count)
        for page in pages:
            result = _color(
                job, page=page, colorizer=colorizer, settings=settings, reserved=reserved
            )
            if result.error is None and result.target is not None:
                made = f"is the result of {result.name} already"
                reserved |= dict.fromkeys(identities(result.target), made)
            yield result


def _count_pages(job: Job, *, settings: Settings) -> int:
    """Return how many pages of a job are to be colored."""
    if not settings.all_pages:
        return 1
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


def _color(
    job: Job,
    *,
    page: int | None,
    colorizer: Colorizer,
    settings: Settings,
    reserved: Mapping[Identity, str],
) -> Result:
    """Color one picture or page; any failure that can be expected becomes a `Result`."""
    began = time.perf_counter()
    result = Result(job.source, job.target, model=colorizer.name)
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("ignore")
            warnings.simplefilter("always", photo.PictureWarning)
            result = _work(
                job, result, page=page, colorizer=colorizer, settings=settings, reserved=reserved
            )
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
    return replace(result, seconds=time.perf_counter() - began)


def _told(error: OSError, job: Job) -> TinctError:
    """Word a failure of the system: the input cannot be read, or the result not be written."""
    why = (error.strerror or str(error)).lower()
    if job.source is not None and error.filename == str(job.source):
        return PictureError(f"{job.source} cannot be read ({why}); check its permissions")
    what = "stdout" if job.target is None else str(job.target)
    return SaveError(f"{what} cannot be written ({why}); check the name and the free space")


def _settled(
    target: Path, *, page: int | None, overwrite: bool, reserved: Mapping[Identity, str]
) -> Path:
    """Return the final name of a result, if it may be written."""
    target = _numbered(target, page=page)
    for one in identities(target):
        if one in reserved:
            raise SaveError(f"{target} {reserved[one]}; give another name with -o")
    if os.path.lexists(target) and not overwrite:
        raise SaveError(f"{target} exists already; give --overwrite or another name with -o")
    return target


def _work(
    job: Job,
    result: Result,
    *,
    page: int | None,
    colorizer: Colorizer,
    settings: Settings,
    reserved: Mapping[Identity, str],
) -> Result:
    """Open, color and save one picture or page."""
    settle = partial(_settled, page=page, overwrite=settings.overwrite, reserved=reserved)
    target = job.target
    unfinished = target is not None and target.suffix == MARK and settings.file_format is None
    if target is not None and not unfinished:
        target = settle(target)
    gray = photo.open_photo(_read_stdin() if job.source is None else job.source, page=page)
    gray = lay_on_paper(gray)
    if target is not None and unfinished:
        target = settle(target.with_name(f"{target.name}{photo.suffix_for(gray)}"))
    if gray.was_color:
        warnings.warn("already in color: its lightness is used", photo.PictureWarning, stacklevel=1)
    chosen = colorizer.choose(gray.gray)
    result = replace(result, model=chosen.name, bundle=chosen.bundle)
    rgb = chosen.photo(
        gray,
        hints=settings.hints,
        strength=settings.strength,
        quality=settings.quality,
        reference=settings.reference,
        flat=settings.flat,
    )
    if settings.layers is not None:
        from tinct.drawing import layers  # noqa: PLC0415

        art = chosen.bundle.manifest.task == "lineart"
        layers.write_layers(gray, rgb, settings.layers, drawing=art, overwrite=settings.overwrite)
    note = photo.Note(software=f"tinct {__version__}", model=chosen.name)
    if target is None:
        data = photo.encode_photo(rgb, gray, format=settings.file_format, note=note)
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    else:
        _make_folder(target.parent)
        photo.save_photo(
            rgb,
            gray,
            target,
            format=settings.file_format,
            overwrite=settings.overwrite,
            note=note,
        )
    return replace(result, target=target, size=(gray.width, gray.height))


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
