"""Let a painting's colors keep to the regions that a drawing's lines enclose.

Pure array functions. :func:`pool_chroma` gives each region one color; :func:`enlarge_chroma`
enlarges what came of it without mixing colors of neighbors, so that they end where the drawing's
regions end, not at the painting's coarser cells.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tinct.resample import Floats, blurred

Labels = NDArray[np.int32]

TINY = np.float32(1e-6)  # of a weight
ALONE = 8.0  # cells of paper; a region with fewer takes its color from around as well
AROUND = 1 / 10  # of the painting's short side: how far around
WIDE = 1 / 20  # share of the picture
LIGHT, PALE = 85.0, 10.0  # L*, and chroma in Lab units: so light and pale is paper
DARK = 30.0  # L*: so much darker than it was drawn, a place is painted on purpose
CORNER = np.float32(1e-3)  # weight of a cell that is nearest of all but none of the four around


def pool_chroma(lab: Floats, paper: Floats, regions: Labels) -> Floats:
    """Give each region of a painting one color, under the lightness that was painted.

    What a network is unsure of comes out in clouds; a colorist's first pass is flat. A region of
    few cells has seen little but its lines: what is around it counts the more the fewer they are.
    A wide region at the border that is painted light and pale is paper, and stays as it was drawn.

    Args:
        lab: float32 (3, h, w), L*, a*, b*.
        paper: float32 (h, w), 0..1, how light the drawing is: its paper tells the color of a region
            more than its lines do.
        regions: labels (h, w), 0 up.
    """
    weight = np.square(paper)
    names, share = regions.ravel(), weight.ravel()
    total = np.maximum(np.bincount(names, weights=share), TINY)
    cells = np.maximum(np.bincount(names), 1)
    known = np.stack([*(lab[1:] * weight), weight])
    around = blurred(known, side=max(2.0, min(regions.shape) * AROUND))
    around[:2] /= np.maximum(around[2], TINY)
    own = np.minimum(total / ALONE, 1)
    pooled = [
        own * np.bincount(names, weights=share * plane.ravel()) / total
        + (1 - own) * np.bincount(names, weights=near.ravel()) / cells
        for plane, near in zip(lab[1:], around[:2], strict=True)
    ]
    found = np.stack([lab[0], *(color[regions] for color in pooled)]).astype(np.float32)
    rim = np.zeros(len(cells), np.bool_)
    for side in (regions[0], regions[-1], regions[:, 0], regions[:, -1]):
        rim[side] = True
    light = np.bincount(names, weights=share * lab[0].ravel()) / total
    bare = rim & (cells > WIDE * regions.size) & (light > LIGHT) & (np.hypot(*pooled) < PALE)
    # What is painted much darker than it was drawn, inside such a region, is meant so.
    darker = np.maximum(100 * paper - lab[0], 0)
    blank = np.clip((DARK - darker) / (DARK / 2), 0, 1) * bare[regions]
    found[0] += blank * darker
    found[1:] *= 1 - blank
    return found.astype(np.float32)


def enlarge_chroma(
    chroma: Floats, regions: Labels, fine: Labels, *, cover: tuple[float, float] = (1.0, 1.0)
) -> Floats:
    """Enlarge chroma so that it does not leave its region.

    Bilinear among those of the four cells around that belong to the same region. A region that none
    of them belongs to takes its mean, and one that no cell belongs to what is around.

    Args:
        chroma: float32 (C, h, w).
        regions: labels (h, w).
        fine: the same labels (H, W), nowhere coarser.
        cover: the shares of h and w, from the top left, that ``fine`` shows.

    Returns:
        float32 (C, H, W).
    """
    axes = []
    for count, size, share in zip(fine.shape, regions.shape, cover, strict=True):
        at = np.clip((np.arange(count) + 0.5) * (size * share / count) - 0.5, 0, size - 1)
        low = np.minimum(at.astype(np.intp), max(size - 2, 0))
        part = (at - low).astype(np.float32)
        axes.append(((low, 1 - part), (np.minimum(low + 1, size - 1), part)))
    found = np.zeros((len(chroma), *fine.shape), np.float32)
    plain, total = found.copy(), np.zeros(fine.shape, np.float32)
    for rows, down in axes[0]:
        for columns, right in axes[1]:
            cells = np.ix_(rows, columns)
            weight = np.outer(down, right)
            values = chroma[:, *cells]
            plain += weight * values
            weight = (weight + CORNER) * (regions[cells] == fine)
            found += weight * values
            total += weight
    found /= np.maximum(total, TINY)
    lost = total == 0
    if lost.any():
        count = int(max(regions.max(), fine.max())) + 1
        size = np.bincount(regions.ravel(), minlength=count)
        there = size[fine[lost]] > 0
        for out, near, plane in zip(found, plain, chroma, strict=True):
            total_of = np.bincount(regions.ravel(), weights=plane.ravel(), minlength=count)
            mean = total_of / np.maximum(size, 1)
            out[lost] = np.where(there, mean[fine[lost]], near[lost])
    return found
