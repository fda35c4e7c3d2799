"""Color one picture and save it: python examples/color_a_picture.py IN OUT."""

import sys

import tinct

source, target = sys.argv[1:3]
tinct.colorize(source).save(target)
print(f"{source} -> {target}")
