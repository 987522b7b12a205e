"""Calls the process of a plugin like tkit."""

from __future__ import annotations

import base64
import fcntl
import os
import ssl
import subprocess
import sys
from pathlib import Path
from typing import Any

import grpc
import pytest

from tkit_plugins import preprocessor_pb2 as pb
from tkit_plugins.certificate import certificate

SHARED = 1 << 20


class Peer:
    """A running plugin and its channel."""

    def __init__(self, folder: Path, *command: str, shared: bool = False, **environment: str) -> None:
        self.key, self.pem, _ = certificate()
        self.memory = -1
        root = Path(__file__).parent
        environment |= {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": f"{root.parent}:{root}",
            "TKIT_PLUGIN": "preprocessor",
            "PLUGIN_UNIX_SOCKET_DIR": str(folder),
            "PLUGIN_CLIENT_CERT": self.pem.decode(),
        }
        descriptors: tuple[int, ...] = ()
        if shared:
            self.memory = os.memfd_create("shared", os.MFD_ALLOW_SEALING)
            os.truncate(self.memory, SHARED)
            fcntl.fcntl(self.memory, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK)
            environment["TKIT_PLUGIN_MEMORY"] = str(self.memory)
            descriptors = (self.memory,)
        self.process = subprocess.Popen(
            command or (sys.executable, str(root / "invert.py")),
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pass_fds=descriptors,
        )
        assert self.process.stdout is not None
        self.line = self.process.stdout.readline().decode().strip()
        if not self.line:
            raise ChildProcessError(self.end())
        der = base64.b64decode(self.line.split("|")[5] + "==")
        self.channel = self.connect(grpc.ssl_channel_credentials(ssl.DER_cert_to_PEM_cert(der).encode(), self.key, self.pem))

    def connect(self, credentials: grpc.ChannelCredentials) -> grpc.Channel:
        name = [("grpc.ssl_target_name_override", "localhost")]
        return grpc.secure_channel("unix:" + self.line.split("|")[3], credentials, name)

    def method(self, path: str, answer: Any = None) -> Any:
        return self.channel.unary_unary(
            path, lambda m: m.SerializeToString(), answer.FromString if answer is not None else None
        )

    def process_batch(self, request: pb.ProcessRequest, timeout: float = 20) -> pb.ProcessResponse:
        answer = self.method("/tkit.plugins.v1.Preprocessor/Process", pb.ProcessResponse)(request, timeout=timeout)
        assert isinstance(answer, pb.ProcessResponse)
        return answer

    def end(self) -> str:
        """Wait for the end of the process, and return its output."""
        out, err = self.process.communicate(timeout=20)
        return out.decode() + err.decode()

    def close(self) -> None:
        self.process.kill()
        self.process.communicate()
        if hasattr(self, "channel"):
            self.channel.close()
        if self.memory >= 0:
            os.close(self.memory)


@pytest.fixture
def peers(tmp_path: Path) -> Any:
    """Start plugins that end with the test."""
    started: list[Peer] = []

    def start(*command: str, shared: bool = False, **environment: str) -> Peer:
        peer = Peer(tmp_path, *command, shared=shared, **environment)
        started.append(peer)
        return peer

    yield start
    for peer in started:
        peer.close()
