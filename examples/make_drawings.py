"""Make simple colored drawings and their line art: ``python make_drawings.py FOLDER``.

FOLDER gets ``color/`` and ``sketch/`` with pictures of the same names, the layout in which tinct
trains and measures line art. Nobody owns them; use them for anything.
"""

import sys
from pathlib import Path

from PIL import Image, ImageDraw

SIDE, FINE = 256, 4  # drawn 4 times as large, then reduced: smooth lines
INK, LINE = "#20242c", 3

# Shapes from back to front; places in percent of the side.
SCENES: dict[str, list[tuple[str, tuple[int, ...], str]]] = {
    "house": [
        ("rectangle", (0, 0, 100, 65), "#9fd3f0"),
        ("rectangle", (0, 65, 100, 100), "#7cb95a"),
        ("ellipse", (72, 8, 90, 26), "#f7d34a"),
        ("rectangle", (22, 42, 62, 80), "#e9d9b6"),
        ("polygon", (16, 42, 42, 20, 68, 42), "#b5473a"),
        ("rectangle", (37, 60, 47, 80), "#7a4b2a"),
        ("rectangle", (27, 50, 34, 58), "#bfe3f2"),
        ("rectangle", (50, 50, 57, 58), "#bfe3f2"),
        ("rectangle", (79, 58, 83, 78), "#8a5a35"),
        ("ellipse", (70, 36, 92, 62), "#3f8f4a"),
    ],
    "boat": [
        ("rectangle", (0, 0, 100, 58), "#bfe1f5"),
        ("rectangle", (0, 58, 100, 100), "#2f78b7"),
        ("ellipse", (8, 8, 40, 20), "#ffffff"),
        ("polygon", (20, 62, 80, 62, 70, 78, 30, 78), "#a3382f"),
        ("rectangle", (48, 18, 51, 62), "#6b4a2b"),
        ("polygon", (53, 20, 80, 58, 53, 58), "#f4f0e4"),
        ("polygon", (46, 26, 24, 58, 46, 58), "#f2b84b"),
    ],
    "cat": [
        ("rectangle", (0, 0, 100, 100), "#f3e7d3"),
        ("ellipse", (28, 48, 72, 96), "#d98b3f"),
        ("polygon", (30, 28, 34, 6, 48, 20), "#d98b3f"),
        ("polygon", (70, 28, 66, 6, 52, 20), "#d98b3f"),
        ("ellipse", (28, 14, 72, 56), "#e39a4e"),
        ("ellipse", (37, 27, 46, 38), "#8fbf4f"),
        ("ellipse", (54, 27, 63, 38), "#8fbf4f"),
        ("polygon", (47, 42, 53, 42, 50, 46), "#e88a8f"),
        ("ellipse", (38, 62, 62, 92), "#f7ead2"),
    ],
    "balloon": [
        ("rectangle", (0, 0, 100, 72), "#8ec9ee"),
        ("polygon", (0, 72, 30, 50, 55, 72), "#7f9b8a"),
        ("polygon", (40, 72, 75, 44, 100, 66, 100, 72), "#6d8a78"),
        ("rectangle", (0, 72, 100, 100), "#86b04e"),
        ("ellipse", (32, 8, 68, 50), "#d8433b"),
        ("ellipse", (43, 8, 57, 50), "#f4d35e"),
        ("rectangle", (45, 58, 55, 66), "#9c6b3c"),
    ],
    "flower": [
        ("rectangle", (0, 0, 100, 100), "#eef4e2"),
        ("rectangle", (48, 50, 52, 92), "#4c8f3d"),
        ("ellipse", (52, 64, 74, 76), "#5fa64c"),
        ("ellipse", (26, 72, 48, 84), "#5fa64c"),
        ("ellipse", (40, 10, 60, 36), "#d64f8c"),
        ("ellipse", (58, 26, 84, 46), "#d64f8c"),
        ("ellipse", (52, 42, 74, 64), "#d64f8c"),
        ("ellipse", (26, 42, 48, 64), "#d64f8c"),
        ("ellipse", (16, 26, 42, 46), "#d64f8c"),
        ("ellipse", (40, 30, 60, 50), "#f2c63c"),
    ],
    "face": [
        ("rectangle", (0, 0, 100, 100), "#cfe0ea"),
        ("ellipse", (20, 6, 80, 70), "#5a3a22"),
        ("polygon", (18, 100, 32, 76, 68, 76, 82, 100), "#3b6ea5"),
        ("rectangle", (43, 64, 57, 80), "#eab892"),
        ("ellipse", (28, 18, 72, 74), "#f2c6a0"),
        ("ellipse", (37, 40, 46, 46), "#ffffff"),
        ("ellipse", (54, 40, 63, 46), "#ffffff"),
        ("ellipse", (40, 41, 44, 45), "#3f6f4a"),
        ("ellipse", (57, 41, 61, 45), "#3f6f4a"),
        ("ellipse", (43, 60, 57, 65), "#c75a5a"),
    ],
}


def draw(scene: list[tuple[str, tuple[int, ...], str]], *, colored: bool) -> Image.Image:
    """Draw a scene in color, or its lines alone on white paper."""
    side = SIDE * FINE
    picture = Image.new("RGB", (side, side), "white")
    pen = ImageDraw.Draw(picture)
    for shape, places, color in scene:
        points = [place * side // 100 for place in places]
        fill = color if colored else "white"
        getattr(pen, shape)(points, fill=fill, outline=INK, width=LINE * FINE)
    return picture.resize((SIDE, SIDE), Image.Resampling.LANCZOS)


def main(folder: str) -> None:
    """Write all scenes."""
    for kind in ("color", "sketch"):
        room = Path(folder) / kind
        room.mkdir(parents=True, exist_ok=True)
        for name, scene in SCENES.items():
            picture = draw(scene, colored=kind == "color")
            (picture if kind == "color" else picture.convert("L")).save(room / f"{name}.png")
    print(f"{len(SCENES)} drawings in {folder}")


if __name__ == "__main__":
    main(sys.argv[1])
