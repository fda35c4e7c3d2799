"""Which model colors which picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import tinct
from made_pictures import line_drawing
from test_colorizer import png, ramp
from tinct import photo
from tinct.colorizer import Colorizer
from tinct.router import Router
from tiny_models import make_bundle, make_copier


def test_a_drawing_gets_the_model_for_line_art(no_bundles: Path) -> None:
    make_bundle(no_bundles / "photo", name="photo")
    make_copier(no_bundles / "alpha", name="alpha", task="lineart", color=(0, 0))
    make_copier(no_bundles / "lineart", name="lineart", task="lineart", color=(40, 20))
    router = Router()
    assert router.name == "auto"
    for picture, name in ((line_drawing(), "lineart"), (ramp(80, 90), "photo")):
        chosen = router.choose(picture)
        assert chosen.name == name
        assert chosen.choose(255 - picture) is chosen  # what is chosen once stays
        alone = Colorizer(name)
        np.testing.assert_array_equal(router(picture), alone(picture))
        assert router(png(picture)) == alone(png(picture))
        colored = router.color(photo.from_array(picture))
        assert colored.note.model == colored.bundle.name == name
        np.testing.assert_array_equal(tinct.colorize(picture), alone(picture))
    assert router.choose(line_drawing()) is router.choose(line_drawing())  # loaded once
    assert Colorizer("photo").choose(line_drawing()).name == "photo"


def test_any_model_for_line_art_is_better_than_none(no_bundles: Path) -> None:
    make_bundle(no_bundles / "photo", name="photo")
    make_copier(no_bundles / "mine", name="mine", task="lineart")
    assert Router().choose(line_drawing()).name == "mine"


def test_a_drawing_without_a_model_for_it_is_told(no_bundles: Path, tmp_path: Path) -> None:
    make_bundle(no_bundles / "photo", name="photo")
    router, drawing = Router(), line_drawing()
    with pytest.warns(photo.PictureWarning, match="looks like a line drawing") as told:
        found = router(drawing)
    assert len(told) == 1
    np.testing.assert_array_equal(found, Colorizer("photo")(drawing))
    (tmp_path / "drawing.png").write_bytes(png(drawing))
    with pytest.warns(photo.PictureWarning, match="looks like a line drawing") as told:
        router.file(tmp_path / "drawing.png", tmp_path / "out.png")
    assert len(told) == 1
