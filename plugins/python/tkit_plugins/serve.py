"""The process of a plugin: how it is found, called and ended by tkit, which
starts it as hashicorp/go-plugin prescribes."""

from __future__ import annotations

import base64
import datetime
import json
import os
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping
from concurrent import futures
from typing import Any, NoReturn

import grpc

from . import preprocessor_pb2 as pb
from .preprocessor import Description, Form, ImageError, Preprocessor
from .wire import SharedMemory, pack, unpack

CONTRACT_VERSION = 1
_CORE_PROTOCOL = 1  # of go-plugin
_COOKIE = ("TKIT_PLUGIN", "preprocessor")
_HEALTHY = b"\x08\x01"  # grpc.health.v1.HealthCheckResponse{status: SERVING}
_MESSAGE_BYTES = (1 << 31) - 1


def serve(preprocessor: Preprocessor) -> NoReturn:
    """Answer tkit until it ends the process. The last call of a program, before
    which nothing may be printed to standard output; what is printed later goes
    into tkit's log, as standard error does all along."""
    description = preprocessor.describe()
    description.validate()
    if os.environ.get(_COOKIE[0]) != _COOKIE[1]:
        sys.exit(f"{description.name} {description.version} is a plugin of tkit, which starts it: see `tkit plugins --help`")
    done = threading.Event()
    # One thread is busy with a batch while another answers for its health.
    server = grpc.server(
        futures.ThreadPoolExecutor(4),
        options=[
            ("grpc.max_receive_message_length", _MESSAGE_BYTES),
            ("grpc.max_send_message_length", _MESSAGE_BYTES),
        ],
    )
    server.add_generic_rpc_handlers((_handlers(_Service(preprocessor, description), done),))
    folder = os.environ.get("PLUGIN_UNIX_SOCKET_DIR") or tempfile.mkdtemp(prefix="tkit-plugin-")
    address = os.path.join(folder, f"plugin{os.getpid()}")
    certificate = _listen(server, "unix:" + address)
    server.start()
    line = "|".join((str(_CORE_PROTOCOL), str(CONTRACT_VERSION), "unix", address, "grpc", certificate))
    os.write(1, line.encode() + b"\n")
    os.dup2(2, 1)  # nothing but that line belongs to standard output
    sys.stdout = sys.stderr
    done.wait()
    server.stop(grace=1).wait()
    sys.stderr.flush()
    os._exit(0)


def _listen(server: grpc.Server, address: str) -> str:
    """Open the socket, under a certificate made for it where the host has sent its
    own, and give what the host is to be told of that."""
    theirs = os.environ.get("PLUGIN_CLIENT_CERT", "")
    if not theirs:
        server.add_insecure_port(address)
        return ""
    key, pem, der = _certificate()
    credentials = grpc.ssl_server_credentials([(key, pem)], theirs.encode(), require_client_auth=True)
    if not server.add_secure_port(address, credentials):
        raise OSError(f"cannot listen at {address}")
    return base64.b64encode(der).rstrip(b"=").decode()


def _certificate() -> tuple[bytes, bytes, bytes]:
    """A key and a certificate of its own making, PEM and DER, for "localhost"."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.timezone.utc)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=1))
        .not_valid_after(now + datetime.timedelta(days=10 * 365))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    return pem, certificate.public_bytes(serialization.Encoding.PEM), certificate.public_bytes(serialization.Encoding.DER)


class _Service:
    """The contract of plugins/proto, for a Preprocessor."""

    def __init__(self, preprocessor: Preprocessor, description: Description) -> None:
        self._preprocessor = preprocessor
        self._description = description
        self._memory = SharedMemory.from_environment()
        self._turn = threading.Lock()  # held while a batch is under way
        self._configs: dict[bytes, Mapping[str, Any]] = {b"": {}}

    def describe(self, _request: pb.DescribeRequest, _context: grpc.ServicerContext) -> pb.Description:
        d = self._description
        return pb.Description(
            name=d.name,
            version=d.version,
            summary=d.summary,
            config_schema=json.dumps(d.config_schema).encode() if d.config_schema is not None else b"",
            takes=_form(d.takes),
            gives=_form(d.gives),
            deterministic=d.deterministic,
            shared_memory=self._memory is not None,
        )

    def process(self, request: pb.ProcessRequest, context: grpc.ServicerContext) -> pb.ProcessResponse:
        with self._turn:
            try:
                batch = unpack(request.batch, self._memory)
            except (ValueError, KeyError) as error:
                context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"the batch: {error}")
            try:
                answer = self._preprocessor.process(batch, self._config(request.config), context)
                return pb.ProcessResponse(batch=pack(answer, self._description.gives.kind, request, self._memory))
            except ImageError as fault:
                return pb.ProcessResponse(fault=pb.ImageFault(image=fault.image, reason=fault.reason))
            except Exception as error:
                import traceback

                traceback.print_exc(file=sys.stderr)
                context.abort(grpc.StatusCode.UNKNOWN, f"{type(error).__name__}: {error}")

    def settle(self, _request: pb.SettleRequest, _context: grpc.ServicerContext) -> pb.SettleResponse:
        with self._turn:
            return pb.SettleResponse()

    def _config(self, text: bytes) -> Mapping[str, Any]:
        if text not in self._configs:
            if len(self._configs) > 64:
                self._configs = {b"": {}}
            self._configs[text] = json.loads(text)
        return self._configs[text]


def _form(form: Form) -> pb.Form:
    return pb.Form(kind=form.kind, height=form.height, width=form.width, channels=form.channels)


class _Handlers(grpc.GenericRpcHandler):
    def __init__(self, handlers: Mapping[str, grpc.RpcMethodHandler]) -> None:
        self._handlers = handlers

    def service(self, call: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler | None:
        return self._handlers.get(call.method)


def _handlers(service: _Service, done: threading.Event) -> grpc.GenericRpcHandler:
    def unary(call: Callable[..., Any], request: Any, response: Any) -> grpc.RpcMethodHandler:
        return grpc.unary_unary_rpc_method_handler(call, request.FromString, response.SerializeToString)

    def healthy(_request: bytes, _context: grpc.ServicerContext) -> bytes:
        return _HEALTHY

    def shutdown(_request: bytes, _context: grpc.ServicerContext) -> bytes:
        done.set()
        return b""

    contract = "/tkit.plugins.v1.Preprocessor/"
    return _Handlers(
        {
            contract + "Describe": unary(service.describe, pb.DescribeRequest, pb.Description),
            contract + "Process": unary(service.process, pb.ProcessRequest, pb.ProcessResponse),
            contract + "Settle": unary(service.settle, pb.SettleRequest, pb.SettleResponse),
            "/grpc.health.v1.Health/Check": grpc.unary_unary_rpc_method_handler(healthy),
            "/plugin.GRPCController/Shutdown": grpc.unary_unary_rpc_method_handler(shutdown),
        }
    )
