"""pix2pix: a U-Net that paints, and a discriminator that judges 70 x 70 patches of what it painted.

The paper's networks and training [1, 2], with the least squares [3] of the article that the recipes
follow. The network is the paper's "U-Net 256": 4x4 convolutions of stride 2 down to one pixel, the
same way up again, and a skip at every size. There is no noise input; as in the paper dropout is the
only chance, here in training alone (docs/decisions/0003-pix2pix.md).

References:
    [1] P. Isola, J.-Y. Zhu, T. Zhou, A. A. Efros: Image-to-Image Translation with Conditional
        Adversarial Networks, CVPR 2017 (arXiv 1611.07004): section 3, appendix 6 and its errata.
    [2] O. Ronneberger, P. Fischer, T. Brox: U-Net, MICCAI 2015.
    [3] X. Mao et al.: Least Squares Generative Adversarial Networks, ICCV 2017.
"""

from __future__ import annotations

from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tinct.color import lightness_to_gray, rgb_to_lab
from tinct.train.nets.blocks import LEAK, PatchDiscriminator, initialize_normal, normalization
from tinct.train.nets.losses import gan_loss
from tinct.train.recipe import Recipe, Stage
from tinct.train.recipes.pix2pix import Pix2Pix
from tinct.train.task import Batch, Player, Task

AB_LIMIT = 110.0
DROPPED = 3  # how many of the innermost layers that enlarge have dropout
MIDDLE = {
    "least-squares": 0.5,
    "cross-entropy": 0.0,
}  # where a discriminator's raw value is undecided


class Down(nn.Sequential):
    """LeakyReLU, a 4x4 convolution of stride 2, and normalization.

    The first has no activation before it. The first and the innermost have no normalization: at the
    innermost, one pixel of one picture, it would make every value 0 [1, errata].
    """

    def __init__(self, inputs: int, outputs: int, *, norm: str, first: bool) -> None:
        super().__init__(
            nn.Identity() if first else nn.LeakyReLU(LEAK),
            nn.Conv2d(inputs, outputs, 4, stride=2, padding=1, bias=norm == "none"),
            normalization(norm, outputs),
        )


class Up(nn.Sequential):
    """ReLU, a 4x4 transposed convolution of stride 2, normalization and dropout."""

    def __init__(self, inputs: int, outputs: int, *, norm: str, dropout: float) -> None:
        super().__init__(
            nn.ReLU(),
            nn.ConvTranspose2d(inputs, outputs, 4, stride=2, padding=1, bias=norm == "none"),
            normalization(norm, outputs),
            nn.Dropout(dropout),
        )


class Pix2PixNet(nn.Module):
    """``net(lightness, hint) -> {"lab": (N, 3, H, W)}``, or ``{"ab": ...}`` in space ``ab``.

    H and W are multiples of 2 to the number of widths. Hints are not looked at.
    """

    def __init__(self, settings: Pix2Pix) -> None:
        super().__init__()
        assert settings.space in ("rgb", "ab"), settings.space
        self.space = settings.space
        # The paper's gray picture has three equal channels; in Lab lightness is one.
        self.seen, self.made = (3, 3) if settings.space == "rgb" else (1, 2)
        widths, norm = settings.widths, settings.norm
        last = len(widths) - 1
        self.downs = nn.ModuleList(
            Down(
                before,
                after,
                norm="none" if number in (0, last) else norm,
                first=number == 0,
            )
            for number, (before, after) in enumerate(pairwise((self.seen, *widths)))
        )
        # From the innermost outwards; all but the innermost see a skip beside what comes from
        # inside.
        self.ups = nn.ModuleList(
            Up(
                widths[number] * (1 if number == last else 2),
                widths[number - 1] if number else self.made,
                norm=norm if number else "none",
                dropout=settings.dropout if number > max(0, last - DROPPED) else 0.0,
            )
            for number in reversed(range(len(widths)))
        )
        initialize_normal(self)

    def see(self, lightness: Tensor) -> Tensor:
        """Return what the network and the discriminator see of (N, 1, H, W) L*: planes in -1..1."""
        if self.space == "ab":
            return lightness / 50 - 1
        return lightness_to_gray(lightness).expand(-1, 3, -1, -1) * 2 - 1  # type: ignore[no-any-return]

    def paint(self, seen: Tensor) -> Tensor:
        """Return (N, made, H, W) in -1..1: sRGB * 2 - 1, or a* and b* / 110."""
        kept: list[Tensor] = []
        x = seen
        for down in self.downs:
            x = down(x)
            kept.append(x)
        x = self.ups[0](kept.pop())
        for up in list(self.ups)[1:]:
            x = up(torch.cat([x, kept.pop()], dim=1))
        return torch.tanh(x)

    def decode(self, made: Tensor) -> dict[str, Tensor]:
        """Return Lab units under the name of what they are: ``lab`` or ``ab``."""
        if self.space == "ab":
            return {"ab": made.float() * AB_LIMIT}
        return {"lab": rgb_to_lab(made.float() * 0.5 + 0.5, axis=1)}

    def forward(self, lightness: Tensor, hint: Tensor) -> dict[str, Tensor]:  # noqa: ARG002  (no hints)
        """Color a batch.

        Args:
            lightness: float32 (N, 1, H, W), L* 0..100.
            hint: float32 (N, 4, H, W), not looked at.
        """
        return self.decode(self.paint(self.see(lightness)))


class Pix2PixTask(Task):
    """Two players: ``discriminator``, then ``net``, each once in every step [1, section 3.3]."""

    net: Pix2PixNet

    def __init__(self, recipe: Recipe) -> None:
        super().__init__()
        self.settings: Pix2Pix = recipe.model
        self.paints = recipe.task == "lineart"
        self.net = Pix2PixNet(recipe.model)
        s = self.settings
        judged = self.net.made + (self.net.seen if s.conditional else 0)
        self.discriminator = PatchDiscriminator(
            judged, width=s.discriminator_width, norm=s.norm, layers=s.discriminator_layers
        )
        initialize_normal(self.discriminator)

    def players(self) -> list[Player]:
        """Return the discriminator and the network, one group each, of the same names."""
        return [
            Player(
                name="discriminator",
                groups={"discriminator": list(self.discriminator.parameters())},
            ),
            Player(name="net", groups={"net": list(self.net.parameters())}),
        ]

    def truth(self, batch: Batch) -> Tensor:
        """Return what the network should have made, in its own units."""
        return batch.ab / AB_LIMIT if self.net.space == "ab" else batch.rgb * 2 - 1

    def discriminate(self, seen: Tensor, picture: Tensor) -> Tensor:
        """Return the discriminator's raw map for (N, seen, H, W) and (N, made, H, W)."""
        shown = torch.cat([seen, picture], dim=1) if self.settings.conditional else picture
        return cast(Tensor, self.discriminator(shown))

    def loss(
        self,
        player: str,
        batch: Batch,
        stage: Stage | None = None,  # noqa: ARG002  (all are alike)
    ) -> dict[str, Tensor]:
        """Return the player's weighted terms.

        The discriminator's are ``real`` and ``fake``, half of the distance of its map from 1 on the
        truth and from 0 on what the network made; the network's are ``adversarial`` and ``l1``.
        """
        s = self.settings
        seen, truth = self.net.see(batch.input_lightness), self.truth(batch)
        if player == "discriminator":
            with torch.no_grad():
                made = self.net.paint(seen)
            real, fake = self.discriminate(seen, truth), self.discriminate(seen, made)
            return {
                "real": 0.5 * gan_loss(real, real=True, kind=s.verdict),
                "fake": 0.5 * gan_loss(fake, real=False, kind=s.verdict),
            }
        made = self.net.paint(seen)
        fake = self.discriminate(seen, made)
        return {
            "adversarial": gan_loss(fake, real=True, kind=s.verdict),
            "l1": s.l1_weight * F.l1_loss(made.float(), truth),
        }

    @torch.no_grad()
    def figures(self, batch: Batch) -> dict[str, Tensor]:
        """Return how the game stands: losses, and shares of patches judged as each would like.

        ``d_accuracy`` is the share that the discriminator judges rightly, half of them real; near
        0.5 it guesses, near 1 it has won. ``g_accuracy`` is the share of the network's that pass as
        real.
        """
        s, middle = self.settings, MIDDLE[self.settings.verdict]
        seen, truth = self.net.see(batch.input_lightness), self.truth(batch)
        made = self.net.paint(seen)
        real, fake = self.discriminate(seen, truth), self.discriminate(seen, made)
        right, passed = (real > middle).float().mean(), (fake > middle).float().mean()
        l1 = F.l1_loss(made.float(), truth)
        return {
            "d_loss": 0.5
            * (
                gan_loss(real, real=True, kind=s.verdict)
                + gan_loss(fake, real=False, kind=s.verdict)
            ),
            "d_accuracy": 0.5 * (right + 1 - passed),
            "g_loss": gan_loss(fake, real=True, kind=s.verdict) + s.l1_weight * l1,
            "g_accuracy": passed,
            "l1": l1,
        }

    @torch.no_grad()
    def predict(self, batch: Batch) -> Tensor:
        """Return float (N, 3, H, W) Lab: a photograph keeps its lightness, a drawing is painted."""
        found = self.net(batch.input_lightness, batch.hint)
        if self.paints and "lab" in found:
            return cast(Tensor, found["lab"])
        made = found["lab"] if "lab" in found else found["ab"]
        return torch.cat([batch.input_lightness, made[:, -2:]], dim=1)
