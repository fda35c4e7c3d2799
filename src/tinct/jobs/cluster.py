"""Very many pictures on many machines: a pipeline of Ray Data. Needs the extra [ray].

Pictures are read by tasks, colored by a pool of actors that hold one model each, and written by
them, on any file system that pyarrow or fsspec knows. What became of every picture is a row of a
table in Parquet, failures too. A second run colors what is not there, what failed, and what was
made otherwise.
"""

from __future__ import annotations

import hashlib
import os
import time
import warnings
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from tinct import photo
from tinct.errors import MissingExtraError, PictureError, SaveError, TinctError, UsageError
from tinct.jobs.journal import hash_settings
from tinct.jobs.paths import Job, apart, is_picture, result_of
from tinct.router import open_model
from tinct.settings import Settings

REPORTS = ".tinct-cluster"
WHOLE = ("s3", "gcs", "abfs")  # stores where an object is there when it is whole, and not before
BATCH = 4  # pictures that an actor is given at once
ROWS = 5000  # of a report that are written together
COLUMNS = ("run", "name", "result", "size", "time", "settings", "model", "hash", "seconds", "error")


@dataclass(frozen=True)
class Place:
    """A folder on any file system.

    Attributes:
        system: of pyarrow.
        folder: a path on it, without an ending slash.
    """

    system: Any
    folder: str

    def at(self, name: str) -> str:
        """Return the path of something in the folder."""
        return f"{self.folder}/{name}" if self.folder else name

    def files(self, *, below: str = "") -> dict[str, tuple[int, int]]:
        """Return the files in the folder by name, with size and time in nanoseconds."""
        from pyarrow import fs  # noqa: PLC0415

        selector = fs.FileSelector(self.at(below) if below else self.folder, True, True)
        cut = len(self.folder) + 1 if self.folder else 0
        return {
            info.path[cut:]: (info.size or 0, info.mtime_ns or 0)
            for info in self.system.get_file_info(selector)
            if info.is_file
        }

    def read(self, name: str) -> bytes:
        """Return the content of a file."""
        with self.system.open_input_stream(self.at(name)) as stream:
            data: bytes = stream.read()
        return data

    def write(self, name: str, data: bytes) -> None:
        """Write a file, whole or not at all."""
        path = self.at(name)
        if self.system.type_name in WHOLE:
            with self.system.open_output_stream(path) as stream:
                stream.write(data)
            return
        folder, _, last = path.rpartition("/")
        self.system.create_dir(folder, recursive=True)
        temporary = f"{folder}/.tinct-{os.urandom(6).hex()}-{last[-40:]}.part"
        try:
            with self.system.open_output_stream(temporary) as stream:
                stream.write(data)
            self.system.move(temporary, path)
        except OSError:
            self.system.delete_file(temporary)
            raise


@dataclass(frozen=True)
class Tally:
    """How many pictures were colored, done already, failed, in how many seconds; some reasons."""

    colored: int
    skipped: int
    failed: int
    seconds: float
    failures: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain values for JSON."""
        return {**asdict(self), "failures": list(self.failures)}

    def summary(self) -> str:
        """Return one line about the run."""
        parts = [f"{self.colored} colored"]
        if self.colored and self.seconds:
            parts[0] += f", {self.colored / self.seconds:.2f} a second"
        if self.skipped:
            parts.append(f"{self.skipped} done already")
        if self.failed:
            parts.append(f"{self.failed} failed")
        return "; ".join(parts)


@dataclass(frozen=True, kw_only=True)
class Crew:
    """Who works.

    Attributes:
        workers: actors that hold a model each; None: as many as the cluster has room for.
        cores: for each.
        gpus: for each; a share below 1 lets several actors use one.
        address: of a running cluster, None: this machine alone.
    """

    workers: int | None = None
    cores: int = 1
    gpus: float = 0.0
    address: str | None = None


def ray() -> Any:
    """Return Ray with its data library.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        import ray  # noqa: PLC0415
        import ray.data  # noqa: PLC0415
    except ImportError as error:
        raise MissingExtraError(
            "Clusters need Ray: pip install 'tinct[ray]' (from a checkout: pip install '.[ray]')."
        ) from error
    return ray


def place_of(uri: str) -> Place:
    """Return the folder that a path or URI names.

    Raises:
        UsageError: no file system is known for it.
    """
    from pyarrow import fs  # noqa: PLC0415

    try:
        if "://" not in uri:
            return Place(fs.LocalFileSystem(), os.path.realpath(uri))
        try:
            system, folder = fs.FileSystem.from_uri(uri)
        except (ValueError, OSError):
            import fsspec  # noqa: PLC0415

            found, folder = fsspec.core.url_to_fs(uri)
            system = fs.PyFileSystem(fs.FSSpecHandler(found))
    except (ImportError, ValueError, OSError) as error:
        raise UsageError(
            f"{uri!r} cannot be reached ({str(error).splitlines()[0]}); give a folder, or a URI "
            "that pyarrow or fsspec knows, such as s3://bucket/folder."
        ) from error
    return Place(system, folder.rstrip("/"))


def color_cluster(
    source: str,
    target: str,
    *,
    model: str = "auto",
    device: str = "auto",
    settings: Settings | None = None,
    file_format: str | None = None,
    crew: Crew | None = None,
    force: bool = False,
) -> Tally:
    """Color all pictures of a folder into another, on a cluster of machines.

    Args:
        source: a folder's path or URI; folders inside it are taken, too.
        target: likewise; results lie in folders of the same names.
        model: as for :func:`tinct.router.open_model`, on every machine.
        device: likewise.
        settings: the same for all; None means the defaults.
        file_format: of the results; None: the pictures' own where tinct writes it.
        crew: None means one actor for each core of this machine.
        force: color again what is done.

    Raises:
        MissingExtraError: Ray is not installed.
        UsageError: the source holds no picture, or a URI names no file system.
        SaveError: the target cannot be written.
    """
    running = ray()
    settings, crew = settings or Settings(), crew or Crew()
    here, there = place_of(source), place_of(target)
    wanted = hash_settings(settings, file_format=file_format)
    front = open_model(model, device="cpu", threads=1)  # a mistake is told before a cluster starts
    try:
        pictures = {name: info for name, info in here.files().items() if is_picture(Path(name))}
        if not pictures:
            raise UsageError(f"{source} holds no pictures to color; name another folder.")
        results = dict(_named(pictures, file_format=file_format))
        done = set() if force else _done(there, pictures, results, wanted, front.sha256)
    except OSError as error:
        raise SaveError(f"{source} or {target} cannot be used ({error}); check both.") from error
    report = f"{REPORTS}/{time.strftime('%Y%m%d-%H%M%S')}-{os.urandom(3).hex()}"
    rows = [
        {
            "run": report,
            "name": name,
            "result": result,
            "size": pictures[name][0],
            "time": pictures[name][1],
            "settings": wanted,
            "model": front.sha256,
        }
        for name, result in results.items()
        if name not in done
    ]
    seconds = 0.0
    if rows:
        work = _Work(model, device, crew.cores, settings, file_format, here, there)
        seconds = _run(running, rows, report, work, crew)
    table = [row for row in _reports(there) if row["run"] == report] if rows else []
    failures = [f"{row['name']}: {row['error']}" for row in table if row["error"]]
    return Tally(
        colored=len(table) - len(failures),
        skipped=len(done),
        failed=len(failures),
        seconds=seconds,
        failures=tuple(failures[:20]),
    )


def _named(pictures: Iterable[str], *, file_format: str | None) -> Iterable[tuple[str, str]]:
    """Yield pictures and the names of their results, no two of them the same."""
    jobs = [
        Job(Path(name), Path("/") / result_of(Path(name), file_format=file_format))
        for name in sorted(pictures)
    ]
    for job in apart(jobs):
        assert job.source is not None
        assert job.target is not None
        yield job.source.as_posix(), PurePosixPath(*job.target.parts[1:]).as_posix()


def _done(
    there: Place,
    pictures: dict[str, tuple[int, int]],
    results: dict[str, str],
    settings: str,
    model: str,
) -> set[str]:
    """Return the pictures whose results are there, and were not made otherwise."""
    lying = there.files()
    known = {row["name"]: row for row in _reports(there) if not row["error"]}
    done = set()
    for name, result in results.items():
        row = known.get(name)
        if lying.get(result, (0, 0))[0] == 0:
            continue
        made = (pictures[name], settings, model)
        if row is None or ((row["size"], row["time"]), row["settings"], row["model"]) == made:
            done.add(name)
    return done


def _reports(there: Place) -> list[dict[str, Any]]:
    """Return the rows of all reports, the latest last."""
    from pyarrow import parquet  # noqa: PLC0415

    rows: list[dict[str, Any]] = []
    for name in sorted(there.files(below=REPORTS)):
        if name.endswith(".parquet"):
            rows += parquet.read_table(there.at(name), filesystem=there.system).to_pylist()
    return rows


@dataclass(frozen=True)
class _Work:
    """What every actor is told."""

    model: str
    device: str
    threads: int
    settings: Settings
    file_format: str | None
    here: Place
    there: Place


class Painter:
    """An actor: one model, loaded once, that colors batches of pictures."""

    def __init__(self, work: _Work) -> None:
        self.work = work
        self.front = open_model(work.model, device=work.device, threads=work.threads)

    def __call__(self, batch: dict[str, Any]) -> dict[str, list[Any]]:
        """Color the pictures of a batch and return what became of them, without the pictures."""
        found: dict[str, list[Any]] = {name: [] for name in COLUMNS}
        for number in range(len(batch["name"])):
            row = {name: batch[name][number] for name in batch if name != "bytes"}
            began = time.monotonic()
            row["hash"] = ""
            if not row["error"]:
                row["hash"], row["error"] = self.color(batch["bytes"][number], str(row["result"]))
            row["seconds"] = time.monotonic() - began
            for name in COLUMNS:
                found[name].append(row[name])
        return found

    def color(self, data: bytes, result: str) -> tuple[str, str]:
        """Color one picture; return the hash of its result, and what went wrong."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                opened = self.front.open(bytes(data))
                colored = self.front.color(opened, self.work.settings)
                made = colored.encode(photo.format_of(result))
            self.work.there.write(result, made)
        except TinctError as error:
            return "", str(error)
        except OSError as error:
            return "", f"{result} cannot be written ({error}); check the target."
        except Exception as error:  # noqa: BLE001  (a defect of ours must not stop the others)
            return "", f"a defect of tinct: {type(error).__name__}: {error}"
        return hashlib.sha256(made).hexdigest(), ""


def _reader(here: Place) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Return a function that reads the pictures of a batch."""

    def read(batch: dict[str, Any]) -> dict[str, Any]:
        data, errors = [], []
        for name in batch["name"]:
            try:
                data.append(here.read(str(name)))
                errors.append("")
            except OSError as error:
                data.append(b"")
                errors.append(str(PictureError(f"The picture cannot be read ({error}).")))
        return {**batch, "bytes": data, "error": errors}

    return read


def _run(running: Any, rows: list[dict[str, Any]], report: str, work: _Work, crew: Crew) -> float:
    """Color all rows and write the report; return the seconds without Ray's start."""
    started = not running.is_initialized()
    if started:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is sent anywhere
        quiet = {"log_to_driver": False, "logging_level": "error"}
        if crew.address is None:
            quiet["include_dashboard"] = False
        running.init(address=crew.address, **quiet)
    try:
        import pyarrow  # noqa: PLC0415

        free = running.cluster_resources()
        room = int(free.get("GPU", 0) / crew.gpus) if crew.gpus else int(free["CPU"] / crew.cores)
        workers = max(1, min(crew.workers or room, len(rows)))
        running.data.DataContext.get_current().enable_progress_bars = False
        table = pyarrow.Table.from_pylist(rows)
        step = max(BATCH, -(-len(rows) // (64 * workers)))
        blocks = [table.slice(begin, step) for begin in range(0, len(rows), step)]
        pool = running.data.TaskPoolStrategy(size=min(2 * workers, len(blocks)))
        began = time.monotonic()
        found = (
            running.data.from_arrow(blocks)
            # Reading waits for the network or the disk and needs hardly any core; asking for one
            # would starve it beside actors that hold them all.
            .map_batches(_reader(work.here), batch_size=BATCH, num_cpus=0, compute=pool)
            .map_batches(
                Painter,
                fn_constructor_args=(work,),
                batch_size=BATCH,
                num_cpus=crew.cores,
                num_gpus=crew.gpus or None,
                compute=running.data.ActorPoolStrategy(size=workers),
            )
        )
        _write_report(found, work.there, report)
        return time.monotonic() - began
    finally:
        if started:
            running.shutdown()


def _write_report(found: Any, there: Place, report: str) -> None:
    """Write the rows of a run as they come, a file for some thousands."""
    import pyarrow  # noqa: PLC0415
    from pyarrow import parquet  # noqa: PLC0415

    held: list[Any] = []

    def write() -> None:
        stream = pyarrow.BufferOutputStream()
        parquet.write_table(pyarrow.concat_tables(held), stream)
        there.write(f"{report}-{number:06d}.parquet", stream.getvalue().to_pybytes())
        held.clear()

    number = 0
    for batch in found.iter_batches(batch_format="pyarrow", batch_size=None):
        held.append(batch.select(list(COLUMNS)))
        if sum(map(len, held)) >= ROWS:
            write()
            number += 1
    if held:
        write()
