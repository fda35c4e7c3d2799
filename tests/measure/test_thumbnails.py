from __future__ import annotations

import io

import numpy as np
from PIL import Image

from tinct.measure import thumbnails


def test_sheets_show_every_tile() -> None:
    random = np.random.default_rng(0)
    noise = {f"system {n}": random.integers(0, 256, (300, 400, 3), np.uint8) for n in range(20)}
    made = {label: thumbnails.tile(pixels) for label, pixels in noise.items()}
    assert Image.open(io.BytesIO(made["system 3"])).size == (224, 168)
    data = thumbnails.sheet(made)
    image = Image.open(io.BytesIO(data))
    assert image.format == "JPEG"
    assert image.size == (6 * 166, 4 * (120 + 15 + 6))
    flat = {"red": thumbnails.tile(np.full((30, 40, 3), [250, 0, 0], np.uint8))}
    flat["blue"] = thumbnails.tile(np.full((30, 40, 3), [0, 0, 250], np.uint8))
    pixels = np.asarray(Image.open(io.BytesIO(thumbnails.sheet(flat))))
    assert np.abs(pixels[15, 20] - np.array([250.0, 0, 0])).max() < 12
    assert np.abs(pixels[15, 186] - np.array([0, 0, 250.0])).max() < 12
