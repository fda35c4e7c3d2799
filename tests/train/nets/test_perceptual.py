"""The perceptual distance agrees with its formula and pulls pictures towards the truth."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from tinct.train.learned_metrics import VGG_TAPS, PerceptualDistance
from tinct.train.nets.backbones import build_perceptual_network
from tinct.train.nets.perceptual import DEVIATION, MEAN, Perceptual


def test_by_hand() -> None:
    made, truth = torch.rand(2, 2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    levels: list[list[np.ndarray]] = []
    for rgb in (made, truth):
        x = (rgb - torch.tensor(MEAN)[:, None, None]) / torch.tensor(DEVIATION)[:, None, None]
        taken = []
        for layer in build_perceptual_network("random"):
            if isinstance(layer, nn.MaxPool2d):
                taken.append(x.numpy())
            x = layer(x)
        levels.append([*taken, x.numpy()])
    distances = []
    for one, two in zip(*levels, strict=True):
        unit = [v / np.linalg.norm(v, axis=1, keepdims=True).clip(1e-8) for v in (one, two)]
        distances.append(((unit[0] - unit[1]) ** 2).sum(axis=1).mean())
    found = float(Perceptual("random")(made, truth))
    assert found == pytest.approx(float(np.mean(distances)), rel=1e-4)
    assert float(Perceptual("random")(truth, truth)) == 0


def test_agrees_with_the_judge_that_measures() -> None:
    """What is minimized is what is reported, layer by layer, for a VGG-16 of any weights."""
    torch.manual_seed(0)
    layers: list[nn.Module] = []
    channels = 3
    for index in range(23):
        if index in (4, 9, 16):
            layers.append(nn.MaxPool2d(2))
        elif index in (0, 2, 5, 7, 10, 12, 14, 17, 19, 21):
            layers.append(nn.Conv2d(channels, 6, 3, padding=1))
            channels = 6
        else:
            layers.append(nn.ReLU())
    network = nn.Sequential(*layers).eval().requires_grad_(False)
    assert max(VGG_TAPS) == 22
    rng = np.random.default_rng(1)
    pictures = {
        name: rng.integers(0, 256, (48, 40, 3), dtype=np.uint8) for name in ("ours", "truth")
    }
    measured = PerceptualDistance(network)(pictures, name="x")["ours"]["vgg_distance"]
    ours = Perceptual("random")
    ours._network = network
    made, truth = (
        torch.from_numpy(pictures[name].transpose(2, 0, 1))[None].float() / 255
        for name in ("ours", "truth")
    )
    assert float(ours(made, truth)) == pytest.approx(measured, rel=1e-4)


def test_its_gradient_leads_to_the_truth() -> None:
    truth = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(2))
    made = torch.full_like(truth, 0.5).requires_grad_()
    distance, optimizer = Perceptual("random"), torch.optim.Adam([made], lr=0.02)
    first = float(distance(made, truth).detach())
    for _ in range(60):
        optimizer.zero_grad()
        distance(made, truth).backward()
        optimizer.step()
    assert float(distance(made, truth).detach()) < 0.5 * first
