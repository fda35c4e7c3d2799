"""A decoder behind another encoder, where it is known what it must then say."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from tinct.errors import TrainingError
from tinct.train import recipes
from tinct.train.families import build_task
from tinct.train.nets.flagship import FlagshipNet
from tinct.train.other_encoder import stand_behind
from tinct.train.trainer import train
from tinct.train.warm_start import warm_start

SETTINGS = recipes.get("flagship-photo", size="nano").model
CHANNELS = (3, 4, 5, 6, 7)


class Features(nn.Module):
    """Random maps at five strides; with mixers, the same maps mixed by matrices."""

    def __init__(self, mixers: list[Tensor] | None = None) -> None:
        super().__init__()
        self.mixers = mixers
        torch.manual_seed(5)
        parts = (nn.Conv2d(3, c, 2**n, 2**n) for n, c in enumerate(CHANNELS, start=1))
        self.parts = nn.ModuleList(parts)

    def forward(self, x: Tensor) -> list[Tensor]:
        maps = [part(x).sin() for part in self.parts]
        if self.mixers is None:
            return maps
        pairs = zip(self.mixers, maps, strict=True)
        return [torch.einsum("oi,nihw->nohw", mixer, one) for mixer, one in pairs]


def network(encoder: nn.Module, channels: tuple[int, ...]) -> FlagshipNet:
    torch.manual_seed(7)
    settings = dataclasses.replace(SETTINGS, stretched=False)
    net = FlagshipNet(settings, channels=channels)
    net.encoder = encoder
    return net.eval()


def pictures(count: int = 12) -> Iterator[Tensor]:
    chance = torch.Generator().manual_seed(3)
    for _ in range(count):
        yield torch.rand((16, 1, 64, 64), generator=chance) * 100


def test_who_says_the_same_in_other_words_is_understood() -> None:
    """The new maps are linear in the former ones, and tell all of them, in more channels."""
    torch.manual_seed(1)
    mixers = [torch.randn(count + 2, count) for count in CHANNELS]
    former = network(Features(), CHANNELS)
    for part in former.modules():
        if isinstance(part, nn.BatchNorm2d):
            nn.init.normal_(part.running_mean, std=0.1)
            nn.init.uniform_(part.running_var, 0.5, 2)
    other = network(Features(mixers), tuple(len(mixer) for mixer in mixers))
    lightness = next(pictures())
    hint = torch.zeros(16, 4, 64, 64)
    with torch.no_grad():
        wanted = former.heads(lightness, hint)
        assert not torch.allclose(other.heads(lightness, hint)[1], wanted[1], atol=0.1)
        told = stand_behind(former, other, pictures())
        found = other.heads(lightness, hint)
    assert min(told) > 0.99
    for one, two in zip(found, wanted, strict=True):
        assert float((one - two).square().mean()) < 2e-3 * float(two.var())


def test_who_says_nothing_of_it_tells_nothing() -> None:
    """Noise that has nothing to do with the picture: only the mean is left."""

    class Noise(Features):
        def forward(self, x: Tensor) -> list[Tensor]:
            return [torch.randn_like(one) for one in super().forward(x)]

    former = network(Features(), CHANNELS)
    told = stand_behind(former, network(Noise(), CHANNELS), pictures())
    assert max(told) < 0.1


def test_a_training_goes_on_behind_another_encoder(
    nano_run: Path, pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wanted = {"model.encoder": "efficientnet_lite1", "stages.0.steps": "2"}
    recipe = recipes.get("flagship-photo", wanted, size="nano")
    with pytest.raises(TrainingError, match="name some"):
        warm_start(build_task(recipe), nano_run)
    train(recipe, [pictures], tmp_path / "run", start=nano_run)
    said = capsys.readouterr().out
    assert "the encoder is another one; of what the former said at strides 2 to 32 it tells" in said
