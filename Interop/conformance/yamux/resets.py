"""Section 7: RST."""

from __future__ import annotations

from stack.yamux import INITIAL_WINDOW, Flag, Frame, Type, data, window_update

from ..case import Level, Section, Violation
from ..session import Session, Stream

SECTION: Section[Session] = Section("7", "Reset")
_RESET = "Yamux, Flag Field: RST"


def _expect_nothing_more(s: Session, stream: Stream) -> None:
    """On a stream that we have reset the target sends nothing more, though it owes bytes and gets credit for them."""
    s.barrier()
    before = len(stream.received)
    s.send(window_update(stream.id, 1 << 16))
    s.settle()
    if len(stream.received) > before:
        raise Violation(f"{len(stream.received) - before} bytes came on a stream that was reset")


def _stops(name: str, frame: Frame) -> None:
    @SECTION.case(f"behind RST on {name} the target sends nothing more on the stream", _RESET)
    def _(s: Session) -> None:
        stream = s.stall()
        s.send(Frame(frame.type, frame.flags, stream.id, frame.length, frame.body))
        _expect_nothing_more(s, stream)


_stops("DATA", data(0, flags=Flag.RST))
_stops("WINDOW_UPDATE", window_update(0, 0, Flag.RST))


@SECTION.case("RST with a body: the body is skipped and the next frame found", _RESET)
def _(s: Session) -> None:
    stream = s.open()
    s.send(data(stream.id, b"body of a reset", Flag.RST))


@SECTION.case("RST with a value in a WINDOW_UPDATE is a reset still", f"{_RESET}; libp2p error codes")
def _(s: Session) -> None:
    stream = s.stall()
    s.send(window_update(stream.id, 0x1234, Flag.RST))
    before = len(stream.received)
    s.settle()
    if len(stream.received) > before:
        raise Violation("the value was taken for credit")


@SECTION.case("RST of one stream leaves the others alone", _RESET)
def _(s: Session) -> None:
    one, two = s.open(), s.open()
    s.send(data(one.id, flags=Flag.RST))
    s.echo(two, b"untouched")


@SECTION.case("RST right behind the SYN", _RESET)
def _(s: Session) -> None:
    stream = s.start()
    s.send(data(stream.id, flags=Flag.RST))


@SECTION.case("RST in the middle of the negotiation", _RESET)
def _(s: Session) -> None:
    stream = s.new_id()
    s.send(data(stream, s.target.preface[:7], Flag.SYN), data(stream, flags=Flag.RST))


@SECTION.case("RST twice", _RESET)
def _(s: Session) -> None:
    stream = s.open()
    s.send(data(stream.id, flags=Flag.RST), data(stream.id, flags=Flag.RST))


@SECTION.case("RST of a stream whose own side has ended", _RESET)
def _(s: Session) -> None:
    stream = s.stall()
    s.send(data(stream.id, flags=Flag.FIN))
    s.barrier()
    s.send(data(stream.id, flags=Flag.RST))
    _expect_nothing_more(s, stream)


@SECTION.case("data behind our RST is not delivered", _RESET, survives=False)
def _(s: Session) -> str:
    stream = s.open()
    s.send(data(stream.id, flags=Flag.RST), data(stream.id, b"late"))
    s.settle()
    if stream.payload:
        raise Violation(f"{stream.payload!r} came back")
    return s.outcome(stream.id)


@SECTION.case("WINDOW_UPDATE behind our RST", f"{_RESET}: silent", Level.CHOICE, survives=False)
def _(s: Session) -> str:
    stream = s.open()
    s.send(data(stream.id, flags=Flag.RST), window_update(stream.id, 1000))
    s.settle()
    return s.outcome(stream.id)


@SECTION.case("20 stalled streams that are reset leave nothing behind", _RESET)
def _(s: Session) -> None:
    for _ in range(20):
        stream = s.open(credits=False)
        s.send(*(data(stream.id, bytes(1 << 14)) for _ in range(stream.credit >> 14)))
        s.send(data(stream.id, flags=Flag.RST))
    s.echo(s.open(), bytes(INITIAL_WINDOW))


@SECTION.case("RST with every other flag at once is a reset", _RESET, survives=False)
def _(s: Session) -> str:
    stream = s.stall()
    s.send(Frame(Type.WINDOW_UPDATE, Flag.RST | Flag.FIN | Flag.ACK, stream.id))
    _expect_nothing_more(s, stream)
    return s.outcome(stream.id)
