from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from page_rectify import Corners, Image, PageRectify, evened, ordered, page, rectified, square_to

from tkit_plugins import ImageError
from tkit_plugins.testing import Waiting, process

CORNERS: Corners = [(40, 20), (170, 50), (150, 160), (25, 120)]


def photo(corners: Corners = CORNERS, channels: int = 1, light: float = 0.5) -> Image:
    """Return a white page with a black bar in the left of its upper half, on a dark
    table, in light that decreases to the right."""
    image = np.full((180, 200, channels), 40, np.uint8)
    cv2.fillConvexPoly(image, np.array(corners), (230,) * channels)
    a, b, c, d, e, f, g, h = square_to(corners)
    bar = [(0.2, 0.2), (0.4, 0.2), (0.4, 0.4), (0.2, 0.4)]
    placed = [((a * u + b * v + c) / (g * u + h * v + 1), (d * u + e * v + f) / (g * u + h * v + 1)) for u, v in bar]
    cv2.fillConvexPoly(image, np.rint(placed).astype(np.int32), (20,) * channels)
    falloff = np.linspace(1, light, image.shape[1])[None, :, None]
    return np.asarray((image * falloff).astype(np.uint8))


def near(found: Corners | None, want: Corners, pixels: int = 2) -> bool:
    return found is not None and bool(np.abs(np.array(found) - np.array(want)).max() <= pixels)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("turn", [-30, 0, 30])
def test_page(channels: int, turn: int) -> None:
    angle = np.radians(turn)
    turned = [
        (round(100 + (x - 100) * np.cos(angle) - (y - 90) * np.sin(angle)), round(90 + (x - 100) * np.sin(angle) + (y - 90) * np.cos(angle)))
        for x, y in [(60, 60), (140, 60), (140, 120), (60, 120)]
    ]
    assert near(page(photo(turned, channels)), turned)


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((50, 60, 1), np.uint8),
        np.full((50, 60, 3), 255, np.uint8)[:8],
        cv2.circle(np.zeros((100, 100, 1), np.uint8), (50, 50), 40, (255,), -1),  # round
        cv2.rectangle(np.zeros((100, 100, 1), np.uint8), (50, 50), (60, 60), 255, -1),  # small
        cv2.fillPoly(np.zeros((100, 100, 1), np.uint8), [np.array([[10, 10], [90, 15], [40, 90]])], 255),  # a triangle
    ],
)
def test_no_page(image: Image) -> None:
    image = image.reshape(*image.shape[:2], -1)
    assert page(image) is None
    np.testing.assert_array_equal(rectified(image), image)


@pytest.mark.parametrize("first", range(4))
def test_ordered(first: int) -> None:
    assert ordered(CORNERS[first:] + CORNERS[:first]) == CORNERS
    assert ordered(CORNERS[::-1]) == CORNERS


def test_square_to() -> None:
    matrix = np.array([*square_to(CORNERS), 1]).reshape(3, 3)
    want = cv2.getPerspectiveTransform(np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32), np.array(CORNERS, np.float32))
    np.testing.assert_allclose(matrix, want, atol=1e-4)


@pytest.mark.parametrize("channels", [1, 3])
def test_rectified(channels: int) -> None:
    straight = rectified(photo(channels=channels))
    height, width = straight.shape[:2]
    dark = straight[:, :, 0] < 128
    where = np.argwhere(dark) / (height, width)
    # The bar is at its position on the page without its edges, and nothing else is dark.
    np.testing.assert_allclose([where.min(0), where.max(0)], (np.array([[0.2, 0.2], [0.4, 0.4]]) - 0.03) / 0.94, atol=0.02)
    assert dark[int(0.25 * height) : int(0.35 * height), int(0.25 * width) : int(0.35 * width)].all()
    assert straight[int(0.5 * height) :].min() > 230  # the paper, in even light


def test_against_warp_perspective() -> None:
    """The same as OpenCV, except for rounding."""
    image = cv2.GaussianBlur(photo(), (9, 9), 0)[:, :, None]
    height, width = image.shape[:2]
    found = page(image)
    assert found is not None
    square = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32) - np.float32(0.5)
    matrix = cv2.getPerspectiveTransform(np.array(found, np.float32), square)
    want = cv2.warpPerspective(image, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)
    got = rectified(image, inset=0, even_light=False)[:, :, 0]
    assert np.abs(got.astype(int) - want).max() <= 3


def test_evened() -> None:
    slope = np.linspace(150, 250, 100).astype(np.uint8)
    image = np.broadcast_to(slope, (80, 100))[:, :, None].copy()
    image[30:50, 40:50] //= 5
    even = evened(image)
    assert even[35:45, 42:48].max() < 70
    even[28:52, 38:52] = 255
    assert even.min() > 230


def test_process() -> None:
    batch = np.stack([photo(), np.zeros((180, 200, 1), np.uint8), photo(light=0.8)])
    out = np.asarray(process(PageRectify(), batch, {"inset": 0.1, "even_light": False}))
    np.testing.assert_array_equal(out[0], rectified(batch[0], 0.1, False))
    np.testing.assert_array_equal(out[1], batch[1])
    with pytest.raises(ImageError, match="image 1: a side is longer"):
        process(PageRectify(), np.zeros((1, 1, 40000, 1), np.uint8))
    with pytest.raises(ImageError, match="2 channels"):
        process(PageRectify(), np.zeros((1, 20, 20, 2), np.uint8))
    with pytest.raises(TimeoutError):
        PageRectify().process(batch, {}, Waiting(active=False))


def digest() -> str:
    answers = [rectified(photo(channels=c, light=n / 10)) for c in (1, 3) for n in range(3, 10)]
    return hashlib.sha256(np.concatenate([a.ravel() for a in answers]).tobytes()).hexdigest()


def test_same_on_other_processors() -> None:
    """OpenCV and numpy must not use the newer instructions of this processor."""
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(sys.path),
        "OPENCV_CPU_DISABLE": "SSE4.1,SSE4.2,AVX,FP16,AVX2,FMA3,AVX512-SKX",
        "NPY_DISABLE_CPU_FEATURES": "AVX2,FMA3,AVX512F,AVX512CD,AVX512_SKX",
        "PYTHONWARNINGS": "ignore",  # numpy's, if the processor lacks them
    }
    old = subprocess.run(
        [sys.executable, "-c", "import cv2, test_page_rectify as t; print(t.digest(), cv2.checkHardwareSupport(11))"],
        env=environment,
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=True,
    )
    other, avx2 = old.stdout.split()[-2:]
    assert avx2 == "False" and other == digest()
