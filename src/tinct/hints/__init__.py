"""Colors that people give: points, strokes, pictures -> the hint planes that models take.

Places are shares of the upright picture: x from 0 (left edge) to 1 (right edge), y from 0 (top) to
1 (bottom), so that a hint means the same at every size. With ``unit="px"`` they are pixels of the
full-size picture. Lengths (radius, width) are shares of its short side, or pixels.

Behind it: ``types`` (the hints), ``rasterize`` and ``cells`` (their planes), ``text`` and ``files``
(reading hints), ``validation`` (what may stand in them), ``images`` (the pictures in them),
``color_names`` (colors in words).
"""

from __future__ import annotations

from tinct.hints.files import read_hints
from tinct.hints.rasterize import rasterize
from tinct.hints.text import parse_hint
from tinct.hints.types import (
    RADIUS,
    BlurMap,
    Hint,
    KeepGray,
    Layer,
    Patch,
    Point,
    Stroke,
)

__all__ = [
    "RADIUS",
    "BlurMap",
    "Hint",
    "KeepGray",
    "Layer",
    "Patch",
    "Point",
    "Stroke",
    "parse_hint",
    "rasterize",
    "read_hints",
]
