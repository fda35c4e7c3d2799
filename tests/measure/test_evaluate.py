"""Check the evaluation end to end: with made-up painters, and with a tiny model bundle."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from html.parser import HTMLParser
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from tinct import Colorizer, color
from tinct.bundle import Bundle
from tinct.errors import ModelError, PartialError, PictureError, SaveError, UsageError
from tinct.measure import dataset, evaluate, memory, metrics, results
from tinct.measure.results import PSNR_LIMIT

NUMBER_OR_NULL = {"type": ["number", "null"]}
FIGURES = {
    "type": "object",
    "properties": {figure.key: NUMBER_OR_NULL for figure in results.FIGURES},
    "required": [figure.key for figure in results.FIGURES],
    "additionalProperties": False,
}
RESULTS = {
    "type": "object",
    "properties": {
        "schema": {"const": "tinct.measure/1"},
        "created": {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00$"},
        "tinct": {"type": "string"},
        "system": {"type": "string"},
        "model": {"type": ["object", "null"]},
        "folder": {"type": "string"},
        "n": {"type": "integer"},
        "settings": {"type": "object"},
        "protocol": {"type": "array", "items": {"type": "string"}, "minItems": 5},
        "notes": {"type": "array", "items": {"type": "string"}},
        "machine": {"type": "object"},
        "failures": {
            "type": "array",
            "items": {"type": "object", "required": ["name", "error"]},
        },
        "rows": {
            "type": "object",
            "properties": dict.fromkeys(results.ROWS, FIGURES),
            "additionalProperties": False,
        },
        "pictures": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "name": {"type": "string"},
                    "width": {"type": "integer"},
                    "height": {"type": "integer"},
                    "rows": {
                        "type": "object",
                        "additionalProperties": {
                            "type": "object",
                            "additionalProperties": {"type": "number"},
                        },
                    },
                },
                "required": ["name", "width", "height", "rows"],
            },
        },
    },
    "additionalProperties": False,
}


def _picture(seed: int, height: int = 24, width: int = 31) -> np.ndarray:
    random = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width] / max(height, width)
    base = random.uniform(40, 120, 3) + np.stack([x, y, 1 - x], -1) * random.uniform(20, 120, 3)
    return np.clip(base + random.normal(0, 4, (height, width, 3)), 0, 255).astype(np.uint8)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with one color picture of each common format."""
    root = tmp_path / "truths"
    root.mkdir()
    for seed, suffix in enumerate(("png", "tif", "jpg", "webp")):
        Image.fromarray(_picture(seed)).save(root / f"picture{seed}.{suffix}", quality=95)
    (root / "notes.txt").write_text("not a picture")
    (root / "deeper").mkdir()
    Image.fromarray(_picture(9)).save(root / "deeper" / "hidden.png")
    return root


def _half(pair: dataset.Pair) -> np.ndarray:
    """Color with half of the truth's chroma."""
    lab = color.rgb_to_lab(pair.truth / 255.0)
    lab[..., 1:] /= 2
    return np.rint(np.clip(color.lab_to_rgb(lab), 0, 1) * 255).astype(np.uint8)


def _score(folder: Path, painter: evaluate.Painter = _half, **more: object) -> results.Results:
    given = {"system": "half", **more}
    return evaluate.score(folder, painter=painter, **given)  # type: ignore[arg-type]


def test_every_row_is_pooled_from_its_pictures(folder: Path) -> None:
    results = _score(folder)
    assert results.n == 4
    assert [picture.name for picture in results.pictures] == [
        f"picture{seed}.{suffix}" for seed, suffix in enumerate(("png", "tif", "jpg", "webp"))
    ]
    assert list(results.rows) == ["truth", "gray", "mean_color", "ours"]
    for row in ("gray", "mean_color", "ours"):
        of = {
            key: [p.rows[row][key] for p in results.pictures]
            for key in results.pictures[0].rows[row]
        }
        pooled = results.rows[row]
        for key in ("ciede2000", "ciede2000_p95", "ssim", "ab_rmse", "colorfulness", "seconds"):
            assert pooled[key] == pytest.approx(np.mean(of[key]))
        assert pooled["psnr_mean"] == pytest.approx(np.mean(of["psnr"]))
        assert pooled["psnr_median"] == pytest.approx(np.median(of["psnr"]))
    gray, ours = results.rows["gray"], results.rows["ours"]
    assert gray["colorfulness"] == 0
    assert gray["ciede2000_of_gray"] == 1
    assert ours["ciede2000_of_gray"] == pytest.approx(ours["ciede2000"] / gray["ciede2000"])
    assert ours["psnr_over_gray"] == pytest.approx(ours["psnr_median"] - gray["psnr_median"])
    assert 0.3 < ours["colorfulness_share"] < 0.7
    assert ours["ciede2000"] < gray["ciede2000"]
    assert results.rows["mean_color"]["ciede2000"] < gray["ciede2000"]


def test_figures_of_a_picture_match_scikit_image(folder: Path) -> None:
    import skimage.color as skimage_color
    import skimage.metrics as skimage_metrics

    row = _score(folder).pictures[0].rows["gray"]
    truth = _picture(0)
    lightness = skimage_color.rgb2lab(truth)[..., :1]
    lab = np.concatenate([lightness, np.zeros((*truth.shape[:2], 2))], -1)
    gray = np.rint(skimage_color.lab2rgb(lab) * 255).astype(np.uint8)
    apart = skimage_color.deltaE_ciede2000(
        skimage_color.rgb2lab(gray), skimage_color.rgb2lab(truth)
    )
    assert row["ciede2000"] == pytest.approx(apart.mean(), abs=0.02)
    expected = skimage_metrics.peak_signal_noise_ratio(truth, gray)
    assert row["psnr"] == pytest.approx(expected, abs=0.02)
    assert row["lightness_shift"] < 0.15


def test_the_truth_itself_scores_perfectly_and_stays_finite(folder: Path) -> None:
    results = _score(folder, lambda pair: pair.truth)
    ours = results.rows["ours"]
    assert ours["ciede2000"] == ours["ab_rmse"] == ours["lightness_shift"] == 0
    assert ours["psnr_mean"] == PSNR_LIMIT
    assert ours["ssim"] == pytest.approx(1)
    assert ours["colorfulness_share"] == pytest.approx(1)


def test_mean_color_keeps_the_lightness_and_is_the_true_mean(tmp_path: Path) -> None:
    Image.fromarray(_picture(0)).save(tmp_path / "a.png")
    pair = dataset.open_pair(tmp_path / "a.png")
    lab = color.rgb_to_lab(dataset.mean_color(pair) / 255.0)
    true = color.rgb_to_lab(pair.truth / 255.0)
    np.testing.assert_allclose(lab.mean((0, 1))[1:], true.mean((0, 1))[1:], atol=0.6)
    assert lab[..., 1:].std((0, 1)).max() < 1.5
    assert metrics.lightness_shift(lab, true) < 0.3


def test_the_gray_input_has_the_lightness_of_the_truth(tmp_path: Path) -> None:
    ramp = np.zeros((6, 256, 3), np.uint8)
    for row, channels in enumerate(((0,), (1,), (2,), (0, 1), (1, 2), (0, 1, 2))):
        for channel in channels:
            ramp[row, :, channel] = np.arange(256)
    Image.fromarray(ramp).save(tmp_path / "ramp.png")
    pair = dataset.open_pair(tmp_path / "ramp.png")
    np.testing.assert_array_equal(pair.gray[5], np.arange(256))
    true = color.rgb_to_lab(ramp / 255.0)[..., 0]
    step = np.abs(color.gray_to_lightness(pair.gray / 255.0) - true)
    assert step.max() < 0.25  # half a code of 8 bit


def test_truths_are_read_upright_opaque_and_in_srgb(tmp_path: Path) -> None:
    truth = _picture(0)
    turned = Image.fromarray(np.rot90(truth).copy())
    exif = Image.Exif()
    exif[0x0112] = 6
    turned.save(tmp_path / "turned.png", exif=exif)
    np.testing.assert_array_equal(dataset.open_rgb(tmp_path / "turned.png"), truth)

    alpha = np.full((*truth.shape[:2], 1), 255, np.uint8)
    alpha[:5] = 0
    Image.fromarray(np.concatenate([truth, alpha], -1)).save(tmp_path / "clear.png")
    read = dataset.open_rgb(tmp_path / "clear.png")
    assert np.all(read[:5] == 255)
    np.testing.assert_array_equal(read[5:], truth[5:])

    Image.fromarray(truth[..., 0]).save(tmp_path / "gray.png")
    read = dataset.open_rgb(tmp_path / "gray.png")
    np.testing.assert_array_equal(read, np.repeat(truth[..., :1], 3, 2))


def test_a_failing_picture_is_named_and_not_counted(folder: Path) -> None:
    (folder / "broken.png").write_bytes((folder / "picture0.png").read_bytes()[:200])

    def picky(pair: dataset.Pair) -> np.ndarray:
        if pair.name == "picture2.jpg":
            raise ModelError("no idea")
        return _half(pair)[: -1 if pair.name == "picture3.webp" else None]

    results = _score(folder, picky)
    assert [failure.name for failure in results.failures] == [
        "broken.png",
        "picture2.jpg",
        "picture3.webp",
    ]
    assert results.failures[1].error == "no idea"
    assert results.n == 2
    assert results.rows["ours"]["ciede2000"] == pytest.approx(
        np.mean([p.rows["ours"]["ciede2000"] for p in results.pictures])
    )
    with pytest.raises(PartialError, match=r"3 of 5 pictures .*broken\.png"):
        results.raise_failures()


def test_nothing_is_raised_without_failures_and_all_may_fail(folder: Path, tmp_path: Path) -> None:
    _score(folder).raise_failures()

    def never(pair: dataset.Pair) -> np.ndarray:
        raise ModelError("no idea")

    results = _score(folder, never)
    assert results.n == 0
    assert results.rows == {}
    with pytest.raises(PartialError, match="4 of 4"):
        results.raise_failures()
    evaluate.write_html(results, tmp_path / "r.html")
    jsonschema.validate(results.to_json(), RESULTS)
    assert evaluate.table(results).row_count == 0


def test_wrong_folders_and_limits_are_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is no folder"):
        _score(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="holds no picture"):
        _score(tmp_path / "empty")
    with pytest.raises(UsageError, match="at least 1"):
        _score(folder, limit=0)
    (tmp_path / "broken.jpg").write_bytes(b"nothing")
    with pytest.raises(PictureError, match="broken"):
        dataset.open_rgb(tmp_path / "broken.jpg")


def test_a_limit_takes_pictures_evenly(folder: Path) -> None:
    names = [path.name for path in dataset.list_pictures(folder, limit=2)]
    assert names == ["picture0.png", "picture2.jpg"]
    assert len(dataset.list_pictures(folder, limit=99)) == 4


class _Redness:
    name = "redness"
    protocol = "Redness: the mean of R."

    def __call__(
        self, pictures: Mapping[str, np.ndarray], *, name: str
    ) -> dict[str, dict[str, float]]:
        assert list(pictures) == list(results.ROWS)
        return {row: {"vgg_distance": float(rgb[..., 0].mean())} for row, rgb in pictures.items()}


def test_judges_see_every_row_and_state_their_protocol(folder: Path) -> None:
    results = _score(folder, learned=lambda: ([_Redness()], []))
    expected = np.mean([dataset.open_rgb(p)[..., 0].mean() for p in dataset.list_pictures(folder)])
    assert results.rows["truth"]["vgg_distance"] == pytest.approx(expected)
    assert results.rows["gray"]["vgg_distance_of_gray"] == 1
    assert results.protocol[-1] == "Redness: the mean of R."


def test_no_picture_is_colored_twice(folder: Path) -> None:
    seen: list[str] = []

    def painter(pair: dataset.Pair) -> np.ndarray:
        seen.append(pair.name)
        return _half(pair)

    results = _score(folder, painter, learned=lambda: ([_Redness()], []))
    names = [picture.name for picture in results.pictures]
    assert seen == [names[0], *names]  # the first one warms up


def test_progress_counts_all_pictures(folder: Path) -> None:
    seen: list[tuple[int, int]] = []
    _score(folder, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(0, 4), (1, 4), (2, 4), (3, 4), (4, 4)]
    seen.clear()
    _score(
        folder,
        learned=lambda: ([_Redness()], []),
        progress=lambda done, total: seen.append((done, total)),
    )
    assert seen == [(done, 8) for done in range(9)]


def test_json_follows_its_schema(folder: Path, tmp_path: Path) -> None:
    evaluate.write_json(_score(folder), tmp_path / "r.json")
    read = json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))
    jsonschema.validate(read, RESULTS)
    assert list(read) == list(RESULTS["properties"])
    assert read["folder"] == "truths"
    assert str(tmp_path) not in json.dumps(read)
    with pytest.raises(SaveError, match="does not exist; create it"):
        evaluate.write_json(_score(folder), tmp_path / "nowhere" / "r.json")


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.sources: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.sources += [value or "" for key, value in attrs if key in ("src", "href")]

    def handle_data(self, data: str) -> None:
        self.text += data


def test_html_is_one_page_with_pictures_and_no_script(folder: Path, tmp_path: Path) -> None:
    (folder / "picture0.png").rename(folder / "a <b> & c.png")
    results = _score(folder)
    evaluate.write_html(results, tmp_path / "r.html")
    page = _Page()
    page.feed((tmp_path / "r.html").read_text(encoding="utf-8"))
    assert "script" not in page.tags
    assert "link" not in page.tags
    assert "b" not in page.tags
    assert page.tags.count("img") == 9  # best, median, worst as gray | ours | truth
    assert all(source.startswith("data:image/jpeg;base64,") for source in page.sources)
    assert {sample.kind for sample in results.samples} == {"best", "median", "worst"}
    for figure in ("CIEDE2000", "PSNR median", "colorfulness", "mean color", "n = 4"):
        assert figure in page.text
    worst = max(results.pictures, key=lambda p: p.rows["ours"]["ciede2000"])
    assert [s.name for s in results.samples if s.kind == "worst"] == [worst.name]


def test_the_table_shows_every_row(folder: Path) -> None:
    console = Console(width=80, record=True, quiet=True)
    console.quiet = False
    with console.capture() as shown:
        console.print(evaluate.table(_score(folder)))
    text = shown.get()
    for word in ("half on truths", "n = 4", "gray", "mean color", "truth", "L* shift"):
        assert word in text
    assert "classifier" not in text


def test_hints_are_reproducible_and_true(folder: Path) -> None:
    pair = dataset.open_pair(folder / "picture0.png")
    first = dataset.random_hints(pair, count=5, seed=0)
    assert first == dataset.random_hints(pair, count=5, seed=0)
    assert first != dataset.random_hints(pair, count=5, seed=1)
    assert len(first) == 5
    for point in first:
        assert 0 <= point.x <= 1
        assert 0 <= point.y <= 1
        row, column = int(point.y * 24), int(point.x * 31)
        true = color.rgb_to_lab(pair.truth[row, column] / 255.0)
        assert metrics.ciede2000(np.array(point.color), true) < 6  # a small patch around it
    white = dataset.Pair(
        "w.png", Path("w.png"), np.full((5, 5, 3), 255, np.uint8), np.full((5, 5), 255, np.uint8)
    )
    assert dataset.random_hints(white, count=1, seed=0)[0].color[0] <= 100


def test_peak_memory_follows_what_is_used() -> None:
    memory.forget_peak()
    before = memory.peak_mb()
    if before is None:
        pytest.skip("this system does not tell")
    block = np.ones(64 << 20, np.uint8)
    after = memory.peak_mb()
    assert after is not None
    assert block.sum() == 64 << 20
    assert math.isfinite(after)
    assert after > before + 30


def test_a_bundle_is_evaluated(folder: Path, tiny: Bundle) -> None:
    results = evaluate.evaluate(folder, model=tiny.path)
    results.raise_failures()
    jsonschema.validate(results.to_json(), RESULTS)
    assert results.n == 4
    assert results.model is not None
    assert results.model["sha256"] == tiny.manifest.sha256
    assert results.settings == {"quality": "balanced", "hints": 0, "seed": 0, "limit": None}
    # What the evaluation scored is what anybody gets from the same gray picture.
    pair = dataset.open_pair(folder / "picture0.png")
    colored = Colorizer(tiny.path)(pair.gray)
    expected = metrics.compare(colored, pair.truth)
    assert results.pictures[0].rows["ours"]["ciede2000"] == pytest.approx(expected.ciede2000)
    assert results.pictures[0].rows["ours"]["psnr"] == pytest.approx(expected.psnr)


def test_hints_reach_the_model_and_are_in_the_protocol(folder: Path, tiny: Bundle) -> None:
    plain = evaluate.evaluate(folder, model=tiny.path)
    hinted = evaluate.evaluate(folder, model=tiny.path, hints=8)
    again = evaluate.evaluate(folder, model=tiny.path, hints=8)
    assert hinted.rows["ours"]["ciede2000"] != plain.rows["ours"]["ciede2000"]
    assert hinted.rows["ours"]["ciede2000"] == again.rows["ours"]["ciede2000"]
    assert any("8 point hints" in sentence for sentence in hinted.protocol)
    assert hinted.system.endswith("8 hints")
    with pytest.raises(UsageError, match="-1 hints"):
        evaluate.evaluate(folder, model=tiny.path, hints=-1)


def test_missing_models_are_an_error(folder: Path) -> None:
    with pytest.raises(ModelError, match="no-such-model"):
        evaluate.evaluate(folder, model="no-such-model")


def test_a_report_is_complete_or_as_it_was(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "r.json"
    target.write_text("old")
    results = _score(folder)

    def full(self: Path, text: str, **_: object) -> int:
        with self.open("w") as file:
            file.write(text[:10])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(SaveError, match="no space left"):
        evaluate.write_json(results, target)
    assert target.read_text() == "old"
    assert [path for path in tmp_path.iterdir() if path.suffix == ".part"] == []
