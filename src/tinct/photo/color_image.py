"""Open color pictures that are looked at, not colored: truths, references, painted hints.

8-bit sRGB is enough for them. What people want colored goes through :mod:`tinct.photo.io`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinct import libvips
from tinct.errors import PictureError

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".avif", ".bmp", ".gif", ".jp2")
"""Endings of files in folders of such pictures."""


def open_color(
    source: str | Path | bytes,
    *,
    alpha: bool = False,
    short: int | None = None,
    max_pixels: int | None = None,
) -> NDArray[np.uint8]:
    """Open a picture as 8-bit sRGB: upright, ICC profile applied.

    Args:
        source: a path or the bytes of a file.
        alpha: also give transparency; without, it is laid on white.
        short: make pictures smaller whose short side is longer than this, antialiased.
        max_pixels: refuse larger pictures.

    Returns:
        uint8 (H, W, 3), or (H, W, 4) with ``alpha``.

    Raises:
        PictureError: it cannot be read, is cut short, or is too large. The message has no stop and
            begins with the file's name, or with "it".
    """
    name = "it" if isinstance(source, bytes) else Path(source).name
    if not isinstance(source, bytes):
        _check_file(Path(source))
        if any("\udc80" <= letter <= "\udcff" for letter in str(source)):
            source = Path(source).read_bytes()  # pyvips takes names in UTF-8 only
    vips = libvips.load()
    try:
        image = _load(vips, source)
        if max_pixels is not None and image.width * image.height > max_pixels:
            raise PictureError(
                f"{name} has {image.width} x {image.height} pixels; "
                f"{_counted(max_pixels)} at most are taken: make it smaller"
            )
        if short is not None and min(image.width, image.height) > short:
            image = _smaller(vips, source, image, short)
        else:
            image = image.autorot()
            if image.get_typeof("icc-profile-data"):
                image = image.icc_transform("srgb", embedded=True, intent="relative")
        image = image.colourspace("srgb")
        if alpha and not image.hasalpha():
            image = image.bandjoin(255)
        elif not alpha and image.hasalpha():
            image = image.flatten(background=[255, 255, 255])
        pixels = np.asarray(image.cast("uchar").numpy())
    except vips.Error as error:
        libvips.forget_errors()
        raise PictureError(
            f"{name} cannot be read as a picture ({libvips.reason(error)}); replace or remove it"
        ) from error
    pixels = pixels.reshape(*pixels.shape[:2], -1)
    return np.broadcast_to(pixels, (*pixels.shape[:2], 4 if alpha else 3))


def _counted(number: int) -> str:
    return f"{number // 1_000_000} million" if number >= 1_000_000 else str(max(number, 0))


def _check_file(path: Path) -> None:
    try:
        if not path.is_file():
            raise PictureError(f"{path.name} is not there, or is no file; check the name")
    except (OSError, ValueError) as error:
        raise PictureError(f"{path.name[:80]!r} is no name that a file can have") from error


def _load(vips: Any, source: str | Path | bytes) -> Any:
    if isinstance(source, bytes):
        return vips.Image.new_from_buffer(source, "", fail_on="truncated")
    return vips.Image.new_from_file(str(source), fail_on="truncated")


def _smaller(vips: Any, source: str | Path | bytes, image: Any, short: int) -> Any:
    """Return the picture, upright, with a short side of ``short``; loaded reduced where it can."""
    scale = short / min(image.width, image.height)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    if image.get_typeof("orientation") and image.get("orientation") >= 5:  # lies on its side
        size = size[::-1]
    wanted = {"height": size[1], "size": "force", "export_profile": "srgb", "fail_on": "truncated"}
    if isinstance(source, bytes):
        return vips.Image.thumbnail_buffer(source, size[0], **wanted)
    return vips.Image.thumbnail(str(source), size[0], **wanted)
