"""Which files are films, told by their endings; imports nothing heavy."""

from __future__ import annotations

from pathlib import Path

FORMATS = {
    ".mp4": "mp4",
    ".m4v": "mp4",
    ".mov": "mov",
    ".mkv": "matroska",
    ".webm": "webm",
    ".avi": "avi",
}
"""Endings of films that are written, and what libav calls their containers."""

SUFFIXES = (*FORMATS, ".mpg", ".mpeg", ".ts", ".mts", ".m2ts", ".wmv", ".flv", ".ogv", ".3gp")
"""Endings of films that are read."""


def is_film(path: Path) -> bool:
    """Tell by its ending whether a file is a film."""
    return path.suffix.lower() in SUFFIXES
