"""Make gray pictures that are like photographs to a codec: shapes, soft shades and grain."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

QUALITY = 90
TILE = 1024


def photograph(width: int, height: int, *, seed: int = 0) -> Image.Image:
    """Return a gray picture (mode L) with fractal shades, shapes with edges, and grain.

    Args:
        width: pixels.
        height: pixels.
        seed: same seed, same picture.
    """
    random = np.random.default_rng(seed)
    small = (max(1, min(width, TILE)), max(1, min(height, TILE)))
    shades = np.zeros((small[1], small[0]), np.float32)
    for octave in range(2, 9):
        grid = random.normal(0, 1, (2**octave + 1, 2**octave + 1)).astype(np.float32)
        layer = Image.fromarray(grid).resize(small, Image.Resampling.BICUBIC)
        shades += np.asarray(layer) * 0.6**octave
    shades = (shades - shades.min()) / max(float(np.ptp(shades)), 1e-6)
    picture = Image.fromarray((25 + 200 * shades).astype(np.uint8))
    picture = picture.resize((width, height), Image.Resampling.BICUBIC)
    draw = ImageDraw.Draw(picture)
    for _ in range(40):
        x, y = random.uniform(0, width), random.uniform(0, height)
        reach = random.uniform(0.01, 0.12) * min(width, height)
        shape = draw.ellipse if random.random() < 0.5 else draw.rectangle
        shape((x - reach, y - reach, x + reach, y + reach), fill=int(random.integers(0, 256)))
    grain = random.normal(0, 3, (min(height, TILE), min(width, TILE)))
    return _grained(picture, np.rint(grain).astype(np.int16))


def _grained(picture: Image.Image, grain: np.ndarray) -> Image.Image:
    """Add grain, repeated over the picture, strip by strip."""
    pixels = np.array(picture)
    columns = -(-pixels.shape[1] // grain.shape[1])
    row = np.tile(grain, (1, columns))[:, : pixels.shape[1]]
    for top in range(0, pixels.shape[0], len(grain)):
        strip = pixels[top : top + len(grain)]
        strip[:] = np.clip(strip + row[: len(strip)], 0, 255)
    return Image.fromarray(pixels)


def write_photograph(path: Path, *, megapixels: float, seed: int = 0) -> Path:
    """Write a 4:3 gray JPEG of quality 90.

    Args:
        path: where to.
        megapixels: its size, in millions of pixels.
        seed: as for :func:`photograph`.

    Returns:
        The path.
    """
    height = max(1, round((megapixels * 1e6 * 3 / 4) ** 0.5))
    photograph(round(height * 4 / 3), height, seed=seed).save(path, quality=QUALITY)
    return path
