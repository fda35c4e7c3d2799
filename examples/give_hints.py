"""Tell the model a color at a point: python examples/give_hints.py IN OUT X,Y=COLOR..."""

import sys

import tinct

source, target, *texts = sys.argv[1:]
hints = [tinct.parse_hint(text) for text in texts]
tinct.colorize(source, hints=hints).save(target)
print(f"{len(hints)} hints -> {target}")
