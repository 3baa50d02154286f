"""Section 6: FIN, each direction on its own."""

from __future__ import annotations

import random

from stack.yamux import INITIAL_WINDOW, Flag, Frame, Type, data, window_update

from ..case import Level, Section, Violation
from ..session import Session, Stream

SECTION: Section[Session] = Section("6", "Half-close")
_CLOSING = "Yamux, Closing a stream"


def _await_end(s: Session, stream: Stream, expected: bytes) -> None:
    s.expect(lambda: stream.over, "the end of the echo")
    if stream.was_reset:
        raise Violation(f"a reset, where an end was due, behind {len(stream.payload)} bytes")
    if stream.payload != expected:
        raise Violation(f"{len(stream.payload)} of {len(expected)} bytes came back before the end")


@SECTION.case("FIN on DATA without a body: the echo comes, then FIN", _CLOSING)
def _(s: Session) -> None:
    stream = s.open()
    s.send(data(stream.id, b"abc"), data(stream.id, flags=Flag.FIN))
    _await_end(s, stream, b"abc")


@SECTION.case("FIN on DATA with a body: the body comes first", _CLOSING)
def _(s: Session) -> None:
    stream = s.open()
    s.send(data(stream.id, b"abc", Flag.FIN))
    _await_end(s, stream, b"abc")


@SECTION.case("FIN on WINDOW_UPDATE ends the stream too", "Yamux, Flag Field: FIN")
def _(s: Session) -> None:
    stream = s.open()
    s.send(data(stream.id, b"abc"), window_update(stream.id, 0, Flag.FIN))
    _await_end(s, stream, b"abc")


@SECTION.case("a delta on a frame with FIN is credit all the same", "Yamux, Length Field")
def _(s: Session) -> None:
    stream = s.stall(INITIAL_WINDOW + 100)
    stream.credits = False
    s.send(window_update(stream.id, 1 << 10, Flag.FIN))
    s.expect(lambda: stream.over, "the end of the echo")
    if len(stream.payload) != INITIAL_WINDOW + 100:
        raise Violation(f"{len(stream.payload)} bytes came before the end")


@SECTION.case("nothing but FIN: the echo is empty and ends", _CLOSING)
def _(s: Session) -> None:
    stream = s.open()
    s.send(data(stream.id, flags=Flag.FIN))
    _await_end(s, stream, b"")


@SECTION.case("FIN before the ACK has come", "Yamux, Opening a stream")
def _(s: Session) -> None:
    stream = s.start()
    s.send(data(stream.id, b"quick"), data(stream.id, flags=Flag.FIN))
    _await_end(s, stream, b"quick")


@SECTION.case("behind our FIN the target still sends what it owes, as credit allows", _CLOSING)
def _(s: Session) -> None:
    stream = s.stall(INITIAL_WINDOW + (1 << 16))
    s.send(data(stream.id, flags=Flag.FIN))
    s.barrier()
    if stream.finished:
        raise Violation("FIN, with bytes of the echo still owed")
    s.send(window_update(stream.id, 1 << 17))
    s.expect(lambda: stream.over, "the end of the echo")
    if stream.was_reset or len(stream.payload) != INITIAL_WINDOW + (1 << 16):
        raise Violation(f"{len(stream.payload)} bytes of the echo, {'reset' if stream.was_reset else 'FIN'}")


@SECTION.case("100 KiB with FIN on the last frame come back whole", _CLOSING)
def _(s: Session) -> None:
    stream = s.open()
    body = random.randbytes(100 << 10)
    s.send(data(stream.id, body[: 50 << 10]), data(stream.id, body[50 << 10 :], Flag.FIN))
    _await_end(s, stream, body)


@SECTION.case("data behind FIN is not delivered", f"{_CLOSING}: 'will send no further data'", survives=False)
def _(s: Session) -> str:
    stream = s.open()
    s.send(data(stream.id, b"abc", Flag.FIN), data(stream.id, b"def"))
    s.settle()
    if b"d" in stream.payload:
        raise Violation(f"{stream.payload!r} came back")
    return s.outcome(stream.id) if stream.was_reset or s.ended else "ignored"


@SECTION.case("data behind FIN on a stream whose other side is open is not delivered", _CLOSING, survives=False)
def _(s: Session) -> str:
    stream = s.stall(INITIAL_WINDOW + 1000)
    s.send(data(stream.id, flags=Flag.FIN), data(stream.id, b"!"), window_update(stream.id, 1 << 17))
    s.until(lambda: stream.over or bool(s.ended))
    s.settle()
    if b"!" in stream.payload:
        raise Violation("data behind FIN came back")
    return s.outcome(stream.id)


@SECTION.case("a second FIN does no harm", f"{_CLOSING}: silent", Level.SHOULD)
def _(s: Session) -> None:
    stream = s.open()
    s.send(data(stream.id, b"abc"), data(stream.id, flags=Flag.FIN), data(stream.id, flags=Flag.FIN))
    s.expect(lambda: stream.over, "the end of the echo")


@SECTION.case("RST behind FIN does no harm", "Yamux, Flag Field: RST")
def _(s: Session) -> None:
    stream = s.open()
    s.send(data(stream.id, b"abc"), data(stream.id, flags=Flag.FIN), data(stream.id, flags=Flag.RST))


def _late(name: str, frame: Frame, level: Level, survives: bool) -> None:
    @SECTION.case(f"{name} for a stream that both sides have closed", f"{_CLOSING}: frames cross", level, survives)
    def _(s: Session) -> str:
        stream = s.open()
        s.send(data(stream.id, flags=Flag.FIN))
        s.expect(lambda: stream.over, "the end of the echo")
        before = len(stream.frames)
        s.send(Frame(frame.type, frame.flags, stream.id, frame.length, frame.body))
        s.settle()
        if any(f.type == Type.DATA and f.body for f in stream.frames[before:]):
            raise Violation("the stream was served again")
        return s.outcome(stream.id)


_late("WINDOW_UPDATE", window_update(0, 1000), Level.MUST, True)
_late("RST", data(0, flags=Flag.RST), Level.MUST, True)
_late("DATA", data(0, b"late"), Level.CHOICE, False)
_late("FIN", data(0, flags=Flag.FIN), Level.CHOICE, False)


@SECTION.case("the target does not end a stream that we have not ended", _CLOSING)
def _(s: Session) -> None:
    stream = s.open()
    s.echo(stream, b"abc")
    s.settle()
    if stream.over:
        raise Violation("the echo ended by itself")
    s.echo(stream, b"def")


@SECTION.case(
    "300 streams, one after another, each closed by both sides",
    "webtransport-go 2026: streams that are never cleaned up",
)
def _(s: Session) -> None:
    for _ in range(6):
        batch = [s.start() for _ in range(50)]
        for stream in batch:
            s.send(data(stream.id, b"x", Flag.FIN))
        s.expect(lambda batch=batch: all(stream.over for stream in batch), "the ends of 50 echoes")
        if any(stream.was_reset or stream.payload != b"x" for stream in batch):
            raise Violation("a stream was reset, or its echo is wrong")
