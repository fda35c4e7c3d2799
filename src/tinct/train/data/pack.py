"""Pack folders of pictures into tar shards that are small enough to send anywhere.

A rented machine without a network takes files in parcels. A shard holds small WebP pictures of all
folders, shuffled, so that any few of the shards are a fair sample. ``--data FOLDER`` trains on
them; see :mod:`tinct.train.data.shards`.
"""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image

from tinct.atomic import replacing
from tinct.errors import TrainingError, UsageError
from tinct.train.data.sources import held_out, split_source
from tinct.train.data.store import decode, list_pictures

QUALITY = 80
BLOCK = 512  # bytes; a tar file is made of these
MIB = 1 << 20


@dataclass(frozen=True)
class Packed:
    """What came of it.

    Attributes:
        shards: files, in order.
        pictures: how many they hold.
        skipped: damaged and near-gray files.
    """

    shards: tuple[Path, ...]
    pictures: int
    skipped: int


def pack(
    folders: Sequence[str],
    out: Path,
    *,
    mib: float = 60,
    short: int = 128,
    seed: int = 0,
    progress: Callable[[int, int | None], object] = lambda _done, _all: None,
) -> Packed:
    """Write the color pictures of folders into tar shards ``pack-000.tar``, ``pack-001.tar``, ...

    Args:
        folders: each perhaps with ``=SHARE``: that share of its pictures, 0..1, chosen by name.
        out: a new or empty folder.
        mib: largest size of a shard, MiB.
        short: short sides are shrunk to this many pixels, never enlarged.
        seed: of the order.
        progress: called with the pictures done and the pictures there are.

    Raises:
        TrainingError: a folder is missing, or no picture can be used.
        UsageError: a share is above 1, or ``out`` holds files already.
        SaveError: a shard cannot be written.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"{str(out)!r} is there already; give a new or an empty folder.")
    todo = _listed(folders)
    order = np.random.default_rng(seed).permutation(len(todo))
    out.mkdir(parents=True, exist_ok=True)
    shards: list[Path] = []
    pictures = skipped = 0
    held: list[tuple[str, bytes]] = []
    size = 2 * BLOCK  # what ends a tar file

    def close() -> None:
        path = out / f"pack-{len(shards):03}.tar"
        with replacing(path, overwrite=False) as temporary:
            _write(temporary, held)
        shards.append(path)
        held.clear()

    chosen = [todo[number] for number in order]
    for name, data in _encoded(chosen, short):
        progress(pictures + skipped + 1, len(chosen))
        if data is None:
            skipped += 1
            continue
        takes = BLOCK + -(-len(data) // BLOCK) * BLOCK
        if held and size + takes > mib * MIB - tarfile.RECORDSIZE:
            close()
            size = 2 * BLOCK
        held.append((name, data))
        size += takes
        pictures += 1
    if not pictures:
        raise TrainingError("No picture in these folders can be used: damaged or all gray.")
    close()
    return Packed(tuple(shards), pictures, skipped)


def _listed(folders: Sequence[str]) -> list[tuple[Path, str]]:
    """Return the pictures with the names that they get, no two alike."""
    found: list[tuple[Path, str]] = []
    seen: set[str] = set()
    for text in folders:
        where, share = split_source(text)
        if share > 1:
            raise UsageError(
                f"The share in {text!r} must be at most 1; to draw a folder's pictures more often, "
                "pack it apart and train with --data PACK=WEIGHT."
            )
        folder = Path(where)
        for path in list_pictures(folder):
            relative = path.relative_to(folder).as_posix()
            if share < 1 and not held_out(f"pack {relative}", share):
                continue
            # What comes after the first dot has a meaning in shards.
            plain = str(PurePosixPath(folder.name) / relative).replace(".", "_")
            name = plain
            while name in seen:
                name = f"{plain}-{len(seen)}"
            seen.add(name)
            found.append((path, name))
    return found


def _encoded(files: Sequence[tuple[Path, str]], short: int) -> Iterator[tuple[str, bytes | None]]:
    """Yield names and WebP bytes in order; None for pictures that teach no color."""

    def encode(one: tuple[Path, str]) -> tuple[str, bytes | None]:
        path, name = one
        pixels = decode(path, short)
        if pixels is None:
            return name, None
        held = io.BytesIO()
        Image.fromarray(pixels).save(held, "webp", quality=QUALITY, method=4)
        return name, held.getvalue()

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for start in range(0, len(files), 256):
            yield from pool.map(encode, files[start : start + 256])


def _write(path: Path, files: Sequence[tuple[str, bytes]]) -> None:
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as archive:
        for name, data in files:
            member = tarfile.TarInfo(f"{name}.webp")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
