"""What every family must do, at size nano: the registry is the list.

What costs time runs for one recipe of a family, what is cheap for all of them.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.train.conftest import paint

from tinct import Colorizer
from tinct.bundle import find_bundle
from tinct.train import recipes
from tinct.train.data.batches import Pictures, to_batch
from tinct.train.export import export, load_task
from tinct.train.families import FAMILIES, build_task
from tinct.train.optimization import only, prepare_stage
from tinct.train.rundir import RunDir
from tinct.train.task import Batch
from tinct.train.trainer import Trainer, train

EACH = pytest.mark.parametrize("name", recipes.names())
FIRST = {recipes.get(name, size="nano").family: name for name in reversed(recipes.names())}
LEARNS = {"chromagan": (0.004, 400), "flagship": (0.008, 90), "flagship_lineart": (0.008, 120)}
FAMILY = pytest.mark.parametrize("name", [FIRST[family] for family in FAMILIES])


@pytest.fixture(scope="module")
def runs(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Finished nano runs of the recipes asked for so far."""
    return {}


def run_of(
    name: str, runs: dict[str, Path], pictures: Path, factory: pytest.TempPathFactory
) -> Path:
    if name not in runs:
        out = factory.mktemp("runs") / name
        train(recipes.get(name, {"stages.0.steps": "10"}, size="nano"), [pictures], out)
        runs[name] = out
    return runs[name]


def a_batch(pictures: Path, name: str, count: int = 4) -> Batch:
    recipe = recipes.get(name, size="nano")
    data = Pictures([pictures], recipe=recipe.data, seed=0)
    raw = data.batch(0, 0, size=max(recipe.stages[0].size, recipe.multiple_of), count=count)
    return to_batch(raw, device=torch.device("cpu"), task=recipe.task)


@EACH
def test_outputs_are_what_the_contract_says(name: str, pictures: Path) -> None:
    recipe = recipes.get(name, size="nano")
    task = build_task(recipe)
    task.eval()
    step = recipe.multiple_of
    for height, width in ((step, step), (2 * step, step), (step, 3 * step)):
        lightness, hint = torch.rand(2, 1, height, width) * 100, torch.zeros(2, 4, height, width)
        with torch.no_grad():
            found = task.net(lightness, hint)
        assert set(found) in ({"ab"}, {"lab"}, {"ab", "bins"}, {"lab", "bins"})
        channels = 3 if "lab" in found else 2
        picture = found.get("lab", found.get("ab"))
        assert picture.shape[:2] == (2, channels)
        assert height % picture.shape[2] == 0
        assert height / picture.shape[2] == width / picture.shape[3]
        assert bool(torch.isfinite(picture).all())
        assert float(picture[:, -2:].abs().max()) <= 130
    batch = a_batch(pictures, name)
    lab = task.predict(batch)
    assert lab.shape == (4, 3, *batch.input_lightness.shape[2:])
    if recipe.task == "photo" and "reconstruct" not in name:
        assert torch.equal(lab[:, :1], batch.lightness)


@FAMILY
def test_overfits_one_batch(
    name: str, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The real trainer, given the same four pictures again and again, learns them by heart."""
    recipe = recipes.get(name, size="nano")
    lr, steps = LEARNS.get(recipe.family, (0.004, 160))
    first = dataclasses.replace(recipe.stages[0], freeze=(), lr=lr, steps=steps, batch=4)
    # What the network has learned, not how its heads are joined afterwards; and without what wants
    # pictures to look real, not to be these.
    plain: dict[str, object] = {
        "gain": 1.0,
        "contrast": 0.0,
        "bins_share": 0.0,
        "adversary_weight": 0.0,
    }
    plain["feature_weights"] = (0, 0, 0)
    known = {key: value for key, value in plain.items() if hasattr(recipe.model, key)}
    recipe = dataclasses.replace(
        recipe,
        model=dataclasses.replace(recipe.model, **known),
        data=dataclasses.replace(recipe.data, degraded=0.0),
        stages=(first,),
        validate_every=1000,
        save_every=1000,
    )
    draw = Pictures.batch
    monkeypatch.setattr(
        Pictures, "batch", lambda self, stage, step, **more: draw(self, 0, 0, **more)
    )
    trainer = Trainer(recipe, data=[pictures], out=tmp_path / "run")
    raw = trainer.pictures.batch(0, 0, size=first.size, count=first.batch)
    batch = to_batch(raw, device=torch.device("cpu"), task=recipe.task)

    def error() -> float:
        """The distance of colors from the truth, as a share of that of their mean."""
        trainer.task.eval()
        with torch.no_grad():
            found = trainer.task.predict(batch)[:, 1:]
        middle = batch.ab.mean(dim=(0, 2, 3), keepdim=True)
        return float((found - batch.ab).norm(dim=1).mean() / (middle - batch.ab).norm(dim=1).mean())

    trainer.fit()
    assert error() < 0.45


@EACH
def test_a_player_moves_only_its_own(name: str, pictures: Path) -> None:
    recipe = recipes.get(name, size="nano")
    task = build_task(recipe)
    prepare_stage(task, recipe.stages[0])
    batch = a_batch(pictures, name)
    for player in task.players():
        for parameter in task.parameters():
            parameter.grad = None
        terms = task.loss(player.name, batch)
        assert terms
        assert all(value.ndim == 0 for value in terms.values())
        with only(task, player.name):
            torch.stack(list(task.loss(player.name, batch).values())).sum().backward()
        own = {id(p) for group in player.groups.values() for p in group}
        moved = {id(p) for p in task.parameters() if p.grad is not None}
        assert moved
        assert moved <= own
    for name_, value in task.figures(batch).items():
        assert bool(torch.isfinite(value)), name_


@FAMILY
def test_same_seed_same_weights(
    name: str,
    pictures: Path,
    runs: dict[str, Path],
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    one = RunDir(run_of(name, runs, pictures, tmp_path_factory)).load()["module"]
    train(recipes.get(name, {"stages.0.steps": "10"}, size="nano"), [pictures], tmp_path / "run")
    two = RunDir(tmp_path / "run").load()["module"]
    assert one.keys() == two.keys()
    assert all(torch.equal(value, two[key]) for key, value in one.items())


@FAMILY
def test_bundle_agrees_with_torch_and_colors(
    name: str,
    pictures: Path,
    runs: dict[str, Path],
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    run = run_of(name, runs, pictures, tmp_path_factory)
    bundle = export(run, tmp_path / "bundle")  # compares ONNX Runtime with torch on odd sizes
    manifest = find_bundle(bundle).manifest
    recipe, task = load_task(run)
    assert manifest.task == recipe.task
    assert manifest.takes_hints == task.takes_hints
    assert manifest.parameters == sum(p.numel() for p in task.net.parameters())
    assert manifest.recipe["parity"]["float32"] < 0.01
    if "reconstruct" in name:  # it needs the colors that it gives back
        return
    colorizer = Colorizer(bundle, threads=1)
    for height, width in ((40, 52), (3, 90), (1, 1)):
        picture = np.ascontiguousarray(paint(1, height, width)[..., 1])
        out = colorizer(picture)
        assert out.shape == (height, width, 3)
        assert out.dtype == np.uint8
        if manifest.task == "photo":
            from skimage.color import rgb2lab

            gray = colorizer(picture, strength=0.0)
            assert np.array_equal(gray[..., 0], picture)
            shift = rgb2lab(out)[..., 0] - rgb2lab(gray)[..., 0]
            assert np.abs(shift).mean() < 0.5
