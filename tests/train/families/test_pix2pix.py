"""pix2pix is what its paper, its published code and the article say it is."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from skimage.color import rgb2lab
from torch import Tensor, nn
from torch.nn import functional as F

from tinct.color import rgb_to_lab
from tinct.train import recipes
from tinct.train.families import build_task as build
from tinct.train.families.pix2pix import Pix2PixNet, Pix2PixTask
from tinct.train.nets.blocks import PatchDiscriminator, initialize_normal, normalization
from tinct.train.nets.losses import gan_loss
from tinct.train.optimization import only
from tinct.train.recipe import Recipe
from tinct.train.recipes.pix2pix import RECIPES, Pix2Pix
from tinct.train.task import Batch

NANO = Pix2Pix(widths=(8, 8, 12, 12, 12), discriminator_width=4)


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def made_batch(pictures: int = 2, size: int = 32) -> Batch:
    coarse = torch.rand(pictures, 3, 4, 4, generator=torch.Generator().manual_seed(3))
    rgb = F.interpolate(coarse, size=(size, size), mode="bilinear")
    lab = rgb_to_lab(rgb, axis=1)
    return Batch(
        input_lightness=lab[:, :1],
        lightness=lab[:, :1],
        ab=lab[:, 1:],
        hint=torch.zeros(pictures, 4, size, size),
        rgb=rgb,
    )


def nano_recipe(name: str = "pix2pix-gray", **overrides: str) -> Recipe:
    fixed = {"model.norm": "instance", "model.dropout": "0.0"}
    return recipes.get(
        name, {**fixed, **{f"model.{key}": text for key, text in overrides.items()}}, size="nano"
    )


@pytest.fixture
def make_task() -> Callable[..., Pix2PixTask]:
    def make(name: str = "pix2pix-gray", **overrides: str) -> Pix2PixTask:
        torch.manual_seed(0)
        return build(nano_recipe(name, **overrides))

    return make


# The discriminator


def test_discriminator_gives_the_articles_map() -> None:
    with torch.device("meta"):
        discriminator = PatchDiscriminator(6)
        assert discriminator(torch.empty(1, 6, 256, 256)).shape == (1, 1, 30, 30)
    convolutions = [part for part in discriminator if isinstance(part, nn.Conv2d)]
    assert [c.out_channels for c in convolutions] == [64, 128, 256, 512, 1]
    assert [c.stride[0] for c in convolutions] == [2, 2, 2, 1, 1]
    kinds = "".join(type(part).__name__[0] for part in discriminator)
    assert kinds == "CL" + "CBL" * 3 + "C"  # no normalization in the first and the last layer


# The paper's section 4.4 names the discriminators that see 16, 70 and 286 pixels.
@pytest.mark.parametrize(("layers", "field"), [(1, 16), (3, 70), (5, 286)])
def test_discriminator_sees_exactly_its_field(layers: int, field: int) -> None:
    discriminator = PatchDiscriminator(1, width=1, norm="none", layers=layers).double()
    for parameter in discriminator.parameters():
        nn.init.constant_(parameter, 0.1)  # no way through the network may cancel another
    picture = torch.rand(1, 1, 512, 512, dtype=torch.float64, requires_grad=True)
    verdict = discriminator(picture)
    middle = verdict.shape[-1] // 2
    (gradient,) = torch.autograd.grad(verdict[0, 0, middle, middle], picture)
    seen = gradient[0, 0] != 0
    rows, columns = seen.any(dim=1).nonzero(), seen.any(dim=0).nonzero()
    assert len(rows) == len(columns) == field
    assert int(rows.max() - rows.min()) + 1 == field
    assert int(seen.sum()) == field**2


def test_parameters_are_the_published_ones() -> None:
    with torch.device("meta"):
        task = build(recipes.get("pix2pix-gray"))
    # What the published code prints for its "unet_256" and "basic" networks with 3 channels in and
    # out (and 6 into the discriminator), to its three decimals. It has no biases in the first and
    # the innermost layer, where nothing normalizes; the first code, in Lua, had, and so have we.
    assert round((count(task.net) - 64 - 512) / 1e6, 3) == 54.414
    assert round(count(task.discriminator) / 1e6, 3) == 2.769
    # To the last one: kernels of both ways, scales and shifts, biases where nothing normalizes.
    widths = [64, 128, 256, 512, 512, 512, 512, 512]
    down = sum(a * b for a, b in zip([3, *widths], widths, strict=False))
    up = 512 * 512 + sum(2 * a * b for a, b in zip(widths[:-1], [3, *widths[:-2]], strict=True))
    scales_and_shifts = 2 * (sum(widths[1:-1]) + sum(widths[:-1]))
    assert count(task.net) == 16 * (down + up) + scales_and_shifts + (64 + 512 + 3)
    down = 6 * 64 + 64 * 128 + 128 * 256 + 256 * 512 + 512
    assert count(task.discriminator) == 16 * down + 2 * (128 + 256 + 512) + (64 + 1)


def test_weights_are_drawn_as_published() -> None:
    torch.manual_seed(0)
    parts = nn.Sequential(
        nn.Conv2d(64, 128, 4), normalization("batch", 10_000), nn.Linear(100, 100)
    )
    initialize_normal(parts)
    convolution, norm, linear = parts
    for layer, mean in ((convolution, 0.0), (norm, 1.0), (linear, 0.0)):
        assert float(layer.weight.detach().std()) == pytest.approx(0.02, rel=0.05)
        assert float(layer.weight.detach().mean()) == pytest.approx(mean, abs=1e-3)
        assert not layer.bias.detach().any()


# The losses


def test_adversarial_equals_hand_values() -> None:
    logits = torch.tensor([[0.0, 2.0], [-1.0, 0.5]])
    squares = {True: (1 + 1 + 4 + 0.25) / 4, False: (0 + 4 + 1 + 0.25) / 4}
    for real, expected in squares.items():
        found = gan_loss(logits, real=real, kind="least-squares")
        assert float(found) == pytest.approx(expected)
    shares = [1 / (1 + math.exp(-x)) for x in (0.0, 2.0, -1.0, 0.5)]
    entropies = {
        True: -sum(math.log(p) for p in shares) / 4,
        False: -sum(math.log(1 - p) for p in shares) / 4,
    }
    for real, expected in entropies.items():
        found = gan_loss(logits, real=real, kind="cross-entropy")
        assert float(found) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("verdict", ["least-squares", "cross-entropy"])
def test_terms_are_the_papers(make_task: Callable[..., Pix2PixTask], verdict: str) -> None:
    task, batch = make_task(verdict=verdict), made_batch()
    gray = rgb2gray_of(batch)
    made = task.net.paint(gray)
    real = task.discriminator(torch.cat([gray, batch.rgb * 2 - 1], dim=1)).detach().double().numpy()
    fake = task.discriminator(torch.cat([gray, made], dim=1)).detach().double().numpy()

    def distance(values: np.ndarray, target: int) -> float:
        if verdict == "least-squares":
            return float(((values - target) ** 2).mean())
        return float(np.log1p(np.exp(-values if target else values)).mean())

    discriminator = {
        key: float(value.detach()) for key, value in task.loss("discriminator", batch).items()
    }
    assert discriminator == pytest.approx(
        {"real": 0.5 * distance(real, 1), "fake": 0.5 * distance(fake, 0)}, rel=1e-4
    )
    apart = np.abs(made.detach().numpy() - (batch.rgb.numpy() * 2 - 1)).mean()
    net = {key: float(value.detach()) for key, value in task.loss("net", batch).items()}
    assert net == pytest.approx({"adversarial": distance(fake, 1), "l1": 100 * apart}, rel=1e-4)


def rgb2gray_of(batch: Batch) -> Tensor:
    """The neutral sRGB value of each L*, three times, in -1..1; by scikit-image's own formulas."""
    from skimage.color import lab2rgb

    lab = np.concatenate([batch.input_lightness.numpy(), np.zeros_like(batch.ab.numpy())], axis=1)
    gray = lab2rgb(lab.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    return torch.from_numpy(gray).float() * 2 - 1


# The network


def test_every_size_has_a_skip(make_task: Callable[..., Pix2PixTask]) -> None:
    """The network equals a recursion over its layers, the form in which the code is published."""
    net = make_task().net.eval()
    depth = len(net.downs)

    def inside(x: Tensor, level: int) -> Tensor:
        down = net.downs[level](x)
        below = [inside(down, level + 1)] if level + 1 < depth else []
        return net.ups[depth - 1 - level](torch.cat([*below, down], dim=1))

    x = torch.rand(1, 3, 64, 32) * 2 - 1
    assert torch.allclose(net.paint(x), torch.tanh(inside(x, 0)), atol=1e-6)
    # With nothing coming from inside at some size, the picture still comes through its skip.
    other = x.clone()
    other[..., :8, :8] *= -1
    for up in list(net.ups)[1:]:
        weight = up[1].weight
        held = weight.detach().clone()
        with torch.no_grad():
            weight[: weight.shape[0] // 2] = 0
            assert float((net.paint(x) - net.paint(other)).abs().max()) > 1e-3
            weight.copy_(held)


def test_layers_are_the_papers() -> None:
    with torch.device("meta"):
        net = Pix2PixNet(Pix2Pix())
        kept: list[tuple[int, ...]] = []
        for down in net.downs:
            down.register_forward_hook(lambda part, given, out: kept.append(tuple(out.shape[1:])))
        assert net.paint(torch.empty(1, 3, 256, 256)).shape == (1, 3, 256, 256)
    widths = [64, 128, 256, 512, 512, 512, 512, 512]
    assert kept == [(width, 128 >> n, 128 >> n) for n, width in enumerate(widths)]
    dropout = [part.p for up in net.ups for part in up if isinstance(part, nn.Dropout)]
    assert dropout == [0.5, 0.5, 0.5, 0, 0, 0, 0, 0]
    normalized = [isinstance(down[2], nn.InstanceNorm2d) for down in net.downs]
    assert normalized == [False, *[True] * 6, False]


def test_instance_normalization_is_batch_normalization_at_batch_1() -> None:
    x = torch.rand(1, 5, 7, 9) * 3
    instance, batch = normalization("instance", 5), normalization("batch", 5).train()
    assert torch.allclose(instance(x), batch(x), atol=1e-5)
    assert isinstance(normalization("none", 5), nn.Identity)


def test_bottleneck_of_one_pixel_tells_pictures_apart() -> None:
    """Normalized over one pixel of one picture every feature would be 0 (the paper's errata)."""
    torch.manual_seed(0)
    net = Pix2PixNet(NANO)
    found: list[Tensor] = []
    net.downs[-1].register_forward_hook(lambda part, given, out: found.append(out.detach()))
    for seed in range(2):
        net.paint(torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(seed)))
    assert found[0].shape == (1, 12, 1, 1)
    assert float(found[0].abs().min()) > 0
    assert not torch.allclose(found[0], found[1], rtol=0.01)


def test_dropout_is_the_trainings_alone(make_task: Callable[..., Pix2PixTask]) -> None:
    net, x = make_task(dropout="0.5").net, torch.rand(1, 3, 32, 32)
    assert not torch.equal(net.train().paint(x), net.paint(x))
    assert torch.equal(net.eval().paint(x), net.paint(x))
    without = make_task(dropout="0.0").net.train()
    assert torch.equal(without.paint(x), without.paint(x))


def test_paint_becomes_lab(make_task: Callable[..., Pix2PixTask]) -> None:
    net, batch = make_task().net.eval(), made_batch()
    with torch.no_grad():
        painted = net.paint(rgb2gray_of(batch)).numpy() * 0.5 + 0.5
        found = net(batch.input_lightness, batch.hint)["lab"]
    expected = rgb2lab(painted.transpose(0, 2, 3, 1).astype(np.float64)).transpose(0, 3, 1, 2)
    assert np.abs(found.numpy() - expected).max() < 0.05


def test_lab_variant_gives_chroma_alone(make_task: Callable[..., Pix2PixTask]) -> None:
    task, batch = make_task("pix2pix-gray-lab"), made_batch()
    out = task.net.eval()(batch.input_lightness, batch.hint)
    assert set(out) == {"ab"}
    expected = 110 * task.net.paint(batch.input_lightness / 50 - 1)
    assert out["ab"].shape == (2, 2, 32, 32)
    assert torch.allclose(out["ab"], expected, atol=1e-4)
    l1 = float(task.loss("net", batch)["l1"].detach())
    made = task.net.paint(batch.input_lightness / 50 - 1).detach()
    assert l1 == pytest.approx(100 * float((made - batch.ab / 110).abs().mean()), rel=1e-5)


def test_photographs_keep_their_lightness_and_drawings_are_painted(
    make_task: Callable[..., Pix2PixTask],
) -> None:
    batch = made_batch()
    for name in RECIPES:
        task = make_task(name)
        task.eval()
        lab, out = task.predict(batch), task.net(batch.input_lightness, batch.hint)
        assert lab.shape == (2, 3, 32, 32)
        if name == "pix2pix-lineart":
            assert torch.equal(lab, out["lab"])
            assert not torch.allclose(lab[:, :1], batch.input_lightness, atol=1)
        else:
            assert torch.equal(lab[:, :1], batch.input_lightness)
            assert torch.equal(lab[:, 1:], next(iter(out.values()))[:, -2:])


# The game


@pytest.mark.parametrize(
    ("name", "channels"),
    [
        ("pix2pix-gray", 6),
        ("pix2pix-gray-cross-entropy", 6),
        ("pix2pix-gray-unconditional", 3),
        ("pix2pix-gray-lab", 3),  # L and ab
        ("pix2pix-lineart", 6),
    ],
)
def test_the_condition_is_seen_where_there_is_one(
    make_task: Callable[..., Pix2PixTask], name: str, channels: int
) -> None:
    task, batch = make_task(name), made_batch()
    assert task.discriminator[0].in_channels == channels
    seen, picture = task.net.see(batch.input_lightness), task.truth(batch)
    same = torch.equal(task.discriminate(seen, picture), task.discriminate(seen * 0.5, picture))
    assert same == (name == "pix2pix-gray-unconditional")


@pytest.mark.parametrize(("mover", "other"), [("net", "discriminator"), ("discriminator", "net")])
def test_a_turn_moves_its_player_alone(
    make_task: Callable[..., Pix2PixTask], mover: str, other: str
) -> None:
    task, batch = make_task(), made_batch()
    groups = {player.name: player.groups for player in task.players()}
    assert list(groups) == ["discriminator", "net"]
    before = {name: [p.detach().clone() for p in groups[name][name]] for name in groups}
    optimizer = torch.optim.Adam(groups[mover][mover], lr=1e-2)
    with only(task, mover):
        torch.stack(list(task.loss(mover, batch).values())).sum().backward()
    assert all(p.grad is None for p in groups[other][other])
    assert all(p.grad is not None for p in groups[mover][mover])
    optimizer.step()
    moved = {
        name: [
            not torch.equal(old, new)
            for old, new in zip(before[name], groups[name][name], strict=True)
        ]
        for name in groups
    }
    assert any(moved[mover])
    assert not any(moved[other])


def test_each_player_gains_by_its_own_turns(make_task: Callable[..., Pix2PixTask]) -> None:
    task, batch = make_task(), made_batch(4)
    for player in task.players():
        optimizer = torch.optim.Adam(player.groups[player.name], lr=2e-3, betas=(0.5, 0.999))
        losses = []
        for _ in range(60):
            optimizer.zero_grad()
            loss = torch.stack(list(task.loss(player.name, batch).values())).sum()
            loss.backward()
            optimizer.step()
            losses.append(float(loss.detach()))
        assert losses[-1] < 0.5 * losses[0]


@pytest.mark.parametrize("verdict", ["least-squares", "cross-entropy"])
def test_figures_tell_how_the_game_stands(
    make_task: Callable[..., Pix2PixTask],
    monkeypatch: pytest.MonkeyPatch,
    verdict: str,
) -> None:
    """Three of four true patches pass, one of four made ones."""
    task, batch = make_task(verdict=verdict), made_batch()
    truth = task.truth(batch)
    high, low = 0.8, -0.3

    def discriminate(seen: Tensor, picture: Tensor) -> Tensor:
        maps = [high, high, high, low] if torch.equal(picture, truth) else [low, low, low, high]
        return torch.tensor(maps).reshape(1, 1, 2, 2)

    monkeypatch.setattr(task, "discriminate", discriminate)
    found = {key: float(value) for key, value in task.figures(batch).items()}
    assert found["d_accuracy"] == pytest.approx(0.75)
    assert found["g_accuracy"] == pytest.approx(0.25)
    l1 = float((task.net.paint(task.net.see(batch.input_lightness)) - truth).abs().mean().detach())
    assert found["l1"] == pytest.approx(l1, rel=1e-5)

    def cost(value: float, target: int) -> float:
        if verdict == "least-squares":
            return (value - target) ** 2
        return math.log1p(math.exp(-value if target else value))

    half_real = (3 * cost(high, 1) + cost(low, 1)) / 4
    half_fake = (3 * cost(low, 0) + cost(high, 0)) / 4
    assert found["d_loss"] == pytest.approx(0.5 * (half_real + half_fake), rel=1e-5)
    wanted = (3 * cost(low, 1) + cost(high, 1)) / 4 + 100 * l1
    assert found["g_loss"] == pytest.approx(wanted, rel=1e-5)


# The recipes


def test_full_size_has_the_published_values() -> None:
    for name in RECIPES:
        recipe = recipes.get(name)
        (stage,) = recipe.stages
        assert (stage.size, stage.batch, stage.lr, stage.warmup) == (256, 1, 2e-4, 0)
        assert (stage.schedule, stage.final) == ("linear", 0)
        assert recipe.optimizer.betas == (0.5, 0.999)
        assert (recipe.optimizer.weight_decay, recipe.optimizer.clip) == (0, 0)
        assert recipe.optimizer.ema == 0
        assert recipe.model.l1_weight == 100
        assert (recipe.data.hints, recipe.data.degraded) == ("none", 0)
        assert recipe.multiple_of == 256
        verdict = "cross-entropy" if name.endswith("cross-entropy") else "least-squares"
        assert recipe.model.verdict == verdict
        assert recipe.task == ("lineart" if name.endswith("lineart") else "photo")
    assert recipes.get("pix2pix-gray").stages[0].steps == 6 * 1_200_000


@pytest.mark.parametrize("name", RECIPES)
def test_small_size_is_small(name: str) -> None:
    from torch.utils.flop_counter import FlopCounterMode

    task = build(recipes.get(name, size="small"))
    assert count(task.net) < 2_000_000
    assert count(task.discriminator) < 200_000
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), counter:
        task.net.eval()(torch.rand(1, 1, 128, 128) * 100, torch.zeros(1, 4, 128, 128))
    assert counter.get_total_flops() / 2 < 0.4e9
