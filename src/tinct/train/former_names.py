"""Read recipes and checkpoints that were written under names from before.

Runs and bundles in the world hold them. Everything is written under the present names.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

SETTINGS = {
    "critic": "discriminator",
    "critic_layers": "discriminator_layers",
    "critic_width": "discriminator_width",
    "critic_widths": "discriminator_widths",
    "judge": "perceptual_network",
    "judged": "perceptual_every",
}
PLAYERS = {"critic": "discriminator"}
RECIPE = {"limit_looks": "limit_patience"}
CHECKPOINT = {"average": "ema", "watch": "early_stopping"}


def rename_recipe(held: Mapping[str, Any]) -> dict[str, Any]:
    """Return a recipe's parsed JSON with the present names; it is not changed itself."""
    found = _renamed(held, RECIPE)
    if "model" in found:
        found["model"] = _renamed(found["model"], SETTINGS)
    if "stages" in found:
        found["stages"] = [_rename_stage(stage) for stage in found["stages"]]
    return found


def rename_checkpoint(state: Mapping[str, Any]) -> dict[str, Any]:
    """Return a checkpoint with the present names; it is not changed itself."""
    found = _renamed(state, CHECKPOINT)
    for part in ("module", "ema"):
        if part in found:
            found[part] = {_weight(key): value for key, value in found[part].items()}
    if "optimizers" in found:
        found["optimizers"] = _renamed(found["optimizers"], PLAYERS)
    return found


def _rename_stage(stage: Mapping[str, Any]) -> dict[str, Any]:
    found = dict(stage)
    for part in ("turns", "lr_scale"):
        if part in found:
            found[part] = _renamed(found[part], PLAYERS)
    if "turns" in found:  # set on the command line they were written as 2.0
        found["turns"] = {name: _whole(every) for name, every in found["turns"].items()}
    if "freeze" in found:
        found["freeze"] = [PLAYERS.get(group, group) for group in found["freeze"]]
    return found


def _whole(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _renamed(held: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    return {names.get(key, key): value for key, value in held.items()}


def _weight(key: str) -> str:
    """Return a weight's present name: its first part is the player's."""
    player, dot, rest = key.partition(".")
    return PLAYERS.get(player, player) + dot + rest
