"""Carry the picture that a model painted into a drawing of any size, with the drawing's own lines.

Pure array functions. A model that paints gives a small picture; enlarged, its lines would be as
blurred as it is small. The drawing knows better: wherever it is darker or lighter than it appears
after the same way down and up, the painting becomes so too::

    painted(x) = enlarged painting(x) * drawing(x) / enlarged small drawing(x)     (linear light)

At the model's own size the ratio is 1 and the model's picture comes out as it is. At larger sizes a
line is as sharp as it was drawn, and what its blur had darkened beside it is bright again, though
never brighter than the painting is nearby. Behind it: :mod:`tinct.coloring.lab_render` (Lab to
sRGB).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinct import color
from tinct.coloring.lab_render import (
    Buffers,
    code_table,
    f_inverse,
    kept_chroma,
    lightness_table,
    linear_rgb,
    outside,
    write_codes,
)
from tinct.coloring.pooling import Labels, enlarge_chroma
from tinct.resample import Floats, Work, spread

FLOOR = np.float32(1e-3)  # linear light, added to both sides of the ratio: the black of a line
TINY = np.float32(1e-6)  # linear light; darker than any code of 8 or 16 bits but 0
BLACK = np.float32(16 / 116)  # f of L* = 0
NEARBY = 3  # pixels of the painting; the brightest of so many by so many limits the ratio


def paint_drawing(
    drawing: NDArray[Any],
    lab: Floats,
    seen: Floats,
    *,
    strength: float = 1.0,
    cover: tuple[float, float] = (1.0, 1.0),
    regions: tuple[Labels, Labels] | None = None,
    threads: int | None = None,
) -> NDArray[Any]:
    """Enlarge a painting to a drawing's size and give it the drawing's lines.

    A color that sRGB cannot show loses chroma, never lightness or hue. Memory: the result and
    strips.

    Args:
        drawing: uint8 or uint16 (H, W), sRGB-encoded.
        lab: float32 (3, h, w), L*, a*, b*: what the model painted.
        seen: float32 (h * s, w * s) for a whole number s, L*: the drawing as the model saw it.
        strength: factor on the painting's chroma; 0 is gray.
        cover: the shares of the height and width of ``lab`` and ``seen``, from the top left, that
            show the drawing (the rest is padding).
        regions: labels (h, w) of what the drawing's lines enclose, and the same (h', w') as they
            are seen in the drawing itself, without padding; chroma does not leave them. None: there
            are none.
        threads: None means one for each core; the result does not depend on it.

    Returns:
        sRGB (H, W, 3), the dtype of ``drawing``.
    """
    codes = int(np.iinfo(drawing.dtype).max) + 1
    light_of, code_of = lightness_table(codes)[1], code_table(codes)
    out = np.empty((*drawing.shape, 3), drawing.dtype)

    def begin(pixels: int) -> Work:
        buffers = Buffers(pixels)

        def work(part: tuple[slice, slice], planes: Floats) -> None:
            index = buffers.index[: planes[0].size]
            np.copyto(index.reshape(planes.shape[1:]), drawing[part])
            rgb = _join(planes.reshape(5, -1), np.take(light_of, index, mode="clip"), buffers)
            write_codes(rgb, code_of, out[part], index)

        return work

    planes = _planes(lab, seen, strength=strength)
    if regions is not None and min(regions[1].shape) > min(regions[0].shape):
        planes, cover = _refined(planes, *regions, cover=cover), (1.0, 1.0)
    spread(planes, drawing.shape, cover=cover, begin=begin, threads=threads)
    return out


def _refined(
    planes: Floats, regions: Labels, fine: Labels, *, cover: tuple[float, float]
) -> Floats:
    """Enlarge what :func:`_planes` returns to finer regions; what is padding is left out."""
    out = np.empty((len(planes), *fine.shape), np.float32)

    def begin(_: int) -> Work:
        def work(part: tuple[slice, slice], found: Floats) -> None:
            out[:, *part] = found

        return work

    spread(planes, fine.shape, cover=cover, begin=begin, threads=1)
    out[1:3] = enlarge_chroma(planes[1:3], regions, fine, cover=cover)
    return out


def reduced(seen: Floats, height: int) -> Floats:
    """Average a drawing over squares, to a height that divides its own."""
    step = seen.shape[0] // height
    width = seen.shape[1] // step
    assert seen.shape == (height * step, width * step), (seen.shape, height)
    small: Floats = seen.reshape(height, step, width, step).mean(axis=(1, 3))
    return small


def _planes(lab: Floats, seen: Floats, *, strength: float) -> Floats:
    """Return what is enlarged, float32 (5, h, w).

    The painting's fy, x = fx - fy, z = fz - fy; fy of the drawing as it was seen; and the largest
    of the painting's fy nearby. See :mod:`tinct.coloring.lab_render`.
    """
    lightness = np.clip(lab[0], 0, 100)
    chroma = lab[1:] * np.float32(strength)
    small = reduced(seen, lab.shape[1])
    around = np.pad(lightness, NEARBY // 2, mode="edge")
    for axis, size in enumerate(lightness.shape):
        shifted = [np.take(around, range(k, k + size), axis) for k in range(NEARBY)]
        around = np.maximum.reduce(shifted)
    f, f_seen, f_most = ((plane + 16) / 116 for plane in (lightness, small, around))
    return np.stack([f, chroma[0] / 500, chroma[1] / -200, f_seen, f_most]).astype(np.float32)


def _join(planes: Floats, drawn: Floats, buffers: Buffers) -> Floats:
    """Give some pixels of a painting the drawing's light.

    Args:
        planes: (5, N), from :func:`_planes`, enlarged; overwritten.
        drawn: (N,), linear light of the drawing.
        buffers: buffers.

    Returns:
        Linear RGB (3, N) in ``buffers``.
    """
    f, x, z, seen, most = planes
    spare = buffers.spare[: drawn.size]
    # Enlarging overshoots beside edges: below black there is nothing; above white, the drawing's
    # overshoot is about the same and the ratio takes it back.
    for plane in (f, seen, most):
        np.maximum(plane, BLACK, out=plane)
    light = f.copy()
    for plane in (light, seen, most):
        f_inverse(plane, spare)
    # What is painted is seen as bright as the drawing says.
    seen += FLOOR
    wanted = np.add(drawn, FLOOR)
    wanted /= seen
    wanted *= light
    np.maximum(most, light, out=most)
    np.minimum(wanted, most, out=wanted)
    np.minimum(wanted, 1, out=wanted)
    ratio = np.divide(wanted, np.maximum(light, TINY, out=spare), out=most)
    rgb = linear_rgb(f, light, x, z, buffers)
    rgb *= ratio
    some = np.flatnonzero(outside(rgb))
    if some.size:
        rgb[:, some] = _fitted(wanted[some], x[some], z[some], ratio[some], buffers.inner)
    return rgb


def _fitted(light: Floats, x: Floats, z: Floats, ratio: Floats, buffers: Buffers) -> Floats:
    """Lower the chroma of colors until sRGB shows them.

    Args:
        light: linear light that they have to have, (N,).
        x: fx - fy of the painting, (N,); see :mod:`tinct.coloring.lab_render`.
        z: fz - fy.
        ratio: what the painting's light was multiplied by.
        buffers: buffers.

    Returns:
        Linear RGB (3, N).
    """
    growth = np.cbrt(ratio)  # multiplying light by r multiplies f, so its differences, by cbrt(r)
    x, z = x * growth, z * growth
    gray = color.linear_to_srgb(light)
    f = (color.gray_to_lightness(gray) + np.float32(16)) / np.float32(116)
    kept = kept_chroma(gray * np.float32(255), x * np.float32(500), z * np.float32(-200))
    return linear_rgb(f.astype(np.float32), light, x * kept, z * kept, buffers)
