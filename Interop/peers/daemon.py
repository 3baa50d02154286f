"""A client of the go-libp2p daemon: starts `p2pd` and speaks its control protocol over a Unix socket."""

from __future__ import annotations

import ctypes
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from . import wire
from .tunnel import Handler, serve_streams

_START_TIMEOUT = 15.0
_REQUEST_TIMEOUT = 60.0
_DIAL_TIMEOUT = 30

# Request types of the control protocol.
_IDENTIFY, _CONNECT, _STREAM_OPEN, _STREAM_HANDLER, _LIST_PEERS = 0, 1, 2, 3, 5


@dataclass(frozen=True)
class DaemonConnection:
    """A connection of the daemon's."""

    peer: str
    address: str

    @property
    def is_relayed(self) -> bool:
        return "/p2p-circuit" in self.address


class DaemonError(Exception):
    """The daemon did not start, or refused a request."""


def _die_with_parent() -> None:
    """Lets the kernel end the daemon when its driver is killed (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


class Daemon:
    """A running `p2pd`. Use it as a context manager: it ends the process and removes its sockets.

    What the daemon logs is shown when it doesn't start; with `logs` it goes to standard error instead.
    """

    def __init__(self, binary: Path, listen: Sequence[str], flags: Sequence[str] = (), logs: bool = False) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="p2pd-"))
        self._control = str(self._folder / "control")
        self._handlers = 0
        command = [str(binary), "-listen", "/unix" + self._control]
        command += ["-hostAddrs", ",".join(listen)] if listen else ["-noListenAddrs"]
        with open(self._folder / "log", "wb") as log:
            output = sys.stderr.fileno() if logs else log
            self._process = subprocess.Popen(
                [*command, *flags], stdin=subprocess.DEVNULL, stdout=output, stderr=output, preexec_fn=_die_with_parent
            )
        try:
            self.peer_id, self.addresses = self._await_start()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Daemon:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends the daemon and removes its folder."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(5)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _await_start(self) -> tuple[str, list[str]]:
        deadline = time.monotonic() + _START_TIMEOUT
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                return self._identify()
            except (OSError, EOFError):
                time.sleep(0.02)
        log = (self._folder / "log").read_text(errors="replace")
        raise DaemonError(f"p2pd did not start; its log ends with:\n{log[-2000:]}")

    def _request(self, message: bytes) -> tuple[wire.Fields, socket.socket]:
        """Sends one request; the answer comes with its socket, which a stream then goes on using."""
        control = socket.socket(socket.AF_UNIX)
        try:
            control.settimeout(_REQUEST_TIMEOUT)
            control.connect(self._control)
            control.sendall(wire.encode_varint(len(message)) + message)
            answer = wire.decode_message(wire.read_delimited(control.recv))
            if answer[1][0] != 0:
                refusal = wire.decode_message(wire.first_bytes(answer, 2) or b"")
                raise DaemonError((wire.first_bytes(refusal, 1) or b"no reason given").decode(errors="replace"))
        except BaseException:
            control.close()
            raise
        return answer, control

    def _ask(self, message: bytes) -> wire.Fields:
        answer, control = self._request(message)
        control.close()
        return answer

    def _identify(self) -> tuple[str, list[str]]:
        answer = wire.decode_message(wire.first_bytes(self._ask(wire.encode_message((1, _IDENTIFY))), 4) or b"")
        peer = wire.encode_base58(wire.first_bytes(answer, 1) or b"")
        return peer, [wire.decode_multiaddr(raw) for raw in wire.all_bytes(answer, 2)]

    def connect(self, peer: str, address: str) -> None:
        """Dials `peer` at a transport address."""
        body = wire.encode_message(
            (1, wire.decode_peer_id(peer)), (2, wire.encode_multiaddr(address)), (3, _DIAL_TIMEOUT)
        )
        self._ask(wire.encode_message((1, _CONNECT), (2, body)))

    def connections(self) -> list[DaemonConnection]:
        """The daemon's connections, in no order; it names a peer once for each."""
        answer = self._ask(wire.encode_message((1, _LIST_PEERS)))
        peers = (wire.decode_message(raw) for raw in wire.all_bytes(answer, 6))
        return [
            DaemonConnection(wire.encode_base58(wire.first_bytes(peer, 1) or b""), wire.decode_multiaddr(address))
            for peer in peers
            for address in wire.all_bytes(peer, 2) or [b""]
        ]

    def connected_peers(self) -> list[str]:
        """The peers that the daemon has a connection to."""
        return [connection.peer for connection in self.connections()]

    def advertised(self) -> list[str]:
        """The addresses that the daemon tells others, as they are now."""
        return self._identify()[1]

    def open_stream(self, peer: str, protocol: str) -> socket.socket:
        """Opens a stream; the socket is its two directions. Shutting one down closes both: the daemon's own limit."""
        return self.open_stream_somewhere(peer, protocol)[0]

    def open_stream_somewhere(self, peer: str, protocol: str) -> tuple[socket.socket, str]:
        """Opens a stream, and tells the peer's address on the connection that the daemon has chosen for it."""
        body = wire.encode_message((1, wire.decode_peer_id(peer)), (2, protocol), (3, _DIAL_TIMEOUT))
        answer, stream = self._request(wire.encode_message((1, _STREAM_OPEN), (3, body)))
        info = wire.decode_message(wire.first_bytes(answer, 3) or b"")
        return stream, wire.decode_multiaddr(wire.first_bytes(info, 2) or b"")

    def handle(self, protocol: str, handler: Handler) -> None:
        """Serves `protocol`: every incoming stream runs `handler` on a thread of its own."""
        self._handlers += 1
        path = str(self._folder / f"handler-{self._handlers}")
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(path)
        listener.listen(256)

        def serve(stream: socket.socket) -> None:
            wire.read_delimited(stream.recv)  # says who calls
            handler(stream)

        serve_streams(listener, serve)
        body = wire.encode_message((1, wire.encode_multiaddr("/unix" + path)), (2, protocol), (3, 0))
        self._ask(wire.encode_message((1, _STREAM_HANDLER), (4, body)))
