"""Show a picture at several strengths: python examples/compare_strengths.py IN OUT."""

import sys

from PIL import Image

import tinct

source, target = sys.argv[1:3]
colorizer = tinct.Colorizer()
images = [colorizer(source, strength=strength) for strength in (0.0, 0.5, 1.0, 1.5)]
sheet = Image.new("RGB", (sum(image.width for image in images), images[0].height))
left = 0
for image in images:
    sheet.paste(image, (left, 0))
    left += image.width
sheet.save(target)
print(f"{len(images)} strengths -> {target}")
