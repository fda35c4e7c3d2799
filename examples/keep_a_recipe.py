"""Color with hints, keep them as a recipe, replay it: python examples/keep_a_recipe.py IN OUT."""

import sys
from pathlib import Path

from PIL import Image, ImageDraw

import tinct

source, target = sys.argv[1:3]
colorizer = tinct.Colorizer()

# A layer as a drawing program exports it: clear, with some strokes of color.
with Image.open(source) as picture:
    layer = Image.new("RGBA", picture.size)
brush = ImageDraw.Draw(layer)
brush.line([(0, 0), (layer.width, 0)], fill="#87a0b8", width=layer.height // 8)

hints = tinct.read_hints(
    [
        layer,
        tinct.Stroke(points=((0.1, 0.9), (0.9, 0.9)), color="olive", width=0.1),
        tinct.Point(x=0.5, y=0.5, color="#b08050"),
        tinct.KeepGray(box=(0, 0.4, 0.1, 0.6)),
    ]
)
kept = tinct.ColorRecipe(settings=tinct.Settings(hints=hints, strength=0.9))
file = Path(target).with_suffix(".tinct.json")
tinct.save_recipe(kept.of_bundle(colorizer.bundle), file, overwrite=True)

recipe = tinct.read_recipe(file)
colorizer(source, settings=recipe.settings).save(target)
print(f"{len(recipe.settings.hints)} hints, kept in {file.name} -> {target}")
