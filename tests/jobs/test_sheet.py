"""A contact sheet shows the most doubtful pictures first."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from command_line import Captured
from tinct.bundle import Bundle
from tinct.colorizer import Colorizer
from tinct.command import cli
from tinct.errors import SaveError, UsageError
from tinct.jobs.doubt import doubt_of, entropy
from tinct.jobs.sheet import Pair, check_sheet, write_sheet


@pytest.fixture
def pairs(tmp_path: Path) -> list[Pair]:
    found = []
    for number in range(5):
        source, result = tmp_path / f"{number} <&.png", tmp_path / f"{number}.color.png"
        Image.new("I;16" if number == 3 else "L", (64, 48), 90).save(source)
        Image.new("RGB", (64, 48), (200, 40, 10 * number)).save(result)
        found.append(Pair(source, result, (number * 7 % 5) / 10))
    return found


def test_a_page(pairs: list[Pair], tmp_path: Path) -> None:
    target = tmp_path / "deep" / "contact.html"
    target.parent.mkdir()
    assert write_sheet(target, pairs, shown=3) == 3
    page = target.read_text("utf-8")
    doubts = [float(text) for text in re.findall(r"doubt (\d\.\d\d)", page)]
    assert doubts == [0.4, 0.3, 0.2]
    assert "3 of 5 pictures" in page
    links = re.findall(r'<a href="([^"]+)"', page)
    assert links[1].startswith("../")
    assert "<&" not in page
    assert "<script" not in page
    write_sheet(target, pairs)  # over an earlier one


def test_a_picture_of_pictures(pairs: list[Pair], tmp_path: Path) -> None:
    pairs[1].source.unlink()
    target = tmp_path / "contact.jpg"
    assert write_sheet(target, pairs) == 4
    with Image.open(target) as image:
        assert image.format == "JPEG"
        pixels = np.asarray(image.convert("RGB")).astype(int)
    assert (pixels[..., 0] - pixels[..., 2]).max() > 100
    write_sheet(target, [])


def test_names_and_files_that_are_no_sheets(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"end it in \.html or \.jpg"):
        check_sheet(tmp_path / "contact.png")
    (tmp_path / "mine.html").write_text("my page")
    with pytest.raises(SaveError, match="no contact sheet"):
        check_sheet(tmp_path / "mine.html")


def test_doubt() -> None:
    even, sure = np.zeros((7, 2, 3), np.float32), np.zeros((7, 2, 3), np.float32)
    sure[4] = 90
    assert entropy(even) == pytest.approx(1)
    assert entropy(sure) == pytest.approx(0, abs=1e-6)


def test_doubt_of_models_with_and_without_bins(tiny: Bundle, tiny_bins: Bundle) -> None:
    gray = np.tile(np.linspace(0, 255, 48).astype(np.uint8), (40, 1))
    doubts = [doubt_of(Colorizer(one.path, threads=1), gray) for one in (tiny, tiny_bins)]
    assert all(0 <= doubt <= 1 for doubt in doubts)
    assert doubts[1] > 0


def test_the_command_line(tiny_bins: Bundle, album: Path, capsys: Captured) -> None:
    out, sheet = album / "out", album / "contact.html"
    words = [str(album), "-o", str(out), "--model", str(tiny_bins.path), "--threads", "1"]
    assert cli.main(words) == 0
    Image.new("L", (30, 20), 9).save(album / "c.png")
    assert cli.main([*words, "--sheet", str(sheet)]) == 0  # also of what was done before
    assert sheet.read_text("utf-8").count("<figure>") == 3
    assert cli.main([*words, "--sheet", str(album / "b.jpg")]) == 4
    assert "no contact sheet" in capsys.readouterr().err
