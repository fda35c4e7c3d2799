"""The hints that there are, and the hint planes that models take of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from tinct.errors import UsageError
from tinct.hints import cells as hint_planes
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

MANY_PIXELS = 1 << 20
ENOUGH = 4
"""So many pixels for each side of a cell are enough: those of larger pictures are joined."""

MIDDLE_GRAY = 50.0
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


def rasterize(
    hints: Iterable[Hint],
    height: int,
    width: int,
    *,
    lightness: Floats | None = None,
    own_lightness: bool = False,
    size: tuple[int, int] | None = None,
) -> Floats:
    """Draw hints onto the planes that models take.

    A cell belongs to a disk or stroke when its center lies on it; the cells under a stroke's
    corners and under a point always do, so that no hint is lost at small sizes. For pictures see
    :func:`tinct.hints.cells.place`. Where hints overlap, their colors are averaged in Lab,
    weighted with the share of the cell that each covers; a :class:`BlurMap` counts only where no
    other hint is.

    Args:
        hints: the hints.
        height: rows of the picture at working size, 1 or more.
        width: columns.
        lightness: L* (height, width) of the picture; then the hints' own L* is ignored.
        own_lightness: keep the hints' own L* all the same; what stays gray takes the picture's.
        size: height and width of the full-size picture; None leaves shapes of layers unchecked.

    Returns:
        float32 (4, height, width): L*, a*, b*, and 1 where there is a hint; zeros elsewhere.

    Raises:
        UsageError: a hint in pixels lies outside the picture or ``size`` is None, or a layer has
            another shape.
    """
    placed = [_placed(hint, size, number) for number, hint in enumerate(hints)]
    seen = np.full((height, width), MIDDLE_GRAY, np.float32) if lightness is None else lightness
    total = np.zeros((4, height * width))
    _draw_strokes(total, placed, seen)
    upper = total.reshape(4, height, width)
    lower = np.zeros_like(upper)
    for hint in placed:
        if isinstance(hint, KeepGray) and hint.box is not None:
            rows, columns = hint_planes.box_cells(hint.box, height=height, width=width)
            upper[0, rows, columns] += seen[rows, columns]
            upper[3, rows, columns] += 1
        elif isinstance(hint, BlurMap):
            _add(lower, *_mapped(hint, seen))
        elif isinstance(hint, Patch | Layer):
            _add(upper, *_pasted(hint, height, width))
    upper = np.where(upper[3] > 0, upper, lower)
    given = upper[3] > 0
    planes = np.zeros((4, height, width), np.float32)
    np.divide(upper[:3], upper[3], out=planes[:3], where=given, casting="same_kind")
    if lightness is not None and not own_lightness:
        planes[0] = np.where(given, lightness, 0)
    planes[3] = given
    return planes


def _placed(hint: Hint, size: tuple[int, int] | None, number: int) -> Hint:
    """Return a hint in shares."""
    try:
        if size is not None:
            return hint.in_shares(*size)
        if isinstance(hint, Point | Stroke | KeepGray | Patch) and hint.unit == "px":
            raise FieldError("unit", "pixels need the full-size picture; give shares 0..1")
    except FieldError as error:
        raise error.within(f"hints[{number}]") from error
    return hint


def _draw_strokes(total: NDArray[np.float64], hints: Sequence[Hint], seen: Floats) -> None:
    """Add colors and counts of all disks and strokes to (4, cells)."""
    height, width = seen.shape
    short = min(height, width)
    paths, radii, shades, gray = [], [], [], []
    for hint in hints:
        if isinstance(hint, Point):
            corners: Sequence[Place] = ((hint.x, hint.y),)
            radius = RADIUS if hint.radius is None else hint.radius
        elif isinstance(hint, Stroke | KeepGray) and hint.points:
            corners, radius = hint.points, RADIUS if hint.width is None else hint.width / 2
        else:
            continue
        paths.append(np.array(corners, np.float64) * (width, height))
        radii.append(radius * short)
        gray.append(isinstance(hint, KeepGray))
        shades.append((0.0, 0.0, 0.0) if isinstance(hint, KeepGray) else hint.lab)
    colors, neutral = np.array(shades), np.array(gray)
    cells = height * width
    for owner, cell in hint_planes.stroke_cells(paths, radii, height=height, width=width):
        light = np.where(neutral[owner], seen.ravel()[cell], colors[owner, 0])
        weights = (light, colors[owner, 1], colors[owner, 2], None)
        for plane, weight in zip(range(4), weights, strict=True):
            total[plane] += np.bincount(cell, weight, minlength=cells)


def _pasted(hint: Patch | Layer, height: int, width: int) -> tuple[Floats, Floats]:
    """Return the colors and shares of a picture in its box; clear margins cost nothing."""
    picture: Pixels = hint.picture
    left, top, right, bottom = hint.box if isinstance(hint, Patch) else WHOLE
    across, down = (right - left) / picture.width, (bottom - top) / picture.height
    x0, y0, x1, y1 = picture.painted
    if x0 == x1:
        return np.zeros((3, height, width), np.float32), np.zeros((height, width), np.float32)
    part = picture.part(x0, y0, x1, y1)
    dense = min(1 / (down * height), 1 / (across * width))  # pixels for each cell's side
    large = part.height * part.width > MANY_PIXELS
    block = max(1, int(dense / ENOUGH)) if large else 1
    tall, wide = -(-part.height // block), -(-part.width // block)
    left, top = left + x0 * across, top + y0 * down
    box = (left, top, left + wide * block * across, top + tall * block * down)
    return hint_planes.place(part.strips(block), (tall, wide), box, height=height, width=width)


def _mapped(hint: BlurMap, seen: Floats) -> tuple[Floats, Floats]:
    """Return the colors and shares of a map."""
    height, width = seen.shape
    picture: Pixels = hint.picture
    size = (picture.height, picture.width)
    lab, shares = hint_planes.place(picture.strips(), size, WHOLE, height=height, width=width)
    if hint.blur:
        spread = hint_planes.blurred(
            np.concatenate([lab * shares, shares[None]]), side=hint.blur * min(height, width)
        )
        np.divide(spread[:3], spread[3], out=lab, where=shares > 0)
    lab *= np.float32(hint.opacity)
    lab[0] += np.float32(1 - hint.opacity) * seen
    return lab, shares


def _add(total: NDArray[np.float64], lab: Floats, shares: Floats) -> None:
    total[:3] += lab * shares
    total[3] += shares
