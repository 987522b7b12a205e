"""A plugin that rectifies photos of pages and evens their lighting.

Pixels are computed with integers, or with floating-point numbers one operation at a
time, so that results are equal on every processor: OpenCV's own warpPerspective does
not guarantee that.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from tkit_plugins import Batch, Context, Description, Form, ImageError, Kind, Preprocessor

Image = npt.NDArray[Any]  # of uint8; height x width x channels
Corners = list[tuple[int, int]]
"""x and y of the corners of a page, clockwise from the upper left one."""

cv2.ipp.setUseIPP(False)  # its rounding depends on the processor

_LEAST_PAGE = 0.05  # of the image's area
_LEAST_SIDE = 16  # of an image in which a page can be found
_FRACTION = cv2.INTER_TAB_SIZE  # resolution in parts of a pixel
_LONGEST = 32766  # side that cv2.remap supports


class PageRectify(Preprocessor):
    def describe(self) -> Description:
        pixels = Form(Kind.UINT8)
        return Description(
            "page-rectify",
            "1.0.0",
            summary="rectifies photos of pages and cards and evens their lighting",
            takes=pixels,
            gives=pixels,
            deterministic=True,
            config_schema={
                "type": "object",
                "additionalProperties": False,
                "properties": {
                    "inset": {
                        "description": "margin cut off the page's edges, relative to its sides",
                        "type": "number",
                        "minimum": 0,
                        "maximum": 0.25,
                        "default": 0.03,
                    },
                    "even_light": {"description": "make the paper uniformly white", "type": "boolean", "default": True},
                },
            },
        )

    def process(self, batch: Batch, config: Mapping[str, Any], context: Context) -> Batch:
        given = np.asarray(batch)
        out = np.empty_like(given)
        for n, image in enumerate(given):
            if not context.is_active():
                raise TimeoutError("the caller no longer waits for the result")
            if max(image.shape[:2]) > _LONGEST:
                raise ImageError(n, f"a side is longer than {_LONGEST} pixels")
            if image.shape[2] not in (1, 3):
                raise ImageError(n, f"{image.shape[2]} channels, want 1 or 3: `decode` gives them")
            out[n] = rectified(image, config.get("inset", 0.03), config.get("even_light", True))
        return out


def rectified(image: Image, inset: float = 0.03, even_light: bool = True) -> Image:
    """Return the page in an image, as an image of the same size, or the image itself if
    there is no page."""
    corners = page(image)
    if corners is None:
        return image
    straight = warped(image, corners, inset)
    return evened(straight) if even_light else straight


def page(image: Image) -> Corners | None:
    """Return the corners of the brightest large quadrilateral."""
    height, width, channels = image.shape
    if min(height, width) < _LEAST_SIDE:
        return None
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) if channels == 3 else np.ascontiguousarray(image[:, :, 0])
    _, bright = cv2.threshold(cv2.GaussianBlur(grey, (5, 5), 0), 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    contours, _ = cv2.findContours(bright, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    if not contours:
        return None
    hull = cv2.convexHull(max(contours, key=cv2.contourArea))
    area = cv2.contourArea(hull)
    if area < _LEAST_PAGE * height * width:
        return None
    around = cv2.arcLength(hull, True)
    for percent in range(1, 11):
        outline = cv2.approxPolyDP(hull, percent / 100 * around, True)
        if len(outline) <= 4:
            break
    if len(outline) != 4 or cv2.contourArea(outline) < 0.85 * area:
        return None
    return ordered([(int(x), int(y)) for x, y in outline.reshape(4, 2)])


def ordered(points: Corners) -> Corners:
    """Return four points clockwise, beginning with the one nearest to the upper left."""
    middle_x, middle_y = (sum(p[i] for p in points) for i in (0, 1))

    def turn(p: tuple[int, int]) -> float:
        return float(np.arctan2(4 * p[1] - middle_y, 4 * p[0] - middle_x))

    around = sorted(points, key=turn)
    first = min(range(4), key=lambda i: (around[i][0] + around[i][1], around[i]))
    return around[first:] + around[:first]


def warped(image: Image, corners: Corners, inset: float) -> Image:
    """Return the area between the corners, without the inset, at the image's size."""
    height, width = image.shape[:2]
    u = inset + (1 - 2 * inset) * ((np.arange(width) + 0.5) / width)
    v = (inset + (1 - 2 * inset) * ((np.arange(height) + 0.5) / height))[:, None]
    a, b, c, d, e, f, g, h = square_to(corners)
    depth = (g * u + h * v) + 1
    x = np.rint(((a * u + b * v) + c) / depth * _FRACTION).astype(np.int64)
    y = np.rint(((d * u + e * v) + f) / depth * _FRACTION).astype(np.int64)
    whole = np.stack((x // _FRACTION, y // _FRACTION), axis=-1).astype(np.int16)
    part = ((y % _FRACTION) * _FRACTION + x % _FRACTION).astype(np.uint16)
    out = cv2.remap(image, whole, part, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return out.reshape(image.shape)


def square_to(corners: Corners) -> tuple[float, ...]:
    """Return the projection of the unit square to four corners (Heckbert, "Fundamentals of
    Texture Mapping and Image Warping", 1989, section 2.2.3), row by row; the ninth
    number is 1."""
    (x0, y0), (x1, y1), (x2, y2), (x3, y3) = corners
    dx1, dx2, sx = x1 - x2, x3 - x2, x0 - x1 + x2 - x3
    dy1, dy2, sy = y1 - y2, y3 - y2, y0 - y1 + y2 - y3
    area = dx1 * dy2 - dx2 * dy1
    g = (sx * dy2 - dx2 * sy) / area
    h = (dx1 * sy - sx * dy1) / area
    return x1 - x0 + g * x1, x3 - x0 + h * x3, x0, y1 - y0 + g * y1, y3 - y0 + h * y3, y0, g, h


def evened(image: Image) -> Image:
    """Return the image divided by its estimated background: writing, which is darker than
    the paper and thinner than a quarter of it, is removed by closing."""
    height, width = image.shape[:2]
    size = max(3, min(height, width) // 4) | 1
    paper = cv2.morphologyEx(image, cv2.MORPH_CLOSE, np.ones((size, size), np.uint8))
    paper = cv2.blur(paper, (size, size)).reshape(image.shape).astype(np.uint32)
    even = (image.astype(np.uint32) * 255 + paper // 2) // np.maximum(paper, 1)
    return np.asarray(np.minimum(even, 255), np.uint8)
