"""The real page against the real server and model, driven like a person."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect
from tests.studio.conftest import CHROMIUM, WAIT, click, load, settle, shown, until

pytestmark = pytest.mark.skipif(not CHROMIUM, reason="needs Chromium: apt install chromium")


def test_a_color_is_set_changes_its_region_and_is_undone(page: Page, cat: Path) -> None:
    load(page, cat)
    before = shown(page)
    assert np.abs(before[..., 1:]).max() > 8  # it is in color
    page.fill("#hex", "#2040c0")
    page.press("#hex", "Tab")
    click(page, 0.1, 0.15)
    after = shown(page)
    height, width = after.shape[:2]
    spot = np.s_[int(height * 0.12) : int(height * 0.18), int(width * 0.08) : int(width * 0.12), 2]
    assert after[spot].mean() < before[spot].mean() - 15  # bluer
    nose = np.s_[int(height * 0.5) : int(height * 0.6), int(width * 0.45) : int(width * 0.5), 2]
    assert abs(after[nose].mean() - before[nose].mean()) < 15
    assert page.locator("#hints button").count() == 1
    page.keyboard.press("Control+z")
    until(page, "document.querySelectorAll('#hints button').length === 0")
    settle(page)
    assert np.abs(shown(page) - before).max() < 4
    page.keyboard.press("Control+y")
    until(page, "document.querySelectorAll('#hints button').length === 1")


def test_what_is_saved_is_whole_and_keeps_the_gray(page: Page, cat: Path, tmp_path: Path) -> None:
    from tinct.photo import restore_gray

    load(page, cat)
    expect(page.locator("#about")).to_contain_text("taken back any time")
    with page.expect_download() as waiting:
        page.click("#save")
    saved = tmp_path / waiting.value.suggested_filename
    waiting.value.save_as(saved)
    assert saved.name == "cat.color.jpg"
    with Image.open(saved) as image, Image.open(cat) as given:
        assert image.mode == "RGB"
        assert image.size == given.size
    assert restore_gray(saved) == cat.read_bytes()
    page.select_option("#format", "png")
    with page.expect_download() as waiting:
        page.keyboard.press("Control+s")
    assert waiting.value.suggested_filename == "cat.color.png"


def test_the_session_is_there_after_a_reload(page: Page, cat: Path) -> None:
    load(page, cat)
    click(page, 0.3, 0.3)
    page.reload()
    page.wait_for_selector("#frame:not([hidden])")
    settle(page)
    assert page.locator("#hints button").count() == 1
    expect(page.locator("#about")).to_contain_text("cat.jpg: 451 x 300")


def test_before_and_after_by_slider_and_keyboard(page: Page, cat: Path) -> None:
    load(page, cat)
    page.click("#compare")
    divider = page.locator("#divider")
    expect(divider).to_be_visible()
    stage = page.locator("#stage").bounding_box()
    box = divider.bounding_box()
    assert stage is not None
    assert box is not None
    page.mouse.move(box["x"] + 2, box["y"] + 300)
    page.mouse.down()
    page.mouse.move(stage["x"] + stage["width"] * 0.25, box["y"] + 300, steps=4)
    page.mouse.up()
    assert divider.get_attribute("aria-valuenow") == "25"
    divider.focus()
    page.keyboard.press("ArrowRight")
    assert divider.get_attribute("aria-valuenow") == "30"


def test_everything_by_keyboard(page: Page, cat: Path) -> None:
    load(page, cat)
    page.focus("#stage")
    for key in ("ArrowLeft", "ArrowUp", "+", "Enter"):
        page.keyboard.press(key)
    page.wait_for_selector("#hints button")
    settle(page)
    page.locator("#hints button").first.focus()
    page.keyboard.press("ArrowRight")
    until(page, "!document.getElementById('undo').disabled")
    settle(page)
    page.locator("#hints button").first.focus()
    page.keyboard.press("Delete")
    until(page, "document.querySelectorAll('#hints button').length === 0")
    assert page.evaluate("document.getElementById('redo').disabled")


def test_gray_stays_where_it_is_told_to(page: Page, cat: Path) -> None:
    load(page, cat)
    page.check("#keep-gray")
    click(page, 0.5, 0.5)
    after = shown(page)
    height, width = after.shape[:2]
    spot = after[int(height * 0.49) : int(height * 0.51), int(width * 0.49) : int(width * 0.51), 1:]
    assert np.abs(spot).mean() < 3
    assert page.locator("#hints button").count() == 1


def test_variants_and_doubt(page: Page, cat: Path) -> None:
    load(page, cat)
    before = shown(page)
    page.click("#variants")
    page.wait_for_selector("#variant-list img")
    page.locator("#variant-list button").first.click()
    until(page, "!document.getElementById('undo').disabled")
    settle(page)
    assert np.abs(shown(page)[..., 1:] - before[..., 1:]).max() > 8
    page.check("#show-doubt")
    page.wait_for_selector("#hints .ask")


def test_the_browser_draws_spliced_jpegs_like_pillow(page: Page, cat: Path) -> None:
    load(page, cat)
    key = page.evaluate("JSON.parse(localStorage.getItem('tinct.sessions'))[0]")
    body = page.request.get(page.url + f"v1/sessions/{key}/export?format=jpeg").body()
    assert b"tinct gray" in body
    drawn = page.evaluate(
        """async (address) => {
            const image = new Image();
            image.src = address;
            await image.decode();
            const canvas = document.createElement("canvas");
            canvas.width = image.naturalWidth;
            canvas.height = image.naturalHeight;
            const pen = canvas.getContext("2d");
            pen.drawImage(image, 0, 0);
            return Array.from(pen.getImageData(0, 0, canvas.width, canvas.height).data);
        }""",
        f"/v1/sessions/{key}/export?format=jpeg",
    )
    wanted = np.asarray(Image.open(io.BytesIO(body)).convert("RGB")).astype(int)
    seen = np.array(drawn).reshape(*wanted.shape[:2], 4)[..., :3]
    assert np.abs(seen - wanted).max() <= 3


def test_several_pictures_are_a_strip_and_one_file(page: Page, cat: Path) -> None:
    load(page, cat, cat.with_name("photographer.jpg"))
    until(page, "document.querySelectorAll('#strip .picture').length === 2")
    with page.expect_download() as waiting:
        page.click("#save-all")
    assert waiting.value.suggested_filename == "tinct.zip"
    page.locator("#strip .close").first.click()
    expect(page.locator("#strip")).to_be_hidden()


def test_what_is_no_picture_is_told(browser: Browser, server: str, tmp_path: Path) -> None:
    wrong = tmp_path / "letter.jpg"
    wrong.write_bytes(b"dear aunt")
    context = browser.new_context()
    page = context.new_page()
    page.goto(server)
    page.wait_for_selector("body[data-ready=true]")
    page.set_input_files("#file", str(wrong))
    expect(page.locator("#error-text")).to_contain_text("not a picture tinct knows", timeout=WAIT)
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1200, 380])
def test_no_serious_barrier(
    browser: Browser, server: str, cat: Path, scheme: str, width: int
) -> None:
    from axe_core_python.sync_playwright import Axe

    context = browser.new_context(
        viewport={"width": width, "height": 800},
        color_scheme=scheme,  # type: ignore[arg-type]
    )
    context.set_default_timeout(WAIT)
    page = context.new_page()
    page.goto(server)
    page.wait_for_selector("body[data-ready=true]")
    for opened in (False, True):
        if opened:
            load(page, cat)
            click(page, 0.4, 0.4)
        found = Axe().run(page)["violations"]
        serious = [
            (one["id"], [node["html"] for node in one["nodes"]])
            for one in found
            if one["impact"] in ("serious", "critical")
        ]
        assert serious == []
    wide = page.evaluate("document.documentElement.scrollWidth")
    assert wide <= width
    context.close()
