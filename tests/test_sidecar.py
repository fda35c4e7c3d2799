"""The color recipe: form, round trips, mistakes, files."""

from __future__ import annotations

import copy
import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.hints.test_files import RED_DOT, WRONG, hints

import tinct
from tinct import sidecar
from tinct.bundle import Bundle
from tinct.coloring.palette import Palette, palette_of
from tinct.errors import SaveError, TinctError, UsageError
from tinct.hints import Hint, Point
from tinct.hints.files import KINDS, as_json
from tinct.settings import QUALITIES, STRONGEST, WARMEST, Settings
from tinct.sidecar import (
    ColorRecipe,
    Keeper,
    beside,
    parse_recipe,
    read_recipe,
    save_recipe,
)

SCHEMA_FILE = Path(sidecar.__file__).with_name("sidecar.schema.json")
SCHEMA = json.loads(SCHEMA_FILE.read_text("utf-8"))
CHECKER = jsonschema.Draft202012Validator(SCHEMA)
WHOLE: dict[str, Any] = {
    "schema": "tinct.recipe/1",
    "tinct": "0.1.0",
    "model": {"name": "photo", "sha256": "0" * 64},
    "settings": {
        "strength": 0.8,
        "quality": "best",
        "reference": {"mean": [50, 3, -4], "covariance": [[9, 1, 0], [1, 4, 0], [0, 0, 2.5]]},
    },
    "hints": [
        RED_DOT,
        {"kind": "stroke", "points": [[0, 0], [9, 9]], "color": [50, 1, 2], "unit": "px"},
        {"kind": "gray", "box": [0, 0, 0.5, 1]},
    ],
}


def test_the_schema_is_one_and_says_what_the_code_says() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    settings = SCHEMA["properties"]["settings"]["properties"]
    assert SCHEMA["properties"]["schema"]["const"] == sidecar.SCHEMA
    assert settings["quality"]["enum"] == list(QUALITIES)
    assert settings["strength"]["maximum"] == STRONGEST
    assert settings["warmth"]["maximum"] == -settings["warmth"]["minimum"] == WARMEST
    for name, kind in KINDS.items():
        described = set(SCHEMA["$defs"][name]["properties"]) - {"kind"}
        assert described == {field.name for field in dataclasses.fields(kind)}


@st.composite
def palettes(draw: st.DrawFn) -> Palette:
    """Of three to nine colors."""
    color = st.tuples(st.floats(0, 100), st.floats(-100, 100), st.floats(-100, 100))
    colors = draw(st.lists(color, min_size=3, max_size=9))
    return palette_of(np.array(colors, np.float32).T)


recipes = st.builds(
    ColorRecipe,
    settings=st.builds(
        Settings,
        hints=st.lists(hints(), max_size=3).map(tuple),
        strength=st.floats(0, 1.5),
        warmth=st.floats(-1, 1),
        quality=st.sampled_from(QUALITIES),
        flat=st.booleans(),
        reference=st.none() | palettes(),
    ),
    model=st.none() | st.sampled_from(["photo", "my model"]),
    sha256=st.none() | st.text("0123456789abcdef", min_size=64, max_size=64),
)


@given(recipes)
def test_recipes_survive_json_and_fit_the_schema(recipe: ColorRecipe) -> None:
    held = json.loads(recipe.as_text())
    CHECKER.validate(held)
    assert parse_recipe(held) == recipe


def test_a_short_recipe_is_enough() -> None:
    assert parse_recipe({"schema": "tinct.recipe/1"}) == ColorRecipe(version="")
    CHECKER.validate({"schema": "tinct.recipe/1"})


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"schema": "tinct.recipe/2"}, "schema: must be 'tinct.recipe/1', not 'tinct.recipe/2'"),
        ({"schem": 1}, "schem: the field is unknown; did you mean schema?"),
        ({"tinct": 1}, "tinct: must be a version as text"),
        ({"model": "photo"}, "model: must be an object with name and sha256"),
        ({"model": {"name": "/home/x"}}, "model.name: '/home/x' is no model's name"),
        ({"model": {"name": "../x"}}, "model.name: '../x' is no model's name"),
        ({"model": {"name": ""}}, "model.name: '' is no model's name"),
        ({"model": {"sha256": "abc"}}, "model.sha256: must be 64 hexadecimal digits"),
        ({"model": {"path": "x"}}, "model.path: the field is unknown"),
        ({"settings": []}, "settings: must be an object"),
        ({"settings": {"strength": 2}}, "settings.strength: must lie in 0..1.5, not 2"),
        ({"settings": {"warmth": -1.5}}, "settings.warmth: must lie in -1..1, not -1.5"),
        ({"settings": {"strength": "1"}}, "settings.strength: '1' is no number"),
        ({"settings": {"quality": "good"}}, "settings.quality: 'good' is none of fast, balanced"),
        ({"settings": {"qualty": "best"}}, "settings.qualty: the field is unknown; did you mean"),
        ({"settings": {"reference": "x.jpg"}}, "settings.reference: must be an object with name"),
        (
            {"settings": {"reference": {"mean": [200, 0, 0], "covariance": [[0] * 3] * 3}}},
            "settings.reference.mean: no number in it may be beyond 128",
        ),
        (
            {"settings": {"reference": {"mean": [120, 0, 0], "covariance": [[0] * 3] * 3}}},
            "settings.reference.mean: its lightness must lie in 0..100, not 120",
        ),
        (
            {"settings": {"reference": {"mean": [50, 0, 0], "covariance": [[0] * 3] * 2}}},
            "settings.reference.covariance: must be three rows of three numbers",
        ),
        (
            {"settings": {"reference": {"mean": [50, 0, "0"], "covariance": [[0] * 3] * 3}}},
            "settings.reference.mean: '0' is no number",
        ),
        ({"hints": None}, "hints: null is no value"),
        ({"hints": [{**RED_DOT, "x": 2}]}, "hints[0].x: must lie in 0..1, not 2"),
    ],
)
def test_mistakes_name_the_field(change: dict[str, Any], text: str, tmp_path: Path) -> None:
    held = {**WHOLE, **change}
    (tmp_path / "x.tinct.json").write_text(json.dumps(held), "utf-8")
    with pytest.raises(UsageError) as caught:
        read_recipe(tmp_path / "x.tinct.json")
    assert str(caught.value).startswith(f"x.tinct.json: {text}")
    assert type(caught.value) is UsageError
    assert not CHECKER.is_valid(held)


@pytest.mark.parametrize(
    "rows", [[[1, 5, 0], [5, 1, 0], [0, 0, 1]], [[1, 2, 0], [0, 9, 0], [0, 0, 1]]]
)
def test_what_is_no_covariance_is_refused(rows: list[list[int]]) -> None:
    held = {
        "schema": sidecar.SCHEMA,
        "settings": {"reference": {"mean": [1, 2, 3], "covariance": rows}},
    }
    with pytest.raises(UsageError, match="is no covariance"):
        parse_recipe(held)


def test_hints_that_are_refused_do_not_fit_the_schema() -> None:
    beyond = {"is no color; write", "'inf'"}  # what a schema does not say
    for held, text in WRONG:
        if any(part in text for part in beyond) or isinstance(held, dict):
            continue
        plain = json.loads(json.dumps(held).replace("NaN", "1e999").replace("Infinity", "-1"))
        if "left must be less" in text or "too large" in text:
            continue
        assert not CHECKER.is_valid({**WHOLE, "hints": plain}), text


@given(st.data())
def test_whatever_stands_in_a_field_is_read_or_named(data: Any) -> None:
    """Replace any part of a recipe by any JSON value: only errors of ours come out."""
    held = copy.deepcopy(WHOLE)
    node: Any = held
    while True:
        key = data.draw(st.sampled_from(list(node) if isinstance(node, dict) else range(len(node))))
        if not isinstance(node[key], (dict, list)) or not node[key] or data.draw(st.booleans()):
            break
        node = node[key]
    scalars = st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5)
    node[key] = data.draw(
        scalars | st.lists(scalars, max_size=4) | st.dictionaries(st.text(max_size=3), scalars)
    )
    try:
        recipe = parse_recipe(held)
    except TinctError as error:
        told = str(error)
    else:
        CHECKER.validate(json.loads(recipe.as_text()))
        told = "fine: as it is"
    assert ": " in told


def test_files(tmp_path: Path) -> None:
    recipe = parse_recipe(WHOLE)
    target = tmp_path / "x.tinct.json"
    save_recipe(recipe, target)
    assert read_recipe(target) == recipe
    before = target.read_bytes()
    with pytest.raises(SaveError, match="exists already"):
        save_recipe(ColorRecipe(), target)
    assert target.read_bytes() == before
    save_recipe(ColorRecipe(), target, overwrite=True)
    assert read_recipe(target) == ColorRecipe()
    assert [path.name for path in tmp_path.iterdir()] == ["x.tinct.json"]


def test_no_path_leaves_the_computer(tmp_path: Path, tiny: Bundle) -> None:
    rgb = np.full((4, 4, 3), (90, 120, 40), np.uint8)
    picture = tmp_path / "secret.png"
    from PIL import Image

    Image.fromarray(rgb).save(picture)
    recipe = ColorRecipe(settings=Settings(hints=tinct.read_hints(picture))).of_bundle(tiny)
    assert "secret" not in recipe.as_text()
    assert str(tmp_path) not in recipe.as_text()
    assert parse_recipe(json.loads(recipe.as_text())) == recipe


def test_another_model_is_told_in_one_sentence(tiny: Bundle, tiny_lab: Bundle) -> None:
    recipe = ColorRecipe().of_bundle(tiny)
    assert (recipe.model, recipe.sha256) == (tiny.name, tiny.manifest.sha256)
    assert recipe.mismatch(tiny) is None
    told = recipe.mismatch(tiny_lab)
    assert told is not None
    assert tiny.manifest.sha256[:8] in told
    assert tiny_lab.manifest.sha256[:8] in told
    assert ColorRecipe(model="other").mismatch(tiny) is None


@pytest.mark.parametrize(
    ("source", "result", "name"),
    [
        ("a/photo.jpg", "b/photo.color.jpg", "b/photo.tinct.json"),
        ("a/photo.jpg", "b/out.png", "b/photo.tinct.json"),
        ("scan.v2.tif", "scan.v2.color.page1.tif", "scan.v2.tinct.json"),
        (None, "stdin.color.png", "stdin.tinct.json"),
        (None, "b/out.png", "b/out.tinct.json"),
    ],
)
def test_names(source: str | None, result: str, name: str) -> None:
    given_source = None if source is None else Path(source)
    assert beside(Path(result), source=given_source) == Path(name)


def recipe_with(hint: Hint) -> ColorRecipe:
    return ColorRecipe(settings=Settings(hints=(hint,)))


def test_one_recipe_for_several_pictures(tmp_path: Path) -> None:
    keeper = Keeper(str(tmp_path / "all.json"), overwrite=False)
    keeper.check([(Path("a.jpg"), None), (None, Path("b.jpg"))])
    dot = recipe_with(Point(x=0.5, y=0.5, color="red"))
    keeper.save(dot, source=Path("a.jpg"), target=None)
    keeper.save(dot, source=Path("b.jpg"), target=None)
    other = recipe_with(Point(x=0.1, y=0.5, color="red"))
    with pytest.raises(SaveError, match="holds another picture's recipe"):
        keeper.save(other, source=Path("c.jpg"), target=None)
    assert read_recipe(tmp_path / "all.json") == dot
    with pytest.raises(SaveError, match="exists already"):
        Keeper(str(tmp_path / "all.json"), overwrite=False).check([(None, None)])
    with pytest.raises(UsageError, match=r"--save-recipe FILE\.json"):
        Keeper(None, overwrite=False).check([(None, None)])


def test_defaults_are_left_out() -> None:
    assert as_json(Point(x=0, y=1, color="red")) == {
        "kind": "point",
        "x": 0,
        "y": 1,
        "color": "red",
    }


def test_the_documents_recipe_is_one() -> None:
    page = (Path(__file__).parents[1] / "docs" / "sidecar.md").read_text("utf-8")
    (block,) = re.findall(r"^```json\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    held = json.loads(block)
    CHECKER.validate(held)
    assert set(held) == set(SCHEMA["properties"])
    assert parse_recipe(held).as_dict() == held
    rows = re.findall(r"^\| `(\w+)` \| (.*?) \|", page, re.MULTILINE)
    for name, fields in rows:
        if name in KINDS:
            told = set(re.findall(r"`(\w+)`", fields)) | {"unit"}
            assert told >= {field.name for field in dataclasses.fields(KINDS[name])}
