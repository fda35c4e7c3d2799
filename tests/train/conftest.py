"""Small colored pictures and a nano run, shared by the training tests."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("lightning")
pytest.importorskip("timm")


torch.set_num_threads(1)  # sums in one order: the same seed gives the same weights to the bit


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TINCT_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


def paint(seed: int, height: int = 40, width: int = 52) -> np.ndarray:
    """Paint a smooth scene, its color following its lightness: bright blue to dark green."""
    rng = np.random.default_rng(seed)
    down = np.linspace(0, 1, height)[:, None, None]
    top, bottom = np.array([120, 170, 240]), np.array([40, 110, 30])
    rows = top * (1 - down) + bottom * down
    texture = rng.normal(0, 6, (height, width, 1))
    return np.clip(np.broadcast_to(rows, (height, width, 3)) + texture, 0, 255).astype(np.uint8)


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of 24 small color pictures, one gray one and one damaged file."""
    from PIL import Image

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
