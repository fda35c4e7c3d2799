"""What several test files share: settings of hypothesis, small bundles without training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from PIL import Image

from tinct.bundle import Bundle
from tiny_models import make_bundle

settings.register_profile("tinct", deadline=None, max_examples=25, derandomize=True)
settings.load_profile("tinct")


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A bundle that predicts a*, b* and takes hints."""
    return make_bundle(tmp_path_factory.mktemp("bundles") / "tiny")


@pytest.fixture(scope="session")
def tiny_lab(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A bundle that paints L*, a*, b*."""
    return make_bundle(tmp_path_factory.mktemp("bundles") / "tiny-lab", predicts="lab")


@pytest.fixture(scope="session")
def tiny_bins(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A bundle that also gives a distribution over three ab bins."""
    return make_bundle(tmp_path_factory.mktemp("bundles") / "tiny-bins", bins=True)


@pytest.fixture
def no_bundles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's folder for bundles, empty, and nothing shipped."""
    monkeypatch.setenv("TINCT_HOME", str(tmp_path / "home"))
    monkeypatch.setattr("tinct.bundle.shipped_folder", lambda: tmp_path / "shipped")
    return tmp_path / "home" / "models"


@pytest.fixture
def album(tmp_path: Path) -> Path:
    """A folder with a gray JPEG, a gray PNG, a text file, an earlier result and a folder inside."""
    folder = tmp_path / "album"
    (folder / "inner").mkdir(parents=True)
    gray = Image.linear_gradient("L").resize((40, 30))
    gray.save(folder / "b.jpg")
    gray.save(folder / "a.PNG")
    gray.save(folder / "b.color.jpg")
    gray.save(folder / "scan.color.page2.tif")
    gray.save(folder / ".hidden.jpg")
    gray.save(folder / "inner" / "c.jpg")
    (folder / "notes.txt").write_text("not a picture")
    return folder


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of 24 small color pictures, one gray one and one damaged file."""
    from tests.train.conftest import paint

    folder = tmp_path_factory.mktemp("pictures")
    for number in range(24):
        Image.fromarray(paint(number)).save(folder / f"p{number:02}.png")
    Image.fromarray(np.full((40, 40, 3), 128, np.uint8)).save(folder / "gray.png")
    (folder / "damaged.jpg").write_bytes(b"\xff\xd8\xff not a picture")
    return folder


@pytest.fixture(scope="session")
def nano_run(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished nano run."""
    from tinct.train import recipes, trainer

    out = tmp_path_factory.mktemp("runs") / "nano"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TINCT_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
        trainer.train(recipes.get("flagship-photo", size="nano"), [pictures], out)
    return out
