from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tinct.color import lab_to_rgb, lightness_to_gray, rgb_to_lab
from tinct.errors import TrainingError
from tinct.train import recipes
from tinct.train.families.resunet import (
    FeatureLoss,
    ResUNetNet,
    ResUNetTask,
    build_encoder,
    build_perceptual_network,
    decoder_widths,
    gram,
)
from tinct.train.nets import backbones
from tinct.train.nets.blocks import ShuffleUp
from tinct.train.recipes.resunet import ResUNet
from tinct.train.task import Batch
from tinct.train.trainer import Trainer, build_task

NANO = recipes.get("resunet", size="nano")
MEAN = torch.tensor([0.485, 0.456, 0.406]).reshape(3, 1, 1)
DEVIATION = torch.tensor([0.229, 0.224, 0.225]).reshape(3, 1, 1)


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def make_batch(seed: int = 0, number: int = 2) -> Batch:
    """Smooth colors."""
    chance = torch.Generator().manual_seed(seed)
    rgb = F.interpolate(torch.rand(number, 3, 4, 4, generator=chance), size=(32, 32))
    lab = rgb_to_lab(rgb, axis=1)
    hint = torch.zeros(number, 4, 32, 32)
    return Batch(
        input_lightness=lab[:, :1], lightness=lab[:, :1], ab=lab[:, 1:], hint=hint, rgb=rgb
    )


@pytest.fixture
def net() -> ResUNetNet:
    torch.manual_seed(0)
    return ResUNetNet(NANO.model).eval()


@pytest.mark.parametrize("shape", [(1, 32, 32), (2, 64, 32), (1, 96, 160)])
def test_shapes(net: ResUNetNet, shape: tuple[int, int, int]) -> None:
    number, height, width = shape
    lightness = torch.rand(number, 1, height, width) * 100
    hint = torch.zeros(number, 4, height, width)
    with torch.no_grad():
        lab = net(lightness, hint)["lab"]
        assert lab.shape == (number, 3, height, width)
        assert torch.equal(lab, net(lightness, hint + 1)["lab"])
        inside = lab_to_rgb(lab, axis=1)
    assert float(inside.min()) > -1e-4
    assert float(inside.max()) < 1 + 1e-4


def test_published_size() -> None:
    """As many parameters as the published U-Net has, and two for each normalized channel.

    fastai 2.8.12, ``DynamicUnet(body of resnet34, 3, (256, 256), blur=True)``: 41 221 268, its
    convolutions with a bias each. Here a scale and a shift follow them instead: one more for each
    output of a 3x3 convolution.
    """
    model = dataclasses.replace(recipes.get("resunet").model, pretrained=False)
    with torch.device("meta"):  # counted, not computed
        net = ResUNetNet(model)
        narrow = ResUNetNet(dataclasses.replace(model, width=0.5))
    outputs = [1024, 512, 512, 512, 384, 384, 256, 256, 96, 96, 99, 99]
    assert count(net) == 41_221_268 + sum(outputs)
    assert count(net.encoder) == 21_284_672  # ResNet-34's 21 797 672 without its classifier
    assert count(narrow) <= 30_000_000
    assert decoder_widths(net.encoder.channels) == (512, 512, 384, 256, 96)


def test_small_fits_the_zoo() -> None:
    model = dataclasses.replace(recipes.get("resunet", size="small").model, pretrained=False)
    with torch.device("meta"):
        assert count(ResUNetNet(model)) <= 5_000_000


@pytest.mark.parametrize("blur", [False, True])
def test_shuffle_starts_without_checkerboard(blur: bool) -> None:
    """At the start each 2x2 block is constant; blurred, it is what SciPy's filter makes of that."""
    import scipy.ndimage as ndimage

    torch.manual_seed(0)
    up = ShuffleUp(6, 5, blur=blur)
    with torch.no_grad():
        x = torch.randn(2, 6, 7, 9)
        one = torch.relu(torch.einsum("oi,nihw->nohw", up.conv.weight[::4, :, 0, 0], x))
        blocks = np.kron(one.numpy(), np.ones((1, 1, 2, 2), np.float32))
        if blur:
            blocks = ndimage.uniform_filter(blocks, size=(1, 1, 2, 2), mode="nearest")
        assert np.abs(up(x).numpy() - blocks).max() < 1e-5
    assert blocks.std() > 0


def test_constant_gray_gives_no_checkerboard(net: ResUNetNet) -> None:
    """Far from the borders a fresh network makes one color of one gray."""
    with torch.no_grad():
        lab = net(torch.full((1, 1, 512, 512), 60.0), torch.zeros(1, 4, 512, 512))["lab"]
    middle = lab[0, :, 240:272, 240:272]
    assert float((middle - middle[:, :1, :1]).abs().max()) < 1e-3


def test_residual_block_starts_as_identity_beside_the_input(net: ResUNetNet) -> None:
    """The cross connection: at the start the last convolution sees the input itself."""
    seen = torch.randn(1, 3, 32, 32)
    with torch.no_grad():
        maps = net.encoder(seen)
        taken: list[Tensor] = []
        net.decoder.last[1].register_forward_pre_hook(lambda _, given: taken.append(given[0]))
        net.decoder(seen, maps)
    assert torch.equal(taken[0][:, -3:], seen)


def test_network_paints_in_imagenet_units(net: ResUNetNet) -> None:
    batch = make_batch()
    with torch.no_grad():
        painted = net.paint(batch.input_lightness)
        lab = net(batch.input_lightness, batch.hint)["lab"]
        assert torch.allclose(
            lab, rgb_to_lab((painted * DEVIATION + MEAN).clamp(0, 1), axis=1), atol=1e-3
        )
        assert torch.allclose(net.normalize(batch.rgb), (batch.rgb - MEAN) / DEVIATION, atol=1e-5)
    assert float(painted.abs().max()) <= 3


def test_lite_stages_are_the_pyramid_of_timm() -> None:
    torch.manual_seed(0)
    pyramid, (mean, _) = build_encoder("efficientnet_lite0", pretrained=False)
    whole = backbones.encoder("efficientnet_lite0", pretrained=False)
    whole.load_state_dict(dict(zip(whole.state_dict(), pyramid.state_dict().values(), strict=True)))
    x = torch.randn(1, 3, 64, 96)
    with torch.no_grad():
        found, expected = pyramid.eval()(x), whole.eval()(x)
    assert pyramid.channels == tuple(m.shape[1] for m in found)
    assert all(torch.equal(one, two) for one, two in zip(found, expected, strict=True))
    assert mean == (0.5, 0.5, 0.5)


def test_unknown_encoder_and_judge_are_named() -> None:
    with pytest.raises(TrainingError, match=r"resnet34, efficientnet_lite0"):
        build_encoder("resnet900", pretrained=False)
    with pytest.raises(TrainingError, match="no pretrained encoder 'tiny'"):
        build_encoder("tiny", pretrained=True)
    with pytest.raises(TrainingError, match="vgg16 or random"):
        build_perceptual_network("vgg19")


def test_gram_matrix_by_hand() -> None:
    x = np.random.default_rng(0).normal(size=(2, 3, 4, 5)).astype(np.float32)
    expected = np.einsum("nihw,njhw->nij", x, x) / (3 * 4 * 5)
    assert np.abs(gram(torch.from_numpy(x)).numpy() - expected).max() < 1e-6


def test_equal_pictures_cost_nothing() -> None:
    pictures = torch.randn(2, 3, 32, 32)
    terms = FeatureLoss(NANO.model)(pictures, pictures.clone())
    assert {name: float(value) for name, value in terms.items()} == {"features": 0, "gram": 0}


def test_feature_loss_by_hand() -> None:
    """Layer weights 5, 15, 2; Gram weights 5000 times their squares; NumPy for the sums."""
    model = dataclasses.replace(NANO.model, feature_scale=2)
    made, truth = torch.randn(2, 2, 3, 64, 64)
    terms = FeatureLoss(model)(made, truth)
    judge = build_perceptual_network("random")
    stops = [i for i, layer in enumerate(judge) if isinstance(layer, nn.MaxPool2d)]
    assert len(stops) == 3

    def activations(pictures: Tensor) -> list[np.ndarray]:
        halved = pictures.reshape(2, 3, 32, 2, 32, 2).mean(dim=(3, 5))
        parts = [judge[: stops[1]], judge[: stops[2]], judge]
        return [part(halved).numpy().astype(np.float64) for part in parts]

    features, style = 0.0, 0.0
    for weight, one, two in zip((5, 15, 2), activations(made), activations(truth), strict=True):
        scaled = [part * 0.03 / two.mean() for part in (one, two)]
        features += weight * np.abs(scaled[0] - scaled[1]).mean()
        grams = [np.einsum("nihw,njhw->nij", p, p) / p[0].size for p in scaled]
        style += 5e3 * weight**2 * np.abs(grams[0] - grams[1]).mean()
    assert float(terms["features"]) == pytest.approx(features, rel=1e-4)
    assert float(terms["gram"]) == pytest.approx(style, rel=1e-4)


def test_vgg_is_tapped_before_its_second_third_and_fourth_pool(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from torchvision.models import vgg

    torch.manual_seed(0)
    layers = vgg.make_layers(vgg.cfgs["D"]).eval()
    monkeypatch.setattr(backbones, "vgg16_features", lambda: layers[:23])
    settings = ResUNet(pretrained=False)
    pictures = torch.randn(1, 3, 32, 32)
    with torch.no_grad():
        found = FeatureLoss(settings).features(pictures)
        pools = [i for i, layer in enumerate(layers) if isinstance(layer, nn.MaxPool2d)]
        expected = [layers[:pool](pictures) for pool in pools[1:4]]
    assert [part.shape[1:] for part in found] == [(128, 16, 16), (256, 8, 8), (512, 4, 4)]
    assert all(torch.equal(one, two) for one, two in zip(found, expected, strict=True))


def test_loss_terms_and_pixel_variant() -> None:
    torch.manual_seed(0)
    task = build_task(NANO)
    batch = make_batch()
    terms = task.loss("net", batch)
    assert list(terms) == ["pixels", "features", "gram"]
    with torch.no_grad():
        painted = task.net.paint(batch.input_lightness)
        expected = (painted - (batch.rgb - MEAN) / DEVIATION).abs().mean()
    assert float(terms["pixels"].detach()) == pytest.approx(float(expected), rel=1e-5)
    plain = build_task(recipes.get("resunet-pixel", size="nano"))
    assert list(plain.loss("net", batch)) == ["pixels"]


def test_judge_is_no_part_of_the_task() -> None:
    """It is neither saved nor trained, and takes no gradient."""
    task = build_task(NANO)
    before = list(task.state_dict())
    torch.stack(list(task.loss("net", make_batch()).values())).sum().backward()
    assert list(task.state_dict()) == before
    assert isinstance(task, ResUNetTask)
    assert task.feature_loss is not None
    judge = task.feature_loss.network(torch.device("cpu"))
    assert all(p.grad is None and not p.requires_grad for p in judge.parameters())
    grouped = [id(p) for group in task.players()[0].groups.values() for p in group]
    assert sorted(grouped) == sorted(id(p) for p in task.net.parameters())


def test_same_judge_every_time() -> None:
    torch.manual_seed(1)
    one, after = build_perceptual_network("random"), torch.rand(3)
    torch.manual_seed(1)
    assert torch.equal(after, torch.rand(3))
    two = build_perceptual_network("random")
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), two.parameters(), strict=True))


def test_stages_are_data() -> None:
    """Sizes, epochs and freezing of the article, with 720 of DIV2K's 800 pictures an epoch."""
    stages = recipes.get("resunet").stages
    assert [stage.size for stage in stages] == [64, 128, 256, 512, 512]
    epochs = [stage.steps * stage.batch / 720 for stage in stages]
    assert epochs == pytest.approx([50, 25, 10, 10, 10], abs=0.1)
    frozen = ("encoder.early", "encoder.late")
    assert [stage.freeze for stage in stages] == [frozen] * 4 + [()]
    assert all(stage.patience for stage in stages)
    small = recipes.get("resunet", size="small").stages
    from tinct.train.recipe import SMALL_PICTURES

    assert [stage.size for stage in small] == [64, 128, 128]
    assert [bool(stage.freeze) for stage in small] == [True, True, False]
    seen = [stage.steps * stage.batch for stage in small]
    assert SMALL_PICTURES - 16 < sum(seen) <= SMALL_PICTURES
    assert seen[0] == pytest.approx(SMALL_PICTURES / 2, abs=16)


def test_frozen_encoder_moves_only_in_the_last_stage(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither its weights nor its normalization statistics; then each group at its own rate."""
    trainer = Trainer(NANO, data=[pictures], out=tmp_path / "run", resume=False)
    encoder, decoder = trainer.task.net.encoder, trainer.task.net.decoder
    states: list[tuple[dict[str, Tensor], dict[str, Tensor]]] = []
    rates: list[dict[str, float]] = []
    real = Trainer._fit_stage

    def watched(self: Trainer, stage: object) -> None:
        if not states:
            states.append((_copy(encoder), _copy(decoder)))
        real(self, stage)
        states.append((_copy(encoder), _copy(decoder)))
        groups = trainer.optimizers["net"].param_groups
        rates.append({group["name"]: group["lr"] for group in groups})

    monkeypatch.setattr(Trainer, "_fit_stage", watched)
    trainer.fit()
    start, frozen, moved = states
    assert all(torch.equal(value, frozen[0][key]) for key, value in start[0].items())
    assert any("running_mean" in key for key in start[0])
    assert any(not torch.equal(value, frozen[1][key]) for key, value in start[1].items())
    for part in ("stages.0", "stages.2", "stages.4"):  # early and late ones
        keys = [key for key in moved[0] if key.startswith(part) and key != "num_batches_tracked"]
        assert any(not torch.equal(frozen[0][key], moved[0][key]) for key in keys), part
    last = rates[-1]
    assert last["decoder"] > 0
    assert last["encoder.late"] == pytest.approx(last["decoder"] / 10)
    assert last["encoder.early"] == pytest.approx(last["decoder"] / 100)


def _copy(module: nn.Module) -> dict[str, Tensor]:
    return {key: value.detach().clone() for key, value in module.state_dict().items()}


def test_user_gets_the_pictures_own_lightness(net: ResUNetNet) -> None:
    task = build_task(NANO)
    batch = make_batch()
    task.eval()
    lab = task.predict(batch)
    assert torch.equal(lab[:, :1], batch.lightness)
    with torch.no_grad():
        assert torch.equal(lab[:, 1:], task.net(batch.input_lightness, batch.hint)["lab"][:, 1:])
    assert task.takes_hints is False


def test_encoder_sees_normalized_gray(net: ResUNetNet) -> None:
    taken: list[Tensor] = []
    net.encoder.register_forward_pre_hook(lambda _, given: taken.append(given[0]))
    lightness = torch.rand(1, 1, 32, 32) * 100
    with torch.no_grad():
        net.paint(lightness)
    expected = (lightness_to_gray(lightness) - 0.5) / 0.5
    assert torch.allclose(taken[0], expected.expand(1, 3, 32, 32), atol=1e-6)
