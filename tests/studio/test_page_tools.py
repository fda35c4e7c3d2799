"""The page's tools: the wheel, strokes, how closely the model looks, recipes, layers."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect
from skimage.color import lab2rgb, rgb2lab
from tests.studio.conftest import CHROMIUM, click, load, settle, shown, until

from made_pictures import line_drawing

pytestmark = pytest.mark.skipif(not CHROMIUM, reason="needs Chromium: apt install chromium")


def drag(page: Page, places: list[tuple[float, float]]) -> None:
    before = page.evaluate("document.getElementById('colored').src")
    box = page.locator("#frame").bounding_box()
    assert box is not None
    for number, (x, y) in enumerate(places):
        page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"], steps=4)
        if number == 0:
            page.mouse.down()
    page.mouse.up()
    until(page, f"document.getElementById('colored').src !== {before!r}")
    settle(page)


@pytest.mark.filterwarnings("ignore:Conversion from CIE-LAB")
def test_colors_are_calculated_as_scikit_image_does(page: Page) -> None:
    rng = np.random.default_rng(1)
    rgb = rng.integers(0, 256, (200, 3))
    lab = page.evaluate(
        "async (all) => { const m = await import('/static/lab.js'); return all.map(m.toLab); }",
        rgb.tolist(),
    )
    np.testing.assert_allclose(lab, rgb2lab(rgb / 255.0), atol=0.05)
    back = page.evaluate(
        "async (all) => { const m = await import('/static/lab.js'); return all.map(m.toRgb); }", lab
    )
    assert np.abs(np.array(back) - rgb).max() <= 1
    asked = np.stack([rng.uniform(5, 95, 300), *rng.uniform(-100, 100, (2, 300))], axis=-1)
    found = page.evaluate(
        "async (all) => { const m = await import('/static/lab.js'); return all.map(m.toRgb); }",
        asked.tolist(),
    )
    again = rgb2lab(lab2rgb(asked[:, None]))[:, 0]  # clipped where sRGB cannot show it
    apart = np.linalg.norm(again - asked, axis=1)
    shown_by_page = np.array([one is not None for one in found])
    assert not shown_by_page[apart > 3].any()
    assert shown_by_page[apart < 0.02].all()


def test_the_wheel_has_the_lightness_of_the_place(page: Page, cat: Path) -> None:
    load(page, cat)
    click(page, 0.1, 0.15)
    wheel = page.locator("#wheel")
    wheel.focus()
    for _ in range(10):
        wheel.press("ArrowUp")  # more chroma
    for _ in range(9):
        wheel.press("ArrowRight")
    chosen = page.input_value("#hex")
    rgb = np.array([int(chosen[at : at + 2], 16) for at in (1, 3, 5)])
    lab = rgb2lab(rgb[None, None] / 255.0)[0, 0]
    here = shown(page)[int(0.15 * shown(page).shape[0]), int(0.1 * shown(page).shape[1]), 0]
    assert abs(lab[0] - here) < 6
    assert np.hypot(*lab[1:]) > 15
    before = page.input_value("#hex")
    box = wheel.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] * 0.5, box["y"] + box["height"] * 0.2)  # yellow
    assert page.input_value("#hex") != before
    assert "hue" in (wheel.get_attribute("aria-valuetext") or "")


def test_a_stroke_is_painted_colors_its_way_and_is_undone(page: Page, cat: Path) -> None:
    load(page, cat)
    before = shown(page)
    page.fill("#hex", "#2040c0")
    page.press("#hex", "Tab")
    page.check("#paint")
    drag(page, [(0.05, 0.1), (0.12, 0.12), (0.2, 0.1)])
    after = shown(page)
    height, width = after.shape[:2]
    for x, y in ((0.06, 0.1), (0.12, 0.12), (0.19, 0.1)):
        place = int(y * height), int(x * width), 2
        assert after[place] < before[place] - 12
    assert page.locator("#strokes polyline").count() == 2  # a dark edge and the color
    page.keyboard.press("Control+z")
    until(page, "document.querySelectorAll('#strokes polyline').length === 0")


def test_how_closely_it_looks_is_chosen(page: Page, cat: Path) -> None:
    load(page, cat)
    before = shown(page)
    page.select_option("#quality", "fast")
    until(page, "document.getElementById('said').textContent === 'The model looks again'")
    settle(page)
    assert 0.1 < np.abs(shown(page) - before)[..., 1:].mean() < 15
    page.reload()
    page.wait_for_selector("body[data-ready=true]")
    expect(page.locator("#quality")).to_have_value("fast")


def test_warmer_and_back(page: Page, cat: Path) -> None:
    load(page, cat)
    before = shown(page)
    page.locator("#warmth").focus()
    page.keyboard.press("End")  # the warmest
    page.keyboard.press("Tab")
    until(page, "document.getElementById('said').textContent === 'The warmth was changed'")
    settle(page)
    assert shown(page)[..., 2].mean() > before[..., 2].mean() + 2
    expect(page.locator("#warmth-value")).to_have_text("1.00")
    page.keyboard.press("Control+z")
    until(page, "document.getElementById('warmth').value === '0'")
    settle(page)
    np.testing.assert_allclose(shown(page), before, atol=1)


def test_the_palette_of_another_picture(page: Page, cat: Path, tmp_path: Path) -> None:
    load(page, cat)
    before = shown(page)
    rng = np.random.default_rng(4)
    rgb = np.stack([rng.integers(20, 90, (40, 60)) + add for add in (0, 90, 10)], axis=-1)
    Image.fromarray(rgb.astype(np.uint8)).save(tmp_path / "green.png")
    page.set_input_files("#reference-file", str(tmp_path / "green.png"))
    expect(page.locator("#reference-said")).to_have_text("The colors are those of green.png.")
    settle(page)
    assert shown(page)[..., 1].mean() < before[..., 1].mean() - 10
    greened = shown(page)
    page.click("#reference-drop")
    expect(page.locator("#reference-said")).to_have_text("")
    settle(page)
    np.testing.assert_allclose(shown(page), before, atol=1)
    page.click("#undo")
    expect(page.locator("#reference-said")).to_have_text("The colors are those of green.png.")
    settle(page)
    np.testing.assert_allclose(shown(page), greened, atol=1)


def test_a_recipe_is_saved_and_taken(page: Page, cat: Path, tmp_path: Path) -> None:
    load(page, cat)
    page.fill("#hex", "#2040c0")
    page.press("#hex", "Tab")
    click(page, 0.1, 0.15)
    wanted = shown(page)
    with page.expect_download() as waiting:
        page.click("#recipe-save")
    saved = tmp_path / waiting.value.suggested_filename
    waiting.value.save_as(saved)
    assert saved.name == "cat.tinct.json"
    held = json.loads(saved.read_text("utf-8"))
    assert held["hints"][0]["color"] == "#2040c0"
    page.keyboard.press("Control+z")
    until(page, "document.querySelectorAll('#hints button').length === 0")
    page.set_input_files("#recipe-file", str(saved))
    until(page, "document.querySelectorAll('#hints button').length === 1")
    settle(page)
    assert np.abs(shown(page) - wanted).max() < 4
    (tmp_path / "bad.json").write_text("no recipe")
    page.set_input_files("#recipe-file", str(tmp_path / "bad.json"))
    expect(page.locator("#error-text")).to_contain_text("no color recipe")


def test_a_drawing_is_saved_with_layers(page: Page, tmp_path: Path) -> None:
    from PIL import Image

    drawing = tmp_path / "drawing.png"
    Image.fromarray(line_drawing(300)).save(drawing)
    load(page, drawing)
    page.select_option("#format", "ora")
    with page.expect_download() as waiting:
        page.click("#save")
    saved = tmp_path / waiting.value.suggested_filename
    waiting.value.save_as(saved)
    assert saved.name == "drawing.color.ora"
    with zipfile.ZipFile(saved) as archive:
        assert archive.read("mimetype") == b"image/openraster"
        assert "stack.xml" in archive.namelist()
