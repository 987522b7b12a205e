"""make.py writes WebP files whose lossless parts differ in form, with Pillow."""
import pathlib

import numpy as np
from PIL import Image

here = pathlib.Path(__file__).parent
rng = np.random.default_rng(3)

# Patches of different noise, so that the encoder gives tiles codes of their own.
x, y = np.linspace(0, 255, 192)[None, :], np.linspace(0, 255, 160)[:, None]
pixels = np.stack([x + 0 * y, y + 0 * x, (x + y) / 2], -1)
for i in range(6):
    for j in range(6):
        patch = pixels[i * 26 : (i + 1) * 26, j * 32 : (j + 1) * 32]
        patch += rng.normal(rng.uniform(-50, 50), rng.uniform(0, 40), patch.shape)
tiles = Image.fromarray(np.clip(pixels, 0, 255).astype("uint8"))
tiles.resize((96, 80)).save(here / "tiles.webp", lossless=True, quality=100, method=6)

levels = rng.integers(0, 3, (40, 50), dtype="uint8") * 100
Image.fromarray(levels).convert("P").save(here / "palette.webp", lossless=True, method=6)

transparent = tiles.resize((48, 40)).convert("RGBA")
alpha = np.zeros((40, 48), "uint8")
alpha[8:30, 8:40] = np.arange(32)[None] * 7
transparent.putalpha(Image.fromarray(alpha))
transparent.save(here / "alpha.webp", quality=50, method=6)
