"""Write files so that a target is either as it was before or complete, whatever happens.

The content goes to a temporary name in the same folder, is forced to the disk, and then takes the
target's name in one step. When nothing may be overwritten that step is a hard link, which fails if
somebody else was faster.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tinct.errors import SaveError

NO_LINKS = {
    errno.EPERM,
    errno.ENOTSUP,
    errno.EOPNOTSUPP,
    errno.ENOSYS,
    errno.EMLINK,
    errno.EXDEV,
    errno.EACCES,
}


PART = re.compile(r"\.tinct-(?P<host>[0-9a-f]{8})-(?P<pid>[0-9a-f]+)-[0-9a-f]{12}\.part")
"""Names of temporary files."""


@contextmanager
def replacing(
    target: Path, *, overwrite: bool, ready: Callable[[Path], None] | None = None
) -> Iterator[Path]:
    """Give a temporary path to write to, which becomes ``target`` on success.

    On any failure it is removed. A target that is a symbolic link stays one: the file it points
    at is replaced. A new file gets the permissions that new files get; a replaced one keeps its
    own.

    Args:
        target: the file to make.
        overwrite: whether an existing file may be replaced.
        ready: called with the temporary path once the content is complete and on the disk, before
            it takes the target's name; if it raises, the target stays as it is.

    Yields:
        The path of an empty file in the folder of the target.

    Raises:
        SaveError: the target exists already, or the folder or disk does not let it be written.
    """
    target = check_target(target, overwrite=overwrite)
    temporary = target.with_name(f".tinct-{_writer(os.getpid())}-{os.urandom(6).hex()}.part")
    try:
        os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    except (OSError, ValueError) as error:
        raise failure(target, error) from error
    try:
        try:
            yield temporary
            _flush(temporary)
            if ready is not None:
                ready(temporary)
            if overwrite:
                if target.exists():
                    shutil.copymode(target, temporary)
                temporary.replace(target)
            else:
                _claim(temporary, target)
        finally:
            with suppress(FileNotFoundError):
                temporary.unlink()
    except OSError as error:
        raise failure(target, error) from error
    with suppress(OSError):  # not every system lets folders be flushed
        _flush(target.parent)


def sweep(folder: Path) -> int:
    """Remove temporary files that processes left in a folder when they were killed.

    Those of processes that are still there, of other computers, and all that cannot be removed
    stay.

    Args:
        folder: where results are written; it may not exist.

    Returns:
        How many were removed.
    """
    removed = 0
    with suppress(OSError), os.scandir(folder) as found:
        for one in found:
            name = PART.fullmatch(one.name)
            if name is not None and _is_gone(int(name["pid"], 16), name["host"]):
                with suppress(OSError):
                    Path(one.path).unlink()
                    removed += 1
    return removed


def _writer(pid: int) -> str:
    """Return what tells in a file's name which process writes it, and on which computer."""
    return f"{_host()}-{pid:x}"


def _host() -> str:
    import socket  # noqa: PLC0415  (it takes longer than what it is asked)

    return f"{zlib.crc32(socket.gethostname().encode()):08x}"


def _is_gone(pid: int, host: str) -> bool:
    """Tell whether a process of this computer has ended; where that cannot be told, it has not."""
    if os.name == "nt" or host != _host():  # asking with a signal would end it there
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False


def check_target(target: Path, *, overwrite: bool) -> Path:
    """Find out early whether a target can be written, and follow a link to be overwritten.

    Raises:
        SaveError: it cannot.
    """
    try:
        with suppress(FileNotFoundError, NotADirectoryError):
            target.lstat()  # tells of names that no file can have
        if target.is_dir():
            raise SaveError(f"{target} is a folder; name a file in it.")
        if target.exists() and not target.is_file():
            raise SaveError(f"{target} is no regular file; name another (- is stdout).")
        if not overwrite and os.path.lexists(target):
            raise SaveError(
                f"{target} exists already; choose another name or allow overwriting (--overwrite)."
            )
        if target.is_symlink():
            target = Path(os.path.realpath(target))
        if not target.parent.is_dir():
            raise SaveError(f"The folder {target.parent} does not exist; create it first.")
    except (OSError, ValueError) as error:
        raise failure(target, error) from error
    return target


def failure(target: Path, error: Exception) -> SaveError:
    """Word a failure to write, with the remedy."""
    remedies = {
        errno.ENOSPC: "free some space or choose another disk",
        errno.EDQUOT: "free some space or choose another disk",
        errno.EACCES: "allow writing there or choose another folder",
        errno.EPERM: "allow writing there or choose another folder",
        errno.EROFS: "choose another folder",
        errno.ENAMETOOLONG: "choose a shorter name",
        errno.EEXIST: "choose another name or allow overwriting (--overwrite)",
    }
    code = error.errno if isinstance(error, OSError) else None
    remedy = remedies.get(code or 0, "check the name, the folder and the free space")
    reason = (getattr(error, "strerror", None) or str(error)).lower()
    return SaveError(f"{target} cannot be written: {reason}; {remedy}.")


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _claim(temporary: Path, target: Path) -> None:
    """Give a file its name only if nobody has it."""
    try:
        os.link(temporary, target)
    except FileExistsError:
        raise
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        # A disk without hard links: hold the name with an empty file, then replace that.
        os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
        try:
            temporary.replace(target)
        except BaseException:
            target.unlink()
            raise
