"""Color follows what it belongs to: less flicker, no more error, nothing over a cut."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from skimage import data
from skimage.color import rgb2lab
from skimage.transform import resize

from tinct.jobs.steady import Small, flicker, is_cut, motions, steady

pytest.importorskip("cv2")
SIZE = (96, 128)


def pan(name: str, count: int, *, step: float = 1.5, seed: int = 3) -> tuple[list, list]:
    """Return a pan over a picture: lightness with grain, and the true a*, b* at half the size."""
    whole = rgb2lab(resize(getattr(data, name)(), (150, 200), anti_aliasing=True))
    noise, lightness, truth = np.random.default_rng(seed), [], []
    for number in range(count):
        x, y = round(number * step) % 70, round(20 + 15 * np.sin(number / 5))
        part = whole[y : y + SIZE[0], x : x + SIZE[1]]
        grain = noise.normal(0, 1.5, SIZE) + noise.normal(0, 1)
        lightness.append(np.clip(part[..., 0] + grain, 0, 100).astype(np.float32))
        ab = part[..., 1:].reshape(SIZE[0] // 2, 2, SIZE[1] // 2, 2, 2).mean((1, 3))
        truth.append(np.moveaxis(ab, 2, 0).astype(np.float32))
    return lightness, truth


@pytest.mark.parametrize("name", ["astronaut", "coffee", "chelsea"])
def test_flicker_is_halved_and_the_error_no_larger(name: str) -> None:
    lightness, truth = pan(name, 24)
    noise = np.random.default_rng(8)
    # A model that is now and then wrong by a smooth patch, as they are.
    given = []
    for ab in truth:
        patch = resize(noise.normal(0, 8, (2, 4, 5)), ab.shape, order=1)
        given.append((ab + patch).astype(np.float32))
    frames = [Small(gray, ab) for gray, ab in zip(lightness, given, strict=True)]
    settled = steady(frames)
    assert all(map(np.array_equal, settled, steady(frames, workers=3)))
    assert flicker(settled, lightness) < 0.5 * flicker(given, lightness)

    def error(colors: list) -> float:
        return float(
            np.mean([np.hypot(*(a - b)).mean() for a, b in zip(colors, truth, strict=True)])
        )

    assert error(settled) < 1.02 * error(given)


def test_motion_is_found_and_what_is_new_is_told() -> None:
    lightness, truth = pan("astronaut", 2, step=6)
    first, second = (Small(*one) for one in zip(lightness, truth, strict=True))
    _, moved = motions(first, second)
    height, width = truth[0].shape[1:]
    grid = np.stack(np.meshgrid(np.arange(width), np.arange(height)), axis=-1)
    away = (moved.places - grid)[moved.known]
    assert np.median(away[:, 0]) == pytest.approx(3, abs=0.3)  # 6 pixels at twice the size
    assert moved.known.mean() > 0.7
    assert not moved.known[:, -3:].any()


def test_one_frame_and_still_frames_keep_their_color() -> None:
    lightness, truth = pan("coffee", 1)
    frame = Small(lightness[0], truth[0])
    assert np.array_equal(steady([frame])[0], truth[0])
    for colors in steady([frame] * 5):
        assert np.allclose(colors, truth[0], atol=1e-3)


def test_cuts() -> None:
    one, other = pan("astronaut", 20)[0], pan("coffee", 20)[0]
    assert not any(is_cut(a, b) for a, b in pairwise(one))
    assert not any(is_cut(a, b) for a, b in pairwise(other))
    assert is_cut(one[-1], other[0])
    assert is_cut(one[0], one[0][:-8])
    assert not is_cut(one[3], np.clip(one[3] + 25, 0, 100))  # a flash
    black, white = np.zeros(SIZE, np.float32), np.full(SIZE, 100, np.float32)
    assert is_cut(black, one[0])
    assert not is_cut(black, black)
    assert isinstance(is_cut(black, white), bool)
