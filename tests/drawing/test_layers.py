"""Layers are joined by drawing programs as the file says."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import skimage.data
from PIL import Image, ImageChops

from made_pictures import line_drawing
from tinct import photo
from tinct.drawing import layers
from tinct.drawing.layers import OraLayer, join, layers_of, save_layers
from tinct.errors import SaveError, UsageError

GRAY = line_drawing(200, paper=230, ink=20)


def painted() -> np.ndarray:
    """The drawing, colored softly."""
    rows, columns = np.mgrid[:200, :200] / 200
    tint = np.stack([0.9 - 0.3 * rows, 0.7 + 0.2 * columns, 0.4 + 0.3 * rows * columns], -1)
    return np.rint(GRAY[..., None] * tint).astype(np.uint8)


def opened(path: Path) -> tuple[dict[str, np.ndarray], ElementTree.Element]:
    with zipfile.ZipFile(path) as archive:
        pictures = {
            name: np.asarray(Image.open(io.BytesIO(archive.read(name))))
            for name in archive.namelist()
            if name.endswith(".png")
        }
        return pictures, ElementTree.fromstring(archive.read("stack.xml"))


def test_the_file_is_as_the_specification_says(tmp_path: Path) -> None:
    target = tmp_path / "a.ora"
    save_layers(layers_of(GRAY, painted(), drawing=True), target)
    content = target.read_bytes()
    assert content[30:54] == b"mimetypeimage/openraster"  # as file(1) looks for it
    with zipfile.ZipFile(target) as archive:
        assert archive.testzip() is None
        assert archive.infolist()[0].compress_type == zipfile.ZIP_STORED
    pictures, stack = opened(target)
    assert stack.tag == "image"
    assert (stack.get("w"), stack.get("h"), stack.get("version")) == ("200", "200", "0.0.6")
    told = [(one.get("name"), one.get("composite-op")) for one in stack.findall("stack/layer")]
    assert told == [
        ("lines", "svg:multiply"),
        ("shading", "svg:hard-light"),
        ("flats", "svg:src-over"),
    ]
    for one in stack.findall("stack/layer"):
        assert pictures[str(one.get("src"))].shape == (200, 200, 3)
    assert max(pictures["Thumbnails/thumbnail.png"].shape) <= 256


def test_a_drawing_is_joined_by_pillow(tmp_path: Path) -> None:
    target, rgb = tmp_path / "a.ora", painted()
    save_layers(layers_of(GRAY, rgb, drawing=True), target)
    pictures, _ = opened(target)
    flat, shading, lines = (
        Image.fromarray(pictures[f"data/{name}.png"]) for name in ("flats", "shading", "lines")
    )
    found = np.asarray(ImageChops.multiply(ImageChops.hard_light(flat, shading), lines))
    assert np.abs(found.astype(int) - pictures["mergedimage.png"]).max() <= 3  # Pillow rounds twice
    paper = GRAY > 200
    assert np.abs(pictures["mergedimage.png"].astype(int) - rgb)[paper].max() <= 3
    assert np.abs(pictures["mergedimage.png"].astype(int) - rgb).mean() < 1


def test_a_photograph_is_lightness_and_color(tmp_path: Path) -> None:
    rgb = skimage.data.astronaut()[::3, ::3]
    gray = np.asarray(Image.fromarray(rgb).convert("L"))
    save_layers(layers_of(gray, rgb, drawing=False), tmp_path / "a.ora")
    pictures, stack = opened(tmp_path / "a.ora")
    told = [(one.get("name"), one.get("composite-op")) for one in stack.findall("stack/layer")]
    assert told == [("color", "svg:color"), ("lightness", "svg:src-over")]
    assert np.abs(pictures["mergedimage.png"].astype(int) - rgb).max() <= 1
    lightness = pictures["data/lightness.png"]
    np.testing.assert_array_equal(lightness[..., 0], lightness[..., 2])
    assert np.abs(lightness[..., 0].astype(int) - gray).max() <= 2  # Pillow: the weights of 601


def set_lum(below: list[float], above: list[float]) -> list[float]:
    """Follow the pseudocode of W3C compositing, section 10, word for word."""

    def lum(c: list[float]) -> float:
        return 0.3 * c[0] + 0.59 * c[1] + 0.11 * c[2]

    d = lum(below) - lum(above)
    c = [v + d for v in above]
    level, low, high = lum(c), min(c), max(c)
    if low < 0:
        c = [level + (v - level) * level / (level - low) for v in c]
    if high > 1:
        c = [level + (v - level) * (1 - level) / (high - level) for v in c]
    return c


def test_the_mode_color_against_the_specification() -> None:
    rng = np.random.default_rng(2)
    below, above = (rng.integers(0, 256, (40, 3)).astype(np.uint8) for _ in range(2))
    found = join([OraLayer("a", below[None]), OraLayer("b", above[None], "svg:color")])[0]
    for one, under, over in zip(found, below / 255, above / 255, strict=True):
        expected = np.array(set_lum(list(under), list(over))) * 255
        assert np.abs(one - expected.clip(0, 255)).max() <= 1


def test_16_bits_become_8() -> None:
    wide = painted().astype(np.uint16) * np.uint16(257)
    deep = layers_of(GRAY.astype(np.uint16) * np.uint16(257), wide, drawing=True)
    for one, other in zip(deep, layers_of(GRAY, painted(), drawing=True), strict=True):
        np.testing.assert_array_equal(one.rgb, other.rgb)


def test_nothing_is_overwritten_and_nothing_half_written(tmp_path: Path) -> None:
    parts = layers_of(GRAY, painted(), drawing=False)
    with pytest.raises(UsageError, match=r"must end with \.ora"):
        save_layers(parts, tmp_path / "a.psd")
    (tmp_path / "a.ora").write_text("mine")
    with pytest.raises(SaveError, match="exists already"):
        save_layers(parts, tmp_path / "a.ora")
    assert (tmp_path / "a.ora").read_text() == "mine"
    save_layers(parts, tmp_path / "a.ora", overwrite=True)
    first = (tmp_path / "a.ora").read_bytes()
    save_layers(parts, tmp_path / "b.ora")
    assert (tmp_path / "b.ora").read_bytes() == first
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.ora", "b.ora"]
    assert set(layers.MODES) >= {layer.mode for layer in parts}


def test_transparent_pictures_are_refused(tmp_path: Path) -> None:
    clear = photo.from_array(np.dstack([GRAY, GRAY]))
    with pytest.raises(UsageError, match="cannot be transparent"):
        layers.write_layers(clear, painted(), tmp_path / "a.ora", drawing=True)
    layers.write_layers(photo.from_array(GRAY), painted(), tmp_path / "a.ora", drawing=True)
    assert (tmp_path / "a.ora").exists()
