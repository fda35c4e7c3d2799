"""Hints in files: JSON, layers, and everything that Python callers may hand over."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tinct.errors import PictureError, TinctError, UsageError
from tinct.hints import BlurMap, Hint, KeepGray, Layer, Patch, Point, Stroke
from tinct.hints.files import KINDS, as_json, from_json, read_file, read_hints
from tinct.hints.text import parse_hint

SHARES = st.floats(0, 1)
PIXELS = st.floats(0, 1e6)
NAMES = st.sampled_from(["red", "#123", "#a0B1c2", "lab(50 -3.5 7)", "rgb(1, 2, 3)"])
COLORS = NAMES | st.tuples(st.floats(0, 100), st.floats(-128, 128), st.floats(-128, 128))
PICTURES = st.integers(0, 2**32 - 1).map(
    lambda seed: np.random.default_rng(seed).integers(1, 256, (3, 1 + seed % 5, 4)).astype(np.uint8)
)
RED_DOT = {"kind": "point", "x": 0.5, "y": 0.5, "color": "red"}


@st.composite
def hints(draw: Any) -> Hint:
    """Return any hint."""
    kind = draw(st.sampled_from(sorted(KINDS)))
    if kind in ("layer", "map"):
        picture = draw(PICTURES)
        if kind == "layer":
            return Layer(picture=picture)
        return BlurMap(picture=picture, opacity=draw(SHARES), blur=draw(SHARES))
    unit = draw(st.sampled_from(["share", "px"]))
    size = SHARES if unit == "share" else PIXELS
    if kind == "point":
        x, y = draw(size), draw(size)
        return Point(x=x, y=y, color=draw(COLORS), radius=draw(st.none() | size), unit=unit)
    low, high = sorted(draw(st.tuples(size, size).filter(lambda pair: pair[0] != pair[1])))
    if kind == "patch":
        return Patch(box=(low, low, high, high), picture=draw(PICTURES), unit=unit)
    if kind == "gray" and draw(st.booleans()):
        return KeepGray(box=(low, low, high, high), unit=unit)
    points = tuple(draw(st.lists(st.tuples(size, size), min_size=2, max_size=5)))
    width = draw(st.none() | size)
    if kind == "gray":
        return KeepGray(points=points, width=width, unit=unit)
    return Stroke(points=points, color=draw(COLORS), width=width, unit=unit)


@given(st.lists(hints(), max_size=4))
def test_values_survive_json(given_hints: list[Hint]) -> None:
    text = json.dumps([as_json(hint) for hint in given_hints], allow_nan=False)
    assert from_json(json.loads(text), folder=None) == tuple(given_hints)


@given(
    st.lists(st.tuples(SHARES, SHARES), min_size=1, max_size=4),
    st.none() | SHARES,
    NAMES | st.just("gray"),
    st.booleans(),
)
def test_texts_survive_json(
    places: list[tuple[float, float]], wide: float | None, color: str, pixels: bool
) -> None:
    end = "px" if pixels else ""
    text = " ".join(f"{x}{end},{y}{end}" for x, y in places)
    text += ("" if wide is None else f",{wide}{end}") + f"={color}"
    hint = parse_hint(text)
    held = json.loads(json.dumps(as_json(hint)))
    assert from_json([held], folder=None) == (hint,)
    assert held.get("unit", "share") == ("px" if pixels else "share")


def save(folder: Path, held: Any, name: str = "coat.json") -> Path:
    path = folder / name
    path.write_text(json.dumps(held), "utf-8")
    return path


def test_files_of_every_kind(tmp_path: Path) -> None:
    clear = np.zeros((6, 8, 4), np.uint8)
    clear[2, 3] = (200, 10, 10, 255)
    Image.fromarray(clear).save(tmp_path / "layer.png")
    Image.new("RGB", (4, 3), (9, 200, 9)).save(tmp_path / "rough.jpg")
    dot = Point(x=0.5, y=0.5, color="red")
    assert read_file(save(tmp_path, [RED_DOT])) == (dot,)
    assert read_file(save(tmp_path, {"schema": "tinct.recipe/1", "hints": [RED_DOT]})) == (dot,)
    layer = Layer(picture=clear)
    assert read_file(tmp_path / "layer.png") == (layer,)
    (rough,) = read_file(tmp_path / "rough.jpg")
    assert isinstance(rough, BlurMap)
    (tmp_path / "bom.json").write_bytes(b"\xef\xbb\xbf[]")
    assert read_file(tmp_path / "bom.json") == ()
    patch = {"kind": "patch", "box": [0, 0, 1, 1], "picture": "layer.png"}
    assert read_file(save(tmp_path, [patch])) == (Patch(box=(0, 0, 1, 1), picture=clear),)
    everything = [dot, "0.5,0.5=red", str(tmp_path / "layer.png"), Image.fromarray(clear), [dot]]
    assert read_hints(everything) == (dot, dot, layer, layer, dot)
    assert read_hints(tmp_path / "layer.png") == (layer,)
    assert read_hints(layer) == (layer,)
    assert read_hints(()) == ()


WRONG: list[tuple[Any, str]] = [
    ({}, "hints: the field is missing"),
    ({"hints": 7}, "hints: must be a list"),
    (7, "hints: must be a list"),
    ([7], "hints[0]: must be an object with a kind"),
    ([RED_DOT, {"x": 0}], "hints[1].kind: None is none of point, stroke, gray, patch, layer, map"),
    ([{"kind": "dot"}], "hints[0].kind: 'dot' is none of"),
    ([{"kind": ["point"]}], "hints[0].kind: ['point'] is none of"),
    ([{**RED_DOT, "colour": 1}], "hints[0].colour: the field is unknown; did you mean color?"),
    ([{**RED_DOT, "z": 1}], "hints[0].z: the field is unknown; known are x, y, color, radius"),
    ([{"kind": "point", "x": 0, "y": 0}], "hints[0].color: the field is missing"),
    ([{**RED_DOT, "x": None}], "hints[0].x: null is no value"),
    ([{**RED_DOT, "x": 1.5}], "hints[0].x: must lie in 0..1, not 1.5; pixels are marked px"),
    ([{**RED_DOT, "x": "1"}], "hints[0].x: '1' is no number"),
    ([{**RED_DOT, "x": True}], "hints[0].x: True is no number"),
    ([{**RED_DOT, "y": float("nan")}], "hints[0].y: must lie in 0..1, not nan"),
    ([{**RED_DOT, "x": float("inf"), "unit": "px"}], "hints[0].x: must be 0 or more pixels"),
    ([{**RED_DOT, "x": 10**400, "unit": "px"}], "hints[0].x: the number is too large"),
    ([{**RED_DOT, "unit": "cm"}], "hints[0].unit: 'cm' is neither 'share' nor 'px'"),
    ([{**RED_DOT, "unit": ["px"]}], "hints[0].unit: ['px'] is neither"),
    ([{**RED_DOT, "color": "reddish"}], "hints[0].color: 'reddish' is no color; write #rrggbb"),
    ([{**RED_DOT, "color": [1, 2]}], "hints[0].color: [1, 2] is no color"),
    ([{**RED_DOT, "color": [101, 0, 0]}], "hints[0].color: lab(101 0 0) is out of range"),
    ([{**RED_DOT, "color": 7}], "hints[0].color: 7 is no color"),
    ([{"kind": "stroke", "points": [[0, 0]], "color": "red"}], "hints[0].points: a stroke needs"),
    (
        [{"kind": "stroke", "points": [[0, 0], [0, 2]], "color": "red"}],
        "hints[0].points[1][1]: must lie in 0..1",
    ),
    ([{"kind": "gray"}], "hints[0].points: either points or a box"),
    ([{"kind": "gray", "box": [0, 0, 0, 1]}], "hints[0].box: left must be less than right"),
    ([{"kind": "map", "picture": 7}], "hints[0].picture: must be a file's name or begin with"),
]


@pytest.mark.parametrize(("held", "text"), WRONG, ids=[text for _, text in WRONG])
def test_mistakes_name_the_file_and_the_field(held: Any, text: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        read_file(save(tmp_path, held))
    assert str(caught.value).startswith(f"coat.json: {text}")
    assert "\n" not in str(caught.value)
    assert type(caught.value) is UsageError


@pytest.mark.parametrize(
    ("picture", "text"),
    [
        ("none.png", "none.png is not there"),
        ("../x.png", "'../x.png' must be a name in the folder"),
        ("coat.json", "coat.json cannot be read as a picture"),
        ("data:image/png;base64,!!", "the data is no PNG in base64"),
    ],
)
def test_pictures_that_cannot_be_read_are_named(picture: str, text: str, tmp_path: Path) -> None:
    with pytest.raises(PictureError) as caught:
        read_file(save(tmp_path, [RED_DOT, {"kind": "layer", "picture": picture}]))
    assert str(caught.value).startswith(f"coat.json: hints[1].picture: {text}")


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"[{", "x.json is no JSON"),
        (b"\xff\xfe[", "x.json is no JSON"),
        (b"[" * 200_000, "x.json is no JSON"),
        (None, "x.json cannot be read (no such file or directory); check the name"),
    ],
)
def test_files_that_are_no_json(content: bytes | None, text: str, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "x.json").write_bytes(content)
    with pytest.raises(UsageError) as caught:
        read_file(tmp_path / "x.json")
    assert str(caught.value).startswith(text)
    assert "\n" not in str(caught.value)


def test_a_layer_without_paint(tmp_path: Path) -> None:
    Image.new("RGBA", (4, 4)).save(tmp_path / "x.png")
    with pytest.raises(UsageError, match=r"x\.png: it is clear everywhere"):
        read_file(tmp_path / "x.png")


@pytest.mark.parametrize("wrong", [7, {"kind": "point"}, b"x", None, [7], "no such file"])
def test_what_is_no_hint(wrong: object) -> None:
    with pytest.raises(TinctError, match=r"is no hint|is not there"):
        read_hints(wrong)


def test_a_gray_picture_without_transparency_is_no_hint(tmp_path: Path) -> None:
    Image.new("L", (30, 20), 120).save(tmp_path / "photo.png")
    with pytest.raises(UsageError, match=r"photo\.png.*gray and opaque.*transparent"):
        read_file(tmp_path / "photo.png")
