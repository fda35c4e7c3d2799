"""Let a trained decoder stand behind another encoder.

A decoder takes hours to learn, and encoders get better. What the former encoder says of a place is,
for a good part, a linear function of what the new one says there. That function is fitted on
pictures, by ridge regression at each stride, and multiplied into the first convolution that reads
the maps. Training goes on from there with an error not far from the former one.

References:
    [1] Y. Bansal, P. Nakkiran, B. Barak: Revisiting Model Stitching to Compare Neural
        Representations, NeurIPS 2021: layers joined by a linear map.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from tinct.train.nets.flagship import FlagshipNet

RIDGE = 1e-3  # share of the features' mean variance
PLACES = 60  # of each picture and stride
READERS = ("mix2", "mix4", "mix8.0", "mix16.0", "bottom.0")  # what reads the maps, by stride


@torch.no_grad()
def stand_behind(former: FlagshipNet, net: FlagshipNet, pictures: Iterable[Tensor]) -> list[float]:
    """Give a network the decoder of a former one whose encoder is another, in place.

    Args:
        former: trained, with the same decoder but for the channels that it reads.
        net: its encoder is kept, everything else is replaced.
        pictures: batches of L* 0..100, float (N, 1, H, W); some hundred pictures.

    Returns:
        How much of the variance of the former encoder's maps the new one's tell, 0..1, at strides
        2, 4, 8, 16 and 32.
    """
    places = _places(former, net, pictures)
    held = {key: value.clone() for key, value in former.state_dict().items()}
    state = net.state_dict()
    state |= {key: held[key] for key in state if not key.startswith("encoder.") and key in held}
    told = []
    for name, (old, new) in zip(READERS, places, strict=True):
        slopes, offset, share = _fit(new, old)
        told.append(share)
        weight = held[f"{name}.0.weight"].double()
        first = weight.shape[1] - 4 - len(offset)  # what comes up the decoder, the maps, hints
        read = weight[:, first : first + len(offset)]
        state[f"{name}.0.weight"] = torch.cat(
            [
                weight[:, :first],
                torch.einsum("oikl,ni->onkl", read, slopes),
                weight[:, first + len(offset) :],
            ],
            dim=1,
        ).float()
        # The offset is what the normalization behind would subtract.
        shift = torch.einsum("oikl,i->o", read, offset).float()
        state[f"{name}.1.running_mean"] = held[f"{name}.1.running_mean"] - shift
    net.load_state_dict(state)
    return told


def _places(
    former: nn.Module, net: nn.Module, pictures: Iterable[Tensor]
) -> list[tuple[Tensor, Tensor]]:
    """Return what both encoders say of the same places, (places, channels) for each stride."""
    chance = torch.Generator().manual_seed(0)
    found: list[list[tuple[Tensor, Tensor]]] = [[] for _ in range(5)]
    training = former.training, net.training
    former.eval(), net.eval()
    for lightness in pictures:
        maps = zip(former.encode(lightness), net.encode(lightness), strict=True)  # type: ignore[operator]
        for stride, pair in enumerate(maps):
            old, new = (part.float().permute(0, 2, 3, 1).flatten(1, 2).cpu() for part in pair)
            for one, other in zip(old, new, strict=True):
                some = torch.randperm(len(one), generator=chance)[:PLACES]
                found[stride].append((one[some], other[some]))
    former.train(training[0]), net.train(training[1])
    return [
        (torch.cat([old for old, _ in parts]), torch.cat([new for _, new in parts]))
        for parts in found
    ]


def _fit(inputs: Tensor, goals: Tensor) -> tuple[Tensor, Tensor, float]:
    """Fit ``goals = inputs @ slopes + offset``; return both and the share of variance told."""
    x, y = inputs.double(), goals.double()
    mean, center = x.mean(dim=0), y.mean(dim=0)
    x, y = x - mean, y - center
    ridge = RIDGE * x.var(dim=0).mean() * len(x)
    square = x.t() @ x + ridge * torch.eye(x.shape[1], dtype=x.dtype)
    slopes = torch.linalg.solve(square, x.t() @ y)
    left = (y - x @ slopes).square().sum() / y.square().sum().clamp(min=1e-12)
    return slopes, center - mean @ slopes, float(1 - left)
