"""Losses that two or more families use.

References:
    [1] I. Goodfellow et al.: Generative Adversarial Nets, NIPS 2014 (arXiv 1406.2661); the
        generator's non-saturating form, section 3.
    [2] X. Mao et al.: Least Squares Generative Adversarial Networks, ICCV 2017 (arXiv 1611.04076),
        equation 9: targets 1 for real and 0 for fake.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def gan_loss(logits: Tensor, *, real: bool, kind: str) -> Tensor:
    """Return how far a discriminator's verdict is from ``real``: the mean over all values.

    A discriminator minimizes this with ``real=True`` on true pictures and ``real=False`` on made
    ones; a generator minimizes it with ``real=True`` on what it made.

    Args:
        logits: raw values of any shape, no sigmoid applied; a map counts value by value.
        real: whether the target is 1 rather than 0.
        kind: ``least-squares``, the squared distance of the raw value from its target [2]; or
            ``cross-entropy``, the binary cross entropy of the value's sigmoid [1].
    """
    assert kind in ("least-squares", "cross-entropy"), kind
    values = logits.float()
    target = torch.full_like(values, float(real))
    if kind == "least-squares":
        return F.mse_loss(values, target)
    return F.binary_cross_entropy_with_logits(values, target)
