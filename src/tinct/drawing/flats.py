"""Flat colors: find the regions that lines enclose, and give each one color.

A ball that is too big for the gaps in the lines rolls through the white of the drawing; the places
that it reaches without leaving are regions [1]. Smaller balls then fill what the bigger ones could
not enter. What is left, lines above all, goes to the nearest region. The labels of connected parts
and the nearest regions come from libvips.

References:
    [1] S.-H. Zhang, T. Chen, Y.-F. Zhang, S.-M. Hu, R. R. Martin: Vectorizing cartoon animations,
        IEEE TVCG 15(4), 2009 (trapped-ball segmentation).
"""

from __future__ import annotations

import heapq
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinct import libvips
from tinct.drawing.morphology import close_lines, extreme

Labels = NDArray[np.int32]
Mask = NDArray[np.bool_]

INK = 0.3  # share of the paper's code that a line is darker by
FIRM = 0.7  # so much darker than paper are a firm line's darker parts; a pencil's are less
FAINT = 0.1  # share of the paper's code; less is the paper's own texture
FEW = 1e-3  # of the picture; a drawing has more ink
WORK_PIXELS = 2_000_000  # larger drawings are segmented smaller
DRAWN = 480  # pixels: the short side that is enough to find a painting's regions
GAP = 1 / 50  # of the short side: gaps in lines up to this wide are closed
WIDE = 3 / 100  # of the short side: the same where a hint must not pass
SPECK = 1 / 20_000  # of the picture; smaller regions join their neighbors
OPEN = 1.2  # of the root of a region's area: so long a border without a line is none
ENOUGH = 0.1  # share of a region that is away from lines and tells its color
THIN = (8, 50)  # pixels; what is farther from all regions is found in a slower way
FAR = 180  # pixels; balls are smaller, so that the sum of two squares fits 16 bits
SOLID = 0.6  # share of the lightest paper; what is darker even when closed is ink, not paper


def paper_of(gray: NDArray[Any]) -> NDArray[Any]:
    """Return the paper's tone under the lines of a drawing: thin dark things are filled.

    Args:
        gray: uint8 or uint16 (H, W).

    Returns:
        The same type and shape, nowhere darker than ``gray``.
    """
    paper = close_lines(gray, max(2, round(min(gray.shape) / 40)))
    lightest = np.partition(paper.ravel(), -1 - paper.size // 20)[-1 - paper.size // 20]
    tone: NDArray[Any] = np.maximum(paper, (lightest * SOLID).astype(paper.dtype))
    return tone


def line_layer(gray: NDArray[Any]) -> NDArray[np.uint8]:
    """Return a drawing's lines alone: its tones as a share of its paper's, 255 where it is paper.

    Args:
        gray: uint8 or uint16 (H, W).
    """
    paper = np.maximum(paper_of(gray), 1).astype(np.float32)
    lines: NDArray[np.uint8] = np.rint(gray / paper * np.float32(255)).astype(np.uint8)
    return lines


def lines_of(gray: NDArray[Any]) -> Mask:
    """Return where a drawing has lines: clearly darker than the paper around them.

    What is clear depends on the drawing: in one by a soft pencil, less is.
    """
    paper = np.maximum(paper_of(gray), 1).astype(np.float32)
    ink = 1 - gray / paper
    seen = ink[ink > FAINT]
    firm = 1.0
    if len(seen) > FEW * ink.size:
        firm = min(1.0, float(np.partition(seen, -1 - len(seen) // 5)[-1 - len(seen) // 5]) / FIRM)
    lines: Mask = ink > INK * firm
    return lines


def near_lines(gray: NDArray[Any]) -> Mask:
    """Return where a drawing has lines, and the pixels around them that a painting blurs."""
    lines = lines_of(gray).astype(np.uint8)
    return extreme(lines, max(1, round(min(gray.shape) / 150)), np.maximum) > 0


def shrink(gray: NDArray[Any], factor: int) -> NDArray[Any]:
    """Reduce a drawing; the darkest pixel of a block stands for it, so that lines stay closed.

    Args:
        gray: uint8 or uint16 (H, W).
        factor: H and W are divided by it and rounded up.
    """
    if factor == 1:
        return gray
    height, width = gray.shape
    small = np.minimum.reduceat(gray, range(0, height, factor), axis=0)
    return np.minimum.reduceat(small, range(0, width, factor), axis=1)


def find_regions(gray: NDArray[Any], *, gap: float = GAP) -> Labels:
    """Cut a drawing into the regions that its lines enclose.

    Args:
        gray: uint8 or uint16 (H, W), dark lines on light paper.
        gap: gaps in lines up to so wide, as a share of the short side, do not join regions.

    Returns:
        int32 (H, W), 0 up without holes in the numbering; lines belong to the region nearest.
    """
    factor = max(1, math.ceil(math.sqrt(gray.size / WORK_PIXELS)))
    height, width = gray.shape
    small = shrink(gray, factor)
    radius = min(max(1, round(min(small.shape) * gap / 2)), FAR - 1)
    labels = _segment(lines_of(small), radius=radius)
    return labels.repeat(factor, axis=0)[:height].repeat(factor, axis=1)[:, :width]


def drawn_regions(gray: NDArray[Any]) -> Labels:
    """Find the regions of a drawing in which hints and colors of a painting stay.

    Args:
        gray: uint8 or uint16 (H, W), dark lines on light paper.

    Returns:
        int32 (h, w), labels as from :func:`find_regions`; of a large drawing smaller than it, with
        a short side of ``DRAWN`` or up to twice as much.
    """
    return find_regions(shrink(gray, max(1, min(gray.shape) // DRAWN)), gap=WIDE)


def sampled(
    found: Labels, shape: tuple[int, int], *, cover: tuple[float, float] = (1.0, 1.0)
) -> Labels:
    """Return regions for a painting of a drawing that has fewer pixels.

    Args:
        found: int32 (H, W), labels of the drawing's regions.
        shape: h, w of the painting.
        cover: the shares of h and w, from the top left, that show the drawing.

    Returns:
        int32 (h, w), the same labels; what pads the painting belongs to the regions at the border.
    """
    places = [
        np.minimum(((np.arange(count) + 0.5) / (count * share) * side).astype(np.intp), side - 1)
        for count, share, side in zip(shape, cover, found.shape, strict=True)
    ]
    return found[np.ix_(*places)]


def _segment(lines: Mask, *, radius: int) -> Labels:
    """Fill the white between lines with balls, the biggest first; see the module's docstring."""
    labels = np.zeros(lines.shape, np.int32)
    count = 0
    first, largest = 0, radius
    while True:
        free = ~lines & (labels == 0)
        centers = _eroded(free, radius)
        parts, found = _parts(centers)
        if found:
            # Balls around the centers stay inside what is free, so none crosses a line.
            owner = _grown(np.where(centers, parts + count, 0), radius)
            reached = free & (owner > 0)
            labels[reached] = owner[reached]
            count += found
        if radius == largest:
            first = count
        if radius == 0:
            break
        radius //= 2
    labels = _joined(labels, count, first=first, largest=largest)
    keep = np.bincount(labels.ravel(), minlength=count + 1) >= max(4, labels.size * SPECK)
    return _tidied(labels, keep)


def _joined(labels: Labels, count: int, *, first: int, largest: int) -> Labels:
    """Join labels, 0..count, with the neighbor from which no line parts them; smaller ones first.

    Those are corners that the first ball left over, smaller than two of its squares, and what has a
    border without a line that is long, by ``OPEN``, beside the side of a square of its size.
    """
    lengths = _borders(labels, count)
    size = np.bincount(labels.ravel(), minlength=count + 1)
    corner = size < 8 * largest**2
    corner[: first + 1] = False
    owner = np.arange(count + 1, dtype=np.int32)
    waiting = [(int(size[name]), name) for name in range(1, count + 1) if lengths[name]]
    heapq.heapify(waiting)
    while waiting:
        area, name = heapq.heappop(waiting)
        if owner[name] != name or area != size[name] or not lengths[name]:
            continue
        length, into = max((length, other) for other, length in lengths[name].items())
        if not corner[name] and length < OPEN * math.sqrt(area):
            continue
        owner[owner == name] = into
        size[into] += area
        corner[into] &= bool(size[into] < 8 * largest**2)
        for other, more in lengths[name].items():
            del lengths[other][name]
            if other != into:
                lengths[into][other] = lengths[other][into] = lengths[into].get(other, 0) + more
        lengths[name] = {}
        heapq.heappush(waiting, (int(size[into]), into))
    return owner[labels]


def _borders(labels: Labels, count: int) -> list[dict[int, int]]:
    """Return of each label, 0..count, how many pixels long its border with which others is."""
    codes = [
        np.minimum(one, other)[border] * np.int64(count + 1) + np.maximum(one, other)[border]
        for one, other in ((labels[1:], labels[:-1]), (labels[:, 1:], labels[:, :-1]))
        for border in [(one != other) & (one > 0) & (other > 0)]
    ]
    pairs, lengths = np.unique(np.concatenate(codes), return_counts=True)
    found: list[dict[int, int]] = [{} for _ in range(count + 1)]
    for pair, length in zip(pairs.tolist(), lengths.tolist(), strict=True):
        one, other = divmod(pair, count + 1)
        found[one][other] = found[other][one] = length
    return found


def _eroded(free: Mask, radius: int) -> Mask:
    """Return the centers of balls that fit into what is free; beyond the border all is free."""
    if radius == 0:
        return free
    best = _across(_along(~free), radius)
    centers: Mask = best > radius**2
    return centers


def _grown(labels: Labels, radius: int) -> Labels:
    """Return for each pixel the label of the nearest one that has any, up to a radius; else 0."""
    if radius == 0:
        return labels
    names = labels.copy()
    best = _across(_along(labels > 0, names), radius, names)
    names[best > radius**2] = 0
    return names


def _along(here: Mask, names: Labels | None = None) -> NDArray[np.uint16]:
    """Return how far above or below each pixel the nearest of a mask is, FAR at most.

    Where labels are given, they are carried along, in place. This is the first half of Euclidean
    distances, :func:`_across` the second.
    """
    far = np.where(here, 0, FAR).astype(np.uint16)
    for rows in (range(1, len(far)), range(len(far) - 2, -1, -1)):
        step = rows.step
        for row in rows:
            near = far[row - step] + np.uint16(1)
            if names is not None:
                np.copyto(names[row], names[row - step], where=near < far[row])
            np.minimum(far[row], near, out=far[row])
    return far


def _across(
    far: NDArray[np.uint16], radius: int, names: Labels | None = None
) -> NDArray[np.uint16]:
    """Return squared distances, exact up to a radius; labels are carried along, in place."""
    squares = far * far
    best = squares.copy()
    given = None if names is None else names.copy()
    for step in range(1, min(radius, far.shape[1] - 1) + 1):
        for to, come in ((np.s_[:, step:], np.s_[:, :-step]), (np.s_[:, :-step], np.s_[:, step:])):
            near = squares[come] + np.uint16(step**2)
            if names is not None and given is not None:
                np.copyto(names[to], given[come], where=near < best[to])
            np.minimum(best[to], near, out=best[to])
    return best


def _parts(mask: Mask) -> tuple[Labels, int]:
    """Give the connected parts of a mask numbers from 1; 0 is outside."""
    if not mask.any():
        return np.zeros(mask.shape, np.int32), 0
    image = libvips.image_of(mask.astype(np.uint8) * np.uint8(255), interpretation="b-w")
    labels = np.asarray(image.labelregions()).reshape(mask.shape)
    names, compact = np.unique(labels[mask], return_inverse=True)
    out = np.zeros(mask.shape, np.int32)
    out[mask] = compact.astype(np.int32) + 1
    return out, len(names)


def _nearest(labels: Labels) -> Labels:
    """Return for each pixel the label of the nearest one that has any."""
    for radius in THIN:
        owner = _grown(labels, radius)
        if owner.all():
            return owner
    # libvips moves labels about as floats, which hold whole numbers up to 2^24.
    image = libvips.image_of(labels.astype(np.float32), interpretation="b-w")
    filled = np.asarray(image.fill_nearest()).reshape(labels.shape)
    whole: Labels = np.rint(filled).astype(np.int32)
    return whole


def _tidied(labels: Labels, keep: Mask) -> Labels:
    """Give lines, and labels that are not kept, to the nearest region; number from 0."""
    keep[0] = False
    if not keep.any():
        return np.zeros_like(labels)
    owner = _nearest(np.where(keep[labels], labels, 0))
    number = np.zeros(len(keep), np.int32)
    number[keep] = np.arange(keep.sum())
    return number[owner]


def fill(rgb: NDArray[Any], labels: Labels, *, lines: Mask | None = None) -> NDArray[Any]:
    """Give each region the median color of its pixels.

    Args:
        rgb: uint8 or uint16 (H, W, 3).
        labels: (H, W), from :func:`find_regions`.
        lines: pixels that do not count, unless a region has few others.

    Returns:
        The same type and shape; medians of each channel, in steps of 1/255.
    """
    count = int(labels.max()) + 1
    codes = rgb if rgb.dtype == np.uint8 else (rgb >> 8).astype(np.uint8)
    inside = np.ones(labels.shape, np.bool_) if lines is None else ~lines
    seen = np.bincount(labels[inside], minlength=count)
    size = np.bincount(labels.ravel(), minlength=count)
    inside |= (seen < ENOUGH * size)[labels]
    names = labels[inside].astype(np.int64)
    order = np.argsort(names, kind="stable")
    ends = np.bincount(names, minlength=count).cumsum()
    flat = np.empty((count, 3), np.uint8)
    for channel in range(3):
        values = codes[..., channel][inside][order]
        ranked = np.lexsort((values, names[order]))
        middles = (ends + np.concatenate([[0], ends[:-1]])) // 2
        flat[:, channel] = values[ranked][middles]
    wide = flat if rgb.dtype == np.uint8 else flat.astype(np.uint16) * np.uint16(257)
    filled: NDArray[Any] = wide[labels]
    return filled


def flatten(gray: NDArray[Any], rgb: NDArray[Any]) -> NDArray[Any]:
    """Return a colored drawing in flat colors, with its lines.

    Args:
        gray: uint8 or uint16 (H, W), the drawing.
        rgb: (H, W, 3) of the same type, the same in color.

    Returns:
        The type and shape of ``rgb``: the regions' medians, multiplied by the lines.
    """
    filled = fill(rgb, find_regions(gray), lines=near_lines(gray))
    share = line_layer(gray)[..., None] / np.float32(255)
    flat: NDArray[Any] = np.rint(filled * share).astype(rgb.dtype)
    return flat
