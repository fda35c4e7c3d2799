"""Color black-and-white photographs, with their exact lightness kept, and line drawings.

``tinct.colorize(picture)`` colors one picture; ``tinct.Colorizer()`` is the reusable form.
Importing tinct imports nothing heavy: a module is loaded when one of its names is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tinct.bundle import Bundle, Manifest, find_bundle, list_bundles
    from tinct.colored import Colored, ColoredJpeg
    from tinct.coloring.palette import Palette, read_palette
    from tinct.colorizer import Colorizer
    from tinct.errors import (
        DeviceError,
        MissingExtraError,
        ModelError,
        PartialError,
        PictureError,
        SaveError,
        TinctError,
        TrainingError,
        UsageError,
    )
    from tinct.hints import (
        BlurMap,
        Hint,
        KeepGray,
        Layer,
        Patch,
        Point,
        Stroke,
        parse_hint,
        read_hints,
    )
    from tinct.photo import PictureWarning
    from tinct.proposal import Proposal
    from tinct.router import Router, colorize
    from tinct.settings import Settings
    from tinct.sidecar import ColorRecipe, read_recipe, save_recipe

__version__ = "0.1.0"

__all__ = [
    "BlurMap",
    "Bundle",
    "ColorRecipe",
    "Colored",
    "ColoredJpeg",
    "Colorizer",
    "DeviceError",
    "Hint",
    "KeepGray",
    "Layer",
    "Manifest",
    "MissingExtraError",
    "ModelError",
    "Palette",
    "PartialError",
    "Patch",
    "PictureError",
    "PictureWarning",
    "Point",
    "Proposal",
    "Router",
    "SaveError",
    "Settings",
    "Stroke",
    "TinctError",
    "TrainingError",
    "UsageError",
    "__version__",
    "colorize",
    "find_bundle",
    "list_bundles",
    "parse_hint",
    "read_hints",
    "read_palette",
    "read_recipe",
    "save_recipe",
]

_MODULES = {
    "BlurMap": "hints",
    "Bundle": "bundle",
    "ColorRecipe": "sidecar",
    "Colored": "colored",
    "ColoredJpeg": "colored",
    "Colorizer": "colorizer",
    "DeviceError": "errors",
    "Hint": "hints",
    "KeepGray": "hints",
    "Layer": "hints",
    "Manifest": "bundle",
    "MissingExtraError": "errors",
    "ModelError": "errors",
    "Palette": "coloring.palette",
    "PartialError": "errors",
    "Patch": "hints",
    "PictureError": "errors",
    "PictureWarning": "photo",
    "Point": "hints",
    "Proposal": "proposal",
    "Router": "router",
    "SaveError": "errors",
    "Settings": "settings",
    "Stroke": "hints",
    "TinctError": "errors",
    "TrainingError": "errors",
    "UsageError": "errors",
    "colorize": "router",
    "find_bundle": "bundle",
    "list_bundles": "bundle",
    "parse_hint": "hints",
    "read_hints": "hints",
    "read_palette": "coloring.palette",
    "read_recipe": "sidecar",
    "save_recipe": "sidecar",
}


def __getattr__(name: str) -> Any:
    """Bring in a public name when it is first used."""
    if name not in _MODULES:
        raise AttributeError(f"module 'tinct' has no attribute {name!r}")
    return getattr(import_module(f"tinct.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    """Return the public names."""
    return sorted(__all__)
