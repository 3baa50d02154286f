"""Section 2: stream ids."""

from __future__ import annotations

from stack.yamux import Flag, Frame, Type, data, window_update

from ..case import Level, Section, Violation
from ..session import Session, Stream

SECTION: Section[Session] = Section("2", "Stream ids")
_IDS = "Yamux, StreamID Field"


def _open_at(s: Session, stream: int, flags: int = Flag.SYN, body: bytes = b"x") -> Stream:
    known = s.track(stream)
    s.send(data(stream, s.target.preface + body, flags))
    return known


def _ours(s: Session, low: int) -> int:
    """An odd number for the client, an even one for the server."""
    return low if s.is_dialer else low + 1


@SECTION.case("ids may skip: 1, 5, 101", _IDS)
def _(s: Session) -> None:
    for low in (1, 5, 101):
        stream = _open_at(s, _ours(s, low))
        s.expect(lambda stream=stream: stream.payload == b"x", f"the echo on stream {stream.id}")
    s._next_id = _ours(s, 103)


@SECTION.case(
    "an id below one that was used already opens a stream",
    f"{_IDS}: only 'a new StreamID'",
    Level.CHOICE,
    survives=False,
)
def _(s: Session) -> str:
    high = _open_at(s, _ours(s, 101))
    s.expect(lambda: high.payload == b"x", "the echo on stream 101")
    s._next_id = _ours(s, 103)
    low = _open_at(s, _ours(s, 3))
    s.until(lambda: low.payload == b"x" or low.over or bool(s.ended))
    return "served" if low.payload == b"x" else s.outcome(low.id)


@SECTION.case("the highest id works; no further stream can follow", _IDS, survives=None)
def _(s: Session) -> None:
    stream = _open_at(s, 0xFFFFFFFF if s.is_dialer else 0xFFFFFFFE)
    s.expect(lambda: stream.payload == b"x", "the echo on the highest id")
    s.echo(stream, b"and more")


@SECTION.case("a SYN whose id has the receiver's parity is refused", _IDS, Level.SHOULD, survives=False)
def _(s: Session) -> str:
    # Far above those that the target may open itself.
    stream = _open_at(s, 0x7FFFFFF0 if s.is_dialer else 0x7FFFFFF1)
    s.settle()
    if stream.payload:
        raise Violation(f"stream {stream.id} was served")
    return s.expect_refusal(stream.id, "a SYN of the wrong parity")


def _zero(title: str, frame: Frame, demand: str) -> None:
    @SECTION.case(title, _IDS, survives=False)
    def _(s: Session) -> str:
        stream = s.track(0)
        s.send(frame, data(0, s.target.preface + b"x"))
        s.settle()
        if stream.received:
            raise Violation(f"stream 0 {demand}: {bytes(stream.received)!r} came back")
        return s.outcome(0)


_zero("DATA with SYN opens no stream 0", data(0, b"", Flag.SYN), "was opened")
_zero("WINDOW_UPDATE with SYN opens no stream 0", window_update(0, 0, Flag.SYN), "was opened")
_zero("DATA on stream 0 is no stream's", data(0), "delivered data")


def _zero_choice(name: str, frame: Frame) -> None:
    @SECTION.case(f"{name} on stream 0", f"{_IDS}: silent", Level.CHOICE, survives=False)
    def _(s: Session) -> str:
        s.send(frame)
        s.settle()
        return s.outcome(0)


_zero_choice("WINDOW_UPDATE", window_update(0, 1000))
_zero_choice("FIN", data(0, flags=Flag.FIN))
_zero_choice("RST", data(0, flags=Flag.RST))


def _second_syn(name: str, by_data: bool) -> None:
    @SECTION.case(f"a second SYN ({name}) on an open stream opens nothing", f"{_IDS}: 'a new StreamID'", survives=False)
    def _(s: Session) -> str:
        stream = s.open()
        s.echo(stream, b"first")
        again = data(stream.id, s.target.preface, Flag.SYN) if by_data else window_update(stream.id, 0, Flag.SYN)
        s.send(again)
        s.settle()
        if sum(frame.has(Flag.ACK) for frame in stream.frames) > 1:
            raise Violation("the second SYN was acknowledged")
        echoed = stream.payload[len(b"first") :]
        if by_data and echoed and echoed == s.target.preface:
            return "SYN ignored, data delivered"
        return s.outcome(stream.id)


_second_syn("DATA", True)
_second_syn("WINDOW_UPDATE", False)


def _reuse(name: str, end: Frame, waits: bool) -> None:
    @SECTION.case(
        f"the id of a stream that {name} is used again", f"{_IDS}: 'a new StreamID'", Level.CHOICE, survives=False
    )
    def _(s: Session) -> str:
        stream = s.open()
        s.send(Frame(end.type, end.flags, stream.id))
        if waits:
            s.expect(lambda: stream.over, "the end of the echo")
        s.barrier()
        again = _open_at(s, stream.id)
        s.until(lambda: again.payload == b"x" or again.over or bool(s.ended), 1.0)
        return "served" if again.payload == b"x" else s.outcome(again.id)


_reuse("both sides have closed", data(0, flags=Flag.FIN), True)
_reuse("was reset", data(0, flags=Flag.RST), False)


def _unknown(name: str, frame: Frame) -> None:
    @SECTION.case(f"{name} for a stream that was never opened opens none", "Yamux, Opening a stream", survives=False)
    def _(s: Session) -> str:
        stream = s.track(_ours(s, 9))
        body = s.target.preface + b"x" if frame.type == Type.DATA and not frame.flags else b""
        s.send(Frame(frame.type, frame.flags, stream.id, len(body) or frame.length, body))
        s.settle()
        if stream.received or any(f.has(Flag.ACK) for f in stream.frames):
            raise Violation(f"it was served: {stream.frames[0]}")
        s._next_id = _ours(s, 11)
        return s.outcome(stream.id)


_unknown("DATA", data(0))
_unknown("WINDOW_UPDATE", window_update(0, 1000))
_unknown("FIN", data(0, flags=Flag.FIN))
_unknown("RST", data(0, flags=Flag.RST))
_unknown("ACK", window_update(0, 0, Flag.ACK))


@SECTION.case(
    "ACK for a stream of the target's that it has not opened", "Yamux, Flag Field: silent", Level.CHOICE, survives=False
)
def _(s: Session) -> str:
    stream = 0x7FFFFFFE if s.is_dialer else 0x7FFFFFFD
    s.send(window_update(stream, 0, Flag.ACK))
    s.settle()
    return s.outcome(stream)


@SECTION.case("two streams whose frames are mixed each get their own", _IDS)
def _(s: Session) -> None:
    one, two = s.open(), s.open()
    for index in range(50):
        s.send(data(one.id, bytes([index])), data(two.id, bytes([100 + index])))
    s.expect(lambda: len(one.payload) == len(two.payload) == 50, "both echoes")
    if one.payload != bytes(range(50)) or two.payload != bytes(range(100, 150)):
        raise Violation("bytes of one stream came back on the other")


@SECTION.case("50 streams that are open at once all echo", _IDS)
def _(s: Session) -> None:
    streams = [s.start() for _ in range(50)]
    for stream in streams:
        s.send(data(stream.id, stream.id.to_bytes(4, "big")))
    s.expect(lambda: all(len(stream.payload) == 4 for stream in streams), "50 echoes")
    if any(int.from_bytes(stream.payload, "big") != stream.id for stream in streams):
        raise Violation("bytes of one stream came back on another")
