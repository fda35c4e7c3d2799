"""Measure whether color keeps to the regions that lightness shows; NumPy and libvips only.

Two figures that errors of single pixels do not tell: *blotches*, how much color varies inside
regions of one lightness, and *leak*, which share of a color step lies outside the edge of lightness
that it belongs to. Both are to be held against the truth's, which has some of either as well.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinct import color, libvips

Floats = NDArray[np.float64]

SHORT = 256
"""Larger pictures are looked at with this short side, pixels."""
LEVEL = 12.0
"""A region is what hangs together within one of such steps of smoothed L*."""
SMALLEST = 0.002
"""Regions that cover a smaller share of the picture do not count."""
STRONG = 20.0
"""Change of L* over two pixels from which there is an edge."""
FLAT = 5.0
"""Change of L* up to which a side of an edge counts as one surface."""
NEAR, FAR = 2, 5
"""Pixels from an edge at which color is compared."""
LEAST_STEP = 2.0
"""Mean color step at a picture's edges below which leak says nothing, Lab units."""


def lab_of(rgb: NDArray[np.uint8]) -> Floats:
    """Return L*, a*, b* (H, W, 3) of an sRGB picture (H, W, 3), reduced to :data:`SHORT`."""
    height, width = rgb.shape[:2]
    scale = SHORT / min(height, width)
    if scale < 1:
        image = libvips.image_of(rgb, interpretation="srgb")
        size = {"height": max(1, round(height * scale)), "size": "force"}
        rgb = np.asarray(image.thumbnail_image(max(1, round(width * scale)), **size).numpy())
    lab: Floats = color.rgb_to_lab(rgb / 255.0)
    return lab


def regions(lightness: Floats) -> NDArray[np.int64]:
    """Segment a picture by its lightness.

    Args:
        lightness: L* (H, W).

    Returns:
        (H, W): the number of each pixel's region, -1 where that is too small to count.
    """
    image = libvips.image_of(lightness.astype(np.float32), interpretation="b-w")
    levels = np.floor(np.asarray(image.gaussblur(1.5).numpy()) / LEVEL).astype(np.uint8)
    labels = libvips.image_of(levels, interpretation="b-w").labelregions().numpy()
    labels = np.asarray(labels, np.int64)
    counts = np.bincount(labels.ravel())
    return np.where(counts[labels] >= SMALLEST * labels.size, labels, -1)


def blotches(lab: Floats, labels: NDArray[np.int64]) -> float | None:
    """Return how much color varies inside regions.

    Args:
        lab: L*, a*, b* (H, W, 3).
        labels: from :func:`regions`, of the true lightness.

    Returns:
        The root mean square distance of a*, b* from their region's mean, a mean over regions by
        area, Lab units; None without regions.
    """
    kept = labels >= 0
    if not kept.any():
        return None
    numbers, inside = np.unique(labels[kept], return_inverse=True)
    counts = np.bincount(inside, minlength=len(numbers))
    variance = np.zeros(len(numbers))
    for channel in (1, 2):
        values = lab[..., channel][kept]
        mean = np.bincount(inside, values) / counts
        variance += np.bincount(inside, (values - mean[inside]) ** 2) / counts
    return float((np.sqrt(variance) * counts).sum() / counts.sum())


def leak(lab: Floats, lightness: Floats) -> tuple[float, float]:
    """Return how color steps at the edges of lightness.

    At every edge between two surfaces, along rows and columns: how far the color near the edge is
    from that of its own surface, and how far the two surfaces' colors are apart.

    Args:
        lab: L*, a*, b* (H, W, 3).
        lightness: the true L* (H, W).

    Returns:
        The mean of each over the edges, Lab units; zeros without edges. The first over the second
        is the share of a color step that lies outside the edge.
    """
    off = step = 0.0
    count = 0
    for turned in (False, True):
        light = lightness.T if turned else lightness
        ab = (lab.transpose(1, 0, 2) if turned else lab)[..., 1:]
        width = light.shape[1]
        if width <= 2 * FAR:
            continue

        def at(plane: NDArray[Any], shift: int, width: int = width) -> NDArray[Any]:
            return plane[:, FAR + shift : width - FAR + shift]

        edge = np.abs(at(light, 1) - at(light, -1)) >= STRONG
        for side in (-1, 1):
            edge &= np.abs(at(light, side * NEAR) - at(light, side * FAR)) <= FLAT
        for side in (-1, 1):
            apart = np.linalg.norm(at(ab, side * NEAR) - at(ab, side * FAR), axis=-1)
            off += float(apart[edge].sum()) / 2
        step += float(np.linalg.norm(at(ab, FAR) - at(ab, -FAR), axis=-1)[edge].sum())
        count += int(edge.sum())
    return (off / count, step / count) if count else (0.0, 0.0)


def coherence(picture: NDArray[np.uint8], truth: NDArray[np.uint8]) -> dict[str, float]:
    """Return how color keeps to the regions and edges of the truth; both sRGB (H, W, 3).

    Returns:
        ``blotches`` in Lab units, and ``leak``, a share; a figure that says nothing is missing.
    """
    true, made = lab_of(truth), lab_of(picture)
    figures: dict[str, float] = {}
    varying = blotches(made, regions(true[..., 0]))
    if varying is not None:
        figures["blotches"] = varying
    _, true_step = leak(true, true[..., 0])
    off, step = leak(made, true[..., 0])
    if true_step >= LEAST_STEP and step >= LEAST_STEP / 4:
        figures["leak"] = off / step
    return figures
