"""Color many pictures: which file becomes which, one after the other, past any that fails.

What cannot end well is refused before any work is done: two pictures with one output, an output
that is an input. Some names are known only when a picture is open (pages, pictures without an
ending): those are checked then.
"""

from __future__ import annotations

import os
import sys
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tinct import __version__, photo
from tinct.errors import DeviceError, PictureError, SaveError, TinctError, UsageError
from tinct.transparency import lay_on_paper

if TYPE_CHECKING:
    from tinct.bundle import Bundle
    from tinct.colorizer import Colorizer
    from tinct.hints import Hint
    from tinct.palette import Palette

PIPE = "-"  # stdin as a source, stdout as a target
MARK = ".color"  # photo.jpg -> photo.color.jpg

Identity = str | tuple[int, int]
"""What tells files apart: the real path, or the device and number of a file that exists."""


@dataclass(frozen=True)
class Job:
    """One picture and where its result goes; ``None`` stands for stdin and stdout."""

    source: Path | None
    target: Path | None


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


def gather(inputs: Sequence[str]) -> list[Path | None]:
    """Return the pictures that ``inputs`` stand for, in order, each once.

    Args:
        inputs: files, folders (the pictures right inside, without the results of earlier runs),
            patterns with ``*`` that the shell left as they are, or ``-`` for stdin.

    Returns:
        Paths; None stands for stdin.

    Raises:
        UsageError: a folder or a pattern holds no picture.
        PictureError: a folder cannot be read.
    """
    found: list[Path | None] = []
    for text in inputs:
        path = Path(text)
        if text == PIPE:
            found.append(None)
        elif _is_folder(path):
            found.extend(_pictures_in(path))
        elif "*" in text and not os.path.lexists(path):
            matches = _matches(path)
            if not matches:
                raise UsageError(f"no file fits {text!r}; check the pattern")
            found.extend(matches)
        else:
            found.append(path)
    return list(dict.fromkeys(found))


def _is_folder(path: Path) -> bool:
    """Return whether ``path`` is a folder; what cannot be looked at is none."""
    try:
        return path.is_dir()
    except OSError:  # a name that is too long, a folder above that may not be entered
        return False


def _matches(pattern: Path) -> list[Path]:
    """Return the files that fit ``pattern`` by name."""
    try:
        return sorted(pattern.parent.glob(pattern.name))
    except OSError as error:
        raise _unreadable(pattern.parent, error) from error


def _unreadable(folder: Path, error: OSError) -> PictureError:
    """Word that a folder cannot be read."""
    why = (error.strerror or str(error)).lower()
    return PictureError(f"the folder {folder} cannot be read ({why}); check its permissions")


def _pictures_in(folder: Path) -> list[Path]:
    """Return the pictures right inside ``folder`` by name, without results of earlier runs."""
    endings = _endings()
    try:
        pictures = sorted(
            path
            for path in folder.iterdir()
            if path.suffix.lower() in endings
            and not path.name.startswith(".")
            and not path.stem.endswith(MARK)
            and f"{MARK}." not in path.name
            and path.is_file()
        )
    except OSError as error:
        raise _unreadable(folder, error) from error
    if not pictures:
        raise UsageError(
            f"the folder {folder} holds no pictures to color; "
            "folders inside it and *.color.* files are left out"
        )
    return pictures


def _endings() -> dict[str, str]:
    """Return every file name ending that can be read, and the ending of its colored copy."""
    return {
        ending: ending if kind.writes else ".png"
        for kind in photo.formats()
        if kind.reads
        for ending in kind.suffixes
    }


def plan(inputs: Sequence[str], *, output: str | None, file_format: str | None = None) -> list[Job]:
    """Decide which file becomes which, before any work is done.

    Args:
        inputs: files, folders, patterns or ``-``, as `gather` takes them.
        output: a file, a folder (it exists, ends with a slash, or there are several pictures),
            ``-`` for stdout, or None: beside each input as ``<name>.color<ending>``.
        file_format: a format's name, or None: as the output's ending says, else the input's.

    Returns:
        One job for each picture.

    Raises:
        UsageError: two results would have one name, a result would replace an input, or the
            output does not fit the pictures.
    """
    sources = gather(inputs)
    several = len(sources) > 1 or any(_is_folder(Path(text)) for text in inputs if text != PIPE)
    if output == PIPE or (output is None and sources == [None]):
        if several:
            raise UsageError("several pictures cannot all go to stdout; give -o FOLDER")
        return [Job(sources[0], None)]
    if None in sources and several:
        raise UsageError("stdin (-) cannot be mixed with files; color it with a command of its own")
    folder = _output_folder(output, several=several)
    if output is not None and folder is None:
        jobs = [Job(sources[0], _checked(Path(output), file_format=file_format))]
    else:
        jobs = [
            Job(source, _beside(source, folder=folder, file_format=file_format))
            for source in sources
        ]
    _refuse_collisions(jobs)
    return jobs


def _output_folder(output: str | None, *, several: bool) -> Path | None:
    """Return ``output`` as a folder if it stands for one."""
    if output is None:
        return None
    path = Path(output)
    if _is_folder(path) or output.endswith(("/", "\\")):
        return path
    if not several:
        return None
    if os.path.lexists(path):
        raise UsageError(f"several pictures need a folder, but {path} is a file; give -o FOLDER")
    return path


def _checked(target: Path, *, file_format: str | None) -> Path:
    """Return ``target`` if its ending can be written and goes with ``file_format``.

    A name without an ending of a picture says no format; then ``file_format`` alone does.
    """
    if file_format is not None and target.suffix.lower() not in _endings():
        return target
    if photo.format_of(target) != (file_format or photo.format_of(target)):
        raise UsageError(
            f"{target} does not end like --format {file_format}; leave one of the two out"
        )
    return target


def _beside(source: Path | None, *, folder: Path | None, file_format: str | None) -> Path:
    """Return ``<name>.color<ending>`` in ``folder``, or beside the source.

    Without an ending that is known there is none; it is added when the picture is open.
    """
    name, ending = ("stdin", "") if source is None else (source.stem, source.suffix)
    if file_format is not None:
        ending = next(kind.suffixes[0] for kind in photo.formats() if kind.name == file_format)
    else:
        written = _endings().get(ending.lower(), "")
        ending = ending if written == ending.lower() else written
    name = f"{name}{MARK}{ending}"
    return source.with_name(name) if folder is None and source else (folder or Path()) / name


def _refuse_collisions(jobs: Sequence[Job]) -> None:
    """Raise UsageError when a result would replace an input or another result."""
    inputs = _inputs(jobs)
    taken: dict[str, Job] = {}
    for job in jobs:
        if job.target is None:
            continue
        if not inputs.isdisjoint(identities(job.target)):
            raise UsageError(
                f"the result {job.target} would replace an input; give another name with -o"
            )
        target = _real(job.target)
        if target in taken:
            raise UsageError(
                f"{taken[target].source} and {job.source} would both become {job.target}; "
                "color them into different folders"
            )
        taken[target] = job


def _real(path: Path) -> str:
    """Return the path without links; one that no file can have stays as it is."""
    try:
        return os.path.realpath(path)
    except (OSError, ValueError):
        return str(path)


def identities(path: Path) -> set[Identity]:
    """Return everything by which the file at ``path`` is told from others; it may not exist."""
    found: set[Identity] = {_real(path)}
    with suppress(OSError, ValueError):
        status = path.stat()
        found.add((status.st_dev, status.st_ino))
    return found


def _inputs(jobs: Sequence[Job]) -> set[Identity]:
    """Return the identities of all inputs."""
    return {one for job in jobs if job.source is not None for one in identities(job.source)}


def color_all(jobs: Sequence[Job], *, colorizer: Colorizer, settings: Settings) -> Iterator[Result]:
    """Color one picture after the other; a failure becomes a `Result` with an error.

    Args:
        jobs: what `plan` gave.
        colorizer: the model to color with.
        settings: hints, strength and so on, the same for every picture.

    Yields:
        One result for each picture, or for each page with ``settings.all_pages``.
    """
    reserved = dict.fromkeys(_inputs(jobs), "is one of the inputs")
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
        from tinct import layers  # noqa: PLC0415

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
