"""A model and a picture for the command line."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from tiny_models import make_bundle


@pytest.fixture
def gray_jpeg(tmp_path: Path) -> Path:
    """A JPEG of 48 x 32 pixels, all of the gray whose lightness is LIGHTNESS."""
    path = tmp_path / "photo.jpg"
    Image.new("L", (48, 32), 198).save(path)
    return path


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A TINCT_HOME with one model, "tiny"."""
    root = tmp_path_factory.mktemp("home")
    metrics = {"colorfulness_share": 0.5, "n": 3, "note": "none"}
    make_bundle(root / "models" / "tiny", metrics=metrics)
    return root


@pytest.fixture
def chosen(home: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the words that choose the model "tiny"."""
    monkeypatch.setenv("TINCT_HOME", str(home))
    return ["--model", "tiny", "--threads", "1"]
