"""Hints in one line of text, as people type them."""

from __future__ import annotations

import re

from tinct.errors import UsageError
from tinct.hints.types import Hint, KeepGray, Point, Stroke
from tinct.hints.validation import FieldError

GRAY = ("gray", "grey")
"""In the place of a color: what stays gray."""

EXAMPLE = "write X,Y=COLOR, as in 0.42,0.6=#224433"


def parse_hint(text: str) -> Hint:
    """Read a hint from text.

    Args:
        text: ``X,Y=COLOR`` or ``X,Y,RADIUS=COLOR`` for a point; ``X,Y X,Y ...=COLOR`` or ``X,Y
            X,Y,WIDTH=COLOR`` for a stroke; ``X,Y:X,Y=gray`` for a box that stays gray. Numbers are
            shares 0..1 of the picture or, each with the ending ``px``, pixels. The color is one
            for :func:`tinct.hints.color_names.parse_color`; ``gray`` keeps what the picture has
            there.

    Raises:
        UsageError: the text is not of this form, or a number is out of range.
    """
    where, equals, color = text.partition("=")
    places = re.sub(r"\s*([,:])\s*", r"\1", where.strip()).split()
    if not equals or not places:
        raise UsageError(f"{text!r} is no hint; {EXAMPLE}.")
    color = color.strip()
    try:
        if ":" in where:
            return _box(text, places, color)
        return _line(text, places, color)
    except FieldError as error:
        raise UsageError(f"{text!r} is no hint: {error}") from error


def _line(text: str, places: list[str], color: str) -> Hint:
    """Return a point, a stroke, or either of them that stays gray."""
    parts = [place.split(",") for place in places]
    if len(parts[-1]) not in (2, 3) or any(len(part) != 2 for part in parts[:-1]):
        raise UsageError(f"{text!r} is no hint; {EXAMPLE}.")
    numbers, unit = _numbers(text, [number for part in parts for number in part])
    thick = numbers.pop() if len(parts[-1]) == 3 else None
    points = tuple(zip(numbers[::2], numbers[1::2], strict=True))
    if color.lower() in GRAY:
        wide = thick * 2 if thick is not None and len(points) == 1 else thick
        return KeepGray(points=points, width=wide, unit=unit)
    if len(points) > 1:
        return Stroke(points=points, color=color, width=thick, unit=unit)
    x, y = points[0]
    return Point(x=x, y=y, color=color, radius=thick, unit=unit)


def _box(text: str, places: list[str], color: str) -> KeepGray:
    """Return a box that stays gray."""
    parts = re.split("[,:]", places[0])
    if len(places) > 1 or len(parts) != 4 or color.lower() not in GRAY:
        raise UsageError(f"{text!r} is no hint; a box can stay gray: X,Y:X,Y=gray.")
    (left, top, right, bottom), unit = _numbers(text, parts)
    return KeepGray(box=(left, top, right, bottom), unit=unit)


def _numbers(text: str, parts: list[str]) -> tuple[list[float], str]:
    """Return numbers and their common unit."""
    pixels = [part.lower().endswith("px") for part in parts]
    if any(pixels) != all(pixels):
        raise UsageError(f"{text!r} is no hint; end all its places in px, or none.")
    try:
        numbers = [float(part[:-2] if all(pixels) else part) for part in parts]
    except ValueError as error:
        raise UsageError(
            f"{text!r} is no hint; a place is two numbers in 0..1, or in pixels: 420px,600px."
        ) from error
    return numbers, "px" if all(pixels) else "share"
