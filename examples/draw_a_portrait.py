"""Draw a portrait in pencil, as a scanner sees it: ``python draw_a_portrait.py portrait.jpg``.

Smooth lines through a few points, the pencil's grain, the paper's tone and uneven light. Nobody
owns the drawing; use it for anything.
"""

import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

SIDE, FINE = 1000, 2  # drawn twice as large, then reduced: smooth lines
Points = list[tuple[float, float]]


def mirrored(points: Points) -> Points:
    """Return points on the other side of the middle."""
    return [(100 - x, y) for x, y in points]


# Lines through these places, in percent of the side; and how wide the pencil draws, in pixels.
FACE: Points = [(33, 38), (32.6, 48), (34.5, 57), (40, 65), (46, 70.5), (50, 72)]
HAIR: Points = [(33, 62), (28, 52), (26.5, 40), (29, 26), (37, 16), (50, 13)]
FRINGE: list[Points] = [
    [(50, 13.5), (43, 24), (36, 33), (33, 42)],
    [(50, 13.5), (47, 26), (43.5, 34), (40, 39)],
    [(50, 13.5), (50.5, 27), (50, 34), (48, 40)],
    [(50, 13.5), (55, 26), (57, 33), (57, 38.5)],
    [(50, 13.5), (61, 24), (65, 33), (67, 42)],
]
STRAND: Points = [(33, 40), (30, 52), (29, 64), (31, 76), (28, 84)]
OUTER: Points = [(27, 45), (24, 58), (22, 70), (24, 80), (21, 86)]
BROW: Points = [(37.2, 43.2), (40.5, 41.6), (45, 42.6)]
LID: Points = [(36.6, 50), (38.2, 47.2), (41, 46.3), (44, 47.2), (45.8, 49.6)]
UNDER: Points = [(38, 53.2), (41, 54.6), (44.4, 53)]
NECK: Points = [(43.5, 68.8), (43.6, 74), (42.4, 78)]
COLLAR: Points = [(42.4, 78), (36, 80), (38, 88), (50, 96)]
COLLAR_IN: Points = [(42.4, 78), (45, 84), (50, 90)]
SHOULDER: Points = [(36.5, 81.5), (26, 84.5), (14, 88), (8, 94), (6, 101)]
ARM: Points = [(22, 101), (23, 96), (22, 92)]


def lines() -> list[tuple[Points, float]]:
    """Return all lines: points and width."""
    single: list[tuple[Points, float]] = [(fringe, 3.2) for fringe in FRINGE]
    single += [
        ([(49.6, 57.5), (48.8, 60.2), (50.4, 61)], 2.6),
        ([(45.6, 65.2), (48.5, 65.9), (50, 65.6), (51.5, 65.9), (54.4, 65.2)], 3.2),
        ([(48.2, 67.6), (50, 68.1), (51.8, 67.6)], 2.0),
        ([(50, 96), (50, 101)], 3.0),
        ([(0, 30), (9, 27), (18, 30), (23, 36)], 2.4),  # hills behind
        ([(76, 38), (84, 31), (93, 33), (101, 27)], 2.4),
        ([(0, 46), (10, 43), (22, 47)], 2.4),
        ([(77, 50), (88, 45), (101, 48)], 2.4),
    ]
    double = [
        (FACE, 3.6), (HAIR, 3.8), (STRAND, 3.2), (OUTER, 3.6), (BROW, 4.4), (LID, 5.5),
        (UNDER, 2.4), (NECK, 3.2), (COLLAR, 3.6), (COLLAR_IN, 3.2), (SHOULDER, 3.8), (ARM, 3.0),
    ]  # fmt: skip
    for points, width in double:
        single += [(points, width), (mirrored(points), width)]
    return single


def curve(points: Points, steps: int = 200) -> Points:
    """Return a smooth line through points (Catmull-Rom)."""
    p = np.array([points[0], *points, points[-1]], float)
    t = np.linspace(0, 1, steps, endpoint=False)[:, None]
    parts = []
    for a, b, c, d in zip(p[:-3], p[1:-2], p[2:-1], p[3:], strict=True):
        cubic = 3 * b - a - 3 * c + d
        square = 2 * a - 5 * b + 4 * c - d
        parts.append(b + ((c - a) * t + square * t**2 + cubic * t**3) / 2)
    return [(float(x), float(y)) for x, y in [*np.concatenate(parts), p[-1]]]


def pencil(rng: np.random.Generator) -> np.ndarray:
    """Return the ink of all lines, 0..1, (SIDE, SIDE)."""
    big = Image.new("L", (SIDE * FINE, SIDE * FINE), 0)
    draw = ImageDraw.Draw(big)
    scale = SIDE * FINE / 100
    for points, width in lines():
        smooth = curve(points)
        press = 0.75 + 0.25 * np.sin(np.linspace(0.2, np.pi - 0.2, len(smooth)))
        wobble = np.cumsum(rng.normal(0, 0.005, (len(smooth), 2)), axis=0)
        for (x, y), (dx, dy), weight in zip(smooth, wobble, press, strict=True):
            radius = width * FINE * weight / 2
            cx, cy = (x + dx) * scale, (y + dy) * scale
            draw.ellipse((cx - radius, cy - radius, cx + radius, cy + radius), fill=255)
    for side in (1, -1):  # eyes
        x, y = (50 - side * 8.8) * scale, 50.2 * scale
        for rx, ry, shade in ((2.3, 3.6, 235), (2.0, 3.2, 90), (1.1, 1.9, 235)):
            draw.ellipse(
                (x - rx * scale, y - ry * scale, x + rx * scale, y + ry * scale), fill=shade
            )
        x, y = x - 0.7 * scale, y - 1.6 * scale
        draw.ellipse((x - 0.8 * scale, y - scale, x + 0.8 * scale, y + scale), fill=0)
    small = big.resize((SIDE, SIDE), Image.Resampling.BOX)
    return np.asarray(small, np.float64) / 255


def main() -> None:
    """Draw."""
    target = Path(sys.argv[1])
    rng = np.random.default_rng(7)
    ink = pencil(rng)
    grain = np.asarray(
        Image.fromarray(rng.normal(128, 60, (SIDE, SIDE)).clip(0, 255).astype(np.uint8)).filter(
            ImageFilter.GaussianBlur(0.8)
        ),
        np.float64,
    )
    grain = (grain - grain.mean()) / grain.std()
    y, x = np.mgrid[0 : 1 : SIDE * 1j, 0 : 1 : SIDE * 1j]
    paper = 0.93 - 0.05 * x - 0.03 * y**2 + 0.006 * grain
    page = paper * (1 - 0.78 * ink * (1 - 0.12 * grain).clip(0.3, 1.2))
    codes = (page.clip(0, 1) * 255).round().astype(np.uint8)
    Image.fromarray(codes).save(target, quality=90)


if __name__ == "__main__":
    main()
