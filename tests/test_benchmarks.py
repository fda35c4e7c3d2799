"""Check that the benchmarks run and what they write; never how fast anything is."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from PIL import Image
from rich.console import Console
from skimage.color import rgb2lab

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks import __main__ as command  # noqa: E402
from benchmarks import clock, kept, leak, lines, pictures, restored, table  # noqa: E402
from benchmarks.rivals import score as rivals  # noqa: E402
from benchmarks.rows import ROWS, Row, Setting  # noqa: E402

from tinct import Colorizer  # noqa: E402
from tinct.bundle import Bundle  # noqa: E402
from tinct.errors import PartialError, UsageError  # noqa: E402

SCHEMA = json.loads((ROOT / "benchmarks" / "schema.json").read_text(encoding="utf-8"))


def test_sides_take_turns() -> None:
    order: list[str] = []
    ours, floor = clock.alternate(lambda: order.append("A"), lambda: order.append("B"), repeats=3)
    assert "".join(order) == "AB" + "AB" + "BA" + "AB"
    assert floor is not None
    assert len(ours.runs) == len(floor.runs) == 3
    assert clock.Runs((3.0, 1.0, 2.0)).median == 2
    order.clear()
    _, nothing = clock.alternate(lambda: order.append("A"), None, repeats=2, warm_up=False)
    assert nothing is None
    assert order == ["A", "A"]


def test_a_goal_is_met_by_the_ratio_or_the_figure() -> None:
    twice = Row("x", "x", "s", clock.Runs((2.0,)), "y", clock.Runs((1.0,)), 1.5, "ratio")
    assert twice.ratio == 2
    assert not twice.met
    assert Row("x", "x", "MB", clock.Runs((60.0,)), None, None, 60, "ours").met
    assert Row("x", "x", "ms", clock.Runs((60.0,)), None, None, None, "ours").met is None


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not tell")
def test_peak_memory_is_that_of_the_command_alone() -> None:
    block = np.ones(300 << 20, np.uint8)  # what the tests hold does not count
    small = clock.peak_memory([sys.executable, "-c", "pass"])
    large = clock.peak_memory([sys.executable, "-c", "b = b'x' * (200 << 20)"])
    assert block[-1] == 1
    assert 1 < small < 100
    assert 190 < large - small < 230
    with pytest.raises(RuntimeError, match="no such wish"):
        clock.peak_memory([sys.executable, "-c", "raise SystemExit('no such wish')"])


def test_pictures_are_gray_jpegs_of_the_asked_size(tmp_path: Path) -> None:
    path = pictures.write_photograph(tmp_path / "a.jpg", megapixels=0.03)
    with Image.open(path) as image:
        assert (image.format, image.mode, image.size) == ("JPEG", "L", (200, 150))
        assert np.asarray(image).std() > 20
    again = pictures.write_photograph(tmp_path / "b.jpg", megapixels=0.03)
    assert again.read_bytes() == path.read_bytes()


def _broken(_: Setting) -> list[Row]:
    raise OSError("disk on fire")


def test_results_follow_the_schema(tiny: Bundle) -> None:
    some = {name: ROWS[name] for name in ("photo", "formats", "folder", "network", "hints")}
    results = command.measure(
        {**some, "broken": _broken}, model=str(tiny.path), repeats=2, scale=0.002
    )
    jsonschema.validate(results, SCHEMA)
    assert results["failures"] == [{"name": "broken", "error": "OSError: disk on fire"}]
    names = [row["name"] for row in results["rows"]]
    networks = ["network_fast", "network_balanced", "network_best"]
    files = ["photo_12mp_tiff_16bit", "photo_12mp_png", "folder"]
    assert names == ["photo_12mp", "photo_12mp_lightness", *files, *networks, "hints"]
    photo = results["rows"][0]
    assert photo["ratio"] == photo["ours"]["median"] / photo["floor_runs"]["median"]

    console = Console(width=120, record=True)
    console.print(table.draw(results))
    shown = console.export_text()
    for word in ("gray copied", "ratio", "<= 1 x", "disk on fire", "PICTURES SCALED"):
        assert word in shown


def test_the_command_measures_and_writes(tiny: Bundle, tmp_path: Path) -> None:
    words = ["network", "--repeats", "1", "--scale", "0.01", "--model", str(tiny.path)]
    assert command.main([*words, "--json", str(tmp_path / "r.json")]) == 0
    jsonschema.validate(json.loads((tmp_path / "r.json").read_text()), SCHEMA)
    with pytest.raises(SystemExit):
        command.main(["nonsense"])
    with pytest.raises(SystemExit):
        command.main(["--repeats", "0"])


def _truths(root: Path) -> Path:
    root.mkdir()
    for seed in range(3):
        random = np.random.default_rng(seed)
        y, x = np.mgrid[0:30, 0:40] / 40
        base = np.stack([x, y, 1 - x], -1) * random.uniform(60, 160, 3) + 40
        Image.fromarray(base.astype(np.uint8)).save(root / f"n0144076{seed}.png")
    return root


def test_rivals_get_gray_inputs_and_are_scored_like_tinct(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    truths = _truths(tmp_path / "truths")
    rivals.main(["gray", str(truths), str(tmp_path / "gray")])
    grays = sorted((tmp_path / "gray").iterdir())
    assert [path.name for path in grays] == [f"n0144076{seed}.png" for seed in range(3)]
    with Image.open(grays[0]) as image:
        assert (image.mode, image.size) == ("L", (40, 30))

    # The gray inputs themselves, scored as somebody's output, must equal the gray row.
    report = tmp_path / "r.json"
    words = ["score", str(tmp_path / "gray"), str(truths), "--name", "lazy", "--no-learned"]
    rivals.main([*words, "--json", str(report), "--html", str(tmp_path / "r.html")])
    read = json.loads(report.read_text(encoding="utf-8"))
    ours, gray = read["rows"]["ours"], read["rows"]["gray"]
    for key in ("ciede2000", "psnr_median", "ssim", "ab_rmse", "colorfulness"):
        assert ours[key] == gray[key]
    assert read["system"] == "lazy"
    assert ours["seconds"] is None
    assert ours["peak_mb"] is None
    assert "lazy on truths" in capsys.readouterr().out


def test_outputs_of_another_size_are_refused_unless_allowed(tmp_path: Path) -> None:
    truths = _truths(tmp_path / "truths")
    outputs = tmp_path / "out"
    outputs.mkdir()
    for path in truths.iterdir():
        with Image.open(path) as image:
            image.resize((20, 15)).save(outputs / f"{path.stem}.jpg")
    words = ["score", str(outputs), str(truths), "--no-learned"]
    with pytest.raises(PartialError, match="--resize"):
        rivals.main(words)
    rivals.main([*words, "--resize", "--json", str(tmp_path / "r.json")])
    read = json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))
    assert read["n"] == 3
    assert "3 of 3 outputs" in read["notes"][-1]


def test_missing_and_doubled_outputs_are_named(tmp_path: Path) -> None:
    truths = _truths(tmp_path / "truths")
    outputs = tmp_path / "out"
    outputs.mkdir()
    for path in sorted(truths.iterdir())[:2]:
        (outputs / path.name).write_bytes(path.read_bytes())
    words = ["score", str(outputs), str(truths), "--no-learned"]
    with pytest.raises(PartialError, match=r"1 of 3 .*n01440762"):
        rivals.main(words)
    (outputs / "n01440760.jpg").write_bytes(b"")
    with pytest.raises(UsageError, match="n01440760"):
        rivals.main(words)


def test_training_is_measured_against_a_plain_loop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from benchmarks import training

    for name, value in (("STEPS", 1), ("PICTURES", 40), ("SYSTEMS", ("pix2pix-gray",))):
        monkeypatch.setattr(training, name, value)
    monkeypatch.setattr(training, "WORKERS", 0)
    (row,) = training.training(Setting("photo", tmp_path, repeats=1))
    jsonschema.validate(row.to_json(), {**SCHEMA["$defs"]["row"], "$defs": SCHEMA["$defs"]})
    assert row.name == "train_pix2pix_gray"
    assert row.ratio == row.ours.median / row.against.median
    assert (tmp_path / "pix2pix-gray-1" / "last.ckpt").is_file()


def test_lines_are_found_within_a_pixel() -> None:
    gray = np.full((80, 80), 240, np.uint8)
    gray[20:60, 40:42] = 30
    one = lines.thin_dark(gray)
    assert one.sum() == 80
    assert lines.line_f1(one, np.roll(one, 1, axis=1)) == 1
    assert lines.line_f1(one, np.roll(one, 2, axis=1)) == pytest.approx(0.5)
    assert lines.line_f1(one, np.roll(one, 9, axis=1)) == 0
    half = one.copy()
    half[:40] = False  # found wholly, but half of what is there: 1 and 0.5 (and a row by the reach)
    assert lines.line_f1(one, half) == pytest.approx(2 * (42 / 80) / (1 + 42 / 80))
    filled = np.where(np.arange(80)[:, None] < 40, 200, 90).astype(np.uint8) + np.zeros_like(gray)
    assert not lines.thin_dark(filled).any()  # the border of two fields is no line
    nothing = np.zeros_like(one)
    assert lines.line_f1(nothing, nothing) == 1
    assert lines.line_f1(one, nothing) == 0


def test_steps_of_chroma_within_regions() -> None:
    rgb = np.zeros((40, 40, 3), np.uint8)
    rgb[:, :20], rgb[:, 20:] = (200, 60, 60), (60, 60, 200)
    regions = np.zeros((40, 40), np.int32)
    regions[:, 20:] = 1
    everywhere = np.ones((40, 40), bool)
    assert lines.chroma_step(rgb, regions, everywhere) == 0
    across = lines.chroma_step(rgb, np.zeros_like(regions), everywhere)
    ab = rgb2lab(rgb[:1])[0, [0, -1], 1:]
    pairs = 40 * 39 * 2
    assert across == pytest.approx(40 * float(np.linalg.norm(ab[0] - ab[1])) / pairs, rel=1e-3)
    assert np.isnan(lines.chroma_step(rgb, regions, ~everywhere))


def test_what_keeping_the_gray_costs(tiny: Bundle) -> None:
    rgb = np.asarray(Image.radial_gradient("L").resize((96, 64)).convert("RGB"))
    rgb = np.clip(rgb * np.array([1.0, 0.8, 0.6]), 0, 255).astype(np.uint8)
    told = kept.measure(Colorizer(tiny.path), rgb)
    assert told["luma"]["gray_untouched"] == 1
    assert told["lightness"]["shift_p99"] < told["luma"]["shift_p99"] < 5
    gray = kept.luma_of(kept.gray_jpeg(rgb)).astype(float)
    weighed = rgb @ np.array([0.299, 0.587, 0.114])  # BT.601
    assert np.abs(gray - weighed).mean() < 2


def test_gray_jpegs_come_back_and_others_are_told(
    tiny: Bundle,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    noise = np.random.default_rng(3).integers(0, 255, (40, 56, 3), np.uint8)
    for number in range(len(restored.encoders())):
        Image.fromarray(noise).save(tmp_path / f"{number:02}.jpg")
    Image.fromarray(noise[..., 0]).save(tmp_path / "gray.jpeg")
    words = [str(tmp_path), "--model", str(tiny.path)]
    assert restored.main(words) == 0
    rows = json.loads(capsys.readouterr().out)
    assert {row["made by"] for row in rows} == {"as found", *restored.encoders()}
    assert {row["became"] for row in rows} == {"restored"}
    assert (
        len({encode(Image.fromarray(noise[..., 0])) for encode in restored.encoders().values()}) > 5
    )

    monkeypatch.setattr(restored, "restore_gray", lambda colored: colored)
    assert restored.main(words) == 1
    assert {row["became"] for row in json.loads(capsys.readouterr().out)} == {"other bytes"}


def test_leak_looks_at_regions_that_lines_enclose() -> None:
    """A red square within lines, and a shadow on it that has none."""
    truth = np.full((192, 192, 3), 255, np.uint8)
    truth[40:150, 40:150] = (200, 30, 30)
    truth[60:100, 60:100] = (120, 10, 10)
    gray = np.full((192, 192), 255, np.uint8)
    gray[40:150, 40:150] = 0
    gray[42:148, 42:148] = 255
    found = leak.enclosed(leak.flat_regions(truth), gray)
    assert len(found) == 1
    assert found[0][50, 120]
    assert not found[0][80, 80]
    assert not found[0][10, 10]
    x, y = leak.middle_of(found[0])
    assert found[0][int(y * 192), int(x * 192)]
    assert min(abs(x * 192 - side) for side in (40, 150, 60, 100)) > 10
