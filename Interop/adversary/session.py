"""Streams over a connection of the attacker's: as polite as a peer has to be to get where it wants to attack."""

from __future__ import annotations

import time
from collections.abc import Callable

from peers.wire import decode_varint
from stack import multistream, yamux
from stack.connection import Upgraded
from stack.link import Ended, Silence
from stack.yamux import Flag, Frame, Type

Handler = Callable[["Stream"], None]
_PIECE = 1 << 15


class Stream:
    """One Yamux stream. It is a `Link` too: a circuit carries a connection."""

    def __init__(self, session: Session, number: int, is_ours: bool) -> None:
        self.session, self.number = session, number
        self.buffer = bytearray()
        self.has_fin = self.has_reset = False
        self.is_negotiated = is_ours
        self._owes = Flag.SYN if is_ours else Flag.ACK

    def send(self, data: bytes, flags: int = 0) -> None:
        """Sends all of it, whatever the window says."""
        frames = []
        for start in range(0, max(1, len(data)), _PIECE):
            frames.append(yamux.data(self.number, data[start : start + _PIECE], self._owed() | flags))
        self.session.frames.send(*frames)

    def _owed(self) -> int:
        owed, self._owes = self._owes, Flag.NONE
        return owed

    def finish(self) -> None:
        """Ends our direction."""
        self.send(b"", Flag.FIN)

    def reset(self) -> None:
        """Resets the stream."""
        self.session.frames.send(yamux.window_update(self.number, 0, self._owed() | Flag.RST))

    @property
    def is_over(self) -> bool:
        """Whether the target sends nothing more."""
        return self.has_fin or self.has_reset or self.session.ended is not None

    def receive(self, timeout: float) -> bytes:
        """Some bytes; raises `Ended` or `Silence`."""
        self.session.pump(lambda: bool(self.buffer) or self.is_over, timeout)
        if not self.buffer:
            raise Ended("eof" if self.has_fin else "reset")
        taken = bytes(self.buffer)
        self.buffer.clear()
        return taken

    def read(self, count: int, timeout: float = 5.0) -> bytes:
        """Exactly so many bytes."""
        self.session.pump(lambda: len(self.buffer) >= count or self.is_over, timeout)
        if len(self.buffer) < count:
            raise Ended("eof" if self.has_fin else "reset")
        taken = bytes(self.buffer[:count])
        del self.buffer[:count]
        return taken

    def read_message(self, timeout: float = 5.0) -> bytes:
        """One message behind its length."""
        prefix = b""
        while not prefix or prefix[-1] >= 0x80:
            prefix += self.read(1, timeout)
        return self.read(decode_varint(prefix)[0], timeout)

    def select(self, protocol: str, then: bytes = b"", timeout: float = 5.0) -> bool:
        """Asks for a protocol with `then` behind the request, and reads the answer: whether it is served."""
        self.send(multistream.lines(multistream.HEADER, protocol) + then)
        answers = [multistream.read_line(lambda count: self.read(count, timeout)) for _ in range(2)]
        return answers == [multistream.HEADER, protocol]

    def fileno(self) -> int:
        """See `Link.fileno`."""
        return self.session.frames.link.fileno()

    def has_pending(self) -> bool:
        """See `Link.has_pending`."""
        return bool(self.buffer)

    def close(self) -> None:
        """See `Link.close`."""
        self.finish()

    def abort(self) -> None:
        """See `Link.abort`."""
        self.reset()


class Session:
    """A connection with its streams."""

    def __init__(self, connection: Upgraded) -> None:
        self.connection, self.frames = connection, connection.frames
        self.streams: dict[int, Stream] = {}
        #: What is served to the target, by protocol.
        self.handlers: dict[str, Handler] = {}
        self.ended: str | None = None
        self.has_goodbye = False
        self._next = 1 if connection.is_dialer else 2

    def open(self) -> Stream:
        """A new stream of ours; its first frame opens it."""
        stream = self.streams[self._next] = Stream(self, self._next, is_ours=True)
        self._next += 2
        return stream

    def request(self, protocol: str, then: bytes = b"") -> Stream:
        """A new stream that speaks the protocol; raises `NegotiationError` when the target doesn't."""
        stream = self.open()
        if not stream.select(protocol, then):
            raise multistream.NegotiationError(f"{protocol} is refused")
        return stream

    def pump(self, until: Callable[[], bool], timeout: float) -> None:
        """Takes frames until the condition holds; raises `Silence` when it doesn't in time."""
        deadline = time.monotonic() + timeout
        while not until():
            if self.ended is not None:
                return
            left = deadline - time.monotonic()
            if left <= 0:
                raise Silence(f"nothing of what was awaited came within {timeout:.1f} s")
            try:
                self._arrived(self.frames.receive(left))
            except Silence:
                continue
            except Ended as ended:
                self.ended = ended.how

    def idle(self, seconds: float) -> None:
        """Serves the target for so long, or until it ends the connection."""
        try:
            self.pump(lambda: self.ended is not None, seconds)
        except Silence:
            pass

    def _arrived(self, frame: Frame) -> None:
        if frame.type == Type.PING and frame.has(Flag.SYN):
            self.frames.send(yamux.ping(frame.length, Flag.ACK))
        elif frame.type == Type.GO_AWAY:
            self.has_goodbye = True
        elif frame.type in (Type.DATA, Type.WINDOW_UPDATE):
            stream = self.streams.get(frame.stream)
            if stream is None and frame.has(Flag.SYN):
                stream = self.streams[frame.stream] = Stream(self, frame.stream, is_ours=False)
            if stream is not None:
                self._deliver(stream, frame)

    def _deliver(self, stream: Stream, frame: Frame) -> None:
        stream.buffer += frame.body
        stream.has_fin |= frame.has(Flag.FIN)
        stream.has_reset |= frame.has(Flag.RST)
        if frame.body and not stream.is_over:
            self.frames.send(yamux.window_update(stream.number, len(frame.body)))
        if not stream.is_negotiated:
            self._negotiate(stream)

    def _negotiate(self, stream: Stream) -> None:
        while b"\n" in stream.buffer:
            length, start = decode_varint(stream.buffer)
            if len(stream.buffer) < start + length:
                return
            wanted = bytes(stream.buffer[start : start + length - 1]).decode(errors="replace")
            del stream.buffer[: start + length]
            if wanted == multistream.HEADER:
                stream.send(multistream.line(wanted))
            elif wanted in self.handlers:
                stream.send(multistream.line(wanted))
                stream.is_negotiated = True
                self.handlers[wanted](stream)
                return
            else:
                stream.send(multistream.line(multistream.NOT_AVAILABLE))

    def abort(self) -> None:
        """Cuts the connection as a crash would."""
        self.connection.tcp.abort()
