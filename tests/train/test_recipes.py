from __future__ import annotations

import dataclasses
import json

import pytest

from tinct.errors import UsageError
from tinct.train import recipes
from tinct.train.families import recipe_from_json
from tinct.train.recipe import SIZES, to_json


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", recipes.names())
def test_recipe_survives_json(name: str, size: str) -> None:
    recipe = recipes.get(name, size=size)
    assert (recipe.name, recipe.size) == (name, size)
    assert recipe_from_json(to_json(recipe)) == recipe


def test_fields_are_replaced_and_nothing_else() -> None:
    plain = recipes.get("flagship-photo")
    changed = recipes.get(
        "flagship-photo",
        {
            "stages.1.steps": "7",
            "stages.0.lr_scale.decoder": "0.5",
            "stages.0.freeze": '["encoder.late"]',
            "optimizer.ema": "0",
            "model.encoder": "efficientnet_lite2",
        },
    )
    assert changed.stages[1] == dataclasses.replace(plain.stages[1], steps=7)
    assert changed.stages[0].lr_scale == {**plain.stages[0].lr_scale, "decoder": 0.5}
    assert changed.stages[0].freeze == ("encoder.late",)
    assert changed.optimizer.ema == 0.0
    assert changed.model.encoder == "efficientnet_lite2"
    assert changed.stages[2] == plain.stages[2]
    assert changed.data == plain.data


@pytest.mark.parametrize(
    ("name", "overrides", "word"),
    [
        ("flagship-phot", {}, "flagship-photo"),
        ("nothing-like-it", {}, "Choose from"),
        ("flagship-photo", {"stages.0.setps": "7"}, "setps"),
        ("flagship-photo", {"stages.9.steps": "7"}, "nowhere"),
        ("flagship-photo", {"stages.0.steps": "many"}, "int"),
        ("flagship-photo", {"stages.0.steps": "1.5"}, "int"),
        ("flagship-photo", {"model.pretrained": "1"}, "bool"),
        ("flagship-photo", {"seed.x": "1"}, "nowhere"),
    ],
)
def test_mistakes_are_named(name: str, overrides: dict[str, str], word: str) -> None:
    with pytest.raises(UsageError, match=word):
        recipes.get(name, overrides)


def test_what_a_mistake_suggests_is_understood() -> None:
    with pytest.raises(UsageError, match="a value of type list") as refused:
        recipes.get("flagship-photo", {"stages.0.freeze": "encoder.late"})
    suggested = str(refused.value).split("like ")[1].removesuffix(".")
    plain = recipes.get("flagship-photo")
    assert recipes.get("flagship-photo", {"stages.0.freeze": suggested}) == plain


def test_recipe_of_an_older_version_takes_defaults_for_what_is_new() -> None:
    held = json.loads(to_json(recipes.get("flagship-photo")))
    del held["model"]["heads"]
    del held["data"]["window"]
    assert recipe_from_json(json.dumps(held)) == recipes.get("flagship-photo")
