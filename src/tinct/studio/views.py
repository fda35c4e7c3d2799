"""What the studio shows of an open picture: previews, doubt, variants, likely colors."""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tinct.color import gray_to_lightness
from tinct.hints.files import as_json
from tinct.settings import Settings
from tinct.studio.sessions import Session, Studio, reduced

SMALL = 360
"""Longest side of the pictures of variants."""
WHITE = 40.0
"""Doubt that the map shows white, Lab units."""


def view(studio: Studio, session: Session, *, whole: bool = False) -> bytes:
    """Return the colored picture as JPEG, as a preview or at full size."""
    with session.lock:
        held = session.rendered.get((session.version, whole))
        if held is not None:
            return held
        colorizer, proposal = studio.adjusted(session)
        gray = session.picture.gray if whole else session.preview
        settings = Settings(strength=session.wanted.strength)
        rgb = colorizer.render(gray, settings, proposal=proposal)
        data = _jpeg(rgb)
        session.rendered[(session.version, whole)] = data
        return data


def gray(session: Session) -> bytes:
    """Return the preview without color as JPEG."""
    return _jpeg(session.preview)


def doubt(studio: Studio, session: Session) -> bytes:
    """Return the map of doubt as PNG: black is sure, white is :data:`WHITE` and more."""
    _, proposal = studio.proposed(session)
    codes = np.rint(np.clip(proposal.doubt() / WHITE, 0, 1) * 255).astype(np.uint8)
    height, width = session.preview.shape
    image = Image.fromarray(codes).resize((width, height), Image.Resampling.BICUBIC)
    held = io.BytesIO()
    image.save(held, "PNG")
    return held.getvalue()


def variants(studio: Studio, session: Session, *, count: int = 3) -> list[dict[str, Any]]:
    """Return coherent alternatives: the hints that make them, and a small picture of each."""
    colorizer, proposal = studio.proposed(session)
    small = reduced(session.preview, SMALL)
    found = []
    wanted = session.wanted
    for hints in proposal.alternatives(count=count):
        adjusted = colorizer.adjust(
            proposal,
            hints=(*hints, *wanted.hints),
            reference=wanted.reference,
            warmth=wanted.warmth,
        )
        picture = base64.b64encode(_jpeg(colorizer.render(small, proposal=adjusted)))
        found.append(
            {
                "hints": [as_json(hint) for hint in hints],
                "picture": f"data:image/jpeg;base64,{picture.decode()}",
            }
        )
    return found


def likely(studio: Studio, session: Session, x: float, y: float) -> list[dict[str, Any]]:
    """Return the likeliest colors at a place, at its lightness.

    Raises:
        UsageError: the model has no distribution of colors.
    """
    _, proposal = studio.proposed(session)
    height, width = session.preview.shape
    row, column = min(int(y * height), height - 1), min(int(x * width), width - 1)
    codes = session.preview[max(row - 2, 0) : row + 3, max(column - 2, 0) : column + 3]
    lightness = float(gray_to_lightness(codes.mean() / 255))
    return [
        {"color": one.at(lightness), "share": round(one.share, 3)}
        for one in proposal.likely_at(x, y)
    ]


def regions(studio: Studio, session: Session) -> list[dict[str, Any]]:
    """Return the places where a hint would help most, with likely colors.

    Raises:
        UsageError: the model has no distribution of colors.
    """
    _, proposal = studio.proposed(session)
    return [
        {
            "x": round(region.x, 4),
            "y": round(region.y, 4),
            "area": round(region.area, 4),
            "doubt": round(region.doubt, 2),
            "colors": [
                {"color": one.at(region.lightness), "share": round(one.share, 3)}
                for one in region.colors
            ],
        }
        for region in proposal.suggest()
    ]


def _jpeg(pixels: NDArray[Any]) -> bytes:
    if pixels.dtype == np.uint16:
        pixels = (pixels >> 8).astype(np.uint8)
    held = io.BytesIO()
    Image.fromarray(pixels).save(held, "JPEG", quality=88)
    return held.getvalue()
