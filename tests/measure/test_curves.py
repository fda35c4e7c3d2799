from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tinct.errors import TrainingError
from tinct.measure import comparison_pages as report_page
from tinct.measure import curves as course


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
