from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import uniform_filter

from tinct.color import rgb_to_lab
from tinct.hints import rasterize
from tinct.measure import simulated_hints
from tinct.measure.dataset import Pair, random_hints
from tinct.measure.hint_protocols import HINT_PROTOCOLS, points_of
from tinct.train.recipe import HINTS


def _subject(height: int = 128, width: int = 128) -> Pair:
    y, x = np.mgrid[0:height, 0:width]
    truth = np.stack([x * 255 // width, y * 255 // height, 255 - x * 255 // width], -1)
    return Pair("s.png", Path("s.png"), truth.astype(np.uint8), np.zeros((height, width), "u1"))


def test_every_kind_of_a_recipe_is_known() -> None:
    assert set(HINT_PROTOCOLS) == set(HINTS) - {"none", "truth"}


def test_patches_are_those_of_the_training() -> None:
    pair = _subject()
    colors, mask = simulated_hints.article_patches(pair.truth)
    planes = rasterize(points_of(pair, "article-patches"), 128, 128)
    np.testing.assert_array_equal(planes[3], mask)
    wanted = rgb_to_lab(colors / 255.0) * mask[..., None]
    np.testing.assert_allclose(planes[:3].transpose(1, 2, 0), wanted, atol=1e-3)
    wide = _subject(128, 256)
    planes = rasterize(points_of(wide, "article-patches"), 128, 256)
    np.testing.assert_array_equal(planes[3], simulated_hints.article_patches(wide.truth)[1])
    assert planes[3].sum() == mask.sum() == 20 * 7 * 7


@pytest.mark.parametrize("shape", [(128, 128), (128, 96), (96, 192)])
def test_a_blurred_map_covers_all_and_is_the_box_mean(shape: tuple[int, int]) -> None:
    pair = _subject(*shape)
    planes = rasterize(points_of(pair, "blur"), *shape)
    assert planes[3].min() == 1
    box = tuple(side // 4 for side in shape)
    channels = np.moveaxis(pair.truth.astype(float), -1, 0)
    blurred = np.stack([uniform_filter(plane, box, mode="mirror") for plane in channels], axis=-1)
    wanted = rgb_to_lab(blurred / 255.0)
    assert np.abs(planes[:3].transpose(1, 2, 0) - wanted).mean() < 1.5


def test_points_are_those_of_evaluate() -> None:
    pair = _subject(40, 60)
    for kind in ("points", "patches"):
        assert points_of(pair, kind) == random_hints(pair, count=10, seed=0)
