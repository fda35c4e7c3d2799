"""A gray JPEG that is colored without its gray being touched, and given back when asked for."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinct import libvips
from tinct.errors import PictureError
from tinct.photo import decode, icc, lightness
from tinct.photo.encode import blocks_of
from tinct.photo.io import MAX_PIXELS, turned
from tinct.photo.jpeg_markers import Jpeg, JpegError, parse
from tinct.photo.jpeg_splice import Extras, memory_of, obstacle, restore, splice
from tinct.photo.metadata import Metadata, Note
from tinct.photo.source import Opened, damaged

Bytes = NDArray[np.uint8]

SIGNATURE = b"\xff\xd8\xff"
STRIPS_AHEAD = 4
"""Decoded strips that wait."""
SAME_CURVE = 2
"""Codes by which a gray profile may differ from sRGB's curve and still be left out."""


@dataclass(frozen=True, eq=False)
class GrayJpeg:
    """A gray JPEG of 8 bits whose coded gray can be kept.

    Attributes:
        jpeg: taken apart.
        opened: its header, orientation and metadata.
        name: for messages.
    """

    jpeg: Jpeg
    opened: Opened
    name: str

    @property
    def orientation(self) -> int:
        """1..8, in which the pixels are stored."""
        return self.opened.orientation

    @property
    def size(self) -> tuple[int, int]:
        """Height and width, upright."""
        stored = (self.opened.height, self.opened.width)
        return stored if self.orientation < 5 else stored[::-1]

    @property
    def metadata(self) -> Metadata:
        """What the file tells beside its pixels."""
        return self.opened.metadata

    @cached_property
    def memory(self) -> bytes:
        """What the colored file keeps so that this one can be restored.

        Raises:
            PictureError: too much stands beside the picture to be kept.
        """
        try:
            return memory_of(self.jpeg)
        except JpegError as error:
            raise self._unsuited(error) from error

    def _unsuited(self, error: JpegError) -> PictureError:
        return PictureError(
            f"{self.name} cannot be colored with its gray untouched ({error}); give --keep "
            "lightness."
        )

    def look(self, *, least: int) -> tuple[Bytes, Bytes, Bytes]:
        """Decode the pixels once, for whoever joins them with color and for the model.

        Args:
            least: as for :meth:`reduced`.

        Returns:
            The smallest and the largest code of squares of 2 x 2 pixels, uint8 (ceil(H / 2),
            ceil(W / 2)), and the picture as :meth:`reduced` gives it, all as the pixels are stored;
            squares at an odd border hold fewer pixels.

        Raises:
            PictureError: the pixels are damaged, or do not fit into memory.
        """
        height, width = self.opened.height, self.opened.width
        shrink = self._shrink(least)
        half, small = (-(-height // 2), -(-width // 2)), (height // shrink, width // shrink)
        try:
            low, high, seen = (np.empty(shape, np.uint8) for shape in (half, half, small))
        except MemoryError as error:
            raise PictureError(f"{self.name} does not fit into memory; make it smaller.") from error

        def take(row: int, luma: Bytes) -> None:
            part = slice(row // 2, -(-(row + len(luma)) // 2))
            pool(luma, low[part], high[part])
            mean(luma, shrink, seen[row // shrink : (row + len(luma)) // shrink])

        with ThreadPoolExecutor(1) as beside:  # while the next rows are decoded
            taken: deque[Future[None]] = deque()
            for row, strip in self.opened.strips():  # which begin at multiples of 16 rows
                taken.append(beside.submit(take, row, strip[..., 0]))
                if len(taken) > STRIPS_AHEAD:
                    taken.popleft().result()
            for one in taken:
                one.result()
        return low, high, seen

    def _shrink(self, least: int) -> int:
        short = min(self.opened.height, self.opened.width)
        return next((by for by in (8, 4, 2) if short >= by * least), 1)

    def reduced(self, *, least: int) -> Bytes:
        """Decode the pixels at an eighth, a quarter, half or all of their size, upright.

        Args:
            least: the short side is at least this long, unless the picture is smaller.

        Raises:
            PictureError: the pixels are damaged.
        """
        vips = libvips.load()
        libvips.forget_errors()
        try:
            image = vips.Image.jpegload_buffer(
                self.jpeg.data, shrink=self._shrink(least), fail_on="error"
            )
            return np.asarray(self.upright(np.asarray(image.numpy()).reshape(image.height, -1)))
        except vips.Error as error:
            raise PictureError(damaged(self.name, "jpeg", libvips.reason(error))) from error

    def upright(self, plane: NDArray[Any]) -> NDArray[Any]:
        """Return a plane that is stored as the pixels are, upright."""
        if self.orientation == 1:
            return plane
        height, width = plane.shape if self.orientation < 5 else plane.shape[::-1]
        whole = np.empty((height, width), plane.dtype)
        turned(whole, self.orientation)[...] = plane
        return whole

    def stored(self, plane: NDArray[Any]) -> NDArray[Any]:
        """Return an upright plane as the pixels are stored."""
        return np.ascontiguousarray(turned(plane, self.orientation))

    def colored(self, chroma: tuple[Bytes, Bytes], *, note: Note | None) -> bytes:
        """Return the file with color.

        Args:
            chroma: Cb and Cr at half size, as the pixels are stored; see
                :func:`tinct.photo.jpeg_splice.splice`.
            note: which software colored it, or None.

        Raises:
            PictureError: too much stands beside the picture to be kept.
        """
        blocks = blocks_of(
            self.metadata,
            kind="jpeg",
            width=self.opened.width,
            height=self.opened.height,
            note=note,
            orientation=self.orientation,
        )
        try:
            extras = Extras(blocks.exif, blocks.xmp, blocks.icc)
            return splice(self.jpeg, chroma, extras, memory=self.memory)
        except JpegError as error:
            raise self._unsuited(error) from error


def pool(luma: Bytes, low: Bytes, high: Bytes) -> None:
    """Write the smallest and largest code of squares of 2 x 2 pixels.

    Args:
        luma: uint8 (h, w).
        low: uint8 (ceil(h / 2), ceil(w / 2)), which is written.
        high: likewise.
    """
    height, width = luma.shape
    if height % 2 or width % 2:
        luma = np.pad(luma, ((0, height % 2), (0, width % 2)), mode="edge")
    rows = np.minimum(luma[::2], luma[1::2])
    np.minimum(rows[:, ::2], rows[:, 1::2], out=low)
    np.maximum(luma[::2], luma[1::2], out=rows)
    np.maximum(rows[:, ::2], rows[:, 1::2], out=high)


def mean(luma: Bytes, by: int, out: Bytes) -> None:
    """Write the mean code of squares, as DCT scaling gives it.

    Args:
        luma: uint8 (h, w).
        by: side of the squares: 1, 2, 4 or 8.
        out: uint8 (h // by, w // by), which is written; squares that are not whole are left out.
    """
    height, width = out.shape
    luma = luma[: height * by, : width * by]
    rows = luma[::by].astype(np.uint16)
    for at in range(1, by):
        rows += luma[at::by]
    side = by
    while side > 1:
        rows = rows[:, ::2] + rows[:, 1::2]
        side //= 2
    out[...] = (rows + by * by // 2) // (by * by)


def open_gray_jpeg(source: str | Path | bytes, *, max_pixels: int = MAX_PIXELS) -> GrayJpeg | None:
    """Open a gray JPEG whose coded gray can be kept.

    Args:
        source: a file name or the bytes of a file.
        max_pixels: refuse larger pictures.

    Returns:
        None if it is no such file, also if it is damaged: :func:`tinct.photo.open_photo` says more.

    Raises:
        PictureError: it is missing or too large.
    """
    content, name = decode.content_of(source)
    if isinstance(content, Path):
        try:
            with content.open("rb") as stream:
                head = stream.read(3)
                data = head + stream.read() if head == SIGNATURE else head
        except OSError:
            return None
    else:
        data = content
    if not data.startswith(SIGNATURE):
        return None
    try:
        jpeg = parse(data)
        if obstacle(jpeg):
            return None
    except JpegError:
        return None
    opened = decode.open_content(data, name=name, page=None, max_pixels=max_pixels)
    if opened.layout != "gray" or opened.alpha or not _like_srgb(opened.profile):
        return None
    return GrayJpeg(jpeg, opened, name)


def _like_srgb(profile: bytes | None) -> bool:
    """Tell whether a gray profile has about the curve of sRGB, or there is none."""
    if profile is None:
        return True
    try:
        tables = icc.luminance_tables(profile, codes=256) if icc.space(profile) == "gray" else None
    except icc.ProfileError:
        return False
    if tables is None:
        return False
    codes = lightness.encode(np.clip(sum(t.astype(np.float64) for t in tables), 0, 1), np.uint8)
    return bool(np.abs(codes.astype(int) - np.arange(256)).max() <= SAME_CURVE)


def restore_gray(source: str | Path | bytes) -> bytes:
    """Return the gray file that tinct colored, byte for byte.

    Args:
        source: the colored JPEG: a file name or its bytes.

    Raises:
        PictureError: it is missing, damaged, holds no original, or has been changed.
    """
    content, name = decode.content_of(source)
    try:
        data = content if isinstance(content, bytes) else content.read_bytes()
        return restore(parse(data))
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise PictureError(f"{name} cannot be read: {why}; check its permissions.") from error
    except JpegError as error:
        raise PictureError(
            f"{name} cannot be given back as it was in gray: {error}. Only JPEGs that tinct made "
            "of gray JPEGs hold their originals, until another program saves them anew."
        ) from error
