"""Streams over Yamux that do only what they are told, on any number of connections that one thread watches together.

A `Session` is one connection with its streams. It answers pings, acknowledges streams that the peer opens and, where a
stream says so, gives back the window that its bytes took. All else, each FIN, each reset and each byte of window, is
the caller's. A `Pump` reads the frames of all sessions until what the caller waits for is there.
"""

from __future__ import annotations

import select
import time
from collections.abc import Callable
from typing import Protocol

from . import yamux
from .link import Ended, Silence
from .noise import NoiseError
from .yamux import INITIAL_WINDOW, Flag, Frame, FrameLink, Type

#: The most that is put into one frame.
LARGEST_BODY = 1 << 15


class Observer(Protocol):
    """Sees all that passes: a transcript."""

    def frame(self, session: Session, is_sent: bool, frame: Frame) -> None:
        """A frame was sent or read."""

    def note(self, session: Session | None, text: str) -> None:
        """Something else has happened."""


class Stream:
    """One underlying stream, opened by either side."""

    def __init__(self, session: Session, number: int, is_ours: bool) -> None:
        self.session = session
        self.number = number
        self.is_ours = is_ours
        #: Bytes that have come and that nobody has taken.
        self.received = bytearray()
        #: How many have come altogether, and how many of them were taken as a negotiation.
        self.total = 0
        self.head = 0
        self.has_fin = False
        self.has_reset = False
        self.sent_fin = False
        self.sent_reset = False
        #: How much the peer lets us send, and how much of it the peer granted beyond the first window.
        self.credit = INITIAL_WINDOW
        self.granted = 0
        #: Whether bytes that come are paid back at once.
        self.grants = True
        #: What the peer sent behind its own FIN, if anything.
        self.violation: str | None = None
        self._owes = Flag.SYN if is_ours else Flag.ACK

    def __str__(self) -> str:
        return f"stream {self.number} of {self.session.name}"

    @property
    def is_over(self) -> bool:
        """Whether nothing more can come."""
        return self.has_fin or self.is_broken

    @property
    def is_broken(self) -> bool:
        """Whether the peer reset it, or its connection is gone."""
        return self.has_reset or self.session.ended is not None

    def send(self, data: bytes = b"", fin: bool = False, extra: int = 0) -> None:
        """Sends the bytes whatever the window says, in as many frames as they need, FIN with the last one."""
        pieces = [data[start : start + LARGEST_BODY] for start in range(0, len(data), LARGEST_BODY)] or [b""]
        frames = []
        for index, piece in enumerate(pieces):
            ends = fin and index == len(pieces) - 1
            frames.append(yamux.data(self.number, piece, self._take() | extra | (Flag.FIN if ends else 0)))
        self.credit -= len(data)
        self.sent_fin |= fin
        self.session.send(*frames)

    def fin(self) -> None:
        """Ends our side of it."""
        self.send(fin=True)

    def reset(self) -> None:
        """Resets it."""
        self.sent_reset = True
        self.session.send(yamux.window_update(self.number, 0, self._take() | Flag.RST))

    def grant(self, count: int) -> None:
        """Lets the peer send so many bytes more."""
        self.session.send(yamux.window_update(self.number, count, self._take()))

    @property
    def payload(self) -> int:
        """How many bytes have come behind the negotiation."""
        return self.total - self.head

    def take_head(self, count: int) -> bytes:
        """Takes bytes that belong to a negotiation."""
        self.head += count
        return self.take(count)

    def take(self, count: int | None = None) -> bytes:
        """Takes bytes that have come: all of them, or the first `count`."""
        taken = bytes(self.received[:count])
        del self.received[:count]
        return taken

    def arrived(self, frame: Frame) -> None:
        """Takes note of a frame of this stream."""
        if frame.type == Type.DATA and frame.body:
            if self.has_fin:
                self.violation = f"{len(frame.body)} bytes behind FIN"
            self.received += frame.body
            self.total += len(frame.body)
        elif frame.type == Type.WINDOW_UPDATE and frame.length:
            self.credit += frame.length
            self.granted += frame.length
        self.has_fin |= frame.has(Flag.FIN)
        self.has_reset |= frame.has(Flag.RST)
        if frame.body and self.grants and not self.sent_reset and not self.has_fin:
            self.grant(len(frame.body))

    def _take(self) -> int:
        owed, self._owes = self._owes, Flag.NONE
        return owed


class Session:
    """One connection with its streams."""

    def __init__(self, name: str, frames: FrameLink, is_dialer: bool, observer: Observer) -> None:
        self.name = name
        self.frames = frames
        self.is_dialer = is_dialer
        self.observer = observer
        self.streams: dict[int, Stream] = {}
        #: Called with each stream that the peer opens, before its first frame counts.
        self.on_open: Callable[[Stream], None] = lambda stream: None
        #: How the connection has ended: `eof`, `reset`, `closed` by us; None while it stands.
        self.ended: str | None = None
        self.has_goodbye = False
        #: Whether it was looked for frames at all.
        self.was_read = False
        #: Who is at the other end, as a multihash.
        self.remote = b""
        self._next = 1 if is_dialer else 2
        self._pings = 0
        self._pongs: set[int] = set()

    def open(self) -> Stream:
        """A new stream of ours; its first frame opens it."""
        stream = self.streams[self._next] = Stream(self, self._next, is_ours=True)
        self._next += 2
        return stream

    def send(self, *frames: Frame) -> None:
        """Sends the frames in one write. On a connection that is gone nothing is sent."""
        if self.ended:
            return
        for frame in frames:
            self.observer.frame(self, True, frame)
        try:
            self.frames.send(*frames)
        except (Ended, Silence) as failure:
            self._end("reset" if isinstance(failure, Ended) else "stalled")
            self.frames.link.close()

    def ping(self) -> int:
        """Sends a ping; `has_pong` tells when it is answered."""
        self._pings += 1
        self.send(yamux.ping(self._pings))
        return self._pings

    def has_pong(self, value: int) -> bool:
        """Whether a ping was answered. What the peer does at once on the frames before it has come too."""
        return value in self._pongs

    def abort(self) -> None:
        """Cuts the connection as a crash would."""
        self._end("closed")
        self.frames.link.abort()

    def close(self) -> None:
        """Closes the connection with a goodbye."""
        self.send(yamux.go_away())
        self._end("closed")
        self.frames.link.close()

    def fileno(self) -> int:
        """For `select`."""
        return self.frames.link.fileno()

    def read(self) -> None:
        """Takes all frames that are there."""
        self.was_read = True
        while self.ended is None:
            try:
                frame = self.frames.receive(0)
            except Silence:
                return
            except (Ended, NoiseError, OSError) as failure:
                self._end(failure.how if isinstance(failure, Ended) else str(failure))
                self.frames.link.close()
                return
            self.observer.frame(self, False, frame)
            self._arrived(frame)

    def _arrived(self, frame: Frame) -> None:
        if frame.type == Type.PING:
            if frame.has(Flag.SYN):
                self.send(yamux.ping(frame.length, Flag.ACK))
            else:
                self._pongs.add(frame.length)
        elif frame.type == Type.GO_AWAY:
            self.has_goodbye = True
        else:
            stream = self.streams.get(frame.stream)
            if stream is None and frame.has(Flag.SYN):
                stream = self.streams[frame.stream] = Stream(self, frame.stream, is_ours=False)
                self.on_open(stream)
            if stream is not None:
                stream.arrived(frame)

    def _end(self, how: str) -> None:
        if self.ended is None:
            self.ended = how
            self.observer.note(self, f"connection ended: {how}")


class Pump:
    """Reads frames of all its sessions, and whatever else it is given to watch."""

    def __init__(self) -> None:
        self.sessions: list[Session] = []
        #: Sockets that listen, and what to do when somebody dials.
        self.listening: dict[int, Callable[[], None]] = {}
        #: Called after each round of reading: what a peer does on its own.
        self.after: list[Callable[[], None]] = []

    def run(self, until: Callable[[], bool], timeout: float) -> bool:
        """Reads until the condition holds; False when `timeout` seconds passed before."""
        deadline = time.monotonic() + timeout
        while not until():
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            self.turn(left)
        return True

    def turn(self, timeout: float) -> None:
        """Waits at most so long for something to read, and reads all that is there."""
        alive = [session for session in self.sessions if session.ended is None]
        # What came with the end of the handshake is in no socket any more: a new session is read unasked.
        for session in alive:
            if not session.was_read:
                session.read()
                timeout = 0.0
        watched = {session.fileno(): session.read for session in alive if session.ended is None} | self.listening
        ready, _, _ = select.select(list(watched), [], [], max(0.0, timeout))
        for number in ready:
            watched[number]()
        for step in self.after:
            step()

    def fence(self, timeout: float, *sessions: Session) -> bool:
        """Whether every one of the sessions (all that stand, by default) has read what was sent to it."""
        chosen = [session for session in sessions or self.sessions if session.ended is None]
        pings = [(session, session.ping()) for session in chosen]
        return self.run(lambda: all(one.has_pong(value) or one.ended for one, value in pings), timeout)

    def close(self) -> None:
        """Ends every connection."""
        for session in self.sessions:
            if session.ended is None:
                session.close()
