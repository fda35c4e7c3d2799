"""The zoo: every bundle is whole, small, listed, and colors a picture."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from tinct import Colorizer
from tinct.bundle import find_bundle, verify
from tinct.train import recipes

ZOO = Path(__file__).parents[1] / "zoo"
BUNDLES = sorted(path.parent for path in ZOO.glob("*/manifest.json"))
PICTURES = 8000
MOST_MEGABYTES = 10


def test_every_bundle_is_listed_and_has_its_command() -> None:
    names = {bundle.name for bundle in BUNDLES}
    table = (ZOO / "README.md").read_text("utf-8").split("|---|", 1)[1]
    listed = set(re.findall(r"`([\w-]+)`", "".join(re.findall(r"^\|([^|]*)\|", table, re.M))))
    assert listed == names
    script = (ZOO / "train").read_text("utf-8")
    for bundle in BUNDLES:
        assert re.search(rf"^ *row \"?{bundle.name.replace('-16', '-[$]latent')}\"? ", script, re.M)


def test_every_published_recipe_has_a_bundle() -> None:
    shown = {find_bundle(bundle).manifest.recipe["name"] for bundle in BUNDLES}
    assert shown == {name for name in recipes.names() if not name.startswith("flagship-")}


@pytest.mark.parametrize("path", BUNDLES, ids=lambda path: path.name)
def test_a_bundle_is_whole_and_colors(path: Path) -> None:
    bundle = find_bundle(path)
    verify(bundle)
    manifest = bundle.manifest
    assert manifest.name == path.name
    assert sum(file.stat().st_size for file in path.iterdir()) <= MOST_MEGABYTES * 1e6
    assert (manifest.recipe["size"], manifest.recipe["seen"]) == ("small", PICTURES)
    assert manifest.recipe["finished"]
    assert manifest.data
    assert all(part["license"] != "not stated" for part in manifest.data)
    assert manifest.metrics["pictures"] > 100
    assert "Not evaluated" not in bundle.card
    if manifest.recipe["name"] == "autoencoder-reconstruct":
        return
    ramp = np.tile(np.linspace(0, 255, 96).astype(np.uint8), (64, 1))
    out = Colorizer(path, threads=1)(ramp)
    assert out.shape == (64, 96, 3)
    assert np.ptp(out.astype(int), axis=2).max() > 5  # it is not gray
