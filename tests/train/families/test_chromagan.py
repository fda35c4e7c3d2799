"""ChromaGAN is what its paper and its published code say it is."""

from __future__ import annotations

import copy
from itertools import pairwise
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
from scipy.stats import entropy
from skimage.color import lab2rgb
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode
from torchvision.transforms.functional import normalize

from tinct.errors import UsageError
from tinct.train import recipes
from tinct.train.export import export, load_net
from tinct.train.families import build_task as build
from tinct.train.families.chromagan import (
    Base,
    ChromaGanTask,
    Teacher,
    divergence,
    gradient_penalty,
)
from tinct.train.nets import backbones
from tinct.train.nets.blocks import PatchDiscriminator
from tinct.train.optimization import build_optimizers, only, prepare_stage
from tinct.train.recipe import Size
from tinct.train.recipes.chromagan import RECIPES, ChromaGan
from tinct.train.task import Batch
from tinct.train.trainer import train

PUBLISHED = ChromaGan(pretrained=False)
TERMS = {
    "chromagan": {
        "net": {"color", "classes", "adversarial"},
        "discriminator": {"real", "made", "penalty"},
    },
    "chromagan-no-class": {
        "net": {"color", "adversarial"},
        "discriminator": {"real", "made", "penalty"},
    },
    "chromagan-no-adversary": {"net": {"color"}},
}


def nano(name: str = "chromagan", **overrides: str) -> ChromaGanTask:
    torch.manual_seed(0)
    changed = {f"model.{key}": text for key, text in overrides.items()}
    return build(recipes.get(name, changed, size="nano"))


def made_batch(pictures: int = 3, size: int = 32) -> Batch:
    chance = torch.Generator().manual_seed(3)
    lab = torch.rand(pictures, 3, 4, 4, generator=chance) * 80
    lab = F.interpolate(lab, size=(size, size), mode="bilinear") - torch.tensor(
        [[[0]], [[40]], [[30]]]
    )
    return Batch(
        input_lightness=lab[:, :1],
        lightness=lab[:, :1],
        ab=lab[:, 1:],
        hint=torch.zeros(pictures, 4, size, size),
        rgb=torch.zeros(pictures, 3, size, size),
    )


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def recipe_without_weights(size: Size) -> ChromaGanTask:
    """Build a recipe's task, its tensors without memory."""
    with torch.device("meta"):
        return build(recipes.get("chromagan", {"model.pretrained": "false"}, size=size))


# Structure


def test_full_generator_has_the_papers_layers() -> None:
    """Each row by hand: kernel side, channels in, channels out; with biases."""
    vgg = [(3, 64), (64, 64), (64, 128), (128, 128), (128, 256), (256, 256), (256, 256)]
    vgg += [(256, 512), (512, 512), (512, 512)]
    color = [(1, 512, 256), (3, 256, 128), (3, 128, 64), (3, 64, 64), (3, 64, 32), (3, 32, 2)]
    flat = 7 * 7 * 512

    def convolutions(rows: list[tuple[int, int, int]]) -> int:
        return sum(side * side * before * after + after for side, before, after in rows)

    def connected(*widths: int) -> int:
        return sum(b * a + a for b, a in pairwise(widths))

    shared = convolutions([(3, *row) for row in vgg])
    overview = convolutions([(3, 512, 512)] * 4) + 4 * 2 * 512  # scale and shift of each channel
    middle = convolutions([(3, 512, 512), (3, 512, 256)]) + 2 * 512 + 2 * 256
    summary = connected(flat, 1024, 512, 256)
    classes = connected(flat, 4096, 4096, 1000)

    task = recipe_without_weights("full")
    parts = dict(task.net.named_children())
    assert count(parts["base"]) == shared == 7_635_264
    assert count(parts["overview"]) == overview
    assert count(parts["middle"]) == middle
    assert count(parts["summary"]) == summary
    assert count(parts["color"]) == convolutions(color)
    assert count(task.classes) == classes
    g1 = shared + overview + middle + summary + convolutions(color)
    assert count(task.net) == g1
    assert g1 + classes == 171_166_090


def test_full_maps_have_the_papers_sizes() -> None:
    task = recipe_without_weights("full")
    task.eval()
    with torch.device("meta"):
        lightness = torch.empty(2, 1, 224, 224)
        shared = task.net.base(lightness)
        assert shared.shape == (2, 512, 28, 28)
        assert task.net.overview(shared).shape == (2, 512, 7, 7)
        assert task.net.middle(shared).shape == (2, 256, 28, 28)
        whole = task.net.encode(shared)
        assert task.net.summary(whole).shape == (2, 256)
        assert task.classes(whole).shape == (2, 1000)
        for height, width in ((224, 224), (120, 264), (8, 16), (448, 320)):
            lightness = torch.empty(1, 1, height, width)
            assert task.net(lightness, lightness)["ab"].shape == (1, 2, height, width)


def test_discriminator_is_the_published_one_without_normalization() -> None:
    with torch.device("meta"):
        discriminator = recipe_without_weights("full").discriminator
        assert discriminator(torch.empty(1, 3, 224, 224)).shape == (1, 1, 26, 26)
    convolutions = [part for part in discriminator if isinstance(part, nn.Conv2d)]
    assert [(c.out_channels, c.kernel_size, c.stride[0]) for c in convolutions] == [
        (64, (4, 4), 2),
        (128, (4, 4), 2),
        (256, (4, 4), 2),
        (512, (4, 4), 1),
        (1, (4, 4), 1),
    ]
    assert isinstance(discriminator, PatchDiscriminator)
    assert {type(part) for part in discriminator} == {nn.Conv2d, nn.Identity, nn.LeakyReLU}


def test_small_is_small() -> None:
    task = recipe_without_weights("small")
    assert count(task.net) < 2_000_000
    with torch.device("meta"), FlopCounterMode(display=False) as counter:
        lightness = torch.empty(1, 1, 128, 128)
        assert task.net.base(lightness).shape == (1, 40 + 112, 16, 16)
        assert task.net(lightness, lightness)["ab"].shape == (1, 2, 128, 128)
    assert counter.get_total_flops() / 2 < 2 * 0.5e9  # both passes together


@pytest.mark.parametrize("base", ["vgg16", "none", "efficientnet_lite0"])
def test_base_sees_srgb_as_its_weights_expect(base: str) -> None:
    seen = Base(ChromaGan(base=base, pretrained=False, fresh=(4, 4, 4)))
    seen.early, seen.late, seen.joined = nn.Identity(), nn.Identity(), False
    lightness = torch.linspace(0, 100, 64).reshape(1, 1, 8, 8)
    lab = np.concatenate([lightness[0].numpy(), np.zeros((2, 8, 8))]).transpose(1, 2, 0)
    gray = torch.from_numpy(lab2rgb(lab).transpose(2, 0, 1))
    plain = ([0.5] * 3, [0.5] * 3)
    imagenet = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    expected = normalize(gray, *(imagenet if base == "vgg16" else plain))
    assert torch.allclose(seen(lightness)[0].double(), expected, atol=0.01)


def test_any_size_meets_the_connected_layers_as_the_training_size_does() -> None:
    net = nano().net.eval()
    net.overview = nn.Identity()
    # A map of the grid's own size goes through as it is, one twice as large as means of 2x2.
    found = torch.randn(2, 12, 2, 2)
    assert torch.equal(net.encode(found), found.flatten(1))
    found = torch.randn(2, 12, 4, 4)
    assert torch.allclose(net.encode(found), F.avg_pool2d(found, 2).flatten(1), atol=1e-6)
    assert net.encode(torch.randn(1, 12, 3, 7)).shape == (1, 12 * 2 * 2)


def test_summary_is_the_same_at_every_place() -> None:
    net = nano().net.eval()
    given: list[Tensor] = []
    net.color.register_forward_pre_hook(lambda _, inputs: given.append(inputs[0]))
    shared = net.base(torch.rand(2, 1, 40, 72) * 100)
    whole = net.encode(shared)
    net.paint(shared, whole)
    summary = net.summary(whole)
    assert given[0].shape == (2, 12 + 8, 5, 9)
    assert torch.equal(given[0][:, :12], net.middle(shared))
    for row, column in ((0, 0), (2, 7), (4, 8)):
        assert torch.equal(given[0][:, 12:, row, column], summary)


def test_color_is_published_range_in_pixels_of_two() -> None:
    net = nano().net.eval()
    last = net.color[-3]
    assert isinstance(last, nn.Conv2d)
    lightness = torch.rand(1, 1, 32, 48) * 100
    ab = net(lightness, lightness)["ab"]
    assert torch.equal(ab, F.interpolate(ab[:, :, ::2, ::2], scale_factor=2, mode="nearest"))
    nn.init.zeros_(last.weight)
    for bias, value in ((-100.0, -128.0), (0.0, -0.5), (100.0, 127.0)):
        nn.init.constant_(last.bias, bias)
        assert torch.equal(net(lightness, lightness)["ab"], torch.full((1, 2, 32, 48), value))


# Losses


def test_divergence_is_zero_for_equals_and_scipys_otherwise() -> None:
    chance = np.random.default_rng(0)
    reference = chance.dirichlet(np.full(50, 0.1), size=4)
    reference[0, :10] = 0  # a class that is out of the question counts nothing
    reference[0] /= reference[0].sum()
    predicted = chance.dirichlet(np.full(50, 0.5), size=4)
    logits = torch.from_numpy(np.log(predicted))
    found = divergence(torch.from_numpy(reference).float(), logits.float() + 7)
    assert float(found) == pytest.approx(entropy(reference, predicted, axis=1).mean(), rel=1e-4)
    same = divergence(torch.from_numpy(predicted).float(), logits.float() - 3)
    assert float(same) == pytest.approx(0, abs=1e-6)


def test_penalty_of_a_linear_discriminator_is_that_of_its_weights() -> None:
    weight = torch.randn(2, 5, 7, dtype=torch.float64, requires_grad=True)
    real, made = torch.randn(2, 3, 2, 5, 7, dtype=torch.float64)
    along = torch.rand(3, 1, 1, 1, dtype=torch.float64)
    # The map has two values a picture; its sum is what counts.
    penalty = gradient_penalty(
        lambda x: torch.stack([(x * weight).sum((1, 2, 3)), (2 * x * weight).sum((1, 2, 3))], 1),
        real,
        made,
        along=along,
    )
    norm = float(np.linalg.norm(3 * weight.detach().numpy()))
    assert float(penalty.detach()) == pytest.approx((norm - 1) ** 2, rel=1e-5)
    (slope,) = torch.autograd.grad(penalty, weight)
    expected = 2 * (norm - 1) * 9 * weight.detach().numpy() / norm
    assert np.allclose(slope.numpy(), expected, rtol=1e-5)


def test_penalty_looks_between_the_pictures() -> None:
    """The slope of |x|^2 / 2 is x: the penalty tells where it looked."""
    real = torch.tensor([[3.0, 4.0], [0.0, 2.0]]).reshape(2, 2, 1, 1)
    made = torch.tensor([[0.0, 0.0], [0.0, -2.0]]).reshape(2, 2, 1, 1)

    def look(first: float, second: float) -> float:
        along = torch.tensor([first, second]).reshape(2, 1, 1, 1)
        found = gradient_penalty(lambda x: x.square().sum() / 2, real, made, along=along)
        return float(found.detach())

    assert look(1.0, 1.0) == pytest.approx(((5 - 1) ** 2 + (2 - 1) ** 2) / 2)
    assert look(0.2, 0.75) == pytest.approx(((1 - 1) ** 2 + (1 - 1) ** 2) / 2)
    # At slope 0 the norm is 0, and what follows stays finite.
    assert look(0.0, 0.5) == pytest.approx(1.0, abs=1e-4)


def test_terms_by_hand() -> None:
    """A network that paints one color, and a discriminator that says one number."""
    task = nano()
    last, verdict = task.net.color[-3], task.discriminator[-1]
    assert isinstance(last, nn.Conv2d)
    assert isinstance(verdict, nn.Conv2d)
    nn.init.zeros_(last.weight)
    with torch.no_grad():  # a* 63.25 and b* -64.25: a quarter up and down from the middle
        last.bias.copy_(torch.tensor([3.0, 1 / 3]).log())
    nn.init.zeros_(verdict.weight)
    nn.init.constant_(verdict.bias, 0.7)
    batch = made_batch()
    ab = np.stack([np.full((3, 32, 32), v) for v in (63.25, -64.25)], axis=1)
    squares = ((ab - batch.ab.numpy()) ** 2).mean() / 255**2
    terms = task.loss("net", batch)
    assert float(terms["color"].detach()) == pytest.approx(squares, rel=1e-4)
    assert float(terms["adversarial"].detach()) == pytest.approx(-0.1 * 0.7, rel=1e-6)
    whole = task.net.encode(task.net.base(batch.input_lightness))
    with torch.no_grad():
        predicted = task.classes(whole).double().softmax(dim=1).numpy()
    kl = entropy(task.teacher(batch.input_lightness).double().numpy(), predicted, axis=1).mean()
    assert float(terms["classes"].detach()) == pytest.approx(0.003 * kl, rel=1e-4)
    terms = task.loss("discriminator", batch)
    told = {name: float(value.detach()) for name, value in terms.items()}
    assert told == pytest.approx({"real": -0.7, "made": 0.7, "penalty": 10.0}, rel=1e-4)
    figures = task.figures(batch)
    assert float(figures["d_loss"]) == pytest.approx(0, abs=1e-6)
    assert float(figures["squares"]) == pytest.approx(squares, rel=1e-4)


def test_discriminator_sees_lightness_and_color_in_their_units() -> None:
    task = nano()
    given: list[Tensor] = []
    task.discriminator.register_forward_pre_hook(lambda _, inputs: given.append(inputs[0]))
    batch = made_batch()
    task.loss("discriminator", batch)
    truth = torch.cat([batch.input_lightness / 100, batch.ab / 255], dim=1)
    assert any(torch.allclose(seen, truth) for seen in given)
    assert all(torch.equal(seen[:, :1], batch.input_lightness / 100) for seen in given)
    assert len(given) == 3  # the truth, the network's, and between them


# Players and variants


@pytest.mark.parametrize("name", RECIPES)
def test_variants_leave_out_exactly_what_they_name(name: str) -> None:
    task, batch = nano(name), made_batch()
    wanted = TERMS[name]
    assert [player.name for player in task.players()] == list(wanted)
    for player, terms in wanted.items():
        assert set(task.loss(player, batch)) == terms
    assert (task.classes is not None) == ("classes" in wanted["net"])
    assert (task.discriminator is not None) == ("discriminator" in wanted)
    assert ("agreement" in task.figures(batch)) == ("classes" in wanted["net"])
    assert ("d_accuracy" in task.figures(batch)) == ("discriminator" in wanted)
    groups = [p for player in task.players() for group in player.groups.values() for p in group]
    assert sorted(map(id, groups)) == sorted(map(id, task.parameters()))
    for size in ("small", "full"):
        model, full = recipes.get(name, size=size).model, recipes.get("chromagan", size=size).model
        weights = [model.color_weight, model.class_weight, model.adversary_weight]
        assert weights == [1.0] + [
            weight if term in wanted["net"] else 0.0
            for term, weight in (("classes", 0.003), ("adversarial", 0.1))
        ]
        assert model.penalty_weight == full.penalty_weight == 10


def test_each_player_moves_all_of_its_own_and_nothing_else() -> None:
    recipe = recipes.get("chromagan", size="nano")
    task, batch = nano(), made_batch()
    prepare_stage(task, recipe.stages[0])
    optimizers = build_optimizers(task, recipe)
    for player in task.players():
        before = {n: p.detach().clone() for n, p in task.named_parameters()}
        with only(task, player.name):
            torch.stack(list(task.loss(player.name, batch).values())).sum().backward()
        optimizers[player.name].step()
        moved = {n for n, p in task.named_parameters() if not torch.equal(p, before[n])}
        if player.name == "discriminator":
            # The last bias moves both verdicts alike: their difference does not see it.
            assert {n for n in before if n.startswith("discriminator.")} - moved <= {
                "discriminator.11.bias"
            }
            assert all(n.startswith("discriminator.") for n in moved)
        else:
            assert moved == {n for n in before if n.startswith(("net.", "classes."))}


def test_frozen_features_stay_as_they_are() -> None:
    recipe = recipes.get("chromagan", {"model.pretrained": "false"}, size="small")
    stage = recipe.stages[0]
    assert stage.freeze == ("base.early",)
    torch.manual_seed(0)
    no_class = recipes.get("chromagan-no-class", {"model.pretrained": "false"}, size="small")
    task = build(no_class)
    prepare_stage(task, stage)
    before = copy.deepcopy(task.net.base.state_dict())
    task.loss("net", made_batch(2, 64))["color"].backward()
    after = task.net.base.state_dict()
    assert all(torch.equal(value, after[n]) for n, value in before.items() if "early" in n)
    assert not all(torch.equal(v, after[n]) for n, v in before.items() if "late" in n)  # statistics
    assert all(p.grad is None for p in task.net.base.early.parameters())
    assert all(p.grad is not None for p in task.net.base.late.parameters())


def test_teacher_is_loaded_when_asked_and_never_saved(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[Tensor] = []

    class Counting(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.bias = nn.Parameter(torch.arange(1000.0) / 100)

        def forward(self, x: Tensor) -> Tensor:
            shown.append(x)
            return self.bias.expand(len(x), -1)

    loaded: list[str] = []

    def classifier(name: str) -> nn.Module:
        loaded.append(name)
        return Counting()

    monkeypatch.setattr(backbones, "classifier", classifier)
    task = nano(teacher="efficientnet_lite2", teacher_size="48")
    assert loaded == []
    batch = made_batch()
    opinion = task.teacher(batch.input_lightness)
    task.loss("net", batch)
    assert loaded == ["efficientnet_lite2"]
    assert shown[0].shape == (3, 3, 48, 48)
    assert -1 <= float(shown[0].min()) < float(shown[0].max()) <= 1
    assert torch.allclose(opinion[1], (torch.arange(1000.0) / 100).softmax(dim=0))
    assert not any(
        tuple(value.shape) == (1000,) and "teacher" in key
        for key, value in task.state_dict().items()
    )
    assert count(task) == sum(count(part) for part in task.children())


def test_stand_in_disturbs_no_chance_and_is_always_the_same() -> None:
    lightness = torch.rand(2, 1, 32, 32) * 100
    torch.manual_seed(5)
    one = Teacher("stand-in", size=32)(lightness)
    drawn = torch.rand(3)
    torch.manual_seed(5)
    assert torch.equal(drawn, torch.rand(3))
    assert torch.equal(one, Teacher("stand-in", size=32)(lightness))
    assert torch.allclose(one.sum(dim=1), torch.ones(2))
    assert float(one.max()) > 2 / 1000


def test_published_hyper_parameters() -> None:
    recipe = recipes.get("chromagan")
    (stage,) = recipe.stages
    assert (stage.size, stage.batch, stage.lr, stage.schedule) == (224, 10, 2e-5, "constant")
    assert stage.steps * stage.batch == 5 * 1_300_000
    o = recipe.optimizer
    assert (o.betas, o.weight_decay, o.clip, o.ema) == ((0.5, 0.999), 0, 0, 0)
    assert recipe.model == ChromaGan()
    assert recipe.model.base == "vgg16"
    assert recipe.data.hints == "none"


@pytest.mark.parametrize("change", [{"model.base": "resnet"}, {"model.grid": "1"}])
def test_impossible_settings_are_refused(change: dict[str, str]) -> None:
    with pytest.raises(UsageError, match=next(iter(change))):
        recipes.get("chromagan", change)


# What is exported


def test_class_branch_is_not_exported_and_odd_sizes_agree(pictures: Path, tmp_path: Path) -> None:
    recipe = recipes.get("chromagan", {"stages.0.steps": "3"}, size="nano")
    train(recipe, [pictures], tmp_path / "run")
    bundle = export(tmp_path / "run", tmp_path / "bundle")
    _, net = load_net(tmp_path / "run")
    graph = onnx.load(bundle / "model.onnx").graph
    assert [given.name for given in graph.input] == ["luma"]
    assert [made.name for made in graph.output] == ["ab"]
    sizes = [int(np.prod(tensor.dims)) for tensor in graph.initializer]
    assert all(1000 not in tensor.dims for tensor in graph.initializer)
    classes = nano().classes
    buffers = sum(buffer.numel() for buffer in net.buffers())
    assert sum(sizes) < count(net) + buffers + 200 < count(net) + count(classes)
    session = ort.InferenceSession(str(bundle / "model.onnx"))
    for height, width in ((8, 8), (40, 72), (104, 24), (8, 200), (56, 56)):
        lightness = torch.rand(2, 1, height, width) * 100
        with torch.no_grad():
            expected = net(lightness, lightness)["ab"].numpy()
        (found,) = session.run(["ab"], {"luma": lightness.numpy()})
        assert found.shape == (2, 2, height, width)
        assert np.abs(found - expected).max() < 0.5  # weights of half precision
