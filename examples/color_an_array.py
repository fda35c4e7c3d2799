"""Color a NumPy array, keeping its 16 bits: python examples/color_an_array.py."""

import numpy as np

import tinct

rows, columns = np.mgrid[0:120, 0:160]
gray = ((rows / 120 + columns / 160) / 2 * 65535).astype(np.uint16)
rgb = tinct.colorize(gray)
print(f"{gray.shape} {gray.dtype} -> {rgb.shape} {rgb.dtype}")
