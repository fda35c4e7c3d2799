"""A picture's colors get the mean and covariance of another picture's."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import skimage.data
from PIL import Image
from scipy import linalg
from skimage.color import rgb2lab

from tinct.coloring import palette
from tinct.coloring.palette import palette_of, read_palette, repaint
from tinct.colorizer import Colorizer
from tinct.errors import PictureError, UsageError
from tinct.hints import Point
from tiny_models import make_bundle, make_copier


def lab_of(rgb: np.ndarray) -> np.ndarray:
    return rgb2lab(rgb).transpose(2, 0, 1).astype(np.float32)


PICTURES = {name: getattr(skimage.data, name)()[::4, ::4] for name in ("astronaut", "coffee")}


@pytest.mark.parametrize(("one", "other"), [("astronaut", "coffee"), ("coffee", "astronaut")])
def test_mean_and_covariance_against_numpy(one: str, other: str) -> None:
    lab, reference = lab_of(PICTURES[one]), lab_of(PICTURES[other])
    found = repaint(lab, palette_of(reference)).reshape(2, -1).astype(float)
    ab = reference[1:].reshape(2, -1).astype(float)
    np.testing.assert_allclose(found.mean(1), ab.mean(1), atol=0.01)
    np.testing.assert_allclose(np.cov(found), np.cov(ab), rtol=0.005, atol=0.05)


def test_the_palette_against_numpy() -> None:
    lab = lab_of(PICTURES["coffee"]).reshape(3, -1).astype(float)
    found = palette_of(lab_of(PICTURES["coffee"]))
    np.testing.assert_allclose(found.mean, lab.mean(1), rtol=1e-5)
    np.testing.assert_allclose(found.covariance, np.cov(lab, bias=True), rtol=1e-4)


def test_the_map_against_scipy() -> None:
    source, reference = (palette_of(lab_of(rgb)) for rgb in PICTURES.values())
    half = linalg.sqrtm(source.covariance)
    back = linalg.inv(half)
    expected = back @ linalg.sqrtm(half @ reference.covariance @ half) @ back
    assert linalg.eigvalsh(expected).max() < palette.MOST
    np.testing.assert_allclose(palette.transport(source, reference), expected, atol=1e-3)


def test_its_own_palette_changes_nothing() -> None:
    lab = lab_of(PICTURES["astronaut"])
    np.testing.assert_allclose(repaint(lab, palette_of(lab)), lab[1:], atol=0.01)


def test_noise_does_not_become_color() -> None:
    rng = np.random.default_rng(1)
    lab = np.zeros((3, 30, 30), np.float32) + np.float32(50)
    lab[1:] = rng.normal(0, 0.1, (2, 30, 30))
    found = repaint(lab, palette_of(lab_of(PICTURES["coffee"])))
    assert found.std((1, 2)).max() <= 0.1 * palette.MOST * 1.2


def test_padding_does_not_count() -> None:
    lab, reference = lab_of(PICTURES["coffee"]), palette_of(lab_of(PICTURES["astronaut"]))
    padded = np.pad(lab, ((0, 0), (0, 50), (0, 30)), constant_values=77)
    share = (lab.shape[1] / padded.shape[1], lab.shape[2] / padded.shape[2])
    found = repaint(padded, reference, cover=share)[:, : lab.shape[1], : lab.shape[2]]
    np.testing.assert_allclose(found, repaint(lab, reference), atol=0.01)


def test_kinds_of_references(tmp_path: Path) -> None:
    rgb = PICTURES["coffee"]
    image, file = Image.fromarray(rgb), io.BytesIO()
    image.save(file, "PNG")
    image.save(tmp_path / "coffee.png")
    told = read_palette(rgb)
    np.testing.assert_allclose(told.mean, palette_of(lab_of(rgb)).mean, atol=0.01)
    for kind in (image, file.getvalue(), tmp_path / "coffee.png", str(tmp_path / "coffee.png")):
        np.testing.assert_allclose(read_palette(kind).covariance, told.covariance, atol=1e-6)
    assert read_palette(told) is told
    clear = np.dstack([rgb, np.full(rgb.shape[:2], 255, np.uint8)])
    clear[::2] = (0, 0, 255, 0)
    np.testing.assert_allclose(read_palette(clear).mean, read_palette(rgb[1::2]).mean, atol=0.01)


def test_references_without_colors(tmp_path: Path) -> None:
    for gray in (np.full((9, 9, 3), 80, np.uint8), np.zeros((9, 9, 4), np.uint8)):
        with pytest.raises(UsageError, match="has no colors"):
            read_palette(gray)
    with pytest.raises(PictureError, match=r"reference cannot be used: gone\.png is not there"):
        read_palette(tmp_path / "gone.png")


def test_a_photograph_takes_the_palette_and_keeps_its_lightness(tmp_path: Path) -> None:
    colorizer = Colorizer(make_bundle(tmp_path / "one").path)
    gray = np.asarray(Image.fromarray(PICTURES["astronaut"]).convert("L"))
    found = lab_of(colorizer(gray, reference=PICTURES["coffee"]))
    a, b = found[1:].mean((1, 2))
    wanted = lab_of(PICTURES["coffee"])[1:].mean((1, 2))
    assert np.degrees(np.arctan2(b, a)) == pytest.approx(
        np.degrees(np.arctan2(*wanted[::-1])), abs=6
    )
    assert np.hypot(a, b) > 0.6 * np.hypot(*wanted)  # dark and light places cannot show all of it
    plain = lab_of(np.repeat(gray[..., None], 3, 2))
    assert np.abs(found[0] - plain[0]).mean() < 0.3
    np.testing.assert_array_equal(
        colorizer(gray, reference=read_palette(PICTURES["coffee"])),
        colorizer(gray, reference=PICTURES["coffee"]),
    )


def test_a_hint_goes_before_the_reference(tmp_path: Path) -> None:
    colorizer = Colorizer(make_bundle(tmp_path / "one").path)
    gray = np.full((64, 64), 120, np.uint8)
    gray[:, 32:] = 160
    hint = Point(x=0.25, y=0.5, color=(50, 10, -30), radius=0.1)
    found = lab_of(colorizer(gray, reference=PICTURES["coffee"], hints=[hint]))
    np.testing.assert_allclose(found[1:, 32, 16], (10, -30), atol=1.5)


def test_a_painting_takes_the_palette_too(tmp_path: Path) -> None:
    painter = Colorizer(make_copier(tmp_path / "art", task="lineart", color=(5, 5)).path)
    gray = np.full((64, 64), 150, np.uint8)
    blue = np.zeros((8, 8, 3), np.uint8) + np.array([90, 120, 200], np.uint8)
    found = lab_of(painter(gray, reference=blue))
    np.testing.assert_allclose(found[1:].mean((1, 2)), lab_of(blue)[1:].mean((1, 2)), atol=1)
    assert np.abs(found[0] - lab_of(np.full((1, 1, 3), 150, np.uint8))[0]).max() < 0.5
