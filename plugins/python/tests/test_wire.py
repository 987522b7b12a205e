from __future__ import annotations

from typing import Any, cast

import numpy as np
import pytest

from tkit_plugins import Batch, Kind
from tkit_plugins import preprocessor_pb2 as pb
from tkit_plugins.wire import pack, unpack


@pytest.mark.parametrize(
    "kind, batch",
    [
        (Kind.UINT8, np.arange(60, dtype=np.uint8).reshape(1, 4, 5, 3)),
        (Kind.FLOAT32, np.arange(24, dtype=np.float32).reshape(2, 2, 2, 3)),
        (Kind.FLOAT32, np.arange(48, dtype=np.float32).reshape(2, 2, 4, 3)[:, :, ::2]),  # not contiguous
        (Kind.UINT8, np.zeros((0, 4, 5, 3), np.uint8)),
        (Kind.ENCODED, [b"one", b"", b"three"]),
    ],
)
def test_there_and_back(kind: Kind, batch: Batch) -> None:
    back = unpack(pack(batch, kind, pb.ProcessRequest(), None), None)
    if isinstance(batch, np.ndarray):
        assert isinstance(back, np.ndarray) and back.dtype == batch.dtype
        np.testing.assert_array_equal(back, batch)
        with pytest.raises(ValueError, match="read-only"):
            back[:] = 0
    else:
        assert back == batch


@pytest.mark.parametrize(
    "kind, batch, words",
    [
        (Kind.UINT8, np.zeros((1, 2, 2, 3)), "array of float64"),
        (Kind.FLOAT32, np.zeros((1, 2, 2, 3)), "array of float64"),
        (Kind.UINT8, np.zeros((2, 2, 3), np.uint8), "3 dimensions"),
        (Kind.UINT8, None, "array of object"),
        (Kind.ENCODED, b"one file", "as int, want bytes"),
        (Kind.ENCODED, ["text"], "as str, want bytes"),
    ],
)
def test_bad_answers(kind: Kind, batch: Any, words: str) -> None:
    with pytest.raises((TypeError, ValueError), match=words):
        pack(batch, kind, pb.ProcessRequest(), None)


@pytest.mark.parametrize(
    "message, words",
    [
        (pb.Batch(kind=pb.KIND_UINT8, count=2, height=2, width=2, channels=3, inline=b"short"), "reshape"),
        (pb.Batch(kind=pb.KIND_FLOAT32, count=1, height=1, width=1, channels=1, inline=b"12345"), "size"),
        (pb.Batch(kind=pb.KIND_ENCODED, count=1, lengths=[9], inline=b"short"), "encoded images"),
        (pb.Batch(kind=pb.KIND_ENCODED, count=2, lengths=[5], inline=b"short"), "encoded images"),
        (pb.Batch(kind=pb.KIND_UNSPECIFIED, inline=b""), "kind 0"),
        (pb.Batch(kind=pb.KIND_UINT8, shared=pb.Span(length=1)), "no memory is shared"),
    ],
)
def test_bad_batches(message: pb.Batch, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        unpack(message, None)


def test_any_batch() -> None:
    """Any message is a batch or a ValueError."""
    rng = np.random.default_rng(1)
    edges = [0, 1, 2, 3, 5, 64, 2**16, 2**31, 2**32 - 1]
    taken = 0
    for _ in range(5000):
        data = rng.bytes(int(rng.choice([0, 4, 12, 60])))
        sides: dict[str, Any] = {side: int(rng.choice(edges)) for side in ("count", "height", "width", "channels")}
        message = pb.Batch(
            kind=cast(pb.Kind, int(rng.integers(0, 5))),
            lengths=[int(n) for n in rng.choice([*edges, 2**63], rng.integers(0, 4))],
            inline=data,
            **sides,
        )
        try:
            batch = unpack(message, None)
        except ValueError:
            continue
        taken += 1
        assert len(batch) == message.count
    assert taken > 10
