"""A real server with the real model, and Debian's Chromium."""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from tinct.color import rgb_to_lab

CAT = Path(__file__).parents[2] / "examples" / "pictures" / "cat.jpg"
WAIT = 60_000
CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), ""
)


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """The address of ``tinct serve``."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tinct", "serve", "--port", "0"], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    address = process.stdout.readline().strip()
    assert address.startswith("http://127.0.0.1:")
    yield address
    process.terminate()
    assert process.wait(timeout=40) in (0, -15, 130)
    process.stdout.close()


@pytest.fixture(scope="session")
def cat() -> Path:
    """A gray JPEG of a cat."""
    return CAT


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        made = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield made
        made.close()


@pytest.fixture
def page(browser: Browser, server: str) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1200, "height": 800}, accept_downloads=True)
    context.set_default_timeout(WAIT)
    made = context.new_page()
    wrong: list[str] = []
    made.on("pageerror", lambda error: wrong.append(str(error)))
    made.on("console", lambda told: wrong.append(told.text) if told.type == "error" else None)
    made.goto(server)
    made.wait_for_selector("body[data-ready=true]")
    yield made
    context.close()
    assert wrong == []


def load(page: Page, *paths: Path) -> None:
    page.set_input_files("#file", [str(path) for path in paths])
    page.wait_for_selector("#frame:not([hidden])")
    settle(page)


def until(page: Page, expression: str) -> None:
    """Wait until an expression holds; the page's own policy forbids Playwright's polling."""
    for _ in range(600):
        if page.evaluate(expression):
            return
        page.wait_for_timeout(100)
    raise AssertionError(expression)


def settle(page: Page) -> None:
    """Wait until the picture that is asked for is there."""
    until(
        page,
        "(() => { const i = document.getElementById('colored');"
        " return i.complete && i.naturalWidth > 0 && document.getElementById('busy').hidden; })()",
    )
    page.wait_for_timeout(150)


def shown(page: Page) -> np.ndarray:
    """The colored picture as Lab, as the page has it."""
    address = page.evaluate("document.getElementById('colored').src")
    body = page.request.get(address).body()
    return np.asarray(rgb_to_lab(np.asarray(Image.open(io.BytesIO(body))) / 255.0))


def click(page: Page, x: float, y: float) -> None:
    before = page.evaluate("document.getElementById('colored').src")
    box = page.locator("#frame").bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + x * box["width"], box["y"] + y * box["height"])
    until(page, f"document.getElementById('colored').src !== {before!r}")
    settle(page)
