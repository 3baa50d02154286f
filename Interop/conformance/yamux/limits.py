"""Section 10: many streams at once."""

from __future__ import annotations

from stack.yamux import INITIAL_WINDOW, Flag, data, window_update

from ..case import Level, Section, Violation
from ..session import Session, Stream

SECTION: Section[Session] = Section("10", "Limits")
_BACKLOG = "Yamux, ACK backlog"


def _many(s: Session, count: int) -> list[Stream]:
    streams = []
    for _ in range(count):
        streams.append(s.track(s.new_id()))
        s.send(window_update(streams[-1].id, 0, Flag.SYN))
    return streams


def _answered(streams: list[Stream]) -> bool:
    return all(stream.acknowledged or stream.over for stream in streams)


@SECTION.case("100 streams are open at once and all echo", _BACKLOG)
def _(s: Session) -> None:
    streams = [s.start() for _ in range(100)]
    for stream in streams:
        s.send(data(stream.id, b"hello"))
    s.expect(lambda: all(stream.payload == b"hello" for stream in streams), "100 echoes")


@SECTION.case(
    "how many streams may be open at once, of 1000", f"{_BACKLOG}: an implementation's own", Level.CHOICE, survives=None
)
def _(s: Session) -> str:
    streams = [s.start() for _ in range(1000)]
    for stream in streams:
        s.send(data(stream.id, b"x"))
    s.until_quiet(lambda: bool(s.ended) or all(stream.payload == b"x" or stream.over for stream in streams))
    served = sum(stream.payload == b"x" for stream in streams)
    refused = sum(stream.was_reset for stream in streams)
    return f"{served} served, {refused} reset, " + s.check_not_stuck_when_full()


@SECTION.case(
    "1000 streams on which nothing is said: each is accepted or refused, or waits in a bounded number",
    _BACKLOG,
    survives=None,
)
def _(s: Session) -> str:
    streams = _many(s, 1000)
    s.until(lambda: bool(s.ended) or _answered(streams), 1.0)
    accepted = sum(stream.acknowledged and not stream.over for stream in streams)
    refused = sum(stream.was_reset for stream in streams)
    return f"{accepted} accepted, {refused} reset, {s.check_not_stuck_when_full()}"


@SECTION.case("streams that are refused don't hurt those that are served", "Yamux, Opening a stream", survives=None)
def _(s: Session) -> str:
    first = s.open()
    streams = _many(s, 600)
    s.until(lambda: bool(s.ended) or _answered(streams), 1.0)
    if s.until(lambda: bool(s.ended), 0) or s.go_aways:
        return s.outcome()
    if first.was_reset:
        raise Violation("a stream that was served was reset in favour of others")
    s.echo(first, b"still here")
    return f"{sum(stream.was_reset for stream in streams)} of 600 were refused"


@SECTION.case("streams that are closed make room for new ones", "Yamux, Closing a stream", survives=None)
def _(s: Session) -> str:
    streams = [s.start() for _ in range(600)]
    for stream in streams:
        s.send(data(stream.id, b"x", Flag.FIN))
    s.until_quiet(lambda: bool(s.ended) or all(stream.over for stream in streams))
    if s.ended or s.go_aways:
        return s.outcome()
    if not all(stream.over for stream in streams):
        raise Violation(f"{sum(not stream.over for stream in streams)} of 600 streams were never ended")
    s.check_in_service()
    return f"{sum(stream.was_reset for stream in streams)} of 600 were refused, the rest served"


@SECTION.case(
    "32 streams each hold a full window that nobody reads: a new one is served", "CVE-2022-23492", survives=None
)
def _(s: Session) -> str:
    streams = [s.open(credits=False) for _ in range(32)]
    for stream in streams:
        s.send(*(data(stream.id, bytes(1 << 14)) for _ in range(min(stream.credit, INITIAL_WINDOW) >> 14)))
    s.until_quiet(lambda: bool(s.ended) or all(len(t.received) > INITIAL_WINDOW - (1 << 15) or t.over for t in streams))
    refused = sum(stream.was_reset for stream in streams)
    return f"{refused} of 32 reset, {s.check_not_stuck()}"
