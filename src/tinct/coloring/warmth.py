"""Warmer and cooler colors.

Lab is relative to its white. What is white by the light of D50 (daylight with a low sun) lies at
a*, b* = 2.4, 17.7 where D65 (daylight at noon) is the white, and so do, about, all colors seen by
that light. Warmth moves colors that way. Grays stay: of a black-and-white picture, paper, silver
and black coats are gray because nothing is known of them, or because somebody said so.

References:
    [1] CIE 15:2004, Colorimetry: the white points of D50 and D65, CIE 1931 observer.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

TOWARDS_D50 = (2.4, 17.7)
HALF = 10.0
"""Chroma at which a color moves half the way."""


def warmed(ab: Floats, warmth: float) -> Floats:
    """Return colors as seen by warmer or cooler light.

    Args:
        ab: float32 (2, h, w), a*, b* in Lab units.
        warmth: -1 (cooler) to 1 (warmer, D50 instead of D65); 0 changes nothing.

    Returns:
        Float32 (2, h, w): of strong colors a*, b* are moved by nearly ``warmth`` times
        :data:`TOWARDS_D50`, of gray ones not at all.
    """
    chroma = np.hypot(ab[0], ab[1])
    way = np.float32(warmth) * chroma / (chroma + np.float32(HALF))
    moved: Floats = ab + way * np.asarray(TOWARDS_D50, np.float32)[:, None, None]
    return moved
