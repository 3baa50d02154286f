"""The scripted peer: connections and streams on which a scenario does by hand what an implementation does by itself.

What is no subject of a scenario goes by itself: identify, ping, pings of the multiplexer. Everything else waits for
the script.
"""

from __future__ import annotations

import functools
import random
import socket
from collections.abc import Callable, Sequence

from peers.contract import ECHO, IDENTIFY, PING
from peers.wire import encode_message, encode_multiaddr
from stack import connection, multistream
from stack.identity import Identity
from stack.link import Ended, Silence, TCPLink
from stack.multistream import HEADER, NOT_AVAILABLE
from stack.noise import NoiseError
from stack.session import Pump, Session, Stream
from stack.yamux import INITIAL_WINDOW

from . import opening
from .messages import DRAFT, Answer, Dialect, Label, Malformed, Migrate, decode, encode, split
from .opening import Opening
from .transcript import Transcript
from .verdict import Broken, Inconclusive

AGENT = "oxbow-migration-script"
IDENTIFY_PUSH = "/ipfs/id/push/1.0.0"
#: Of so many keys the lowest or highest is taken where the order of the peer ids matters before the other one is known.
CANDIDATES = 512
#: How long the 2022 dialect waits for the header that shows that a label was read, in seconds.
LABEL_READ = 0.25


def extreme_identity(lower: bool) -> Identity:
    """An identity that is almost surely lower, or higher, than one that isn't known yet."""
    candidates = [Identity() for _ in range(CANDIDATES)]
    return (min if lower else max)(candidates, key=lambda one: one.multihash)


class Incoming:
    """A stream that the other side opened."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self.opening = Opening()

    def read(self) -> None:
        """Reads its opening as far as it has come; the bytes behind it are the application's."""
        if self.opening.is_whole:
            return
        self.opening = opening.read(bytes(self.stream.received))
        if self.opening.is_whole:
            self.stream.take_head(self.opening.end)

    def agree(self, data: bytes = b"") -> None:
        """Answers the negotiation of a plain or labelled stream, with `data` behind it."""
        agreed = [HEADER, self.opening.protocol or ""]
        if self.opening.name is not None:
            agreed = [HEADER, self.opening.name, *agreed]
        self.stream.send(multistream.lines(*agreed) + data)

    def accept(self, data: bytes = b"", is_bare: bool | None = None) -> None:
        """Consents to its Migrate, with `data` behind the Ack."""
        self._answer(True, is_bare, data)

    def deny(self, is_bare: bool | None = None, fin: bool = True) -> None:
        """Denies its Migrate."""
        self._answer(False, is_bare, b"", fin)

    def answer_header(self) -> bytes:
        """The multistream echo that precedes an answer."""
        return multistream.lines(HEADER, self.opening.name or DRAFT)

    def _answer(self, accepts: bool, is_bare: bool | None, data: bytes, fin: bool = False) -> None:
        if is_bare is None:
            is_bare = self.opening.name != DRAFT
        self.stream.send(self.answer_header() + encode(Answer(accepts, is_bare)))
        # The proof of concept loses what is in the Ack's frame; a frame of its own serves everybody.
        if data or fin:
            self.stream.send(data, fin=fin)


class Labelled:
    """A labelled (or plain) stream that we opened, with the answer to its negotiation."""

    def __init__(self, stream: Stream, label: int | None, expected: list[str]) -> None:
        self.stream = stream
        self.label = label
        self._expected = expected

    def read_answer(self) -> bool:
        """Takes the answer to the negotiation off what has come; whether it is whole."""
        while self._expected:
            line = opening.take_line(bytes(self.stream.received), 0)
            if line is None:
                return False
            self.stream.take_head(line[1])
            if line[0] != self._expected[0]:
                rule = "SM-L1" if line[0] == NOT_AVAILABLE else "SM-W2"
                raise Broken(rule, f"{self._expected[0]!r} in the answer to the negotiation", repr(line[0]))
            self._expected.pop(0)
        return True


class Target:
    """A target that we opened."""

    def __init__(self, stream: Stream, migrate: Migrate, name: str) -> None:
        self.stream = stream
        self.migrate = migrate
        self.name = name
        #: What the Migrate and its negotiation took of the window: it may be given back at any time.
        self.overhead = INITIAL_WINDOW - stream.credit
        self.answer: Answer | None = None
        self._lines = [HEADER, name]

    def read_answer(self) -> bool:
        """Takes the answer off what has come; whether it is whole. What follows it is the application's."""
        stream = self.stream
        while self._lines:
            line = opening.take_line(bytes(stream.received), 0)
            if line is None:
                return False
            stream.take_head(line[1])
            if line[0] != self._lines[0]:
                raise Broken("SM-W2", f"{self._lines[0]!r} in front of the answer", repr(line[0]))
            self._lines.pop(0)
        if self.answer is None:
            data = bytes(stream.received)
            try:
                whole = split(data)
                if whole is None:
                    return False
                message = decode(whole[0], is_answer=True)
            except (Malformed, ValueError) as failure:
                raise Broken("SM-W1", "an AckMigrate", f"{data[:16].hex()} ({failure})") from None
            if not isinstance(message, Answer):
                raise Broken("SM-F7", "an AckMigrate", str(message))
            self.answer = message
            stream.take_head(whole[1])
            self._check_form()
        return True

    def _check_form(self) -> None:
        assert self.answer is not None
        if self.answer.is_bare != (self.name != DRAFT):
            raise Broken("SM-W2", f"the answer in the form that goes with {self.name}", str(self.answer))


class ScriptedPeer:
    """Our end of a scenario."""

    def __init__(self, identity: Identity, transcript: Transcript, dialect: Dialect = Dialect.DRAFT) -> None:
        self.identity = identity
        self.transcript = transcript
        self.dialect = dialect
        self.pump = Pump()
        self.pump.after.append(self.serve)
        #: Streams that the other side opened and that the script has to deal with, in order.
        self.incoming: list[Incoming] = []
        #: Every opening that was seen, also of what goes by itself.
        self.openings: list[Opening] = []
        #: What our identify lists.
        self.protocols = [dialect.protocol, ECHO, PING, IDENTIFY]
        #: Whether identify is answered; a scenario may hold it back.
        self.answers_identify = True
        #: Whether labels are answered `na` at once, whatever identify lists.
        self.refuses_labels = False
        self._pending: list[Incoming] = []
        self._next_id: dict[bool, int] = {}
        self._is_lower: bool | None = None
        self._sockets: list[socket.socket] = []

    # Connections

    def dial(self, multiaddr: str, identity: Identity | None = None) -> Session:
        """One more connection to the other side."""
        return self._add(connection.dial(multiaddr, identity or self.identity))

    def listen(self) -> str:
        """Listens on loopback; the address with our peer id."""
        listening = socket.create_server(("127.0.0.1", 0))
        self._sockets.append(listening)

        def accept() -> None:
            accepted, _ = listening.accept()
            try:
                self._add(connection.upgrade(TCPLink(accepted), self.identity, is_dialer=False))
            except (Ended, Silence, NoiseError, multistream.NegotiationError) as failure:
                self.transcript.note(None, f"an inbound connection failed: {failure}")

        self.pump.listening[listening.fileno()] = accept
        host, port = listening.getsockname()
        return f"/ip4/{host}/tcp/{port}/p2p/{self.identity.peer_id}"

    def _add(self, upgraded: connection.Upgraded) -> Session:
        name = f"c{len(self.pump.sessions) + 1}"
        session = Session(name, upgraded.frames, upgraded.is_dialer, self.transcript)
        session.remote = upgraded.remote
        session.on_open = lambda stream: self._pending.append(Incoming(stream))
        self._is_lower = self.identity.multihash < upgraded.remote
        self.pump.sessions.append(session)
        self.transcript.note(session, "dialled" if upgraded.is_dialer else "accepted")
        return session

    @property
    def sessions(self) -> list[Session]:
        """All connections, in the order in which they were opened."""
        return self.pump.sessions

    @property
    def is_lower(self) -> bool:
        """Whether our peer id is the lower one (SM-L2, SM-F4)."""
        if self._is_lower is None:
            raise Inconclusive("there is no connection yet")
        return self._is_lower

    def close(self) -> None:
        """Ends everything."""
        self.pump.close()
        for listening in self._sockets:
            listening.close()

    # Ids

    def new_id(self, is_right: bool = True) -> int:
        """The next id of our parity, or, on purpose, of the other one's (SM-L2)."""
        even = self.is_lower == is_right
        if even not in self._next_id:
            # Small ones for the proof of concept, whose messages have eight bytes at most.
            start = random.randrange(1, 20) if self.dialect is Dialect.POC else random.randrange(1, 1 << 38)
            self._next_id[even] = 2 * start + (0 if even else 1)
        taken = self._next_id[even]
        self._next_id[even] += 2
        return taken

    # What we open

    def open_plain(self, session: Session, protocol: str, data: bytes = b"") -> Labelled:
        """A stream without a label, in one flight."""
        stream = session.open()
        stream.send(multistream.lines(HEADER, protocol) + data)
        return Labelled(stream, None, [HEADER, protocol])

    def open_labelled(
        self, session: Session, protocol: str, data: bytes = b"", label: int | None = None, name: str | None = None,
        cut: Callable[[bytes], Sequence[bytes]] = lambda flight: [flight], grants: bool = True,
    ) -> Labelled:  # fmt: skip
        """A labelled stream in one flight. `cut` spreads the flight over frames; `grants`: whether window is given
        back."""
        label = self.new_id() if label is None else label
        name = name or self.dialect.protocol
        stream = session.open()
        stream.grants = grants
        head = multistream.lines(HEADER, name) + encode(Label(label))
        rest = multistream.lines(HEADER, protocol) + data
        if self.dialect is Dialect.POC:
            self._send_in_turns(stream, head, rest)
        else:
            for piece in cut(head + rest):
                stream.send(piece)
        return Labelled(stream, label, [HEADER, name, HEADER, protocol])

    def _send_in_turns(self, stream: Stream, head: bytes, rest: bytes) -> None:
        """The label ends its frame, and nothing follows it before it was read: the reader of the proof of concept
        takes what has come and drops it. Its next header shows that it is past the label; who doesn't send that
        unasked gets a moment."""
        stream.send(head)
        expected = len(multistream.lines(HEADER, self.dialect.protocol))
        self.pump.run(lambda: stream.total >= expected or stream.is_broken, 5.0)
        self.pump.run(lambda: stream.total > expected or stream.is_broken, LABEL_READ)
        stream.send(rest)

    def open_target(
        self, session: Session, from_id: int | None, target: int | None = None, name: str | None = None,
        cut: Callable[[bytes], Sequence[bytes]] = lambda flight: [flight], grants: bool = True,
    ) -> Target:  # fmt: skip
        """A target: it asks to move the stream with the label `from_id` to itself."""
        migrate = Migrate(self.new_id() if target is None else target, from_id or 0)
        name = name or self.dialect.protocol
        stream = session.open()
        stream.grants = grants
        for piece in cut(multistream.lines(HEADER, name) + encode(migrate)):
            stream.send(piece)
        return Target(stream, migrate, name)

    def open_raw(self, session: Session, message: bytes, name: str | None = None) -> Stream:
        """A stream with a message of our making behind the negotiation."""
        stream = session.open()
        stream.send(multistream.lines(HEADER, name or self.dialect.protocol) + message)
        return stream

    # What goes by itself

    def serve(self) -> None:
        """Does what goes by itself with the streams that have come."""
        for pending in list(self._pending):
            if pending.stream.is_broken:
                self._pending.remove(pending)
                continue
            pending.read()
            if not pending.opening.is_whole:
                continue
            protocol = pending.opening.protocol
            if protocol == IDENTIFY and not self.answers_identify:
                continue
            self._pending.remove(pending)
            self.openings.append(pending.opening)
            if protocol == IDENTIFY:
                self._identify(pending)
            elif protocol == PING:
                pending.agree()
                self.pump.after.append(functools.partial(self._echo, pending.stream))
            elif protocol == IDENTIFY_PUSH:
                pending.agree()
                pending.stream.fin()
            elif pending.opening.name is None and protocol != ECHO:
                pending.stream.send(multistream.lines(HEADER, NOT_AVAILABLE), fin=True)
            else:
                if pending.opening.name is not None and self.refuses_labels:
                    pending.stream.send(multistream.lines(HEADER, NOT_AVAILABLE))
                self.incoming.append(pending)

    def _identify(self, incoming: Incoming) -> None:
        fields: list[tuple[int, int | bytes | str]] = [(1, self.identity.public_key)]
        fields += [(3, protocol) for protocol in self.protocols]
        fields += [(4, encode_multiaddr("/ip4/127.0.0.1/tcp/1")), (5, "ipfs/0.1.0"), (6, AGENT)]
        body = encode_message(*fields)
        incoming.agree(multistream.encode_varint(len(body)) + body)
        incoming.stream.fin()

    @staticmethod
    def _echo(stream: Stream) -> None:
        if stream.received and not stream.is_broken:
            stream.send(stream.take())
        if stream.has_fin and not stream.sent_fin and not stream.is_broken:
            stream.fin()
