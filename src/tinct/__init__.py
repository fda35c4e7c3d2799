"""Color black-and-white photographs, with their exact lightness kept, and line drawings.

``tinct.colorize(picture)`` colors one picture; ``tinct.Colorizer()`` is the reusable form.
Importing tinct imports nothing heavy: a room is entered when one of its names is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tinct.bundle import Bundle, Manifest, find_bundle, list_bundles
    from tinct.colorizer import Colorizer, colorize
    from tinct.errors import TinctError
    from tinct.hints import (
        BlurMap,
        KeepGray,
        Layer,
        Patch,
        Point,
        Stroke,
        parse_hint,
        read_hints,
    )
    from tinct.sidecar import ColorRecipe, read_recipe, save_recipe

__version__ = "0.1.0"

__all__ = [
    "BlurMap",
    "Bundle",
    "ColorRecipe",
    "Colorizer",
    "KeepGray",
    "Layer",
    "Manifest",
    "Patch",
    "Point",
    "Stroke",
    "TinctError",
    "__version__",
    "colorize",
    "find_bundle",
    "list_bundles",
    "parse_hint",
    "read_hints",
    "read_recipe",
    "save_recipe",
]

_ROOMS = {
    "BlurMap": "hints",
    "Bundle": "bundle",
    "ColorRecipe": "color_recipe",
    "Colorizer": "colorizer",
    "KeepGray": "hints",
    "Layer": "hints",
    "Manifest": "bundle",
    "Patch": "hints",
    "Point": "hints",
    "Stroke": "hints",
    "TinctError": "errors",
    "colorize": "colorizer",
    "find_bundle": "bundle",
    "list_bundles": "bundle",
    "parse_hint": "hints",
    "read_hints": "hints",
    "read_recipe": "color_recipe",
    "save_recipe": "color_recipe",
}


def __getattr__(name: str) -> Any:
    """Bring in a public name when it is first used."""
    if name not in _ROOMS:
        raise AttributeError(f"module 'tinct' has no attribute {name!r}")
    return getattr(import_module(f"tinct.{_ROOMS[name]}"), name)


def __dir__() -> list[str]:
    """Return the public names."""
    return sorted(__all__)
