"""Hints from one line of text."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from tinct.errors import UsageError
from tinct.hints import Hint, KeepGray, Point, Stroke
from tinct.hints.text import parse_hint


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("0.42,0.6=lab(20 1 2)", Point(x=0.42, y=0.6, color="lab(20 1 2)")),
        (" 0 , 1 , 0.05 = red", Point(x=0, y=1, color="red", radius=0.05)),
        ("420px,600px=#abc", Point(x=420, y=600, color="#abc", unit="px")),
        ("4.5PX,6px,2px=#abc", Point(x=4.5, y=6, color="#abc", radius=2, unit="px")),
        ("0.1,0.2 0.3,0.4=olive", Stroke(points=((0.1, 0.2), (0.3, 0.4)), color="olive")),
        (
            "0,0  1,0 .5 , 1 , .1 =olive",
            Stroke(points=((0, 0), (1, 0), (0.5, 1)), color="olive", width=0.1),
        ),
        (
            "1px,2px 3px,4px=olive",
            Stroke(points=((1, 2), (3, 4)), color="olive", unit="px"),
        ),
        ("0.1,0.2=gray", KeepGray(points=((0.1, 0.2),))),
        ("0.1,0.2,0.05=Grey", KeepGray(points=((0.1, 0.2),), width=0.1)),
        ("0.1,0.2 1,1,0.05=gray", KeepGray(points=((0.1, 0.2), (1, 1)), width=0.05)),
        ("0.1,0.2:0.3,0.4=gray", KeepGray(box=(0.1, 0.2, 0.3, 0.4))),
        ("1px,2px : 3px,4px=gray", KeepGray(box=(1, 2, 3, 4), unit="px")),
        ("0.1,0.2=#808080", Point(x=0.1, y=0.2, color="#808080")),
    ],
)
def test_hints(text: str, hint: Hint) -> None:
    assert parse_hint(text) == hint


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("", "is no hint"),
        ("=red", "is no hint"),
        ("0.1,0.2", "is no hint"),
        ("0.1=red", "is no hint"),
        ("0.1,0.2,0.3,0.4=red", "is no hint"),
        ("0.1,0.2,0.3 0.4,0.5=red", "is no hint"),
        ("a,0.2=red", "a place is two numbers"),
        ("0.1,0.2=", "color: '' is no color"),
        ("1.1,0.2=red", "x: must lie in 0..1, not 1.1; pixels are marked px"),
        ("0.1,-1=red", "y: must lie in 0..1"),
        ("0.1,nan=red", "y: must lie in 0..1"),
        ("0.1,0.2,2=red", "radius: must lie in 0..1"),
        ("0,0 0,2=red", r"points\[1\]\[1\]: must lie in 0..1"),
        ("0,0 0,1,7=red", "width: must lie in 0..1"),
        ("-1px,0px=red", "x: must be 0 or more pixels"),
        ("infpx,0px=red", "x: must be 0 or more pixels"),
        ("10px,0.2=red", "in px, or none"),
        ("0.1,0.2,3px=red", "in px, or none"),
        ("0,0:1,1=red", "a box can stay gray"),
        ("0,0:1=gray", "a box can stay gray"),
        ("0,0:1,1 0,0=gray", "a box can stay gray"),
        ("0.5,0:0.5,1=gray", "box: left must be less than right"),
        ("0.1,0.2=lab(120 0 0)", "out of range"),
        ("0.1,0.2=lab(50 0 200)", "out of range"),
    ],
)
def test_wrong_hints(text: str, match: str) -> None:
    with pytest.raises(UsageError, match=match) as caught:
        parse_hint(text)
    assert repr(text) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_hints_in_the_documents_are_some() -> None:
    root = Path(__file__).parents[2]
    pages = [root / "README.md", root / "docs" / "guide.md"]
    lines = [line for page in pages for line in page.read_text("utf-8").splitlines()]
    found = []
    for line in lines:
        if line.startswith("tinct ") and "--hint " in line:
            words = shlex.split(re.sub(r"\s{2,}# .*", "", line))
            found += [words[i + 1] for i, word in enumerate(words) if word == "--hint"]
    assert len(found) >= 10
    kinds = {type(parse_hint(text)) for text in found}
    assert kinds == {Point, Stroke, KeepGray}
