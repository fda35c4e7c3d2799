"""Hints in files: lists in JSON, and layers as drawing programs export them.

The form of the JSON is told in ``docs/sidecar.md`` and, for machines, in
``sidecar.schema.json``.
"""

from __future__ import annotations

import dataclasses
import difflib
import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tinct.errors import PictureError, UsageError
from tinct.hints import images
from tinct.hints.images import Pixels
from tinct.hints.text import parse_hint
from tinct.hints.types import BlurMap, Hint, KeepGray, Layer, Patch, Point, Stroke
from tinct.hints.validation import FieldError

KINDS: dict[str, type[Hint]] = {
    kind.kind: kind for kind in (Point, Stroke, KeepGray, Patch, Layer, BlurMap)
}
"""The hints by the names that they have in JSON."""

JSON = ".json"

Given = Any
"""A hint, its text, a file of hints, a PIL image as a layer; or a sequence of them."""

_TEXT = re.compile(r"[-+\d.,:epx\s]+=", re.IGNORECASE)


def read_hints(given: Given) -> tuple[Hint, ...]:
    """Return everything that people may hand over as hints as values.

    Args:
        given: a hint; a text as for :func:`tinct.hints.text.parse_hint`; the path of a file as for
            :func:`read_file`; a PIL image as for :func:`of_layer`; or any number of these.

    Raises:
        UsageError: it is no such thing, or something in it is wrong; the message names the field.
        PictureError: a picture cannot be read.
    """
    if isinstance(given, Point | Stroke | KeepGray | Patch | Layer | BlurMap):
        return (given,)
    if isinstance(given, str) and _TEXT.match(given):
        return (parse_hint(given),)
    if isinstance(given, (str, os.PathLike)):
        return read_file(Path(given))
    if hasattr(given, "getbands") and hasattr(given, "load"):
        return (of_layer(images.of_picture(given), name="The image"),)
    if isinstance(given, Iterable) and not isinstance(given, Mapping | bytes):
        return tuple(hint for one in given for hint in read_hints(one))
    raise UsageError(
        f"A {type(given).__name__} is no hint; give a tinct.Point, a text, a file or a PIL image."
    )


def read_file(path: Path) -> tuple[Hint, ...]:
    """Read a file of hints.

    Args:
        path: a list in JSON (its name ends in ``.json``), a color recipe, of which only the hints
            are taken, or a picture as for :func:`of_layer`.

    Raises:
        UsageError: the JSON cannot be read, or something in it is wrong: the message names the
            field.
        PictureError: a picture cannot be read.
    """
    if path.suffix.lower() != JSON:
        return (of_layer(images.of_picture(path), name=path.name),)
    held = read_json(path)
    if isinstance(held, dict):
        if "hints" not in held:
            raise UsageError(f"{path.name}: hints: the field is missing; give a list of hints.")
        held = held["hints"]
    try:
        return from_json(held, folder=path.parent)
    except (FieldError, PictureError) as error:
        raise type_of(error)(f"{path.name}: {error}") from error


def type_of(error: UsageError | PictureError) -> type[UsageError] | type[PictureError]:
    """Return the public class of an error."""
    return UsageError if isinstance(error, UsageError) else PictureError


def of_layer(pixels: Pixels, *, name: str) -> Layer | BlurMap:
    """Return a picture as a hint: with transparency a layer, without a rough map.

    Raises:
        UsageError: it is clear everywhere, or gray and opaque.
    """
    if pixels.opaque and pixels.gray:
        raise UsageError(
            f"{name} is gray and opaque: as a hint it would make the whole picture gray; paint "
            "colors on it, and make the rest transparent."
        )
    try:
        return BlurMap(picture=pixels) if pixels.opaque else Layer(picture=pixels)
    except FieldError as error:
        raise UsageError(f"{name}: {error.problem}.") from error


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises:
        UsageError: it cannot be read or is none.
    """
    try:
        return json.loads(path.read_text("utf-8-sig"))
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise UsageError(f"{path.name[:80]} cannot be read ({why}); check the name.") from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path.name[:80]} is no JSON ({error}); correct it.") from error


def from_json(held: Any, *, folder: Path | None, max_pixels: int | None = None) -> tuple[Hint, ...]:
    """Return the hints that a decoded JSON list describes.

    Args:
        held: the list.
        folder: pictures named in it lie there or below; None where there is no such folder.
        max_pixels: that all pictures in it may have together; None: 100 million each.

    Raises:
        FieldError: a field is missing, unknown or wrong.
        PictureError: a picture cannot be read, or there are more pixels than that.
    """
    if not isinstance(held, list):
        raise FieldError("hints", "must be a list of hints")
    left = None if max_pixels is None else _Left(max_pixels)
    return tuple(
        _hint(one, outer=f"hints[{number}]", folder=folder, left=left)
        for number, one in enumerate(held)
    )


@dataclasses.dataclass
class _Left:
    """How many pixels pictures may still have."""

    pixels: int


def _hint(held: Any, *, outer: str, folder: Path | None, left: _Left | None) -> Hint:
    """Return one hint; ``outer`` is where it stands."""
    if not isinstance(held, dict):
        raise FieldError(outer, f"must be an object with a kind: {', '.join(KINDS)}")
    try:
        kind = KINDS.get(str(held.get("kind")))
        if kind is None:
            raise FieldError("kind", f"{held.get('kind')!r} is none of {', '.join(KINDS)}")
        values = check_fields(
            {name: value for name, value in held.items() if name != "kind"},
            known=[field.name for field in dataclasses.fields(kind)],
            needed=[
                field.name
                for field in dataclasses.fields(kind)
                if field.default is dataclasses.MISSING
            ],
        )
        if "picture" in values:
            values["picture"] = _picture(values["picture"], folder=folder, left=left)
        return kind(**values)
    except FieldError as error:
        raise error.within(outer) from error
    except PictureError as error:
        raise PictureError(f"{outer}.{error}") from error


def check_fields(
    held: Mapping[str, Any], *, known: Sequence[str], needed: Sequence[str] = ()
) -> dict[str, Any]:
    """Return the fields of a JSON object if all are known and none is missing.

    Raises:
        FieldError: one is not.
    """
    for name, value in held.items():
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            instead = f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}"
            raise FieldError(name, f"the field is unknown; {instead}")
        if value is None:
            raise FieldError(name, "null is no value; leave the field out")
    for name in needed:
        if name not in held:
            raise FieldError(name, "the field is missing")
    return dict(held)


def _picture(text: Any, *, folder: Path | None, left: _Left | None) -> Pixels:
    if not isinstance(text, str):
        raise FieldError("picture", f"must be a file's name or begin with {images.DATA}")
    try:
        if left is None:
            return images.of_text(text, folder=folder)
        pixels = images.of_text(text, folder=folder, max_pixels=left.pixels)
    except PictureError as error:
        raise PictureError(f"picture: {error}") from error
    left.pixels -= pixels.height * pixels.width
    return pixels


def as_json(hint: Hint) -> dict[str, Any]:
    """Return a hint as plain JSON values, without fields that have their defaults."""
    held: dict[str, Any] = {"kind": hint.kind}
    for field in dataclasses.fields(hint):
        value = getattr(hint, field.name)
        if value == field.default:
            continue
        held[field.name] = value.as_text() if isinstance(value, Pixels) else _plain(value)
    return held


def _plain(value: Any) -> Any:
    """Return numbers, texts and tuples of them as JSON has them."""
    if isinstance(value, str):
        return value
    if isinstance(value, Iterable):
        return [_plain(part) for part in value]
    return float(value)
