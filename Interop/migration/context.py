"""What a scenario works with: the scripted peer, the other side, and the waits whose failure names a rule."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from peers.contract import ECHO, XFER
from stack.link import Ended, Silence
from stack.session import Session, Stream

from .messages import Answer
from .peer import Incoming, Labelled, ScriptedPeer, Target
from .verdict import Broken, Inconclusive, NotApplicable

WINDOW = 256 * 1024
#: Seconds between looks at what doesn't show on a connection.
POLL = 0.02


class Dialling(Protocol):
    """A run of the other side's dialer."""

    def result(self, timeout: float) -> dict[str, object] | None:
        """The last line that it printed; None when nobody can know it."""


class OtherSide(Protocol):
    """Where the implementation under test is reached."""

    #: Seconds for which a dialer is waited for, if it isn't started here.
    patience: float

    def address(self) -> str | None:
        """Where its listener is; None when it has none."""

    def dial(self, address: str, arguments: list[str]) -> Dialling | None:
        """Lets its dialer do the case `migrate`; None when it has none."""

    def ends(self) -> list[dict[str, object]] | None:
        """The `stream` lines of its listener since the scenario began; None when nobody can know them."""


@dataclass
class Live:
    """A logical stream that we opened, as far as the script has moved it."""

    stream: Stream
    id: int | None
    #: What our side wrote and the application at the other end has not sent back yet.
    owed: bytearray = field(default_factory=bytearray)


class Context:
    """One run of one scenario."""

    def __init__(self, peer: ScriptedPeer, other: OtherSide, timeout: float) -> None:
        self.peer = peer
        self.other = other
        self.timeout = timeout
        self.dialling: Dialling | None = None

    # Waiting

    def until(
        self, condition: Callable[[], bool], rule: str, expected: str, seen: Callable[[], str] | str = "nothing",
        timeout: float | None = None,
    ) -> None:  # fmt: skip
        """Waits for something that a rule demands."""
        limit = self.timeout if timeout is None else timeout
        if not self.peer.pump.run(condition, limit):
            text = seen() if callable(seen) else seen
            raise Broken(rule, expected, f"{text} within {limit:.0f} s")

    def poll(self, condition: Callable[[], bool], rule: str, expected: str) -> None:
        """Waits for something that doesn't show on a connection."""
        deadline = time.monotonic() + self.timeout
        while not condition():
            if time.monotonic() > deadline:
                raise Broken(rule, expected, f"nothing within {self.timeout:.0f} s")
            self.peer.pump.turn(POLL)

    def check(self, condition: bool, rule: str, expected: str, seen: str) -> None:
        """Demands something now."""
        if not condition:
            raise Broken(rule, expected, seen)

    def fence(self, *sessions: Session) -> None:
        """Lets the other side read all that was sent, and us all that it did at once because of that, also on others of
        its connections: so it is done twice."""
        for _ in range(2):
            if not self.peer.pump.fence(self.timeout, *sessions):
                raise Inconclusive("a ping of the multiplexer was not answered")

    def applications(self, session: Session) -> None:
        """Lets the other side's applications do what they can do: each of these echoes has to go through one."""
        live = self.open_echo(session)
        for _ in range(8):
            self.echo(live, 1)
        self.finish(live)

    def never(self, condition: Callable[[], bool], rule: str, expected: str, seen: str, *sessions: Session) -> None:
        """Demands that something has not happened when everything that was sent has been read."""
        self.fence(*sessions)
        self.check(not condition(), rule, expected, seen)

    # Connections and streams

    def dial(self) -> Session:
        """One more connection to the other side's listener."""
        address = self.other.address()
        if address is None:
            raise NotApplicable("it has no listener here")
        try:
            return self.peer.dial(address)
        except (Ended, Silence, OSError) as failure:
            raise Inconclusive(f"no connection: {failure}") from None

    def open_echo(self, session: Session, data: bytes = b"") -> Live:
        """A labelled echo stream whose negotiation is answered (SM-M1)."""
        return self.live(self.peer.open_labelled(session, ECHO, data), data)

    def open_xfer(self, session: Session, down: int, grants: bool = True) -> Live:
        """A labelled transfer of `down` bytes to us. `grants`: whether they are given window beyond the first."""
        header = bytes(8) + down.to_bytes(8, "big")
        labelled = self.peer.open_labelled(session, XFER, header, grants=grants)
        self.answered(labelled)
        return Live(labelled.stream, labelled.label)

    def live(self, labelled: Labelled, data: bytes = b"") -> Live:
        """Waits for the answer to a negotiation and for the echo of what went with it."""
        self.answered(labelled)
        live = Live(labelled.stream, labelled.label)
        self.expect(live.stream, data, "SM-W1")
        return live

    def answered(self, labelled: Labelled) -> None:
        """Waits for the answer to a negotiation."""
        stream = labelled.stream
        self.until(
            lambda: labelled.read_answer() or stream.is_broken, "SM-L1", f"the answer to the negotiation of {stream}"
        )
        self.check(not stream.is_broken, "SM-L1", f"{stream} to be served", "its reset")

    def answer(self, target: Target, rule: str = "SM-M3", timeout: float | None = None) -> Answer | None:
        """Waits for the answer on a target; None when it was reset."""
        stream = target.stream
        self.until(lambda: target.read_answer() or stream.is_broken, rule, f"an answer on {stream}", "none", timeout)
        return target.answer

    def acked(self, target: Target, rule: str = "SM-M3") -> Target:
        """Waits for consent."""
        answer = self.answer(target, rule)
        self.check(answer is not None, rule, f"consent on {target.stream}", "a reset")
        self.check(answer is not None and answer.accepts, rule, f"consent on {target.stream}", "a denial")
        return target

    def denied(self, target: Target, rule: str, or_reset: bool = False) -> None:
        """Waits for a denial."""
        answer = self.answer(target, rule)
        if answer is None and or_reset:
            return
        self.check(answer is not None, rule, f"a denial on {target.stream}", "a reset")
        self.check(answer is not None and not answer.accepts, rule, f"a denial on {target.stream}", "consent")

    def refused(self, stream: Stream, rule: str) -> None:
        """Waits for a stream's reset."""
        self.until(lambda: stream.is_broken, rule, f"{stream} to be reset")

    # Bytes

    def expect(self, stream: Stream, data: bytes, rule: str, timeout: float | None = None) -> None:
        """Waits for exactly these bytes."""
        self.until(
            lambda: len(stream.received) >= len(data) or stream.is_over, rule, f"{len(data)} bytes on {stream}",
            lambda: f"{len(stream.received)} bytes", timeout,
        )  # fmt: skip
        self.check(
            len(stream.received) >= len(data), rule, f"{len(data)} bytes on {stream}",
            f"its {'end' if stream.has_fin else 'reset'} behind {len(stream.received)} of them",
        )  # fmt: skip
        taken = stream.take(len(data))
        self.check(taken == data, "P1", f"the bytes of {stream} as they were written", "others")

    def echo(self, live: Live, count: int = 1000, rule: str = "P1") -> None:
        """Sends bytes and waits until they come back: the stream is alive."""
        self.check(not live.stream.is_broken, rule, f"{live.stream} to be alive", "its reset")
        data = random.randbytes(count)
        live.stream.send(data)
        self.expect(live.stream, data, rule)

    def send_all(self, stream: Stream, data: bytes, rule: str = "SM-M6") -> None:
        """Sends bytes as the windows let them go."""
        view = memoryview(data)
        while view:
            self.until(lambda: stream.credit > 0 or stream.is_broken, rule, f"window on {stream}")
            self.check(not stream.is_broken, rule, f"{stream} to take bytes", "its reset")
            count = min(stream.credit, len(view))
            stream.send(bytes(view[:count]))
            view = view[count:]

    def ended(self, stream: Stream, rule: str, what: str = "FIN") -> None:
        """Waits for FIN."""
        self.until(lambda: stream.has_fin or stream.is_broken, rule, f"{what} on {stream}")
        self.check(stream.has_fin, rule, f"{what} on {stream}", "its reset")

    def finish(self, live: Live, rule: str = "SM-M7") -> None:
        """Ends our side of an echo; the other side ends its own."""
        live.stream.fin()
        self.ended(live.stream, rule)
        self.check(not live.stream.received, "P1", "no byte behind the echo", f"{len(live.stream.received)} bytes")

    # Migration

    def ask(self, live: Live, session: Session, grants: bool = True) -> Target:
        """Asks to move a stream."""
        return self.peer.open_target(session, live.id, grants=grants)

    def held(self, target: Target, rule: str) -> None:
        """Demands that a Migrate is neither answered nor reset, though it has been read."""
        what = f"the Migrate on {target.stream} to be held"
        self.never(target.read_answer, rule, what, "an answer")
        self.check(not target.stream.is_over, rule, what, "its end")

    def hand_over(self, live: Live, target: Target) -> None:
        """What the initiator does on the Ack (SM-M4), and the wait for the responder's switch (SM-M5)."""
        source = live.stream
        if not source.sent_fin:
            source.fin()
        self.ended(source, "SM-M5", "FIN in return")
        live.stream, live.id = target.stream, target.migrate.id

    def move(self, live: Live, session: Session) -> Target:
        """Moves a stream, as the initiator, to another connection."""
        target = self.acked(self.ask(live, session))
        self.hand_over(live, target)
        return target

    # The other side's dialer

    def invite(self, attempts: int = 1, close: str = "after", count: int = 65_536) -> None:
        """Lets the other side dial us and do the case `migrate`."""
        arguments = ["--case", "migrate", "--count", str(attempts), "--close", close, "--bytes", str(count)]
        self.dialling = self.other.dial(self.peer.listen(), arguments)
        if self.dialling is None:
            raise NotApplicable("it has no dialer here")
        if not self.peer.pump.run(lambda: bool(self.peer.sessions), max(self.other.patience, self.timeout)):
            raise Inconclusive("nobody has dialled")

    def incoming(self, what: str, wanted: Callable[[Incoming], bool], rule: str) -> Incoming:
        """Waits for a stream that the other side opens, and takes it."""

        def found() -> Incoming | None:
            return next((one for one in self.peer.incoming if wanted(one)), None)

        self.until(lambda: found() is not None, rule, what)
        one = found()
        assert one is not None
        self.peer.incoming.remove(one)
        return one

    def invited(self, answers: bool = True) -> Incoming:
        """Waits for the dialer's labelled echo stream."""
        one = self.incoming("a labelled echo stream", lambda one: one.opening.protocol == ECHO, "SM-L1")
        self.check(one.opening.label is not None, "SM-L1", "a label on the echo stream", "none")
        if answers:
            one.agree()
        return one

    def asked(self) -> Incoming:
        """Waits for the dialer's Migrate."""
        return self.incoming("a Migrate", lambda one: one.opening.migrate is not None, "SM-M1")

    def finished_well(self, rule: str = "P3") -> dict[str, object] | None:
        """The dialer's result, which has to be good; None when nobody can know it."""
        result = self._result(rule)
        if result is not None:
            text = f"ok: false, {result.get('error')}, {result.get('stream_error')}"
            self.check(bool(result.get("ok")), rule, "the whole echo with a clean end at the dialer", text)
        return result

    def finished_badly(self, rule: str) -> dict[str, object] | None:
        """The dialer's result, which must not be good."""
        result = self._result(rule)
        if result is not None:
            self.check(not result.get("ok"), rule, "an error at the dialer", "a clean end")
        return result

    def attempts(self, result: dict[str, object] | None, rule: str, *expected: str) -> None:
        """How the dialer's attempts ended, as it says itself."""
        if result is not None:
            self.check(
                result.get("attempts") == list(expected), rule, f"attempts {expected}", f"{result.get('attempts')}"
            )

    def _result(self, rule: str) -> dict[str, object] | None:
        assert self.dialling is not None
        dialling = self.dialling
        box: list[dict[str, object] | None] = []

        def has_ended() -> bool:
            try:
                box.append(dialling.result(0))
            except TimeoutError:
                return False
            return True

        self.poll(has_ended, rule, "the dialer to come to an end")
        return box[0]

    def application_end(self, rule: str) -> None:
        """Demands that the application at the listener had no clean end (P4), where it tells."""
        if self.other.ends() is None:
            return
        self.poll(lambda: bool(self._own_ends()), rule, "the end of the stream at the application")
        clean = [line for line in self._own_ends() if line["end"] == "eof"]
        self.check(not clean, "P4", "an error at the application", f"a clean end: {clean}")

    def _own_ends(self) -> list[dict[str, object]]:
        """The ends of this scenario's streams: a line of the one before may come late, and has another peer in it."""
        peer = self.peer.identity.peer_id
        return [line for line in self.other.ends() or [] if line.get("peer", peer) == peer]
