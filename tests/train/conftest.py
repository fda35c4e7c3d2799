"""Small colored pictures and a nano run, shared by the training tests."""

from __future__ import annotations

import numpy as np
import pytest
import torch

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
