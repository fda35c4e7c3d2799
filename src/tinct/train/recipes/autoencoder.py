"""The Lab autoencoder: its settings and recipes.

The article names the parts and the loss and leaves every number open; widths, latent size, batch,
rate and steps are ours.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from tinct.errors import UsageError
from tinct.train.recipe import SMALL_PICTURES, DataRecipe, Optimizer, Recipe, Size, Stage, at_nano

ACTIVATIONS = ("relu", "none")


@dataclass(frozen=True)
class Autoencoder:
    """A convolutional autoencoder in CIE Lab.

    Attributes:
        latent: numbers that are left of each cell of the picture; a cell is 2 to the power of
            ``len(widths)`` pixels wide and high.
        widths: channels of the encoder at strides 2, 4, 8, ...; the decoder's are the same,
            backwards.
        activation: after every layer but the encoder's and the decoder's last: ``relu`` or
            ``none``, which leaves a linear map.
        reconstruct: color in and color out, instead of lightness in and a*, b* out.
    """

    latent: int = 128
    widths: tuple[int, ...] = (64, 128, 256, 512)
    activation: str = "relu"
    reconstruct: bool = False

    def __post_init__(self) -> None:
        if self.latent < 1 or not self.widths or min(self.widths) < 1:
            raise UsageError("model.latent and model.widths of an autoencoder must be 1 or more.")
        if self.activation not in ACTIVATIONS:
            raise UsageError(
                f"model.activation must be {' or '.join(ACTIVATIONS)}, not {self.activation!r}."
            )


_PLAIN = Optimizer(betas=(0.9, 0.999), weight_decay=0.0, clip=0.0, ema=0.0)
_MODELS: dict[Size, Autoencoder] = {
    "full": Autoencoder(),
    "small": Autoencoder(latent=64, widths=(32, 64, 128, 256)),
    "nano": Autoencoder(latent=8, widths=(12, 16, 24)),
}
_STAGES: dict[Size, Stage] = {
    "full": Stage(size=128, steps=60_000, batch=32, lr=1e-3),
    "small": Stage(size=128, steps=SMALL_PICTURES // 16, batch=16, lr=1e-3),
    "nano": Stage(size=32, steps=20, batch=4, lr=4e-3),
}


def _recipe(name: str, size: Size, *, reconstruct: bool) -> Recipe:
    data = DataRecipe(hints="truth" if reconstruct else "none", degraded=0.0)
    model = replace(_MODELS[size], reconstruct=reconstruct)
    recipe = Recipe(
        name=name,
        family="autoencoder",
        task="photo",
        model=model,
        stages=(_STAGES[size],),
        size=size,
        data=data,
        optimizer=_PLAIN,
        sizes=(128, 128, 256),
        multiple_of=2 ** len(model.widths),
        validate_every=250,
    )
    if size != "nano":
        return recipe
    return at_nano(recipe)


def autoencoder(size: Size) -> Recipe:
    """Color photographs: lightness through a narrow latent space to a*, b*; quadratic loss."""
    return _recipe("autoencoder", size, reconstruct=False)


def autoencoder_reconstruct(size: Size) -> Recipe:
    """Give a color picture back through the latent space; a study of its size, no colorizer.

    ``--set model.latent=32`` makes one point of the study.
    """
    return _recipe("autoencoder-reconstruct", size, reconstruct=True)


RECIPES = {"autoencoder": autoencoder, "autoencoder-reconstruct": autoencoder_reconstruct}
