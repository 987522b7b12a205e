"""The process of a plugin: how it is found, called and ended by tkit, which
starts it as hashicorp/go-plugin prescribes."""

from __future__ import annotations

import base64
import os
import sys
import threading
from collections.abc import Callable
from concurrent import futures
from typing import Any, NoReturn

import grpc

from . import preprocessor_pb2 as pb
from . import stdout
from .certificate import certificate
from .preprocessor import Preprocessor
from .service import Service

CONTRACT_VERSION = 1
COOKIE = ("TKIT_PLUGIN", "preprocessor")
_CORE_PROTOCOL = 1  # of go-plugin
_HEALTHY = b"\x08\x01"  # grpc.health.v1.HealthCheckResponse{status: SERVING}
_MESSAGE_BYTES = (1 << 31) - 1


def serve(preprocessor: Preprocessor) -> NoReturn:
    """Answer tkit until it ends the process. The last call of a program, before
    which nothing may be printed to standard output unless the program is an archive
    that ``tkit_plugins.build`` has made; what is printed later goes into tkit's log,
    as standard error does all along."""
    description = preprocessor.describe()
    if os.environ.get(COOKIE[0]) != COOKIE[1]:
        sys.exit(f"{description.name} {description.version} is a plugin of tkit, which starts it: see `tkit plugins --help`")
    try:
        description.validate()
    except ValueError as error:
        sys.exit(f"plugin: its description: {error}")
    done = threading.Event()
    # One thread is busy with a batch while others answer for its health.
    server = grpc.server(
        futures.ThreadPoolExecutor(4),
        options=[
            ("grpc.max_receive_message_length", _MESSAGE_BYTES),
            ("grpc.max_send_message_length", _MESSAGE_BYTES),
        ],
    )
    server.add_generic_rpc_handlers((_Methods(Service(preprocessor, description), done),))
    address = os.path.join(_given("PLUGIN_UNIX_SOCKET_DIR"), f"plugin{os.getpid()}")
    ours = _listen(server, "unix:" + address, _given("PLUGIN_CLIENT_CERT"))
    server.start()
    stdout.say("|".join((str(_CORE_PROTOCOL), str(CONTRACT_VERSION), "unix", address, "grpc", ours)))
    done.wait()
    server.stop(grace=1).wait()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)  # not held up by threads that a package has left running


def _given(name: str) -> str:
    """What the host must say in the environment."""
    value = os.environ.get(name, "")
    if not value:
        sys.exit(f"plugin: the host has not set {name}")
    return value


def _listen(server: grpc.Server, address: str, theirs: str) -> str:
    """Open the socket for whoever has the host's certificate, and give what the
    host is to be told of ours."""
    key, pem, der = certificate()
    credentials = grpc.ssl_server_credentials([(key, pem)], theirs.encode(), require_client_auth=True)
    server.add_secure_port(address, credentials)  # raises where it cannot
    return base64.b64encode(der).rstrip(b"=").decode()


class _Methods(grpc.GenericRpcHandler):  # type: ignore[misc] # grpc has no types
    """What can be called, by path: the contract, and what go-plugin asks of every
    plugin."""

    def __init__(self, service: Service, done: threading.Event) -> None:
        def healthy(_request: bytes, _context: grpc.ServicerContext) -> bytes:
            return _HEALTHY

        def shutdown(_request: bytes, _context: grpc.ServicerContext) -> bytes:
            done.set()
            return b""

        contract = "/tkit.plugins.v1.Preprocessor/"
        self._methods = {
            contract + "Describe": _unary(service.describe, pb.DescribeRequest),
            contract + "Process": _unary(service.process, pb.ProcessRequest),
            contract + "Settle": _unary(service.settle, pb.SettleRequest),
            "/grpc.health.v1.Health/Check": grpc.unary_unary_rpc_method_handler(healthy),
            "/plugin.GRPCController/Shutdown": grpc.unary_unary_rpc_method_handler(shutdown),
        }

    def service(self, call: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler | None:
        return self._methods.get(call.method)


def _unary(method: Callable[..., Any], request: Any) -> grpc.RpcMethodHandler:
    return grpc.unary_unary_rpc_method_handler(method, request.FromString, lambda answer: answer.SerializeToString())
