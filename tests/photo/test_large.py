"""Pictures too large to be held: strips in, strips out, the same result as whole."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pyvips
from PIL import Image

import tinct
from tinct import photo
from tinct.bundle import Bundle
from tinct.coloring.chroma import Composer, compose
from tinct.errors import PictureError, SaveError, UsageError
from tinct.photo import large as large_module


def gray_file(path: Path, *, deep: bool = False, height: int = 613, width: int = 1300) -> Path:
    rng = np.random.default_rng(5)
    y, x = np.mgrid[0:height, 0:width]
    value = 0.5 + 0.4 * np.sin(x / 90) * np.cos(y / 70) + rng.normal(0, 0.02, (height, width))
    top = 65535 if deep else 255
    codes = np.rint(np.clip(value, 0, 1) * top).astype(np.uint16 if deep else np.uint8)
    image = pyvips.Image.new_from_array(codes)
    image.copy(interpretation="grey16" if deep else "b-w", xres=11.8, yres=11.8).write_to_file(
        str(path)
    )
    return path


@pytest.mark.parametrize(("ending", "deep"), [("tif", False), ("tif", True), ("png", True)])
def test_strips_give_what_the_whole_gives(
    tiny: Bundle, tmp_path: Path, ending: str, deep: bool
) -> None:
    source = gray_file(tmp_path / f"gray.{ending}", deep=deep)
    colorizer = tinct.Colorizer(tiny.path)
    kind = "tiff" if ending == "tif" else ending
    large = colorizer.color_large(source, file_format=kind, least=1)
    assert large is not None
    large.save(tmp_path / f"strips.{ending}")
    opened = photo.open_photo(source)
    whole = compose_like(colorizer, opened.gray, large.seen)
    photo.save_photo(whole, opened, tmp_path / f"whole.{ending}", note=None)
    found, expected = (
        pyvips.Image.new_from_file(str(tmp_path / f"{name}.{ending}"))
        for name in ("strips", "whole")
    )
    assert found.interpretation == expected.interpretation == ("rgb16" if deep else "srgb")
    assert (found.width, found.height, found.xres) == (1300, 613, expected.xres)
    difference = np.abs(found.numpy().astype(int) - expected.numpy())
    assert difference.max() <= (2 if deep else 1)
    assert difference.mean() < 0.01
    assert b"tinct" in found.get("xmp-data")
    lightness = tinct.color.rgb_to_lab(found.numpy().reshape(-1, 3) / (65535 if deep else 255))
    given = tinct.color.gray_to_lightness(opened.gray.ravel() / (65535 if deep else 255))
    assert np.abs(lightness[:, 0] - given).max() < (0.01 if deep else 0.6)


def compose_like(colorizer: tinct.Colorizer, gray: Any, seen: Any) -> Any:
    """Join the whole picture with what the model makes of the small one."""
    proposal = colorizer.propose(seen)
    return compose(gray, proposal.ab, cover=proposal.cover)


def test_rows_are_the_rows_of_the_whole() -> None:
    rng = np.random.default_rng(2)
    gray = rng.integers(0, 256, (530, 700), np.uint8)
    ab = rng.normal(0, 15, (2, 12, 16)).astype(np.float32)
    painter = Composer(ab, gray.shape, gray.dtype, cover=(0.9, 0.8))
    parts = [painter.rows(gray[top : top + 64], top) for top in range(0, 530, 64)]
    whole = compose(gray, ab, cover=(0.9, 0.8))
    assert np.abs(np.concatenate(parts).astype(int) - whole).max() <= 1


def test_the_mean_of_squares(tmp_path: Path) -> None:
    source = gray_file(tmp_path / "gray.tif", deep=True, height=900, width=1300)
    opened = photo.open_large(source, least=1)
    assert opened is not None
    whole = photo.open_photo(source).gray
    for least, by in ((200, 4), (56, 16), (57, 8), (900, 1)):  # 900 is no multiple of 8
        seen, was_color = opened.reduced(least=least)
        rows, columns = 900 // by, 1300 // by
        blocks = whole[: rows * by, : columns * by].reshape(rows, by, columns, by).mean((1, 3))
        np.testing.assert_allclose(seen, blocks, atol=0.51)
        assert not was_color


def test_what_must_be_held_all_the_same(tiny: Bundle, tmp_path: Path) -> None:
    source = gray_file(tmp_path / "gray.tif")
    assert photo.open_large(source) is None  # small
    turned = tmp_path / "turned.tif"
    with Image.open(source) as image:
        image.save(turned, tiffinfo={274: 6})
    assert photo.open_large(turned, least=1) is None
    clear = tmp_path / "clear.png"
    Image.new("LA", (64, 64), (90, 120)).save(clear)
    assert photo.open_large(clear, least=1) is None
    assert photo.open_large(tmp_path / "missing.tif", least=1) is None
    colorizer = tinct.Colorizer(tiny.path)
    assert colorizer.color_large(source, file_format="webp", least=1) is None
    luma = tinct.Settings(keep="luma")
    assert colorizer.color_large(source, luma, file_format="tiff", least=1) is None


def test_damage_leaves_nothing_behind(
    tiny: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = gray_file(tmp_path / "gray.png")
    colorizer = tinct.Colorizer(tiny.path)
    large = colorizer.color_large(source, file_format="png", least=1)
    assert large is not None
    source.write_bytes(source.read_bytes()[:20_000])  # after it was looked at
    with pytest.raises(PictureError, match=r"gray\.png"):
        large.save(tmp_path / "out.png")
    with pytest.raises(PictureError, match=r"gray\.png"):
        colorizer.color_large(source, file_format="png", least=1)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["gray.png"]
    with pytest.raises(UsageError, match="WEBP"):
        large.save(tmp_path / "out.webp")
    (tmp_path / "there.png").write_bytes(b"mine")
    with pytest.raises(SaveError, match="exists"):
        large.save(tmp_path / "there.png")
    monkeypatch.setattr(large_module, "LARGEST", 1000)
    with pytest.raises(PictureError, match="more than the 1000 allowed"):
        photo.open_large(gray_file(tmp_path / "other.png"), least=1)
