"""The interface that an author implements, and the words it is made of."""

from __future__ import annotations

import enum
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, Union

import numpy as np
import numpy.typing as npt

Batch = Union[Sequence[bytes], npt.NDArray[np.uint8], npt.NDArray[np.float32]]
"""Encoded images as bytes, or pixels as one array of images x height x width x channels."""

ANY = 0
"""Of a form's side: any size is taken; in what is given, the size that was taken."""

VARIES = -1
"""Of a side of what is given: the preprocessor decides by batch."""


class Kind(enum.IntEnum):
    """What a batch holds."""

    ENCODED = 1
    UINT8 = 2
    FLOAT32 = 3


@dataclass(frozen=True)
class Form:
    """A kind of image, with the size that pixels have. Encoded images have none."""

    kind: Kind
    height: int = ANY
    width: int = ANY
    channels: int = ANY


@dataclass(frozen=True)
class Description:
    """What a preprocessor says of itself.

    ``config_schema`` is a JSON Schema (draft 2020-12) of its configuration, an
    object; without one there is no configuration. ``deterministic`` promises that
    equal batches and configurations have equal answers, to the last bit, in every
    process on every machine.
    """

    name: str
    version: str
    takes: Form
    gives: Form
    summary: str = ""
    config_schema: Mapping[str, Any] | None = None
    deterministic: bool = False

    def validate(self) -> None:
        """Raise ValueError where tkit would refuse the description."""
        if len(self.name) > 64 or not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", self.name):
            raise ValueError(f"name {self.name!r}: want up to 64 lower-case letters, digits and single hyphens")
        if not re.fullmatch(r"(0|[1-9]\d*)(\.(0|[1-9]\d*)){2}(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?", self.version):
            raise ValueError(f"version {self.version!r}: want MAJOR.MINOR.PATCH, such as 1.0.0")
        for what, form, least in (("takes", self.takes, ANY), ("gives", self.gives, VARIES)):
            sides = (form.height, form.width, form.channels)
            if form.kind == Kind.ENCODED and any(sides):
                raise ValueError(f"{what}: encoded images have no shape, got {sides}")
            if any(side < least for side in sides):
                raise ValueError(f"{what}: {sides}: a side is at least {least}")
        given = (self.gives.height, self.gives.width, self.gives.channels)
        if self.takes.kind == Kind.ENCODED and self.gives.kind != Kind.ENCODED and ANY in given:
            raise ValueError("gives: encoded images have no size to keep: name one, or say VARIES")


class Context(Protocol):
    """The call that a batch came by."""

    def is_active(self) -> bool:
        """Whether anybody still waits for the answer."""

    def time_remaining(self) -> float | None:
        """The seconds that are left, if that is known."""


class ImageError(Exception):
    """The fault of one image, not of the preprocessor: it is set aside, and the
    rest of its batch is tried again."""

    def __init__(self, image: int, reason: str) -> None:
        super().__init__(f"image {image + 1}: {reason}")
        self.image = image
        self.reason = reason


class Preprocessor(ABC):
    """Turns batches of images into batches of images."""

    @abstractmethod
    def describe(self) -> Description:
        """Say what the preprocessor is. The answer is constant."""

    @abstractmethod
    def process(self, batch: Batch, config: Mapping[str, Any], context: Context) -> Batch:
        """Give as many images as are taken, in the same order.

        An image's answer must not depend on its neighbours. ``config`` follows the
        schema of the description. Calls do not overlap. The batch lies in memory
        that is used again after the call and cannot be written to: copy what is to
        be kept, but answer with the batch or a part of it if you like. Return soon
        once ``context`` is no longer active.

        Raise ImageError where an image is at fault, anything else where the
        preprocessor is.
        """
