"""Section 8: GO_AWAY, and ends without one."""

from __future__ import annotations

from stack.yamux import HEADER, Flag, Frame, Type, data, go_away

from ..case import Level, Section, Violation
from ..session import Session

SECTION: Section[Session] = Section("8", "Session termination")
_ENDING = "Yamux, Session termination"


def _after(s: Session) -> str:
    """What became of the connection: it may end, or serve those streams that there are."""
    alive = s.barrier()
    if alive:
        return "connection open"
    if s.until(lambda: bool(s.ended)):
        return f"connection ended, GO_AWAY {s.go_aways}"
    raise Violation(f"the connection hangs; {s.summary()}")


@SECTION.case("what becomes of open streams behind our GO_AWAY 0", f"{_ENDING}: silent", Level.CHOICE, survives=None)
def _(s: Session) -> str:
    stream = s.open()
    s.send(go_away(0), data(stream.id, b"still"))
    s.until(lambda: stream.payload == b"still" or stream.over or bool(s.ended))
    return "they go on" if stream.payload == b"still" else f"they end ({_after(s)})"


@SECTION.case("new streams of ours behind our own GO_AWAY", f"{_ENDING}: silent", Level.CHOICE, survives=None)
def _(s: Session) -> str:
    s.open()
    s.send(go_away(0))
    stream = s.start()
    s.send(data(stream.id, b"x"))
    s.until(lambda: stream.payload == b"x" or stream.over or bool(s.ended))
    return "served" if stream.payload == b"x" else f"not served ({_after(s)})"


def _code(code: int) -> None:
    @SECTION.case(f"GO_AWAY with code {code:#x}: the connection ends or works, and never hangs", _ENDING, survives=None)
    def _(s: Session) -> str:
        s.open()
        s.send(go_away(code))
        return _after(s)


for _value in (1, 2, 3, 0xFFFFFFFF):
    _code(_value)


def _odd(title: str, frame: Frame) -> None:
    @SECTION.case(f"{title}: the connection ends or works, and never hangs", f"{_ENDING}: silent", survives=None)
    def _(s: Session) -> str:
        s.open()
        s.send(frame)
        return _after(s)


_odd("GO_AWAY with a stream id", Frame(Type.GO_AWAY, 0, 1, 0))
_odd("GO_AWAY with the id of no stream", Frame(Type.GO_AWAY, 0, 77, 0))
_odd("GO_AWAY with all flags", Frame(Type.GO_AWAY, 15, 0, 0))


@SECTION.case("GO_AWAY twice: the connection ends or works, and never hangs", _ENDING, survives=None)
def _(s: Session) -> str:
    s.open()
    s.send(go_away(0), go_away(1))
    return _after(s)


@SECTION.case("GO_AWAY as the very first frame", _ENDING, survives=None)
def _(s: Session) -> str:
    s.send(go_away(0))
    return _after(s)


def _cut(title: str, raw: bytes) -> None:
    @SECTION.case(
        f"the connection ends {title}: the target ends its side",
        f"{_ENDING}; an end may come at any byte",
        survives=None,
    )
    def _(s: Session) -> str:
        stream = s.open()
        s.send_raw(data(stream.id, b"before").encoded() + raw)
        s.tcp.flush(s.target.timeout)
        s.tcp.finish()
        return s.expect_end("the end of our side")


_cut("without GO_AWAY", b"")
_cut("behind GO_AWAY", go_away(0).encoded())
_cut("within a header", data(1, b"x").encoded()[:5])
_cut("within a body", data(1, b"abcdef").encoded()[: HEADER + 2])
_cut("in place of a body", Frame(Type.DATA, 0, 1, 1000).encoded())


@SECTION.case(
    "the connection breaks off (TCP RST) with a transfer under way: others are served", _ENDING, survives=None
)
def _(s: Session) -> None:
    stream = s.open()
    s.send(data(stream.id, bytes(100_000)))
    s.tcp.abort()
    s.ended = "by ourselves"


@SECTION.case("a session that is ended for a stream's error tells by GO_AWAY", _ENDING, Level.SHOULD, survives=None)
def _(s: Session) -> str:
    stream = s.open()
    s.barrier()  # credit that is under way counts
    s.send(Frame(Type.DATA, 0, stream.id, 0xFFFFFFFF, bytes(stream.credit + 1)))
    s.until(lambda: bool(s.ended) or stream.was_reset)
    if stream.was_reset and not s.ended:
        return "the stream alone was reset"
    if not s.go_aways:
        raise Violation(f"the connection ended without a word; {s.summary()}")
    return f"GO_AWAY {s.go_aways}"


@SECTION.case(
    "behind its own GO_AWAY for an error the target closes the connection", _ENDING, Level.SHOULD, survives=None
)
def _(s: Session) -> str:
    s.open()
    s.send(Frame(9, Flag.SYN, 1, 0))
    return s.expect_end("a frame of unknown type")
