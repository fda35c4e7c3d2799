"""Colors in words, against Pillow's names and scikit-image's Lab."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import ImageColor
from skimage.color import rgb2lab

from tinct.errors import UsageError
from tinct.hints.color_names import parse_color


def test_there_are_148_css_names() -> None:
    assert len(ImageColor.colormap) == 148


@pytest.mark.parametrize("name", sorted(ImageColor.colormap))
def test_css_names(name: str) -> None:
    rgb = np.array(ImageColor.getrgb(name)) / 255
    np.testing.assert_allclose(parse_color(name), rgb2lab(rgb), atol=0.02)


@pytest.mark.parametrize(
    ("text", "rgb"),
    [("#f80", (255, 136, 0)), ("#FF8800", (255, 136, 0)), (" rgb(1, 2, 3) ", (1, 2, 3))],
)
def test_hexadecimal(text: str, rgb: tuple[int, int, int]) -> None:
    np.testing.assert_allclose(parse_color(text), rgb2lab(np.array(rgb) / 255), atol=0.02)


@pytest.mark.parametrize(
    "text", ["lab(50 -20.5 30)", "LAB( 50, -20.5, +30 )", "lab(5e1 -20.5 30.)"]
)
def test_lab(text: str) -> None:
    assert parse_color(text) == (50, -20.5, 30)


@pytest.mark.parametrize("text", ["", "#12", "reddish", "lab(1 2)", "lab(1 2 x)", "lab(1-2 3 4)"])
def test_no_color(text: str) -> None:
    with pytest.raises(UsageError, match="is no color"):
        parse_color(text)


@pytest.mark.parametrize("text", ["lab(101 0 0)", "lab(-1 0 0)", "lab(50 129 0)", "lab(50 0 -129)"])
def test_out_of_range(text: str) -> None:
    with pytest.raises(UsageError, match="is out of range"):
        parse_color(text)
