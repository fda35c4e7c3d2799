"""The contract between a family and the trainer: what a batch is, and what a task offers.

The trainer knows nothing of any family: it asks a task for its players, lets each take its turn,
and steps its optimizer on the sum of the loss terms that the task returns.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from torch import Tensor, nn

from tinct.train.recipe import Stage


@dataclass(frozen=True)
class Batch:
    """Pictures of one size, in CIE Lab (D65).

    Attributes:
        input_lightness: float32 (N, 1, H, W), L* 0..100, what the network sees (perhaps faded or
            grainy).
        lightness: float32 (N, 1, H, W), L* 0..100 of the truth.
        ab: float32 (N, 2, H, W), a* and b* of the truth.
        hint: float32 (N, 4, H, W): L*, a*, b* where a color is given, and a 0/1 mask; zeros where
            none is.
        rgb: float32 (N, 3, H, W), 0..1, sRGB of the truth.
    """

    input_lightness: Tensor
    lightness: Tensor
    ab: Tensor
    hint: Tensor
    rgb: Tensor

    @property
    def planes(self) -> tuple[Tensor, ...]:
        """All planes, in the order of the fields."""
        return self.input_lightness, self.lightness, self.ab, self.hint, self.rgb

    def every(self, number: int, of: int) -> Batch:
        """Return every ``of``-th picture, beginning with ``number``."""
        return Batch(*(plane[number::of] for plane in self.planes))

    def to(self, device: object) -> Batch:
        """Move all planes to a device."""
        return Batch(*(plane.to(device) for plane in self.planes))  # type: ignore[call-overload]


@dataclass(frozen=True)
class Player:
    """One whose turn it is: a name and the parameters its optimizer moves, in named groups.

    The groups' names are what a stage's ``lr_scale`` and ``freeze`` speak of.
    """

    name: str
    groups: dict[str, list[nn.Parameter]]


class Task(nn.Module, ABC):
    """What is trained: the network that is exported, and whatever else learns beside it.

    As a module it holds everything with weights; its state is saved and resumed as one.

    Attributes:
        net: what is exported: ``net(lightness, hint) -> {"ab" or "lab": ..., "bins": ...}``.
        takes_hints: whether ``net`` looks at its second input.
        keeps_regions: whether what the lines of a drawing enclose gets one color.
        spreads_hints: whether hints need only be spread over what ``net`` proposes without them.
    """

    net: nn.Module
    takes_hints: bool = False
    spreads_hints: bool = False
    keeps_regions: bool = False

    @abstractmethod
    def players(self) -> list[Player]:
        """Return the players in the order of their turns."""

    def frozen(self, names: tuple[str, ...]) -> list[nn.Module]:
        """Return the modules that belong to the named groups, to be kept in evaluation mode."""
        return [part for name, part in self.named_children() if name in names]

    @abstractmethod
    def loss(self, player: str, batch: Batch, stage: Stage | None = None) -> dict[str, Tensor]:
        """Return the named terms, already weighted, whose sum the player minimizes.

        Args:
            player: whose turn it is.
            batch: pictures.
            stage: where the training is; None outside of any training.
        """

    def figures(self, batch: Batch) -> dict[str, Tensor]:  # noqa: ARG002  (nothing to watch)
        """Return scalars to watch that nobody minimizes, such as a discriminator's accuracy.

        Called without gradients: now and then on a batch of the training, and in evaluation mode on
        the validation pictures.
        """
        return {}

    @abstractmethod
    def predict(self, batch: Batch) -> Tensor:
        """Return float (N, 3, H, W): the picture in Lab as a user would get it."""

    def prepare_export(self) -> None:
        """Settle in ``net`` whatever the recipe says of decoding; called once, before export."""
