"""What was done, kept beside the results, so that the same command again does only the rest.

SQLite, from the standard library, in WAL mode: of 40 000 lines one is found without reading the
others, two jobs may write at once, and a line is either whole or absent after a power cut, which
JSON lines would have to be taught.

A picture's line is written when its result is complete under a temporary name, before that takes
its final one. So a result on the disk is ours if, and only if, it has the hash in its line: killed
before the last step, the line says what is not there, and the picture is colored again. Nothing
that somebody else wrote, or changed afterwards, is taken for ours.
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tinct import __version__
from tinct.atomic import failure
from tinct.errors import SaveError
from tinct.hints.files import as_json

if TYPE_CHECKING:
    from tinct.settings import Settings

NAME = ".tinct-journal.sqlite"
VERSION = 1
PATIENCE = 60.0  # seconds to wait for another job's line to be written
CHUNK = 1 << 20  # bytes read at once


@dataclass(frozen=True)
class Stamp:
    """By which a file that has not changed is known without reading it.

    Attributes:
        size: bytes.
        time: of the last change, nanoseconds since 1970.
    """

    size: int
    time: int

    @classmethod
    def of(cls, path: Path) -> Stamp:
        """Return the stamp of a file.

        Raises:
            OSError: there is none, or it cannot be looked at.
        """
        status = path.stat()
        return cls(status.st_size, status.st_mtime_ns)


@dataclass(frozen=True, kw_only=True)
class Line:
    """What the journal holds of one result.

    Attributes:
        name: of the result as planned, relative to the journal's folder.
        result: its name as written; another than ``name`` where the ending followed the content.
        source: absolute path of the picture.
        source_size: bytes.
        source_time: of its last change, nanoseconds since 1970.
        source_hash: SHA-256 of its content, hexadecimal, like the other hashes.
        settings_hash: of everything that decides the result besides picture and model.
        model_hash: of the model, or of all that could have been chosen.
        result_size: as for the source.
        result_time: likewise.
        result_hash: likewise.
        former_hash: of the result of ours that this one replaces, or empty.
        model: name of the model that colored it.
        width: pixels.
        height: pixels.
        seconds: that it took.
        doubt: how unsure the model is, 0 to 1; below 0: not asked.
        finished: seconds since 1970.
        tinct: version of the program.
    """

    name: str
    result: str
    source: str
    source_size: int
    source_time: int
    source_hash: str
    settings_hash: str
    model_hash: str
    result_size: int
    result_time: int
    result_hash: str
    former_hash: str = ""
    model: str = ""
    width: int = 0
    height: int = 0
    seconds: float = 0.0
    doubt: float = -1.0
    finished: float = 0.0
    tinct: str = __version__

    @property
    def source_stamp(self) -> Stamp:
        """The picture's stamp."""
        return Stamp(self.source_size, self.source_time)

    @property
    def result_stamp(self) -> Stamp:
        """The result's stamp."""
        return Stamp(self.result_size, self.result_time)


@dataclass(frozen=True)
class Standing:
    """How a result stands before any work.

    Attributes:
        line: what the journal says of it, or None.
        done: it is there, ours, and what would come out again.
        ours: it is there, ours, and of the same picture: it may be replaced.
        source_hash: of the picture, where it had to be read; else empty.
    """

    line: Line | None = None
    done: bool = False
    ours: bool = False
    source_hash: str = ""


COLUMNS = tuple(field.name for field in fields(Line))


class Journal:
    """The journal of one folder of results; safe to use from several threads.

    Args:
        folder: of the results; made if it is missing.

    Raises:
        SaveError: the folder cannot be made or written, or the journal is damaged.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / NAME
        self._lock = threading.Lock()
        try:
            folder.mkdir(parents=True, exist_ok=True)
            # SQLite says of all failures that it is "unable to open"; the system says why.
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o666))
        except (OSError, ValueError) as error:
            raise failure(folder, error) from error
        with self._told():
            self._base = sqlite3.connect(
                self.path, timeout=PATIENCE, isolation_level=None, check_same_thread=False
            )
            _prepare(self._base, self.path)

    def close(self) -> None:
        """Close the journal; nothing is lost if this never happens."""
        with self._lock, suppress(sqlite3.Error):
            self._base.close()

    def find(self, target: Path) -> Line | None:
        """Return the line of a result by its planned name, or None.

        Raises:
            SaveError: the journal cannot be read.
        """
        query = f"SELECT {', '.join(COLUMNS)} FROM results WHERE name = ?"
        with self._told(), self._lock:
            row = self._base.execute(query, (_stored(self.name_of(target)),)).fetchone()
        return None if row is None else _line(row)

    def look(
        self, target: Path, source: Path, stamp: Stamp, *, settings: str, model: str
    ) -> Standing:
        """Find out whether a picture is done.

        Files whose size and time are still those in the journal are not read.

        Args:
            target: the result as planned.
            source: the picture.
            stamp: of the picture.
            settings: hash of the settings.
            model: hash of the model.

        Raises:
            SaveError: the journal cannot be read.
            OSError: the picture cannot be read.
        """
        line = self.find(target)
        if line is None:
            return Standing()
        found = self._lying(line)
        if not found:
            return Standing(line)
        same_place = line.source == absolute(source)
        read = ""
        if not (same_place and stamp == line.source_stamp):
            read = hash_file(source)
        same = read in ("", line.source_hash)
        wanted = (line.settings_hash, line.model_hash) == (settings, model)
        done = same and wanted and found == line.result_hash
        if done:
            self._stamp(line, source, stamp)
        return Standing(line, done=done, ours=same or same_place, source_hash=read)

    def compose(self, target: Path, *, temporary: Path, result: Path, **values: Any) -> Line:
        """Return the line for a result that is complete under a temporary name.

        Args:
            target: the result as planned.
            temporary: where the complete result lies now.
            result: the name it will have.
            **values: the other values of :class:`Line` by name.

        Raises:
            SaveError: the journal cannot be read.
            OSError: the temporary file cannot be read.
        """
        before = self.find(target)
        former = ""
        if before is not None:
            former = self._lying(before)
            if not os.path.lexists(result):  # another job may be about to write it
                former = before.result_hash
        stamp = Stamp.of(temporary)
        return Line(
            name=self.name_of(target),
            result=self.name_of(result),
            result_size=stamp.size,
            result_time=stamp.time,
            result_hash=hash_file(temporary),
            former_hash=former,
            finished=time.time(),
            **values,
        )

    def _stamp(self, line: Line, source: Path, stamp: Stamp) -> None:
        """Note where and when known content lies, so that it need not be read the next time."""
        try:
            result = Stamp.of(self.folder / line.result)
        except OSError:
            return
        now = replace(
            line,
            source=absolute(source),
            source_size=stamp.size,
            source_time=stamp.time,
            result_size=result.size,
            result_time=result.time,
        )
        if now != line:
            self.write(now)

    def _lying(self, line: Line) -> str:
        """Return the hash of the file that lies there if it is ours, else nothing."""
        path = self.folder / line.result
        try:
            found = line.result_hash if Stamp.of(path) == line.result_stamp else hash_file(path)
        except OSError:
            return ""
        return found if found in (line.result_hash, line.former_hash) else ""

    def write(self, line: Line) -> None:
        """Write a line, in the place of an earlier one of the same name.

        The earlier one's result stays known as ours until the new one takes its place.

        Raises:
            SaveError: the journal cannot be written.
        """
        values = [_stored(getattr(line, name)) for name in COLUMNS]
        places = ", ".join("?" * len(COLUMNS))
        command = f"INSERT OR REPLACE INTO results ({', '.join(COLUMNS)}) VALUES ({places})"
        with self._told(), self._lock:
            self._base.execute(command, values)

    def lines(self) -> Iterator[Line]:
        """Yield all lines by name.

        Raises:
            SaveError: the journal cannot be read.
        """
        query = f"SELECT {', '.join(COLUMNS)} FROM results ORDER BY name"
        with self._told(), self._lock:
            rows = self._base.execute(query).fetchall()
        return map(_line, rows)

    def forget(self, target: Path) -> None:
        """Remove the line of a result by its planned name.

        Raises:
            SaveError: the journal cannot be written.
        """
        with self._told(), self._lock:
            name = _stored(self.name_of(target))
            self._base.execute("DELETE FROM results WHERE name = ?", (name,))

    def name_of(self, target: Path) -> str:
        """Return a result's name relative to the journal's folder."""
        return target.relative_to(self.folder).as_posix()

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Word what SQLite says."""
        try:
            yield
        except sqlite3.Error as error:
            raise SaveError(
                f"The journal {self.path} cannot be used: {str(error).lower()}; check the free "
                "space and the permissions, or remove the journal: results that are there are "
                "then not known to be done."
            ) from error


def hash_file(path: Path) -> str:
    """Return the SHA-256 of a file's content, hexadecimal.

    Raises:
        OSError: it cannot be read.
    """
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while part := file.read(CHUNK):
            digest.update(part)
    return digest.hexdigest()


def hash_settings(settings: Settings, **more: Any) -> str:
    """Return the SHA-256 of settings, hexadecimal.

    Args:
        settings: how pictures are colored.
        **more: plain values that also decide what the results are.
    """
    palette = settings.reference
    held = {
        "hints": [as_json(hint) for hint in settings.hints],
        "strength": settings.strength,
        "quality": settings.quality,
        "flat": settings.flat,
        "reference": palette and [palette.mean.tolist(), palette.covariance.tolist()],
        **({"warmth": settings.warmth} if settings.warmth else {}),  # journals are older than it
        **more,
    }
    return hashlib.sha256(json.dumps(held, sort_keys=True).encode("ascii")).hexdigest()


def _prepare(base: sqlite3.Connection, path: Path) -> None:
    """Make the table, or check that it is one that is known here."""
    _use_wal(base)
    # A result must never be on the disk without its line, not even after a power cut.
    base.execute("PRAGMA synchronous = FULL")
    base.execute("BEGIN IMMEDIATE")  # another job may begin at the same moment
    try:
        (version,) = base.execute("PRAGMA user_version").fetchone()
        if version not in (0, VERSION):
            raise SaveError(
                f"The journal {path} was written by another version of tinct (form {version}); use "
                "that, or give another folder with -o."
            )
        kinds = {"str": "", "int": "INTEGER", "float": "REAL"}
        columns = ", ".join(f"{field.name} {kinds[str(field.type)]}" for field in fields(Line))
        base.execute(f"CREATE TABLE IF NOT EXISTS results ({columns}, PRIMARY KEY (name))")
        if version == 0:
            base.execute(f"PRAGMA user_version = {VERSION}")
    finally:
        if base.in_transaction:  # a full disk has ended it already
            base.execute("COMMIT")


def _use_wal(base: sqlite3.Connection) -> None:
    """Keep the journal as a write-ahead log.

    SQLite does not wait for another process that makes the same change, whatever its time limit.
    """
    until = time.monotonic() + PATIENCE
    while True:
        try:
            base.execute(
                "PRAGMA journal_mode = WAL"
            )  # network folders without shared memory refuse
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > until:
                raise
        time.sleep(0.02)


def _stored(value: Any) -> Any:
    """Return a value as SQLite takes it: names that are no text as their bytes."""
    if isinstance(value, str):
        try:
            value.encode("utf-8")
        except UnicodeEncodeError:
            return os.fsencode(value)
    return value


def _line(row: tuple[Any, ...]) -> Line:
    values = [os.fsdecode(value) if isinstance(value, bytes) else value for value in row]
    held: dict[str, Any] = dict(zip(COLUMNS, values, strict=True))
    return Line(**held)


def absolute(path: Path) -> str:
    """Return the absolute path as text, links left as they are."""
    return str(Path.cwd() / path)
