"""The go-libp2p daemon as an interop program (the contract is in `Interop/README.md`).

The daemon's tunnels can't half-close: a FIN in one direction closes both. So its echo counts bytes.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from . import contract, wire
from .daemon import Daemon

_SWITCHED_OFF = {"noise": "-noise=0", "tls": "-tls=0"}
_IO_TIMEOUT = 120.0
_SETTLE_TIMEOUT = 10.0


def main() -> int:
    """Runs as the listener or the dialer that the command line asks for."""
    options = contract.parse("go_peer")
    contract.exit_when_orphaned()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with _daemon(options) as daemon:
        if options.command == "listen":
            return _listen(daemon)
        peer = wire.split_peer(options.target)[1]
        cases = {
            "handshake": lambda: _handshake(daemon, peer),
            "identify": lambda: _identify(daemon, peer),
            "ping": lambda: _ping(daemon, peer, options.count),
            "echo": lambda: _echo(daemon, peer, options.bytes),
            "streams": lambda: _streams(daemon, peer, options.count, options.bytes),
            "transfer": lambda: _transfer(daemon, peer, options.bytes),
            "autonat": lambda: _autonat(daemon, peer),
            "vanish": lambda: _vanish(daemon, peer),
        }

        def connect_and_run() -> tuple[bool, dict[str, object]]:
            transport, _ = wire.split_peer(options.target)
            daemon.connect(peer, transport)
            return cases[options.case]()

        return contract.run_case(options.case, connect_and_run)


@contextlib.contextmanager
def _daemon(options: contract.Options) -> Iterator[Daemon]:
    folder = Path(os.environ["OXBOW_PEERS"])
    with tempfile.TemporaryDirectory(prefix="go-key-") as keys:
        # It has an order of its own for what it offers, and one muxer.
        flags = [flag for kind, flag in _SWITCHED_OFF.items() if kind not in options.security]
        flags.append(f"-muxer={options.muxers[0]}")
        if options.key_type != "ed25519":
            key = Path(keys) / "key"
            subprocess.run([sys.executable, "-m", "peers.make_key", options.key_type, str(key)], check=True)
            flags += ["-id", str(key)]
        # Who asks to be dialled back has to listen.
        listen = [options.listen] if options.command == "listen" or options.case == "autonat" else []
        with Daemon(folder / "bin" / "p2pd", listen, flags) as daemon:
            yield daemon


def _listen(daemon: Daemon) -> int:
    daemon.handle(contract.ECHO, serve_echo)
    daemon.handle(contract.XFER, serve_transfer)
    suffix = f"/p2p/{daemon.peer_id}"
    addresses = [address if address.endswith(suffix) else address + suffix for address in daemon.addresses]
    contract.emit(peer_id=daemon.peer_id, addrs=addresses)
    signal.pause()
    return 0


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
        up, down = struct.unpack(">QQ", _receive_exactly(stream, 16))
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


def _receive_exactly(stream: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        chunk = stream.recv(count - len(data))
        if not chunk:
            raise EOFError(f"the stream ended after {len(data)} of {count} bytes")
        data += chunk
    return data


def _handshake(daemon: Daemon, peer: str) -> tuple[bool, dict[str, object]]:
    """Whom the daemon says that it is connected with."""
    found = [one for one in daemon.connections() if one.peer == peer]
    return bool(found), {"peer": found[0].peer, "remote_addr": found[0].address} if found else {}


def _identify(daemon: Daemon, peer: str) -> tuple[bool, dict[str, object]]:
    with daemon.open_stream(peer, contract.IDENTIFY) as stream:
        return True, wire.describe_identify(wire.read_delimited(stream.recv))


def _ping(daemon: Daemon, peer: str, count: int) -> tuple[bool, dict[str, object]]:
    times: list[float] = []
    with daemon.open_stream(peer, contract.PING) as stream:
        for _ in range(count):
            payload = random.randbytes(contract.PING_LENGTH)
            started = time.monotonic()
            stream.sendall(payload)
            if _receive_exactly(stream, len(payload)) != payload:
                return False, {"rtt_ms": times}
            times.append(round((time.monotonic() - started) * 1000, 3))
    return True, {"rtt_ms": times}


def echo_on(stream: socket.socket, total: int) -> contract.Echo:
    """Sends `total` bytes while it reads as many back."""
    echo = contract.Echo(total)
    stream.settimeout(_IO_TIMEOUT)

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
    sender.join(_IO_TIMEOUT)
    return echo


def _echo(daemon: Daemon, peer: str, total: int) -> tuple[bool, dict[str, object]]:
    with daemon.open_stream(peer, contract.ECHO) as stream:
        echo = echo_on(stream, total)
    return echo.is_equal, {"bytes": echo.received, "sha256_equal": echo.is_equal, "half_close": False}


def _transfer(daemon: Daemon, peer: str, count: int) -> tuple[bool, dict[str, object]]:
    """So many bytes up, then as many down, each way alone."""
    with daemon.open_stream(peer, contract.XFER) as stream:
        return transfer_on(stream, count)


def transfer_on(stream: socket.socket, count: int) -> tuple[bool, dict[str, object]]:
    """A transfer of `count` bytes each way on a stream that is a socket."""
    stream.settimeout(_IO_TIMEOUT)
    stream.sendall(struct.pack(">QQ", count, count))
    for start in range(0, count, contract.CHUNK):
        stream.sendall(bytes(min(contract.CHUNK, count - start)))
    received = 0
    while received < count and (data := stream.recv(contract.CHUNK)):
        received += len(data)
    return received == count, {"bytes_up": count, "bytes_down": received}


def _autonat(daemon: Daemon, peer: str) -> tuple[bool, dict[str, object]]:
    """Asks to be dialled back."""
    with daemon.open_stream(peer, contract.AUTONAT) as stream:
        stream.settimeout(_IO_TIMEOUT)
        stream.sendall(wire.autonat_question(daemon.peer_id, daemon.addresses))
        answer = wire.describe_autonat(wire.read_delimited(stream.recv))
    return answer["status"] == "OK", answer


def _streams(daemon: Daemon, peer: str, count: int, total: int) -> tuple[bool, dict[str, object]]:
    """Opens all streams before the first byte flows on any, then uses them all at once."""
    streams = [daemon.open_stream(peer, contract.ECHO) for _ in range(count)]
    good: list[bool] = []

    def use(stream: socket.socket) -> None:
        with stream, contextlib.suppress(OSError, EOFError):
            good.append(echo_on(stream, total).is_equal)

    threads = [threading.Thread(target=use, args=(stream,), daemon=True) for stream in streams]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(_IO_TIMEOUT)
    return sum(good) == count, {"count": count, "ok_count": sum(good)}


def _vanish(daemon: Daemon, peer: str) -> tuple[bool, dict[str, object]]:
    """Echoes without end until the peer is gone. The daemon's tunnel shows that as an end, whatever its reason."""
    progress = contract.Progress(contract.ECHO)
    stream = daemon.open_stream(peer, contract.ECHO)

    def send() -> None:
        with contextlib.suppress(OSError):
            while True:
                stream.sendall(bytes(contract.CHUNK))

    threading.Thread(target=send, daemon=True).start()
    ending = "the daemon closed the tunnel"
    try:
        while data := stream.recv(contract.CHUNK):
            progress.receive(len(data))
    except OSError as error:
        ending = f"{type(error).__name__}: {error}"
    stream.close()
    deadline = time.monotonic() + _SETTLE_TIMEOUT
    while daemon.connected_peers() and time.monotonic() < deadline:
        time.sleep(0.05)
    left = len(daemon.connected_peers())
    return left == 0, {"typed_error": ending, "connections_left": left, "streams_left": 0}


if __name__ == "__main__":
    sys.exit(main())
