"""Section 11: what costs a target more than us. To cut the peer off is its own choice; it must not hang or die."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

from stack.link import Ended, Silence
from stack.yamux import INITIAL_WINDOW, Flag, Frame, Type, data, go_away, ping, window_update

from ..case import Level, Section, Violation
from ..session import Session

SECTION: Section[Session] = Section("11", "Abuse")
_COUNT = 10_000
_BATCH = 500
#: Seconds for a target to read a flood and be in order again, in multiples of what a case waits otherwise.
_PATIENCE = 4


def _flood(s: Session, frames: Iterator[Frame], count: int = _COUNT) -> str:
    """Sends many frames as fast as the target takes them, and sees what becomes of the connection."""
    sent = 0
    while sent < count and not s.ended:
        batch = [next(frames) for _ in range(min(_BATCH, count - sent))]
        s.send(*batch)
        sent += len(batch)
        try:
            s.tcp.flush(s.target.timeout * _PATIENCE)
        except (Ended, Silence):
            break
        s.until(lambda: False, 0)
    how = _fate(s)
    return f"{how} (of {count} frames {sent} were sent)"


def _fate(s: Session) -> str:
    if s.barrier(s.target.timeout * _PATIENCE) and not s.go_aways:
        return "tolerated"
    if s.until(lambda: bool(s.ended), s.target.timeout * _PATIENCE):
        return f"cut off, GO_AWAY {s.go_aways}" if s.go_aways else "cut off without GO_AWAY"
    raise Violation(f"the connection hangs: no answer to PING, no end; {s.summary()}")


def _abuse(title: str, source: str) -> Callable[[Callable[[Session], Iterator[Frame]]], None]:
    def add(make: Callable[[Session], Iterator[Frame]]) -> None:
        def action(s: Session) -> str:
            return _flood(s, make(s))

        SECTION.add(f"{_COUNT} × {title}", source, Level.CHOICE, action, survives=None)

    return add


@_abuse("open and reset at once (rapid reset)", "CVE-2023-44487")
def _(s: Session) -> Iterator[Frame]:
    while True:
        stream = s.new_id()
        yield window_update(stream, 0, Flag.SYN)
        yield data(stream, flags=Flag.RST)


@_abuse("SYN and RST in one frame", "CVE-2023-44487")
def _(s: Session) -> Iterator[Frame]:
    while True:
        yield data(s.new_id(), flags=Flag.SYN | Flag.RST)


@_abuse("SYN on ever new streams", "CVE-2022-23492")
def _(s: Session) -> Iterator[Frame]:
    while True:
        yield window_update(s.new_id(), 0, Flag.SYN)


@_abuse("DATA without a body", "CVE-2025-8671")
def _(s: Session) -> Iterator[Frame]:
    stream = s.open()
    while True:
        yield data(stream.id)


@_abuse("WINDOW_UPDATE of 0", "CVE-2025-8671")
def _(s: Session) -> Iterator[Frame]:
    stream = s.open()
    while True:
        yield window_update(stream.id, 0)


@_abuse("WINDOW_UPDATE of 1 on a stalled stream", "attack: credit in drops")
def _(s: Session) -> Iterator[Frame]:
    stream = s.stall()
    while True:
        yield window_update(stream.id, 1)


@_abuse("DATA of one byte", "attack: data in drops")
def _(s: Session) -> Iterator[Frame]:
    stream = s.open()
    while True:
        yield data(stream.id, b"x")


@_abuse("PING", "CVE-2024-32984")
def _(s: Session) -> Iterator[Frame]:
    value = 0
    while True:
        value += 1
        yield ping(value)


@_abuse("an answer to no PING", "attack: frames that change nothing")
def _(s: Session) -> Iterator[Frame]:
    while True:
        yield ping(7, Flag.ACK)


@_abuse("FIN on the same stream", "attack: frames that change nothing")
def _(s: Session) -> Iterator[Frame]:
    stream = s.stall()
    while True:
        yield data(stream.id, flags=Flag.FIN)


@_abuse("DATA for streams that never were", "CVE-2025-8671")
def _(s: Session) -> Iterator[Frame]:
    while True:
        yield data(s.new_id(), b"x")


@_abuse("WINDOW_UPDATE for streams that never were", "CVE-2025-8671")
def _(s: Session) -> Iterator[Frame]:
    while True:
        yield window_update(s.new_id(), 1)


@_abuse("RST for streams that never were", "CVE-2025-8671")
def _(s: Session) -> Iterator[Frame]:
    while True:
        yield data(s.new_id(), flags=Flag.RST)


@_abuse("overflow of a window on a new stream (resets that the target is made to send)", "CVE-2025-8671")
def _(s: Session) -> Iterator[Frame]:
    while True:
        stream = s.new_id()
        yield window_update(stream, 0xFFFFFFFF, Flag.SYN)
        yield window_update(stream, 0xFFFFFFFF)


@_abuse("GO_AWAY", "attack: frames that change nothing")
def _(s: Session) -> Iterator[Frame]:
    while True:
        yield go_away(0)


def _unread(title: str, make: Callable[[int], Frame]) -> None:
    @SECTION.case(
        f"{title}, while nothing of the target is read: others are served",
        "CVE-2024-32984",
        Level.CHOICE,
        survives=None,
    )
    def _(s: Session) -> str:
        sent = 0
        try:
            while sent < 20 * _COUNT and s.tcp.unsent < 1 << 20:
                s.send(*(make(sent + index) for index in range(_BATCH)))
                sent += _BATCH
            s.tcp.flush(0.5, reads=False)
        except (Ended, Silence):
            pass
        s.in_service_elsewhere()
        return f"{sent} frames were sent"


_unread("PING without end", ping)
_unread("SYN without end", lambda index: window_update(1 + 2 * index, 0, Flag.SYN))


@SECTION.case("a body that never comes whole: others are served", "attack: stalled frame", Level.CHOICE, survives=None)
def _(s: Session) -> str:
    stream = s.open()
    s.send_raw(Frame(Type.DATA, 0, stream.id, 100_000).encoded() + b"x")
    s.tcp.flush(s.target.timeout)
    s.in_service_elsewhere()
    return s.outcome(stream.id)


@SECTION.case("an echo of which nothing is read: others are served", "attack: slow reader", Level.CHOICE, survives=None)
def _(s: Session) -> str:
    stream = s.open(credits=False)
    s.send(window_update(stream.id, 1 << 30))
    try:
        s.send(*(data(stream.id, bytes(1 << 14)) for _ in range(stream.credit >> 14)))
        s.tcp.flush(0.5, reads=False)
    except (Ended, Silence):
        pass
    s.in_service_elsewhere()
    return s.outcome(stream.id)


def _noise(seed: int) -> None:
    @SECTION.case(f"4096 random bytes (seed {seed}) end the session", "attack: fuzzing", Level.SHOULD, survives=None)
    def _(s: Session) -> str:
        s.send_garbage(b"\xff" + random.Random(seed).randbytes(4095))
        return s.expect_end("random bytes")


for _seed in (1, 2):
    _noise(_seed)


def _wrong_frames(seed: int) -> None:
    @SECTION.case(
        f"200 frames with random fields (seed {seed}): the connection works or ends", "attack: fuzzing", survives=None
    )
    def _(s: Session) -> str:
        source = random.Random(seed)
        for _ in range(200):
            kind = source.choice([Type.DATA, Type.WINDOW_UPDATE, Type.PING])
            stream = 0 if kind == Type.PING else source.randrange(1, 40, 2)
            length = source.choice([0, 1, 100, INITIAL_WINDOW // 4])
            body = source.randbytes(length) if kind == Type.DATA else b""
            s.send(Frame(kind, source.randrange(16), stream, length, body))
        s._next_id = 1001 if s.is_dialer else 1002
        return _fate(s)


for _seed in range(6):
    _wrong_frames(_seed)
