"""Tar shards [1]: pictures that stream from disks or web servers, however many there are.

``--data 'https://host/photos-{000..146}.tar'``: a numbered range of shards, files or addresses; a
folder of ``.tar`` files is the same without the range. In a shard, files of one name belong
together: ``cat.jpg``; or ``cat.color.png`` and ``cat.sketch.png``.

A few shards at a time, the window, are read, decoded, shrunk and held in memory; while batches are
drawn from them, the next ones are already read. Which shards are in the window is a function of
(seed, stage, pictures seen), so that a resumed run sees what an uninterrupted one would have seen.

References:
    [1] A. Aizman, G. Maltby, T. Breuel: High Performance I/O For Large Scale Deep Learning, IEEE
        Big Data 2019 (WebDataset).
"""

from __future__ import annotations

import io
import re
import tarfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from threading import Lock
from typing import IO

import numpy as np

from tinct.errors import TrainingError
from tinct.photo import SUFFIXES
from tinct.train.data.sources import Picture, held_out
from tinct.train.data.store import decode
from tinct.train.recipe import DataRecipe

RANGE = re.compile(r"\{(\d+)\.\.(\d+)\}")
ADDRESS = re.compile(r"https?://", re.IGNORECASE)
TIMEOUT = 60.0  # seconds a server may be silent
LONGEST_FILE = 200_000_000  # bytes of one member


@dataclass
class _Sample:
    """What belongs to one name."""

    color: bytes | None = None
    sketch: bytes | None = None


@dataclass(frozen=True)
class Shard:
    """A decoded shard.

    Attributes:
        train: pictures to train on.
        held: pictures held out, by name.
        skipped: files that were damaged or near gray.
    """

    train: list[Picture] = field(default_factory=list)
    held: list[Picture] = field(default_factory=list)
    skipped: int = 0


def are_shards(where: str) -> bool:
    """Tell whether a source is a ``.tar``, an address, or a folder of ``.tar`` files."""
    if ADDRESS.match(where) or where.endswith(".tar"):
        return True
    folder = Path(where)
    return folder.is_dir() and any(folder.glob("*.tar"))


def expand(where: str) -> list[str]:
    """Return the shards of a source in order.

    Args:
        where: ``photos-{000..146}.tar`` (with leading zeros as given), one ``.tar``, or a folder.

    Raises:
        TrainingError: a range runs backwards, or a file is missing.
    """
    if not ADDRESS.match(where) and Path(where).is_dir():
        return [str(path) for path in sorted(Path(where).glob("*.tar"))]
    found = RANGE.search(where)
    names = [where]
    if found:
        first, last = int(found[1]), int(found[2])
        if last < first:
            raise TrainingError(f"The range in {where!r} runs backwards.")
        digits = len(found[1]) if found[1].startswith("0") else 0
        names = [
            where[: found.start()] + str(number).zfill(digits) + where[found.end() :]
            for number in range(first, last + 1)
        ]
    for name in names:
        if not ADDRESS.match(name) and not Path(name).is_file():
            raise TrainingError(f"The shard {name!r} does not exist.")
    return names


def _opened(name: str) -> IO[bytes]:
    if ADDRESS.match(name):
        stream: IO[bytes] = urllib.request.urlopen(name, timeout=TIMEOUT)
        return stream
    return Path(name).open("rb")


def _samples(stream: IO[bytes]) -> Iterator[tuple[str, _Sample]]:
    """Yield what belongs together, in order; files of one name stand side by side [1]."""
    name, sample = "", _Sample()
    with tarfile.open(fileobj=stream, mode="r|*") as archive:
        for member in archive:
            path = PurePosixPath(member.name)
            if not member.isfile() or path.suffix.lower() not in SUFFIXES:
                continue
            held = archive.extractfile(member)
            if held is None or member.size > LONGEST_FILE:
                continue
            key, _, ending = path.name.partition(".")
            key = str(path.parent / key)
            if key != name and name:
                yield name, sample
            if key != name:
                name, sample = key, _Sample()
            if ending.lower().startswith("sketch."):
                sample.sketch = held.read()
            else:
                sample.color = held.read()
    if name:
        yield name, sample


def _picture(sample: _Sample, short: int) -> Picture | None:
    """Decode a sample; None where there is no color picture in it."""
    if sample.color is None:
        return None
    pixels = decode(io.BytesIO(sample.color), short)
    if pixels is None:
        return None
    if sample.sketch is None:
        return Picture(pixels, None)
    lines = decode(io.BytesIO(sample.sketch), short, grays=True)
    return Picture(pixels, None if lines is None else lines[..., 1])


def read_shard(name: str, recipe: DataRecipe) -> Shard:
    """Read and decode one shard.

    Args:
        name: file or address.
        recipe: the largest short side, and the share held out.

    Raises:
        TrainingError: it cannot be read or is no tar file.
    """
    train: list[Picture] = []
    held: list[Picture] = []
    skipped = 0
    try:
        with closing(_opened(name)) as stream:
            for key, sample in _samples(stream):
                picture = _picture(sample, recipe.short)
                if picture is None:
                    skipped += 1
                else:
                    (held if held_out(key, recipe.val_share) else train).append(picture)
    except (OSError, tarfile.TarError, urllib.error.URLError) as error:
        raise TrainingError(f"The shard {name!r} cannot be read: {error}") from error
    return Shard(train, held, skipped)


class ShardSource:
    """Pictures from tar shards; see :class:`tinct.train.data.sources.Source`.

    Args:
        where: see :func:`expand`.
        recipe: the largest short side, the share held out, the window's length in shards
            (``window``) and in pictures (``window_pictures``).
        seed: of the shards' order.
        weight: see :class:`~tinct.train.data.sources.Source`.

    The first shard alone is looked at for validation, for the pictures' size and for how many there
    are in each.

    Raises:
        TrainingError: a shard is missing or cannot be read, or the first has no picture to train
            on.
    """

    def __init__(self, where: str, recipe: DataRecipe, *, seed: int, weight: float = 1.0) -> None:
        if any(recipe.first):
            raise TrainingError(
                "Shards are split by data.val_share; pass --set data.first=[0,0,0]."
            )
        self.names = expand(where)
        self.name, self.weight = PurePosixPath(where).name, weight
        self._recipe, self._seed = recipe, seed
        first = read_shard(self.names[0], recipe)
        if not first.train:
            raise TrainingError(f"The shard {self.names[0]!r} has no picture to train on.")
        self.skipped = first.skipped
        self.count = len(first.train) * len(self.names)
        self.short = float(np.median([min(p.pixels.shape[:2]) for p in first.train]))
        self._validation = first.held
        self.held_count = len(first.held)
        self._lock = Lock()
        self._reader = ThreadPoolExecutor(1)
        self._windows: dict[tuple[int, int], Future[list[Picture]]] = {}

    def shards(self, stage: int, window: int) -> list[str]:
        """Return the shards of a window: every shard once, in random order, then all over again."""
        size = min(self._recipe.window, len(self.names))
        chosen = []
        for place in range(window * size, (window + 1) * size):
            turn, number = divmod(place, len(self.names))
            order = np.random.default_rng([self._seed, stage, turn]).permutation(len(self.names))
            chosen.append(self.names[order[number]])
        return chosen

    def _read(self, names: list[str]) -> list[Picture]:
        pictures = [p for name in names for p in read_shard(name, self._recipe).train]
        if not pictures:
            raise TrainingError(f"The shards {', '.join(names)} have no picture to train on.")
        return pictures

    def _window(self, stage: int, window: int) -> list[Picture]:
        """Return the pictures of a window; read the next one in the meantime, forget older ones."""
        with self._lock:
            for number in (window, window + 1):
                if (stage, number) not in self._windows:
                    names = self.shards(stage, number)
                    self._windows[stage, number] = self._reader.submit(self._read, names)
            kept = {(stage, window - 1), (stage, window), (stage, window + 1)}
            self._windows = {key: w for key, w in self._windows.items() if key in kept}
            future = self._windows[stage, window]
        return future.result()

    def draw(self, rng: np.random.Generator, *, stage: int, place: int) -> Picture:
        """Return a picture of the present window at random."""
        pictures = self._window(stage, place // self._recipe.window_pictures)
        return pictures[int(rng.integers(len(pictures)))]

    def held(self, number: int) -> Picture:
        """Return a picture of the validation split."""
        return self._validation[number]
