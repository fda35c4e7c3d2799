"""Small pictures for a report: tiles, and sheets of tiles with their names."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

SIDE = 224
"""Longest side of a tile, pixels."""
QUALITY = 85
SHEET_WIDTH = 1000
SHEET_TILE = 160
SHEET_QUALITY = 75
CAPTION = 15  # pixels under a tile
MARGIN = 6


def tile(pixels: NDArray[np.uint8]) -> bytes:
    """Return a small JPEG of uint8 (H, W) or (H, W, 3)."""
    image = Image.fromarray(np.ascontiguousarray(pixels))
    image.thumbnail((SIDE, SIDE), Image.Resampling.BICUBIC)
    return _jpeg(image, QUALITY)


def sheet(tiles: Mapping[str, bytes]) -> bytes:
    """Put tiles with their labels below onto one JPEG.

    Args:
        tiles: JPEGs of one shape by label.
    """
    images = {label: _opened(data) for label, data in tiles.items()}
    width = SHEET_TILE
    height = max(round(width * image.height / image.width) for image in images.values())
    height = min(height, width * 3 // 2)
    across = min(len(images), SHEET_WIDTH // (width + MARGIN))
    down = -(-len(images) // across)
    page = Image.new(
        "RGB", (across * (width + MARGIN), down * (height + CAPTION + MARGIN)), "white"
    )
    draw = ImageDraw.Draw(page)
    for number, (label, image) in enumerate(images.items()):
        left = number % across * (width + MARGIN)
        top = number // across * (height + CAPTION + MARGIN)
        image.thumbnail((width, height), Image.Resampling.BICUBIC)
        page.paste(image, (left, top))
        draw.text((left, top + height + 1), *_caption(draw, label, width))
    return _jpeg(page, SHEET_QUALITY)


def _caption(draw: ImageDraw.ImageDraw, label: str, width: int) -> tuple[str, str, Any]:
    """Return a label's text, its color and a font in which it fits; cut short if none does."""
    for size in (12, 11, 10, 9):
        font = ImageFont.load_default(size)
        if draw.textlength(label, font=font) <= width:
            break
    while len(label) > 1 and draw.textlength(label, font=font) > width:
        label = label[:-2] + "…"
    return label, "black", font


def _opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data)).convert("RGB")


def _jpeg(image: Image.Image, quality: int) -> bytes:
    held = io.BytesIO()
    image.save(held, "JPEG", quality=quality, optimize=True)
    return held.getvalue()
