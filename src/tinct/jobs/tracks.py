"""Hints for films: a color said at one place and time holds for its shot.

Before anything is colored, the places of hints are carried along the motion, forward and backward
from the frame they were given for, to the ends of its shot. Each frame is then colored with the
hints where they are in it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from tinct.errors import UsageError
from tinct.hints import Hint, KeepGray, Point, Stroke
from tinct.hints.text import parse_hint
from tinct.jobs.steady import Floats, Motion, Small, is_cut, motions, opencv

SIDE = 256  # longest side of the pictures in which places are followed, pixels
AROUND = 4  # pixels around a place that tell where it goes
SURE = 0.2  # share of them that must be seen in both frames

Places = list[tuple[float, float]]


@dataclass(frozen=True)
class Timed:
    """A hint for the shot that is shown at a time.

    Attributes:
        seconds: from the film's beginning.
        hint: a point, a stroke, or what stays gray of those; in shares.
    """

    seconds: float
    hint: Hint


def parse_timed(text: str) -> Timed:
    """Read a hint from text: as for pictures, after a time and ``@``: ``12.5@0.4,0.6=#b04030``.

    Without a time it holds for the first shot.

    Raises:
        UsageError: the text is not of this form.
    """
    when, at, rest = text.partition("@")
    if not at:
        when, rest = "0", text
    try:
        seconds = float(when)
    except ValueError as error:
        raise UsageError(f"{text!r} is no hint; write SECONDS@X,Y=COLOR.") from error
    if not (math.isfinite(seconds) and seconds >= 0):
        raise UsageError(f"{text!r} is no hint; its time must be 0 seconds or more.")
    hint = parse_hint(rest)
    followed = isinstance(hint, Point | Stroke) or (isinstance(hint, KeepGray) and hint.points)
    if not followed or getattr(hint, "unit", "") != "share":
        raise UsageError(
            f"{text!r} cannot be followed in a film; give places in shares, and no boxes."
        )
    return Timed(seconds, hint)


def follow_hints(
    hints: Sequence[Timed], frames: Iterator[tuple[float, NDArray[np.generic]]]
) -> dict[int, tuple[Hint, ...]]:
    """Return the hints of each frame, by its number.

    Args:
        hints: to be followed.
        frames: times in seconds, and gray pictures, uint8 or uint16 (H, W), of all frames.

    Raises:
        MissingExtraError: OpenCV is not installed.
        UsageError: a hint lies after the film's end.
    """
    waiting = sorted(hints, key=lambda one: one.seconds)
    found: dict[int, list[Hint]] = {}
    shot = _Shot()
    last = -math.inf
    for number, (seconds, gray) in enumerate(frames):
        small = _small(gray)
        if shot.frames and is_cut(shot.frames[-1].lightness, small.lightness):
            shot.close(found)
            shot = _Shot(first=number)
        shot.frames.append(small)
        while waiting and waiting[0].seconds <= seconds:
            # The frame that is shown at that time began with it, or is the one before.
            at = number if waiting[0].seconds > last + (seconds - last) / 2 else number - 1
            shot.hints.append((max(at, shot.first), waiting.pop(0).hint))
        if not waiting and not shot.hints:
            break
        last = seconds
    shot.close(found)
    if waiting:
        raise UsageError(f"The film has ended before {waiting[0].seconds:g} s; give earlier times.")
    return {number: tuple(held) for number, held in found.items()}


@dataclass
class _Shot:
    """The small frames of one shot, and its hints with the numbers of their frames."""

    first: int = 0
    frames: list[Small] = field(default_factory=list)
    hints: list[tuple[int, Hint]] = field(default_factory=list)

    def close(self, found: dict[int, list[Hint]]) -> None:
        """Follow the hints to both ends of the shot."""
        if not self.hints:
            return
        count = len(self.frames)
        pairs = [motions(*self.frames[n : n + 2]) for n in range(count - 1)]
        onward = [pair[0] for pair in pairs]  # from each frame to the next one
        backward = [pair[1] for pair in pairs]  # from each frame but the first to the one before
        for at, hint in self.hints:
            begin = at - self.first
            found.setdefault(at, []).append(hint)
            for steps, step in (
                (range(begin, count - 1), 1),
                (range(begin - 1, -1, -1), -1),
            ):
                moving: Hint | None = hint
                for n in steps:
                    moving = _moved(moving, onward[n] if step > 0 else backward[n])
                    if moving is None:
                        break
                    number = self.first + n + (step > 0)
                    found.setdefault(number, []).append(moving)


def _small(gray: NDArray[np.generic]) -> Small:
    """Return a frame as places are followed in it."""
    cv2 = opencv()
    height, width = gray.shape
    scale = min(1.0, SIDE / max(height, width))
    size = max(16, round(width * scale)), max(16, round(height * scale))
    largest = np.iinfo(gray.dtype).max  # type: ignore[type-var]
    shown = cv2.resize(gray.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    lightness: Floats = shown * np.float32(100 / largest)
    return Small(lightness, np.zeros((2, size[1], size[0]), np.float32))


def _moved(hint: Hint | None, motion: Motion) -> Hint | None:
    """Return a hint where it is in the next frame; None once it has left the picture."""
    if isinstance(hint, Point):
        places = _follow([(hint.x, hint.y)], motion)
        return None if places is None else replace(hint, x=places[0][0], y=places[0][1])
    if isinstance(hint, Stroke | KeepGray):
        assert hint.points is not None
        places = _follow(list(hint.points), motion)
        return None if places is None else replace(hint, points=tuple(places))
    return None


def _follow(places: Places, motion: Motion) -> Places | None:
    """Return places in shares where they are in the other frame; None if one is lost."""
    height, width = motion.known.shape
    grid = np.stack(np.meshgrid(np.arange(width), np.arange(height)), axis=-1)
    found = []
    for x, y in places:
        column, row = min(int(x * width), width - 1), min(int(y * height), height - 1)
        part = (
            slice(max(0, row - AROUND), row + AROUND + 1),
            slice(max(0, column - AROUND), column + AROUND + 1),
        )
        known = motion.known[part]
        if known.mean() < SURE:
            return None
        step = np.median((motion.places - grid)[part][known], axis=0)
        moved = x + float(step[0]) / width, y + float(step[1]) / height
        if not (min(moved) >= 0 and max(moved) <= 1):
            return None
        found.append(moved)
    return found
