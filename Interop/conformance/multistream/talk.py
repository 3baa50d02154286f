"""The three places where a protocol is chosen: on a bare connection, over Noise, on a stream."""

from __future__ import annotations

from collections.abc import Callable

from stack import multistream, noise, yamux
from stack.identity import Identity
from stack.link import Buffered, Ended, Link, Silence
from stack.yamux import FrameLink, data

from ..case import Violation
from ..pump import PumpLink
from ..session import Session
from ..target import Target

HEADER_LINE = multistream.line(multistream.HEADER)


class Prefixed:
    """A link that puts bytes before what is sent first, in the same write."""

    def __init__(self, link: Link, prefix: bytes) -> None:
        self._link = link
        self._prefix = prefix

    def send(self, data: bytes) -> None:
        """See `Link.send`."""
        self._link.send(self._prefix + data)
        self._prefix = b""

    def receive(self, timeout: float) -> bytes:
        """See `Link.receive`."""
        return self._link.receive(timeout)

    def fileno(self) -> int:
        """See `Link.fileno`."""
        return self._link.fileno()

    def has_pending(self) -> bool:
        """See `Link.has_pending`."""
        return self._link.has_pending()

    def close(self) -> None:
        """See `Link.close`."""
        self._link.close()

    def abort(self) -> None:
        """See `Link.abort`."""
        self._link.abort()


class Talk:
    """A negotiation in which we propose."""

    #: A protocol that the target has at this place.
    supported = ""

    def send(self, raw: bytes) -> None:
        """Sends bytes as they are. That the target has gone shows when reading."""
        raise NotImplementedError

    def read(self, count: int) -> bytes:
        """Exactly so many bytes; raises `Ended` or `Silence`."""
        raise NotImplementedError

    def prove(self, prefix: bytes = b"") -> None:
        """The protocol that was agreed on works. `prefix` is sent with its first bytes, in one write."""
        raise NotImplementedError

    def check_others(self) -> None:
        """What was done here has hurt nothing else."""

    def close(self) -> None:
        """Lets go of it all."""
        raise NotImplementedError

    def propose(self, *texts: str) -> None:
        """Sends lines in one flight."""
        self.send(multistream.lines(*texts))

    def line(self) -> str:
        """The next line of the target."""
        return multistream.read_line(self.read)

    def expect_line(self, text: str) -> None:
        """The next line must be this."""
        got = self.line()
        if got != text:
            raise Violation(f"the target said {got!r}, where {text!r} was due")

    def begin(self) -> None:
        """Exchanges headers."""
        self.propose(multistream.HEADER)
        self.expect_line(multistream.HEADER)

    def answer(self) -> str:
        """The answer to a proposal: a line, or `ended`. Silence is neither."""
        try:
            return self.line()
        except Ended:
            return "ended"
        except multistream.NegotiationError as error:
            raise Violation(f"the target's answer is malformed: {error}") from None

    def expect_refusal(self, allows_na: bool) -> str:
        """The target ends this, or says `na`; it never agrees, and doesn't leave us waiting."""
        while True:
            try:
                answer = self.answer()
            except Silence:
                raise Violation("neither an end nor an answer: the target waits") from None
            if answer == multistream.HEADER:
                continue  # the target says it at once
            if answer == "ended":
                return "ended"
            if answer == multistream.NOT_AVAILABLE and allows_na:
                return "na"
            raise Violation(f"the target answers {answer!r}")


class _OverLink(Talk):
    def __init__(self, target: Target, tcp: PumpLink, link: Link) -> None:
        self.target = target
        self.tcp = tcp
        self.wire = Buffered(link)

    def send(self, raw: bytes) -> None:
        try:
            self.wire.link.send(raw)
        except Ended:
            pass

    def read(self, count: int) -> bytes:
        try:
            return self.wire.read(count, self.target.timeout)
        except noise.NoiseError as error:
            raise Violation(str(error)) from None

    def close(self) -> None:
        self.tcp.abort()


class OnConnection(_OverLink):
    """The first negotiation: the target has Noise."""

    supported = noise.PROTOCOL

    def __init__(self, target: Target) -> None:
        tcp = target.connect()
        super().__init__(target, tcp, tcp)

    def prove(self, prefix: bytes = b"") -> None:
        """See `Talk.prove`."""
        if not prefix:
            noise.initiate(self.tcp, Identity(), self.wire.leftover(), self.target.timeout)
            return
        # The answer to the prefix comes before Noise's first message.
        held = Prefixed(self.tcp, prefix)
        noise.initiate(_Skipping(held, self.tcp, self.expect_prefix), Identity(), b"", self.target.timeout)

    def expect_prefix(self) -> bytes:
        """Reads the agreement, and returns what came behind it."""
        self.expect_line(multistream.HEADER)
        self.expect_line(self.supported)
        return self.wire.leftover()


class _Skipping(Prefixed):
    """Reads the answer to the negotiation before the bytes of the next layer."""

    def __init__(self, sender: Prefixed, link: Link, skip: Callable[[], bytes] | None) -> None:
        super().__init__(link, b"")
        self._sender = sender
        self._skip = skip

    def send(self, data: bytes) -> None:
        self._sender.send(data)

    def receive(self, timeout: float) -> bytes:
        if self._skip:
            skip, self._skip = self._skip, None
            if leftover := skip():
                return leftover
        return self._link.receive(timeout)


class OverNoise(_OverLink):
    """The second negotiation: the target has Yamux."""

    supported = yamux.PROTOCOL

    def __init__(self, target: Target) -> None:
        tcp = target.connect()
        super().__init__(target, tcp, target.secure(tcp, Identity()))

    def prove(self, prefix: bytes = b"") -> None:
        """See `Talk.prove`."""
        link = self.wire.link
        if prefix:
            link = _Skipping(Prefixed(link, prefix), link, self.expect_prefix)
        Session(self.target, self.tcp, FrameLink(link, self.wire.leftover())).check_in_service()

    def expect_prefix(self) -> bytes:
        """As on a connection."""
        self.expect_line(multistream.HEADER)
        self.expect_line(self.supported)
        return self.wire.leftover()


class OnStream(Talk):
    """The negotiation of a stream: the target has its echo."""

    def __init__(self, target: Target) -> None:
        self.supported = target.protocol
        tcp, frames = target.open()
        self.session = Session(target, tcp, frames)
        self.stream = self.session.track(self.session.new_id())
        self.stream.preface = b""
        self._read = 0
        self.session.send(yamux.window_update(self.stream.id, 0, yamux.Flag.SYN))

    def send(self, raw: bytes) -> None:
        self.session.send(data(self.stream.id, raw))

    def read(self, count: int) -> bytes:
        stream, end = self.stream, self._read + count
        self.session.until(lambda: len(stream.received) >= end or stream.over or bool(self.session.ended))
        if len(stream.received) >= end:
            self._read = end
            return bytes(stream.received[end - count : end])
        if stream.over or self.session.ended:
            raise Ended("reset" if stream.was_reset else "eof")
        raise Silence("nothing came within the deadline")

    def prove(self, prefix: bytes = b"") -> None:
        """See `Talk.prove`."""
        body = b"behind the negotiation"
        self.send(prefix + body)
        if prefix:
            self.expect_line(multistream.HEADER)
            self.expect_line(self.supported)
        if self.read(len(body)) != body:
            raise Violation("the echo differs")

    def check_others(self) -> None:
        """The other streams of the connection work."""
        self.session.check_in_service()

    def close(self) -> None:
        self.session.close()
