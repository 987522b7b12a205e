from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from invert import Invert

from tkit_plugins import ANY, VARIES, Description, Form, Kind
from tkit_plugins.testing import process

PIXELS = Form(Kind.UINT8)
GOOD = Description("invert", "1.0.0-rc.1+build", takes=PIXELS, gives=Form(Kind.FLOAT32, 224, VARIES, ANY))


def test_good_description() -> None:
    GOOD.validate()


@pytest.mark.parametrize(
    "bad, words",
    [
        (replace(GOOD, name="Invert"), "name 'Invert'"),
        (replace(GOOD, name="a" * 65), "up to 64"),
        (replace(GOOD, version="1.0"), "version '1.0'"),
        (replace(GOOD, version="1.0.0-" + "a" * 64), "version"),
        (replace(GOOD, takes=Form(Kind.UINT8, VARIES)), "takes"),
        (replace(GOOD, gives=Form(Kind.UINT8, 1 << 17)), "gives"),
        (replace(GOOD, takes=Form(Kind.ENCODED, 5)), "no shape"),
        (replace(GOOD, takes=Form(Kind.ENCODED), gives=PIXELS), "no size to keep"),
    ],
)
def test_bad_descriptions(bad: Description, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        bad.validate()


def test_testing() -> None:
    batch = np.arange(24, dtype=np.uint8).reshape(2, 2, 2, 3)
    np.testing.assert_array_equal(np.asarray(process(Invert(), batch)), 255 - batch)
    with pytest.raises(AssertionError, match="1 images for 2"):
        process(Invert(), batch, {"do": "itself"})
