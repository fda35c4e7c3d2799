"""Line art without paper is laid on white; whatever else is transparent stays so."""

from __future__ import annotations

import numpy as np
import pytest
import skimage.data
from PIL import Image

from made_pictures import line_drawing
from tinct import photo
from tinct.drawing.transparency import body, lay_on_paper, on_white, visible
from tinct.photo import Photo, from_array


def with_alpha(gray: np.ndarray, alpha: np.ndarray) -> Photo:
    return from_array(np.stack([gray, alpha], axis=2))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_ink_alone(dtype: type) -> None:
    most = np.iinfo(dtype).max
    drawing = line_drawing(300).astype(dtype) * dtype(most // 255)
    found = lay_on_paper(with_alpha(np.zeros_like(drawing), most - drawing))
    assert found.alpha is None
    assert found.gray.dtype == dtype
    np.testing.assert_array_equal(found.gray, drawing)


def test_white_agrees_with_pillow() -> None:
    rng = np.random.default_rng(0)
    gray, alpha = rng.integers(0, 256, (2, 40, 50), dtype=np.uint8)
    layer = Image.merge("LA", [Image.fromarray(gray), Image.fromarray(alpha)]).convert("RGBA")
    paper = Image.new("RGBA", layer.size, "white")
    expected = np.asarray(Image.alpha_composite(paper, layer).convert("L")).astype(int)
    assert np.abs(on_white(gray, alpha).astype(int) - expected).max() <= 1


def test_a_filled_drawing_that_was_cut_out_stays_transparent() -> None:
    drawing = line_drawing(300)
    alpha = np.zeros_like(drawing)
    alpha[60:240, 60:240] = 255
    picture = with_alpha(drawing, alpha)
    assert lay_on_paper(picture) is picture


def test_a_photograph_that_was_cut_out_stays_transparent() -> None:
    gray = skimage.data.camera()
    y, x = np.mgrid[-1:1:512j, -1:1:512j]
    picture = with_alpha(gray, np.where(x**2 + y**2 < 0.5, 255, 0).astype(np.uint8))
    assert lay_on_paper(picture) is picture


@pytest.mark.parametrize("opacity", [0, 255])
def test_nothing_or_all_is_opaque(opacity: int) -> None:
    drawing = line_drawing(100)
    picture = with_alpha(drawing, np.full_like(drawing, opacity))
    assert lay_on_paper(picture) is picture


def test_without_alpha() -> None:
    picture = from_array(line_drawing(100))
    assert lay_on_paper(picture) is picture


def test_a_cut_out_photograph_keeps_its_transparency() -> None:
    """A dark blob on clear ground is no ink, though it covers little and is dark."""
    rng = np.random.default_rng(0)
    gray = rng.integers(20, 120, (200, 200), np.uint8)
    rows, columns = np.mgrid[:200, :200]
    alpha = np.where((rows - 100) ** 2 + (columns - 90) ** 2 < 60**2, 255, 0).astype(np.uint8)
    picture = photo.from_array(np.dstack([gray, alpha]))
    kept = lay_on_paper(picture)
    assert kept.alpha is not None
    assert body(alpha) > 0.8
    seen = visible(picture)
    np.testing.assert_array_equal(seen[alpha > 0], gray[alpha > 0])
    assert set(seen[alpha == 0].tolist()) == {int(np.median(gray[alpha > 0]))}
    assert visible(photo.from_array(gray)) is not None
