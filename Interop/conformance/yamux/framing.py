"""Section 1: headers, and how they meet the edges of writes and records."""

from __future__ import annotations

from stack.yamux import HEADER, INITIAL_WINDOW, Flag, Frame, Type, data, go_away, ping, window_update

from ..case import Level, Section, Violation
from ..session import Session, Stream

SECTION: Section[Session] = Section("1", "Framing")
_FRAMING = "Yamux, Framing"


@SECTION.case("a stream opened by WINDOW_UPDATE with SYN echoes", "Yamux, Opening a stream")
def _(s: Session) -> None:
    s.echo(s.open(), b"well-formed")


@SECTION.case("a stream opened by DATA with SYN and a body echoes", "Yamux, Opening a stream")
def _(s: Session) -> None:
    stream = s.track(s.new_id())
    s.send(data(stream.id, s.target.preface + b"first", Flag.SYN))
    s.expect(lambda: stream.payload == b"first", "the echo of a body that came with the SYN")


@SECTION.case("a stream is served whose every byte comes alone", _FRAMING)
def _(s: Session) -> None:
    stream = s.track(s.new_id())
    s.bytewise(window_update(stream.id, 0, Flag.SYN), data(stream.id, s.target.preface + b"bytewise"))
    s.expect(lambda: stream.payload == b"bytewise", "the echo of what came byte by byte")


def _cut(offset: int) -> None:
    @SECTION.case(f"a header cut after {offset} of its {HEADER} bytes is put together", _FRAMING)
    def _(s: Session) -> None:
        stream = s.open()
        raw = data(stream.id, b"cut").encoded()
        s.send_raw(raw[:offset])
        # Its other half comes only when the first has been taken from the socket, as far as that can be told.
        s.tcp.flush(s.target.timeout)
        s.send_raw(raw[offset:])
        s.expect(lambda: stream.payload == b"cut", "the echo")


for _offset in (1, 2, 4, 8, 11):
    _cut(_offset)


@SECTION.case("a body cut in the middle is put together, with the next header behind it", _FRAMING)
def _(s: Session) -> None:
    stream = s.open()
    raw = data(stream.id, b"abcdef").encoded() + data(stream.id, b"ghi").encoded()
    s.send_raw(raw[: HEADER + 3])
    s.tcp.flush(s.target.timeout)
    s.send_raw(raw[HEADER + 3 :])
    s.expect(lambda: stream.payload == b"abcdefghi", "the echo of both frames")


@SECTION.case("100 frames in one write are all taken", _FRAMING)
def _(s: Session) -> None:
    stream = s.open()
    s.send(*(data(stream.id, bytes([index])) for index in range(100)))
    s.expect(lambda: stream.payload == bytes(range(100)), "the echo of 100 frames")


@SECTION.case("the length is read in network order", _FRAMING)
def _(s: Session) -> None:
    s.echo(s.open(), bytes(0x0102))


@SECTION.case("a frame of exactly the initial window is taken, with the SYN", "Yamux, Flow Control")
def _(s: Session) -> None:
    stream = s.track(s.new_id())
    body = s.target.preface.ljust(INITIAL_WINDOW, b"x")
    s.send(data(stream.id, body, Flag.SYN))
    s.expect(lambda: len(stream.received) == len(body), "the echo of the whole window")
    if stream.payload != body[len(s.target.preface) :]:
        raise Violation("the echo differs from what was sent")


@SECTION.case("DATA without a body and without flags changes nothing", "Yamux, Type Field")
def _(s: Session) -> None:
    stream = s.open()
    s.send(data(stream.id), data(stream.id))
    s.echo(stream, b"behind empty frames")


@SECTION.case("DATA without a body opens a stream by its SYN", "Yamux, Type Field")
def _(s: Session) -> None:
    stream = s.track(s.new_id())
    s.send(data(stream.id, flags=Flag.SYN), data(stream.id, s.target.preface + b"x"))
    s.expect(lambda: stream.payload == b"x", "the echo")


@SECTION.case("WINDOW_UPDATE with a delta of 0 changes nothing", "Yamux, Length Field")
def _(s: Session) -> None:
    stream = s.open()
    s.send(window_update(stream.id, 0), window_update(stream.id, 0))
    s.echo(stream, b"behind empty updates")


def _wrong_version(version: int, name: str, make: Frame) -> None:
    frame = Frame(make.type, make.flags, make.stream, make.length, make.body, version)

    @SECTION.case(f"{name} of version {version} ends the session", "Yamux, Version Field", Level.SHOULD, survives=False)
    def _(s: Session) -> str:
        s.open()
        s.send(frame)
        return s.expect_end(f"a frame of version {version}")


_wrong_version(1, "DATA", data(1, b"x"))
_wrong_version(1, "WINDOW_UPDATE", window_update(1, 1))
_wrong_version(255, "PING", ping(7))
_wrong_version(1, "GO_AWAY", go_away())


def _no_effect_of_version(s: Session) -> None:
    stream = s.open()
    s.send(Frame(Type.DATA, 0, stream.id, 5, b"wrong", 1))
    s.settle()
    if stream.payload:
        raise Violation(f"a frame of version 1 was taken for one of version 0: {stream.payload!r} came back")


SECTION.add(
    "DATA of version 1 is not delivered as if it were of version 0",
    "Yamux, Version Field",
    Level.MUST,
    _no_effect_of_version,
    survives=False,
)


def _unknown_type(kind: int, flags: int) -> None:
    title = f"type {kind}{' with SYN' if flags else ''} ends the session: nobody knows what its length means"

    @SECTION.case(title, "Yamux, Type Field", Level.SHOULD, survives=False)
    def _(s: Session) -> str:
        stream = s.open()
        s.send(Frame(kind, flags, stream.id, 0))
        return s.expect_end(f"a frame of type {kind}")


_unknown_type(4, 0)
_unknown_type(4, Flag.SYN)
_unknown_type(255, 0)


@SECTION.case(
    "a session that ends for a protocol error says GO_AWAY 1 first",
    "Yamux, Session termination",
    Level.SHOULD,
    survives=False,
)
def _(s: Session) -> str:
    s.open()
    s.send(Frame(Type.PING, Flag.SYN, 0, 1, b"", 3))
    seen = s.expect_end("a frame of version 3")
    if s.go_aways != [1]:
        raise Violation(seen)
    return seen


def _unknown_flags(where: str, bits: int, opens: bool) -> None:
    @SECTION.case(f"undefined flags {bits:#06x} on {where}", "Yamux, Flag Field: silent", Level.CHOICE, survives=False)
    def _(s: Session) -> str:
        if opens:
            stream = s.track(s.new_id())
            s.send(data(stream.id, s.target.preface + b"x", Flag.SYN | bits))
        else:
            stream = s.open()
            s.send(data(stream.id, b"x", bits))
        s.settle()
        return _became(s, stream)


def _became(s: Session, stream: Stream) -> str:
    if s.ended or stream.was_reset:
        return s.outcome(stream.id)
    return "bits ignored, data delivered" if stream.payload == b"x" else "frame ignored"


_unknown_flags("DATA", 0x0010, opens=False)
_unknown_flags("DATA", 0xFFF0, opens=False)
_unknown_flags("a SYN", 0x8000, opens=True)


@SECTION.case(
    "a frame of 4 GiB - 1 on an open stream is refused when more than the window has come",
    "CVE-2026-32314",
    survives=False,
)
def _(s: Session) -> str:
    stream = s.open()
    s.barrier()  # credit that is under way counts
    s.send(Frame(Type.DATA, 0, stream.id, 0xFFFFFFFF, bytes(stream.credit + 1)))
    return s.expect_refusal(stream.id, "a frame of 4 GiB - 1")


@SECTION.case(
    "a frame of 1 MiB on a new stream is refused when more than the window has come", "CVE-2026-32314", survives=False
)
def _(s: Session) -> str:
    stream = s.track(s.new_id())
    s.send(Frame(Type.DATA, Flag.SYN, stream.id, 1 << 20, s.target.preface.ljust(INITIAL_WINDOW + 1, b"x")))
    return s.expect_refusal(stream.id, "a frame of 1 MiB on a new stream")


def _foreign(name: str, raw: bytes) -> None:
    @SECTION.case(f"{name} in place of frames ends the session", "Yamux, Version Field", Level.SHOULD, survives=False)
    def _(s: Session) -> str:
        s.send_garbage(raw)
        return s.expect_end(name)


_foreign("an HTTP request", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
_foreign("a TLS hello", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(32))
