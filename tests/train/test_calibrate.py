"""The join of the heads is chosen by what the exported network would give."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from skimage.color import deltaE_ciede2000
from torch.nn import functional as F

from tinct.train import calibrate, recipes
from tinct.train.data.batches import Pictures, to_batch
from tinct.train.export import load_task
from tinct.train.trainer import train


@pytest.mark.parametrize("name", ["flagship-photo", "flagship-lineart"])
def test_rows_are_what_the_network_with_these_settings_gives(
    name: str,
    pictures: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    recipe = recipes.get(name, {"stages.0.steps": "3"}, size="nano")
    train(recipe, [pictures], tmp_path / "run")
    capsys.readouterr()
    monkeypatch.setattr(calibrate, "CALMS", (0.0, 1.0))
    monkeypatch.setattr(calibrate, "TEMPERATURES", (0.4,))
    monkeypatch.setattr(calibrate, "SHARES", (0.0, 0.7))
    monkeypatch.setattr(calibrate, "GAINS", (1.0, 1.5))
    monkeypatch.setattr(calibrate, "CONTRASTS", (0.0, 0.5))
    told = ["--data", str(pictures), "--size", "32", "--limit", "6"]
    assert calibrate.main([str(tmp_path / "run"), *told]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    # The temperature and the calm mean nothing where the bins' share is 0; drawings: no contrast.
    assert len(rows) == (12 if name == "flagship-photo" else 6)
    assert [row["error"] for row in rows] == sorted(row["error"] for row in rows)
    for row in rows:
        chosen = {"calm": row["calm"], "temperature": row["temperature"]}
        chosen |= {name: row[name] for name in ("gain", "contrast")}
        chosen["bins_share"] = row["share"]
        _, task = load_task(tmp_path / "run", {key: str(value) for key, value in chosen.items()})
        assert row["error"] == pytest.approx(_error(task, recipe, pictures), abs=2e-3)


def _error(task: object, recipe: object, pictures: Path) -> float:
    """Return the error of a network as exported, by another library's formula."""
    ours = blank = 0.0
    source = Pictures([pictures], recipe=recipe.data, seed=recipe.seed)  # type: ignore[attr-defined]
    for raw in source.held_batches(size=32, count=16, limit=6):
        batch = to_batch(raw, device=torch.device("cpu"), task=recipe.task)  # type: ignore[attr-defined]
        with torch.no_grad():
            found = task.net(batch.input_lightness, batch.hint)  # type: ignore[attr-defined]
        step = 1 if "lab" in found else 2
        truth = F.avg_pool2d(torch.cat([batch.lightness, batch.ab], dim=1), step)
        lab = found["lab"] if step == 1 else torch.cat([truth[:, :1], found["ab"]], dim=1)
        given = F.avg_pool2d(torch.cat([batch.input_lightness, 0 * batch.ab], dim=1), step)
        true, mine, none = (np.moveaxis(x.double().numpy(), 1, -1) for x in (truth, lab, given))
        ours += float(deltaE_ciede2000(true, mine).mean())
        blank += float(deltaE_ciede2000(true, none).mean())
    return ours / blank
