"""The sketch networks are what their article says they are."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import cast

import numpy as np
import pytest
import torch
from scipy.ndimage import uniform_filter
from skimage.color import rgb2lab
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from tinct.color import rgb_to_lab
from tinct.errors import UsageError
from tinct.train import recipes
from tinct.train.data.batches import Pictures, to_batch
from tinct.train.families import build_task as build
from tinct.train.families.sketch_unet import SketchNet, SketchTask, WholeDiscriminator, pixel_loss
from tinct.train.recipes.sketch_unet import RECIPES, SketchUNet
from tinct.train.rundir import RunDir
from tinct.train.task import Batch
from tinct.train.trainer import train

NANO = SketchUNet(widths=(8, 12, 16, 16))
PUBLISHED = [3, 64, 128, 256, 512, 512]
GANS = ("sketch-gan", "sketch-gan-blur-hint", "sketch-gan-patchgan")


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def made_batch(pictures: int = 2, size: int = 32) -> Batch:
    """Return smooth colors, a drawing that has nothing to do with them, and no hints."""
    chance = torch.Generator().manual_seed(3)
    rgb = F.interpolate(
        torch.rand(pictures, 3, 4, 4, generator=chance), size=(size, size), mode="bilinear"
    )
    lab = rgb_to_lab(rgb, axis=1)
    return Batch(
        input_lightness=torch.rand(pictures, 1, size, size, generator=chance) * 100,
        lightness=lab[:, :1],
        ab=lab[:, 1:],
        hint=torch.zeros(pictures, 4, size, size),
        rgb=rgb,
    )


def sketch_of(batch: Batch) -> Tensor:
    """Return the drawing as the article has it: three equal channels from -1 to 1."""
    gray = torch.from_numpy(gray_of(batch.input_lightness.numpy()))
    return gray.expand(-1, 3, -1, -1) * 2 - 1


def gray_of(lightness: np.ndarray) -> np.ndarray:
    """Return sRGB 0..1 of L*, by the standards' formulas (IEC 61966-2-1, CIE 1976)."""
    f = (lightness.astype(np.float64) + 16) / 116
    light = np.where(f > 6 / 29, f**3, (f - 4 / 29) * 3 * (6 / 29) ** 2)
    coded = np.where(light > 0.0031308, 1.055 * light ** (1 / 2.4) - 0.055, 12.92 * light)
    return coded.astype(np.float32)


@pytest.fixture
def make_task() -> Callable[..., SketchTask]:
    def make(name: str = "sketch-unet", **overrides: str) -> SketchTask:
        torch.manual_seed(0)
        fields = {f"model.{key}": text for key, text in overrides.items()}
        return build(recipes.get(name, fields, size="nano"))

    return make


# The network


def test_layers_are_the_articles() -> None:
    with torch.device("meta"):
        net = SketchNet(SketchUNet())
        sizes: list[tuple[int, int]] = []
        for part in [*net.downs, *net.ups]:
            part.register_forward_hook(
                lambda part, given, out: sizes.append((out.shape[1], out.shape[2]))
            )
        assert net.paint(torch.empty(2, 3, 128, 128)).shape == (2, 3, 128, 128)
    assert sizes == [
        *((64, 64), (128, 32), (256, 16), (512, 8), (512, 4)),
        *((512, 8), (256, 16), (128, 32), (64, 64), (3, 128)),
    ]
    layers = [part for part in net.modules() if isinstance(part, nn.Conv2d | nn.ConvTranspose2d)]
    assert len(layers) == 10
    assert all(part.kernel_size == (5, 5) and part.stride == (2, 2) for part in layers)
    norms = [part for part in net.modules() if isinstance(part, nn.BatchNorm2d)]
    assert len(norms) == 8  # all layers but the first and the last
    slopes = [part.negative_slope for part in net.downs.modules() if isinstance(part, nn.LeakyReLU)]
    assert slopes == [0.2] * 4
    assert len([part for part in net.ups.modules() if isinstance(part, nn.ReLU)]) == 5
    assert not [part for part in net.ups.modules() if isinstance(part, nn.LeakyReLU)]


def test_momentum_is_kerass_0_9() -> None:
    """Keras: running = 0.9 running + 0.1 of the batch, beginning with mean 0."""
    torch.manual_seed(0)
    net = SketchNet(NANO).train()
    x = torch.rand(4, 3, 32, 32)
    with torch.no_grad():
        first = net.downs[1][1](F.leaky_relu(net.downs[0](x), 0.2))
        net.paint(x)
    norm = cast(nn.BatchNorm2d, net.downs[1][2])
    assert norm.running_mean is not None
    assert torch.allclose(norm.running_mean, 0.9 * 0.0 + 0.1 * first.mean(dim=(0, 2, 3)), atol=1e-6)
    assert {part.momentum for part in net.modules() if isinstance(part, nn.BatchNorm2d)} == {0.1}


def test_weights_are_drawn_as_published() -> None:
    torch.manual_seed(0)
    net = SketchNet(SketchUNet(widths=(32, 64, 128)))
    discriminator = build(recipes.get("sketch-gan", size="small")).discriminator
    for part in [*net.modules(), *discriminator.modules()]:
        if isinstance(part, nn.Conv2d | nn.ConvTranspose2d):
            assert float(part.weight.detach().std()) == pytest.approx(0.02, rel=0.06)
            assert abs(float(part.weight.detach().mean())) < 2e-3


def test_parameters_follow_from_the_layers() -> None:
    with torch.device("meta"):
        net = SketchNet(SketchUNet())
        discriminator = build(recipes.get("sketch-gan")).discriminator
    down = sum(a * b for a, b in pairwise(PUBLISHED))
    up = 512 * 512 + 1024 * 256 + 512 * 128 + 256 * 64 + 128 * 3
    scales_and_shifts = 2 * (128 + 256 + 512 + 512 + 512 + 256 + 128 + 64)
    assert count(net) == 25 * (down + up) + scales_and_shifts + 64 + 3
    # The discriminator is the way down and, on its 4 x 4 x 512 values, one number.
    assert count(discriminator) == 25 * down + 64 + 2 * (128 + 256 + 512 + 512) + 4 * 4 * 512 + 1


def test_padding_is_same_on_the_mirror_image() -> None:
    """Keras pads 1 before and 2 behind where an even size is halved by 5 pixels."""
    torch.manual_seed(0)
    layer = SketchNet(NANO).downs[0]
    x = torch.rand(2, 3, 16, 24)
    mirrored, kernel = x.flip(2, 3), layer.weight.flip(2, 3)
    keras = F.conv2d(F.pad(mirrored, (1, 2, 1, 2)), kernel, layer.bias, stride=2).flip(2, 3)
    assert keras.shape == (2, 8, 8, 12)
    assert torch.allclose(layer(x), keras, atol=1e-6)


def test_way_up_is_the_transpose_of_the_way_down() -> None:
    torch.manual_seed(0)
    up = cast(nn.ConvTranspose2d, SketchNet(NANO).ups[0][1]).double()
    small, large = torch.rand(1, 16, 3, 5).double(), torch.rand(1, 16, 6, 10).double()
    down = F.conv2d(large, up.weight, stride=2, padding=2)
    one, two = (up(small) * large).sum().detach(), (small * down).sum().detach()
    assert float(one) == pytest.approx(float(two), rel=1e-9)


def test_skips_join_layer_i_and_layer_n_minus_i() -> None:
    net = SketchNet(NANO)
    layers = [*net.downs, *net.ups]
    n = len(layers)
    given: dict[int, Tensor] = {}
    out: dict[int, Tensor] = {}
    for number, layer in enumerate(layers, start=1):

        def keep(part: nn.Module, x: tuple[Tensor, ...], y: Tensor, number: int = number) -> None:
            given[number], out[number] = x[0], y

        layer.register_forward_hook(keep)
    net.paint(torch.rand(1, 3, 32, 32))
    assert n == 8
    for i in range(1, n // 2):
        behind = n - i + 1
        assert torch.equal(given[behind], torch.cat([out[n - i], out[i]], dim=1))
        assert torch.equal(given[i + 1], out[i])
    assert torch.equal(given[n // 2 + 1], out[n // 2])  # the bottleneck alone


@pytest.mark.parametrize("scaling", ["tanh", "relu"])
def test_scaling_is_the_articles(make_task: Callable[..., SketchTask], scaling: str) -> None:
    """-1..1 with tanh, or 0..1 with ReLU: what goes in, what comes out, and what it means."""
    net, batch = make_task(scaling=scaling).net.eval(), made_batch()
    seen = net.see(batch.input_lightness, batch.hint)
    expected = sketch_of(batch) if scaling == "tanh" else sketch_of(batch) * 0.5 + 0.5
    assert torch.allclose(seen, expected, atol=1e-5)
    with torch.no_grad():
        made = net.paint(seen)
        lab = net(batch.input_lightness, batch.hint)["lab"].numpy()
    assert float(made.min()) >= (-1 if scaling == "tanh" else 0)
    rgb = (made * 0.5 + 0.5 if scaling == "tanh" else made).clamp(0, 1).double().numpy()
    wanted = rgb2lab(rgb.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    assert np.abs(lab - wanted).max() < 0.05
    target = net.scale(batch.rgb)
    assert torch.allclose(net.unscale(target), batch.rgb, atol=1e-6)
    assert torch.equal(target, batch.rgb * 2 - 1 if scaling == "tanh" else batch.rgb)


# What the network is told


def batch_of(pictures: Path, kind: str) -> Batch:
    recipe = recipes.get("sketch-unet", {"data.hints": kind, "data.unhinted": "0"}, size="nano")
    raw = Pictures([pictures], recipe=recipe.data, seed=0).batch(0, 0, size=128, count=2)
    return to_batch(raw, device=torch.device("cpu"), task="lineart", training=True)


def test_blurred_hint_is_the_articles_formula(
    make_task: Callable[..., SketchTask], pictures: Path
) -> None:
    """``0.5 * (sketch + cv2.blur(color, (32, 32)))``, colors and sketches from -1 to 1."""
    batch = batch_of(pictures, "blur")
    truth = batch.rgb.double().numpy() * 2 - 1
    blurred = uniform_filter(truth, size=(1, 1, 32, 32), mode="mirror")
    expected = 0.5 * (sketch_of(batch).numpy() + blurred)
    seen = make_task("sketch-gan-blur-hint").net.see(batch.input_lightness, batch.hint).numpy()
    assert np.abs(seen - expected).max() < 0.5 * 0.5 / 127.5 + 1e-3  # half a code, halved


@pytest.mark.parametrize(
    ("name", "kind"),
    [("sketch-unet-article-patches", "article-patches"), ("sketch-unet-patch-hint", "patches")],
)
def test_patches_replace_the_drawing(
    make_task: Callable[..., SketchTask], pictures: Path, name: str, kind: str
) -> None:
    batch = batch_of(pictures, kind)
    given = batch.hint[:, 3:].expand(-1, 3, -1, -1) > 0
    seen = make_task(name).net.see(batch.input_lightness, batch.hint)
    assert given.any()
    assert torch.allclose(seen[~given], sketch_of(batch)[~given], atol=1e-5)
    off = (seen - (batch.rgb * 2 - 1))[given].abs()
    if kind == "article-patches":
        assert int(given[0, 0].sum()) == 20 * 49
        assert float(off.max()) < 1e-3
    else:
        assert float((off < 1e-3).float().mean()) > 0.5  # strokes have one color each


@pytest.mark.parametrize("name", RECIPES)
def test_who_takes_hints(make_task: Callable[..., SketchTask], name: str) -> None:
    task, batch = make_task(name), made_batch()
    task.eval()
    hint = torch.zeros_like(batch.hint)
    hint[:, :, 10:20, 10:20] = torch.tensor([50.0, 60.0, 40.0, 1.0])[:, None, None]
    same = torch.equal(
        task.net(batch.input_lightness, batch.hint)["lab"],
        task.net(batch.input_lightness, hint)["lab"],
    )
    assert task.takes_hints == (not same) == ("hint" in name or name.endswith("article-patches"))
    assert torch.allclose(
        task.net.see(batch.input_lightness, batch.hint), sketch_of(batch), atol=1e-5
    )
    asked = recipes.get(name).data.hints
    assert (asked != "none") == task.takes_hints


# The losses

MADE, TRUTH = [-0.5, 0.0, 0.8, 1.0], [0.5, -1.0, 0.6, 1.0]


def hand_value(kind: str, made: list[float], truth: list[float]) -> float:
    def each(p: float, t: float) -> float:
        if kind == "cross-entropy":
            p = min(max(p, 1e-7), 1 - 1e-7)
            return -t * math.log(p) - (1 - t) * math.log(1 - p)
        return abs(p - t) if kind == "l1" else (p - t) ** 2

    return sum(each(p, t) for p, t in zip(made, truth, strict=True)) / len(made)


@pytest.mark.parametrize(("kind", "value"), [("l1", 0.55), ("mse", 0.51), ("cross-entropy", None)])
def test_pixel_losses_equal_hand_values(kind: str, value: float | None) -> None:
    made, truth = torch.tensor(MADE), torch.tensor(TRUTH)
    found = float(pixel_loss(made, truth, kind=kind, signed=True))
    if value is not None:
        assert found == pytest.approx(value)
    shares = [[(v + 1) / 2 for v in values] for values in (MADE, TRUTH)]
    other = hand_value(kind, *(shares if kind == "cross-entropy" else [MADE, TRUTH]))
    assert found == pytest.approx(other, rel=1e-5)
    unsigned = pixel_loss(torch.tensor(shares[0]), torch.tensor(shares[1]), kind=kind, signed=False)
    assert float(unsigned) == pytest.approx(hand_value(kind, *shares), rel=1e-5)


def test_cross_entropy_stays_finite_at_both_ends() -> None:
    """A ReLU gives exact zeros and values above 1."""
    made = torch.tensor([0.0, 0.0, 1.0, 1.7, 0.3], requires_grad=True)
    loss = pixel_loss(
        made, torch.tensor([1.0, 0.0, 0.0, 1.0, 0.4]), kind="cross-entropy", signed=False
    )
    (gradient,) = torch.autograd.grad(loss, made)
    assert 0 < float(loss.detach()) < 2 * -math.log(1e-7) / 5 + 1
    assert bool(torch.isfinite(gradient).all())


@pytest.mark.parametrize("scaling", ["tanh", "relu"])
@pytest.mark.parametrize("loss", ["l1", "mse", "cross-entropy"])
def test_every_comparison_of_the_article_learns(
    make_task: Callable[..., SketchTask], loss: str, scaling: str
) -> None:
    task, batch = make_task(loss=loss, scaling=scaling), made_batch()
    optimizer = torch.optim.Adam(task.net.parameters(), lr=2e-3, betas=(0.5, 0.999))
    losses = []
    for _ in range(60):
        optimizer.zero_grad()
        (value,) = task.loss("net", batch).values()
        value.backward()
        optimizer.step()
        losses.append(float(value.detach()))
    assert losses[-1] < 0.9 * losses[0]


def test_a_misspelled_choice_is_refused(make_task: Callable[..., SketchTask]) -> None:
    with pytest.raises(AssertionError):
        make_task(discriminator="patch")
    with pytest.raises(AssertionError):
        make_task(scaling="sigmoid")
    with pytest.raises(UsageError, match="losses"):
        make_task(losses="mse")


# The game


def test_discriminator_is_the_way_down_flattened_to_one_verdict() -> None:
    with torch.device("meta"):
        recipe = recipes.get("sketch-gan")
        net, discriminator = SketchNet(recipe.model), build(recipe).discriminator
    convolutions = [part.weight.shape for part in discriminator if isinstance(part, nn.Conv2d)]
    ways = [part.weight.shape for part in net.downs.modules() if isinstance(part, nn.Conv2d)]
    assert convolutions == ways
    torch.manual_seed(0)
    small = WholeDiscriminator(3, (4, 6, 8, 8, 8)).eval()
    x = torch.rand(3, 3, 128, 128)
    with torch.no_grad():
        maps = x
        for part in small:
            if isinstance(part, nn.AdaptiveAvgPool2d):
                break
            maps = part(maps)
        linear = cast(nn.Linear, small[-1])
        assert maps.shape == (3, 8, 4, 4)  # nothing is pooled at the article's size
        expected = maps.reshape(3, 8 * 4 * 4) @ linear.weight.T + linear.bias
        assert torch.allclose(small(x), expected, atol=1e-5)
        assert small(torch.rand(2, 3, 192, 64)).shape == (2, 1)


@pytest.mark.parametrize("conditional", ["false", "true"])
def test_discriminator_sees_the_drawing_when_asked(
    make_task: Callable[..., SketchTask], conditional: str
) -> None:
    task, batch = make_task("sketch-gan", conditional=conditional), made_batch()
    seen, picture = task.net.see(batch.input_lightness, batch.hint), batch.rgb * 2 - 1
    same = torch.equal(task.discriminate(seen, picture), task.discriminate(-seen, picture))
    assert same == (conditional == "false")


@pytest.mark.parametrize("name", GANS)
def test_losses_are_the_articles(make_task: Callable[..., SketchTask], name: str) -> None:
    """100 L1 + binary cross entropy, and the discriminator's own on true and on made pictures."""
    task, batch = make_task(name), made_batch()
    seen, truth = task.net.see(batch.input_lightness, batch.hint), batch.rgb * 2 - 1
    with torch.no_grad():
        made = task.net.paint(seen)
        real = torch.sigmoid(task.discriminator(truth)).double()
        fake = torch.sigmoid(task.discriminator(made)).double()
        terms = task.loss("discriminator", batch) | task.loss("net", batch)
    found = {key: float(value) for key, value in terms.items()}
    assert found == {
        "real": pytest.approx(float(-real.log().mean()), rel=1e-4),
        "fake": pytest.approx(float(-(1 - fake).log().mean()), rel=1e-4),
        "pixel": pytest.approx(100 * float((made - truth).abs().mean()), rel=1e-4),
        "adversarial": pytest.approx(float(-fake.log().mean()), rel=1e-4),
    }


def test_discriminator_learns_at_alternate_iterations(pictures: Path, tmp_path: Path) -> None:
    recipe = recipes.get("sketch-gan", {"stages.0.steps": "7"}, size="nano")
    train(recipe, [pictures], tmp_path / "run")
    optimizers = RunDir(tmp_path / "run").load()["optimizers"]
    taken = {name: {int(s["step"]) for s in o["state"].values()} for name, o in optimizers.items()}
    assert taken == {"discriminator": {4}, "net": {7}}  # steps 0, 2, 4, 6 of 0 to 6


def test_figures_tell_how_the_game_stands(
    make_task: Callable[..., SketchTask], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three of four true pictures pass, one of four made ones."""
    task, batch = make_task("sketch-gan"), made_batch()
    truth = batch.rgb * 2 - 1
    high, low = 0.8, -0.3

    def discriminate(seen: Tensor, picture: Tensor) -> Tensor:
        passed = [high, high, high, low] if torch.equal(picture, truth) else [low, low, low, high]
        return torch.tensor(passed)[:, None]

    monkeypatch.setattr(task, "discriminate", discriminate)
    task.eval()
    found = {key: float(value) for key, value in task.figures(batch).items()}
    l1 = float((task.net.paint(sketch_of(batch)) - truth).abs().mean().detach())
    real = (3 * math.log1p(math.exp(-high)) + math.log1p(math.exp(-low))) / 4
    fake = (3 * math.log1p(math.exp(low)) + math.log1p(math.exp(high))) / 4
    fooled = (3 * math.log1p(math.exp(-low)) + math.log1p(math.exp(-high))) / 4
    assert found == {
        "pixel": pytest.approx(l1, rel=1e-4),
        "d_loss": pytest.approx(real + fake, rel=1e-4),
        "d_accuracy": pytest.approx(0.75),
        "g_loss": pytest.approx(fooled + 100 * l1, rel=1e-4),
        "g_accuracy": pytest.approx(0.25),
    }
    alone = make_task("sketch-unet")
    assert set(alone.figures(batch)) == {"pixel"}


# The recipes


@pytest.mark.parametrize("name", RECIPES)
def test_full_size_has_the_published_values(name: str) -> None:
    recipe = recipes.get(name)
    (stage,) = recipe.stages
    assert (stage.size, stage.batch, stage.lr) == (128, 32, 2e-4)
    assert (stage.warmup, stage.schedule) == (0, "constant")
    assert stage.steps * stage.batch == 100 * 20_000
    assert recipe.optimizer.betas == (0.5, 0.999)
    assert (recipe.optimizer.weight_decay, recipe.optimizer.clip) == (0, 0)
    assert recipe.optimizer.ema == 0
    assert recipe.data.first == (20_000, 3_000, 3_000)
    assert (recipe.data.degraded, recipe.data.smallest_crop) == (0, 1)
    assert (recipe.model.loss, recipe.model.scaling) == ("l1", "tanh")
    assert (recipe.task, recipe.multiple_of) == ("lineart", 32)
    game = name in GANS
    assert stage.turns == ({"discriminator": 2} if game else {})
    assert recipe.model.pixel_weight == (100 if game else 1)
    assert (recipe.model.discriminator != "none") == game


@pytest.mark.parametrize("name", RECIPES)
def test_small_size_is_small(name: str) -> None:
    recipe = recipes.get(name, size="small")
    task = build(recipe)
    assert count(task.net) < 2_000_000
    assert count(task) - count(task.net) < 300_000
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), counter:
        task.net.eval()(torch.rand(1, 1, 128, 128) * 100, torch.zeros(1, 4, 128, 128))
    assert counter.get_total_flops() / 2 < 0.4e9
