"""Section 13: the target dials, and opens streams to us. Its program is told to send 1 MiB or more through an echo."""

from __future__ import annotations

from typing import Any

from stack.yamux import INITIAL_WINDOW, Flag, Frame, Type, data, go_away, ping, window_update

from ..case import Level, Section, Violation
from ..dialled import Dialled, Service
from ..session import Session, Stream

SECTION: Section[Dialled] = Section("13", "As the dialer")
_OPENING = "Yamux, Opening a stream"
_IDS = "Yamux, StreamID Field"


def _served(d: Dialled, **how: Any) -> Stream:
    """The target's echo stream, served as `Service` is told to."""
    service = Service(d.session, **how)
    service.begin()
    return service.await_echo()


def _half_way(d: Dialled) -> Stream:
    """The target's echo stream in its middle: some of it has come, and nothing goes back."""
    stream = _served(d, echoes=False)
    d.session.expect(lambda: len(stream.received) > 100_000, "some data")
    return stream


def _first_syn(d: Dialled) -> Frame:
    s = d.session
    s.expect(lambda: any(f.type in (Type.DATA, Type.WINDOW_UPDATE) for f in s.received), "a stream of the target's", 30)
    return next(f for f in s.received if f.type in (Type.DATA, Type.WINDOW_UPDATE))


@SECTION.case("it opens its stream by a frame with SYN", _OPENING)
def _(d: Dialled) -> None:
    frame = _first_syn(d)
    if not frame.has(Flag.SYN) or frame.has(Flag.ACK):
        raise Violation(f"its first frame was {frame}")


@SECTION.case("its streams have odd ids", _IDS)
def _(d: Dialled) -> None:
    if _first_syn(d).stream % 2 == 0:
        raise Violation(f"it opens stream {_first_syn(d).stream}")


@SECTION.case("its echo passes when we keep to the rules", _OPENING)
def _(d: Dialled) -> None:
    _served(d)
    d.session.until(lambda: bool(d.session.ended), 30)
    if status := d.status(30):
        raise Violation(f"its program ended with status {status}")


@SECTION.case("streams that are never acknowledged, but served", f"{_OPENING}: ACK is due", Level.CHOICE)
def _(d: Dialled) -> str:
    _served(d, acknowledges=False)
    d.session.until(lambda: bool(d.session.ended), 10)
    return "it goes on" if d.session.ended else "it waits"


@SECTION.case("a stream that is refused with RST is told as a failure", f"{_OPENING}: 'a RST was received'")
def _(d: Dialled) -> str:
    d.session.until(lambda: bool(d.session.ended), 3)  # each stream is refused as it comes
    return d.expect_failure("refused streams")


@SECTION.case("it sends 256 KiB and no more without credit", "Yamux, Flow Control")
def _(d: Dialled) -> str:
    stream = _served(d, credits=False, echoes=False)
    d.session.expect(lambda: len(stream.received) >= INITIAL_WINDOW, "the whole initial window")
    d.session.settle()
    if len(stream.received) > INITIAL_WINDOW:
        raise Violation(f"{len(stream.received)} bytes came on a window of {INITIAL_WINDOW}")
    return f"{len(stream.received)} bytes"


@SECTION.case("a larger window given with the ACK is used", "Yamux, Flow Control")
def _(d: Dialled) -> None:
    stream = _served(d, credits=False, echoes=False, extra=INITIAL_WINDOW)
    d.session.expect(lambda: len(stream.received) >= INITIAL_WINDOW * 2, "two initial windows")


@SECTION.case("a stream that we reset in the middle is told as a failure", "Yamux, Flag Field: RST")
def _(d: Dialled) -> str:
    d.session.send(data(_half_way(d).id, flags=Flag.RST))
    d.session.until(lambda: bool(d.session.ended))
    return d.expect_failure("a reset")


@SECTION.case("a FIN of ours before the echo is whole is told as a failure", "Yamux, Closing a stream")
def _(d: Dialled) -> str:
    d.session.send(data(_half_way(d).id, flags=Flag.FIN))
    d.session.until(lambda: bool(d.session.ended))
    return d.expect_failure("an echo that is cut short")


@SECTION.case("an end of the connection without a word is told as a failure", "Noise has no close of its own")
def _(d: Dialled) -> str:
    _half_way(d)
    d.session.tcp.close()
    return d.expect_failure("a connection that has gone")


@SECTION.case("GO_AWAY as our first frame", "Yamux, Session termination: silent", Level.CHOICE)
def _(d: Dialled) -> str:
    d.session.send(go_away(0))
    d.session.until(lambda: bool(d.session.ended))
    return "it ends the connection" if d.session.ended else "it keeps the connection"


@SECTION.case("PING is answered", "Yamux, Type Field: Ping")
def _(d: Dialled) -> None:
    Service(d.session, echoes=False).begin()
    if not d.session.barrier():
        raise Violation(f"no answer; {d.session.summary()}")


@SECTION.case("more data than its window is refused on its own stream", "Yamux, Flow Control")
def _(d: Dialled) -> str:
    stream = _served(d, echoes=False)
    d.session.barrier()  # credit that is under way counts
    d.session.send(Frame(Type.DATA, 0, stream.id, 1 << 30, bytes(stream.credit + 1)))
    return d.session.expect_refusal(stream.id, "a frame of 1 GiB")


@SECTION.case("a SYN of ours with an odd id is refused", _IDS, Level.SHOULD)
def _(d: Dialled) -> str:
    Service(d.session, echoes=False).begin()
    wrong = d.session.track(0x7FFFFFF1)
    d.session.send(data(wrong.id, d.session.target.preface, Flag.SYN))
    d.session.settle()
    if wrong.received:
        raise Violation("it was served")
    return d.session.expect_refusal(wrong.id, "a SYN of the wrong parity")


@SECTION.case("a SYN of ours with an even id is acknowledged or refused", _OPENING)
def _(d: Dialled) -> str:
    Service(d.session, echoes=False).begin()
    stream = _try(d.session)
    return "acknowledged" if stream else "refused"


def _try(s: Session) -> bool:
    stream = s.track(s.new_id())
    s.send(window_update(stream.id, 0, Flag.SYN), data(stream.id, s.target.preface, Flag.FIN))
    s.expect(lambda: stream.acknowledged or stream.over or bool(s.ended), "ACK or RST")
    if s.ended:
        raise Violation(f"the connection ended; {s.summary()}")
    return stream.acknowledged


@SECTION.case("a frame of unknown type ends the session", "Yamux, Type Field", Level.SHOULD)
def _(d: Dialled) -> str:
    d.session.send(Frame(17, Flag.SYN, 2, 0), ping(1))
    return d.session.expect_end("a frame of type 17")
