from __future__ import annotations

from collections.abc import Mapping
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.train.conftest import paint

from tinct.measure import compare
from tinct.measure.comparison import COLUMNS
from tiny_models import make_bundle, make_copier

MEASURED = [c.key for c in COLUMNS if c.key not in ("parameters", "megabytes", "ms", "seen")]
LABELS = ["gray", "mean color, told", "tiny", "tiny + 10 hints", "brown"]


class Redness:
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
    return compare.compare(bundles, [str(folder)], learned=lambda: ([Redness()], []))


class Page(HTMLParser):
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
