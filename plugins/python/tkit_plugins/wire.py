"""Batches as messages, and the memory that is shared with tkit."""

from __future__ import annotations

import fcntl
import mmap
import os
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from . import preprocessor_pb2 as pb
from .preprocessor import Batch, Kind

MEMORY_VARIABLE = "TKIT_PLUGIN_MEMORY"

_F_GET_SEALS = 1034
_F_SEAL_SHRINK = 2
_DTYPES: Mapping[int, npt.DTypeLike] = {Kind.UINT8: np.dtype("u1"), Kind.FLOAT32: np.dtype("<f4")}


class SharedMemory:
    """A file without a name that tkit has made and this process inherited. It
    grows on the other side and never shrinks."""

    def __init__(self, descriptor: int) -> None:
        if not fcntl.fcntl(descriptor, _F_GET_SEALS) & _F_SEAL_SHRINK:
            raise OSError(f"{MEMORY_VARIABLE}={descriptor}: the memory may shrink")
        os.set_inheritable(descriptor, False)
        self._descriptor = descriptor
        self._map: mmap.mmap | None = None
        self.size = 0

    @classmethod
    def from_environment(cls) -> SharedMemory | None:
        text = os.environ.get(MEMORY_VARIABLE, "")
        return cls(int(text)) if text else None

    def view(self, span: pb.Span) -> npt.NDArray[np.uint8]:
        """A part of the memory, as bytes that can be written to."""
        end = span.offset + span.length
        if end > self.size:
            size = os.fstat(self._descriptor).st_size
            if end > size:
                raise ValueError(f"{span.length} bytes at {span.offset} of {size} in shared memory")
            # The last map ends with the last array that looks at it.
            self._map = mmap.mmap(self._descriptor, size)
            self.size = size
        if self._map is None:
            return np.empty(0, np.uint8)
        return np.frombuffer(self._map, np.uint8, span.length, span.offset)


def unpack(message: pb.Batch, memory: SharedMemory | None) -> Batch:
    """The batch that a message carries, not to be written to."""
    if message.WhichOneof("data") == "shared":
        if memory is None:
            raise ValueError("a batch in shared memory, where there is none")
        data = memory.view(message.shared)
    else:
        data = np.frombuffer(message.inline, np.uint8)
    if message.kind == Kind.ENCODED:
        files: list[bytes] = []
        start = 0
        for length in message.lengths:
            files.append(data[start : start + length].tobytes())
            start += length
        if start != len(data) or len(files) != message.count:
            raise ValueError(f"{len(files)} encoded images of {start} bytes in {len(data)}, want {message.count}")
        return files
    shape = (message.count, message.height, message.width, message.channels)
    pixels = data.view(_DTYPES[message.kind]).reshape(shape)
    pixels.flags.writeable = False
    return pixels


def pack(batch: Batch, kind: Kind, request: pb.ProcessRequest, memory: SharedMemory | None) -> pb.Batch:
    """The message of an answer, whose data go into the room that tkit set aside
    where they fit."""
    room = request.room if memory is not None else pb.Span()
    if kind == Kind.ENCODED:
        files = [bytes(file) for file in batch]
        message = pb.Batch(kind=kind, count=len(files), lengths=[len(file) for file in files])
        data = np.frombuffer(b"".join(files), np.uint8)
    else:
        pixels = np.ascontiguousarray(batch, _dtype(batch, kind))
        if pixels.ndim != 4:
            raise ValueError(f"answered an array of {pixels.ndim} dimensions, want images x height x width x channels")
        count, height, width, channels = pixels.shape
        message = pb.Batch(kind=kind, count=count, height=height, width=width, channels=channels)
        data = pixels.reshape(-1).view(np.uint8)
        if memory is not None and request.batch.WhichOneof("data") == "shared" and memory.size:
            given = memory.view(request.batch.shared)
            start = data.__array_interface__["data"][0] - given.__array_interface__["data"][0]
            if data.size and 0 <= start and start + data.size <= given.size:
                message.shared.offset, message.shared.length = request.batch.shared.offset + start, data.size
                return message
    if memory is not None and len(data) <= room.length:
        span = pb.Span(offset=room.offset, length=len(data))
        memory.view(span)[:] = data
        message.shared.CopyFrom(span)
    else:
        message.inline = data.tobytes()
    return message


def _dtype(batch: Any, kind: Kind) -> npt.DTypeLike:
    """The type of the pixels, which is never changed in silence: 300 is no uint8."""
    want = _DTYPES[kind]
    if np.asarray(batch).dtype != want:
        raise TypeError(f"answered an array of {np.asarray(batch).dtype}, and says it gives {kind.name.lower()}")
    return want
