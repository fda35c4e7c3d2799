"""A bundle that decodes color differently is what the run would have become with that decoding."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest

from tinct.bundle import Bundle, find_bundle, verify
from tinct.errors import TrainingError, UsageError
from tinct.train.export import export
from tinct.train.redecode import redecode

CHOSEN = {"temperature": "0.9", "gain": "0.7", "coherence": "2", "color_range": "150"}


@pytest.fixture(scope="module")
def bundle(nano_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export(nano_run, tmp_path_factory.mktemp("bundles") / "nano", name="nano")


def _colored(bundle: Path) -> np.ndarray:
    chance = np.random.default_rng(0)
    lightness = chance.uniform(0, 100, (1, 1, 64, 96)).astype(np.float32)
    session = ort.InferenceSession(str(bundle / "model.onnx"))
    given = {"luma": lightness, "hint": np.zeros((1, 4, 64, 96), np.float32)}
    return np.asarray(session.run(["ab"], given)[0])


def test_it_agrees_with_the_run_exported_that_way(
    bundle: Path, nano_run: Path, tmp_path: Path
) -> None:
    wanted = export(nano_run, tmp_path / "wanted", overrides=CHOSEN)
    found = redecode(find_bundle(bundle), tmp_path / "found", overrides=CHOSEN)
    assert np.abs(_colored(found) - _colored(wanted)).max() < 0.05
    assert np.abs(_colored(found) - _colored(bundle)).max() > 0.5
    verify(find_bundle(found))


def test_its_manifest_says_what_changed_and_claims_no_figures(bundle: Path, tmp_path: Path) -> None:
    was = find_bundle(bundle)
    found = find_bundle(redecode(was, tmp_path / "calmer", overrides={"gain": "0.5"}))
    assert found.manifest.name == "calmer"
    assert found.manifest.metrics == {}
    assert found.manifest.data == was.manifest.data
    changed = {
        key
        for key, value in found.manifest.recipe["model"].items()
        if was.manifest.recipe["model"][key] != value
    }
    assert changed == {"gain"}
    assert "gain 0.5. Not evaluated yet" in found.card
    assert (found.path / "curves.json").read_bytes() == (bundle / "curves.json").read_bytes()


def test_a_bundle_may_be_replaced_by_itself(nano_run: Path, tmp_path: Path) -> None:
    bundle = export(nano_run, tmp_path / "own")
    with pytest.raises(UsageError, match="exists already"):
        redecode(find_bundle(bundle), bundle, overrides={"gain": "0.5"})
    redecode(find_bundle(bundle), bundle, overrides={"gain": "0.5"}, overwrite=True)
    assert find_bundle(bundle).manifest.recipe["model"]["gain"] == 0.5
    assert (bundle / "curves.json").is_file()


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({}, "a model already; say how"),
        ({"calm": "1"}, "cannot be chosen again"),
        ({"widths": "8"}, "only temperature"),
    ],
)
def test_what_cannot_be_chosen_is_refused(
    bundle: Path, tmp_path: Path, overrides: dict[str, str], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        redecode(find_bundle(bundle), tmp_path / "new", overrides=overrides)
    assert not (tmp_path / "new").exists()


def test_an_adapted_bundle_is_refused(bundle: Path, tmp_path: Path) -> None:
    was = find_bundle(bundle)
    model = {**was.manifest.recipe["model"], "gated": True}
    adapted = replace(
        was, manifest=replace(was.manifest, recipe={**was.manifest.recipe, "model": model})
    )
    with pytest.raises(UsageError, match="was adapted"):
        redecode(adapted, tmp_path / "new", overrides={"gain": "1"})


def test_a_bundle_of_unknown_making_is_refused(tiny: Bundle, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="how it was made"):
        redecode(tiny, tmp_path / "new", overrides={"gain": "1"})
