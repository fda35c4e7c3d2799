"""Raw frames: in as many bytes as out, in order; a broken stream is told."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest

from command_line import tinct_process
from tinct.bundle import Bundle
from tinct.colorizer import Colorizer
from tinct.errors import PictureError
from tinct.jobs.frames import color_frames, read_frames
from tinct.settings import Settings


def clip(count: int, width: int, height: int) -> np.ndarray:
    frames = np.arange(count, dtype=np.uint8) * 20 + 30
    return np.broadcast_to(frames[:, None, None, None], (count, height, width, 3)).copy()


class Dribble(io.BytesIO):
    """A pipe that gives a few bytes at a time."""

    def read(self, size: int | None = -1) -> bytes:
        return super().read(min(size or 0, 1000))


@pytest.mark.parametrize("workers", [1, 3])
def test_frames_are_colored_in_order(tiny: Bundle, workers: int) -> None:
    frames, out = clip(9, 40, 24), io.BytesIO()
    colorizer, settings = Colorizer(tiny.path, threads=1), Settings(strength=0.5)
    counts = color_frames(
        Dribble(frames.tobytes()),
        out,
        size=(40, 24),
        colorizer=colorizer,
        settings=settings,
        workers=workers,
    )
    assert list(counts) == list(range(1, 10))
    found = np.frombuffer(out.getvalue(), np.uint8).reshape(frames.shape)
    alone = [colorizer(frame, settings=settings) for frame in frames]
    assert np.array_equal(found, alone)


def test_streams_that_end_too_early(tiny: Bundle) -> None:
    with pytest.raises(PictureError, match="Frame 2 ended after 5 of 36 bytes"):
        list(read_frames(io.BytesIO(bytes(41)), size=(4, 3)))
    colorizer = Colorizer(tiny.path, threads=1)
    nothing = color_frames(io.BytesIO(), io.BytesIO(), size=(4, 3), colorizer=colorizer)
    with pytest.raises(PictureError, match="No frame came"):
        next(nothing)


def test_the_command_line(tiny: Bundle, tmp_path: Path) -> None:
    words = ["-", "--raw", "40x24", "--model", tiny.path]
    done = tinct_process(*words, input=clip(5, 40, 24).tobytes())
    assert (done.returncode, done.stderr) == (0, b"")
    assert len(done.stdout) == 5 * 40 * 24 * 3
    done = tinct_process(*words, input=bytes(41))
    assert done.returncode == 3
    assert b"ended after 41 of 2880 bytes" in done.stderr
