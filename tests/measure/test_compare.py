from __future__ import annotations

import io
import json
import re
from collections.abc import Mapping
from html.parser import HTMLParser
from pathlib import Path

import jsonschema
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from PIL import Image
from tests.train.conftest import paint

from tinct.bundle import write_bundle
from tinct.color import fit_gamut, lab_to_rgb, rgb_to_lab
from tinct.command import cli
from tinct.errors import ModelError, PartialError, TrainingError, UsageError
from tinct.measure import compare, evaluate, systems, thumbnails
from tinct.measure import comparison_pages as report_page
from tinct.measure import curves as course
from tinct.measure.comparison import COLUMNS
from tinct.train.data.lineart import standard_drawer
from tiny_models import make_bundle, make_copier, manifest

MEASURED = [c.key for c in COLUMNS if c.key not in ("parameters", "megabytes", "ms", "seen")]
LABELS = ["gray", "mean color, told", "tiny", "tiny + 10 hints", "brown"]


class _Redness:
    name = "redness"
    protocol = "Redness: the distance of the mean of R."

    def __call__(
        self, pictures: Mapping[str, np.ndarray], *, name: str
    ) -> dict[str, dict[str, float]]:
        truth = float(pictures["truth"][..., 0].mean())
        return {
            row: {"vgg_distance": abs(float(rgb[..., 0].mean()) - truth)}
            for row, rgb in pictures.items()
            if row != "truth"
        }


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten color pictures; each is less like the scene of the others than the one before."""
    root = tmp_path_factory.mktemp("truths") / "scenes"
    root.mkdir()
    for number in range(10):
        pixels = np.roll(paint(number, 48, 64), number % 3, axis=2)
        mixed = (pixels * (1 - number / 10) + number / 10 * np.array([200, 120, 40])).astype("u1")
        Image.fromarray(mixed).save(root / f"p{(number * 7) % 10}.png")
    return root


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """A bundle that takes hints, and one that gives brown everywhere."""
    root = tmp_path_factory.mktemp("bundles")
    make_bundle(root / "tiny", recipe={"seen": 1234, "data": {"hints": "points"}})
    make_copier(root / "brown", predicts="ab", color=(10.0, 25.0), name="brown")
    return [str(root / "tiny"), str(root / "brown")]


@pytest.fixture(scope="module")
def compared(bundles: list[str], folder: Path) -> compare.Report:
    return compare.compare(bundles, [str(folder)], learned=lambda: ([_Redness()], []))


def test_figures_are_those_of_evaluate(
    compared: compare.Report, bundles: list[str], folder: Path
) -> None:
    (table,) = compared.tables
    rows = {row.label: row for row in table.rows}
    assert list(rows) == LABELS
    for label, model, hints in (
        ("tiny", bundles[0], 0),
        ("tiny + 10 hints", bundles[0], 10),
        ("brown", bundles[1], 0),
    ):
        alone = evaluate.evaluate(
            folder, model=Path(model), hints=hints, learned=lambda: ([_Redness()], [])
        )
        for mine, theirs in ((label, "ours"), ("gray", "gray"), (LABELS[1], "mean_color")):
            found = {key: rows[mine].figures[key] for key in MEASURED}
            assert found == pytest.approx({key: alone.rows[theirs][key] for key in MEASURED})
        assert table.n == alone.n == 10
    assert rows["tiny"].figures != rows["tiny + 10 hints"].figures


def test_rows_say_what_runs(compared: compare.Report, bundles: list[str]) -> None:
    (table,) = compared.tables
    assert [row.kind for row in table.rows] == ["baseline", "baseline", "system", "told", "system"]
    tiny, told, brown = (row.figures for row in table.rows[2:])
    size = (Path(bundles[0]) / "model.onnx").stat().st_size
    assert tiny["megabytes"] == told["megabytes"] == size / 1e6
    assert (tiny["parameters"], tiny["seen"], brown["seen"]) == (4, 1234, None)
    assert all(figures["ms"] > 0 for figures in (tiny, told, brown))
    assert table.rows[0].figures["ms"] is None
    assert any("10 hints: 10 points" in line for line in table.protocol)


def test_best_median_and_worst_by_another_sort(
    compared: compare.Report, bundles: list[str], folder: Path
) -> None:
    errors: dict[str, list[float]] = {}
    for model in bundles:
        for picture in evaluate.evaluate(folder, model=Path(model)).pictures:
            errors.setdefault(picture.name, []).append(picture.rows["ours"]["ciede2000"])
    names, values = list(errors), np.mean(list(errors.values()), axis=1)
    order = [names[place] for place in np.argsort(values)]
    (table,) = compared.tables
    groups = {k: [s.name for s in table.shown if s.kind == k] for k in ("best", "median", "worst")}
    assert groups == {"best": order[:3], "median": order[3:6], "worst": order[:-4:-1]}
    for shown in table.shown:
        assert shown.ciede2000 == pytest.approx(np.mean(errors[shown.name]))
        assert [shown.of["tiny"], shown.of["brown"]] == pytest.approx(errors[shown.name])
        assert list(shown.tiles) == ["truth", "gray", "tiny", "tiny + 10 hints", "brown"]
    first = table.shown[0]
    truth = np.asarray(Image.open(folder / first.name), float)
    assert np.abs(np.asarray(Image.open(io.BytesIO(first.tiles["truth"]))) - truth).mean() < 8


NUMBER = {"type": ["number", "null"]}
SCHEMA = {
    "type": "object",
    "properties": {
        "schema": {"const": "tinct.report/1"},
        "created": {"type": "string"},
        "tinct": {"type": "string"},
        "notes": {"type": "array", "items": {"type": "string"}, "minItems": 1},
        "tables": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "task": {"enum": ["photo", "lineart"]},
                    "folder": {"type": "string"},
                    "n": {"type": "integer"},
                    "rows": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "properties": {
                                "label": {"type": "string"},
                                "kind": {"enum": ["baseline", "system", "told"]},
                                "system": {"type": "string"},
                                **{column.key: NUMBER for column in COLUMNS},
                            },
                            "required": ["label", "kind", *(c.key for c in COLUMNS)],
                            "additionalProperties": False,
                        },
                    },
                    "shown": {"type": "array", "items": {"required": ["kind", "name", "of"]}},
                    "protocol": {"type": "array", "minItems": 5},
                    "notes": {"type": "array"},
                    "machine": {"type": "object", "required": ["cores"]},
                },
                "additionalProperties": False,
            },
        },
        "reconstructions": {"type": "array"},
        "latents": {"type": "object"},
        "curves": {"type": "object"},
    },
    "additionalProperties": False,
}
SCHEMA["required"] = list(SCHEMA["properties"])  # type: ignore[call-overload]


class _Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.sources: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.sources += [value or "" for key, value in attrs if key in ("src", "href")]

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_command_writes_every_page(
    bundles: list[str],
    nano_run: Path,
    folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = ["report", *bundles, str(nano_run), "--data", str(folder), "--limit", "3"]
    words += ["--html", str(tmp_path / "r.html"), "--json", str(tmp_path / "r.json")]
    words += ["--markdown", str(tmp_path / "r.md"), "--pictures", str(tmp_path / "small")]
    assert cli.main(words) == 0
    shown = capsys.readouterr().out
    assert "Photographs: 3 pictures of scenes" in shown

    held = json.loads((tmp_path / "r.json").read_text("utf-8"))
    jsonschema.validate(held, SCHEMA)
    (table,) = held["tables"]
    labels = [row["label"] for row in table["rows"]]
    assert labels == [*LABELS, "nano", "nano + 10 hints"]
    assert table["rows"][-2]["seen"] == 20 * 4
    assert list(held["curves"]) == ["nano"]
    assert len(table["shown"]) == 3

    page = _Page((tmp_path / "r.html").read_text("utf-8"))
    assert "script" not in page.tags
    assert "link" not in page.tags
    assert all(source.startswith("data:image/") for source in page.sources)
    # Three pictures: truth, gray and five ways; one drawing of a run.
    assert len(page.sources) == 3 * 7 + 1
    for word in (*labels, "CIEDE2000", "Worst pictures", "pictures of scenes", "shared machines"):
        assert word in page.text

    text = (tmp_path / "r.md").read_text("utf-8")
    links = re.findall(r"\]\((.*?)\)", text)
    assert sorted(links) == sorted(f"small/{path.name}" for path in (tmp_path / "small").iterdir())
    assert len(links) == 3 + 1
    best = min(row["ciede2000"] for row in table["rows"] if row["kind"] == "system")
    assert f"**{best:.2f}**" in text
    lines = [line.split("|")[1].strip() for line in text.splitlines() if line.startswith("| ")]
    assert lines[2:] == labels


def test_a_page_keeps_the_words_around_the_report(compared: compare.Report, tmp_path: Path) -> None:
    page = tmp_path / "docs" / "c.md"
    page.parent.mkdir()
    page.write_text(
        f"# Ours\n\nBefore.\n\n{report_page.BEGIN}\nOLD TEXT\n{report_page.END}\n\nAfter.\n"
    )
    report_page.write_markdown(compared, page, tmp_path / "docs" / "p")
    once = page.read_text("utf-8")
    assert once.startswith("# Ours\n\nBefore.\n")
    assert once.endswith("\n\nAfter.\n")
    assert "OLD TEXT" not in once
    assert "(p/photo-worst-3.jpg)" in once
    report_page.write_markdown(compared, page, tmp_path / "docs" / "p")
    assert page.read_text("utf-8") == once
    page.write_text("# Something else\n")
    with pytest.raises(UsageError, match="holds no report yet"):
        report_page.check_markdown(page)
    assert page.read_text("utf-8") == "# Something else\n"


def test_sheets_show_every_tile() -> None:
    random = np.random.default_rng(0)
    noise = {f"system {n}": random.integers(0, 256, (300, 400, 3), np.uint8) for n in range(20)}
    made = {label: thumbnails.tile(pixels) for label, pixels in noise.items()}
    assert Image.open(io.BytesIO(made["system 3"])).size == (224, 168)
    data = thumbnails.sheet(made)
    image = Image.open(io.BytesIO(data))
    assert image.format == "JPEG"
    assert image.size == (6 * 166, 4 * (120 + 15 + 6))
    flat = {"red": thumbnails.tile(np.full((30, 40, 3), [250, 0, 0], np.uint8))}
    flat["blue"] = thumbnails.tile(np.full((30, 40, 3), [0, 0, 250], np.uint8))
    pixels = np.asarray(Image.open(io.BytesIO(thumbnails.sheet(flat))))
    assert np.abs(pixels[15, 20] - np.array([250.0, 0, 0])).max() < 12
    assert np.abs(pixels[15, 186] - np.array([0, 0, 250.0])).max() < 12


def _metrics(path: Path, rows: list[dict[str, float]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_curves_are_thinned_by_means(tmp_path: Path) -> None:
    chance = np.random.default_rng(0)
    values = chance.uniform(1, 2, 1000)
    rows: list[dict[str, float]] = [
        {
            "step": n + 1,
            "stage": n // 600,
            "seen": 4 * (n + 1),
            "net.l1": v,
            "lr": 1,
            "net.gradient": 2,
        }
        for n, v in enumerate(values)
    ]
    rows += [{"step": 1000, "stage": 1, "seen": 4000, "val.error": 0.912345678, "val.x": np.nan}]
    found = course.thin_curves(_metrics(tmp_path / "metrics.jsonl", rows))
    assert set(found["series"]) == {"net.l1", "val.error"}
    points = np.array(found["series"]["net.l1"])
    assert len(points) == course.POINTS
    np.testing.assert_allclose(points[:, 1], values.reshape(200, 5).mean(axis=1), rtol=1e-4)
    np.testing.assert_array_equal(points[:, 0], 4 * np.arange(3, 1000, 5))
    assert found["series"]["val.error"] == [[4000, 0.91235]]
    assert found["stages"] == [0, 2400]
    assert json.loads(json.dumps(found)) == found
    held = tmp_path / "bundle"
    held.mkdir()
    assert course.read_curves(held) is None
    (held / "curves.json").write_text(json.dumps(found))
    assert course.read_curves(held) == found == course.read_curves(tmp_path)
    (held / "curves.json").write_text('{"schema": "other"}')
    with pytest.raises(TrainingError, match=r"tinct\.curves/1"):
        course.read_curves(held)


def test_curves_of_a_run_are_drawn(nano_run: Path) -> None:
    held = course.read_curves(nano_run)
    assert held is not None
    rows = [json.loads(line) for line in (nano_run / "metrics.jsonl").read_text().splitlines()]
    wanted = {
        name: [(row["seen"], row[name]) for row in rows if name in row]
        for name in ("net.ab", "net.bins", "val.error", "val.chroma")
    }
    figure = course.draw_curves(held, title="nano")
    drawn = {line.get_label(): line for axes in figure.axes for line in axes.get_lines()}
    for name, points in wanted.items():
        np.testing.assert_allclose(drawn[name].get_xydata(), points, rtol=1e-4)
        assert drawn[name].get_linestyle() == ("--" if name.startswith("val.") else "-")
    assert figure.get_suptitle() == "nano"
    image = Image.open(io.BytesIO(report_page.draw_png(figure)))
    assert image.format == "PNG"
    assert len(np.unique(np.asarray(image.convert("L")))) > 5


def test_both_players_are_drawn_on_train_and_validation() -> None:
    names = [
        "net.l1",
        "discriminator.real",
        *(f"{w}.{p}_{f}" for w in ("train", "val") for p in "dg" for f in ("loss", "accuracy")),
    ]
    series = {name: [[100 * n, float(n + len(name))] for n in (1, 2, 3)] for name in names}
    held = {"schema": course.SCHEMA, "stages": [0, 150], "series": series}
    figure = course.draw_curves(held, title="gan")
    panels = {
        axes.get_title(): [t.get_text() for t in axes.get_legend().get_texts()]
        for axes in figure.axes
    }
    assert panels == {
        "accuracy": [f"{w}.{p}_accuracy" for w in ("train", "val") for p in "dg"],
        "loss terms": ["net.l1", "discriminator.real"],
        "D and G loss": [f"{w}.{p}_loss" for w in ("train", "val") for p in "dg"],
    }
    for axes in figure.axes[:2]:
        shades = [line.get_color() for line in axes.get_lines()[:4]]
        assert shades[:2] == shades[2:]
        assert shades[0] != shades[1]
    (axes,) = [a for a in figure.axes if a.get_title() == "loss terms"]
    assert [150, 150] in [list(line.get_xdata()) for line in axes.get_lines()]


def test_line_art_has_a_table_of_its_own(bundles: list[str], folder: Path, tmp_path: Path) -> None:
    drawings = tmp_path / "drawings"
    for part in ("color", "sketch"):
        (drawings / part).mkdir(parents=True)
    for number in range(3):
        Image.fromarray(paint(number)).save(drawings / "color" / f"{number}.png")
        Image.new("L", (52, 40), 250).save(drawings / "sketch" / f"{number}.png")
    painted = make_copier(tmp_path / "painter", task="lineart", name="painter", color=(5.0, 5.0))
    models = [str(painted.path), bundles[1]]
    for given in ([str(folder), str(drawings)], [str(drawings), str(folder)]):
        found = compare.compare(models, given, limit=2, draw=standard_drawer)
        assert [(t.task, t.folder, t.n) for t in found.tables] == [
            ("photo", "scenes", 2),
            ("lineart", "drawings", 2),
        ]
        assert [[row.label for row in t.rows][2:] for t in found.tables] == [["brown"], ["painter"]]
    alone = evaluate.evaluate(drawings, model=painted.path, limit=2)
    row = found.tables[1].rows[-1]
    assert row.figures["ciede2000"] == pytest.approx(alone.rows["ours"]["ciede2000"])
    assert row.figures["ciede2000_of_gray"] == alone.rows["ours"]["ciede2000_of_gray"]


def _give_back(folder: Path, chroma: float, latent: int) -> str:
    """Write a bundle that gives its hints back, with so much of their chroma."""
    shape = (1, 3, 1, 1)
    constants = [
        helper.make_tensor("share", TensorProto.FLOAT, shape, [1.0, chroma, chroma]),
        helper.make_tensor("zero", TensorProto.FLOAT, (1,), [0.0]),
        helper.make_tensor("from", TensorProto.INT64, (1,), [0]),
        helper.make_tensor("to", TensorProto.INT64, (1,), [3]),
        helper.make_tensor("axis", TensorProto.INT64, (1,), [1]),
    ]
    nodes = [
        helper.make_node("Slice", ["hint", "from", "to", "axis"], ["color"]),
        helper.make_node("Mul", ["color", "share"], ["faded"]),
        helper.make_node("Mul", ["luma", "zero"], ["nothing"]),
        helper.make_node("Add", ["faded", "nothing"], ["lab"]),
    ]
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", channels, "H", "W"])
        for name, channels in (("luma", 1), ("hint", 4), ("lab", 3))
    ]
    made = helper.make_graph(nodes, "back", ends[:2], ends[2:], constants)
    opset = helper.make_opsetid("", 18)
    model = helper.make_model(made, opset_imports=[opset], ir_version=9)
    onnx.checker.check_model(model)
    data = bytes(model.SerializeToString())
    recipe = {"data": {"hints": "truth"}, "model": {"latent": latent}, "seen": 7}
    more = {"name": folder.name, "predicts": "lab", "family": "autoencoder", "recipe": recipe}
    write_bundle(folder, data, manifest(data, **more), "# back\n")
    return str(folder)


def test_what_gives_color_back_is_measured_at_its_own_size(folder: Path, tmp_path: Path) -> None:
    import skimage.color as skimage_color

    shares = {2: 0.4, 8: 0.8, 32: 1.0}
    models = [_give_back(tmp_path / f"back-{n}", share, n) for n, share in shares.items()]
    found = compare.compare([*models[::-1]], [str(folder)])
    assert found.tables == []
    assert [(r.label, r.latent, r.n, r.seen) for r in found.reconstructions] == [
        (f"back-{n}", n, 10, 7) for n in (32, 8, 2)
    ]
    expected = []
    for path in sorted(folder.iterdir()):
        small = Image.open(path).resize((40, 32), Image.Resampling.BICUBIC)
        lab = rgb_to_lab(np.asarray(small) / 255.0)
        lab[..., 1:] *= shares[8]
        shown = np.rint(np.clip(lab_to_rgb(fit_gamut(lab)), 0, 1) * 255).astype(np.uint8)
        pair = (skimage_color.rgb2lab(picture) for picture in (shown, np.asarray(small)))
        expected.append(skimage_color.deltaE_ciede2000(*pair).mean())
    exact, faded, gray = (r.ciede2000 for r in found.reconstructions)
    assert faded == pytest.approx(np.mean(expected), abs=0.02)
    assert exact < 0.05 < faded < gray
    assert found.reconstructions[0].psnr_median > 60
    assert found.latents == {"reconstruction": [(2, gray), (8, faded), (32, exact)]}
    (line,) = course.draw_latents(found.latents).axes[0].get_lines()
    np.testing.assert_allclose(line.get_xydata(), [(2, gray), (8, faded), (32, exact)])
    page = _Page(report_page.render_html(found))
    assert "Error against latent size" in page.text
    assert len(page.sources) == 1
    kept: dict[str, bytes] = {}

    def keep(name: str, data: bytes) -> str:
        kept[name] = data
        return name

    text = report_page.render_markdown(found, keep)
    assert list(kept) == ["latents.png"]
    assert f"| back-8 | 8 | {faded:.2f} |" in text


def test_names_differ_and_folders_are_told_by_layout(bundles: list[str], tmp_path: Path) -> None:
    copy = tmp_path / "other"
    copy.mkdir()
    for path in Path(bundles[1]).iterdir():
        (copy / path.name).write_bytes(path.read_bytes())
    gray = make_copier(tmp_path / "g", predicts="ab", name="gray").path
    given = [bundles[1], str(copy), str(gray), bundles[1]]
    found = systems.gather(given, tmp_path, taken=("gray",))
    assert [s.label for s in found] == ["brown", "brown (2)", "gray (2)", "brown (3)"]


def test_networks_are_timed_at_their_working_size(
    bundles: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    seen: list[tuple[str, tuple[int, ...]]] = []
    run = systems.Engine.run

    def watched(engine: systems.Engine, lightness: np.ndarray) -> object:
        seen.append((engine.manifest.name, lightness.shape))
        return run(engine, lightness)

    monkeypatch.setattr(systems.Engine, "run", watched)
    speeds = systems.time_networks(systems.gather(bundles, tmp_path))
    assert list(speeds) == ["tiny", "brown"]
    # 4:3 at a short side of 32 is 42.7 wide: 40 is the nearest multiple of 8; in turns.
    assert seen == [("tiny", (1, 1, 32, 40)), ("brown", (1, 1, 32, 40))] * (systems.ROUNDS + 1)


def test_a_system_that_fails_fails_the_report(
    folder: Path, bundles: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = make_copier(tmp_path / "bad", predicts="ab", color=(float("nan"), 0.0), name="bad").path
    words = ["report", bundles[1], str(bad), "--data", str(folder), "--limit", "2"]
    assert cli.main([*words, "--json", str(tmp_path / "r.json")]) == ModelError.exit_code
    err = capsys.readouterr().err
    assert err.startswith("tinct: bad: ")
    assert err.count("\n") == 1
    assert not (tmp_path / "r.json").exists()


def test_a_picture_that_fails_fails_the_report(bundles: list[str], tmp_path: Path) -> None:
    Image.fromarray(paint(0)).save(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes((tmp_path / "a.png").read_bytes()[:300])
    with pytest.raises(PartialError, match=r"^brown failed on 1 of 2 pictures, .* b\.png: "):
        compare.compare(bundles[1:], [str(tmp_path)])


def test_bad_input_is_one_sentence(
    folder: Path,
    bundles: list[str],
    nano_run: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    unfinished = tmp_path / "unfinished"
    unfinished.mkdir()
    (unfinished / "recipe.json").write_text((nano_run / "recipe.json").read_text())
    (tmp_path / "empty").mkdir()
    (tmp_path / "page.md").write_text("# Mine\n")
    data = ["--data", str(folder)]
    cases = [
        ([str(unfinished), *data], 9, "no checkpoint yet; train it first"),
        ([bundles[0], "--data", str(tmp_path / "empty")], 2, "holds no picture"),
        ([bundles[0], "--data", str(tmp_path / "nowhere")], 2, "is no folder"),
        ([bundles[0], *data, *data], 2, "one folder of photographs and one of line art"),
        (["no-such-model", *data], 5, "no-such-model"),
        ([bundles[0], *data, "--json", str(tmp_path / "no" / "r.json")], 4, "does not exist"),
        ([bundles[0], *data, "--markdown", str(tmp_path / "page.md")], 2, "holds no report yet"),
    ]
    for words, code, text in cases:
        assert cli.main(["report", *words]) == code
        err = capsys.readouterr().err
        assert text in err
        assert err.count("\n") == 1


def test_other_pictures_are_shown_than_those_measured(
    bundles: list[str], folder: Path, compared: compare.Report, tmp_path: Path
) -> None:
    free = tmp_path / "free"
    free.mkdir()
    for number in range(4):
        Image.fromarray(paint(40 + number, 40, 50)).save(free / f"free{number}.png")
    found = compare.compare(
        bundles, [str(folder)], show=[str(free)], learned=lambda: ([_Redness()], [])
    )
    (table,), (measured,) = found.tables, compared.tables
    for row, other in zip(table.rows, measured.rows, strict=True):
        timeless = [key for key in MEASURED if key in row.figures]
        assert {k: row.figures[k] for k in timeless} == {k: other.figures[k] for k in timeless}
    assert table.n == measured.n == 10
    assert {shown.name for shown in table.shown} <= {f"free{n}.png" for n in range(4)}
    assert [shown.kind for shown in table.shown] == ["best", "median", "worst"]
    assert any("those of free" in note for note in table.notes)
