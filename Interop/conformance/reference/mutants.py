"""Yamuxes that are wrong in one way each. The kit is worth something only if it catches every one of them."""

from __future__ import annotations

import time

from stack.yamux import INITIAL_WINDOW, Flag, Frame, Type, data, ping, window_update

from .server import Peer, ProtocolError, Stream


class IgnoresSendWindow(Peer):
    """Sends without credit."""

    def may_send(self, stream: Stream) -> int:
        return len(stream.owed)


class IgnoresReceiveWindow(Peer):
    """Takes any amount of data."""

    def check(self, frame: Frame) -> None:
        if frame.version != 0 or frame.type not in list(Type):
            raise ProtocolError


class NeverCredits(Peer):
    """Gives no credit: streams stall behind 256 KiB."""

    def credit(self, stream: Stream) -> None:
        pass


class CreditsUnread(Peer):
    """Gives credit for what it has received, not for what was taken: no back-pressure."""

    def credit(self, stream: Stream) -> None:
        if stream.receive_window < INITIAL_WINDOW // 2:
            delta = INITIAL_WINDOW - stream.receive_window
            self.send(window_update(stream.id, delta))
            stream.receive_window += delta


class IgnoresDeltaOfSyn(Peer):
    """Overlooks the larger window that comes with a SYN."""

    def on_open(self, frame: Frame) -> None:
        length = 0 if frame.type == Type.WINDOW_UPDATE else frame.length
        super().on_open(Frame(frame.type, frame.flags, frame.stream, length, frame.body))


class WrapsWindow(Peer):
    """Adds windows in 32 bits."""

    def on_credit(self, stream: Stream, delta: int) -> bool:
        stream.send_window = (stream.send_window + delta) % (1 << 32)
        return True


class DiesOfOverflow(Peer):
    """Stops answering on an overflow, as a task that has panicked does."""

    def on_credit(self, stream: Stream, delta: int) -> bool:
        if stream.send_window + delta >= 1 << 32:
            self.handle = lambda frame: None  # type: ignore[method-assign]
            return False
        return super().on_credit(stream, delta)


class SharesWindow(Peer):
    """Has one send window for all streams."""

    shared = INITIAL_WINDOW

    def on_credit(self, stream: Stream, delta: int) -> bool:
        self.shared += delta
        return super().on_credit(stream, delta)

    def may_send(self, stream: Stream) -> int:
        room = min(self.shared, stream.send_window, len(stream.owed), 1 << 16)
        self.shared -= room
        return room


class PingWithoutAck(Peer):
    """Echoes a PING as it came."""

    def on_ping(self, frame: Frame) -> None:
        self.send(ping(frame.length, frame.flags))


class PingWrongValue(Peer):
    """Swaps the bytes of a PING's value."""

    def on_ping(self, frame: Frame) -> None:
        if frame.has(Flag.SYN):
            value = int.from_bytes(frame.length.to_bytes(4, "big"), "little")
            self.send(ping(value, Flag.ACK))


class AnswersAnswers(Peer):
    """Answers PINGs that are answers themselves."""

    def on_ping(self, frame: Frame) -> None:
        self.send(ping(frame.length, Flag.ACK))


class IgnoresReset(Peer):
    """Overlooks RST."""

    def on_reset(self, stream: Stream) -> None:
        pass


class ResetEndsSession(Peer):
    """Takes RST of one stream for the end of all."""

    def on_reset(self, stream: Stream) -> None:
        raise ProtocolError


class FinClosesBothWays(Peer):
    """Throws away what it owes when it reads FIN."""

    def on_fin(self, stream: Stream) -> None:
        stream.owed.clear()
        super().on_fin(stream)


class IgnoresFinOfUpdate(Peer):
    """Looks for FIN on DATA only."""

    def on_frame(self, stream: Stream, frame: Frame) -> None:
        flags = frame.flags & ~Flag.FIN if frame.type == Type.WINDOW_UPDATE else frame.flags
        super().on_frame(stream, Frame(frame.type, flags, frame.stream, frame.length, frame.body))


class FinBeforeBody(Peer):
    """Forgets the body of a frame with FIN."""

    def on_frame(self, stream: Stream, frame: Frame) -> None:
        body = b"" if frame.has(Flag.FIN) else frame.body
        super().on_frame(stream, Frame(frame.type, frame.flags, frame.stream, frame.length, body))


class DeliversBehindFin(Peer):
    """Takes data behind FIN."""

    def on_late_data(self, stream: Stream, frame: Frame) -> None:
        stream.owed += frame.body
        self.echo(stream)

    def finish(self, stream: Stream) -> None:
        self.send(data(stream.id, flags=Flag.FIN))


class DataBehindOwnFin(Peer):
    """Sends its FIN before what it owes."""

    def on_fin(self, stream: Stream) -> None:
        self.send(data(stream.id, flags=Flag.FIN))
        stream.their_fin = False
        self.echo(stream)


class NeverFins(Peer):
    """Never ends its own side."""

    def finish(self, stream: Stream) -> None:
        pass


class AcceptsAnyParity(Peer):
    """Takes streams with ids of its own."""

    def accepts_id(self, stream: int) -> bool:
        return stream not in self.used


class AcceptsSecondSyn(Peer):
    """Begins a stream anew at a second SYN."""

    def accepts_id(self, stream: int) -> bool:
        return stream % 2 == 1


class AcceptsWithoutSyn(Peer):
    """Opens a stream for whatever frame comes."""

    def handle(self, frame: Frame) -> None:
        if frame.type == Type.DATA and frame.stream not in self.used and frame.stream:
            frame = Frame(frame.type, frame.flags | Flag.SYN, frame.stream, frame.length, frame.body)
        super().handle(frame)


class AcceptsStreamZero(Peer):
    """Takes 0 for a stream's id."""

    def accepts_id(self, stream: int) -> bool:
        return stream == 0 or super().accepts_id(stream)

    def handle(self, frame: Frame) -> None:
        if frame.type in (Type.DATA, Type.WINDOW_UPDATE) and frame.stream == 0:
            if frame.has(Flag.SYN):
                self.on_open(frame)
            elif 0 in self.streams:
                self.on_frame(self.streams[0], frame)
            return
        super().handle(frame)


class AcknowledgesTwice(Peer):
    """Acknowledges a stream with every frame."""

    def echo(self, stream: Stream) -> None:
        self.acknowledge(stream)
        super().echo(stream)


class NeverAcknowledges(Peer):
    """Serves streams without ACK."""

    def acknowledge(self, stream: Stream) -> None:
        self.send(window_update(stream.id, 0))


class AnswersWithSyn(Peer):
    """Says SYN when it accepts."""

    def acknowledge(self, stream: Stream) -> None:
        self.send(window_update(stream.id, 0, Flag.SYN | Flag.ACK))


class ServesSynWithReset(Peer):
    """Looks at SYN and no further."""

    def on_open(self, frame: Frame) -> None:
        super().on_open(Frame(frame.type, frame.flags & ~Flag.RST, frame.stream, frame.length, frame.body))


class IgnoresVersion(Peer):
    """Takes any version for version 0."""

    def check(self, frame: Frame) -> None:
        super().check(Frame(frame.type, frame.flags, frame.stream, frame.length, b"", 0))


class IgnoresUnknownTypes(Peer):
    """Skips frames of unknown type."""

    def check(self, frame: Frame) -> None:
        if frame.type <= Type.GO_AWAY:
            super().check(frame)


class LittleEndian(Peer):
    """Reads a length's bytes in the wrong order, below 64 KiB."""

    def handle(self, frame: Frame) -> None:
        if frame.type == Type.WINDOW_UPDATE:
            length = int.from_bytes(frame.length.to_bytes(4, "big"), "little")
            frame = Frame(frame.type, frame.flags, frame.stream, length)
        super().handle(frame)


class SkipsBodyOfReset(Peer):
    """Doesn't skip the body of a frame with RST: the next header is looked for inside it."""

    def check(self, frame: Frame) -> None:
        super().check(frame)
        if frame.has(Flag.RST) and frame.type == Type.DATA and frame.length:
            self.handle(Frame(frame.type, frame.flags, frame.stream, 0))
            super().check(Frame(9))


class EndsWithoutGoAway(Peer):
    """Drops the connection without a word."""

    def fail(self) -> None:
        pass


class HangsOnError(Peer):
    """Neither answers nor closes behind an error."""

    def fail(self) -> None:
        time.sleep(20)


class LeaksStreams(Peer):
    """Never forgets a stream that both sides have closed."""

    def finish(self, stream: Stream) -> None:
        stream.our_fin = True
        self.send(data(stream.id, flags=Flag.FIN))


class MixesStreams(Peer):
    """Delivers to the last stream that was opened."""

    def on_frame(self, stream: Stream, frame: Frame) -> None:
        last = self.streams[max(self.streams)]
        super().on_frame(last if frame.body else stream, frame)


#: Each mutant with the cases, as a pattern of ids, of which one at least must fail on it.
MUTANTS: dict[type[Peer], str] = {
    IgnoresSendWindow: "5.*",
    IgnoresReceiveWindow: "5.*",
    NeverCredits: "5.*",
    CreditsUnread: "5.*",
    IgnoresDeltaOfSyn: "3.*",
    WrapsWindow: "5.*",
    DiesOfOverflow: "5.*",
    SharesWindow: "5.*",
    PingWithoutAck: "9.*",
    PingWrongValue: "9.*",
    AnswersAnswers: "9.*",
    IgnoresReset: "7.*",
    ResetEndsSession: "7.*",
    FinClosesBothWays: "6.*",
    IgnoresFinOfUpdate: "6.*",
    FinBeforeBody: "6.*",
    DeliversBehindFin: "6.*",
    DataBehindOwnFin: "6.*",
    NeverFins: "6.*",
    AcceptsAnyParity: "2.*",
    AcceptsSecondSyn: "2.*",
    AcceptsWithoutSyn: "2.*",
    AcceptsStreamZero: "2.*",
    AcknowledgesTwice: "3.*",
    NeverAcknowledges: "3.*",
    AnswersWithSyn: "3.*",
    ServesSynWithReset: "3.*",
    IgnoresVersion: "1.*",
    IgnoresUnknownTypes: "1.*",
    LittleEndian: "5.*",
    SkipsBodyOfReset: "7.*",
    EndsWithoutGoAway: "8.*",
    HangsOnError: "1.*",
    LeaksStreams: "6.*",
    MixesStreams: "2.*",
}
