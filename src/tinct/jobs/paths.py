"""Decide which file becomes which, before any picture is opened.

What cannot end well is refused here: an output that is an input, many pictures with one output.
"""

from __future__ import annotations

import fnmatch
import os
from collections import Counter
from collections.abc import Callable, Container, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from tinct import photo
from tinct.errors import PictureError, UsageError

PIPE = "-"  # stdin as a source, stdout as a target
MARK = ".color"  # photo.jpg -> photo.color.jpg

Identity = str | tuple[int, int]
"""What tells files apart: the real path, or the device and number of a file that exists."""


@dataclass(frozen=True)
class Job:
    """One picture and where its result goes; ``None`` stands for stdin and stdout.

    Attributes:
        source: the picture.
        target: the result, as far as its name is known before the picture is open.
        root: the folder that keeps the journal of the result; None: it has none.
    """

    source: Path | None
    target: Path | None
    root: Path | None = None


NOTED = (b"algorithmicallyEnhanced", b"tinct ")
"""What stands in the metadata of pictures that tinct has colored."""

UNREAD = {
    ".heic": "pip install 'tinct[heic]' reads them",
    ".heif": "pip install 'tinct[heic]' reads them",
    ".jxl": "pip install 'tinct[formats]' reads them",
    **dict.fromkeys((".svg", ".pdf", ".xcf", ".kra", ".exr"), "save them as TIFF"),
    **dict.fromkeys((".dng", ".cr2", ".cr3", ".nef", ".arw", ".raf", ".orf"), "develop them first"),
}
"""Endings of pictures that may lie in a folder unread, and what helps."""

Tell = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Choice:
    """Which pictures of a folder are meant.

    Attributes:
        recursive: also those in folders inside it; hidden ones are left out.
        pattern: of names (``*.tif``), or of paths in the folder (``1931/*.tif``); None: all.
        without: a folder that is left out, that of the results.
        empty: whether a folder without pictures is no mistake.
    """

    recursive: bool = False
    pattern: str | None = None
    without: Path | None = None
    empty: bool = False

    def fits(self, path: Path, folder: Path) -> bool:
        """Tell whether a picture in a folder is meant."""
        if self.pattern is None:
            return True
        name = path.relative_to(folder).as_posix() if "/" in self.pattern else path.name
        return fnmatch.fnmatch(name.lower(), self.pattern.lower())


def gather(
    inputs: Sequence[str], *, choice: Choice | None = None, tell: Tell | None = None
) -> dict[Path | None, Path | None]:
    """Return the pictures that ``inputs`` stand for, in order, each once.

    Args:
        inputs: files, folders (the pictures in them, without the results of earlier runs),
            patterns with ``*`` that the shell left as they are, or ``-`` for stdin. Pictures that
            tinct has colored are left out unless they are named alone.
        choice: which pictures of folders; None means all right inside.
        tell: is told, in sentences, what is left out.

    Returns:
        The pictures, each with the folder it was found in, or None where it was named itself; a
        picture that is None stands for stdin.

    Raises:
        UsageError: a folder or a pattern holds no picture.
        PictureError: a folder cannot be read.
    """
    found: dict[Path | None, Path | None] = {}
    for text in inputs:
        path = Path(text)
        folder = None
        if text == PIPE:
            more: Sequence[Path | None] = [None]
        elif _is_folder(path):
            folder = path
            more = _pictures_in(path, choice=choice or Choice(), tell=tell)
        elif "*" in text and not os.path.lexists(path):
            more = _matches(path)
            if not more:
                raise UsageError(f"no file fits {text!r}; check the pattern")
        else:
            more = [path]
        for one in more:
            found.setdefault(one, folder)
    if len(found) < 2:
        return found
    fresh = {
        path: folder for path, folder in found.items() if path is None or not _was_colored(path)
    }
    if not fresh:
        raise UsageError("all these pictures are results of tinct already; name one to color it")
    if tell is not None and len(fresh) < len(found):
        tell(f"{len(found) - len(fresh)} results of earlier runs were left out")
    return fresh


def _was_colored(path: Path) -> bool:
    """Tell whether a file is a result of tinct, by its name and by the note in it."""
    if f"{MARK}." not in path.name and not path.stem.endswith(MARK):
        return False
    try:
        with path.open("rb") as file:
            head = file.read(1 << 17)
            file.seek(max(0, path.stat().st_size - (1 << 17)))
            content = head + file.read()
    except OSError:  # what cannot be read is told when its turn comes
        return False
    return all(sign in content for sign in NOTED)


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


def _pictures_in(folder: Path, *, choice: Choice, tell: Tell | None = None) -> list[Path]:
    """Return the pictures in ``folder`` by name, without results of earlier runs."""
    endings = _endings()
    try:
        files = sorted(_files_in(folder, choice=choice, tell=tell))
        pictures = [
            path
            for path in files
            if is_picture(path, endings) and choice.fits(path, folder) and path.is_file()
        ]
    except OSError as error:
        raise _unreadable(folder, error) from error
    unread = Counter(path.suffix.lower() for path in files) if tell is not None else Counter()
    for ending, remedy in UNREAD.items():
        if tell is not None and unread[ending] and ending not in endings:
            tell(f"{folder}: {unread[ending]} {ending} files were left out; {remedy}")
    if not pictures and not choice.empty:
        left = "*.color.* files are left out"
        if choice.pattern is not None:
            left = f"none fits {choice.pattern!r}"
        elif not choice.recursive:
            left = f"folders inside it (--recursive takes them) and {left}"
        raise UsageError(f"the folder {folder} holds no pictures to color; {left}")
    return pictures


def is_picture(path: Path, endings: Container[str] | None = None) -> bool:
    """Tell by its name whether a file is a picture to be colored, and no result of tinct.

    Args:
        path: the file.
        endings: that can be read; None: find out.
    """
    return (
        path.suffix.lower() in (_endings() if endings is None else endings)
        and not path.name.startswith(".")
        and not path.stem.endswith(MARK)
        and f"{MARK}." not in path.name
    )


def result_of(source: Path, *, file_format: str | None) -> Path:
    """Return the name of a picture's result beside it."""
    return _beside(source, folder=None, file_format=file_format)


def _files_in(folder: Path, *, choice: Choice, tell: Tell | None) -> Iterator[Path]:
    """Yield what lies in ``folder``, and where it is wished, in the folders inside it."""
    if not choice.recursive:
        yield from folder.iterdir()
        return

    def failed(error: OSError) -> None:
        told = _unreadable(Path(os.fsdecode(error.filename or folder)), error)
        if tell is None or error.filename in (None, str(folder)):
            raise told
        tell(f"{str(told).removesuffix('.')}; it was left out")

    without = None if choice.without is None else _real(choice.without)
    for inside, folders, names in os.walk(folder, onerror=failed):
        at = Path(inside)
        folders[:] = [
            name for name in sorted(folders) if name[0] != "." and _real(at / name) != without
        ]
        yield from (at / name for name in names)


@lru_cache(maxsize=1)
def _endings() -> dict[str, str]:
    """Return every file name ending that can be read, and the ending of its colored copy."""
    return {
        ending: ending if kind.writes else ".png"
        for kind in photo.formats()
        if kind.reads
        for ending in kind.suffixes
    }


def plan(
    inputs: Sequence[str],
    *,
    output: str | None,
    file_format: str | None = None,
    choice: Choice | None = None,
    tell: Tell | None = None,
) -> list[Job]:
    """Decide which file becomes which, before any work is done.

    Args:
        inputs: files, folders, patterns or ``-``, as `gather` takes them.
        output: a file, a folder (it exists, ends with a slash, or there are several pictures),
            ``-`` for stdout, or None: beside each input as ``<name>.color<ending>``.
        file_format: a format's name, or None: as the output's ending says, else the input's.
        choice: which pictures of folders; None means all right inside. Results of those in folders
            inside it lie in such folders, too.
        tell: is told, in sentences, what is left out.

    Returns:
        One job for each picture; of results that would have one name, the later ones get a number.

    Raises:
        UsageError: a result would replace an input, or the output does not fit the pictures.
    """
    _real_folder.cache_clear()  # somebody may have moved them since the last plan
    _endings.cache_clear()
    choice = choice or Choice()
    if output is not None and output != PIPE:
        choice = replace(choice, without=Path(output))
    found = gather(inputs, choice=choice, tell=tell)
    sources = list(found)
    if not sources:
        return []
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
            _job(source, base, folder=folder, file_format=file_format, several=several)
            for source, base in found.items()
        ]
    jobs = apart(jobs)
    _refuse_collisions(jobs)
    return jobs


def _job(
    source: Path | None,
    base: Path | None,
    *,
    folder: Path | None,
    file_format: str | None,
    several: bool,
) -> Job:
    """Return the job of one picture.

    Args:
        source: the picture.
        base: the folder it was found in, or None.
        folder: of the results; None: beside the pictures.
        file_format: a format's name, or None.
        several: whether it is one of several.
    """
    root = folder
    if folder is None and source is not None and several:
        root = base or source.parent
    if folder is not None and base is not None and source is not None:
        folder = folder / source.parent.relative_to(base)
    return Job(source, _beside(source, folder=folder, file_format=file_format), root)


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
    if path.suffix.lower() in _endings():
        raise UsageError(
            f"several pictures cannot all become {path}; name a folder, as in -o {path.stem}/"
        )
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


def apart(jobs: Sequence[Job]) -> list[Job]:
    """Give results of one name numbers: a.color.jpg, a-2.color.jpg."""
    taken: set[str] = set()
    apart = []
    for job in jobs:
        target, number = job.target, 1
        while target is not None and _real(target) in taken:
            assert job.target is not None
            number += 1
            stem, mark, rest = job.target.name.rpartition(MARK)
            name = f"{stem}-{number}{mark}{rest}" if mark else f"{number}-{job.target.name}"
            target = job.target.with_name(name)
        if target is not None:
            taken.add(_real(target))
        apart.append(replace(job, target=target))
    return apart


def _refuse_collisions(jobs: Sequence[Job]) -> None:
    """Raise UsageError when a result would replace an input."""
    inputs = inputs_of(jobs)
    for job in jobs:
        if job.target is not None and not inputs.isdisjoint(identities(job.target)):
            raise UsageError(
                f"the result {job.target} would replace an input; give another name with -o"
            )


def _real(path: Path) -> str:
    """Return the path without links; one that no file can have stays as it is."""
    try:
        # Of 40 000 files: many lie in few folders, which are resolved once, without pathlib.
        folder, name = os.path.split(path)
        if name in ("", "..") or os.path.islink(path):  # noqa: PTH114
            return os.path.realpath(path)
        return f"{_real_folder(os.getcwd(), folder)}{os.sep}{name}"  # noqa: PTH109
    except (OSError, ValueError):
        return str(path)


@lru_cache(maxsize=4096)
def _real_folder(base: str, folder: str) -> str:
    return os.path.realpath(Path(base, folder)).rstrip(os.sep)


def identities(path: Path) -> set[Identity]:
    """Return everything by which the file at ``path`` is told from others; it may not exist."""
    found: set[Identity] = {_real(path)}
    with suppress(OSError, ValueError):
        status = path.stat()
        found.add((status.st_dev, status.st_ino))
    return found


def inputs_of(jobs: Sequence[Job]) -> set[Identity]:
    """Return the identities of all inputs."""
    return {one for job in jobs if job.source is not None for one in identities(job.source)}
