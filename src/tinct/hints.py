"""Colors that people give: points on the picture -> the hint planes that models take.

Places are shares of the upright picture: x from 0 (left edge) to 1 (right edge), y from 0 (top) to
1 (bottom), so that a hint means the same at every size.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from tinct import color
from tinct.errors import UsageError

RADIUS = 0.01
"""Default radius of a point as a share of the picture's short side."""

Lab = tuple[float, float, float]

_LAB = re.compile(r"lab\(\s*([-+.\de]+)[\s,]+([-+.\de]+)[\s,]+([-+.\de]+)\s*\)", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Point:
    """The color of one place.

    Attributes:
        x: 0 (left edge) to 1 (right edge).
        y: 0 (top edge) to 1 (bottom edge).
        color: L*, a*, b*, or a text as for :func:`parse_color`. On photographs L* has no effect:
            the picture keeps its own.
        radius: as a share of the picture's short side, 0 to 1.

    Raises:
        UsageError: a number is out of range, or the text is no color.
    """

    x: float
    y: float
    color: Lab | str
    radius: float = RADIUS

    def __post_init__(self) -> None:
        for name, value in (("x", self.x), ("y", self.y), ("radius", self.radius)):
            if not 0 <= value <= 1:
                raise UsageError(
                    f"A hint's {name} must lie in 0..1 (shares of the picture), not {value:g}."
                )
        lightness, a, b = self.lab
        if not (0 <= lightness <= 100 and abs(a) <= 128 and abs(b) <= 128):
            raise UsageError(
                f"The hint's color lab({lightness:g} {a:g} {b:g}) is out of range: "
                "L* is 0..100, a* and b* are -128..128."
            )

    @cached_property
    def lab(self) -> Lab:
        """The color as L*, a*, b*."""
        if isinstance(self.color, str):
            return parse_color(self.color)
        try:
            lightness, a, b = (float(value) for value in self.color)
        except (TypeError, ValueError):
            raise UsageError(
                f"{self.color!r} is no color; give three numbers L*, a*, b*, or a text."
            ) from None
        return lightness, a, b


def parse_color(text: str) -> Lab:
    """Read a color.

    Args:
        text: ``#rgb``, ``#rrggbb``, a CSS name such as ``olive``, ``rgb(1, 2, 3)``, or
            ``lab(L a b)``.

    Returns:
        L*, a*, b*.

    Raises:
        UsageError: it is none of these.
    """
    given = _LAB.fullmatch(text.strip())
    try:
        if given:
            lightness, a, b = (float(part) for part in given.groups())
            return lightness, a, b
        from PIL import ImageColor  # noqa: PLC0415

        rgb = np.array(ImageColor.getrgb(text.strip())[:3])
    except ValueError as error:
        raise UsageError(
            f"{text!r} is no color; write #rrggbb, a CSS name such as olive, or lab(L a b)."
        ) from error
    lightness, a, b = (float(value) for value in color.rgb_to_lab(rgb / 255))
    return lightness, a, b


def parse_hint(text: str) -> Point:
    """Read a point hint from text.

    Args:
        text: ``X,Y=COLOR`` or ``X,Y,RADIUS=COLOR``; X, Y and RADIUS in 0..1, the color as for
            :func:`parse_color`.

    Raises:
        UsageError: the text is not of this form, or a number is out of range.
    """
    place, equals, shade = text.partition("=")
    parts = place.split(",")
    if not equals or len(parts) not in (2, 3):
        raise UsageError(f"{text!r} is no hint; write X,Y=COLOR, as in 0.42,0.6=#224433.")
    try:
        numbers = [float(part) for part in parts]
    except ValueError as error:
        raise UsageError(
            f"{place!r} is no place; write two numbers in 0..1, as in 0.42,0.6=#224433."
        ) from error
    radius = numbers[2] if len(numbers) == 3 else RADIUS
    return Point(x=numbers[0], y=numbers[1], color=parse_color(shade), radius=radius)


def rasterize(
    hints: Iterable[Point],
    height: int,
    width: int,
    *,
    lightness: NDArray[np.float32] | None = None,
) -> NDArray[np.float32]:
    """Draw hints onto the planes that models take.

    A pixel belongs to a hint when its center lies within the radius; the pixel under the point
    always does, so that no hint is lost at small sizes. Where hints overlap, their colors are
    averaged.

    Args:
        hints: the hints.
        height: rows of the picture at working size, 1 or more.
        width: columns.
        lightness: L* (height, width) of the picture; then the hints' own L* is ignored.

    Returns:
        float32 (4, height, width): L*, a*, b*, and 1 where there is a hint; zeros elsewhere.
    """
    total = np.zeros((3, height, width), np.float32)
    count = np.zeros((height, width), np.float32)
    for hint in hints:
        row = min(int(hint.y * height), height - 1)
        column = min(int(hint.x * width), width - 1)
        radius = hint.radius * min(height, width)
        reach = int(radius) + 1
        rows = slice(max(0, row - reach), row + reach + 1)
        columns = slice(max(0, column - reach), column + reach + 1)
        down = (np.arange(height)[rows] + 0.5 - hint.y * height)[:, None]
        right = (np.arange(width)[columns] + 0.5 - hint.x * width)[None, :]
        covered = down**2 + right**2 <= radius**2
        covered[row - rows.start, column - columns.start] = True
        count[rows, columns] += covered
        for plane, value in zip(total, hint.lab, strict=True):
            plane[rows, columns] += covered * np.float32(value)
    given = count > 0
    planes = np.zeros((4, height, width), np.float32)
    np.divide(total, count, out=planes[:3], where=given)
    if lightness is not None:
        planes[0] = np.where(given, lightness, 0)
    planes[3] = given
    return planes
