"""Cases of the contract for programs that hand a stream to its driver as a socket: the go-libp2p daemon and Kubo.

Such a tunnel can't half-close: a FIN in one direction closes both. So an echo counts bytes.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Callable, Collection
from typing import Protocol

from . import contract

IO_TIMEOUT = 120.0
_SETTLE_TIMEOUT = 10.0

#: Serves one stream, which is closed behind it.
Handler = Callable[[socket.socket], None]


class Node(Protocol):
    """A running program of that kind."""

    def open_stream(self, peer: str, protocol: str) -> socket.socket:
        """A new stream to a connected peer."""

    def connected_peers(self) -> Collection[object]:
        """Who is connected."""


def serve_streams(listener: socket.socket, handler: Handler) -> None:
    """From now on, on threads of their own, runs `handler` with every stream that comes."""

    def serve(stream: socket.socket) -> None:
        with stream, contextlib.suppress(OSError):  # the program at the other end may be gone at any time
            handler(stream)

    def accept() -> None:
        while True:
            stream, _ = listener.accept()
            threading.Thread(target=serve, args=(stream,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()


def serve_echo(stream: socket.socket) -> None:
    """Echoes until the end, and reports it."""
    progress = contract.Progress(contract.ECHO)
    try:
        while data := stream.recv(contract.CHUNK):
            progress.receive(len(data))
            stream.sendall(data)
            progress.sent += len(data)
    except OSError as error:
        progress.end("error", str(error))
    else:
        progress.end("eof")


def serve_transfer(stream: socket.socket) -> None:
    """Takes and sends what the header says, and reports it."""
    progress = contract.Progress(contract.XFER)
    try:
        up, down = struct.unpack(">QQ", receive_exactly(stream, 16))
        while progress.received < up:
            data = stream.recv(min(contract.CHUNK, up - progress.received))
            if not data:
                raise EOFError(f"the stream ended after {progress.received} of {up} bytes")
            progress.receive(len(data))
        while progress.sent < down:
            count = min(contract.CHUNK, down - progress.sent)
            stream.sendall(bytes(count))
            progress.sent += count
    except (OSError, EOFError) as error:
        progress.end("error", str(error))
    else:
        progress.end("eof")


def receive_exactly(stream: socket.socket, count: int) -> bytes:
    """So many bytes; raises `EOFError` when the stream ends before."""
    data = b""
    while len(data) < count:
        chunk = stream.recv(count - len(data))
        if not chunk:
            raise EOFError(f"the stream ended after {len(data)} of {count} bytes")
        data += chunk
    return data


def echo_on(stream: socket.socket, total: int) -> contract.Echo:
    """Sends `total` bytes while it reads as many back."""
    echo = contract.Echo(total)
    stream.settimeout(IO_TIMEOUT)

    def send() -> None:
        with contextlib.suppress(OSError):  # the reader sees the same end and reports it
            for chunk in echo.chunks():
                stream.sendall(chunk)

    sender = threading.Thread(target=send, daemon=True)
    sender.start()
    while echo.received < total:
        data = stream.recv(contract.CHUNK)
        if not data:
            raise EOFError(f"the echo ended after {echo.received} of {total} bytes")
        echo.receive(data)
    sender.join(IO_TIMEOUT)
    return echo


def transfer_on(stream: socket.socket, count: int) -> tuple[bool, dict[str, object]]:
    """A transfer of `count` bytes each way on a stream that is a socket."""
    stream.settimeout(IO_TIMEOUT)
    stream.sendall(struct.pack(">QQ", count, count))
    for start in range(0, count, contract.CHUNK):
        stream.sendall(bytes(min(contract.CHUNK, count - start)))
    received = 0
    while received < count and (data := stream.recv(contract.CHUNK)):
        received += len(data)
    return received == count, {"bytes_up": count, "bytes_down": received}


def echo(node: Node, peer: str, total: int) -> tuple[bool, dict[str, object]]:
    """Sends `total` bytes and takes as many back."""
    with node.open_stream(peer, contract.ECHO) as stream:
        result = echo_on(stream, total)
    return result.is_equal, {"bytes": result.received, "sha256_equal": result.is_equal, "half_close": False}


def transfer(node: Node, peer: str, count: int) -> tuple[bool, dict[str, object]]:
    """So many bytes up, then as many down, each way alone."""
    with node.open_stream(peer, contract.XFER) as stream:
        return transfer_on(stream, count)


def streams(node: Node, peer: str, count: int, total: int) -> tuple[bool, dict[str, object]]:
    """Opens all streams before the first byte flows on any, then uses them all at once."""
    opened = [node.open_stream(peer, contract.ECHO) for _ in range(count)]
    good: list[bool] = []

    def use(stream: socket.socket) -> None:
        with stream, contextlib.suppress(OSError, EOFError):
            good.append(echo_on(stream, total).is_equal)

    threads = [threading.Thread(target=use, args=(stream,), daemon=True) for stream in opened]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(IO_TIMEOUT)
    return sum(good) == count, {"count": count, "ok_count": sum(good)}


def vanish(node: Node, peer: str) -> tuple[bool, dict[str, object]]:
    """Echoes without end until the peer is gone. A tunnel shows that as an end, whatever its reason."""
    progress = contract.Progress(contract.ECHO)
    stream = node.open_stream(peer, contract.ECHO)

    def send() -> None:
        with contextlib.suppress(OSError):
            while True:
                stream.sendall(bytes(contract.CHUNK))

    threading.Thread(target=send, daemon=True).start()
    ending = "the peer's program closed the tunnel"
    try:
        while data := stream.recv(contract.CHUNK):
            progress.receive(len(data))
    except OSError as error:
        ending = f"{type(error).__name__}: {error}"
    stream.close()
    deadline = time.monotonic() + _SETTLE_TIMEOUT
    while node.connected_peers() and time.monotonic() < deadline:
        time.sleep(0.05)
    left = len(node.connected_peers())
    return left == 0, {"typed_error": ending, "connections_left": left, "streams_left": 0}
