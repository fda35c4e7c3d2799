"""The hints that there are; :mod:`tinct.hints.rasterize` draws them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from tinct.errors import UsageError
from tinct.hints.color_names import Lab
from tinct.hints.images import Pixels
from tinct.hints.validation import (
    Box,
    FieldError,
    Place,
    box_to_shares,
    check_box,
    check_line,
    check_measure,
    check_painted,
    check_share,
    check_unit,
    lab_of,
    length_to_shares,
    pixels_of,
    points_to_shares,
)

RADIUS = 0.01
"""Default radius of a point, half the default width of a stroke: a share of the short side."""

LONGEST = 512
"""Pictures of patches and maps are made smaller where they have more pixels on a side."""

WHOLE = (0.0, 0.0, 1.0, 1.0)

Floats = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Point:
    """The color of one place.

    Attributes:
        x: across, from the left edge.
        y: down, from the top edge.
        color: L*, a*, b*, or a text as for :func:`tinct.hints.color_names.parse_color`. On
            photographs L* has no effect: the picture keeps its own.
        radius: of the disk; None means :data:`RADIUS`.
        unit: ``share`` or ``px``.

    Raises:
        UsageError: a number is out of range, or the text is no color.
    """

    kind: ClassVar[str] = "point"

    x: float
    y: float
    color: Lab | str
    radius: float | None = None
    unit: str = "share"

    def __post_init__(self) -> None:
        check_unit(self.unit)
        check_measure("x", self.x, unit=self.unit)
        check_measure("y", self.y, unit=self.unit)
        if self.radius is not None:
            check_measure("radius", self.radius, unit=self.unit)
        lab = self.lab  # a wrong color is told at once
        if not isinstance(self.color, str):
            object.__setattr__(self, "color", lab)

    @cached_property
    def lab(self) -> Lab:
        """The color as L*, a*, b*."""
        return lab_of(self.color)

    def in_shares(self, height: int, width: int) -> Self:
        """Return the hint in shares of a picture of ``height`` x ``width`` pixels."""
        if self.unit == "share":
            return self
        ((x, y),) = points_to_shares([(self.x, self.y)], height, width, names=(("x", "y"),))
        radius = length_to_shares(self.radius, height, width)
        return replace(self, x=x, y=y, radius=radius, unit="share")


@dataclass(frozen=True, kw_only=True)
class Stroke:
    """The color along a line.

    Attributes:
        points: its corners (x, y), two or more.
        color: as for :class:`Point`.
        width: of the line; None means twice :data:`RADIUS`.
        unit: ``share`` or ``px``.

    Raises:
        UsageError: a number is out of range, or the text is no color.
    """

    kind: ClassVar[str] = "stroke"

    points: tuple[Place, ...]
    color: Lab | str
    width: float | None = None
    unit: str = "share"

    def __post_init__(self) -> None:
        object.__setattr__(self, "points", check_line(self.points, self.width, unit=self.unit))
        if len(self.points) < 2:
            raise FieldError("points", "a stroke needs two or more; one place is a point")
        lab = self.lab  # a wrong color is told at once
        if not isinstance(self.color, str):
            object.__setattr__(self, "color", lab)

    @cached_property
    def lab(self) -> Lab:
        """The color as L*, a*, b*."""
        return lab_of(self.color)

    def in_shares(self, height: int, width: int) -> Self:
        """Return the hint in shares of a picture of ``height`` x ``width`` pixels."""
        if self.unit == "share":
            return self
        wide = length_to_shares(self.width, height, width)
        return replace(
            self, points=points_to_shares(self.points, height, width), width=wide, unit="share"
        )


@dataclass(frozen=True, kw_only=True)
class KeepGray:
    """What stays gray: a disk, a stroke or a box without any chroma, of the picture's lightness.

    Attributes:
        points: one place (a disk) or more (a stroke), or none where there is a box.
        width: of the disk or stroke; None means twice :data:`RADIUS`.
        box: left, top, right, bottom; or None.
        unit: ``share`` or ``px``.

    Raises:
        UsageError: a number is out of range, or there are not exactly one of points and a box.
    """

    kind: ClassVar[str] = "gray"

    points: tuple[Place, ...] = ()
    width: float | None = None
    box: Box | None = None
    unit: str = "share"

    def __post_init__(self) -> None:
        object.__setattr__(self, "points", check_line(self.points, self.width, unit=self.unit))
        if self.box is not None:
            object.__setattr__(self, "box", check_box(self.box, unit=self.unit))
        if bool(self.points) == (self.box is not None):
            raise FieldError("points", "either points or a box must say what stays gray")

    def in_shares(self, height: int, width: int) -> Self:
        """Return the hint in shares of a picture of ``height`` x ``width`` pixels."""
        if self.unit == "share":
            return self
        return replace(
            self,
            points=points_to_shares(self.points, height, width),
            width=length_to_shares(self.width, height, width),
            box=None if self.box is None else box_to_shares(self.box, height, width),
            unit="share",
        )


@dataclass(frozen=True, kw_only=True)
class Patch:
    """The colors of a box, copied from a reference picture.

    Attributes:
        box: left, top, right, bottom: where the colors go.
        picture: the small picture itself: whatever
            :func:`tinct.hints.images.of_picture` takes, kept as :class:`Pixels`.
        unit: ``share`` or ``px``.

    Raises:
        UsageError: a number is out of range.
        PictureError: the picture cannot be read.
    """

    kind: ClassVar[str] = "patch"

    box: Box
    picture: Any
    unit: str = "share"

    def __post_init__(self) -> None:
        check_unit(self.unit)
        object.__setattr__(self, "box", check_box(self.box, unit=self.unit))
        object.__setattr__(self, "picture", pixels_of(self.picture, longest=LONGEST))

    def in_shares(self, height: int, width: int) -> Self:
        """Return the hint in shares of a picture of ``height`` x ``width`` pixels."""
        if self.unit == "share":
            return self
        return replace(self, box=box_to_shares(self.box, height, width), unit="share")


@dataclass(frozen=True, kw_only=True)
class Layer:
    """A picture of the same shape with colors painted on it, clear where there is no hint.

    Attributes:
        picture: as for :class:`Patch`.

    Raises:
        PictureError: the picture cannot be read.
        UsageError: it is clear everywhere.
    """

    kind: ClassVar[str] = "layer"

    picture: Any

    def __post_init__(self) -> None:
        object.__setattr__(self, "picture", check_painted(pixels_of(self.picture)))

    def in_shares(self, height: int, width: int) -> Self:
        """Check that the layer has the shape of a picture of ``height`` x ``width`` pixels."""
        layer: Pixels = self.picture
        tall, wide = layer.height * width, layer.width * height
        if abs(tall - wide) > max(0.02 * max(tall, wide), height, width):
            raise UsageError(
                f"The layer of {layer.width} x {layer.height} pixels has another shape than the "
                f"picture of {width} x {height}; draw it over that picture."
            )
        return self


@dataclass(frozen=True, kw_only=True)
class BlurMap:
    """A rough color picture under the drawing, stretched over all of it.

    Other hints lie upon it: where there is one, the map does not count.

    Attributes:
        picture: as for :class:`Patch`.
        opacity: 1 takes the map's colors as they are; less mixes them with the uncolored picture,
            as a layer of that opacity looks: paler.
        blur: side of a box that it is blurred with, as a share of the short side, 0 to 1.

    Raises:
        PictureError: the picture cannot be read.
        UsageError: it is clear everywhere, or a number is out of range.
    """

    kind: ClassVar[str] = "map"

    picture: Any
    opacity: float = 1.0
    blur: float = 0.0

    def __post_init__(self) -> None:
        pixels = check_painted(pixels_of(self.picture, longest=LONGEST))
        object.__setattr__(self, "picture", pixels)
        check_share("opacity", self.opacity)
        check_share("blur", self.blur)

    def in_shares(self, height: int, width: int) -> Self:  # noqa: ARG002 (as of all hints)
        """Return the hint, which fits every picture."""
        return self


Hint = Point | Stroke | KeepGray | Patch | Layer | BlurMap
