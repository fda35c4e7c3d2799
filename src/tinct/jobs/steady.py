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
from tinct.jobs.overlap import in_order

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


def motions(one: Small, other: Small) -> tuple[Motion, Motion]:
    """Find out how places move between two neighbors.

    Returns:
        Where the places of ``one`` are in ``other``, and those of ``other`` in ``one``, at the size
        of their colors.

    Raises:
        MissingExtraError: OpenCV is not installed.
    """
    cv2 = opencv()
    first, second = (_gray(frame.lightness) for frame in (one, other))
    search = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    there, back = search.calc(first, second, None), search.calc(second, first, None)
    return _motion(one, other, there, back), _motion(other, one, back, there)


def _motion(frame: Small, neighbor: Small, flow: Floats, back: Floats) -> Motion:
    """Return the motion that a flow tells, where the flow back agrees."""
    cv2 = opencv()
    height, width = frame.lightness.shape
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


def steady(frames: Sequence[Small], *, context: int = CONTEXT, workers: int = 1) -> list[Floats]:
    """Average colors along the motion of one shot.

    Args:
        frames: of one shot, in order.
        context: how many frames before and after count, for long shots.
        workers: pairs of frames in work at a time.

    Returns:
        The colors of each frame, (C, h, w).

    Raises:
        MissingExtraError: OpenCV is not installed.
    """
    found = list(in_order(lambda pair: motions(*pair), pairwise(frames), workers=workers))
    colors = [frame.color for frame in frames]
    forward = _carried(colors, [second for _, second in found], context=context)
    backward = _carried(colors[::-1], [first for first, _ in found[::-1]], context=context)
    settled = []
    for color, (before, many), (after, more) in zip(colors, forward, backward[::-1], strict=True):
        # Both hold the frame itself once.
        total = before * many + after * more - color
        settled.append((total / (many + more - 1)).astype(np.float32))
    return settled


def _carried(
    colors: Sequence[Floats], moved: Sequence[Motion], *, context: int
) -> list[tuple[Floats, Floats]]:
    """Return running means along the motion in one direction, and of how many frames they are.

    Args:
        colors: in that direction.
        moved: the motion from each but the first to the one before it.
        context: how many frames count.
    """
    found = [(colors[0], np.ones(colors[0].shape[1:], np.float32))]
    for color, motion in zip(colors[1:], moved, strict=True):
        held, counted = found[-1]
        carried = follow(np.concatenate([held, counted[None]]), motion)
        count = np.where(motion.known, np.minimum(carried[-1] + 1, context + 1), 1)
        mean = np.where(motion.known, carried[:-1] + (color - carried[:-1]) / count, color)
        found.append((mean.astype(np.float32), count.astype(np.float32)))
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
        _, moved = motions(before, after)
        step = np.sqrt(((after.color - follow(before.color, moved)) ** 2).sum(0))
        total += float(step[moved.known].sum())
        pixels += int(moved.known.sum())
    return total / max(pixels, 1)
