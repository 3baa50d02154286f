"""A target without limits, deadlines and checks, on which the bounds must break: `python3 -m adversary.weak MULTIADDR`.

It is what a first, friendly implementation looks like: it believes every certificate of identity, keeps every stream
and every byte, answers every ping, waits for ever, and takes the end of a connection for the end of a stream.
"""

from __future__ import annotations

import resource
import socket
import sys
import threading

from adversary.peer import delimited
from adversary.session import Session, Stream
from peers.contract import ECHO, IDENTIFY, emit
from peers.wire import encode_message, encode_multiaddr
from stack import multistream, noise, yamux
from stack.connection import Upgraded
from stack.identity import Identity
from stack.link import Buffered, Ended, Silence, TCPLink, endpoint
from stack.yamux import Flag, Frame, FrameLink, Type

_FOR_EVER = 1e6
_PING = "/ipfs/ping/1.0.0"


class WeakSession(Session):
    """Keeps what it is sent, and serves whoever asks."""

    def __init__(self, connection: Upgraded, identity: Identity, address: str) -> None:
        super().__init__(connection)
        self._hoard: list[object] = []
        message = encode_message(
            (1, identity.public_key), (2, encode_multiaddr(address)), (3, ECHO), (3, IDENTIFY), (3, _PING), (6, "weak")
        )
        self._identification = delimited(message)
        self._echoes: set[Stream] = set()
        self.handlers = {ECHO: self._echo, IDENTIFY: self._tell, _PING: self._echo}

    def _tell(self, stream: Stream) -> None:
        stream.send(self._identification)
        stream.finish()

    def _echo(self, stream: Stream) -> None:
        self._echoes.add(stream)
        self._repeat(stream)

    def _repeat(self, stream: Stream) -> None:
        if stream.buffer:
            data = bytes(stream.buffer)
            stream.buffer.clear()
            self._hoard.append(data)
            stream.send(data)
        if stream.has_fin:
            self._echoes.discard(stream)
            stream.finish()

    def _arrived(self, frame: Frame) -> None:
        # Every stream that was ever opened stays, with what a friendly host would have ready for it.
        if frame.has(Flag.SYN) and frame.type != Type.PING:
            self._hoard.append(bytearray(4096))
        self._hoard.append(frame)
        super()._arrived(frame)
        stream = self.streams.get(frame.stream)
        if stream in self._echoes:
            self._repeat(stream)


def _serve(connection: socket.socket, identity: Identity, address: str) -> None:
    tcp = TCPLink(connection)
    try:
        wire = Buffered(tcp)
        multistream.accept(tcp.send, lambda count: wire.read(count, _FOR_EVER), {noise.PROTOCOL})
        secured = noise.respond(tcp, identity, wire.leftover(), _FOR_EVER)
        wire = Buffered(secured)
        multistream.accept(secured.send, lambda count: wire.read(count, _FOR_EVER), {yamux.PROTOCOL})
        upgraded = Upgraded(tcp, secured, FrameLink(secured, wire.leftover()), is_dialer=False)
        session = WeakSession(upgraded, identity, address)
        _KEPT.append(session)
        session.pump(lambda: session.ended is not None, _FOR_EVER)
    except (Ended, Silence, noise.NoiseError, multistream.NegotiationError, OSError, ValueError, IndexError):
        pass  # and the socket stays open: nobody thought of it
    _KEPT.append(tcp)


#: Nothing is ever given back.
_KEPT: list[object] = []


def main() -> None:
    """Listens until it is ended."""
    noise.verify = lambda *_: True  # type: ignore[assignment]
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    identity = Identity()
    server = socket.create_server(endpoint(sys.argv[1]), backlog=1024)
    host, port = server.getsockname()
    address = f"/ip4/{host}/tcp/{port}"
    emit(peer_id=identity.peer_id, addrs=[f"{address}/p2p/{identity.peer_id}"])
    while True:
        connection, _ = server.accept()
        threading.Thread(target=_serve, args=(connection, identity, address), daemon=True).start()


if __name__ == "__main__":
    main()
