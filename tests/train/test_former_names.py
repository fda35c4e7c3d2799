from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from tinct.train import recipes
from tinct.train.families import build_task, recipe_from_json
from tinct.train.former_names import PLAYERS, RECIPE, SETTINGS
from tinct.train.recipe import Recipe, to_json
from tinct.train.rundir import RunDir
from tinct.train.warm_start import warm_start

ROOT = Path(__file__).parents[2]
HELD = sorted([*ROOT.glob("zoo/*/manifest.json"), *ROOT.glob("src/tinct/models/*/manifest.json")])
OF_THE_BUNDLE = {"seen", "finished", "parity"}  # what a manifest adds to the recipe


def renamed(held: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    """Return what is held with the names from before, given former to present ones."""
    former = {new: old for old, new in names.items()}
    return {former.get(key, key): value for key, value in held.items()}


def aged_recipe(recipe: Recipe) -> str:
    """Write a recipe under the names from before."""
    held = renamed(json.loads(to_json(recipe)), RECIPE)
    held["model"] = renamed(held["model"], SETTINGS)
    for stage in held["stages"]:
        for part in ("turns", "lr_scale"):
            stage[part] = renamed(stage[part], PLAYERS)
    return json.dumps(held)


@pytest.mark.parametrize("path", HELD, ids=lambda path: path.parent.name)
def test_recipe_of_a_bundle_is_read_in_full(path: Path) -> None:
    held = json.loads(path.read_text("utf-8"))["recipe"]
    read = json.loads(to_json(recipe_from_json(json.dumps(held))))
    assert set(held) - OF_THE_BUNDLE <= set(renamed(read, RECIPE)) | set(read)
    back = {**read["model"], **renamed(read["model"], SETTINGS)}  # some are of today
    assert {key: back.get(key) for key in held["model"]} == held["model"]
    for was, now in zip(held["stages"], read["stages"], strict=True):
        for part in set(was) & {"turns", "lr_scale"}:
            assert was[part] in (now[part], renamed(now[part], PLAYERS))


@pytest.mark.parametrize("name", recipes.names())
def test_recipe_of_a_run_is_read_under_former_names(name: str) -> None:
    recipe = recipes.get(name, size="nano")
    assert recipe_from_json(aged_recipe(recipe)) == recipe


def test_turns_from_the_command_line_are_read_back() -> None:
    recipe = recipes.get("sketch-gan", {"stages.0.turns.net": "2"}, size="nano")
    assert recipe_from_json(to_json(recipe)) == recipe


@pytest.mark.parametrize("name", ["flagship-lineart", "sketch-gan"])
def test_checkpoint_of_a_run_is_read_under_former_names(name: str, tmp_path: Path) -> None:
    recipe = recipes.get(name, {"model.pretrained": "false"} if "flag" in name else {}, size="nano")
    torch.manual_seed(1)
    trained = build_task(recipe).state_dict()
    aged = {key.replace("discriminator.", "critic.", 1): value for key, value in trained.items()}
    assert set(aged) != set(trained)
    state = {
        "module": aged,
        "average": aged,
        "optimizers": {"net": {}, "critic": {}},
        "watch": {"best": 1.0},
    }
    (tmp_path / "recipe.json").write_text(aged_recipe(recipe))
    torch.save(state, tmp_path / "last.ckpt")
    found = RunDir(tmp_path).load()
    assert set(found) == {"module", "ema", "optimizers", "early_stopping"}
    assert set(found["optimizers"]) == {"net", "discriminator"}
    torch.manual_seed(2)
    task = build_task(RunDir(tmp_path).recipe())
    warm_start(task, tmp_path)
    for key, value in task.state_dict().items():
        assert torch.equal(value, trained[key]), key
