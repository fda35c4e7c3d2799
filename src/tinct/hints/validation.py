"""The fields of hints: what may stand in them, and pixels turned into shares.

Whatever is wrong is told with the field's name, so that a mistake in a long file is found.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from tinct.errors import PictureError, UsageError
from tinct.hints import images
from tinct.hints.color_names import Lab, check_lab, parse_color
from tinct.hints.images import Pixels

UNITS = ("share", "px")

Place = tuple[float, float]
"""Across and down."""
Box = tuple[float, float, float, float]
"""Left, top, right, bottom."""


class FieldError(UsageError):
    """A field of a hint is wrong.

    Attributes:
        field: its name, perhaps with numbers in brackets, and where it stands.
        problem: what is wrong with it and what would be right.
    """

    def __init__(self, field: str, problem: str) -> None:
        self.field = field
        self.problem = problem.removesuffix(".")
        super().__init__(f"{self.field}: {self.problem}.")

    def within(self, outer: str) -> FieldError:
        """Return the same error of a field that is part of ``outer``."""
        return FieldError(f"{outer}.{self.field}", self.problem)


def lab_of(given: Any) -> Lab:
    """Return a color given as three numbers or as text as L*, a*, b*."""
    try:
        if isinstance(given, str):
            return parse_color(given)
        lightness, a, b = (number_of("color", value) for value in given)
        return check_lab((lightness, a, b))
    except FieldError as error:
        raise FieldError("color", _no_lab(given)) from error
    except UsageError as error:
        raise FieldError("color", str(error)) from error
    except (TypeError, ValueError) as error:
        raise FieldError("color", _no_lab(given)) from error


def _no_lab(given: Any) -> str:
    return f"{given!r} is no color; give three numbers L*, a*, b*, or a text"


def number_of(name: str, value: Any) -> float:
    """Return a number as a float; booleans and texts are none."""
    if isinstance(value, bool) or not isinstance(value, (int, float, np.integer, np.floating)):
        raise FieldError(name, f"{value!r} is no number")
    try:
        return float(value)
    except OverflowError as error:
        raise FieldError(name, "the number is too large") from error


def check_unit(unit: Any) -> None:
    """Check the unit of places and lengths."""
    if unit not in UNITS:
        raise FieldError("unit", f"{unit!r} is neither 'share' nor 'px'")


def check_share(name: str, value: Any) -> float:
    """Return a number in 0..1."""
    number = number_of(name, value)
    if not 0 <= number <= 1:
        raise FieldError(name, f"must lie in 0..1, not {number:g}")
    return number


def check_measure(name: str, value: Any, *, unit: str) -> float:
    """Return a coordinate or length: a share of the picture, or pixels."""
    number = number_of(name, value)
    if unit == "share" and not 0 <= number <= 1:
        raise FieldError(name, f"must lie in 0..1, not {number:g}; pixels are marked px")
    if not 0 <= number < math.inf:
        raise FieldError(name, f"must be 0 or more pixels, not {number:g}")
    return number


def check_line(points: Any, width: Any, *, unit: str) -> tuple[Place, ...]:
    """Return places as pairs of floats; the width may be None."""
    check_unit(unit)
    if width is not None:
        check_measure("width", width, unit=unit)
    places = []
    for number, place in enumerate(_listed("points", points)):
        name = f"points[{number}]"
        pair = _listed(name, place)
        if len(pair) != 2:
            raise FieldError(name, f"must be two numbers x, y, not {len(pair)}")
        x, y = (check_measure(f"{name}[{i}]", pair[i], unit=unit) for i in range(2))
        places.append((x, y))
    return tuple(places)


def check_box(box: Any, *, unit: str) -> Box:
    """Return a box as four floats."""
    edges = _listed("box", box)
    if len(edges) != 4:
        raise FieldError("box", f"must be four numbers left, top, right, bottom, not {len(edges)}")
    left, top, right, bottom = (
        check_measure(f"box[{number}]", edge, unit=unit) for number, edge in enumerate(edges)
    )
    if not (left < right and top < bottom):
        raise FieldError("box", "left must be less than right, and top less than bottom")
    return left, top, right, bottom


def _listed(name: str, value: Any) -> list[Any]:
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise FieldError(name, f"{value!r} is no list")
    return list(value)


def points_to_shares(
    places: Iterable[Place], height: int, width: int, *, names: Sequence[tuple[str, str]] = ()
) -> tuple[Place, ...]:
    """Convert places in pixels to shares.

    Args:
        places: across and down.
        height: of the full-size picture.
        width: likewise.
        names: of the fields, for messages; ``points[0][0]`` and so on where there are none.

    Raises:
        FieldError: a place lies outside the picture.
    """
    shares = []
    for number, (x, y) in enumerate(places):
        for axis, (value, side) in enumerate(((x, width), (y, height))):
            if value > side:
                name = names[number][axis] if names else f"points[{number}][{axis}]"
                raise FieldError(
                    name, f"{value:g} px lies outside the picture of {width} x {height} pixels"
                )
        shares.append((x / width, y / height))
    return tuple(shares)


def box_to_shares(box: Box, height: int, width: int) -> Box:
    """Convert a box in pixels to shares."""
    names = (("box[0]", "box[1]"), ("box[2]", "box[3]"))
    (left, top), (right, bottom) = points_to_shares((box[:2], box[2:]), height, width, names=names)
    return left, top, right, bottom


def length_to_shares(value: float | None, height: int, width: int) -> float | None:
    """Convert a length in pixels to a share of the short side, 1 at most."""
    return None if value is None else min(1.0, value / min(height, width))


def pixels_of(picture: Any, *, longest: int | None = None) -> Pixels:
    """Open the picture of a hint, no side of which shall be longer than ``longest`` pixels."""
    try:
        pixels = images.of_picture(picture)
    except PictureError as error:
        raise PictureError(f"picture: {error}") from error
    return pixels if longest is None else pixels.within(longest)


def check_painted(pixels: Pixels) -> Pixels:
    """Return the picture of a hint if something is painted on it."""
    if pixels.painted[0] == pixels.painted[2]:
        raise FieldError("picture", "it is clear everywhere and holds no color; paint on it")
    return pixels
