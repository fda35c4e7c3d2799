"""Targets are as before or complete: refusals, races, failures, links, permissions."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tinct import atomic
from tinct.errors import SaveError


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_new_file(tmp_path: Path) -> None:
    with atomic.replacing(tmp_path / "a.bin", overwrite=False) as temporary:
        assert temporary.parent == tmp_path
        temporary.write_bytes(b"new")
        assert not (tmp_path / "a.bin").exists()
    assert (tmp_path / "a.bin").read_bytes() == b"new"
    assert names(tmp_path) == ["a.bin"]
    reference = tmp_path / "plain"
    reference.touch()
    assert stat.S_IMODE((tmp_path / "a.bin").stat().st_mode) == stat.S_IMODE(
        reference.stat().st_mode
    )


def test_nothing_is_overwritten_unasked(tmp_path: Path) -> None:
    target = tmp_path / "a.bin"
    target.write_bytes(b"old")
    with (
        pytest.raises(SaveError, match="exists already"),
        atomic.replacing(target, overwrite=False),
    ):
        raise AssertionError("not reached")
    target.unlink()
    with (  # noqa: PT012 - raised where the block ends
        pytest.raises(SaveError, match="exists"),
        atomic.replacing(target, overwrite=False) as temporary,
    ):
        temporary.write_bytes(b"new")
        target.write_bytes(b"somebody was faster")
    assert target.read_bytes() == b"somebody was faster"
    assert names(tmp_path) == ["a.bin"]


def test_replacing_keeps_permissions(tmp_path: Path) -> None:
    target = tmp_path / "a.bin"
    target.write_bytes(b"old")
    target.chmod(0o640)
    with atomic.replacing(target, overwrite=True) as temporary:
        temporary.write_bytes(b"new")
    assert target.read_bytes() == b"new"
    assert stat.S_IMODE(target.stat().st_mode) == 0o640


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_any_failure_leaves_the_old_file(tmp_path: Path, error: type[BaseException]) -> None:
    target = tmp_path / "a.bin"
    target.write_bytes(b"old")
    with (  # noqa: PT012 - the file is half written then
        pytest.raises(error),
        atomic.replacing(target, overwrite=True) as temporary,
    ):
        temporary.write_bytes(b"half")
        raise error
    assert target.read_bytes() == b"old"
    assert names(tmp_path) == ["a.bin"]


@pytest.mark.parametrize(
    ("code", "remedy"),
    [
        (errno.ENOSPC, "free some space"),
        (errno.EROFS, "choose another folder"),
        (errno.EIO, "check the name"),
    ],
)
def test_failures_of_the_disk_name_the_remedy(tmp_path: Path, code: int, remedy: str) -> None:
    with pytest.raises(SaveError, match=remedy), atomic.replacing(tmp_path / "a", overwrite=False):
        raise OSError(code, os.strerror(code))
    assert names(tmp_path) == []


def test_disks_without_hard_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EPERM, "no links here")

    monkeypatch.setattr(os, "link", refuse)
    with atomic.replacing(tmp_path / "a", overwrite=False) as temporary:
        temporary.write_bytes(b"new")
    assert (tmp_path / "a").read_bytes() == b"new"
    (tmp_path / "b").touch()
    with (
        pytest.raises(SaveError, match="exists"),
        atomic.replacing(tmp_path / "c", overwrite=False),
    ):
        (tmp_path / "c").write_bytes(b"faster")
    assert (tmp_path / "c").read_bytes() == b"faster"

    def fail(*_: object) -> None:
        raise OSError(errno.EIO, "broken")

    monkeypatch.setattr(Path, "replace", fail)
    with (
        pytest.raises(SaveError, match="broken"),
        atomic.replacing(tmp_path / "d", overwrite=False),
    ):
        pass
    assert names(tmp_path) == ["a", "b", "c"]


def test_links_are_followed_when_overwriting(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    real, link = tmp_path / "folder" / "real", tmp_path / "link"
    real.write_bytes(b"old")
    link.symlink_to(real)
    with pytest.raises(SaveError, match="exists already"), atomic.replacing(link, overwrite=False):
        raise AssertionError("not reached")
    with atomic.replacing(link, overwrite=True) as temporary:
        temporary.write_bytes(b"new")
    assert link.is_symlink()
    assert real.read_bytes() == b"new"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("none/a", "does not exist; create it"),
        ("x" * 300, "shorter name"),
        ("a\0b", "cannot be written"),
        ("", "is a folder"),
    ],
)
def test_impossible_targets(tmp_path: Path, name: str, words: str) -> None:
    with pytest.raises(SaveError, match=words), atomic.replacing(tmp_path / name, overwrite=False):
        raise AssertionError("not reached")
    assert names(tmp_path) == []


def test_a_folder_that_may_not_be_written(tmp_path: Path) -> None:
    if os.geteuid() == 0:  # the superuser may write everywhere: stand on a file instead of a folder
        pytest.skip("permissions do not bind the superuser")
    tmp_path.chmod(0o500)
    try:
        with (
            pytest.raises(SaveError, match="choose another folder"),
            atomic.replacing(tmp_path / "a", overwrite=False),
        ):
            raise AssertionError("not reached")
    finally:
        tmp_path.chmod(0o700)


def test_no_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> int:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    with (
        pytest.raises(SaveError, match="permission denied; allow writing there"),
        atomic.replacing(tmp_path / "a", overwrite=False),
    ):
        raise AssertionError("not reached")


@pytest.mark.skipif(sys.platform == "win32", reason="needs limits on file sizes")
@pytest.mark.parametrize("kind", ["jpg", "png", "tif", "webp", "avif"])
def test_a_full_disk(tmp_path: Path, kind: str) -> None:
    """A limit on file sizes stands in for the full disk: writing fails in the middle."""
    target = tmp_path / f"a.{kind}"
    target.write_bytes(b"old")
    script = f"""
import resource, signal, sys
import numpy as np
from tinct.errors import SaveError
from tinct.photo import from_array, save_photo
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
picture = from_array(np.random.default_rng(0).integers(0, 256, (300, 400), dtype=np.uint8))
rgb = np.random.default_rng(0).integers(0, 256, (300, 400, 3), dtype=np.uint8)
resource.setrlimit(resource.RLIMIT_FSIZE, (9000, 9000))
try:
    save_photo(rgb, picture, {str(target)!r}, overwrite=True)
except SaveError as error:
    print(error)
    sys.exit(4)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 4, done.stderr
    assert done.stderr == ""
    assert str(target) in done.stdout
    assert len(done.stdout.splitlines()) == 1
    assert target.read_bytes() == b"old"
    assert names(tmp_path) == [target.name]


def test_a_long_name_leaves_room_for_the_temporary_one(tmp_path: Path) -> None:
    target = tmp_path / f"{'é' * 125}.png"  # 254 bytes of at most 255
    with atomic.replacing(target, overwrite=False) as temporary:
        temporary.write_bytes(b"new")
    assert target.read_bytes() == b"new"


@pytest.mark.skipif(not Path("/dev/null").exists(), reason="needs devices as files")
def test_a_device_is_never_replaced() -> None:
    with pytest.raises(SaveError, match="no regular file"):
        atomic.check_target(Path("/dev/null"), overwrite=True)


@pytest.mark.skipif(os.name == "nt", reason="Windows cannot be asked without harm")
def test_what_killed_processes_left_is_swept_away(tmp_path: Path) -> None:
    code = (
        "import os, sys, pathlib; from tinct.atomic import replacing\n"
        "with replacing(pathlib.Path(sys.argv[1]) / 'x', overwrite=False) as path:\n"
        "    path.write_text('half'); os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False)
    (left,) = tmp_path.iterdir()
    foreign = left.with_name(f".tinct-00000000-1-{'0' * 12}.part")
    foreign.write_text("of another computer")
    with atomic.replacing(tmp_path / "y", overwrite=False) as mine:
        assert atomic.sweep(tmp_path) == 1
        assert set(tmp_path.iterdir()) == {mine, foreign}
    assert atomic.sweep(tmp_path / "nowhere") == 0
