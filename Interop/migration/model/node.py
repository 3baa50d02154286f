"""The model's connections and streams: negotiation, labels, and who answers a Migrate how (SM-W1, SM-W2, SM-L1 to
SM-F6)."""

from __future__ import annotations

import random
from collections.abc import Callable

from peers.contract import ECHO, IDENTIFY, PING, XFER
from peers.wire import all_bytes, decode_message, encode_message, encode_varint
from stack import connection, multistream
from stack.identity import Identity
from stack.multistream import HEADER, NOT_AVAILABLE
from stack.session import Pump, Session, Stream
from stack.yamux import Frame

from .. import messages, opening
from ..messages import DRAFT, SLASH, Answer, Label, Malformed, Migrate, decode, encode, split
from ..opening import Opening
from .applications import Echo, Transfer
from .judge import MAXIMUM_HELD, Held, Remote, judge
from .logical import Logical

MAXIMUM_LIVE = 512


class Silent:
    """An observer that looks away."""

    def frame(self, session: Session, is_sent: bool, frame: Frame) -> None:
        """See `Observer.frame`."""

    def note(self, session: Session | None, text: str) -> None:
        """See `Observer.note`."""


#: What is done with a stream whenever something has come on it; it returns whether it is done with it.
Task = Callable[[], bool]


class Node:
    """One process of the model."""

    def __init__(self, mutants: frozenset[str] = frozenset()) -> None:
        self.identity = Identity()
        self.mutants = mutants
        self.pump = Pump()
        self.pump.after.append(self.work)
        self.remotes: dict[bytes, Remote] = {}
        #: How each served stream has ended.
        self.ends: list[dict[str, object]] = []
        self._tasks: list[Task] = []

    # Connections

    def add(self, upgraded: connection.Upgraded) -> Session:
        """Takes a connection."""
        session = Session(f"m{len(self.pump.sessions)}", upgraded.frames, upgraded.is_dialer, Silent())
        session.remote = upgraded.remote
        remote = self.remotes.get(session.remote)
        if remote is None:
            is_lower = self.identity.multihash < session.remote
            remote = self.remotes[session.remote] = Remote(is_lower)
            is_even = is_lower != ("wrong-parity" in self.mutants)
            remote.next_id = 2 * random.randrange(1 << 39) + (0 if is_even else 1)
        session.on_open = lambda stream: self._opened(stream, remote)
        self.pump.sessions.append(session)
        self._ask_identify(session, remote)
        return session

    def close_remotes(self) -> None:
        """Forgets peers with whom no connection stands."""
        alive = {session.remote for session in self.pump.sessions if session.ended is None}
        for key in [key for key in self.remotes if key not in alive]:
            for logical in self.remotes.pop(key).streams:
                logical.fail("the connection was lost")
        self.pump.sessions = [session for session in self.pump.sessions if session.ended is None]

    def _ask_identify(self, session: Session, remote: Remote) -> None:
        stream = session.open()
        stream.send(multistream.lines(HEADER, IDENTIFY), fin=True)

        def answered() -> bool:
            if not stream.is_over:
                return False
            data = bytes(stream.received)
            for _ in range(2):
                line = opening.take_line(data, 0)
                data = data[line[1] :] if line else b""
            whole = split(data)
            if whole is not None:
                names = {raw.decode() for raw in all_bytes(decode_message(whole[0]), 3)}
                remote.dialect = DRAFT if DRAFT in names else SLASH if SLASH in names else None
                if "labels-on-a-guess" in self.mutants:
                    remote.dialect = remote.dialect or DRAFT
            remote.is_identified = True
            return True

        self._tasks.append(answered)

    # Inbound streams

    def _opened(self, stream: Stream, remote: Remote) -> None:
        stream.grants = False
        agreed: list[str] = []

        def negotiate() -> bool:
            if stream.is_broken:
                return True
            try:
                found = self._read(bytes(stream.received))
            except (Malformed, ValueError):
                stream.reset()
                return True
            if found.name is not None and not agreed:
                agreed.append(found.name)
                stream.send(multistream.lines(HEADER, found.name))
            if not found.is_whole:
                return False
            # What a negotiation takes is given back, so that the windows are whole.
            stream.take(found.end)
            stream.grant(found.end)
            if "reads-beyond-label" in self.mutants and found.label is not None:
                stream.received.clear()
            self._serve(stream, found, remote)
            return True

        self._tasks.append(negotiate)

    def _read(self, data: bytes) -> Opening:
        if "reads-long-messages" in self.mutants:
            longest, messages.LONGEST = messages.LONGEST, 1 << 20
            try:
                return opening.read(data)
            finally:
                messages.LONGEST = longest
        return opening.read(data)

    def _serve(self, stream: Stream, found: Opening, remote: Remote) -> None:
        if isinstance(found.message, Answer):
            stream.reset()
        elif found.migrate is not None:
            self._judge(Held(stream, found.name or "", found.migrate, None), remote)
        elif found.protocol == IDENTIFY:
            self._identify(stream)
        elif found.protocol not in (ECHO, XFER, PING):
            if found.name is None:
                self._agree(stream, NOT_AVAILABLE, fin=True)
            else:
                stream.reset()
        else:
            self._register(stream, found, remote)

    def _identify(self, stream: Stream) -> None:
        fields: list[tuple[int, int | bytes | str]] = [(1, self.identity.public_key), (6, "migration-model")]
        fields += [(3, name) for name in (DRAFT, SLASH, ECHO, XFER, PING, IDENTIFY)]
        body = encode_message(*fields)
        self._agree(stream, IDENTIFY, encode_varint(len(body)) + body, fin=True)

    def _agree(self, stream: Stream, protocol: str, data: bytes = b"", fin: bool = False) -> None:
        """Ends a negotiation, with `data` behind it."""
        stream.send(multistream.lines(HEADER, protocol) + data, fin=fin)

    def _register(self, stream: Stream, found: Opening, remote: Remote) -> None:
        label = found.label
        if label is not None and label in remote.live:
            if "replaces-live-id" not in self.mutants:
                return stream.reset()
        if len(remote.live) >= MAXIMUM_LIVE or len(remote.streams) >= MAXIMUM_LIVE:
            return stream.reset()
        is_right = label is not None and (label % 2 == 0) != remote.is_lower
        if label is not None and not is_right and "takes-wrong-parity" not in self.mutants:
            label = None
        logical = self._logical(stream, label, remote)
        self._agree(stream, found.protocol or "")
        handler = Transfer if found.protocol == XFER else Echo
        protocol = found.protocol

        def report(how: str) -> None:
            self.ends.append({"event": "stream", "protocol": protocol, "end": how})

        logical.application = handler(logical, report)
        return None

    def _logical(self, stream: Stream, label: int | None, remote: Remote) -> Logical:
        logical = Logical(stream, label, self.mutants, remote.is_lower)

        def finished(gone: int) -> None:
            if remote.live.pop(gone, None) is not None:
                remote.finished.add(gone)

        logical.on_finished = finished
        if label is not None:
            remote.live[label] = logical
        remote.streams.append(logical)
        return logical

    # Migrates

    def _judge(self, held: Held, remote: Remote) -> None:
        verdict = judge(held, remote, self._known(remote), self.mutants)
        if verdict == "hold":
            if held in remote.held:
                return
            if len(remote.held) >= MAXIMUM_HELD and "holds-without-bound" not in self.mutants:
                return held.stream.reset()
            return remote.held.append(held)
        if held in remote.held:
            remote.held.remove(held)
        if verdict == "reset":
            return held.stream.reset()
        is_bare = held.name == SLASH and "always-draft" not in self.mutants
        answer = encode(Answer(verdict == "accept", is_bare))
        if verdict == "deny":
            return held.stream.send(answer, fin=True)
        logical = self._known(remote)[held.migrate.from_id]
        remote.live[held.migrate.id] = logical
        logical.accept(held.stream, held.migrate.id)
        held.stream.send(answer)
        return None

    def _known(self, remote: Remote) -> dict[int, Logical]:
        """The streams that a peer can name (SM-L3)."""
        if "knows-other-peers" in self.mutants:
            return {label: one for each in self.remotes.values() for label, one in each.live.items()}
        return remote.live

    # Own streams and attempts

    def open(self, session: Session, protocol: str) -> Logical:
        """Opens a stream, labelled if the peer takes labels (SM-L1). It is answered later."""
        remote = self.remotes[session.remote]
        label: int | None = None
        lines = [HEADER, protocol]
        stream = session.open()
        stream.grants = False
        head = b""
        expected = list(lines)
        if remote.dialect is not None:
            label = self._new_id(remote)
            head = multistream.lines(HEADER, remote.dialect) + encode(Label(label))
            expected = [HEADER, remote.dialect, *lines]
        stream.send(head + multistream.lines(*lines))
        logical = self._logical(stream, label, remote)
        logical.is_negotiated = False
        self._expect(stream, expected, logical, remote, protocol)
        return logical

    def _expect(self, stream: Stream, expected: list[str], logical: Logical, remote: Remote, protocol: str) -> None:
        def answered() -> bool:
            while expected:
                line = opening.take_line(bytes(stream.received), 0)
                if line is None:
                    return stream.is_broken
                stream.take(line[1])
                if line[0] == NOT_AVAILABLE:
                    self._reopen(logical, remote, protocol)
                    return True
                if line[0] != expected.pop(0):
                    logical.fail(f"negotiation: {line[0]!r}")
                    return True
            logical.is_negotiated = True
            return True

        self._tasks.append(answered)

    def _reopen(self, logical: Logical, remote: Remote, protocol: str) -> None:
        """The label was refused: once more without, if no byte went with it (SM-L1)."""
        old = logical.source
        remote.dialect = None
        if logical.framed or old.sent_fin or logical.id is None:
            return logical.fail("the label was refused, and bytes went with it")
        old.reset()
        remote.live.pop(logical.id, None)
        stream = old.session.open()
        stream.grants = False
        stream.send(multistream.lines(HEADER, protocol))
        logical.source, logical.id = stream, None
        self._expect(stream, [HEADER, protocol], logical, remote, protocol)
        return None

    def _new_id(self, remote: Remote) -> int:
        taken, remote.next_id = remote.next_id, remote.next_id + 2
        return taken

    def ask(self, logical: Logical, session: Session) -> None:
        """Asks to move a stream."""
        remote = self.remotes[session.remote]
        assert logical.id is not None
        target, name = self._new_id(remote), remote.dialect or DRAFT
        stream = session.open()
        stream.grants = False
        stream.send(multistream.lines(HEADER, name) + encode(Migrate(target, logical.id)))
        remote.live[target] = logical
        logical.ask(stream, target)
        lines = [HEADER, name]

        def answered() -> bool:
            if stream.is_broken:
                if logical.asking and logical.target is stream:
                    logical.attempt_failed()
                return True
            while lines:
                line = opening.take_line(bytes(stream.received), 0)
                if line is None:
                    return False
                stream.take(line[1])
                if line[0] != lines.pop(0):
                    self._wrong(logical, stream)
                    return True
            return self._answered(logical, stream)

        self._tasks.append(answered)

    def _answered(self, logical: Logical, stream: Stream) -> bool:
        try:
            body = self._take_answer(stream)
            if body is None:
                return False
            message = decode(body, is_answer=True)
        except (Malformed, ValueError):
            self._wrong(logical, stream)
            return True
        if not isinstance(message, Answer):
            self._wrong(logical, stream)
        elif logical.yielded is stream:
            logical.yielded = None
            if message.accepts:
                logical.fail("the attempt that gave way was accepted")
                stream.reset()
            else:
                stream.fin()
        elif logical.asking and logical.target is stream:
            logical.answered(message.accepts)
        return True

    def _take_answer(self, stream: Stream) -> bytes | None:
        whole = split(bytes(stream.received))
        if whole is not None:
            stream.take(whole[1])
        return whole[0] if whole else None

    def _wrong(self, logical: Logical, stream: Stream) -> None:
        if logical.asking and logical.target is stream:
            if "anything-is-consent" in self.mutants:
                return logical.answered(True)
            logical.attempt_failed()
        return None

    # Work

    def work(self) -> None:
        """Everything that follows from what has come."""
        self._tasks = [task for task in self._tasks if not task()]
        for remote in list(self.remotes.values()):
            for held in list(remote.held):
                if held.stream.is_broken:
                    remote.held.remove(held)
                else:
                    self._judge(held, remote)
            for logical in list(remote.streams):
                if logical.is_negotiated or logical.source.is_broken:
                    logical.work()
                else:
                    logical.write_early()
                if logical.is_over:
                    remote.streams.remove(logical)
            for held in list(remote.held):
                self._judge(held, remote)
