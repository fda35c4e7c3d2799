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


def test_what_is_overexposed_saturates_and_keeps_its_order() -> None:
    gray = torch.linspace(0, 1, 1001)[None, None, None].double()
    for gain in (1.1, 1.5, 2.0):
        seen = degrade._overexposed(gray, torch.tensor(gain).double())[0, 0, 0]
        dark = gray[0, 0, 0] * gain <= degrade.SHOULDER
        assert torch.allclose(seen[dark], gray[0, 0, 0][dark] * gain)
        steps = seen.diff() * 1000
        assert bool((steps > 0).all())
        assert float(steps.max()) <= gain + 1e-3  # without a bend: nothing is steeper than the gain
        assert float(steps.diff().abs().max()) < 0.02 * gain**2
        assert 0.75 < float(seen[-1]) < 1


def test_hands_in_the_light_come_out_white_now_and_then() -> None:
    skin = torch.tensor([0.87, 0.72, 0.64])[:, None, None].expand(400, 3, 8, 8)
    lightness = lab_lightness(skin)
    assert float(lightness.mean()) < 78
    aged = degrade.age(skin, lightness, share=1.0, seeds=list(range(400)))
    white = (aged.mean(dim=(1, 2, 3)) > 90).float().mean()
    assert 0.03 < float(white) < 0.25
