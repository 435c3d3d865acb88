"""A server that does what servers do wrong, to the byte, and then does it right.

Its sockets block, in separate threads: nothing of it runs on the event loop under test. When it
keeps a client waiting, it moves the client's clock forward, so that no test waits for a deadline.
"""

from __future__ import annotations

import gzip
import json
import os
import socket
import ssl
import struct
import threading
import zlib
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING

import segno
import trustme

from plugchat_async import NetworkError, RequestTimeout, UnexpectedResponse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from plugchat_async import PlugChatError

    Seconds = Iterator[float]

MEBIBYTE = 1024 * 1024

# A client's, in seconds: long enough for every value, however busy the machine is.
TIMEOUT = 30.0
RETRIES = 1

# What a server sends to a request that it was never sent.
STRAY_PAYLOAD = "2@of-somebody-else"


def reply(body: bytes, *headers: str, length: int | None = None, version: str = "1.1") -> bytes:
    """Write a response with a body, and by default with its true length."""
    length = len(body) if length is None else length
    return _head(f"Content-Length: {length}", *headers, version=version) + body


def _head(*headers: str, version: str = "1.1") -> bytes:
    return "\r\n".join([f"HTTP/{version} 200 OK", *headers, "", ""]).encode("latin-1")


def _stray_reply() -> bytes:
    return reply(json.dumps({"value": STRAY_PAYLOAD}).encode())


def _respond(connection: socket.socket, body: bytes) -> None:
    connection.sendall(reply(body))


def _reset(connection: socket.socket, _body: bytes = b"") -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def _close(connection: socket.socket, _body: bytes = b"") -> None:
    connection.close()


def _stall(connection: socket.socket, _body: bytes = b"") -> Seconds:
    yield TIMEOUT
    while connection.recv(65536):
        pass


def _then(
    strike: Callable[[socket.socket], Seconds | None], *raw: bytes
) -> Callable[..., Seconds | None]:
    """Send bytes that are the same for each request, then do something else to the connection."""

    def send_then_strike(connection: socket.socket, _body: bytes = b"") -> Seconds | None:
        connection.sendall(b"".join(raw))
        return strike(connection)

    return send_then_strike


def _without_end(head: bytes, again: bytes) -> Callable[..., None]:
    """Send the same again and again, as fast as the client takes it."""

    def send(connection: socket.socket, _body: bytes) -> None:
        connection.sendall(head)
        many = again * (MEBIBYTE // len(again))
        while True:
            connection.sendall(many)

    return send


def _drip(pause: float, *, first: int = 0) -> Callable[..., Seconds]:
    def drip(connection: socket.socket, body: bytes) -> Seconds:
        response = reply(body)
        connection.sendall(response[:first])
        for byte in response[first:]:
            connection.sendall(bytes([byte]))
            yield pause

    return drip


def _half_a_body(connection: socket.socket, body: bytes) -> None:
    connection.sendall(reply(body)[: -len(body) // 2])
    connection.close()


def _stall_in_the_body(connection: socket.socket, body: bytes) -> Seconds:
    connection.sendall(reply(body)[: -len(body) // 2])
    return _stall(connection)


def _length_too_short(connection: socket.socket, body: bytes) -> None:
    connection.sendall(reply(body, length=len(body) - 5))


def _length_too_long(connection: socket.socket, body: bytes) -> Seconds:
    connection.sendall(reply(body, length=len(body) + 5))
    return _stall(connection)


def _informational_first(status: str) -> Callable[..., None]:
    def send(connection: socket.socket, body: bytes) -> None:
        connection.sendall(f"HTTP/1.1 {status}\r\nLink: </x>\r\n\r\n".encode() + reply(body))

    return send


def _continue_again(connection: socket.socket, _body: bytes) -> Seconds:
    while True:
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        yield 1


def _without_length(version: str) -> Callable[..., None]:
    def send(connection: socket.socket, body: bytes) -> None:
        connection.sendall(_head(version=version) + body)
        connection.close()

    return send


def _with_header(header: str) -> Callable[..., None]:
    def send(connection: socket.socket, body: bytes) -> None:
        connection.sendall(reply(body, header))

    return send


@cache
def _bomb() -> bytes:
    bomb = zlib.compressobj()
    return b"".join(bomb.compress(bytes(MEBIBYTE)) for _ in range(64)) + bomb.flush()


def _send_bomb(connection: socket.socket, _body: bytes) -> None:
    connection.sendall(reply(_bomb(), "Content-Encoding: deflate"))


def _gzip_that_breaks_off(connection: socket.socket, body: bytes) -> None:
    connection.sendall(reply(gzip.compress(body)[:-4], "Content-Encoding: gzip"))


def _in_chunks(connection: socket.socket, body: bytes) -> None:
    chunks = b"".join(b"1;x=y\r\n%c\r\n" % byte for byte in body)
    connection.sendall(_head("Transfer-Encoding: chunked") + chunks + b"0\r\nX-Trailer: x\r\n\r\n")


def _two_answers(connection: socket.socket, body: bytes) -> None:
    connection.sendall(reply(body) + _stray_reply())


def _stray_answer(connection: socket.socket) -> None:
    connection.sendall(_stray_reply())


def _hang_up(connection: socket.socket) -> None:
    connection.shutdown(socket.SHUT_RDWR)


@dataclass(frozen=True)
class Fault:
    """Fault of a server, in the words of the table, and what a call ends in.

    What is done to a connection yields the seconds that a client is to be kept waiting.

    Attributes:
        name: What the table calls it.
        error: What a call raises; None if it returns the code all the same.
        on_request: What it does to a connection on which a request came, whose right response has
            the body that it is given.
        on_connect: What it does to a connection before anything else.
        on_idle: What it does to a connection that stayed open, before it is repaired.
        certificate: What it shows as its certificate; None if it speaks no TLS.
        is_https: Whether the client expects TLS.
        resolves: Whether its name is known.
        listens: Whether anybody is there.
    """

    name: str
    error: type[PlugChatError] | None
    on_request: Callable[[socket.socket, bytes], Seconds | None] = _respond
    on_connect: Callable[[socket.socket], Seconds | None] | None = None
    on_idle: Callable[[socket.socket], None] | None = None
    certificate: str | None = None
    is_https: bool = False
    resolves: bool = True
    listens: bool = True

    @property
    def attempts(self) -> int:
        """How many attempts a call makes: a response is final, and everything else is transient."""
        return 1 + RETRIES * (self.error is not None and issubclass(self.error, NetworkError))


_CHUNKED = "Transfer-Encoding: chunked"
_PLAIN_400 = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
_UPGRADE = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"

FAULTS = {
    "Before the request": [
        Fault("the name does not resolve", NetworkError, resolves=False),
        Fault("the connection is refused", NetworkError, listens=False),
        Fault("the connection is reset immediately", NetworkError, on_connect=_reset),
        Fault("the connection is closed immediately", NetworkError, on_connect=_close),
    ],
    "TLS": [
        Fault(
            "a certificate for another name",
            NetworkError,
            certificate="another name",
            is_https=True,
        ),
        Fault("an expired certificate", NetworkError, certificate="expired", is_https=True),
        Fault("a self-signed certificate", NetworkError, certificate="self-signed", is_https=True),
        Fault(
            "an untrusted certificate authority",
            NetworkError,
            certificate="unknown authority",
            is_https=True,
        ),
        Fault(
            "plain HTTP instead of TLS",
            NetworkError,
            on_connect=_then(_close, _PLAIN_400),
            is_https=True,
        ),
        Fault("TLS instead of plain HTTP", NetworkError, certificate="valid"),
        Fault("a reset in the handshake", NetworkError, on_connect=_reset, is_https=True),
        Fault("a stall in the handshake", RequestTimeout, on_connect=_stall, is_https=True),
    ],
    "No response, or none in time": [
        Fault("a reset", NetworkError, _reset),
        Fault("closed without a response", NetworkError, _close),
        Fault("a stall before the response", RequestTimeout, _stall),
        Fault(
            "a stall in the header", RequestTimeout, _then(_stall, b"HTTP/1.1 200 OK\r\nContent-")
        ),
        Fault("a stall in the body", RequestTimeout, _stall_in_the_body),
        Fault("a byte a second", RequestTimeout, _drip(1)),
        Fault("a byte a second in the body", RequestTimeout, _drip(1, first=50)),
        Fault("100 Continue again and again", RequestTimeout, _continue_again),
    ],
    "Malformed HTTP": [
        Fault("another protocol", NetworkError, _then(_close, b"SSH-2.0-OpenSSH_9.9\r\n")),
        Fault(
            "unsolicited HTTP/2", NetworkError, _then(_close, bytes.fromhex("000000040000000000"))
        ),
        Fault("a truncated head", NetworkError, _then(_close, b"HTTP/1.1 200 OK\r\nContent-Len")),
        Fault(
            "an endless header", NetworkError, _without_end(b"HTTP/1.1 200 OK\r\nX-Long: ", b"x")
        ),
        Fault(
            "endless headers", NetworkError, _without_end(b"HTTP/1.1 200 OK\r\n", b"X-Many: x\r\n")
        ),
        Fault("a header with a NUL", NetworkError, _with_header("X-Nul: \0")),
        Fault("two lengths", NetworkError, _with_header("Content-Length: 1")),
        Fault("half a body", NetworkError, _half_a_body),
        Fault("a length that is too long", RequestTimeout, _length_too_long),
        Fault("a length that is too short", UnexpectedResponse, _length_too_short),
        Fault("truncated chunks", NetworkError, _then(_close, _head(_CHUNKED), b'8\r\n{"val')),
        Fault("malformed chunks", NetworkError, _then(_close, _head(_CHUNKED), b"nonsense\r\n")),
        Fault("101 Switching Protocols", NetworkError, _then(_close, _UPGRADE)),
    ],
    "Invalid bodies": [
        Fault("a bomb: 64 KiB that inflate to 64 MiB", UnexpectedResponse, _send_bomb),
        Fault("truncated gzip", UnexpectedResponse, _gzip_that_breaks_off),
        Fault("unsolicited compression", UnexpectedResponse, _with_header("Content-Encoding: br")),
        Fault(
            "endless chunks",
            UnexpectedResponse,
            _without_end(_head(_CHUNKED), b"10000\r\n" + b"x" * 65536 + b"\r\n"),
        ),
        Fault(
            "1 GB in one chunk",
            UnexpectedResponse,
            _without_end(_head(_CHUNKED) + b"40000000\r\n", b"x" * 65536),
        ),
        Fault(
            "1 GB that a length announces",
            UnexpectedResponse,
            _without_end(reply(b"", length=2**30), b"x" * 65536),
        ),
    ],
    "More responses than requests": [
        Fault("two responses to one request", None, _two_answers),
        Fault("a response to no request, while idle", None, on_idle=_stray_answer),
    ],
    "Valid HTTP": [
        Fault("100 Continue first", None, _informational_first("100 Continue")),
        Fault("103 Early Hints first", None, _informational_first("103 Early Hints")),
        Fault("HTTP/1.0, ended by closing", None, _without_length("1.0")),
        Fault("HTTP/1.1, ended by closing", None, _without_length("1.1")),
        Fault("chunks of one byte, with a trailer", None, _in_chunks),
        Fault("a byte a millisecond", None, _drip(0.001)),
        Fault("a header of 64 KiB", None, _with_header("X-Long: " + "x" * 65536)),
        Fault("a header beyond ASCII", None, _with_header("X-Name: \xe7")),
        Fault("closed while idle", None, on_idle=_hang_up),
    ],
}


@dataclass(frozen=True)
class Certificates:
    """An authority that clients may trust, and what servers show: good and bad.

    Attributes:
        authority: A file with the authority's certificate.
        shown: Contexts for a server, by what is wrong with the certificate.
    """

    authority: Path
    shown: Mapping[str, ssl.SSLContext]


def issue_certificates(folder: Path) -> Certificates:
    """Make an authority, and one certificate of each kind for 127.0.0.1."""
    authority, stranger = trustme.CA(), trustme.CA()
    authority.cert_pem.write_to_path(folder / "authority.pem")
    issued = {
        "valid": authority.issue_cert("127.0.0.1"),
        "another name": authority.issue_cert("other.example"),
        "expired": authority.issue_cert("127.0.0.1", not_after=datetime(2020, 1, 1, tzinfo=UTC)),
        "unknown authority": stranger.issue_cert("127.0.0.1"),
    }
    shown = {}
    for name, certificate in issued.items():
        shown[name] = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        certificate.configure_cert(shown[name])
    # An authority signs its own certificate, which is what self-signed means.
    shown["self-signed"] = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    self_signed = folder / "self-signed.pem"
    self_signed.write_bytes(stranger.private_key_pem.bytes() + stranger.cert_pem.bytes())
    shown["self-signed"].load_cert_chain(self_signed)
    return Certificates(folder / "authority.pem", shown)


@dataclass
class Resolver:
    """Resolve each name to this machine, but those that are unknown."""

    resolve: Callable[..., object] = socket.getaddrinfo
    unknown: set[str] = field(default_factory=set)

    def getaddrinfo(self, host: str | bytes, *rest: object, **options: object) -> object:
        """Replace the function of `socket` that every event loop calls."""
        if os.fsdecode(host) in self.unknown:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return self.resolve("127.0.0.1", *rest, **options)


class FaultyServer:
    """Server with a fault from `strike()` to `repair()`, and without one before and after.

    Args:
        fault: What it does wrong.
        certificates: What it can show.
        resolver: By which clients find it.
        pass_time: Moves the client's clock forward by so many seconds.

    Attributes:
        base_url: The URL of the API.
        payload: The code that it made for the request that came last.
    """

    def __init__(
        self,
        fault: Fault,
        certificates: Certificates,
        resolver: Resolver,
        pass_time: Callable[[float], None],
    ) -> None:
        self.payload = ""
        self.fault = fault
        self._pass_time = pass_time
        self._striking: Fault | None = None
        self._struck_endpoint: str | None = None
        self._certificates = certificates
        self._resolver = resolver
        self._is_listening = False
        self._connections: set[socket.socket] = set()
        self._idle: set[socket.socket] = set()
        self._codes = 0
        self._listener = socket.socket()
        self._listener.bind(("127.0.0.1", 0))
        port = self._listener.getsockname()[1]
        self._host = "127.0.0.1" if fault.resolves else f"port-{port}.plugchat.test"
        self.base_url = f"http{'s' * fault.is_https}://{self._host}:{port}/api/whatsapp"
        if fault.listens:
            self._listen()

    def strike(self, endpoint: str | None = None) -> None:
        """Do wrong from now on, on one endpoint or on all."""
        self._striking, self._struck_endpoint = self.fault, endpoint
        if not self.fault.resolves:
            self._resolver.unknown.add(self._host)

    def repair(self) -> None:
        """Respond well from now on."""
        if self.fault.on_idle is not None:
            for connection in self._idle.copy():
                self.fault.on_idle(connection)
        self._striking = None
        self._resolver.unknown.discard(self._host)
        self._listen()

    @property
    def has_connections(self) -> bool:
        """Whether a connection is open: a client has it, or something is being done to it."""
        return bool(self._connections)

    @property
    def is_at_work(self) -> bool:
        """Whether something is being done to a connection."""
        return len(self._connections) > len(self._idle)

    def close(self) -> None:
        """Listen no more."""
        self._listener.shutdown(socket.SHUT_RDWR)  # wakes the thread that accepts
        self._listener.close()

    def _listen(self) -> None:
        if not self._is_listening:
            self._is_listening = True
            self._listener.listen()
            threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):  # by which closing shows
            while True:
                connection, _ = self._listener.accept()
                self._connections.add(connection)
                threading.Thread(target=self._serve, args=[connection], daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):  # by which the client's going shows
            fault = self._striking or Fault("none", None, is_https=self.fault.is_https)
            certificate = fault.certificate or ("valid" if fault.is_https else None)
            if fault.on_connect is not None:
                self._take(fault.on_connect(connection))
            elif certificate is None:
                self._converse(connection)
            else:
                context = self._certificates.shown[certificate]
                with context.wrap_socket(connection, server_side=True) as encrypted:
                    self._converse(encrypted)
        self._connections.discard(connection)

    def _converse(self, connection: socket.socket) -> None:
        while True:
            self._idle.add(connection)
            try:
                endpoint = _read_request(connection)
            finally:
                self._idle.discard(connection)
            body = self._body(endpoint)
            if self._striking is None or self._struck_endpoint not in {None, endpoint}:
                _respond(connection, body)
            else:
                self._take(self._striking.on_request(connection, body))

    def _take(self, pauses: Seconds | None) -> None:
        for seconds in pauses or ():
            self._pass_time(seconds)

    def _body(self, endpoint: str) -> bytes:
        if endpoint == "/status":
            return b'{"connected": false}'
        self._codes += 1
        self.payload = f"2@{self._codes:040}"  # 30 s and more, by a byte a second
        if endpoint == "/qr-code/image":
            image = segno.make(self.payload).png_data_uri()
            return json.dumps({"value": image}).encode()
        return json.dumps({"value": self.payload}).encode()


def _read_request(connection: socket.socket) -> str:
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        received = connection.recv(65536)
        if not received:
            raise ConnectionAbortedError("the client has gone")
        head += received
    return head.split()[1].decode().removeprefix("/api/whatsapp")
