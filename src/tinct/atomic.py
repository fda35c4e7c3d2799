"""Write files so that a target is either as it was before or complete, whatever happens.

The content goes to a temporary name in the same folder, is forced to the disk, and then takes the
target's name in one step. When nothing may be overwritten that step is a hard link, which fails if
somebody else was faster.
"""

from __future__ import annotations

import errno
import os
import shutil
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
    temporary = target.with_name(f".tinct-{os.urandom(6).hex()}.part")
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
