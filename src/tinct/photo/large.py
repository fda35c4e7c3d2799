"""Very large pictures, read from the top to the bottom and written likewise: never held whole."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinct import libvips
from tinct.atomic import check_target, replacing
from tinct.errors import SaveError, UsageError
from tinct.photo import decode, encode, lightness
from tinct.photo.icc import ProfileError
from tinct.photo.io import format_of
from tinct.photo.metadata import Metadata, Note, PictureWarning
from tinct.photo.source import Opened

LARGE = 1 << 26
"""Pictures of this many pixels and more are read and written in strips, where that is possible."""
LARGEST = 1 << 33
"""Larger ones are refused."""
LEAST_BYTES = 1 << 20
"""Smaller files are not looked at: what they hold compresses so well that it is no photograph."""
STREAMED = ("jpeg", "png", "tiff")
"""Formats that libvips reads from the top to the bottom, and writes likewise."""


@dataclass(frozen=True, eq=False)
class LargePhoto:
    """A large picture whose pixels stay in its file.

    Attributes:
        opened: its header and metadata.
        name: for messages.
        read: makes gray codes of colors; see :func:`tinct.photo.lightness.reader`.
    """

    opened: Opened
    name: str
    read: Callable[[NDArray[Any]], tuple[NDArray[Any], int]]

    @property
    def height(self) -> int:
        """Rows."""
        return self.opened.height

    @property
    def width(self) -> int:
        """Columns."""
        return self.opened.width

    @property
    def size(self) -> tuple[int, int]:
        """Height and width."""
        return self.height, self.width

    @property
    def dtype(self) -> np.dtype[Any]:
        """Uint8 or uint16, the depth of a channel."""
        return self.opened.dtype

    @property
    def metadata(self) -> Metadata:
        """What the file tells beside its pixels."""
        return self.opened.metadata

    def strips(self) -> Iterator[tuple[int, NDArray[Any]]]:
        """Read the picture: number of the first row, and gray codes (h, W), from top to bottom.

        Raises:
            PictureError: it is damaged.
        """
        channels = lightness.CHANNELS[self.opened.layout]
        for row, strip in self.opened.strips():
            yield row, self.read(strip[..., :channels])[0]

    def reduced(self, *, least: int) -> tuple[NDArray[Any], bool]:
        """Read the picture, and return it smaller.

        Args:
            least: the short side is at least this long.

        Returns:
            Gray codes (h, w), the mean of squares, and whether the picture was in color already.

        Raises:
            PictureError: it is damaged.
        """
        short = min(self.height, self.width)
        by = next(side for side in (16, 8, 4, 2, 1) if short >= side * least or side == 1)
        out = np.empty((self.height // by, self.width // by), self.dtype)
        channels, colored = lightness.CHANNELS[self.opened.layout], 0
        for row, strip in self.opened.strips():  # which begin at multiples of 16 rows
            gray, count = self.read(strip[..., :channels])
            colored += count
            part = out[row // by : (row + len(gray)) // by]
            if not len(part):
                continue  # less than a square's height is left at the bottom
            whole = gray[: len(part) * by, : out.shape[1] * by]
            total = whole.reshape(len(part), by, -1).sum(axis=1, dtype=np.uint32)
            total = total.reshape(len(part), out.shape[1], by).sum(axis=2, dtype=np.uint32)
            part[...] = (total + by * by // 2) // (by * by)
        return out, colored > lightness.SHARE * self.height * self.width


def open_large(
    source: str | Path, *, page: int | None = None, least: int = LARGE
) -> LargePhoto | None:
    """Open a picture that is too large to be held.

    Args:
        source: a file name.
        page: as for :func:`tinct.photo.open_photo`.
        least: pixels that it has at least.

    Returns:
        None if it is smaller, or must be held all the same: because it is turned, has alpha, or is
        of a format that is not read from the top to the bottom.

    Raises:
        PictureError: it is missing, damaged or no picture.
    """
    if not _is_large(Path(source), least):
        return None
    content, name = decode.content_of(source)
    opened = decode.open_content(content, name=name, page=page, max_pixels=LARGEST)
    if opened.height * opened.width < least or opened.metadata.format not in STREAMED:
        return None
    if opened.orientation != 1 or opened.alpha:
        return None
    try:
        read = lightness.reader(opened.layout, opened.dtype, opened.profile, coding=opened.coding)
    except ProfileError as error:
        warnings.warn(
            f"{name}: the ICC profile was ignored: {error}.", PictureWarning, stacklevel=2
        )
        read = lightness.reader(opened.layout, opened.dtype, None)
    return LargePhoto(opened, name, read)


def _is_large(path: Path, least: int) -> bool:
    """Tell whether a file seems to hold so many pixels, without a word about what it is."""
    vips = libvips.load()
    try:
        if path.stat().st_size < min(LEAST_BYTES, least):
            return False
        image = vips.Image.new_from_file(str(path), access="sequential")
    except (OSError, ValueError, vips.Error):
        libvips.forget_errors()
        return False
    return bool(image.width * image.height >= least)


def save_large(
    strips: Iterator[NDArray[Any]],
    photo: LargePhoto,
    target: str | Path,
    *,
    format: str | None = None,  # noqa: A002
    overwrite: bool = False,
    note: Note | None = None,
    ready: Callable[[Path], None] | None = None,
) -> None:
    """Save a colored picture as it is made; see :func:`tinct.photo.save_photo`.

    Args:
        strips: (h, W, 3), sRGB codes of the type of ``photo``, from top to bottom.
        photo: the picture it is made from.
        target: the file to write.
        format: one of :data:`STREAMED`; None: what the target's ending says.
        overwrite: whether an existing file may be replaced.
        note: which software colored it, or None.
        ready: as for :func:`tinct.atomic.replacing`.

    Raises:
        SaveError: the target exists already, cannot be written, or the format does not suit.
        PictureError: the picture is damaged.
        UsageError: the format is none of those.
    """
    target = Path(target)
    kind = format_of(target) if format is None else format
    if kind not in STREAMED:
        raise UsageError(f"{kind.upper()} is not written in strips; choose TIFF, PNG or JPEG.")
    height, width = photo.size
    encode.check(kind, width=width, height=height)
    check_target(target, overwrite=overwrite)
    blocks = encode.blocks_of(photo.metadata, kind=kind, width=width, height=height, note=note)
    if photo.dtype == np.uint16:
        encode.tell_of_rounding(kind, photo.metadata)
    streamed = libvips.image_of_rows(
        strips, height=height, width=width, wide=photo.dtype == np.uint16
    )
    with replacing(target, overwrite=overwrite, ready=ready) as temporary:
        try:
            encode.encode_image(
                encode.narrowed(streamed.image, kind),
                blocks,
                metadata=photo.metadata,
                kind=kind,
                path=temporary,
            )
        except SaveError as error:
            if streamed.raised:
                raise streamed.raised[0] from None
            raise SaveError(f"{target} cannot be written: {error}") from error
        if streamed.raised:
            raise streamed.raised[0]
