"""The flagship for line art: what it gives, how its heads are joined, when perception counts."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch
from torch.nn import functional as F

from tinct.color import ab_bins, rgb_to_lab
from tinct.train import recipes
from tinct.train.families import build_task
from tinct.train.families.flagship_lineart import PaintingNet, PaintingTask
from tinct.train.optimization import only
from tinct.train.rundir import RunDir
from tinct.train.task import Batch
from tinct.train.trainer import train

NANO = recipes.get("flagship-lineart", size="nano")


def batch(count: int = 4, side: int = 32) -> Batch:
    chance = torch.Generator().manual_seed(0)
    rgb = torch.rand(count, 3, side, side, generator=chance)
    lab = rgb_to_lab(rgb, axis=1)
    lightness = (torch.rand(count, 1, side, side, generator=chance) > 0.1) * 100.0
    return Batch(lightness, lab[:, :1], lab[:, 1:], torch.zeros(count, 4, side, side), rgb)


@pytest.fixture
def net() -> PaintingNet:
    torch.manual_seed(0)
    return PaintingNet(NANO.model).eval()


@pytest.mark.parametrize("shape", [(1, 32, 32), (2, 64, 32), (1, 32, 96)])
def test_shapes_and_ranges(net: PaintingNet, shape: tuple[int, int, int]) -> None:
    count, height, width = shape
    with torch.no_grad():
        out = net(torch.rand(count, 1, height, width) * 100, torch.zeros(count, 4, height, width))
    assert out["lab"].shape == (count, 3, height, width)
    assert out["bins"].shape == (count, len(ab_bins()), height // 4, width // 4)
    assert 0 <= float(out["lab"][:, 0].min()) <= float(out["lab"][:, 0].max()) <= 100
    assert float(out["lab"][:, 1:].abs().max()) <= 110


def test_white_paper_and_black_ink_can_be_painted(net: PaintingNet) -> None:
    """The lightness head reaches beyond 0 and 100, so that neither is only approached."""
    for bias, wanted in ((9.0, 100.0), (-9.0, 0.0)):
        with torch.no_grad():
            net.to_lab.bias[0] = bias
            out = net(torch.full((1, 1, 32, 32), 100.0), torch.zeros(1, 4, 32, 32))
        assert float((out["lab"][:, 0] - wanted).abs().max()) == 0


def test_bins_change_colors_only_at_their_own_scale(net: PaintingNet) -> None:
    lightness, hint = torch.rand(1, 1, 64, 64) * 100, torch.zeros(1, 4, 64, 64)
    with torch.no_grad():
        raw, bins = net.heads(lightness, hint)
        net.set_join(0.5, 0.0, 1.0)
        assert torch.allclose(net(lightness, hint)["lab"][:, 1:], raw[:, 1:], atol=1e-4)
        net.set_join(0.5, 1.0, 1.0)
        joined = net(lightness, hint)["lab"][:, 1:]
        added = joined - raw[:, 1:]
        wanted = net.annealed_mean(bins, 0.5) - F.avg_pool2d(raw[:, 1:], 4)
        smooth = F.interpolate(wanted, scale_factor=4.0, mode="bilinear", align_corners=False)
    assert torch.allclose(added, smooth, atol=1e-3)


def test_a_pixel_of_hint_reaches_full_size(net: PaintingNet) -> None:
    lightness, hint = torch.full((1, 1, 32, 32), 100.0), torch.zeros(1, 4, 32, 32)
    with torch.no_grad():
        without = net(lightness, hint)["lab"]
        hint[0, :, 17, 9] = torch.tensor([60.0, 80.0, 40.0, 1.0])
        change = (net(lightness, hint)["lab"] - without).abs().sum(dim=1)[0]
    assert float(change[17, 9]) > 1e-4


def test_terms_of_a_stage() -> None:
    torch.manual_seed(0)
    task = build_task(NANO)
    assert isinstance(task, PaintingTask)
    pictures = batch()
    assert list(task.loss("net", pictures)) == ["lightness", "ab", "bins"]
    first, last = NANO.stages
    assert "perceptual" not in task.loss("net", pictures, first)
    torch.manual_seed(1)
    once = task.loss("net", pictures, last)["perceptual"]
    more = dataclasses.replace(last, terms={"perceptual": 3 * last.terms["perceptual"]})
    torch.manual_seed(1)
    assert float(task.loss("net", pictures, more)["perceptual"].detach()) == pytest.approx(
        3 * float(once.detach()), rel=0.05
    )
    once.backward()
    assert task.net.to_lab.weight.grad is not None
    assert task.perceptual.network(torch.device("cpu"))[0].weight.grad is None


def test_every_nth_picture_is_judged() -> None:
    task = build_task(NANO)
    assert isinstance(task, PaintingTask)
    seen: list[int] = []
    task.perceptual = lambda made, truth: seen.append(len(made)) or (made - truth).mean()  # type: ignore[assignment,func-returns-value]
    task.loss("net", batch(count=8), NANO.stages[-1])
    assert seen == [8 // NANO.model.perceptual_every]


def test_the_discriminator_plays_only_where_a_stage_lets_it() -> None:
    torch.manual_seed(0)
    recipe = NANO
    task = build_task(recipe)
    assert isinstance(task, PaintingTask)
    assert [player.name for player in task.players()] == ["net", "discriminator"]
    alone = recipes.get("flagship-lineart", {"model.discriminator": "0"}, size="nano")
    assert [player.name for player in build_task(alone).players()] == ["net"]
    pictures = batch(side=64)
    first = recipe.stages[0]
    assert "adversarial" not in task.loss("net", pictures, first)
    only_that = dataclasses.replace(first, terms={"adversarial": 0.5})
    assert list(task.loss("net", pictures, only_that)) == ["lightness", "ab", "bins", "adversarial"]
    with only(task, "discriminator"):
        terms = task.loss("discriminator", pictures, only_that)
    torch.stack(list(terms.values())).sum().backward()
    assert all(parameter.grad is None for parameter in task.net.parameters())
    # Least squares by hand: 1 for the truth, 0 for what was made, half of each.
    truth = torch.cat([pictures.lightness, pictures.ab], dim=1)
    with torch.no_grad():
        real = task.discriminate(pictures, truth)
    assert float(terms["real"].detach()) == pytest.approx(
        float(((real - 1) ** 2).mean() / 2), rel=1e-4
    )


def test_a_discriminator_that_learns_tells_truth_from_flat_brown() -> None:
    torch.manual_seed(0)
    recipe = recipes.get("flagship-lineart", {"model.discriminator": "8"}, size="nano")
    task = build_task(recipe)
    assert isinstance(task, PaintingTask)
    discriminator = next(player for player in task.players() if player.name == "discriminator")
    parameters = [parameter for group in discriminator.groups.values() for parameter in group]
    optimizer, pictures = torch.optim.Adam(parameters, lr=2e-3), batch(side=64)
    for _ in range(40):
        optimizer.zero_grad()
        torch.stack(list(task.loss("discriminator", pictures).values())).sum().backward()
        optimizer.step()
    truth = torch.cat([pictures.lightness, pictures.ab], dim=1)
    with torch.no_grad():
        made = task.net.heads(pictures.input_lightness, pictures.hint)[0]
        apart = task.discriminate(pictures, truth).mean() - task.discriminate(pictures, made).mean()
    assert float(apart) > 0.5


def test_a_player_whose_turn_never_comes(pictures: Path, tmp_path: Path) -> None:
    """The discriminator's weights stay as they began where its turns are 0."""
    chosen = {"stages.1.turns.discriminator": "0", "stages.1.steps": "3", "stages.0.steps": "3"}
    recipe = recipes.get("flagship-lineart", chosen, size="nano")
    train(recipe, [pictures], tmp_path / "run")
    state = RunDir(tmp_path / "run").load()
    torch.manual_seed(recipe.seed)
    fresh = build_task(recipe).state_dict()
    names = [name for name in fresh if name.startswith("discriminator.")]
    assert names
    assert all(torch.equal(state["module"][name], fresh[name]) for name in names)
