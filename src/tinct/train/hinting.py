"""Hints that a simulated person gives."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def points(
    rgb: NDArray[np.uint8], rng: np.random.Generator, *, most: int
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Invent the hints a person might have given: a few points and strokes of the true color.

    Args:
        rgb: uint8 (H, W, 3), the truth.
        rng: the source of chance.
        most: the largest number of hints; small numbers are likelier.

    Returns:
        uint8 (H, W, 3) colors and uint8 (H, W) mask. Each hint has one color, the mean of what it
        covers.
    """
    height, width = rgb.shape[:2]
    colors = np.zeros_like(rgb)
    mask = np.zeros((height, width), np.uint8)
    count = min(most, int(rng.geometric(0.2)))
    for _ in range(count):
        y, x = int(rng.integers(height)), int(rng.integers(width))
        radius = int(rng.integers(0, max(2, min(height, width) // 32) + 1))
        places = [(y, x)]
        if rng.random() < 0.25:  # a stroke: a short straight line
            angle, length = rng.random() * 2 * np.pi, rng.random() * 0.15 * min(height, width)
            steps = np.linspace(0, 1, max(2, int(length)))
            places = [
                (
                    int(np.clip(y + t * length * np.sin(angle), 0, height - 1)),
                    int(np.clip(x + t * length * np.cos(angle), 0, width - 1)),
                )
                for t in steps
            ]
        own = np.zeros((height, width), bool)
        for py, px in places:
            own[max(0, py - radius) : py + radius + 1, max(0, px - radius) : px + radius + 1] = True
        colors[own] = rgb[own].mean(axis=0).round().astype(np.uint8)
        mask[own] = 1
    return colors, mask
