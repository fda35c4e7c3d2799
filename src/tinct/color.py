"""Convert between sRGB and CIE Lab, and keep colors inside the gamut at constant lightness.

One implementation for NumPy arrays and torch tensors: every function takes floats of any shape and
gives back the same kind. torch is never imported from here; a tensor brings it along.

References:
    [1] IEC 61966-2-1:1999, sRGB: transfer function, primaries, white point D65.
    [2] ISO/CIE 11664-4:2019, CIE 1976 L*a*b* color space.
    [3] R. Zhang, P. Isola, A. A. Efros: Colorful Image Colorization, ECCV 2016 (the grid of
        in-gamut ab bins).
"""

from __future__ import annotations

import sys
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Linear sRGB -> XYZ (D65) [1], with the white point as the rows' sums, so that neutral means a* =
# b* = 0 exactly.
RGB_TO_XYZ: NDArray[np.float64] = np.array(
    [
        [0.4123907992659595, 0.3575843393838780, 0.1804807884018343],
        [0.2126390058715104, 0.7151686787677559, 0.0721923153607337],
        [0.0193308187155918, 0.1191947797946259, 0.9505321522496608],
    ]
)
WHITE: NDArray[np.float64] = RGB_TO_XYZ.sum(axis=1)
XYZ_TO_RGB: NDArray[np.float64] = np.asarray(np.linalg.inv(RGB_TO_XYZ), dtype=np.float64)

EPSILON = 216 / 24389  # (6/29)^3 [2]
KAPPA = 24389 / 27  # (29/3)^3 [2]


def _namespace(value: Any) -> Any:
    """Return the module (``numpy`` or ``torch``) whose functions take ``value``."""
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(value, torch.Tensor):
        return torch
    return np


def _floats(value: Any) -> tuple[Any, Any]:
    """Return the namespace of ``value`` and ``value`` as floats."""
    xp = _namespace(value)
    if xp is np:
        value = np.asarray(value)
        if value.dtype.kind != "f":
            value = value.astype(np.float64)
    elif not value.is_floating_point():
        value = value.float()
    return xp, value


def srgb_to_linear(value: Any) -> Any:
    """Decode sRGB values 0..1 to linear light 0..1 [1]; values outside are extended, mirrored at 0.

    Args:
        value: floats of any shape.

    Returns:
        The same shape and kind.
    """
    xp, value = _floats(value)
    size = xp.abs(value)
    curve = ((size + 0.055) / 1.055) ** 2.4
    return xp.where(size <= 0.04045, value / 12.92, xp.sign(value) * curve)


def linear_to_srgb(value: Any) -> Any:
    """Encode linear light 0..1 as sRGB 0..1 [1]; values outside are extended, mirrored at 0.

    Args:
        value: floats of any shape.

    Returns:
        The same shape and kind.
    """
    xp, value = _floats(value)
    size = xp.abs(value)
    # The maximum keeps the gradient finite at 0, where the linear part is taken anyway.
    curve = 1.055 * xp.clip(size, 1e-8, None) ** (1 / 2.4) - 0.055
    return xp.where(size <= 0.0031308, value * 12.92, xp.sign(value) * curve)


def _f(xp: Any, t: Any) -> Any:
    """Apply the cube root with its linear toe [2]."""
    return xp.where(t > EPSILON, xp.clip(t, EPSILON, None) ** (1 / 3), (KAPPA * t + 16) / 116)


def _f_inverse(xp: Any, t: Any) -> Any:
    return xp.where(t > 6 / 29, t**3, (116 * t - 16) / KAPPA)


def rgb_to_lab(rgb: Any, *, axis: int = -1) -> Any:
    """Convert sRGB to CIE Lab (D65, 2 degrees) [1, 2].

    Args:
        rgb: sRGB floats 0..1 with three channels along ``axis``.
        axis: where the channels are.

    Returns:
        The same shape and kind: L* 0..100, a* and b* about -128..127.
    """
    xp, rgb = _floats(rgb)
    red, green, blue = xp.moveaxis(srgb_to_linear(rgb), axis, 0)
    fx, fy, fz = (
        _f(xp, (float(row[0]) * red + float(row[1]) * green + float(row[2]) * blue) / float(white))
        for row, white in zip(RGB_TO_XYZ, WHITE, strict=True)
    )
    return xp.stack([116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)], axis)


def lab_to_rgb(lab: Any, *, axis: int = -1) -> Any:
    """Convert CIE Lab (D65, 2 degrees) to sRGB [1, 2]; the inverse of :func:`rgb_to_lab`.

    Args:
        lab: floats, L* 0..100, a*, b*, along ``axis``.
        axis: where the channels are.

    Returns:
        The same shape and kind: sRGB, below 0 or above 1 where the color is out of gamut.
    """
    xp, lab = _floats(lab)
    lightness, a, b = xp.moveaxis(lab, axis, 0)
    fy = (lightness + 16) / 116
    x, y, z = (
        _f_inverse(xp, f) * float(white)
        for f, white in zip((fy + a / 500, fy, fy - b / 200), WHITE, strict=True)
    )
    rgb = [float(row[0]) * x + float(row[1]) * y + float(row[2]) * z for row in XYZ_TO_RGB]
    return linear_to_srgb(xp.stack(rgb, axis))


def gray_to_lightness(value: Any) -> Any:
    """Convert a neutral sRGB value (R = G = B) to L*.

    Args:
        value: floats 0..1 of any shape.

    Returns:
        L* 0..100, the same shape and kind.
    """
    xp, value = _floats(value)
    return 116 * _f(xp, srgb_to_linear(value)) - 16


def lightness_to_gray(lightness: Any) -> Any:
    """Convert L* to the neutral sRGB value (R = G = B) that has it.

    Args:
        lightness: floats 0..100 of any shape.

    Returns:
        sRGB 0..1, the same shape and kind.
    """
    xp, lightness = _floats(lightness)
    return linear_to_srgb(_f_inverse(xp, (lightness + 16) / 116))


def in_gamut(lab: Any, *, axis: int = -1, tolerance: float = 1e-4) -> Any:
    """Tell which colors sRGB can show.

    Args:
        lab: floats, L* 0..100, a*, b*, along ``axis``.
        axis: where the channels are.
        tolerance: how far outside 0..1 an sRGB value may lie.

    Returns:
        Booleans, the shape of ``lab`` without ``axis``.
    """
    xp, lab = _floats(lab)
    rgb = xp.moveaxis(lab_to_rgb(lab, axis=axis), axis, 0)
    inside = (rgb >= -tolerance) & (rgb <= 1 + tolerance)
    return inside[0] & inside[1] & inside[2]


def fit_gamut(lab: Any, *, axis: int = -1, steps: int = 14) -> Any:
    """Lower chroma at constant lightness and hue until sRGB can show every color.

    Colors already inside are unchanged. The share of chroma that is kept is found by bisection. For
    nearly every lightness and hue the gamut is one interval from the neutral axis outwards; among a
    few cyans and blues it is not quite, and there either of its ends may be taken.

    Args:
        lab: floats, L* 0..100, a*, b*, along ``axis``; L* outside 0..100 is clipped.
        axis: where the channels are.
        steps: halvings; 14 leave less than 0.01 units of chroma unused.

    Returns:
        The same shape and kind.
    """
    xp, lab = _floats(lab)
    lightness, a, b = xp.moveaxis(lab, axis, 0)
    lightness = xp.clip(lightness, 0, 100)
    keep = xp.ones_like(lightness)
    low = xp.zeros_like(lightness)
    high = xp.ones_like(lightness)
    inside = in_gamut(xp.stack([lightness, a, b], 0), axis=0)
    for _ in range(steps):
        middle = (low + high) / 2
        good = in_gamut(xp.stack([lightness, a * middle, b * middle], 0), axis=0)
        low = xp.where(good, middle, low)
        high = xp.where(good, high, middle)
    keep = xp.where(inside, keep, low)
    return xp.stack([lightness, a * keep, b * keep], axis)


def max_chroma(lightness: Any, hue: Any, *, limit: float = 150.0) -> Any:
    """Return the largest chroma that sRGB can show at a lightness and hue.

    Args:
        lightness: L* 0..100, any shape.
        hue: angle atan2(b*, a*) in radians, broadcastable with ``lightness``.
        limit: chroma above every sRGB color's (the largest is about 134).

    Returns:
        Chroma in Lab units, the broadcast shape.
    """
    xp, lightness = _floats(lightness)
    _, hue = _floats(hue)
    lightness = lightness + 0 * hue
    far = xp.stack([lightness, limit * xp.cos(hue) + 0 * lightness, limit * xp.sin(hue)], 0)
    _, a, b = fit_gamut(far, axis=0, steps=18)
    return (a * a + b * b) ** 0.5


@lru_cache(maxsize=8)
def _ab_bins(step: float) -> NDArray[np.float32]:
    ticks = np.arange(-120, 121, step)
    a, b = (grid.ravel() for grid in np.meshgrid(ticks, ticks, indexing="ij"))
    lightness = np.arange(0.0, 100.5, 1.0)[:, None]
    shown = in_gamut(np.stack([lightness + 0 * a, a + 0 * lightness, b + 0 * lightness], -1))
    return np.asarray(np.stack([a, b], -1)[shown.any(axis=0)], dtype=np.float32)


def ab_bins(*, step: float = 10.0) -> NDArray[np.float32]:
    """Return the centers of the ab grid cells that sRGB can show at some lightness [3].

    Args:
        step: width of a cell in Lab units.

    Returns:
        float32 (K, 2): a*, b* of each center, in the grid's order.
    """
    return _ab_bins(float(step)).copy()
