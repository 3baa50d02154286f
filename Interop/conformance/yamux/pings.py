"""Section 9: PING."""

from __future__ import annotations

from collections import Counter

from stack.yamux import Flag, Frame, Type, data, ping

from ..case import Level, Section, Violation
from ..session import Session

SECTION: Section[Session] = Section("9", "Ping")
_PING = "Yamux, Type Field: Ping"


def _value(value: int) -> None:
    @SECTION.case(f"PING {value:#x} is answered with its value", _PING)
    def _(s: Session) -> None:
        s.send(ping(value))
        s.expect(lambda: any(pong.length == value for pong in s.pongs), f"a PING with ACK and value {value:#x}")


for _number in (0, 1, 0x01020304, 0xFFFFFFFF):
    _value(_number)


@SECTION.case("the answer has ACK, and not SYN", "Yamux, Flag Field")
def _(s: Session) -> None:
    s.send(ping(42))
    s.expect(lambda: any(pong.length == 42 for pong in s.pongs), "an answer")
    if any(pong.has(Flag.SYN) for pong in s.pongs):
        raise Violation(f"the answer is {s.pongs[0]}")


@SECTION.case("the answer has stream id 0", "Yamux, StreamID Field")
def _(s: Session) -> None:
    s.send(ping(42))
    s.expect(lambda: any(pong.length == 42 for pong in s.pongs), "an answer")
    if any(pong.stream for pong in s.pongs):
        raise Violation(f"the answer is {s.pongs[0]}")


@SECTION.case("10 PINGs in one write are all answered, once each", _PING)
def _(s: Session) -> None:
    s.send(*(ping(1000 + index) for index in range(10)))
    s.expect(lambda: len(s.pongs) >= 10, "10 answers")
    s.settle()
    counts = Counter(pong.length for pong in s.pongs)
    if any(counts[1000 + index] != 1 for index in range(10)):
        raise Violation(f"answers by value: {dict(counts)}")


@SECTION.case("answers come in the order of the questions", f"{_PING}: silent", Level.SHOULD)
def _(s: Session) -> None:
    s.send(*(ping(1000 + index) for index in range(10)))
    s.expect(lambda: len(s.pongs) >= 10, "10 answers")
    values = [pong.length for pong in s.pongs[:10]]
    if values != sorted(values):
        raise Violation(f"the order was {values}")


@SECTION.case("the same value twice is answered twice", _PING)
def _(s: Session) -> None:
    s.send(ping(5), ping(5))
    s.expect(lambda: sum(pong.length == 5 for pong in s.pongs) == 2, "two answers")


@SECTION.case("PING between the frames of a transfer", _PING)
def _(s: Session) -> None:
    stream = s.open()
    for index in range(8):
        s.send(data(stream.id, bytes(10_000)), ping(index))
    s.expect(lambda: len(s.pongs) >= 8 and len(stream.payload) == 80_000, "8 answers and the echo")


@SECTION.case("an answer that nobody asked for is not answered", _PING)
def _(s: Session) -> None:
    s.send(ping(0xABCDEF, Flag.ACK))
    s.settle()
    if any(f.type == Type.PING and f.length == 0xABCDEF for f in s.received):
        raise Violation("an answer was answered")


def _choice(title: str, frame: Frame) -> None:
    @SECTION.case(title, f"{_PING}: silent", Level.CHOICE, survives=False)
    def _(s: Session) -> str:
        s.open()
        s.send(frame)
        s.settle()
        if any(pong.length == frame.length for pong in s.pongs):
            return "answered"
        return s.outcome()


_choice("PING without flags", Frame(Type.PING, 0, 0, 0xAAAA))
_choice("PING with SYN and ACK", Frame(Type.PING, Flag.SYN | Flag.ACK, 0, 0xAAAA))
_choice("PING with FIN", Frame(Type.PING, Flag.FIN, 0, 0xAAAA))
_choice("PING with RST", Frame(Type.PING, Flag.RST, 0, 0xAAAA))
_choice("PING with SYN and undefined flags", Frame(Type.PING, Flag.SYN | 0x100, 0, 0xAAAA))


@SECTION.case("PING with the id of an open stream is no stream's", "Yamux, StreamID Field", survives=False)
def _(s: Session) -> str:
    stream = s.open()
    s.send(Frame(Type.PING, Flag.SYN, stream.id, 0xAAAA))
    s.settle()
    if stream.payload or stream.over:
        raise Violation("it had an effect on the stream")
    return "answered" if any(pong.length == 0xAAAA for pong in s.pongs) else s.outcome(stream.id)


@SECTION.case(
    "an answer with another value than the target's question", f"{_PING}: silent", Level.CHOICE, survives=False
)
def _(s: Session) -> str:
    s.answers_pings = False
    s.open()
    asked = [f for f in s.received if f.type == Type.PING and f.has(Flag.SYN)]
    s.send(ping(asked[0].length ^ 0xFF if asked else 0xFF, Flag.ACK))
    s.settle()
    return s.outcome() if asked else f"the target asked nothing; {s.outcome()}"
