"""Section 3: opening a stream."""

from __future__ import annotations

from stack.yamux import INITIAL_WINDOW, Flag, Frame, Type, data, window_update

from ..case import Level, Section, Violation
from ..session import Session, Stream

SECTION: Section[Session] = Section("3", "Opening a stream")
_OPENING = "Yamux, Opening a stream"


def _answered(s: Session, first: list[Frame]) -> Stream:
    stream = s.track(first[0].stream)
    s.send(*first, data(stream.id, s.target.preface + b"x"))
    s.expect(lambda: stream.payload == b"x", "the echo")
    return stream


@SECTION.case("a stream opened by WINDOW_UPDATE is answered by a frame with ACK", _OPENING)
def _(s: Session) -> None:
    stream = _answered(s, [window_update(s.new_id(), 0, Flag.SYN)])
    if not stream.acknowledged:
        raise Violation("it was served, but never acknowledged")


@SECTION.case("a stream opened by DATA is answered by a frame with ACK", _OPENING)
def _(s: Session) -> None:
    stream = _answered(s, [data(s.new_id(), flags=Flag.SYN)])
    if not stream.acknowledged:
        raise Violation("it was served, but never acknowledged")


@SECTION.case("the first frame of the answer has the ACK", _OPENING, Level.SHOULD)
def _(s: Session) -> None:
    stream = _answered(s, [window_update(s.new_id(), 0, Flag.SYN)])
    if not stream.frames[0].has(Flag.ACK):
        raise Violation(f"the first frame was {stream.frames[0]}")


@SECTION.case("the answer has no SYN", _OPENING)
def _(s: Session) -> None:
    stream = _answered(s, [window_update(s.new_id(), 0, Flag.SYN)])
    if any(frame.has(Flag.SYN) for frame in stream.frames):
        raise Violation("the answer opens the stream itself")


@SECTION.case("the ACK is given once", "Yamux, Flag Field", Level.SHOULD)
def _(s: Session) -> None:
    stream = _answered(s, [window_update(s.new_id(), 0, Flag.SYN)])
    s.echo(stream, b"more")
    s.settle()
    count = sum(frame.has(Flag.ACK) for frame in stream.frames)
    if count != 1:
        raise Violation(f"{count} frames with ACK")


@SECTION.case("data right behind the SYN is served: nobody has to wait for the ACK", _OPENING)
def _(s: Session) -> None:
    stream = s.start()
    s.send(data(stream.id, b"early"))
    s.expect(lambda: stream.payload == b"early", "the echo of early data")


@SECTION.case("a larger window given with the SYN is used", "Yamux, Flow Control")
def _(s: Session) -> None:
    stream = s.open(credits=False, extra=INITIAL_WINDOW)
    total = INITIAL_WINDOW * 3 // 2
    _push(s, stream, total)
    s.expect(lambda: len(stream.payload) == total, f"an echo of {total} bytes without any further credit")


def _push(s: Session, stream: Stream, total: int) -> None:
    sent = 0
    while sent < total:
        s.expect(lambda: stream.credit > 0, f"credit behind {sent} bytes")
        count = min(stream.credit, total - sent, 1 << 14)
        s.send(data(stream.id, bytes(count)))
        sent += count


@SECTION.case("a window given with the SYN by many small updates behind it adds up", "Yamux, Flow Control")
def _(s: Session) -> None:
    stream = s.open(credits=False, extra=1)
    s.send(*(window_update(stream.id, 1 << 10) for _ in range(64)))
    total = INITIAL_WINDOW + (1 << 15)
    _push(s, stream, total)
    s.expect(lambda: len(stream.payload) == total, f"an echo of {total} bytes")


@SECTION.case("SYN, request and FIN in one frame: served, then ended", "Yamux, Flag Field")
def _(s: Session) -> None:
    stream = s.track(s.new_id())
    s.send(data(stream.id, s.target.preface + b"all at once", Flag.SYN | Flag.FIN))
    s.expect(lambda: stream.over, "the end of the echo")
    if stream.payload != b"all at once" or stream.was_reset:
        raise Violation(f"came back: {stream.payload!r}, {'reset' if stream.was_reset else 'FIN'}")


@SECTION.case("SYN with FIN and no data leaves nothing behind", "Yamux, Flag Field")
def _(s: Session) -> None:
    stream = s.track(s.new_id())
    s.send(data(stream.id, flags=Flag.SYN | Flag.FIN))
    s.settle()


@SECTION.case("SYN with RST serves nothing", "Yamux, Flag Field: RST", survives=False)
def _(s: Session) -> str:
    stream = s.track(s.new_id())
    s.send(data(stream.id, s.target.preface + b"x", Flag.SYN | Flag.RST))
    s.settle()
    if stream.received or stream.acknowledged:
        raise Violation("a stream that was reset as it was opened is served")
    return s.outcome(stream.id)


@SECTION.case("SYN with ACK", "Yamux, Flag Field: silent", Level.CHOICE, survives=False)
def _(s: Session) -> str:
    stream = s.track(s.new_id())
    s.send(data(stream.id, s.target.preface + b"x", Flag.SYN | Flag.ACK))
    s.settle()
    return "served" if stream.payload == b"x" else s.outcome(stream.id)


@SECTION.case("a stream that is refused or unwanted does not hurt those before it", _OPENING)
def _(s: Session) -> None:
    stream = s.open()
    other = s.new_id()
    s.send(Frame(Type.WINDOW_UPDATE, Flag.SYN, other), data(other, flags=Flag.RST))
    s.echo(stream, b"still here")


@SECTION.case("a stream that sends nothing for now does not hold up the next", _OPENING)
def _(s: Session) -> None:
    silent = s.new_id()
    s.send(window_update(silent, 0, Flag.SYN))
    s.echo(s.open(), b"x")
