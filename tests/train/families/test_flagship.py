from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from skimage.color import deltaE_ciede94
from torch.nn import functional as F

from tinct.color import ab_bins, lab_to_rgb
from tinct.measure import metrics
from tinct.train import recipes
from tinct.train.families import build_task
from tinct.train.families.flagship import colorfulness, mean_chroma, seen_distance
from tinct.train.nets.blocks import ShuffleUp
from tinct.train.nets.flagship import (
    Attention,
    FlagshipNet,
    Gate,
    pool_hints,
    spread_hints,
    stretch,
)
from tinct.train.optimization import build_optimizers, prepare_stage
from tinct.train.task import Batch

NANO = recipes.get("flagship-photo", size="nano")


@pytest.fixture
def net() -> FlagshipNet:
    torch.manual_seed(0)
    return FlagshipNet(NANO.model).eval()


@pytest.mark.parametrize("shape", [(1, 32, 32), (2, 64, 32), (1, 96, 160)])
def test_shapes(net: FlagshipNet, shape: tuple[int, int, int]) -> None:
    count, height, width = shape
    with torch.no_grad():
        out = net(torch.rand(count, 1, height, width) * 100, torch.zeros(count, 4, height, width))
    assert out["ab"].shape == (count, 2, height // 2, width // 2)
    assert out["bins"].shape == (count, len(ab_bins()), height // 4, width // 4)
    assert float(out["ab"].abs().max()) <= 110


def test_shuffle_starts_without_checkerboard() -> None:
    torch.manual_seed(0)
    up = ShuffleUp(6, 5)
    out = up(torch.randn(2, 6, 7, 9))
    assert torch.equal(out, F.interpolate(out[:, :, ::2, ::2], scale_factor=2, mode="nearest"))
    assert float(out.detach().abs().max()) > 0


def test_attention_equals_torch(net: FlagshipNet) -> None:
    torch.manual_seed(1)
    block = Attention(16, 2)
    torch.nn.init.normal_(block.out.weight)
    x = torch.randn(2, 16, 3, 5)
    reference = torch.nn.MultiheadAttention(16, 2, batch_first=True)
    with torch.no_grad():
        reference.in_proj_weight.copy_(block.qkv.weight)
        reference.in_proj_bias.copy_(block.qkv.bias)
        reference.out_proj.weight.copy_(block.out.weight)
        reference.out_proj.bias.copy_(block.out.bias)
        tokens = (x + block.position(x)).flatten(2).transpose(1, 2)
        seen = block.norm1(tokens)
        tokens = tokens + reference(seen, seen, seen, need_weights=False)[0]
        tokens = tokens + block.mlp(block.norm2(tokens))
        expected = tokens.transpose(1, 2).reshape(x.shape)
        assert torch.allclose(block(x), expected, atol=1e-5)


def test_one_pixel_of_hint_survives_every_stride() -> None:
    hint = torch.zeros(1, 4, 64, 64)
    hint[0, :, 37, 21] = torch.tensor([60.0, 40.0, -30.0, 1.0])
    for stride in (2, 4, 8, 16, 32):
        pooled = pool_hints(hint, stride)
        cell = pooled[0, :, 37 // stride, 21 // stride]
        assert torch.allclose(cell, torch.tensor([60 / 110, 40 / 110, -30 / 110, 1.0]), atol=1e-5)
        assert float(pooled[0, 3].sum()) == 1


STRIDES = (32, 16, 8, 4, 2, 1)


def test_every_cell_is_told_of_the_nearest_hint() -> None:
    hint = torch.zeros(1, 4, 96, 128)
    places = {(20, 22): (60.0, 40.0, -30.0), (75, 100): (30.0, -50.0, 20.0)}
    for (row, column), color in places.items():
        hint[0, :, row, column] = torch.tensor([*color, 1.0])
    colors = torch.tensor(list(places.values())) / 110
    for stride, told in spread_hints(hint, STRIDES).items():
        assert told.shape == (1, 4, 96 // stride, 128 // stride)
        rows, columns = torch.meshgrid(*(torch.arange(n) for n in told.shape[2:]), indexing="ij")
        ways = torch.stack(
            [
                ((rows + 0.5) * stride - row).square()
                + ((columns + 0.5) * stride - column).square()
                for row, column in places
            ]
        ).sqrt()
        clear = (ways[0] - ways[1]).abs() > 64  # two of the coarsest cells
        nearer = ways.argmin(dim=0)
        distance = (told[0, :3, :, :, None] - colors.t()[:, None, None]).norm(dim=0)
        assert torch.equal(distance.argmin(dim=-1)[clear], nearer[clear])
        presence = told[0, 3]
        assert float(presence.max()) == 1
        assert int((presence == 1).sum()) == len(places)
        assert float(presence.min()) > 0
        far = ways.min(dim=0).values > 64
        if far.any():
            near = ways.min(dim=0).values < 16
            assert presence[far].max() < presence[near].min()


def test_a_lonely_hint_is_known_everywhere_and_none_nowhere() -> None:
    hint = torch.zeros(2, 4, 64, 64)
    hint[0, :, 5, 60] = torch.tensor([70.0, 10.0, 60.0, 1.0])
    for told in spread_hints(hint, STRIDES).values():
        expected = torch.tensor([70.0, 10.0, 60.0])[:, None, None] / 110
        assert torch.allclose(told[0, :3], expected.expand_as(told[0, :3]), atol=1e-5)
        assert float(told[1].abs().max()) == 0


def test_the_gate_knows_its_kind() -> None:
    """Maps around one mean against maps around another; dimensions of very different size."""
    rng = torch.Generator().manual_seed(2)
    size = torch.logspace(-2, 1, 40)

    def maps(offset: float) -> torch.Tensor:
        mean = size * (torch.randn((1, 40), generator=rng) * 0.3 + offset)
        return mean[:, :, None, None] + torch.randn((1, 40, 3, 4), generator=rng) * 0.01

    gate = Gate(40)
    gate.learn([maps(0.5) for _ in range(60)])
    own = torch.cat([gate(maps(0.5)) for _ in range(60)]).flatten()
    other = torch.cat([gate(maps(offset)) for offset in (0.0, 1.0, -2.0, 30.0)]).flatten()
    assert own.quantile(0.1) > 0.9
    assert other.max() < 0.05


def test_a_gated_network_is_one_of_two() -> None:
    settings = dataclasses.replace(NANO.model, gated=True)
    torch.manual_seed(0)
    net = FlagshipNet(settings).eval()
    finished = dataclasses.replace(settings, gated=False)
    even = dataclasses.replace(finished, contrast=0.0, confidence=0.0, evenness=0.0)
    lightness, hint = torch.rand(1, 1, 64, 64) * 100, torch.zeros(1, 4, 64, 64)
    own = {k: v for k, v in net.state_dict().items() if not k.startswith(("tuned.", "gate."))}
    tuned = {
        k.removeprefix("tuned."): v for k, v in net.state_dict().items() if k.startswith("tuned.")
    }
    with torch.no_grad():
        for share, decoder in ((0.0, {}), (1.0, tuned)):
            net.gate.reach.fill_(1e9 if share else 1e-9)
            plain = FlagshipNet(even if share else finished).eval()
            plain.load_state_dict({**own, **decoder})
            if share:
                plain.set_join(settings.temperature, settings.bins_share, 1.0)
            for key, value in plain(lightness, hint).items():
                assert torch.allclose(net(lightness, hint)[key], value, atol=1e-3)


def test_annealed_mean_runs_from_mean_to_mode(net: FlagshipNet) -> None:
    logits = torch.randn(1, len(ab_bins()), 2, 2) * 3
    centers = ab_bins().astype(np.float64)
    shares = np.exp(logits.double().numpy())
    shares /= shares.sum(axis=1, keepdims=True)
    mean = np.einsum("nkhw,kc->nchw", shares, centers)
    assert np.abs(net.annealed_mean(logits, 1.0).numpy() - mean).max() < 1e-3
    mode = centers[logits[0].argmax(dim=0).numpy()].transpose(2, 0, 1)
    assert np.abs(net.annealed_mean(logits, 0.005).numpy()[0] - mode).max() < 0.5


def test_join_mixes_the_heads(net: FlagshipNet) -> None:
    lightness, hint = torch.rand(1, 1, 32, 32) * 100, torch.zeros(1, 4, 32, 32)
    with torch.no_grad():
        regressed, _ = net.heads(lightness, hint)
        net.finished = lambda joined, *_: joined
        net.set_join(0.4, 0.0, 1.5)
        assert torch.allclose(net(lightness, hint)["ab"], (1.5 * regressed).clamp(-110, 110))
        net.set_join(0.4, 1.0, 1.0)
        assert not torch.allclose(net(lightness, hint)["ab"], regressed)


def test_bins_term_is_cross_entropy_when_all_colors_count_alike() -> None:
    recipe = recipes.get("flagship-photo", {"model.rarity": "0"}, size="nano")
    task = build_task(recipe)
    torch.manual_seed(0)
    logits = torch.randn(2, len(ab_bins()), 3, 3)
    truth = torch.randn(2, 2, 3, 3) * 20
    centers = torch.from_numpy(ab_bins())
    places = truth.permute(0, 2, 3, 1).reshape(-1, 2)
    soft = torch.exp(-((places[:, None] - centers) ** 2).sum(-1) / 50)
    soft = soft / soft.sum(dim=1, keepdim=True)
    expected = F.cross_entropy(logits.permute(0, 2, 3, 1).reshape(len(places), -1), soft)
    assert float(task._bins_term(logits, truth).detach()) == pytest.approx(
        float(expected), rel=1e-4
    )


def test_overfits_one_batch() -> None:
    torch.manual_seed(0)
    task = build_task(NANO)
    prepare_stage(task, NANO.stages[0])
    optimizer = build_optimizers(task, NANO)["net"]
    ramp = torch.linspace(0, 100, 32).expand(2, 1, 32, 32).contiguous()
    ab = torch.cat([ramp - 50, 30 - 0.4 * ramp], dim=1)
    batch = Batch(
        input_lightness=ramp,
        lightness=ramp,
        ab=ab,
        hint=torch.zeros(2, 4, 32, 32),
        rgb=torch.zeros(2, 3, 32, 32),
    )
    first = last = 0.0
    for _ in range(60):
        for group in optimizer.param_groups:
            group["lr"] = 5e-3
        optimizer.zero_grad()
        terms = task.loss("net", batch)
        loss = torch.stack(list(terms.values())).sum()
        loss.backward()
        optimizer.step()
        last = float(terms["ab"].detach())
        first = first or last
    assert last < 0.1 * first


def test_groups_cover_every_parameter_once() -> None:
    task = build_task(NANO)
    (player,) = task.players()
    grouped = [id(p) for group in player.groups.values() for p in group]
    assert sorted(grouped) == sorted(id(p) for p in task.net.parameters())
    assert all(player.groups.values())


def test_calm_takes_the_rarity_weights_back() -> None:
    """A net that fits rarity-weighted bins perfectly gives the true shares once it is calmed."""
    recipe = recipes.get("flagship-photo", {"model.calm": "1"}, size="nano")
    task = build_task(recipe)
    truth = torch.rand(len(ab_bins())) ** 4
    truth = truth / truth.sum()
    task.prior.copy_(truth)
    weighted = truth * task.rare_weights()
    with torch.no_grad():
        task.net.to_bins.bias.copy_((weighted / weighted.sum()).log())
    task.prepare_export()
    assert torch.allclose(task.net.to_bins.bias.detach().softmax(dim=0), truth, atol=1e-6)
    assert float((task.prior * task.rare_weights()).sum()) == pytest.approx(1.0)


def test_fading_changes_nothing_that_the_network_sees() -> None:
    """Contrast squeezed to an eighth around any gray is undone, whatever the exposure."""
    gray = F.interpolate(torch.rand(3, 1, 8, 12), scale_factor=8, mode="bilinear")
    fresh, seen = stretch(gray)
    assert torch.equal(seen, torch.ones(3, 1, 1, 1))
    for contrast, offset in ((0.5, 0.1), (0.125, 0.0), (0.125, 0.45), (0.2, 0.8)):
        faded, _ = stretch(gray * contrast + offset)
        assert torch.allclose(faded, fresh, atol=1e-4)
    low, high = (float(torch.quantile(fresh, q)) for q in (0.01, 0.99))
    assert low == pytest.approx(0.03, abs=0.05)
    assert high == pytest.approx(0.97, abs=0.05)


def test_a_flat_picture_stays_gray() -> None:
    net = FlagshipNet(dataclasses.replace(NANO.model, stretched=True)).eval()
    for level in (0.0, 47.0, 100.0):
        with torch.no_grad():
            found = net(torch.full((1, 1, 64, 32), level), torch.zeros(1, 4, 64, 32))
        assert float(found["ab"].abs().max()) == 0


def test_seen_distance_is_cie94() -> None:
    rng = np.random.default_rng(5)
    chroma, hue, other = rng.uniform(1, 80, 50), rng.uniform(0, 6.3, 50), rng.uniform(0, 6.3, 50)
    lab1, lab2 = (
        np.stack([np.full(50, 60.0), chroma * np.cos(h), chroma * np.sin(h)], axis=-1)
        for h in (hue, other)
    )
    maps = (
        torch.tensor(lab[:, 1:].T[None, :, :, None], dtype=torch.float32) for lab in (lab1, lab2)
    )
    found = seen_distance(*maps)[0, :, 0].numpy()
    np.testing.assert_allclose(found, np.hypot(deltaE_ciede94(lab1, lab2), 0.5), rtol=1e-3)
    # One near gray counts more than the same step of a strong color.
    gray, strong = torch.zeros(1, 2, 1, 1), torch.full((1, 2, 1, 1), 50.0)
    assert seen_distance(gray, gray + 5) > 2 * seen_distance(strong, strong + 5)


def test_the_chroma_term_is_the_gap_between_mean_chromas() -> None:
    ab = torch.tensor([[3.0, -6.0], [4.0, 8.0]]).reshape(1, 2, 1, 2)
    assert float(mean_chroma(ab)) == pytest.approx((5 + 10) / 2, abs=1e-2)


def test_colorfulness_is_the_measured_one() -> None:
    rgb = torch.randint(0, 256, (3, 3, 20, 30), generator=torch.Generator().manual_seed(0)) / 255
    rgb[1] = rgb[1].mean(dim=0)  # gray
    rgb[2] = rgb[2, :, :1, :1]  # of one color
    wanted = [metrics.colorfulness(np.uint8(p.permute(1, 2, 0) * 255 + 0.5)) for p in rgb]
    np.testing.assert_allclose(colorfulness(rgb), wanted, atol=0.15)


@pytest.mark.parametrize("share", [0.0, 0.4, 2.0])
def test_a_batch_owes_the_color_that_it_lacks_as_a_whole(share: float) -> None:
    """What counts is the mean over the pictures, so one may be gray where another has plenty."""
    torch.manual_seed(0)
    wanted = {"model.colorful": str(share)}
    recipe = recipes.get("flagship-photo", wanted, size="nano")
    task = build_task(recipe).eval()
    ab = torch.zeros(2, 2, 64, 64)
    ab[1, 0, :32], ab[1, 1, 32:] = 60, 60
    lightness = F.interpolate(40 + 30 * torch.rand(2, 1, 8, 8), scale_factor=8, mode="nearest")
    lab = torch.cat([lightness, ab], dim=1)
    batch = Batch(
        lightness, lightness, ab, torch.zeros(2, 4, 64, 64), lab_to_rgb(lab, axis=1).clamp(0, 1)
    )
    stage = dataclasses.replace(recipe.stages[0], terms={"colorful": 0.5})
    lacks = float(task.loss("net", batch, stage)["colorful"].detach())
    task.prepare_export()
    with torch.no_grad():
        found = task.net(lightness, batch.hint)["ab"]
    made = lab_to_rgb(torch.cat([lightness[:, :, ::2, ::2], found], dim=1), axis=1).clamp(0, 1)
    colors = [
        np.mean([metrics.colorfulness(np.uint8(p.permute(1, 2, 0) * 255 + 0.5)) for p in rgb])
        for rgb in (made, batch.rgb)
    ]
    assert lacks == pytest.approx(0.5 * max(0, share - colors[0] / colors[1]), abs=5e-3)


def test_who_believes_is_the_encoder_or_another_classifier() -> None:
    """Only what the encoder came from can teach it; any classifier can judge colors."""
    own = build_task(recipes.get("flagship-photo", {"model.believed_by": ""}, size="nano"))
    assert own.judge is own.teacher
    wanted = {
        "model.encoder": "efficientnet_lite1",
        "model.believed_by": "efficientnet_lite0",
    }
    other = build_task(recipes.get("flagship-photo", wanted, size="nano"))
    assert (other.teacher.name, other.judge.name) == ("efficientnet_lite1", "efficientnet_lite0")


def test_the_believed_picture_is_the_exported_one() -> None:
    """The term judges what the network gives once its decoding is settled."""
    torch.manual_seed(0)
    recipe = recipes.get("flagship-photo", {"model.believed_every": "1"}, size="nano")
    task = build_task(recipe)
    task.prior.copy_(torch.rand(len(task.prior)).softmax(dim=0))
    seen = []

    class Watching:
        asked = False

        def believed(self, made: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
            seen.append((made.detach(), truth))
            return made.mean()

    task.judge = Watching()
    lightness = F.interpolate(torch.rand(2, 1, 8, 8) * 100, scale_factor=8, mode="bilinear")
    batch = Batch(
        input_lightness=lightness,
        lightness=lightness,
        ab=torch.zeros(2, 2, 64, 64),
        hint=torch.zeros(2, 4, 64, 64),
        rgb=torch.rand(2, 3, 64, 64),
    )
    stage = dataclasses.replace(recipe.stages[0], terms={"believed": 0.5})
    task.eval()
    terms = task.loss("net", batch, stage)
    assert float(terms["believed"].detach()) == pytest.approx(0.5 * float(seen[0][0].mean()))
    task.prepare_export()
    with torch.no_grad():
        ab = task.net(lightness, batch.hint)["ab"]
    ab = F.interpolate(ab, scale_factor=2, mode="bilinear")
    exported = lab_to_rgb(torch.cat([lightness, ab], dim=1), axis=1).clamp(0, 1)
    assert torch.allclose(seen[0][0], exported, atol=1e-4)
    assert seen[0][1] is batch.rgb or torch.equal(seen[0][1], batch.rgb)
