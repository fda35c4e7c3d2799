"""Gray-scale morphology: fill what is thin and dark."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def close_lines(plane: NDArray[Any], radius: int) -> NDArray[Any]:
    """Return a plane without its thin dark parts: the closing by a square.

    Args:
        plane: (H, W) of any real type; it goes on beyond its border as at the border.
        radius: dark parts narrower than 2 * radius + 1 pixels are filled.

    Returns:
        The same type and shape, nowhere darker than ``plane``.
    """
    return extreme(extreme(plane, radius, np.maximum), radius, np.minimum)


def extreme(plane: NDArray[Any], radius: int, choose: np.ufunc) -> NDArray[Any]:
    """Return the largest or smallest value in the square around each pixel.

    Args:
        plane: (H, W).
        radius: of the square, which has 2 * radius + 1 pixels a side.
        choose: ``np.maximum`` or ``np.minimum``.
    """
    for axis in (0, 1):
        around = [(0, 0), (0, 0)]
        around[axis] = (radius, radius)
        wide = np.pad(plane, around, mode="edge")
        have, width = 1, 2 * radius + 1
        while have < width:  # windows of twice the width, until they are wide enough
            step = min(have, width - have)
            count = wide.shape[axis] - step
            first, second = (
                wide[at : at + count] if axis == 0 else wide[:, at : at + count] for at in (0, step)
            )
            wide = choose(first, second)
            have += step
        plane = wide
    return plane
