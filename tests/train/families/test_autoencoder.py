from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import ortho_group
from torch import Tensor, nn

from tinct.errors import UsageError
from tinct.train import recipes
from tinct.train.families import build_task as build
from tinct.train.families.autoencoder import AutoencoderNet
from tinct.train.recipes.autoencoder import Autoencoder
from tinct.train.task import Batch

NAMES = ("autoencoder", "autoencoder-reconstruct")


def _net(*, dtype: torch.dtype = torch.float64, **settings: object) -> AutoencoderNet:
    torch.manual_seed(0)
    return AutoencoderNet(Autoencoder(**settings)).to(dtype)  # type: ignore[arg-type]


def _out(net: AutoencoderNet, planes: Tensor) -> Tensor:
    """Color (N, 3, H, W) Lab; a network that colors sees its lightness only."""
    hint = torch.cat([planes, torch.ones_like(planes[:, :1])], dim=1)
    (made,) = net(planes[:, :1], hint).values()
    return made


def _jacobian(net: AutoencoderNet, height: int, width: int) -> Tensor:
    """Return how every output value moves with every input value, as a matrix."""
    chance = torch.Generator().manual_seed(3)
    planes = torch.rand((1, 3, height, width), generator=chance, dtype=torch.float64) * 60
    found = torch.func.jacrev(lambda given: _out(net, given))(planes)
    return found.reshape(-1, planes.numel())


@pytest.mark.parametrize("reconstruct", [False, True])
@pytest.mark.parametrize("latent", [1, 3, 7])
def test_a_cell_goes_through_as_many_numbers_as_stated(latent: int, reconstruct: bool) -> None:
    net = _net(latent=latent, widths=(24, 24, 24), reconstruct=reconstruct)
    assert torch.linalg.matrix_rank(_jacobian(net, 8, 8), rtol=1e-9) == latent
    assert torch.linalg.matrix_rank(_jacobian(net, 8, 16), rtol=1e-9) == 2 * latent
    planes = torch.rand(1, 3, 8, 16, dtype=torch.float64)
    hint = torch.cat([planes, planes[:, :1]], dim=1)
    assert net.encode(planes[:, :1], hint).shape == (1, latent, 1, 2)


def test_the_colorizer_sees_lightness_alone_and_the_other_every_plane() -> None:
    colors, gives_back = (_net(latent=4, widths=(8, 8), reconstruct=r) for r in (False, True))
    seen = _jacobian(colors, 4, 4).abs().reshape(-1, 3, 16).sum(dim=(0, 2))
    assert seen[0] > 0
    assert seen[1:].tolist() == [0, 0]
    assert (_jacobian(gives_back, 4, 4).abs().reshape(-1, 3, 16).sum(dim=(0, 2)) > 0).all()


def test_the_encoder_convolves_and_the_decoder_transposes() -> None:
    net = _net(latent=5, widths=(6, 7), dtype=torch.float32)
    strided = [
        [(type(part), part.stride[0]) for part in side if hasattr(part, "stride")]
        for side in (net.encoder, net.decoder)
    ]
    assert strided == [
        [(nn.Conv2d, 2), (nn.Conv2d, 2), (nn.Conv2d, 1)],
        [(nn.Conv2d, 1), (nn.ConvTranspose2d, 2), (nn.ConvTranspose2d, 2)],
    ]
    # Weights and biases by hand: 4x4 kernels, 1x1 around the latent numbers.
    encoder = 16 * 1 * 6 + 6 + 16 * 6 * 7 + 7 + 7 * 5 + 5
    decoder = 5 * 7 + 7 + 16 * 7 * 6 + 6 + 16 * 6 * 2 + 2
    assert sum(p.numel() for p in net.parameters()) == encoder + decoder


def test_a_picture_may_be_split_from_its_batch() -> None:
    net = _net(latent=4, widths=(8, 8)).train()
    planes = torch.rand(3, 3, 8, 12, dtype=torch.float64) * 50
    assert torch.allclose(_out(net, planes)[1:2], _out(net, planes[1:2]), atol=1e-12)


def _batch(lab: Tensor) -> Batch:
    return Batch(
        input_lightness=lab[:, :1],
        lightness=lab[:, :1],
        ab=lab[:, 1:],
        hint=torch.cat([lab, torch.ones_like(lab[:, :1])], dim=1),
        rgb=torch.zeros_like(lab),
    )


@pytest.mark.parametrize(("name", "planes"), [(NAMES[0], 2), (NAMES[1], 3)])
def test_loss_is_the_mean_square_by_hand(name: str, planes: int) -> None:
    task = build(recipes.get(name, size="nano"))
    last = task.net.decoder[-1]
    nn.init.zeros_(last.weight)
    with torch.no_grad():  # the same L* 60, a* 10, b* -20 everywhere, in units of 50 (L* from 50)
        last.bias.copy_(torch.tensor([0.2, 0.2, -0.4][-planes:]))
    lab = torch.tensor([60.0, 35.0, 5.0])[:, None, None].expand(2, 3, 32, 32).contiguous()
    lab[1, 0] = 90.0
    off = {2: [25.0, 25.0], 3: [15.0, 25.0, 25.0]}[planes]  # L* is off in one picture of two
    squares = [o**2 / (2 if number == 0 and planes == 3 else 1) for number, o in enumerate(off)]
    if planes == 3:
        squares[0] = (0**2 + 30**2) / 2
    expected = sum(squares) / planes / 50**2
    (term,) = task.loss("net", _batch(lab)).values()
    assert float(term.detach()) == pytest.approx(expected, rel=1e-5)
    made = task.predict(_batch(lab))
    assert made[0, :, 3, 4].tolist() == pytest.approx([60, 10, -20], abs=1e-4)
    assert float(made[1, 0, 0, 0]) == pytest.approx(90 if planes == 2 else 60, abs=1e-4)


def test_linear_autoencoder_reaches_the_error_of_principal_components() -> None:
    """Pictures of one cell, 2 x 2 pixels of Lab: 12 values of known spread, 4 numbers kept."""
    spread = np.array([9.0, 7.0, 5.0, 4.0, 1.5, 1.2, 1.0, 0.8, 0.6, 0.5, 0.4, 0.3])
    random = np.random.default_rng(0)
    turned = ortho_group.rvs(12, random_state=1)
    values = (random.normal(size=(400, 12)) * spread) @ turned + random.uniform(20, 60, 12)
    singular = np.linalg.svd(values - values.mean(axis=0), compute_uv=False)
    best = float((singular[4:] ** 2).sum()) / values.size

    net = _net(latent=4, widths=(16,), activation="none", reconstruct=True)
    planes = torch.from_numpy(values.reshape(400, 3, 2, 2))
    optimizer = torch.optim.LBFGS(net.parameters(), max_iter=400, line_search_fn="strong_wolfe")

    def error() -> Tensor:
        return (_out(net, planes) - planes).square().mean()

    def step() -> Tensor:
        optimizer.zero_grad()
        value = error()
        value.backward()
        return value

    optimizer.step(step)  # type: ignore[arg-type]
    found = float(error().detach())
    assert best * (1 - 1e-9) <= found < 1.02 * best


@pytest.mark.parametrize("name", NAMES)
def test_overfits_one_batch(name: str) -> None:
    recipe = recipes.get(name, size="nano")
    torch.manual_seed(0)
    task = build(recipe)
    ramp = torch.linspace(0, 100, 32).expand(2, 1, 32, 32)
    batch = _batch(torch.cat([ramp, ramp - 50, 30 - 0.4 * ramp], dim=1))
    optimizer = torch.optim.Adam(task.net.parameters(), lr=4e-3)
    losses = []
    for _ in range(120):
        optimizer.zero_grad()
        (term,) = task.loss("net", batch).values()
        term.backward()
        optimizer.step()
        losses.append(float(term.detach()))
    assert losses[-1] < 0.05 * losses[0]
    assert task.figures(batch)["squares"] < losses[0]


@pytest.mark.parametrize("name", NAMES)
def test_recipes_name_what_the_network_needs(name: str) -> None:
    for size in ("nano", "small", "full"):
        recipe = recipes.get(name, {"model.latent": "32"}, size=size)
        task = build(recipe)
        assert recipe.multiple_of == task.net.cell
        assert task.takes_hints == recipe.model.reconstruct == (recipe.data.hints == "truth")
        lightness, hint = torch.rand(1, 1, 32, 48) * 100, torch.zeros(1, 4, 32, 48)
        with torch.no_grad():
            assert task.net.encode(lightness, hint).shape[1] == 32
            ((kind, made),) = task.net(lightness, hint).items()
        assert (kind, made.shape[1]) == (("lab", 3) if recipe.model.reconstruct else ("ab", 2))
        assert made.shape[2:] == (32, 48)


@pytest.mark.parametrize(
    "change", [{"model.latent": "0"}, {"model.widths": "[]"}, {"model.activation": "tanh"}]
)
def test_impossible_settings_are_refused(change: dict[str, str]) -> None:
    with pytest.raises(UsageError, match=next(iter(change))):
        recipes.get("autoencoder", change)
