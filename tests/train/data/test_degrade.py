"""Aged photographs, against what is known of plates and prints."""

from __future__ import annotations

import torch

from tinct.color import gray_to_lightness, rgb_to_lab
from tinct.train.data import degrade


def lab_lightness(rgb: torch.Tensor) -> torch.Tensor:
    return rgb_to_lab(rgb, axis=1)[:, :1].float()


def test_most_pictures_lose_contrast_and_none_gains_much() -> None:
    ramp = torch.linspace(0, 1, 64).expand(300, 3, 64, 64)
    lightness = lab_lightness(ramp)
    aged = degrade.age(ramp, lightness, share=1.0, seeds=list(range(300)))
    spread = torch.quantile(aged.flatten(1), 0.95, dim=1) - torch.quantile(
        aged.flatten(1), 0.05, dim=1
    )
    whole = float(torch.quantile(lightness[0], 0.95) - torch.quantile(lightness[0], 0.05))
    assert float((spread < 0.8 * whole).float().mean()) > 0.4
    assert float(spread.min()) < 0.25 * whole
    assert float(spread.max()) < 1.3 * whole
    assert bool(((aged >= 0) & (aged <= 100)).all())


def test_early_plates_see_blue_light_and_red_dark() -> None:
    rgb = torch.zeros(1, 3, 8, 8)
    rgb[:, 0, :, :4], rgb[:, 2, :, 4:] = 0.8, 0.8  # red beside blue
    for number, plate in enumerate(degrade.PLATES):
        seeds = (seed for seed in range(99))
        chance = next(
            torch.Generator().manual_seed(seed)
            for seed in seeds
            if int(torch.randint(3, (1,), generator=torch.Generator().manual_seed(seed))) == number
        )
        seen = degrade._through_plate(rgb, [chance], amount=torch.ones(1, 1, 1, 1))[0, 0]
        assert abs(sum(plate) - 1) < 1e-9
        red, blue = float(seen[0, 0]), float(seen[0, -1])
        assert (blue > red) == (plate[2] > plate[0])
    plain = degrade._through_plate(rgb, [torch.Generator()], amount=torch.zeros(1, 1, 1, 1))
    modern = gray_to_lightness(plain)
    assert torch.allclose(modern.float(), lab_lightness(rgb), atol=0.1)
