"""The recipes by name: functions from a size to a :class:`~tinct.train.recipe.Recipe`.

Each family has a file here with its settings and its named recipes. Nothing in here imports torch.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping

from tinct.errors import UsageError
from tinct.train.recipe import SIZES, Recipe, Size, replace_fields
from tinct.train.recipes import autoencoder, chromagan, flagship, pix2pix, resunet, sketch_unet

RECIPES: dict[str, Callable[[Size], Recipe]] = {
    **flagship.RECIPES,
    **autoencoder.RECIPES,
    **chromagan.RECIPES,
    **pix2pix.RECIPES,
    **resunet.RECIPES,
    **sketch_unet.RECIPES,
}


def names() -> list[str]:
    """Return the names of all recipes."""
    return list(RECIPES)


def get(name: str, overrides: Mapping[str, str] | None = None, *, size: str = "full") -> Recipe:
    """Return a recipe, single fields replaced.

    Args:
        name: one of :func:`names`.
        overrides: dotted field to value, both text; ``stages.0.steps`` reaches into the first
            stage.
        size: ``nano`` for a test, ``small`` for a laptop, ``full`` for a GPU.

    Raises:
        UsageError: unknown recipe, size or field, or a value of the wrong type.
    """
    if name not in RECIPES:
        near = difflib.get_close_matches(name, RECIPES, n=1)
        guess = f" Did you mean {near[0]!r}?" if near else f" Choose from {', '.join(RECIPES)}."
        raise UsageError(f"No recipe is called {name!r}.{guess}")
    for known in SIZES:
        if size == known:
            return replace_fields(RECIPES[name](known), overrides or {})
    raise UsageError(f"The size must be {', '.join(SIZES)}, not {size!r}.")
