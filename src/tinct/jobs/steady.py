"""Colors that stay with what they belong to, from frame to frame of a film.

Every frame's proposal is averaged with those of its neighbors along the motion, forward and
backward, within a shot: optical flow (DIS [1]) between the small pictures that the model sees says
where each place was and will be; where flow there and back disagree [2], or the lightness does, the
place is new and begins afresh. Needs OpenCV, from the extra [video].

References:
    [1] T. Kroeger, R. Timofte, D. Dai, L. Van Gool: Fast Optical Flow using Dense Inverse Search,
        ECCV 2016.
    [2] N. Sundaram, T. Brox, K. Keutzer: Dense Point Trajectories by GPU-accelerated Large
        Displacement Optical Flow, ECCV 2010.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinct.errors import MissingExtraError

Floats = NDArray[np.float32]

CONTEXT = 12  # frames on each side that a frame's color is averaged with
LIGHTER = 12.0  # L* by which a place may change and still be the same
CUT_STEP = 14.0  # L* by which the mean place changes at a cut
CUT_SHARE = 0.4  # of pixels that are in another bin of the histogram of lightness at a cut
CUT_BINS = 16


@dataclass(frozen=True, eq=False)
class Small:
    """What is kept of a frame until its color is settled.

    Attributes:
        lightness: float32 (H, W), L* 0..100, as the model saw it.
        color: float32 (C, h, w), C 2 or more, as the model proposed it.
    """

    lightness: Floats
    color: Floats


@dataclass(frozen=True, eq=False)
class Motion:
    """How places move from one frame to a neighbor.

    Attributes:
        places: float32 (h, w, 2), x and y in the neighbor of each place of the frame.
        known: bool (h, w), whether the place is seen in both.
    """

    places: Floats
    known: NDArray[np.bool_]


def opencv() -> Any:
    """Return OpenCV.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        import cv2  # noqa: PLC0415
    except ImportError as error:
        raise MissingExtraError(
            "Films need OpenCV: pip install 'tinct[video]' (from a checkout: pip install "
            "'.[video]')."
        ) from error
    cv2.setNumThreads(1)  # pictures are small; other threads are at work on other frames
    return cv2


def is_cut(before: Floats, after: Floats) -> bool:
    """Tell whether a shot ends between two frames.

    Args:
        before: float32 (H, W), L* 0..100.
        after: likewise, of the next frame.
    """
    if before.shape != after.shape or float(np.abs(after - before).mean()) < CUT_STEP:
        return before.shape != after.shape
    counts = [np.histogram(one, CUT_BINS, (0, 100))[0] / one.size for one in (before, after)]
    blocks = [_blocks(one) for one in (before, after)]
    # A pan keeps the histogram, a flash keeps what is where: only a cut loses both.
    moved = np.abs(counts[0] - counts[1]).sum() / 2 > CUT_SHARE
    alike = float(np.corrcoef(blocks[0], blocks[1])[0, 1])
    return bool(alike < 0.5 or (moved and alike < 0.8))


def _blocks(lightness: Floats) -> Floats:
    """Return means of 8 x 8 parts of a picture, flat, with the least of noise in it."""
    rows = np.array_split(lightness, 8, axis=0)
    means = [[part.mean() for part in np.array_split(row, 8, axis=1)] for row in rows]
    held = np.asarray(means, np.float32).ravel()
    return held + np.linspace(0, 1e-3, held.size, dtype=np.float32)  # never all the same


def motion(frame: Small, neighbor: Small) -> Motion:
    """Find out how places move from a frame to its neighbor.

    Returns:
        Places at the size of the frames' colors.

    Raises:
        MissingExtraError: OpenCV is not installed.
    """
    cv2 = opencv()
    here, there = (_gray(one.lightness) for one in (frame, neighbor))
    search = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    flow, back = search.calc(here, there, None), search.calc(there, here, None)
    height, width = here.shape
    grid = np.stack(np.meshgrid(np.arange(width), np.arange(height)), axis=-1).astype(np.float32)
    places = grid + flow
    returned = cv2.remap(back, places, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    apart = ((flow + returned) ** 2).sum(-1)
    known = apart < 0.5 + 0.01 * ((flow**2).sum(-1) + (returned**2).sum(-1))
    inside = (places >= -0.5).all(-1)
    inside &= (places[..., 0] <= width - 0.5) & (places[..., 1] <= height - 0.5)
    seen = cv2.remap(
        neighbor.lightness, places, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    known &= inside & (np.abs(seen - frame.lightness) < LIGHTER)
    rows, columns = frame.color.shape[1:]
    if (rows, columns) == (height, width):
        return Motion(places, known)
    scale = np.array([columns / width, rows / height], np.float32)
    small = cv2.resize(places + 0.5, (columns, rows), interpolation=cv2.INTER_AREA) * scale - 0.5
    share = cv2.resize(known.astype(np.float32), (columns, rows), interpolation=cv2.INTER_AREA)
    return Motion(small.astype(np.float32), share > 0.5)


def _gray(lightness: Floats) -> NDArray[np.uint8]:
    gray: NDArray[np.uint8] = np.rint(np.clip(lightness, 0, 100) * 2.55).astype(np.uint8)
    return gray


def follow(held: Floats, moved: Motion) -> Floats:
    """Return planes (C, h, w) of a neighbor as they lie in a frame."""
    cv2 = opencv()
    planes = [
        cv2.remap(plane, moved.places, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        for plane in held
    ]
    return np.stack(planes)


def steady(frames: Sequence[Small], *, context: int = CONTEXT) -> list[Floats]:
    """Average colors along the motion of one shot.

    Args:
        frames: of one shot, in order.
        context: how many frames before and after count, for long shots.

    Returns:
        The colors of each frame, (C, h, w).

    Raises:
        MissingExtraError: OpenCV is not installed.
    """
    order = list(range(len(frames)))
    forward = _carried(frames, order, context=context)
    backward = _carried(frames, order[::-1], context=context)
    settled = []
    for number, frame in enumerate(frames):
        (before, many), (after, more) = forward[number], backward[number]
        # Both hold the frame itself once.
        total = before * many + after * more - frame.color
        settled.append((total / (many + more - 1)).astype(np.float32))
    return settled


def _carried(
    frames: Sequence[Small], order: Sequence[int], *, context: int
) -> dict[int, tuple[Floats, Floats]]:
    """Return running means along the motion in one direction, and of how many frames they are."""
    found: dict[int, tuple[Floats, Floats]] = {}
    last = -1
    for number in order:
        frame = frames[number]
        count = np.ones(frame.color.shape[1:], np.float32)
        mean = frame.color
        if last >= 0:
            moved = motion(frame, frames[last])
            held, counted = found[last]
            carried = follow(np.concatenate([held, counted[None]]), moved)
            count = np.where(moved.known, np.minimum(carried[-1] + 1, context + 1), 1)
            count = count.astype(np.float32)
            mean = np.where(
                moved.known, carried[:-1] + (frame.color - carried[:-1]) / count, frame.color
            ).astype(np.float32)
        found[number] = (mean, count)
        last = number
    return found


def flicker(colors: Sequence[Floats], lightness: Sequence[Floats]) -> float:
    """Return how much color changes along the motion from frame to frame, in Lab units.

    Args:
        colors: (2, h, w), a* and b* of each frame of one shot.
        lightness: (H, W), L* of each frame.

    Raises:
        MissingExtraError: OpenCV is not installed.
    """
    total, pixels = 0.0, 0
    frames = [Small(gray, color) for gray, color in zip(lightness, colors, strict=True)]
    for before, after in pairwise(frames):
        moved = motion(after, before)
        step = np.sqrt(((after.color - follow(before.color, moved)) ** 2).sum(0))
        total += float(step[moved.known].sum())
        pixels += int(moved.known.sum())
    return total / max(pixels, 1)
