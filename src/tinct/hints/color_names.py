"""Colors in words: hexadecimal, CSS names and CIE Lab."""

from __future__ import annotations

import re

import numpy as np

from tinct import color
from tinct.errors import UsageError

Lab = tuple[float, float, float]
"""L* 0..100, a*, b*."""

MOST_AB = 128
"""No a* or b* lies farther from zero."""

_LAB = re.compile(r"lab\(\s*([-+.\de]+)[\s,]+([-+.\de]+)[\s,]+([-+.\de]+)\s*\)", re.IGNORECASE)


def parse_color(text: str) -> Lab:
    """Read a color.

    Args:
        text: ``#rgb``, ``#rrggbb``, a CSS name such as ``olive``, ``rgb(1, 2, 3)``, or
            ``lab(L a b)``.

    Returns:
        L*, a*, b*.

    Raises:
        UsageError: it is none of these, or out of range.
    """
    given = _LAB.fullmatch(text.strip())
    try:
        if given:
            lightness, a, b = (float(part) for part in given.groups())
            return check_lab((lightness, a, b))
        from PIL import ImageColor  # noqa: PLC0415

        rgb = np.array(ImageColor.getrgb(text.strip())[:3])
    except UsageError:
        raise
    except ValueError as error:
        raise UsageError(
            f"{text!r} is no color; write #rrggbb, a CSS name such as olive, or lab(L a b)."
        ) from error
    lightness, a, b = (float(value) for value in color.rgb_to_lab(rgb / 255))
    return lightness, a, b


def check_lab(lab: Lab) -> Lab:
    """Return L*, a*, b* if they are in range.

    Raises:
        UsageError: they are not.
    """
    lightness, a, b = lab
    if not (0 <= lightness <= 100 and abs(a) <= MOST_AB and abs(b) <= MOST_AB):
        raise UsageError(
            f"lab({lightness:g} {a:g} {b:g}) is out of range: L* is 0..100, "
            f"a* and b* are -{MOST_AB}..{MOST_AB}."
        )
    return lab
