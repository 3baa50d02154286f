"""A right Yamux in Python whose streams echo, over plain TCP: small enough to be read in one go, and made to be bent.

A subclass that overrides one method is a mutant (`mutants.py`).
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from stack.yamux import HEADER, INITIAL_WINDOW, Flag, Frame, Type, data, go_away, ping, window_update

_WINDOW_MOST = (1 << 32) - 1
_STREAMS_MOST = 256
_SEND_TIMEOUT = 10.0
_PIECE = 1 << 16


class ProtocolError(Exception):
    """The other side broke a rule that ends the session."""


@dataclass
class Stream:
    """One stream that the other side opened."""

    id: int
    #: What is to be echoed and hasn't been sent.
    owed: bytearray = field(default_factory=bytearray)
    receive_window: int = INITIAL_WINDOW
    send_window: int = INITIAL_WINDOW
    #: Echoed, and not credited yet.
    taken: int = 0
    their_fin: bool = False
    our_fin: bool = False


class Peer:
    """The server's side of one connection."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._socket.settimeout(_SEND_TIMEOUT)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = bytearray()
        self._output = bytearray()
        self.streams: dict[int, Stream] = {}
        self.used: set[int] = set()
        self.ended = False

    # MARK: Input

    def serve(self) -> None:
        """Answers until one side ends the connection."""
        try:
            while not self.ended:
                header = self._read(HEADER)
                frame = Frame(
                    header[1],
                    int.from_bytes(header[2:4], "big"),
                    int.from_bytes(header[4:8], "big"),
                    int.from_bytes(header[8:], "big"),
                    b"",
                    header[0],
                )
                self.check(frame)
                body = self._read(frame.length) if frame.type == Type.DATA else b""
                self.handle(Frame(frame.type, frame.flags, frame.stream, frame.length, body))
        except ProtocolError:
            self.fail()
        except (OSError, EOFError):
            pass
        with contextlib.suppress(OSError):
            self._flush()
        self._linger()

    def _read(self, count: int) -> bytes:
        while len(self._buffer) < count:
            self._flush()
            self._socket.settimeout(None)
            chunk = self._socket.recv(_PIECE)
            if not chunk:
                raise EOFError
            self._buffer += chunk
        taken = bytes(self._buffer[:count])
        del self._buffer[:count]
        return taken

    def _linger(self) -> None:
        """Closes so that the GO_AWAY arrives: unread input would make TCP reset the connection instead."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)
            self._socket.settimeout(1.0)
            while self._socket.recv(_PIECE):
                pass
        self._socket.close()

    def send(self, frame: Frame) -> None:
        """Queues a frame; it goes out before the next wait."""
        self._output += frame.encoded()
        if len(self._output) > _PIECE:
            self._flush()

    def _flush(self) -> None:
        self._socket.settimeout(_SEND_TIMEOUT)
        if self._output:
            self._socket.sendall(self._output)
            self._output.clear()

    # MARK: Rules

    def check(self, frame: Frame) -> None:
        """Refuses a header before its body is read."""
        if frame.version != 0 or frame.type not in list(Type):
            raise ProtocolError
        if frame.type != Type.DATA:
            return
        stream = self.streams.get(frame.stream)
        if frame.length > (stream.receive_window if stream else INITIAL_WINDOW):
            raise ProtocolError

    def fail(self) -> None:
        """Says why the session ends."""
        self.send(go_away(1))

    def handle(self, frame: Frame) -> None:
        """Acts on a whole frame."""
        if frame.type == Type.PING:
            self.on_ping(frame)
        elif frame.type == Type.GO_AWAY:
            self.on_go_away(frame)
        elif frame.stream == 0:
            raise ProtocolError
        elif frame.has(Flag.SYN):
            self.on_open(frame)
        elif frame.stream in self.streams:
            self.on_frame(self.streams[frame.stream], frame)

    def on_ping(self, frame: Frame) -> None:
        """A PING, or the answer to one."""
        if frame.stream != 0:
            raise ProtocolError
        if frame.has(Flag.SYN):
            self.send(ping(frame.length, Flag.ACK))

    def on_go_away(self, frame: Frame) -> None:
        """The other side opens nothing more; what is open goes on."""
        if frame.stream != 0:
            raise ProtocolError

    def accepts_id(self, stream: int) -> bool:
        """Whether a SYN may have this id."""
        return stream % 2 == 1 and stream not in self.used

    def on_open(self, frame: Frame) -> None:
        """A SYN."""
        if not self.accepts_id(frame.stream):
            raise ProtocolError
        self.used.add(frame.stream)
        if frame.has(Flag.RST):
            return
        if len(self.streams) >= _STREAMS_MOST:
            self.send(window_update(frame.stream, 0, Flag.RST))
            return
        stream = self.streams[frame.stream] = Stream(frame.stream)
        self.acknowledge(stream)
        self.on_frame(stream, frame)

    def acknowledge(self, stream: Stream) -> None:
        """Accepts a stream."""
        self.send(window_update(stream.id, 0, Flag.ACK))

    def on_frame(self, stream: Stream, frame: Frame) -> None:
        """A frame of a stream that is open."""
        if frame.has(Flag.RST):
            self.on_reset(stream)
            return
        if stream.their_fin and frame.body:
            self.on_late_data(stream, frame)
            return
        if frame.type == Type.WINDOW_UPDATE:
            if not self.on_credit(stream, frame.length):
                return
        else:
            stream.receive_window -= frame.length
            stream.owed += frame.body
        if frame.has(Flag.FIN):
            self.on_fin(stream)
        self.echo(stream)

    def on_reset(self, stream: Stream) -> None:
        """RST."""
        self.streams.pop(stream.id, None)

    def on_late_data(self, stream: Stream, frame: Frame) -> None:
        """Data behind FIN."""
        self.reset(stream)

    def reset(self, stream: Stream) -> None:
        """Ends a stream for good."""
        self.streams.pop(stream.id, None)
        self.send(window_update(stream.id, 0, Flag.RST))

    def on_credit(self, stream: Stream, delta: int) -> bool:
        """Credit for us. Whether the stream goes on."""
        if stream.send_window + delta > _WINDOW_MOST:
            self.reset(stream)
            return False
        stream.send_window += delta
        return True

    def on_fin(self, stream: Stream) -> None:
        """FIN."""
        stream.their_fin = True

    # MARK: The echo

    def echo(self, stream: Stream) -> None:
        """Sends back what the window allows, gives credit for it, and ends behind the last byte."""
        while count := min(len(stream.owed), self.may_send(stream), _PIECE):
            self.send(data(stream.id, bytes(stream.owed[:count])))
            del stream.owed[:count]
            stream.send_window -= count
            stream.taken += count
        self.credit(stream)
        if stream.their_fin and not stream.owed and not stream.our_fin:
            self.finish(stream)

    def may_send(self, stream: Stream) -> int:
        """How much the stream's window has room for."""
        return stream.send_window

    def credit(self, stream: Stream) -> None:
        """Gives credit once half a window has been echoed."""
        if 2 * stream.taken >= INITIAL_WINDOW and not stream.their_fin:
            self.send(window_update(stream.id, stream.taken))
            stream.receive_window += stream.taken
            stream.taken = 0

    def finish(self, stream: Stream) -> None:
        """FIN of our own: the stream is over."""
        stream.our_fin = True
        self.send(data(stream.id, flags=Flag.FIN))
        self.streams.pop(stream.id, None)


class Serves(Protocol):
    """What a server makes of a connection."""

    def serve(self) -> None:
        """Answers until one side ends the connection."""


class Server:
    """Listens on loopback and serves each connection by a peer that `peer` makes. A context manager."""

    def __init__(self, peer: Callable[[socket.socket], Serves] = Peer) -> None:
        self._peer = peer
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._accept, daemon=True)

    def __enter__(self) -> Server:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(timeout=5)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._peer(connection).serve, daemon=True).start()
