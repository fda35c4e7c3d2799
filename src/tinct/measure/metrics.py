"""Measure how far one color picture is from another; NumPy only.

Every function takes plain arrays and works in float64 inside. Pictures are sRGB with the three
channels last, uint8, uint16 or floats 0..1; both of a pair have the same shape and type.
:func:`compare` gives all figures of a pair at once, in strips of rows, so that a picture of any
size needs little more memory than itself.

References:
    [1] G. Sharma, W. Wu, E. N. Dalal, "The CIEDE2000 color-difference formula: implementation
        notes, supplementary test data, and mathematical observations", Color Research &
        Application 30 (1), 2005.
    [2] Z. Wang, A. C. Bovik, H. R. Sheikh, E. P. Simoncelli, "Image quality assessment: from
        error visibility to structural similarity", IEEE Transactions on Image Processing 13 (4),
        2004.
    [3] D. Hasler, S. Suesstrunk, "Measuring colourfulness in natural images", Human Vision and
        Electronic Imaging VIII, SPIE 5007, 2003.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinct import color
from tinct.errors import UsageError

Array = NDArray[Any]
Floats = NDArray[np.float64]

STRIP_PIXELS = 1 << 17
"""Pixels worked on at a time; bounds the float64 temporaries to some tens of megabytes."""

SSIM_WINDOW = 11
SSIM_SIGMA = 1.5


@dataclass(frozen=True)
class Comparison:
    """All figures of one picture against the true one.

    Attributes:
        ciede2000: mean CIEDE2000 over the pixels.
        ciede2000_p95: the 95th percentile of CIEDE2000 over the pixels.
        psnr: peak signal-to-noise ratio over the three sRGB channels, dB; infinite when equal.
        ssim: structural similarity, mean over pixels and the three sRGB channels.
        ab_rmse: root mean square error of a* and b*, over pixels and the two channels.
        colorfulness: of the picture, signed form, 0..255 scale.
        lightness_shift: mean absolute difference of L*.
    """

    ciede2000: float
    ciede2000_p95: float
    psnr: float
    ssim: float
    ab_rmse: float
    colorfulness: float
    lightness_shift: float


def compare(picture: Array, truth: Array) -> Comparison:
    """Measure ``picture`` against ``truth``.

    Args:
        picture: sRGB (H, W, 3), uint8, uint16 or floats 0..1.
        truth: the same shape and type.

    Returns:
        All figures.

    Raises:
        UsageError: the two differ in shape or type, or are not (H, W, 3).
    """
    _check_pair(picture, truth)
    pixels = picture.shape[0] * picture.shape[1]
    differences = np.empty(pixels, np.float32)
    chroma_error = lightness_error = 0.0
    done = 0
    for rows in _strips(picture):
        ours = color.rgb_to_lab(_unit(picture[rows]))
        true = color.rgb_to_lab(_unit(truth[rows]))
        part = ciede2000(ours, true).ravel()
        differences[done : done + part.size] = part
        done += part.size
        chroma_error += float(np.sum((ours[..., 1:] - true[..., 1:]) ** 2))
        lightness_error += float(np.sum(np.abs(ours[..., 0] - true[..., 0])))
    return Comparison(
        ciede2000=float(differences.mean(dtype=np.float64)),
        ciede2000_p95=float(np.percentile(differences, 95)),
        psnr=psnr(picture, truth),
        ssim=ssim(picture, truth),
        ab_rmse=float(np.sqrt(chroma_error / (2 * pixels))),
        colorfulness=colorfulness(picture),
        lightness_shift=lightness_error / pixels,
    )


def ciede2000(lab1: Array, lab2: Array) -> Floats:
    """Return the CIEDE2000 color difference [1], with kL = kC = kH = 1.

    Args:
        lab1: CIE Lab (..., 3): L* 0..100, a*, b*.
        lab2: CIE Lab, broadcastable with ``lab1``.

    Returns:
        float64 (...): differences of at least 0; symmetric in the two arguments.
    """
    lightness1, a1, b1 = np.moveaxis(np.asarray(lab1, np.float64), -1, 0)
    lightness2, a2, b2 = np.moveaxis(np.asarray(lab2, np.float64), -1, 0)
    chroma7 = ((np.hypot(a1, b1) + np.hypot(a2, b2)) / 2) ** 7
    stretch = 1.5 - 0.5 * np.sqrt(chroma7 / (chroma7 + 25.0**7))
    a1, a2 = a1 * stretch, a2 * stretch
    chroma1, chroma2 = np.hypot(a1, b1), np.hypot(a2, b2)
    hue1, hue2 = np.degrees(np.arctan2(b1, a1)) % 360, np.degrees(np.arctan2(b2, a2)) % 360
    neutral = chroma1 * chroma2 == 0

    turn = hue2 - hue1
    turn = np.where(turn > 180, turn - 360, np.where(turn < -180, turn + 360, turn))
    turn = np.where(neutral, 0.0, turn)
    hue_step = 2 * np.sqrt(chroma1 * chroma2) * np.sin(np.radians(turn) / 2)

    lightness = (lightness1 + lightness2) / 2
    chroma = (chroma1 + chroma2) / 2
    hue_sum = hue1 + hue2
    hue = np.where(
        np.abs(hue1 - hue2) <= 180,
        hue_sum / 2,
        np.where(hue_sum < 360, (hue_sum + 360) / 2, (hue_sum - 360) / 2),
    )
    hue = np.where(neutral, hue_sum, hue)

    weight = (
        1
        - 0.17 * np.cos(np.radians(hue - 30))
        + 0.24 * np.cos(np.radians(2 * hue))
        + 0.32 * np.cos(np.radians(3 * hue + 6))
        - 0.20 * np.cos(np.radians(4 * hue - 63))
    )
    middle = (lightness - 50) ** 2
    lightness_term = (lightness2 - lightness1) / (1 + 0.015 * middle / np.sqrt(20 + middle))
    chroma_term = (chroma2 - chroma1) / (1 + 0.045 * chroma)
    hue_term = hue_step / (1 + 0.015 * chroma * weight)
    chroma7 = chroma**7
    rotation = (
        -2
        * np.sqrt(chroma7 / (chroma7 + 25.0**7))
        * np.sin(np.radians(60 * np.exp(-(((hue - 275) / 25) ** 2))))
    )
    squares = lightness_term**2 + chroma_term**2 + hue_term**2 + rotation * chroma_term * hue_term
    return np.asarray(np.sqrt(np.maximum(squares, 0.0)))


def psnr(picture: Array, truth: Array) -> float:
    """Return the peak signal-to-noise ratio over all sRGB channels.

    Args:
        picture: uint8 (peak 255), uint16 (peak 65535) or floats (peak 1), (H, W, 3).
        truth: the same shape and type.

    Returns:
        Decibels; infinite when the two are equal.

    Raises:
        UsageError: the two differ in shape or type.
    """
    _check_pair(picture, truth)
    total = 0.0
    for rows in _strips(picture):
        total += float(np.sum((_unit(picture[rows]) - _unit(truth[rows])) ** 2))
    if total == 0:
        return float("inf")
    return float(-10 * np.log10(total / picture.size))


def ssim(picture: Array, truth: Array) -> float:
    """Return the structural similarity [2], mean over pixels and the three sRGB channels.

    Gaussian window of 11 x 11 with sigma 1.5, K1 = 0.01, K2 = 0.03, population covariance; only
    windows that lie wholly inside count. A side shorter than 11 is first mirrored up to 11.

    Args:
        picture: uint8, uint16 or floats 0..1, (H, W, 3).
        truth: the same shape and type.

    Returns:
        -1..1; 1 when the two are equal.

    Raises:
        UsageError: the two differ in shape or type.
    """
    _check_pair(picture, truth)
    picture, truth = _at_least_window(picture), _at_least_window(truth)
    height, width = picture.shape[:2]
    rows = max(1, STRIP_PIXELS // width)
    total, count = 0.0, 0
    for top in range(0, height - SSIM_WINDOW + 1, rows):
        part = slice(top, min(top + rows + SSIM_WINDOW - 1, height))
        for channel in range(3):
            similarity = _ssim_map(_unit(picture[part, :, channel]), _unit(truth[part, :, channel]))
            total += float(similarity.sum())
            count += similarity.size
    return total / count


def ab_rmse(lab1: Array, lab2: Array) -> float:
    """Return the root mean square error of a* and b*, over all pixels and both channels.

    Args:
        lab1: CIE Lab (..., 3).
        lab2: CIE Lab of the same shape.

    Returns:
        Lab units.
    """
    step = np.asarray(lab1, np.float64)[..., 1:] - np.asarray(lab2, np.float64)[..., 1:]
    return float(np.sqrt(np.mean(step**2)))


def lightness_shift(lab1: Array, lab2: Array) -> float:
    """Return the mean absolute difference of L*.

    Args:
        lab1: CIE Lab (..., 3).
        lab2: CIE Lab of the same shape.

    Returns:
        L* units.
    """
    step = np.asarray(lab1, np.float64)[..., 0] - np.asarray(lab2, np.float64)[..., 0]
    return float(np.mean(np.abs(step)))


def colorfulness(rgb: Array) -> float:
    """Return the colorfulness of a picture [3], signed form.

    With rg = R - G and yb = (R + G) / 2 - B on the 0..255 scale, signed (no absolute value is
    taken), it is
    ``sqrt(std(rg)**2 + std(yb)**2) + 0.3 * sqrt(mean(rg)**2 + mean(yb)**2)``.

    Args:
        rgb: sRGB, uint8, uint16 or floats 0..1, (H, W, 3).

    Returns:
        0 for a gray picture, about 15 slightly, 45 averagely, 80 and more highly colorful.
    """
    sums = np.zeros(4)
    for rows in _strips(rgb):
        red, green, blue = np.moveaxis(_unit(rgb[rows]) * 255, -1, 0)
        rg, yb = red - green, (red + green) / 2 - blue
        sums += [rg.sum(), yb.sum(), (rg**2).sum(), (yb**2).sum()]
    rg_mean, yb_mean, rg_square, yb_square = sums / (rgb.shape[0] * rgb.shape[1])
    variance = max(rg_square - rg_mean**2, 0.0) + max(yb_square - yb_mean**2, 0.0)
    return float(np.sqrt(variance) + 0.3 * np.hypot(rg_mean, yb_mean))


def _check_pair(picture: Array, truth: Array) -> None:
    if picture.shape != truth.shape or picture.dtype != truth.dtype:
        raise UsageError(
            f"cannot compare a picture {picture.shape} {picture.dtype} with a truth {truth.shape} "
            f"{truth.dtype}: give both the same size and type"
        )
    if picture.ndim != 3 or picture.shape[2] != 3 or picture.size == 0:
        raise UsageError(f"a picture of shape {picture.shape} is not (height, width, 3)")


def _unit(values: Array) -> Floats:
    """Return integers scaled to 0..1, or floats as they are, as float64."""
    scaled = values.astype(np.float64)
    if values.dtype.kind in "ui":
        scaled /= np.iinfo(values.dtype).max
    return scaled


def _strips(picture: Array) -> Iterator[slice]:
    """Yield slices of rows that hold about :data:`STRIP_PIXELS` pixels each."""
    height, width = picture.shape[:2]
    rows = max(1, STRIP_PIXELS // width)
    for top in range(0, height, rows):
        yield slice(top, min(top + rows, height))


def _at_least_window(picture: Array) -> Array:
    missing = [max(0, SSIM_WINDOW - side) for side in picture.shape[:2]]
    if not any(missing):
        return picture
    return np.pad(picture, ((0, missing[0]), (0, missing[1]), (0, 0)), mode="symmetric")


def _window() -> Floats:
    offsets = np.arange(SSIM_WINDOW) - SSIM_WINDOW // 2
    weights = np.exp(-(offsets**2) / (2 * SSIM_SIGMA**2))
    return np.asarray(weights / weights.sum())


def _smooth(plane: Floats) -> Floats:
    """Return the Gaussian means of ``plane`` (H, W) at the windows inside, (H - 10, W - 10)."""
    weights = _window()
    height, width = (side - SSIM_WINDOW + 1 for side in plane.shape)
    down = sum(weight * plane[i : i + height] for i, weight in enumerate(weights))
    return np.asarray(sum(weight * down[:, i : i + width] for i, weight in enumerate(weights)))


def _ssim_map(x: Floats, y: Floats) -> Floats:
    """Return the similarity of two planes 0..1 at every window inside."""
    x_mean, y_mean = _smooth(x), _smooth(y)
    x_variance = _smooth(x * x) - x_mean**2
    y_variance = _smooth(y * y) - y_mean**2
    covariance = _smooth(x * y) - x_mean * y_mean
    c1, c2 = 0.01**2, 0.03**2
    similarity = ((2 * x_mean * y_mean + c1) * (2 * covariance + c2)) / (
        (x_mean**2 + y_mean**2 + c1) * (x_variance + y_variance + c2)
    )
    return np.asarray(similarity)
