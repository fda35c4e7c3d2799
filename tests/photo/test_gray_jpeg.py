"""What a gray JPEG is decoded for, against Pillow and scikit-image."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image
from skimage.measure import block_reduce

from tinct.photo.gray_jpeg import open_gray_jpeg


def jpeg_of(height: int, width: int) -> bytes:
    rng = np.random.default_rng(height)
    coarse = rng.integers(0, 256, (-(-height // 8), -(-width // 8)), np.uint8)
    fine = np.kron(coarse, np.ones((8, 8), np.uint8))[:height, :width]
    held = io.BytesIO()
    noise = rng.integers(-20, 20, fine.shape)
    Image.fromarray(np.clip(fine + noise, 0, 255).astype(np.uint8)).save(held, "JPEG", quality=90)
    return held.getvalue()


@pytest.mark.parametrize(
    ("height", "width", "least", "shrink"),
    [
        (64, 80, 8, 8),
        (63, 81, 8, 4),
        (200, 131, 16, 8),
        (33, 47, 16, 2),
        (40, 30, 40, 1),
        (1, 1, 5, 1),
    ],
)
def test_one_decoding_is_enough_for_color_and_model(
    height: int, width: int, least: int, shrink: int
) -> None:
    data = jpeg_of(height, width)
    gray = open_gray_jpeg(data)
    assert gray is not None
    with Image.open(io.BytesIO(data)) as opened:
        luma = np.asarray(opened)
    padded = np.pad(luma, ((0, height % 2), (0, width % 2)), mode="edge")
    low, high, seen = gray.look(least=least)
    np.testing.assert_array_equal(low, block_reduce(padded, 2, np.min))
    np.testing.assert_array_equal(high, block_reduce(padded, 2, np.max))
    whole = luma[: height // shrink * shrink, : width // shrink * shrink]
    np.testing.assert_allclose(seen, block_reduce(whole, shrink, np.mean), atol=0.51)
    reduced = gray.reduced(least=least)
    assert reduced.shape == seen.shape
    # DCT scaling is no exact mean where the scale is not 1/8.
    np.testing.assert_allclose(seen.mean(), reduced.mean(), atol=1.5)


def test_many_strips_make_one_picture() -> None:
    data = jpeg_of(1100, 2600)  # several strips of 2^19 pixels
    gray = open_gray_jpeg(data)
    assert gray is not None
    assert sum(1 for _ in gray.opened.strips()) > 4
    with Image.open(io.BytesIO(data)) as opened:
        luma = np.asarray(opened)
    low, high, seen = gray.look(least=130)
    np.testing.assert_array_equal(low, block_reduce(luma, 2, np.min))
    np.testing.assert_array_equal(high, block_reduce(luma, 2, np.max))
    np.testing.assert_allclose(seen, block_reduce(luma[:1096], 8, np.mean), atol=0.51)
