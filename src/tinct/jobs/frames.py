"""Raw frames in a pipe: RGB, 8 bits a channel, one after the other, as ffmpeg calls ``rgb24``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from tinct.colorizer import Colorizer
from tinct.errors import PictureError
from tinct.front import Front
from tinct.jobs.overlap import Hearing, in_order
from tinct.settings import Settings

Frame = NDArray[np.uint8]


def color_frames(
    source: BinaryIO,
    target: BinaryIO,
    *,
    size: tuple[int, int],
    colorizer: Front,
    settings: Settings | None = None,
    workers: int = 1,
) -> Iterator[int]:
    """Color frames from one stream into another.

    The first frame decides which model colors all of them.

    Args:
        source: width x height x 3 bytes for each frame, rows from the top, R, G, B of each pixel.
        target: takes as many bytes.
        size: width and height in pixels.
        colorizer: what colors them.
        settings: the same for every frame; None means the defaults.
        workers: frames in work at a time.

    Yields:
        How many frames are written, after each.

    Raises:
        PictureError: the stream is empty, or ends within a frame.
        TinctError: as for coloring a picture.
        OSError: a stream cannot be read or written.
    """
    frames = read_frames(source, size=size)
    first = next(frames, None)
    if first is None:
        raise PictureError("No frame came on stdin; check the program before the pipe.")
    chosen = choose_once(colorizer, first)

    def color(frame: Frame) -> Frame:
        done: Frame = chosen(frame, settings=settings)
        return done

    with Hearing().open():  # that frames were in color is no news for each of them
        colored = in_order(color, _again(first, frames), workers=workers)
        for number, frame in enumerate(colored, 1):
            target.write(frame.tobytes())
            yield number
    target.flush()


def choose_once(colorizer: Front, frame: Frame) -> Colorizer:
    """Return what colors a frame, and with it all others.

    Args:
        colorizer: one model or several.
        frame: uint8 (H, W, 3), sRGB.
    """
    # Luma is near enough to lightness to tell a drawing from a photograph.
    weights = np.array([0.299, 0.587, 0.114], np.float32)
    return colorizer.choose(np.rint(frame @ weights).astype(np.uint8))


def read_frames(source: BinaryIO, *, size: tuple[int, int]) -> Iterator[Frame]:
    """Yield frames of a stream, uint8 (H, W, 3).

    Raises:
        PictureError: it ends within a frame.
    """
    width, height = size
    number = 0
    while data := _read(source, width * height * 3):
        number += 1
        if len(data) < width * height * 3:
            raise PictureError(
                f"Frame {number} ended after {len(data)} of {width * height * 3} bytes; check that "
                f"the frames are {width} x {height} pixels of rgb24."
            )
        yield np.frombuffer(data, np.uint8).reshape(height, width, 3)


def _read(source: BinaryIO, count: int) -> bytes:
    """Return ``count`` bytes, fewer only at the end of the stream; pipes give them in parts."""
    parts: list[bytes] = []
    while count > 0 and (part := source.read(count)):
        parts.append(part)
        count -= len(part)
    return b"".join(parts)


def _again(first: Any, rest: Iterator[Any]) -> Iterator[Any]:
    yield first
    yield from rest
