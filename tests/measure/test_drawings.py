"""Measuring line-art models: which drawing is taken, what is drawn, what the results say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage.color import rgb2lab

from tinct import color
from tinct.bundle import Bundle
from tinct.colorizer import Colorizer
from tinct.command.cli import main
from tinct.errors import MissingExtraError, UsageError
from tinct.measure import dataset, drawings, evaluate
from tinct.train.data.lineart import standard_drawer
from tiny_models import make_bundle, make_copier

SIDE = 64


def picture(seed: int, height: int = SIDE, width: int = SIDE) -> np.ndarray:
    """Return disks of plain colors on white."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width] / min(height, width)
    shown = np.full((height, width, 3), 255, np.uint8)
    for _ in range(4):
        (cy, cx), r = random.uniform(0.2, 0.8, 2), random.uniform(0.1, 0.3)
        shown[(y - cy) ** 2 + (x - cx) ** 2 < r * r] = random.integers(20, 220, 3)
    return shown


def drawn(shown: np.ndarray) -> np.ndarray:
    """Return black lines where a color ends."""
    step = np.abs(np.diff(shown.astype(int), axis=0, prepend=255)).max(-1)
    step = np.maximum(step, np.abs(np.diff(shown.astype(int), axis=1, prepend=255)).max(-1))
    return np.where(step > 0, 0, 255).astype(np.uint8)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return five pictures, three with a sketch: as large, of other size and kind, transparent."""
    root = tmp_path / "works"
    for name in ("color", "sketch"):
        (root / name).mkdir(parents=True)
    for seed in range(5):
        Image.fromarray(picture(seed)).save(root / "color" / f"work{seed}.png")
    Image.fromarray(drawn(picture(0))).save(root / "sketch" / "work0.png")
    larger = Image.fromarray(drawn(picture(1))).resize((SIDE + 3, SIDE + 2), 3).convert("RGB")
    larger.save(root / "sketch" / "work1.webp", lossless=True)
    ink = np.zeros((SIDE, SIDE, 2), np.uint8)
    ink[..., 1] = 255 - drawn(picture(2))
    Image.fromarray(ink, "LA").save(root / "sketch" / "work2.PNG")
    return root


@pytest.fixture(scope="module")
def art(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A line-art model that paints the drawing in one color."""
    same = dict.fromkeys(("fast", "balanced", "best"), SIDE)
    place = tmp_path_factory.mktemp("bundles") / "art"
    return make_copier(place, color=(9, -5), task="lineart", sizes=same)


def never() -> drawings.Draw:
    raise AssertionError("nothing has to be drawn")


def test_the_sketch_is_the_input_whatever_its_kind_and_size(folder: Path) -> None:
    for seed in (3, 4):
        (folder / "color" / f"work{seed}.png").unlink()
    source = drawings.find_drawings(folder, draw=never)
    for seed, path in enumerate(source.files):
        pair = source.open(path)
        np.testing.assert_array_equal(pair.truth, picture(seed))
        if seed != 1:
            np.testing.assert_array_equal(pair.gray, drawn(picture(seed)))
    resized = source.open(source.files[1]).gray
    sketch = Image.open(folder / "sketch" / "work1.webp").convert("L")
    expected = np.asarray(sketch).astype(np.float32)
    for size in ((SIDE + 3, SIDE), (SIDE, SIDE)):  # in floats, one axis after the other
        expected = np.asarray(Image.fromarray(expected).resize(size, Image.Resampling.BICUBIC))
    assert resized.shape == (SIDE, SIDE)
    assert np.abs(resized - np.clip(expected, 0, 255)).max() <= 0.51
    assert "3 of 3 drawings" in source.given
    assert "Gaussians" not in source.given


def test_missing_sketches_are_drawn_and_counted(folder: Path) -> None:
    asked = []

    def invert(lightness: np.ndarray) -> np.ndarray:
        asked.append(lightness)
        return 100 - lightness

    source = drawings.find_drawings(folder, draw=lambda: invert)
    pair = source.open(source.files[3])
    lightness = rgb2lab(picture(3))[..., 0]
    np.testing.assert_allclose(asked[0], lightness, atol=0.05)
    found = rgb2lab(np.repeat(pair.gray[..., None], 3, -1))[..., 0]
    np.testing.assert_allclose(found, 100 - lightness, atol=0.3)
    assert source.open(source.files[0]).gray.min() == 0
    assert len(asked) == 1
    assert "3 of 5 drawings are those in sketch/" in source.given
    assert "2 of 5 drawings are made from" in source.given
    assert source.notes == (
        "3 of 5 inputs are drawings from sketch/, the others were drawn from the true pictures.",
    )


def test_the_protocol_names_the_drawing_as_it_is_made() -> None:
    import tinct.train.data.lineart as lineart

    for name, value in vars(lineart._standard(1)).items():
        assert f"{name} {float(value):g}" in drawings.DRAWN


def test_a_line_art_model_on_color_and_sketch(folder: Path, art: Bundle) -> None:
    results = evaluate.evaluate(folder, model=art.path, draw=standard_drawer)
    results.raise_failures()
    assert results.n == 5
    assert results.model is not None
    assert results.model["task"] == "lineart"
    assert any("3 of 5 drawings" in sentence for sentence in results.protocol)
    assert not any("gray made from the truth" in sentence for sentence in results.protocol)
    # The gray row is the drawing, the mean color lies under it, the model paints it.
    first = results.pictures[0]
    truth, paper = rgb2lab(picture(0)), rgb2lab(np.repeat(drawn(picture(0))[..., None], 3, -1))
    shift = np.abs(paper[..., 0] - truth[..., 0]).mean()
    for row in ("gray", "mean_color", "ours"):
        assert first.rows[row]["lightness_shift"] == pytest.approx(shift, abs=0.3)
    off = (truth[..., 1:] - paper[..., 1:]) ** 2
    assert first.rows["gray"]["ab_rmse"] == pytest.approx(np.sqrt(off.mean()), abs=0.05)
    pair = drawings.open_drawing(
        folder / "color" / "work0.png", sketch=folder / "sketch" / "work0.png", draw=None
    )
    mean = rgb2lab(dataset.mean_color(pair))
    mid = np.abs(mean[..., 0] - 50) < 40
    if mid.any():
        np.testing.assert_allclose(mean[mid][:, 1:].mean(0), truth[..., 1:].mean((0, 1)), atol=2)
    assert {pair.kind for pair in results.samples} == {"best", "median", "worst"}


def test_a_line_art_model_on_plain_pictures(folder: Path, art: Bundle) -> None:
    results = evaluate.evaluate(folder / "color", model=art.path, limit=2, draw=standard_drawer)
    results.raise_failures()
    assert results.notes[0].startswith("0 of 2 inputs are drawings")
    assert any("2 of 2 drawings are made from" in sentence for sentence in results.protocol)
    import torch

    import tinct.train.data.lineart as lineart

    truth = picture(0)
    lightness = torch.from_numpy(rgb2lab(truth)[None, None, ..., 0].astype(np.float32))
    gray = color.lightness_to_gray(lineart.standard(lightness).numpy()[0, 0])
    source = drawings.find_drawings(folder / "color", limit=2, draw=standard_drawer)
    found = source.open(source.files[0]).gray
    assert np.abs(found / 255 - gray).max() < 0.02
    assert 0.01 < (found < 128).mean() < 0.3


def test_a_photograph_model_takes_the_color_pictures(folder: Path, tiny: Bundle) -> None:
    results = evaluate.evaluate(folder, model=tiny.path, draw=standard_drawer)
    plain = evaluate.evaluate(folder / "color", model=tiny.path, draw=standard_drawer)
    assert results.rows["ours"]["ciede2000"] == plain.rows["ours"]["ciede2000"]
    assert results.protocol == plain.protocol
    assert results.notes[0] == (
        "The true pictures are those in color/, made gray; drawings are not used."
    )
    assert plain.notes == ["learned metrics: none asked for."]
    # A folder with pictures of its own is what it was.
    Image.fromarray(picture(7)).save(folder / "own.png")
    own = evaluate.evaluate(folder, model=tiny.path, draw=standard_drawer)
    assert [shown.name for shown in own.pictures] == ["own.png"]


def test_hints_tell_a_line_art_model_the_true_lightness(tmp_path: Path, folder: Path) -> None:
    model = make_bundle(tmp_path / "art", task="lineart")
    hinted = evaluate.evaluate(folder, model=model.path, limit=1, hints=20, draw=standard_drawer)
    assert any("20 point hints" in sentence for sentence in hinted.protocol)

    seen = []
    colorizer = Colorizer(model.path)
    run = colorizer.engine.run
    colorizer.engine.run = lambda lightness, hint=None, **more: (
        seen.append(hint) or run(lightness, hint, **more)
    )
    source = drawings.find_drawings(folder, limit=1, draw=never)
    pair = source.open(source.files[0])
    points = dataset.random_hints(pair, count=1, seed=0)
    colorizer(pair.gray, hints=points)
    (seen,) = [planes for planes in seen if planes is not None]
    where = seen[0, 3] > 0
    np.testing.assert_allclose(seen[0, :3, where], [points[0].lab] * where.sum(), atol=1e-4)


def test_what_cannot_be_measured_is_named(folder: Path, art: Bundle) -> None:
    Image.fromarray(drawn(picture(3, 40, 90))).save(folder / "sketch" / "work3.png")
    Image.fromarray(picture(0)[:1]).save(folder / "color" / "work4.png")
    (folder / "sketch" / "work0.png").write_bytes(b"no picture")
    results = evaluate.evaluate(folder, model=art.path, draw=standard_drawer)
    errors = {failure.name: failure.error for failure in results.failures}
    assert list(errors) == ["work0.png", "work3.png", "work4.png"]
    assert "90 x 40 pixels, its color picture 64 x 64" in errors["work3.png"]
    assert "too small to be drawn" in errors["work4.png"]
    assert results.n == 2
    with pytest.raises(UsageError, match="holds no picture"):
        drawings.find_drawings(folder.parent, draw=never)


def test_without_the_training_part_only_sketches_can_be_taken(folder: Path, art: Bundle) -> None:
    with pytest.raises(MissingExtraError, match=r"tinct\[train\].*sketch"):
        evaluate.evaluate(folder, model=art.path)
    for seed in (3, 4):
        (folder / "color" / f"work{seed}.png").unlink()
    assert evaluate.evaluate(folder, model=art.path).n == 3


def test_other_programs_measure_drawings_too(folder: Path) -> None:
    seen = []

    def painter(pair: dataset.Pair) -> np.ndarray:
        seen.append(pair.gray)
        return pair.truth

    results = evaluate.score(
        folder,
        painter=painter,
        system="truth",
        task="lineart",
        draw=standard_drawer,
        remarks=["HintProtocol."],
    )
    assert results.rows["ours"]["ciede2000"] == 0
    assert results.protocol[-1] == "HintProtocol."
    np.testing.assert_array_equal(seen[0], drawn(picture(0)))


def test_from_the_command_line(
    folder: Path, art: Bundle, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    given = str(folder / "sketch" / "work0.png")
    assert main([given, "--model", str(art.path), "-o", str(tmp_path / "out.png")]) == 0
    found = rgb2lab(np.asarray(Image.open(tmp_path / "out.png")))
    paper = found[..., 0] > 50
    assert paper.any()
    assert np.abs(found[paper][:, 1:]).mean() < 3  # white paper can hold no color
    assert main(["models", str(art.path)]) == 0
    assert "# copier" in capsys.readouterr().out
    assert main([given, "--model", str(folder)]) == 5
    assert "is no model bundle: it holds no model.onnx" in capsys.readouterr().err
    hinted = ["--hint", "0.5,0.5=red", "-o", str(tmp_path / "hinted.png")]
    assert main([given, "--model", str(art.path), *hinted]) == 0
