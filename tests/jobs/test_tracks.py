"""A hint for one moment of a film stays with its thing, through its shot and no further."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import data
from tests.jobs.test_video import make_film, pixels

from tinct.bundle import Bundle
from tinct.colorizer import Colorizer
from tinct.command import cli
from tinct.errors import UsageError
from tinct.hints import KeepGray, Point, Stroke
from tinct.jobs.tracks import Timed, follow_hints, parse_timed
from tinct.jobs.video import color_film

pytest.importorskip("cv2")
WIDTH, HEIGHT, STEP = 160, 120, 3


def frames(count: int = 12) -> Iterator[tuple[float, np.ndarray]]:
    """A pan to the right over one picture, then over another, 10 frames a second."""
    wholes = [
        np.asarray(Image.fromarray(picture).convert("L").resize((240, HEIGHT)))
        for picture in (data.astronaut(), data.coffee())
    ]
    for number in range(2 * count):
        x = number % count * STEP
        yield number / 10, wholes[number // count][:, x : x + WIDTH]


def test_a_place_is_followed_both_ways_through_its_shot() -> None:
    hint = Point(x=0.5, y=0.4, color="red")
    found = follow_hints([Timed(0.6, hint)], frames())
    assert sorted(found) == list(range(12))
    for number, (moved,) in found.items():
        assert isinstance(moved, Point)
        assert moved.x == pytest.approx(0.5 - (number - 6) * STEP / WIDTH, abs=0.02)
        assert moved.y == pytest.approx(0.4, abs=0.02)
        assert moved.color == hint.color
    later = follow_hints([Timed(1.2, hint), Timed(1.31, hint)], frames())
    assert sorted(later) == list(range(12, 24))
    assert {len(hints) for hints in later.values()} == {2}


def test_what_leaves_the_picture_is_let_go() -> None:
    stroke = Stroke(points=((0.05, 0.5), (0.3, 0.5)), color="navy")
    found = follow_hints([Timed(0, stroke)], frames())
    assert 1 < len(found) < 6
    with pytest.raises(UsageError, match="has ended before 9 s"):
        follow_hints([Timed(9, stroke)], frames())


def test_hints_as_people_type_them() -> None:
    timed = parse_timed("12.5@0.4,0.6=#b04030")
    assert (timed.seconds, timed.hint) == (12.5, Point(x=0.4, y=0.6, color="#b04030"))
    assert parse_timed("0.4,0.6=gray").seconds == 0
    assert isinstance(parse_timed("3@0.1,0.2 0.4,0.6=gray").hint, KeepGray)
    for text, match in (
        ("soon@0.4,0.6=red", "SECONDS@X,Y=COLOR"),
        ("-1@0.4,0.6=red", "0 seconds or more"),
        ("1@4px,6px=red", "in shares"),
        ("1@0,0:0.2,1=gray", "no boxes"),
        ("1@nonsense", "is no hint"),
    ):
        with pytest.raises(UsageError, match=match):
            parse_timed(text)


def test_the_film_takes_the_color(tiny: Bundle, tmp_path: Path) -> None:
    pytest.importorskip("av")
    source = make_film(tmp_path / "film.mkv", count=12, sound=False)
    colorizer = Colorizer(tiny.path, threads=1)
    hint = Timed(0.1, Point(x=0.5, y=0.5, color="lab(60 -60 40)", radius=0.3))
    color_film(source, tmp_path / "plain.mkv", colorizer=colorizer)
    # crf 0 loses nothing: x264 does not always make the same choices from the same frames.
    color_film(source, tmp_path / "hinted.mkv", colorizer=colorizer, hints=[hint], crf=0)
    plain, hinted = (pixels(tmp_path / f"{name}.mkv").astype(int) for name in ("plain", "hinted"))
    greener = (hinted - plain)[..., 1] - (hinted - plain)[..., 0]
    assert (greener[:6, 20:40, 30:60].mean((1, 2)) > 10).all()
    assert np.abs(greener[6:].mean((1, 2))).max() < 4
    words = [str(source), "-o", str(tmp_path / "c.mkv"), "--model", str(tiny.path), "--crf", "0"]
    assert cli.main([*words, "--hint", "0.1@0.5,0.5,0.3=lab(60 -60 40)"]) == 0
    assert np.array_equal(pixels(tmp_path / "c.mkv"), hinted)
    assert cli.main([*words, "--overwrite", "--hint", "99@0.5,0.5=red"]) == 2
