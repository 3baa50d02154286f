"""Section 5: windows, in both directions."""

from __future__ import annotations

import random

from stack.yamux import INITIAL_WINDOW, Flag, Frame, Type, data, window_update

from ..case import Level, Section, Violation
from ..session import CHUNK, Session, Stream

SECTION: Section[Session] = Section("5", "Windows")
_FLOW = "Yamux, Flow Control"
#: More than any sound implementation takes in for a stream that nobody reads.
_UNBOUNDED = 48 << 20


@SECTION.case("1 MiB passes through an echo: credit comes as data is taken", _FLOW)
def _(s: Session) -> None:
    s.echo(s.open(), random.randbytes(1 << 20))


@SECTION.case("without credit the target sends no more than 256 KiB", _FLOW)
def _(s: Session) -> None:
    stream = s.stall()
    s.settle()
    if len(stream.received) > INITIAL_WINDOW:
        raise Violation(f"{len(stream.received)} bytes came on a window of {INITIAL_WINDOW}")


@SECTION.case("the first 256 KiB come without any credit", _FLOW)
def _(s: Session) -> None:
    stream = s.stall()
    s.expect(lambda: len(stream.received) >= INITIAL_WINDOW, f"{INITIAL_WINDOW} bytes, the initial window")


@SECTION.case("credit lets what waited go on, in order", _FLOW)
def _(s: Session) -> None:
    stream = s.open(credits=False)
    body = random.randbytes(INITIAL_WINDOW)
    extra = random.randbytes(1 << 12)
    sent = body[: INITIAL_WINDOW - len(stream.preface)]
    s.send(*_frames(stream, sent))
    s.expect(lambda: stream.credit >= len(extra), "credit for what was taken")
    s.send(data(stream.id, extra))
    s.expect(lambda: len(stream.received) >= INITIAL_WINDOW, "a full window")
    s.send(window_update(stream.id, len(extra)))
    expected = sent + extra
    s.expect(lambda: len(stream.payload) >= len(expected), "what waited for credit")
    if stream.payload != expected:
        raise Violation("what waited for credit came back changed")


def _frames(stream: Stream, body: bytes) -> list[Frame]:
    return [data(stream.id, body[start : start + CHUNK]) for start in range(0, len(body), CHUNK)]


@SECTION.case("credit of one byte lets one byte go", _FLOW)
def _(s: Session) -> None:
    stream = s.stall()
    before = len(stream.received)
    s.send(window_update(stream.id, 1))
    s.expect(lambda: len(stream.received) > before, "the one byte")
    s.settle()
    if len(stream.received) != before + 1:
        raise Violation(f"{len(stream.received) - before} bytes came for a credit of 1")


@SECTION.case("credits add up", _FLOW)
def _(s: Session) -> None:
    stream = s.stall()
    before = len(stream.received)
    s.send(window_update(stream.id, 100), window_update(stream.id, 23))
    s.expect(lambda: len(stream.received) >= before + 123, "123 bytes for credits of 100 and 23")
    s.settle()
    if len(stream.received) != before + 123:
        raise Violation(f"{len(stream.received) - before} bytes came for credits of 100 and 23")


@SECTION.case("a stalled stream does not hold up another", _FLOW)
def _(s: Session) -> None:
    s.stall()
    s.echo(s.open(), random.randbytes(1 << 16))


@SECTION.case("a PING is answered while a stream is stalled", "Yamux, Type Field: Ping")
def _(s: Session) -> None:
    s.stall()
    if not s.barrier():
        raise Violation(f"no answer to PING; {s.summary()}")


@SECTION.case("credit for one stream is not another's", _FLOW)
def _(s: Session) -> None:
    one, two = s.stall(), s.open(credits=False)
    before = len(one.received)
    s.send(window_update(two.id, 1 << 16))
    s.settle()
    if len(one.received) != before:
        raise Violation("credit for another stream was used")


@SECTION.case("data on one stream does not use up another's window", _FLOW)
def _(s: Session) -> None:
    one, two = s.open(), s.open(credits=False)
    s.echo(one, bytes(INITIAL_WINDOW * 2))
    body = bytes(INITIAL_WINDOW - len(two.preface))
    s.echo(two, body)


@SECTION.case("a window is filled by 1024 small frames to its last byte", _FLOW)
def _(s: Session) -> None:
    stream = s.open()
    body = random.randbytes(stream.credit)
    size = len(body) // 1023
    s.send(*(data(stream.id, body[start : start + size]) for start in range(0, len(body), size)))
    s.expect(lambda: len(stream.payload) == len(body), "the echo of a full window")
    if stream.payload != body:
        raise Violation("the echo differs")


@SECTION.case("credit comes before the window is used up for good", "Yamux, Flow Control: 'to prevent … stalling'")
def _(s: Session) -> None:
    stream = s.open()
    s.send(*_frames(stream, bytes(stream.credit)))
    s.expect(lambda: stream.credit > 0, "credit for a window that was used up and echoed")


@SECTION.case(
    "a frame one byte larger than the window is refused, with the SYN",
    "Yamux, Flow Control; CVE-2026-32314",
    survives=False,
)
def _(s: Session) -> str:
    stream = s.track(s.new_id())
    s.send(data(stream.id, s.target.preface.ljust(INITIAL_WINDOW + 1, b"x"), Flag.SYN))
    return s.expect_refusal(stream.id, "one byte more than the window")


def _exhaust(s: Session, known: Stream | None = None) -> Stream:
    """A stream on which the target has no window left for us, as far as can be seen, and its echo is stuck."""
    stream = known or s.open(credits=False)
    while s.until(lambda: stream.credit > 0 or stream.over, 0.4) and not stream.over:
        granted = sum(frame.length for frame in stream.frames if frame.type == Type.WINDOW_UPDATE)
        if granted > _UNBOUNDED:
            raise Violation(f"{granted} bytes were taken in on a stream whose echo nobody reads: no back-pressure")
        s.send(*_frames(stream, bytes(stream.credit)))
        s.barrier()
    return stream


@SECTION.case("a stream that is not read is not credited without end", _FLOW)
def _(s: Session) -> str:
    stream = _exhaust(s)
    granted = sum(frame.length for frame in stream.frames if frame.type == Type.WINDOW_UPDATE)
    return f"{granted + INITIAL_WINDOW} bytes were taken in, {len(stream.received)} of them echoed"


def _beyond(s: Session, most: int) -> str:
    """Sends up to `most` bytes beyond a window that is used up, until they are refused."""
    stream = _exhaust(s)
    while True:
        count = min(CHUNK, most + stream.credit)
        if count <= 0:
            return s.expect_refusal(stream.id, f"{most} bytes beyond the window")
        s.send(data(stream.id, bytes(count)))
        s.barrier()
        if stream.was_reset or s.ended or s.go_aways:
            return s.expect_refusal(stream.id, "data beyond the window")
        if stream.credit > 0:  # it was slow to come, and makes what was sent rightful
            _exhaust(s, stream)


@SECTION.case("1 MiB beyond a window that is used up is refused", "Yamux, Flow Control", survives=False)
def _(s: Session) -> str:
    return _beyond(s, 1 << 20)


@SECTION.case(
    "one byte beyond a window that is used up is refused", "Yamux, Flow Control", Level.SHOULD, survives=False
)
def _(s: Session) -> str:
    return _beyond(s, 1)


@SECTION.case("FIN needs no window", "Yamux, Flow Control: 'bytes sent in Data frames only'")
def _(s: Session) -> None:
    stream = _exhaust(s)
    s.send(data(stream.id, flags=Flag.FIN), window_update(stream.id, _UNBOUNDED))
    s.expect(lambda: stream.over, "the end of the echo", s.target.timeout * 2)
    if stream.was_reset:
        raise Violation("the stream was reset")


def _overflow(title: str, opens: bool, deltas: tuple[int, ...]) -> None:
    @SECTION.case(title, "CVE-2026-31814", survives=False)
    def _(s: Session) -> str:
        if opens:
            stream = s.track(s.new_id())
            s.send(window_update(stream.id, deltas[0], Flag.SYN), data(stream.id, s.target.preface))
        else:
            stream = s.open()
            s.send(*(window_update(stream.id, delta) for delta in deltas))
        s.settle()
        if not (s.ended or stream.over or s.go_aways):
            # Taken for good: then the stream works on, and no sum has wrapped to nothing.
            s.echo(stream, b"x" * 5000)
            return "the window is held at its most"
        return s.outcome(stream.id)


_overflow("a delta of 2^32 - 1 on an open stream overflows no window", False, (0xFFFFFFFF,))
_overflow("a delta of 2^32 - 1 with the SYN overflows no window", True, (0xFFFFFFFF,))
_overflow("deltas whose sum is 2^32 wrap no window", False, (0x40000000,) * 4)
_overflow("deltas that would wrap the window to exactly 0", False, (0xFFFFFFFF, 1 - INITIAL_WINDOW + (1 << 32)))


@SECTION.case("8 streams move 512 KiB each both ways at the same time", "rust-libp2p issue 5410")
def _(s: Session) -> None:
    streams = [s.open() for _ in range(8)]
    total, sent = 1 << 19, dict.fromkeys(range(8), 0)
    block = random.randbytes(CHUNK)

    def push() -> bool:
        for index, stream in enumerate(streams):
            while sent[index] < total and stream.credit >= CHUNK:
                s.send(data(stream.id, block))
                sent[index] += CHUNK
        return all(len(stream.received) - len(stream.preface) >= total for stream in streams)

    s.expect(push, "all echoes", s.target.timeout * 3)
    if any(stream.payload != block * (total // CHUNK) for stream in streams):
        raise Violation("an echo differs")


@SECTION.case("a reader that credits 4 KiB at a time gets everything", _FLOW)
def _(s: Session) -> None:
    stream = s.stall(INITIAL_WINDOW + (1 << 16))
    for _ in range(16):
        before = len(stream.received)
        s.send(window_update(stream.id, 1 << 12))
        s.expect(lambda before=before: len(stream.received) == before + (1 << 12), "4 KiB for a credit of 4 KiB")


@SECTION.case("credit for a stream that has ended is ignored", "Yamux, Closing a stream: it may have been under way")
def _(s: Session) -> None:
    stream = s.open()
    s.send(data(stream.id, flags=Flag.FIN))
    s.expect(lambda: stream.over, "the end of the echo")
    s.send(window_update(stream.id, 1 << 12))


@SECTION.case("how far the receive window grows", "Yamux, Flow Control: 'can be configured'", Level.CHOICE)
def _(s: Session) -> str:
    stream = s.open()
    most = 0
    for _ in range(16):
        s.echo(stream, bytes(1 << 18))
        s.barrier()
        most = max(most, stream.credit)
    return f"{most} bytes behind 4 MiB"
