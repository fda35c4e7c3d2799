"""What a run leaves on disk.

::

    RUN/
      recipe.json       the resolved recipe
      data.json         the folders: pictures, weights, and terms, which a person fills in
      metrics.jsonl     one JSON object a line: training terms and validation figures, by step
      tensorboard/      the same for TensorBoard
      samples/          gray | model | truth, the same pictures each time
      last.ckpt         everything needed to go on
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from tinct.color import fit_gamut, lab_to_rgb
from tinct.errors import TrainingError
from tinct.train.families import recipe_from_json
from tinct.train.former_names import rename_checkpoint
from tinct.train.recipe import Recipe, to_json


def lab_to_pixels(lab: Tensor) -> NDArray[np.uint8]:
    """Convert float Lab (N, 3, H, W) to uint8 sRGB (N, H, W, 3), chroma fitted to the gamut."""
    rgb = lab_to_rgb(fit_gamut(lab.cpu(), axis=1, steps=8), axis=1).clamp(0, 1)
    pixels: NDArray[np.uint8] = (rgb * 255).round().byte().permute(0, 2, 3, 1).numpy()
    return pixels


class RunDir:
    """A run's folder.

    Args:
        path: the folder; made if it is missing.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.checkpoint = path / "last.ckpt"
        self.metrics = path / "metrics.jsonl"

    def begin(self, recipe: Recipe, data: list[dict[str, Any]], *, resume: bool) -> None:
        """Make the folder and write down what the run depends on.

        Raises:
            TrainingError: a run is there already and ``resume`` was not asked for, or it used
                another recipe.
        """
        held = self.path / "recipe.json"
        if held.is_file():
            if not resume:
                raise TrainingError(
                    f"{str(self.path)!r} holds a run already; go on with --resume "
                    "or choose another folder."
                )
            if recipe_from_json(held.read_text()) != recipe:
                raise TrainingError(
                    f"The run in {str(self.path)!r} was started with another recipe or other "
                    "settings; resume it with the same ones."
                )
        elif resume:
            raise TrainingError(f"There is no run in {str(self.path)!r} to resume.")
        (self.path / "samples").mkdir(parents=True, exist_ok=True)
        held.write_text(to_json(recipe))
        self.metrics.touch()
        (self.path / "data.json").write_text(json.dumps(data, indent=2))

    def recipe(self) -> Recipe:
        """Read the recipe of the run.

        Raises:
            TrainingError: there is no run here.
        """
        held = self.path / "recipe.json"
        if not held.is_file():
            raise TrainingError(f"There is no training run in {str(self.path)!r}.")
        return recipe_from_json(held.read_text())

    def data(self) -> list[dict[str, Any]]:
        """Read what the run was trained on."""
        found: list[dict[str, Any]] = json.loads((self.path / "data.json").read_text())
        return found

    def log(self, row: dict[str, Any]) -> None:
        """Append one line to the metrics."""
        with self.metrics.open("a") as out:
            out.write(json.dumps(row) + "\n")

    def trim(self, step: int) -> None:
        """Drop the metrics after ``step``: a resumed run writes them again."""
        if not self.metrics.is_file():
            return
        rows = [line for line in self.metrics.read_text().splitlines() if line]
        kept = [line for line in rows if json.loads(line)["step"] <= step]
        self.metrics.write_text("".join(line + "\n" for line in kept))

    def save(self, state: dict[str, Any]) -> None:
        """Write the checkpoint; an interruption leaves the one before whole."""
        part = self.checkpoint.with_suffix(".part")
        torch.save(state, part)
        part.replace(self.checkpoint)

    def load(self) -> dict[str, Any]:
        """Read the checkpoint.

        Raises:
            TrainingError: there is none.
        """
        if not self.checkpoint.is_file():
            raise TrainingError(f"{str(self.path)!r} holds no checkpoint yet; train it first.")
        state: dict[str, Any] = torch.load(self.checkpoint, map_location="cpu", weights_only=True)
        return rename_checkpoint(state)

    def sample(self, name: str, columns: list[Tensor]) -> NDArray[np.uint8]:
        """Write a grid of pictures, one row each; ``columns`` are Lab batches (N, 3, H, W)."""
        grid = np.concatenate(
            [np.concatenate(list(lab_to_pixels(part)), axis=0) for part in columns], axis=1
        )
        Image.fromarray(grid).save(self.path / "samples" / f"{name}.jpg", quality=90)
        return grid
