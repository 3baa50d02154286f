"""Judges each frame that a target sends, in whatever case: the rules of a sender hold all the time."""

from __future__ import annotations

from collections import Counter, defaultdict

from stack.yamux import INITIAL_WINDOW, Flag, Frame, Type

#: The rules by name, each with its demand and its source in the specification.
RULES: dict[str, tuple[str, str]] = {
    "version": ("every frame has version 0", "Version Field"),
    "type": ("no frame has a type that is not defined", "Type Field"),
    "flags": ("no frame has a flag that is not defined", "Flag Field"),
    "session": ("PING and GO_AWAY have stream id 0", "StreamID Field"),
    "stream-zero": ("DATA and WINDOW_UPDATE never have stream id 0", "StreamID Field"),
    "parity": ("the streams that it opens have ids of its own parity", "StreamID Field"),
    "syn-once": ("it gives SYN once for each id", "Opening a stream"),
    "known": ("no frame is for a stream that nobody has opened", "Opening a stream"),
    "window": ("no stream carries more data than its window allows", "Flow Control"),
    "fin": ("no data follows its FIN", "Closing a stream"),
    "rst": ("nothing follows its RST on that stream", "Flag Field: RST"),
    "ack-once": ("a stream is acknowledged once", "Flag Field: ACK"),
    "pong": ("it answers a PING once, and none that was not sent", "Type Field: Ping"),
    "goaway-code": ("a GO_AWAY has one of the codes 0, 1 and 2", "Session termination"),
}
_DEFINED = Flag.SYN | Flag.ACK | Flag.FIN | Flag.RST


class Monitor:
    """Watches one connection. It knows what we have sent, right or wrong, and doesn't blame the target for that."""

    def __init__(self, is_dialer: bool) -> None:
        self.found: dict[str, str] = {}
        #: How often a rule had something to judge.
        self.judged: Counter[str] = Counter()
        #: Whether nothing is judged any more.
        self.is_muted = False
        self._their_parity = 0 if is_dialer else 1
        self._named: set[int] = set()
        self._window: dict[int, int] = defaultdict(lambda: INITIAL_WINDOW)
        self._opened: set[int] = set()
        #: The streams that we have opened, and those that we opened twice, on purpose: what the target says of these
        #: may belong to either life.
        self._begun: set[int] = set()
        self._ambiguous: set[int] = set()
        self._finished: set[int] = set()
        self._reset: set[int] = set()
        self._acknowledged: set[int] = set()
        self._pings: Counter[int] = Counter()

    def sent(self, frame: Frame) -> None:
        """We sent this."""
        if frame.type == Type.PING:
            self._pings[frame.length] += 1
        elif frame.type in (Type.DATA, Type.WINDOW_UPDATE):
            self._named.add(frame.stream)
            self._reset.discard(frame.stream)
            if frame.type == Type.WINDOW_UPDATE:
                self._window[frame.stream] += frame.length
            if frame.has(Flag.SYN):
                if frame.stream in self._begun:
                    self._ambiguous.add(frame.stream)
                self._begun.add(frame.stream)

    def received(self, frame: Frame) -> None:
        """The target sent this."""
        if self.is_muted:
            return
        self._judge("version", frame.version == 0, frame)
        self._judge("type", frame.type in list(Type), frame)
        self._judge("flags", not frame.flags & ~_DEFINED, frame)
        if frame.type in (Type.PING, Type.GO_AWAY):
            self._judge("session", frame.stream == 0, frame)
            self._session(frame)
        elif frame.type in (Type.DATA, Type.WINDOW_UPDATE):
            self._judge("stream-zero", frame.stream != 0, frame)
            self._stream(frame)

    def _judge(self, rule: str, good: bool, frame: Frame) -> None:
        self.judged[rule] += 1
        if not good:
            self.found.setdefault(rule, str(frame))

    def _session(self, frame: Frame) -> None:
        if frame.type == Type.GO_AWAY:
            self._judge("goaway-code", frame.length <= 2, frame)
        elif frame.has(Flag.ACK):
            self._judge("pong", self._pings[frame.length] > 0, frame)
            self._pings[frame.length] -= 1

    def _stream(self, frame: Frame) -> None:
        stream = frame.stream
        if frame.has(Flag.SYN):
            self._judge("parity", stream % 2 == self._their_parity, frame)
            self._judge("syn-once", stream not in self._opened, frame)
            self._opened.add(stream)
        self._judge("known", stream in self._opened or stream in self._named, frame)
        if stream in self._ambiguous:
            return
        self._judge("rst", stream not in self._reset, frame)
        if frame.has(Flag.ACK) and not frame.has(Flag.RST):
            self._judge("ack-once", stream not in self._acknowledged, frame)
            self._acknowledged.add(stream)
        if frame.type == Type.DATA and frame.length:
            self._judge("fin", stream not in self._finished, frame)
            self._window[stream] -= frame.length
            self._judge("window", self._window[stream] >= 0, frame)
        if frame.has(Flag.FIN):
            self._finished.add(stream)
        if frame.has(Flag.RST):
            self._reset.add(stream)
