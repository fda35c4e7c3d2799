"""What goes in and out of the HTTP interface."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

from pydantic import BaseModel, Field

from tinct.errors import UsageError
from tinct.settings import AUTO, KEEPS, QUALITIES, STRONGEST, WARMEST
from tinct.studio.guard import PROBLEM

MEDIA = {
    "jpeg": "image/jpeg", "png": "image/png", "webp": "image/webp", "tiff": "image/tiff",
    "avif": "image/avif", "heic": "image/heic", "jxl": "image/jxl", "ora": "image/openraster",
}  # fmt: skip
ENDINGS = {"jpeg": ".jpg", "png": ".png", "webp": ".webp", "tiff": ".tif", "avif": ".avif",
           "heic": ".heic", "jxl": ".jxl", "ora": ".ora"}  # fmt: skip
FORMATS = "^(jpeg|png|webp|tiff|avif|heic|jxl)$"
EXPORTS = "^(jpeg|png|webp|tiff|avif|heic|jxl|ora)$"


class Problem(BaseModel):
    """What went wrong, and what to do (RFC 9457)."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str


class Change(BaseModel):
    """How a session's picture is to be colored."""

    hints: list[dict[str, Any]] = Field(
        default=[],
        max_length=2000,
        description="As in a color recipe (docs/sidecar.md), without pictures in files.",
        examples=[[{"kind": "point", "x": 0.4, "y": 0.6, "color": "#2e6b3a"}]],
    )
    strength: float = Field(default=1.0, ge=0, le=STRONGEST)
    warmth: float = Field(default=0.0, ge=-WARMEST, le=WARMEST)
    reference: dict[str, Any] | None = Field(
        default=None, description="A palette as in a color recipe, such as another state has."
    )
    model: str = Field(default=AUTO, max_length=200)
    keep: str = Field(default="auto", pattern=f"^({'|'.join(KEEPS)})$")
    quality: str = Field(default="balanced", pattern=f"^({'|'.join(QUALITIES)})$")


class State(BaseModel):
    """A session, as the page sees it."""

    id: str
    name: str
    width: int
    height: int
    version: int
    model: str
    task: str
    suggests: bool
    reversible: bool
    warnings: list[str]
    hints: list[dict[str, Any]]
    strength: float
    warmth: float
    reference: dict[str, Any] | None
    keep: str
    quality: str
    wanted_model: str


ERRORS: dict[int | str, dict[str, Any]] = {
    code: {"model": Problem, "description": what, "content": {PROBLEM: {}}}
    for code, what in (
        (400, "the request is malformed"),
        (401, "the token is missing"),
        (403, "another site asks"),
        (404, "there is no such session"),
        (408, "the request took too long to arrive"),
        (413, "the request is too large"),
        (421, "the server is not asked by this name"),
        (422, "the picture or a value is not as it must be"),
        (503, "too many requests; see Retry-After"),
    )
}


def parsed(text: str) -> Any:
    """Decode JSON in a form's field.

    Raises:
        UsageError: it is none.
    """
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"hints: this is no JSON ({error}); correct it.") from error


def saved_as(name: str, kind: str) -> dict[str, str]:
    """Return the header that names a file that is saved."""
    saved = f"{Path(name).stem}.color{ENDINGS[kind]}"
    plain = "".join(c if c.isascii() and c not in '"\\' else "_" for c in saved)
    coded = quote(saved, safe="")
    return {"Content-Disposition": f"attachment; filename=\"{plain}\"; filename*=UTF-8''{coded}"}


def free_name(name: str, kind: str, taken: set[str]) -> str:
    """Return a name for a file in an archive that no other one has, and note it."""
    stem, number = f"{Path(name).stem}.color", 1
    found = f"{stem}{ENDINGS[kind]}"
    while found in taken:
        number += 1
        found = f"{stem}-{number}{ENDINGS[kind]}"
    taken.add(found)
    return found
