from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.measure.conftest import LABELS, MEASURED, Redness
from tests.train.conftest import paint

from tinct.command import cli
from tinct.errors import ModelError, PartialError
from tinct.measure import compare, evaluate, systems
from tinct.train.data.lineart import standard_drawer
from tiny_models import make_copier


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
            folder, model=Path(model), hints=hints, learned=lambda: ([Redness()], [])
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
        bundles, [str(folder)], show=[str(free)], learned=lambda: ([Redness()], [])
    )
    (table,), (measured,) = found.tables, compared.tables
    for row, other in zip(table.rows, measured.rows, strict=True):
        timeless = [key for key in MEASURED if key in row.figures]
        assert {k: row.figures[k] for k in timeless} == {k: other.figures[k] for k in timeless}
    assert table.n == measured.n == 10
    assert {shown.name for shown in table.shown} <= {f"free{n}.png" for n in range(4)}
    assert [shown.kind for shown in table.shown] == ["best", "median", "worst"]
    assert any("those of free" in note for note in table.notes)
