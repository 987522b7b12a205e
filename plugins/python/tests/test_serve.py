"""The process of a plugin, called over its socket."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import grpc
import numpy as np
import pytest
from peer import SHARED, Peer

from tkit_plugins import preprocessor_pb2 as pb

Start = Callable[..., Peer]
PIXELS = np.arange(24, dtype=np.uint8)


def request(config: bytes = b"") -> pb.ProcessRequest:
    batch = pb.Batch(kind=pb.KIND_UINT8, count=2, height=2, width=2, channels=3, inline=PIXELS.tobytes())
    return pb.ProcessRequest(config=config, batch=batch)


def test_first_line(peers: Start) -> None:
    line = peers().line.split("|")
    assert line[:3] == ["1", "1", "unix"] and line[4] == "grpc"


def test_describe(peers: Start) -> None:
    described = peers().method("/tkit.plugins.v1.Preprocessor/Describe", pb.Description)(pb.DescribeRequest())
    assert (described.name, described.version, described.shared_memory) == ("invert", "1.2.3", False)
    assert described.config_schema == b'{"type": "object"}'


def test_process(peers: Start) -> None:
    assert peers().process_batch(request()).batch.inline == (255 - PIXELS).tobytes()


def test_shared_memory(peers: Start) -> None:
    peer = peers(shared=True)
    os.pwrite(peer.memory, PIXELS.tobytes(), 64)
    shared = request()
    shared.batch.shared.CopyFrom(pb.Span(offset=64, length=24))
    shared.room.CopyFrom(pb.Span(offset=128, length=64))
    assert peer.process_batch(shared).batch.shared == pb.Span(offset=128, length=24)
    assert os.pread(peer.memory, 24, 128) == (255 - PIXELS).tobytes()

    shared.config = b'{"do": "itself"}'  # nothing is copied
    assert peer.process_batch(shared).batch.shared == pb.Span(offset=64 + 12, length=12)

    shared.config, shared.room.length = b"", 23  # no room: by the message
    assert peer.process_batch(shared).batch.inline == (255 - PIXELS).tobytes()

    os.truncate(peer.memory, 2 * SHARED)  # it grows
    os.pwrite(peer.memory, PIXELS.tobytes(), SHARED + 64)
    shared.batch.shared.offset = SHARED + 64
    assert peer.process_batch(shared).batch.inline == (255 - PIXELS).tobytes()

    shared.batch.shared.offset = 2 * SHARED
    with pytest.raises(grpc.RpcError, match="in shared memory") as error:
        peer.process_batch(shared)
    assert error.value.code() == grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.parametrize(
    "do, code, words",
    [
        ("raise", grpc.StatusCode.UNKNOWN, "KeyError: 'nothing there'"),
        ("float", grpc.StatusCode.UNKNOWN, "returned an array of float64, but declares uint8"),
        ("exit", grpc.StatusCode.UNAVAILABLE, ""),
    ],
)
def test_errors(peers: Start, do: str, code: grpc.StatusCode, words: str) -> None:
    peer = peers()
    with pytest.raises(grpc.RpcError) as error:
        peer.process_batch(request(b'{"do": "%s"}' % do.encode()))
    assert error.value.code() == code and words in error.value.details()
    if do == "exit":
        assert "SystemExit" in peer.end() and peer.process.returncode == 3
    else:
        assert peer.process_batch(request()).batch.count == 2


def test_fault_of_an_image(peers: Start) -> None:
    assert peers().process_batch(request(b'{"do": "blame"}')).fault == pb.ImageFault(image=1, reason="too dark")


def test_cancellation(peers: Start) -> None:
    peer = peers()
    with pytest.raises(grpc.RpcError) as error:
        peer.process_batch(request(b'{"do": "wait"}'), timeout=0.2)
    assert error.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    peer.method("/tkit.plugins.v1.Preprocessor/Settle")(pb.SettleRequest(), timeout=20)
    assert peer.process.stdout is not None and peer.process.stdout.readline() == b"given up\n"
    assert peer.process_batch(request()).batch.count == 2


def test_prints(peers: Start) -> None:
    peer = peers()
    peer.process_batch(request(b'{"do": "print"}'))
    assert peer.process.stdout is not None and peer.process.stdout.readline() == b"printed for a batch\n"


def test_ends_when_told(peers: Start) -> None:
    peer = peers()
    assert peer.method("/grpc.health.v1.Health/Check")(pb.DescribeRequest()) == b"\x08\x01"
    peer.method("/plugin.GRPCController/Shutdown")(pb.DescribeRequest())
    assert peer.end() == "" and peer.process.returncode == 0


def test_refuses_strangers(peers: Start) -> None:
    peer = peers()
    strange = peer.connect(grpc.ssl_channel_credentials(peer.pem))
    with strange, pytest.raises(grpc.RpcError) as error:
        strange.unary_unary("/grpc.health.v1.Health/Check")(b"", timeout=5)
    assert error.value.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)


def test_started_by_hand(tmp_path: Path) -> None:
    root = Path(__file__).parent
    environment = {"PYTHONPATH": str(root.parent)}
    done = subprocess.run([sys.executable, root / "invert.py"], env=environment, capture_output=True, text=True)
    assert done.returncode == 1 and "invert 1.2.3 is a plugin of tkit" in done.stderr
    done = subprocess.run(
        [sys.executable, root / "invert.py"],
        env=environment | {"TKIT_PLUGIN": "preprocessor", "PLUGIN_UNIX_SOCKET_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1 and "has not set PLUGIN_CLIENT_CERT" in done.stderr
