"""Packing: what goes in comes out, in parcels of the size asked for."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.train.conftest import paint

from command_line import Captured
from tinct.command import cli
from tinct.errors import TrainingError, UsageError
from tinct.train import recipes
from tinct.train.data.pack import pack
from tinct.train.trainer import train

COUNT = 40


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    one, two = tmp_path / "one", tmp_path / "two"
    (two / "deep").mkdir(parents=True)
    one.mkdir()
    for number in range(COUNT):
        Image.fromarray(paint(number, 90, 120)).save(one / f"a.{number:02}.png")
        Image.fromarray(paint(100 + number, 30, 40)).save(two / "deep" / f"a.{number:02}.png")
    Image.new("L", (50, 50), 80).save(one / "gray.png")
    (two / "bad.jpg").write_bytes(b"no picture")
    return one, two


def members(shard: Path) -> dict[str, Image.Image]:
    with tarfile.open(shard) as archive:
        return {
            member.name: Image.open(io.BytesIO(archive.extractfile(member).read()))
            for member in archive
        }


def test_every_picture_once_small_and_shuffled(
    folders: tuple[Path, Path], tmp_path: Path, capsys: Captured
) -> None:
    out = tmp_path / "packed"
    words = ["pack", *map(str, folders), "-o", str(out), "--mib", "1", "--short", "64"]
    assert cli.main(words) == 0
    shards = sorted(out.iterdir())
    held = {name: image for shard in shards for name, image in members(shard).items()}
    assert len(held) == 2 * COUNT
    assert {name.split("/")[0] for name in list(members(shards[0]))[:20]} == {"one", "two"}
    image = held["one/a_07_png.webp"]
    assert (image.format, image.size) == ("WEBP", (85, 64))
    small = Image.fromarray(paint(7, 90, 120)).resize((85, 64), Image.Resampling.BOX)
    assert np.abs(np.asarray(image, float) - np.asarray(small, float)).mean() < 8
    assert held["two/deep/a_03_png.webp"].size == (40, 30)  # never enlarged
    assert cli.main(words) == 2  # the folder is not empty
    with pytest.raises(UsageError, match="at most 1"):
        pack([f"{folders[0]}=2"], tmp_path / "x")
    with pytest.raises(TrainingError, match="does not exist"):
        pack([str(tmp_path / "none")], tmp_path / "x")


def test_shards_are_as_large_as_asked_for_and_the_same_again(
    folders: tuple[Path, Path], tmp_path: Path
) -> None:
    whole = pack([str(folders[0])], tmp_path / "whole", short=90)
    (single,) = whole.shards
    limit = single.stat().st_size / 3 / (1 << 20)
    parts = pack([str(folders[0])], tmp_path / "parts", short=90, mib=limit)
    assert (parts.pictures, parts.skipped) == (whole.pictures, whole.skipped) == (COUNT, 1)
    assert len(parts.shards) >= 3
    assert all(shard.stat().st_size <= limit * (1 << 20) for shard in parts.shards)
    again = pack([str(folders[0])], tmp_path / "again", short=90, mib=limit)
    for one, other in zip(parts.shards, again.shards, strict=True):
        assert one.read_bytes() == other.read_bytes()
    half = pack([f"{folders[0]}=0.5"], tmp_path / "half", short=90)
    assert 0.2 * COUNT < half.pictures < 0.8 * COUNT


def test_a_packed_folder_trains(folders: tuple[Path, Path], tmp_path: Path) -> None:
    pack([str(folders[0])], tmp_path / "packed", short=48)
    recipe = recipes.get("flagship-photo", {"stages.0.steps": "2"}, size="nano")
    train(recipe, [tmp_path / "packed"], tmp_path / "run")
    assert (tmp_path / "run" / "last.ckpt").is_file()
