"""Pictures squeezed to a part of their contrast."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tinct.bundle import Bundle
from tinct.command import cli
from tinct.errors import UsageError
from tinct.measure.evaluate import evaluate
from tinct.measure.fading import AROUND, measure_fading, squeeze
from tiny_models import make_copier


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("truth")
    for number, shade in enumerate([(190, 120, 60), (60, 120, 190)]):
        pixels = np.full((40, 48, 3), shade, np.uint8)
        pixels[:, :20] //= 2
        Image.fromarray(pixels).save(root / f"{number}.png")
    return root


def test_squeezed_around_a_gray() -> None:
    codes = np.arange(256, dtype=np.uint8)
    for around in AROUND.values():
        for contrast in (1.0, 0.5, 0.12):
            found = squeeze(codes, contrast=contrast, around=around).astype(int)
            assert np.ptp(found) == pytest.approx(255 * contrast, abs=1)
            assert abs(found[round(255 * around)] - 255 * around) <= 1
    np.testing.assert_array_equal(squeeze(codes, contrast=1.0, around=0.2), codes)


def test_unfaded_is_what_evaluate_says(folder: Path, tiny: Bundle) -> None:
    found = measure_fading(folder, model=tiny.path, contrasts=[1.0, 0.2])
    plain = evaluate(folder, model=tiny.path).rows["ours"]["ciede2000_of_gray"]
    assert [one.error for one in found[:3]] == pytest.approx([plain] * 3)
    # The tiny model's color follows the lightness that it sees: fading changes it.
    assert found[3].error != pytest.approx(plain, rel=0.01)
    assert {one.n for one in found} == {2}


def test_wrong_contrasts_and_models_that_paint(folder: Path, tiny: Bundle, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="above 0 and at most 1"):
        measure_fading(folder, model=tiny.path, contrasts=[1.2])
    art = make_copier(tmp_path / "art", task="lineart")
    with pytest.raises(UsageError, match="paints drawings"):
        measure_fading(folder, model=art.path)


def test_from_the_command_line(
    folder: Path, tiny: Bundle, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["evaluate", str(folder), "--model", str(tiny.path), "--faded", "100,20"]
    assert cli.main([*words, "--json", str(tmp_path / "f.json")]) == 0
    out = capsys.readouterr().out
    held = json.loads((tmp_path / "f.json").read_text())
    assert len(held) == 6
    assert f"{held[3]['error']:.3f}" in out
    assert "20%" in out
    assert cli.main([*words, "--hints", "3"]) == 2
    assert "neither --html nor --hints" in capsys.readouterr().err
