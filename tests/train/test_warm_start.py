"""Trainings that begin with weights that exist."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from torch.nn import BatchNorm2d, Conv2d

from tinct.bundle import find_bundle, shipped_folder
from tinct.command import cli
from tinct.errors import ModelError, TrainingError
from tinct.train import recipes
from tinct.train.data.batches import Pictures, to_batch
from tinct.train.export import export
from tinct.train.families import build_task
from tinct.train.recipe import Recipe
from tinct.train.rundir import RunDir
from tinct.train.task import Batch, Task
from tinct.train.trainer import train
from tinct.train.warm_start import find_start, warm_start


def nano(**model: object) -> Recipe:
    recipe = recipes.get("flagship-photo", size="nano")
    return dataclasses.replace(recipe, model=dataclasses.replace(recipe.model, **model))


def a_batch(pictures: Path) -> Batch:
    data = Pictures([pictures], recipe=nano().data, seed=0)
    return to_batch(data.batch(0, 0, size=32, count=8), device=torch.device("cpu"))


def test_a_run_is_taken_as_it_is(nano_run: Path) -> None:
    task = build_task(nano())
    told = warm_start(task, nano_run)
    assert told == [f"starts from the run {nano_run}"]
    held = RunDir(nano_run).load()["ema"]
    assert all(torch.equal(value, held[key]) for key, value in task.state_dict().items())


@pytest.mark.parametrize("name", ["flagship-photo", "autoencoder", "pix2pix-gray", "sketch-unet"])
def test_a_bundle_gives_its_own_predictions(name: str, pictures: Path, tmp_path: Path) -> None:
    """ONNX Runtime tells what the bundle predicts; the network must, in evaluation and training."""
    recipe = recipes.get(name, {"stages.0.steps": "8"}, size="nano")
    train(recipe, [pictures], tmp_path / "run")
    bundle = find_bundle(export(tmp_path / "run", tmp_path / "bundle"))
    task = build_task(recipe)
    side = max(64, recipe.multiple_of)
    lightness = torch.rand(3, 1, side // 8, side // 8) * 100
    lightness = torch.nn.functional.interpolate(lightness, scale_factor=8, mode="bilinear")
    seen = dataclasses.replace(
        a_batch(pictures), input_lightness=lightness, hint=torch.zeros(3, 4, side, side)
    )
    warm_start(task, bundle.path, pictures=lambda _: seen)
    task.prepare_export()
    for key, value in task.net.named_buffers():
        if key == "bin_centers":
            assert len(value) == len(bundle.manifest.ab_bins)
    session = onnxruntime.InferenceSession(str(bundle.model_path))
    given = {"luma": lightness.numpy(), "hint": seen.hint.numpy()}
    names = {node.name for node in session.get_inputs()}
    (wanted, *_) = session.run(None, {k: v for k, v in given.items() if k in names})
    task.eval()
    with torch.no_grad():
        found = task.net(lightness, seen.hint)[bundle.manifest.predicts].numpy()
    # "calm" was taken off the bins' bias when the bundle was exported, and is once more here.
    assert np.abs(found - wanted).max() < (12 if name == "flagship-photo" else 0.1)


def test_folded_convolutions_are_as_large_as_new_ones(
    nano_run: Path, pictures: Path, tmp_path: Path
) -> None:
    """Behind a normalization a weight's size says how far a step of the optimizer turns it."""
    bundle = export(nano_run, tmp_path / "bundle")
    task = build_task(nano())
    sizes = {name: part.flatten(1).norm(dim=1) for name, part in convolutions(task)}
    warm_start(task, bundle, pictures=lambda _: a_batch(pictures))
    modules = dict(task.net.named_modules())
    norms = [name for name, part in modules.items() if isinstance(part, BatchNorm2d)]
    # In the decoder a normalization follows the convolution before it: mix8.0.0, mix8.0.1.
    behind = {
        f"{name[:-1]}0" for name in norms if not name.startswith("encoder") and name[-1] == "1"
    }
    checked = [name for name, _ in convolutions(task) if name in behind]
    assert len(checked) >= 4
    for name, weight in convolutions(task):
        if name in checked:
            torch.testing.assert_close(weight.flatten(1).norm(dim=1), sizes[name])


def convolutions(task: Task) -> list[tuple[str, torch.Tensor]]:
    parts = task.net.named_modules()
    return [(name, part.weight.detach().clone()) for name, part in parts if type(part) is Conv2d]


def test_parts_that_are_new_have_to_be_named(nano_run: Path) -> None:
    grown = nano(more8=3)
    task = build_task(grown)
    with pytest.raises(TrainingError, match=r"net\.more8\.1\..* is not in it \(--new net\.more8"):
        warm_start(task, nano_run)
    told = warm_start(task, nano_run, new=["net.more8"])
    assert told[1] == "new: net.more8"


@pytest.mark.parametrize("kind", ["run", "bundle"])
def test_a_part_that_is_there_can_begin_anew(kind: str, nano_run: Path, tmp_path: Path) -> None:
    start = nano_run if kind == "run" else export(nano_run, tmp_path / "bundle")
    task, other = build_task(nano()), build_task(nano())
    before = {key: value.clone() for key, value in task.state_dict().items()}
    told = warm_start(task, start, anew=["net.encoder"])
    assert "net.encoder" in told[1]
    warm_start(other, start)
    after, taken = task.state_dict(), other.state_dict()
    encoder = [key for key in before if key.startswith("net.encoder.")]
    assert all(torch.equal(after[key], before[key]) for key in encoder)
    assert any(not torch.equal(after[key], taken[key]) for key in encoder)
    decoder = "net.to_bins.weight"
    assert torch.equal(after[decoder], taken[decoder])
    assert not torch.equal(after[decoder], before[decoder])


def test_a_new_block_changes_nothing(nano_run: Path) -> None:
    plain, grown = build_task(nano()), build_task(nano(more16=3, more8=3))
    warm_start(plain, nano_run)
    warm_start(grown, nano_run, new=["net.more16", "net.more8"])
    lightness, hint = torch.rand(2, 1, 64, 32) * 100, torch.zeros(2, 4, 64, 32)
    plain.eval(), grown.eval()
    with torch.no_grad():
        assert torch.allclose(plain.net(lightness, hint)["ab"], grown.net(lightness, hint)["ab"])


def test_other_shapes_are_refused(nano_run: Path) -> None:
    task = build_task(nano(widths=(8, 8, 12, 16, 24)))
    with pytest.raises(TrainingError, match=r"do not fit this recipe: .*, not .*more\."):
        warm_start(task, nano_run)
    with pytest.raises(TrainingError, match="has no place"):
        warm_start(build_task(nano(more16=0)), nano_run)


def test_from_the_command_line(
    nano_run: Path, pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["train", "flagship-photo", "--size", "nano", "--data", str(pictures)]
    words += [
        "--out",
        str(tmp_path / "run"),
        "--set",
        "stages.0.steps=2",
        "--anew",
        "net.encoder",
        "--from",
        str(nano_run),
    ]
    assert cli.main(words) == 0
    told = capsys.readouterr().out
    assert f"starts from the run {nano_run}" in told
    assert "new: net.encoder" in told
    assert cli.main([*words[:-1], "nothing", "--out", str(tmp_path / "other")]) != 0
    assert "nothing" in capsys.readouterr().err


def test_an_installed_model_is_found_by_its_name() -> None:
    assert find_start(Path("photo")) == shipped_folder() / "photo"
    with pytest.raises(ModelError, match="no model 'fotos'; did you mean 'photo'"):
        find_start(Path("fotos"))


def test_what_cannot_begin_is_found_before_pictures_are_read(tmp_path: Path) -> None:
    recipe = recipes.get("flagship-photo", size="nano")
    with pytest.raises(ModelError, match="no model 'fotos'"):
        train(recipe, [str(tmp_path / "nowhere")], tmp_path / "run", start=Path("fotos"))
    assert not (tmp_path / "run").exists()
