"""Put line art without paper on white paper.

Drawing programs save lines alone, clear where the paper would be. Whoever wants such a drawing
colored wants the paper filled: it becomes an opaque picture. Pictures cut out of their background,
photographs or drawings that are filled with white, keep their transparency.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinct.drawing.classify import CLOSING, reduce, tell_kind
from tinct.drawing.morphology import close_lines
from tinct.photo import Photo
from tinct.resample import quantiles

MOST_INK = 0.5  # share of the picture that is opaque, at most
LIGHTEST_INK = 0.75  # mean tone of what is opaque, at most: paper would be lighter
MOST_BODY = 0.3  # share of what is opaque that is no line, at most


def on_white(gray: NDArray[Any], alpha: NDArray[Any]) -> NDArray[Any]:
    """Return gray codes as they look on white.

    Args:
        gray: uint8 or uint16 (H, W), sRGB-encoded.
        alpha: the same type and shape, 0 clear.
    """
    most = int(np.iinfo(gray.dtype).max)
    wide = np.uint32 if gray.dtype == np.uint8 else np.uint64
    share = alpha.astype(wide)
    mixed = gray * share + most * (most - share)
    return np.asarray((mixed + most // 2) // most, dtype=gray.dtype)


def body(alpha: NDArray[Any]) -> float:
    """Return the share of what is opaque that is no line: of a cut-out, most; of ink, little.

    Args:
        alpha: uint8 or uint16 (H, W), 0 clear.
    """
    opaque = reduce(alpha)
    closed = close_lines(1 - opaque, max(2, round(min(opaque.shape) / CLOSING)))
    return float((closed < 0.5).sum() / max(1, (opaque > 0.5).sum()))


def visible(picture: Photo) -> NDArray[Any]:
    """Return the gray codes with what is clear in the middle tone of what is not.

    What lies under clear pixels tells nothing of the picture.
    """
    if (
        picture.alpha is None
        or not (seen := picture.alpha > np.iinfo(picture.alpha.dtype).max // 2).any()
    ):
        return picture.gray
    middle = picture.gray.dtype.type(quantiles(picture.gray[seen], (0.5,))[0])
    return np.where(seen, picture.gray, middle)


def lay_on_paper(picture: Photo) -> Photo:
    """Return an opened picture, on white paper if it is line art of which only the ink is opaque.

    Args:
        picture: from :mod:`tinct.photo`.

    Returns:
        The picture itself, or one without alpha.
    """
    if picture.alpha is None:
        return picture
    most = np.iinfo(picture.gray.dtype).max
    share = float(picture.alpha.mean()) / most
    if not 0 < share <= MOST_INK:
        return picture
    weighed = (picture.gray.astype(np.float32) * picture.alpha).mean(dtype=np.float64)
    if float(weighed) / most**2 / share > LIGHTEST_INK:
        return picture
    if body(picture.alpha) > MOST_BODY:
        return picture
    shown = on_white(picture.gray, picture.alpha)
    if tell_kind(shown).kind != "lineart":
        return picture
    return replace(picture, gray=shown, alpha=None)
