"""Yamux frames (the specification of hashicorp/yamux as libp2p uses it) and a connection that shows each of them."""

from __future__ import annotations

import enum
import time
from dataclasses import dataclass

from .link import Buffered, Ended, Link, Silence

PROTOCOL = "/yamux/1.0.0"
HEADER = 12
INITIAL_WINDOW = 256 * 1024


class Type(enum.IntEnum):
    """A frame's type."""

    DATA = 0
    WINDOW_UPDATE = 1
    PING = 2
    GO_AWAY = 3


class Flag(enum.IntFlag):
    """A frame's flags."""

    NONE = 0
    SYN = 1
    ACK = 2
    FIN = 4
    RST = 8


@dataclass(frozen=True)
class Frame:
    """One frame. `length` is the header's field: a body's length, a window's delta, a ping's value or a code."""

    type: int
    flags: int = 0
    stream: int = 0
    length: int = 0
    body: bytes = b""
    version: int = 0

    def encoded(self) -> bytes:
        """The frame as bytes, just as it says, be it right or wrong."""
        header = bytes([self.version, self.type]) + self.flags.to_bytes(2, "big")
        return header + self.stream.to_bytes(4, "big") + self.length.to_bytes(4, "big") + self.body

    def has(self, flag: Flag) -> bool:
        """Whether a flag is set."""
        return bool(self.flags & flag)

    def __str__(self) -> str:
        name = Type(self.type).name if self.type in list(Type) else f"type {self.type}"
        flags = "|".join(flag.name or "" for flag in Flag if flag and self.flags & flag)
        return f"{name}{'[' + flags + ']' if flags else ''} stream {self.stream} length {self.length}"


def data(stream: int, body: bytes = b"", flags: int = 0) -> Frame:
    """A DATA frame whose length is its body's."""
    return Frame(Type.DATA, flags, stream, len(body), body)


def window_update(stream: int, delta: int = 0, flags: int = 0) -> Frame:
    """A WINDOW_UPDATE."""
    return Frame(Type.WINDOW_UPDATE, flags, stream, delta)


def ping(value: int, flags: int = Flag.SYN) -> Frame:
    """A PING, or with ACK its answer."""
    return Frame(Type.PING, flags, 0, value)


def go_away(code: int = 0) -> Frame:
    """A GO_AWAY: 0 normal, 1 protocol error, 2 internal error."""
    return Frame(Type.GO_AWAY, 0, 0, code)


class FrameLink:
    """Frames over a link, with nothing done on its own: no answer, no window, no stream table."""

    def __init__(self, link: Link, leftover: bytes = b"") -> None:
        self.link = link
        self._wire = Buffered(link, leftover)

    def send(self, *frames: Frame) -> None:
        """Sends the frames in one write."""
        self.link.send(b"".join(frame.encoded() for frame in frames))

    def receive(self, timeout: float) -> Frame:
        """The next frame; raises `Ended` or `Silence`."""
        header = self._wire.read(HEADER, timeout)
        kind, length = header[1], int.from_bytes(header[8:], "big")
        # As with a record: what has begun is read whole.
        body = self._wire.read(length, 10) if kind == Type.DATA else b""
        flags, stream = int.from_bytes(header[2:4], "big"), int.from_bytes(header[4:8], "big")
        return Frame(kind, flags, stream, length, body, header[0])

    def collect(self, seconds: float) -> tuple[list[Frame], str | None]:
        """All frames of the next `seconds`, and how the link ended if it did."""
        frames: list[Frame] = []
        deadline = time.monotonic() + seconds
        try:
            while True:
                frames.append(self.receive(deadline - time.monotonic()))
        except Silence:
            return frames, None
        except Ended as ended:
            return frames, ended.how
