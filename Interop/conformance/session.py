"""One connection of a case: Yamux, open to whoever wants to bend it, and helpers that keep to the rules."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from stack.link import Ended, Silence
from stack.noise import NoiseError
from stack.yamux import INITIAL_WINDOW, Flag, Frame, FrameLink, Type, data, ping, window_update

from .case import Violation
from .monitor import Monitor
from .pump import PumpLink
from .target import Target

#: Data frames of a transfer that keeps to the rules.
CHUNK = 16 * 1024
#: Seconds in which a frame that must not come would have come, behind a round trip that shows that all before is read.
SETTLE = 0.15


@dataclass
class Stream:
    """What is known of one stream."""

    id: int
    #: What it is answered with before the echo.
    preface: bytes = b""
    received: bytearray = field(default_factory=bytearray)
    acknowledged: bool = False
    finished: bool = False
    was_reset: bool = False
    #: What we may still send.
    credit: int = INITIAL_WINDOW
    #: Whether each byte that comes is credited at once.
    credits: bool = True
    frames: list[Frame] = field(default_factory=list)

    @property
    def payload(self) -> bytes:
        """What was echoed."""
        count = len(self.preface)
        got = bytes(self.received[:count])
        if got != self.preface[: len(got)]:
            raise Violation(f"the stream's negotiation was answered {got!r}, not {self.preface!r}")
        return bytes(self.received[count:])

    @property
    def over(self) -> bool:
        """Whether nothing more will come."""
        return self.finished or self.was_reset


class Session:
    """A connection under test. What it sends waits for nothing; `until` takes in what comes."""

    def __init__(self, target: Target, tcp: PumpLink, frames: FrameLink, is_dialer: bool = True) -> None:
        self.target = target
        self.tcp = tcp
        self.frames = frames
        self.is_dialer = is_dialer
        self.monitor = Monitor(is_dialer)
        self.streams: dict[int, Stream] = {}
        self.received: list[Frame] = []
        self.pongs: list[Frame] = []
        self.go_aways: list[int] = []
        #: How the connection ended: `eof`, `reset`, or what made it unreadable.
        self.ended: str | None = None
        #: What is done with a stream that the target opens; it is refused when nothing is said.
        self.on_open: Callable[[Stream], None] | None = None
        self.on_data: Callable[[Stream], None] | None = None
        self.answers_pings = True
        self._next_id = 1 if is_dialer else 2
        self._next_ping = 0x5EED0000

    # MARK: Sending

    def send(self, *frames: Frame) -> None:
        """Sends the frames in one write. That the target has gone shows when something is waited for."""
        for frame in frames:
            self.monitor.sent(frame)
            stream = self.streams.get(frame.stream)
            if stream and frame.type == Type.DATA:
                stream.credit -= len(frame.body)
        self.send_raw(b"".join(frame.encoded() for frame in frames))

    def send_raw(self, raw: bytes) -> None:
        """Sends bytes as they are."""
        if self.ended:
            return
        try:
            self.frames.link.send(raw)
        except Ended:
            pass  # what the target said before comes first; the end shows when reading

    def send_garbage(self, raw: bytes) -> None:
        """Sends bytes that are no frames. What the target makes of them can't be known, so its frames aren't judged."""
        self.monitor.is_muted = True
        self.send_raw(raw)

    def bytewise(self, *frames: Frame) -> None:
        """Sends each byte on its own: in a record, and where TCP allows in a segment, of its own."""
        raw = b"".join(frame.encoded() for frame in frames)
        for frame in frames:
            self.monitor.sent(frame)
        for index in range(len(raw)):
            self.send_raw(raw[index : index + 1])

    # MARK: Receiving

    def step(self, timeout: float) -> None:
        """Takes in the next frame, or the end. Raises `Silence` when nothing comes."""
        if self.ended:
            raise Silence("the connection has ended")
        try:
            frame = self.frames.receive(timeout)
        except Ended as end:
            self.ended = end.how
            return
        except NoiseError as error:
            self.ended = f"unreadable: {error}"
            return
        self.received.append(frame)
        self.monitor.received(frame)
        self._take(frame)

    def until(self, condition: Callable[[], bool], timeout: float | None = None) -> bool:
        """Takes frames in until the condition holds. False: the time passed, or the connection ended, before."""
        deadline = time.monotonic() + (self.target.timeout if timeout is None else timeout)
        while not condition():
            try:
                self.step(deadline - time.monotonic())
            except Silence:
                return condition()
        return True

    def until_quiet(self, condition: Callable[[], bool], timeout: float | None = None) -> bool:
        """As `until`, but the time begins anew with each frame that comes: a target may be slow, and be at work."""
        while not condition():
            seen = len(self.received)
            if not self.until(lambda seen=seen: condition() or len(self.received) > seen, timeout):
                return condition()
        return True

    def expect(self, condition: Callable[[], bool], what: str, timeout: float | None = None) -> None:
        """Raises `Violation` when the condition doesn't come to hold."""
        if not self.until(condition, timeout):
            raise Violation(f"{what}: not seen; {self.summary()}")

    def summary(self) -> str:
        """The last that was seen, for a report."""
        parts = [f"frames {len(self.received)}"]
        if self.received:
            parts.append("last " + "; ".join(str(frame) for frame in self.received[-3:]))
        parts.append(f"connection ended ({self.ended})" if self.ended else "connection open")
        return ", ".join(parts)

    def _take(self, frame: Frame) -> None:
        if frame.type == Type.GO_AWAY:
            self.go_aways.append(frame.length)
        elif frame.type == Type.PING:
            if frame.has(Flag.ACK):
                self.pongs.append(frame)
            elif self.answers_pings:
                self.send(ping(frame.length, Flag.ACK))
        elif frame.type in (Type.DATA, Type.WINDOW_UPDATE):
            self._take_stream_frame(frame)

    def _take_stream_frame(self, frame: Frame) -> None:
        stream = self.streams.get(frame.stream)
        opens = stream is None and frame.has(Flag.SYN)
        if stream is None:
            stream = self.streams.setdefault(frame.stream, Stream(frame.stream))
        stream.frames.append(frame)
        stream.acknowledged |= frame.has(Flag.ACK)
        stream.was_reset |= frame.has(Flag.RST)
        if frame.type == Type.WINDOW_UPDATE:
            stream.credit += frame.length
        stream.received += frame.body
        stream.finished |= frame.has(Flag.FIN)
        if opens:
            if self.on_open:
                self.on_open(stream)
            elif not stream.was_reset:
                stream.credits = False
                self.send(data(stream.id, flags=Flag.RST))
        if frame.body and stream.credits and not stream.over:
            self.send(window_update(stream.id, len(frame.body)))
        if self.on_data and not opens:
            self.on_data(stream)

    # MARK: Helpers that keep to the rules

    def new_id(self) -> int:
        """The next stream id of our parity."""
        self._next_id += 2
        return self._next_id - 2

    def track(self, stream: int, credits: bool = True) -> Stream:
        """Watches a stream that the caller opens itself."""
        self.streams[stream] = Stream(stream, self.target.preface, credits=credits)
        return self.streams[stream]

    def start(self, credits: bool = True, extra: int = 0) -> Stream:
        """Opens a stream for the echo in one flight, with `extra` bytes of window, and waits for nothing."""
        stream = self.track(self.new_id(), credits)
        self.send(window_update(stream.id, extra, Flag.SYN), *self._preface(stream))
        return stream

    def _preface(self, stream: Stream) -> list[Frame]:
        return [data(stream.id, self.target.preface)] if self.target.preface else []

    def open(self, credits: bool = True, extra: int = 0) -> Stream:
        """Opens a stream for the echo and waits until it was accepted.

        An ACK may wait for the first data, so a stream that needs no negotiation is taken for accepted at once.
        """
        stream = self.start(credits, extra)
        if not stream.preface:
            return stream
        if not self.until_quiet(
            lambda: stream.acknowledged and len(stream.received) >= len(stream.preface) or stream.over
        ):
            raise Violation(f"an ACK, and the answer to the negotiation: not seen; {self.summary()}")
        if stream.over:
            raise Violation(f"a new stream was refused; {self.summary()}")
        _ = stream.payload  # the answer must be the right one
        return stream

    def echo(self, stream: Stream, body: bytes) -> None:
        """Sends bytes within the window, and awaits them back behind what came before."""
        expected = stream.payload + body
        sent = 0
        while len(stream.payload) < len(expected):
            while sent < len(body) and stream.credit > 0 and not stream.over:
                count = min(CHUNK, stream.credit, len(body) - sent)
                self.send(data(stream.id, body[sent : sent + count]))
                sent += count
            seen = len(self.received)
            if stream.over or not self.until(lambda seen=seen: len(self.received) > seen):
                break
        if stream.payload != expected:
            same = stream.payload == expected[: len(stream.payload)]
            raise Violation(
                f"{len(stream.payload)} of {len(expected)} bytes came back{'' if same else ', not all as sent'}; "
                + ("the stream ended; " if stream.over else "")
                + self.summary()
            )

    def barrier(self, timeout: float | None = None) -> bool:
        """A round trip by PING: the target has read all that was sent before. False when it ended the connection."""
        value, self._next_ping = self._next_ping, self._next_ping + 1
        self.send(ping(value))
        self.until_quiet(lambda: any(pong.length == value for pong in self.pongs) or bool(self.ended), timeout)
        return any(pong.length == value for pong in self.pongs)

    def settle(self) -> None:
        """Takes in what comes for a while, behind a round trip: for what must not happen."""
        self.barrier()
        self.until(lambda: False, SETTLE)

    def stall(self, amount: int = INITIAL_WINDOW * 2) -> Stream:
        """A stream that owes us more than our window takes, and gets no credit: its other side is stuck."""
        stream = self.open(credits=False)
        sent = 0
        while sent < amount and self.until(lambda: stream.credit > 0 or stream.over, 0.3) and not stream.over:
            count = min(stream.credit, amount - sent, CHUNK)
            self.send(data(stream.id, bytes(count)))
            sent += count
        # Our window begins with the answer to the negotiation, which counts too.
        full = min(sent, INITIAL_WINDOW - len(stream.preface))
        self.expect(lambda: len(stream.payload) >= full or stream.over, f"an echo of {full} bytes")
        return stream

    # MARK: Demands

    def expect_end(self, why: str) -> str:
        """The connection must end within the deadline. Says how it did."""
        self.expect(lambda: bool(self.ended), f"the end of the connection after {why}")
        codes = f"GO_AWAY {self.go_aways}" if self.go_aways else "no GO_AWAY"
        return f"connection ended ({self.ended}), {codes}"

    def expect_refusal(self, stream: int, why: str) -> str:
        """The stream must be reset, or the connection end, within the deadline. Says which."""

        def refused() -> bool:
            known = self.streams.get(stream)
            return bool(self.ended or self.go_aways) or bool(known and known.was_reset)

        self.expect(refused, f"a refusal (RST, GO_AWAY or the end) of {why}")
        return self.outcome(stream)

    def outcome(self, stream: int | None = None) -> str:
        """What has become of the stream and the connection, for the record."""
        known = self.streams.get(stream) if stream is not None else None
        if self.ended or self.go_aways:
            return f"connection ended, GO_AWAY {self.go_aways}" if self.go_aways else "connection ended, no GO_AWAY"
        if known and known.was_reset:
            return "stream reset"
        return "ignored"

    def check_in_service(self) -> None:
        """The connection serves a new stream."""
        try:
            stream = self.open()
            self.echo(stream, random.randbytes(32))
        except Violation as violation:
            raise Violation(f"afterwards the connection serves no new stream: {violation}") from None
        self.send(data(stream.id, flags=Flag.FIN))

    def check_not_stuck(self) -> str:
        """The connection has ended, or ends, or serves a new stream: it never hangs. Says which."""
        if self.barrier() and not self.go_aways:
            self.check_in_service()
            return "connection in service"
        # A GoAway may stand before the end of the connection, or leave it open for the streams that there are.
        if self.until(lambda: bool(self.ended)) or self.go_aways:
            return self.outcome()
        raise Violation(f"the connection hangs: it neither ends nor answers a PING; {self.summary()}")

    def check_not_stuck_when_full(self) -> str:
        """As `check_not_stuck`, but a target may refuse a new stream for want of room: a PING is enough then."""
        if self.barrier() and not self.go_aways:
            return "connection in service"
        return self.check_not_stuck()

    def in_service_elsewhere(self) -> None:
        """Another connection is served."""
        tcp, frames = self.target.open()
        other = Session(self.target, tcp, frames)
        try:
            other.check_in_service()
        finally:
            other.close()

    def close(self) -> None:
        """Lets the connection go without a word."""
        self.tcp.abort()
