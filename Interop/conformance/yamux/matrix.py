"""Section 4: every combination of flags, with lengths at the edges, on a new id and on an open stream (CVE-2026-32314).

What a combination means follows from the specification where it does; where it doesn't, one thing is demanded all the
same: the connection is in service afterwards, or ends. It never hangs, and the target never dies.
"""

from __future__ import annotations

from stack.yamux import INITIAL_WINDOW, Flag, Frame, Type

from ..case import Level, Section, Violation
from ..session import SETTLE, Session

SECTION: Section[Session] = Section("4", "Flags and lengths")
_SOURCE = "Yamux, Flag Field; CVE-2026-32314"
_LENGTHS = (0, 1, INITIAL_WINDOW, INITIAL_WINDOW + 1, 0xFFFFFFFF)


def _name(flags: int) -> str:
    return "|".join(flag.name or "" for flag in Flag if flag and flags & flag) or "no flags"


def _judge(s: Session, stream: int, frame: Frame, is_open: bool, limit: int) -> None:
    """What the specification says of this combination, as far as it says something."""
    known = s.streams[stream]
    begins = frame.has(Flag.SYN)
    if frame.type == Type.DATA and frame.length > limit and (begins != is_open) and not frame.has(Flag.RST):
        s.expect_refusal(stream, f"{frame.length} bytes in a window of {limit}")
    if len(frame.body) < frame.length and frame.type == Type.DATA:
        s.until(lambda: bool(s.ended), SETTLE)  # a PING would be taken for the rest of the body
    else:
        s.settle()
    if frame.has(Flag.RST) and begins and not is_open and (known.received or known.acknowledged):
        raise Violation("a stream that was reset as it was opened is served")
    if not begins and not is_open and known.acknowledged:
        raise Violation("a stream was opened without SYN")


def _add(kind: Type, flags: int, is_open: bool) -> None:
    place = "an open stream" if is_open else "a new id"
    title = f"{kind.name} with {_name(flags)} on {place}, length"
    for length in _LENGTHS:

        def action(s: Session, length: int = length) -> str:
            stream = s.open().id if is_open else s.track(s.new_id()).id
            s.barrier()  # credit that is under way counts
            limit = s.streams[stream].credit
            # Of a body that no window holds one byte too many is sent: then nobody can wait for more.
            count = min(length, max(limit, INITIAL_WINDOW) + 1) if kind == Type.DATA else 0
            # Where there is room for it a new stream negotiates first: or it would be refused for another reason.
            body = (b"" if is_open else s.target.preface).ljust(count, b"x")[:count]
            frame = Frame(kind, flags, stream, length, body)
            s.send(frame)
            _judge(s, stream, frame, is_open, limit)
            if kind == Type.DATA and len(body) < length and not s.ended and not s.go_aways:
                return f"waits for the rest of the body ({s.outcome(stream)})"
            return f"{s.outcome(stream)}, {s.check_not_stuck()}"

        # The connection is judged within: a target that waits for a body of 4 GiB hangs by right.
        SECTION.add(f"{title} {length}", _SOURCE, Level.MUST, action, survives=None)


for _kind in (Type.DATA, Type.WINDOW_UPDATE):
    for _is_open in (False, True):
        for _flags in range(16):
            _add(_kind, _flags, _is_open)
