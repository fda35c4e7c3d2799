"""Take a colored picture apart into layers, and write them as an OpenRaster file [1].

A drawing becomes flats (one color for each region), shading (what the painting adds to them) and
lines; a photograph becomes lightness and color. Drawing programs join the layers again by blend
modes [2], and so does :func:`join`; what they give is the merged picture in the file.

References:
    [1] OpenRaster specification, version 0.0.6, https://www.openraster.org.
    [2] W3C: Compositing and Blending Level 1, Candidate Recommendation, 2024, sections 9 and 10.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tinct.atomic import replacing
from tinct.drawing import flats
from tinct.errors import SaveError, UsageError
from tinct.photo import Photo

if TYPE_CHECKING:
    from zipfile import ZipFile

Codes = NDArray[np.uint8]
Floats = NDArray[np.floating[Any]]

ENDING = ".ora"
MIMETYPE = b"image/openraster"
VERSION = "0.0.6"
THUMBNAIL = 256  # pixels, the longest side
ROOM = 0.04  # of black or white; flats nearer to them are shaded less, or noise would show
INKED = 0.25  # share of the paper's tone; darker lines hide what is painted below them
LUMINOSITY = (0.3, 0.59, 0.11)  # of R, G, B, [2]
DAY = (1980, 1, 1, 0, 0, 0)  # of every file in the archive: the same picture gives the same bytes


@dataclass(frozen=True, eq=False)
class OraLayer:
    """One layer, opaque and as large as the picture.

    Attributes:
        name: what drawing programs show; letters only.
        rgb: uint8 (H, W, 3), sRGB codes.
        mode: how it is joined with what is below it, one of MODES.
    """

    name: str
    rgb: Codes
    mode: str = "svg:src-over"


def _hard_light(below: Floats, above: Floats) -> Floats:
    twice = 2 * above
    light: Floats = np.where(above <= 0.5, below * twice, below + twice - 1 - below * (twice - 1))
    return light


def _color(below: Floats, above: Floats) -> Floats:
    """Return the color of ``above`` with the luminosity of ``below``."""
    weights = np.array(LUMINOSITY, np.float32)
    luminosity = (below @ weights)[..., None]
    color = above + (luminosity - (above @ weights)[..., None])
    low, high = color.min(-1, keepdims=True), color.max(-1, keepdims=True)
    kept = np.ones_like(low)
    np.divide(luminosity, luminosity - low, out=kept, where=low < 0)
    color = luminosity + (color - luminosity) * kept
    high = color.max(-1, keepdims=True)
    kept = np.ones_like(high)
    np.divide(1 - luminosity, high - luminosity, out=kept, where=high > 1)
    joined: Floats = luminosity + (color - luminosity) * kept
    return joined


MODES: dict[str, Callable[[Floats, Floats], Floats]] = {
    "svg:src-over": lambda below, above: above,  # noqa: ARG005
    "svg:multiply": lambda below, above: below * above,
    "svg:hard-light": _hard_light,
    "svg:color": _color,
}
"""What each mode makes of two opaque layers, both 0..1 [2]."""


def join(layers: Sequence[OraLayer]) -> Codes:
    """Return the picture that layers give.

    Args:
        layers: from the bottom to the top.

    Returns:
        uint8 (H, W, 3).
    """
    picture: Floats = layers[0].rgb / np.float32(255)
    for layer in layers[1:]:
        picture = MODES[layer.mode](picture, layer.rgb / np.float32(255))
    return _codes(picture)


def _codes(shares: Floats) -> Codes:
    codes: Codes = np.rint(shares.clip(0, 1) * np.float32(255)).astype(np.uint8)
    return codes


def layers_of(gray: NDArray[Any], rgb: NDArray[Any], *, drawing: bool) -> list[OraLayer]:
    """Take a colored picture apart.

    Args:
        gray: uint8 or uint16 (H, W), the picture before.
        rgb: (H, W, 3) of the same type, the picture in color.
        drawing: whether it is line art.

    Returns:
        8-bit layers from the bottom to the top: flats, shading and lines, or lightness and color.
        Joined they give ``rgb`` within rounding, but for what lies under dark lines.
    """
    if rgb.dtype == np.uint16:
        rgb = np.rint(rgb / np.float32(257)).astype(np.uint8)
    if not drawing:
        luminosity = rgb @ np.array(LUMINOSITY, np.float32) / np.float32(255)
        lightness = np.repeat(_codes(luminosity)[..., None], 3, axis=2)
        return [OraLayer("lightness", lightness), OraLayer("color", rgb, "svg:color")]
    lines = flats.line_layer(gray)
    flat = flats.fill(rgb, flats.find_regions(gray), lines=flats.near_lines(gray))
    share = np.maximum(lines, 1)[..., None] / np.float32(255)
    below = flat / np.float32(255)
    wanted = np.minimum(rgb / np.float32(255) / share, 1)
    # Hard light multiplies by twice what is below a half, and screens with twice what is above.
    least = np.where(wanted <= below, below, 1 - below).clip(ROOM, 1)
    shading = 0.5 + (wanted - below) / (2 * least)
    shading[np.broadcast_to(share <= INKED, below.shape)] = 0.5
    return [
        OraLayer("flats", flat),
        OraLayer("shading", _codes(shading), "svg:hard-light"),
        OraLayer("lines", np.repeat(lines[..., None], 3, axis=2), "svg:multiply"),
    ]


def write_layers(
    picture: Photo,
    rgb: NDArray[Any],
    target: str | Path,
    *,
    drawing: bool,
    overwrite: bool = False,
) -> None:
    """Take a colored picture apart and write the layers; see :func:`layers_of` and the next.

    Raises:
        UsageError: the picture is transparent somewhere.
    """
    if picture.alpha is not None:
        raise UsageError("Layers cannot be transparent; fill the clear parts of the picture first.")
    layers = layers_of(picture.gray, rgb, drawing=drawing)
    save_layers(layers, target, overwrite=overwrite)


def check_layers(target: str | Path) -> None:
    """Raise UsageError unless a name ends as OpenRaster files do."""
    if Path(target).suffix.lower() != ENDING:
        raise UsageError(f"Layers are written as OpenRaster: {target} must end with {ENDING}.")


def save_layers(layers: Sequence[OraLayer], target: str | Path, *, overwrite: bool = False) -> None:
    """Write layers as an OpenRaster file; it is complete afterwards, or as it was before.

    Args:
        layers: from the bottom to the top.
        target: its name, ending with .ora.
        overwrite: whether an existing file may be replaced.

    Raises:
        SaveError: it exists already or cannot be written.
        UsageError: the name ends otherwise.
    """
    import zipfile  # noqa: PLC0415

    check_layers(target)
    with replacing(Path(target), overwrite=overwrite) as temporary:
        try:
            with zipfile.ZipFile(temporary, "w") as archive:
                _write(archive, layers)
        except (zipfile.BadZipFile, zipfile.LargeZipFile) as error:
            raise SaveError(
                f"{target} cannot be written ({error}); use a smaller picture."
            ) from error


def _write(archive: ZipFile, layers: Sequence[OraLayer]) -> None:
    """Write the parts in the order that the specification asks for: the type comes first."""
    from zipfile import ZIP_DEFLATED, ZipInfo  # noqa: PLC0415

    merged = join(layers)
    small = _png(merged, longest=THUMBNAIL)
    parts = {"mimetype": MIMETYPE, "stack.xml": _stack(layers).encode()}
    parts |= {_place(layer): _png(layer.rgb) for layer in layers}
    parts |= {"mergedimage.png": _png(merged), "Thumbnails/thumbnail.png": small}
    for name, content in parts.items():
        part = ZipInfo(name, date_time=DAY)
        part.external_attr = 0o644 << 16
        if name == "stack.xml":
            part.compress_type = ZIP_DEFLATED
        archive.writestr(part, content)


def _place(layer: OraLayer) -> str:
    return f"data/{layer.name}.png"


def _stack(layers: Sequence[OraLayer]) -> str:
    """Return the XML that tells the layers, from the top to the bottom."""
    height, width = layers[0].rgb.shape[:2]
    lines = [
        "<?xml version='1.0' encoding='UTF-8'?>",
        f'<image version="{VERSION}" w="{width}" h="{height}">',
        "  <stack>",
        *(
            f'    <layer name="{layer.name}" src="{_place(layer)}" composite-op="{layer.mode}" '
            'opacity="1.0" visibility="visible" x="0" y="0"/>'
            for layer in reversed(layers)
        ),
        "  </stack>",
        "</image>",
    ]
    return "\n".join(lines) + "\n"


def _png(rgb: Codes, *, longest: int | None = None) -> bytes:
    """Return a picture as PNG, made small if a longest side is given."""
    from PIL import Image  # noqa: PLC0415

    image, held = Image.fromarray(rgb), io.BytesIO()
    if longest is not None:
        image.thumbnail((longest, longest))
    image.save(held, "PNG")
    return held.getvalue()
