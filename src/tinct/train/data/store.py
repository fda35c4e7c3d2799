"""Keep a folder's pictures decoded, small and ready: one memory-mapped file, made once.

Decoding is what starves training on few cores, so every picture is decoded a single time, shrunk to
the size training needs, and laid as 8-bit sRGB into one flat file in the cache (``$TINCT_CACHE``,
else ``~/.cache/tinct``).
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from tinct.errors import PictureError, TrainingError
from tinct.photo import SUFFIXES, open_color

NEAR_GRAY = 6.0  # mean spread of the channels, of 255, below which a picture teaches no color
LAYOUT = 2

log = logging.getLogger(__name__)


def cache_folder() -> Path:
    """Return where stores are kept: ``$TINCT_CACHE`` or ``~/.cache/tinct``."""
    return Path(os.environ.get("TINCT_CACHE") or Path.home() / ".cache" / "tinct")


def list_pictures(folder: Path) -> list[Path]:
    """Return the pictures below a folder, sorted by path.

    Raises:
        TrainingError: the folder is missing or holds no picture.
    """
    if not folder.is_dir():
        raise TrainingError(f"The data folder {str(folder)!r} does not exist.")
    found = sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file())
    if not found:
        raise TrainingError(f"The data folder {str(folder)!r} holds no pictures.")
    return found


def decode(
    source: Path | IO[bytes], short: int, *, grays: bool = False
) -> NDArray[np.uint8] | None:
    """Decode one picture for training.

    Args:
        source: a file.
        short: the short side is shrunk to this many pixels, never enlarged.
        grays: keep near-gray pictures, as drawings are.

    Returns:
        uint8 (H, W, 3), sRGB; None where it is damaged or gray.
    """
    try:
        pixels = open_color(source if isinstance(source, Path) else source.read(), short=short)
    except PictureError:
        return None
    # Panoramas waste memory: their middle is kept.
    height, width = pixels.shape[:2]
    longest = 2 * min(height, width)
    top, left = max(0, height - longest) // 2, max(0, width - longest) // 2
    pixels = pixels[top : top + longest, left : left + longest]
    spread = (pixels.max(axis=2).astype(np.int16) - pixels.min(axis=2)).mean()
    return pixels if grays or spread >= NEAR_GRAY else None


@dataclass(frozen=True)
class Store:
    """Decoded pictures of one folder.

    Attributes:
        names: paths relative to the folder.
        shapes: int64 (n, 2), heights and widths.
        offsets: int64 (n,), where each begins in ``pixels``.
        pixels: uint8, flat, sRGB, memory-mapped.
        skipped: how many files were damaged or near gray, and left out.
    """

    names: list[str]
    shapes: NDArray[np.int64]
    offsets: NDArray[np.int64]
    pixels: NDArray[np.uint8]
    skipped: int

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> NDArray[np.uint8]:
        """Return one picture: uint8 (H, W, 3), sRGB, a view into the file."""
        height, width = self.shapes[index]
        start = self.offsets[index]
        return self.pixels[start : start + height * width * 3].reshape(height, width, 3)


def _fingerprint(folder: Path, files: list[Path], short: int, grays: bool) -> str:
    digest = hashlib.sha256(f"{LAYOUT} {short}{' grays' if grays else ''}".encode())
    for file in files:
        stat = file.stat()
        digest.update(f"{file.relative_to(folder)}\0{stat.st_size}\0{stat.st_mtime_ns}".encode())
    return digest.hexdigest()[:24]


def _decoded(
    files: list[Path], short: int, grays: bool
) -> Iterator[tuple[Path, NDArray[np.uint8] | None]]:
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        todo = iter(files)
        while chunk := list(islice(todo, 256)):
            yield from zip(
                chunk, pool.map(lambda file: decode(file, short, grays=grays), chunk), strict=True
            )


def open_store(folder: Path, *, short: int, grays: bool = False) -> Store:
    """Open the decoded pictures of a folder, decoding them first if that was not done yet.

    Args:
        folder: searched with all its subfolders.
        short: the short side is shrunk to this many pixels, never enlarged.
        grays: keep near-gray pictures, as drawings are.

    Returns:
        The store; damaged and near-gray pictures are left out and counted.

    Raises:
        TrainingError: the folder is missing, or no picture in it can be used.
    """
    files = list_pictures(folder)
    base = cache_folder() / "stores" / _fingerprint(folder, files, short, grays)
    index = base.with_suffix(".json")
    if not index.is_file():
        base.parent.mkdir(parents=True, exist_ok=True)
        log.info("decoding %d pictures of %s", len(files), folder)
        names: list[str] = []
        shapes: list[tuple[int, int]] = []
        part = base.with_suffix(f".{os.getpid()}.part")
        with part.open("wb") as out:
            for file, pixels in _decoded(files, short, grays):
                if pixels is not None:
                    names.append(file.relative_to(folder).as_posix())
                    shapes.append((pixels.shape[0], pixels.shape[1]))
                    out.write(np.ascontiguousarray(pixels).data)
        if not names:
            part.unlink()
            raise TrainingError(f"No picture in {str(folder)!r} can be used: damaged or all gray.")
        part.replace(base.with_suffix(".rgb"))
        part.write_text(json.dumps({"names": names, "shapes": shapes, "files": len(files)}))
        part.replace(index)
    held = json.loads(index.read_text())
    shapes_array = np.asarray(held["shapes"], dtype=np.int64)
    sizes = shapes_array.prod(axis=1) * 3
    return Store(
        names=held["names"],
        shapes=shapes_array,
        offsets=np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int64),
        pixels=np.memmap(base.with_suffix(".rgb"), dtype=np.uint8, mode="r"),
        skipped=held["files"] - len(held["names"]),
    )
