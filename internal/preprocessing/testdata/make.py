"""Makes the images of this folder, all of the same 19 x 11 pixels, with Pillow.

    python make.py
"""

import pathlib
import struct

from PIL import Image

here = pathlib.Path(__file__).parent
W, H = 19, 11

rgb = Image.new("RGB", (W, H))
rgb.putdata([(x * 13 % 256, y * 23 % 256, x * y * 7 % 256) for y in range(H) for x in range(W)])
grey = rgb.convert("L")
palette = rgb.convert("P")
rgba = rgb.copy()
rgba.putalpha(grey)

rgb.save(here / "baseline.jpg", quality=80)
rgb.save(here / "progressive.jpg", quality=80, progressive=True)
rgb.convert("CMYK").save(here / "cmyk.jpg", quality=80)
grey.save(here / "grey.jpg", quality=80, restart_marker_blocks=1)
exif = Image.Exif()
exif[0x0112] = 6  # orientation
exif[0x010E] = "x" * 3000  # description
# A colour profile of more than 64 KiB takes two segments.
rgb.save(here / "metadata.jpg", quality=60, exif=exif, icc_profile=b"p" * 70000)

rgb.save(here / "rgb.png")
grey.save(here / "grey.png")
rgba.save(here / "rgba.png")
palette.save(here / "palette.png")

palette.save(here / "still.gif")
palette.save(here / "animated.gif", save_all=True, append_images=[grey.convert("P")], duration=50, loop=0, comment=b"two frames")

rgb.save(here / "lossy.webp", quality=50)
rgb.save(here / "lossless.webp", lossless=True)
rgba.save(here / "extended.webp", quality=50)
rgb.save(here / "animated.webp", save_all=True, append_images=[grey.convert("RGB")], duration=50)

rgb.save(here / "rgb.bmp")
grey.save(here / "grey.bmp")
rgba.save(here / "rgba.bmp")


def rows(order):
    return b"".join(b"".join(bytes(rgb.getpixel((x, y))[::-1]) for x in range(W)) + b"\0" * (-3 * W % 4) for y in order)


pixels = rows(reversed(range(H)))
core = struct.pack("<IHHHH", 12, W, H, 1, 24)
(here / "core.bmp").write_bytes(b"BM" + struct.pack("<IHHI", 26 + len(pixels), 0, 0, 26) + core + pixels)
pixels = rows(range(H))  # a negative height: from the top
info = struct.pack("<IiiHHIIiiII", 40, W, -H, 1, 24, 0, len(pixels), 0, 0, 0, 0)
(here / "topdown.bmp").write_bytes(b"BM" + struct.pack("<IHHI", 54 + len(pixels), 0, 0, 54) + info + pixels)
