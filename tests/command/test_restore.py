"""Coloring that can be taken back, with the model that ships."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import tinct
from command_line import Captured
from tinct.command import cli

CAT = Path(__file__).parents[2] / "examples" / "pictures" / "cat.jpg"


def gray_cat(path: Path, **more: object) -> Path:
    Image.open(CAT).convert("L").save(path, "JPEG", quality=85, **more)
    return path


def luma_of(path: Path) -> np.ndarray:
    image = Image.open(io.BytesIO(path.read_bytes()))
    image.draft("L", image.size)
    return np.asarray(image)


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_there_and_back(orientation: int, tmp_path: Path, capsys: Captured) -> None:
    tags = Image.Exif()
    tags[271], tags[274] = "Leica", orientation
    path = gray_cat(tmp_path / "cat.jpg", exif=tags, comment=b"in the garden")
    colored, back = tmp_path / "cat.color.jpg", tmp_path / "back.jpg"
    assert cli.main([str(path)]) == 0
    np.testing.assert_array_equal(luma_of(colored), luma_of(path))
    made = Image.open(io.BytesIO(colored.read_bytes()))
    with Image.open(path) as before:
        assert made.size == before.size
    assert made.getexif()[274] == orientation
    assert made.getexif()[271] == "Leica"
    assert made.getexif()[305].startswith("tinct ")
    assert np.asarray(made.convert("HSV"))[..., 1].mean() > 10
    assert cli.main(["verify", str(colored)]) == 0
    assert "the gray is untouched" in capsys.readouterr().out
    assert cli.main(["restore", str(colored), "-o", str(back)]) == 0
    assert back.read_bytes() == path.read_bytes()
    assert cli.main(["restore", str(colored), "-o", str(back)]) == 4
    assert "exists already" in capsys.readouterr().err


def test_turned_pictures_have_the_colors_of_upright_ones(tmp_path: Path) -> None:
    upright = Image.open(CAT).convert("L").resize((240, 160))
    plain, turned = tmp_path / "plain.jpg", tmp_path / "turned.jpg"
    upright.save(plain, quality=95)
    tags = Image.Exif()
    tags[274] = 6
    upright.transpose(Image.Transpose.ROTATE_90).save(turned, quality=95, exif=tags)
    model = tinct.Colorizer()
    one, other = (
        Image.open(io.BytesIO(model(path.read_bytes()))).convert("RGB") for path in (plain, turned)
    )
    back = other.transpose(Image.Transpose.ROTATE_270)
    assert np.abs(np.asarray(one, int) - np.asarray(back, int)).mean() < 2


def test_keep_says_which(tmp_path: Path) -> None:
    path = gray_cat(tmp_path / "cat.jpg")
    model = tinct.Colorizer()
    exact = model(path.read_bytes(), keep="lightness")
    assert b"tinct gray" not in exact
    assert b"tinct gray" in model(path.read_bytes(), keep="luma")
    with pytest.raises(tinct.UsageError, match="auto, lightness, luma"):
        model(path.read_bytes(), keep="color")


@pytest.mark.parametrize("kind", ["png", "tiff", "webp"])
def test_luma_is_kept_in_formats_without_loss(kind: str, tmp_path: Path) -> None:
    gray = Image.open(CAT).convert("L")
    path, target = tmp_path / f"cat.{kind}", tmp_path / f"colored.{kind}"
    gray.save(path, **({"lossless": True} if kind == "webp" else {}))
    assert cli.main([str(path), "-o", str(target), "--keep", "luma"]) == 0
    made = Image.open(io.BytesIO(target.read_bytes())).convert("RGB")
    np.testing.assert_array_equal(np.asarray(made.convert("L")), np.asarray(gray))
    assert np.asarray(made.convert("HSV"))[..., 1].mean() > 10


def test_a_recipe_keeps_what_is_kept(tmp_path: Path) -> None:
    path = gray_cat(tmp_path / "cat.jpg")
    assert cli.main([str(path), "--keep", "lightness", "--save-recipe"]) == 0
    held = json.loads((tmp_path / "cat.tinct.json").read_text())
    assert held["settings"]["keep"] == "lightness"
    target = tmp_path / "again.jpg"
    assert (
        cli.main([str(path), "-o", str(target), "--recipe", str(tmp_path / "cat.tinct.json")]) == 0
    )
    assert b"tinct gray" not in target.read_bytes()


def test_what_holds_no_original_is_told(tmp_path: Path, capsys: Captured) -> None:
    path = gray_cat(tmp_path / "cat.jpg")
    again = tmp_path / "again.jpg"
    Image.open(io.BytesIO(tinct.Colorizer()(path.read_bytes()))).save(again)
    for name in (path, again, tmp_path / "missing.jpg"):
        assert cli.main(["restore", str(name), "-o", str(tmp_path / "x.jpg")]) == 3
        assert capsys.readouterr().err.count("\n") == 1
    assert not (tmp_path / "x.jpg").exists()
    assert cli.main(["verify", "--json", str(path), str(again)]) != 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["untouched"] for line in lines] == [False, False]


def test_a_gray_profile_that_is_not_like_srgb_keeps_the_lightness(tmp_path: Path) -> None:
    from made_pictures import gamma, gray_profile

    path = gray_cat(tmp_path / "cat.jpg", icc_profile=gray_profile(gamma(1.0)))
    assert b"tinct gray" not in tinct.Colorizer()(path.read_bytes())
    path = gray_cat(tmp_path / "cat.jpg", icc_profile=gray_profile(gamma(2.2)))
    assert b"tinct gray" not in tinct.Colorizer()(path.read_bytes(), keep="lightness")


def test_damaged_gray_jpegs_give_one_sentence(tmp_path: Path, capsys: Captured) -> None:
    data = gray_cat(tmp_path / "cat.jpg").read_bytes()
    for number, cut in enumerate(
        (data[:400], data[: len(data) // 2], data[:-2], data[:2000] + data[2600:])
    ):
        path = tmp_path / f"cut{number}.jpg"
        path.write_bytes(cut)
        code = cli.main([str(path)])
        error = capsys.readouterr().err
        assert code in (0, 3)
        assert "Traceback" not in error
        assert "defect" not in error
        assert (code == 0) or error.count("\n") == 1
