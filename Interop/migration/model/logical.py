"""One side of a logical stream: the rules of one migration (SM-M1 to SM-M8, SM-F1 to SM-F5), level by level."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from stack.session import LARGEST_BODY, Session, Stream


class Application(Protocol):
    """What reads and writes a logical stream."""

    def wants(self) -> bool:
        """Whether it takes bytes now."""

    def receive(self, data: bytes) -> None:
        """Takes bytes."""

    def end(self) -> None:
        """The peer's bytes have ended, all of them delivered."""

    def work(self) -> None:
        """Does what it has to do by itself."""

    def failed(self, why: str) -> None:
        """The stream has ended with an error."""


class Logical:
    """A logical stream of this side."""

    def __init__(self, source: Stream, label: int | None, mutants: frozenset[str], is_lower: bool) -> None:
        self.source = source
        self.id = label
        self.is_lower = is_lower
        self.application: Application | None = None
        self.is_negotiated = True
        #: `initiator` or `responder` from the Ack on, until complete.
        self.role: str | None = None
        self.target: Stream | None = None
        self.target_id: int | None = None
        #: An own attempt whose answer is outstanding; and one that gave way.
        self.asking = False
        self.yielded: Stream | None = None
        self.is_denied = False
        self.is_tainted = False
        self.is_over = False
        self.error: str | None = None
        #: Told of every id that is finished, and of each attempt's outcome.
        self.on_finished: Callable[[int], None] = lambda label: None
        self.outcomes: list[str] = []
        self.moves = 0
        #: How many bytes have been framed, on all legs.
        self.framed = 0
        self._mutants = mutants
        self._out = bytearray()
        self._is_closed = False
        self._has_eof = False
        self._is_fin_behind_own: bool | None = None
        #: Streams that were left with bytes that the application has not read (SM-M6).
        self._behind: list[Stream] = []
        self._refilled: set[int] = set()

    # The application

    @property
    def unsent(self) -> int:
        """How many bytes wait to be framed."""
        return len(self._out)

    def write(self, data: bytes) -> None:
        """Writes bytes."""
        self._out += data

    def close(self) -> None:
        """Ends the write side."""
        self._is_closed = True

    # Migration

    @property
    def is_busy(self) -> bool:
        """Whether a migration is under way, or its reader is behind (SM-M1, SM-M6)."""
        return self.role is not None or self.asking or self.yielded is not None or bool(self._behind)

    def judge(self, from_id: int) -> str:
        """`accept`, `deny`, `hold` or `reset`: what becomes of a Migrate that names this stream."""
        if self.is_over:
            return "deny"
        if self.asking and from_id == self.target_id:
            return "reset" if "no-hold-for-own-target" in self._mutants else "hold"
        if self.role is not None and "accepts-while-incomplete" not in self._mutants:
            return "hold"
        if from_id != self.id and self.role is None:
            return "deny"
        if not self.is_negotiated or (self._behind and "third-window" not in self._mutants):
            return "hold"
        if not self.asking:
            return "accept"
        if self.is_lower:
            return "accept" if "glare-both-accept" in self._mutants else "deny"
        return "reset" if "glare-resets" in self._mutants else "accept"

    def accept(self, target: Stream, target_id: int) -> None:
        """Becomes the responder. The Ack goes out afterwards (SM-M3)."""
        if self.asking:
            self.yielded, self.asking = self.target, False
        self.is_denied = False
        self.role, self.target, self.target_id = "responder", target, target_id

    def ask(self, target: Stream, target_id: int) -> None:
        """Asks: the Migrate has been sent on the target."""
        self.asking, self.target, self.target_id = True, target, target_id

    def answered(self, accepts: bool) -> None:
        """The answer to an own attempt."""
        self.asking = False
        if accepts:
            self.is_tainted, self.role = False, "initiator"
            if not self.source.sent_fin and "keeps-the-source" not in self._mutants:
                self.source.fin()
            return
        assert self.target is not None and self.target_id is not None
        if not self.target.is_broken:
            self.target.fin()
        self.on_finished(self.target_id)
        self.target, self.target_id, self.is_denied = None, None, True
        self.outcomes.append("denied")
        if "denial-swallows-end" in self._mutants and self.source.has_fin:
            self._has_eof = True

    def attempt_failed(self) -> None:
        """The target was lost, or what came on it is no answer (SM-F2, SM-F7)."""
        if "silence-is-consent" in self._mutants:
            return self.answered(True)
        self.asking, self.is_tainted = False, True
        assert self.target is not None and self.target_id is not None
        if not self.target.is_broken:
            self.target.reset()
        self.on_finished(self.target_id)
        self.target, self.target_id = None, None
        self.outcomes.append("failed")

    def fail(self, why: str) -> None:
        """Ends the stream with an error, on every leg (SM-F3, SM-F9)."""
        if self.is_over:
            return
        for leg in (self.source, self.target, self.yielded):
            if leg is not None and not leg.is_broken and not leg.sent_reset:
                leg.reset()
        self._finish(why)

    def _finish(self, error: str | None) -> None:
        self.is_over, self.error = True, error
        for label in (self.id, self.target_id):
            if label is not None:
                self.on_finished(label)
        if error and self.application:
            self.application.failed(error)

    # Levels: what follows from the state

    def work(self) -> None:
        """Draws every consequence of what has come."""
        if self.is_over:
            return
        self._notice()
        for _ in range(4):
            if self.is_over:
                return
            self._read()
            if self.application:
                self.application.work()
            self._hand_over()
            self._write()
            self._settle()

    def write_early(self) -> None:
        """Bytes go out before the stream's own negotiation is answered; nothing can be read yet."""
        if not self.is_over:
            self._write()

    def _notice(self) -> None:
        source, target = self.source, self.target
        if source.has_fin and self._is_fin_behind_own is None:
            self._is_fin_behind_own = source.sent_fin
        if source.violation or (target and target.violation and self.role):
            return self.fail("data behind FIN")
        if self._has_eof and (source.received or (self.role and target and target.received)):
            return self.fail("data behind the end")
        has_passed = source.has_fin and source.sent_fin
        if source.is_broken and not (has_passed and (self.asking or self.role)):
            return self.fail("the stream was lost")
        if self.role and target and target.is_broken:
            if "goes-back" in self._mutants and self.role == "responder" and not source.has_fin:
                self.role = self.target = self.target_id = None
                return None
            return self.fail("the target was lost")
        if self.yielded and self.yielded.is_broken:
            self.yielded = None
        return None

    @property
    def _has_handed_over(self) -> bool:
        """Whether this side writes to the target."""
        if self.role == "initiator":
            return True
        return self.role == "responder" and self.source.has_fin and not self._waits_for_reader

    @property
    def _waits_for_reader(self) -> bool:
        return "switches-on-delivery" in self._mutants and bool(self.source.received or self._behind)

    def _legs(self) -> list[Stream]:
        """In the order in which their bytes are due."""
        legs = [*self._behind, self.source]
        is_due = self.source.has_fin and not self.source.received and not self._behind
        if self.role and self.target and (is_due or "target-first" in self._mutants):
            legs.append(self.target)
        return legs

    def _read(self) -> None:
        for leg in self._legs():
            while leg.received and self.application and self.application.wants():
                data = leg.take(LARGEST_BODY)
                if not leg.has_fin and not leg.is_broken:
                    leg.grant(len(data))
                self.application.receive(data)
            if leg.received and "target-first" not in self._mutants:
                break
        self._behind = [leg for leg in self._behind if leg.received]
        if "refills-early-window" in self._mutants and self.role and self.target and not self.source.has_fin:
            if self.target.received and self.target.number not in self._refilled:
                self._refilled.add(self.target.number)
                self.target.grant(len(self.target.received))

    def _hand_over(self) -> None:
        if self.role and self._has_handed_over and not self.source.sent_fin and "keeps-the-source" not in self._mutants:
            self.source.fin()

    def _write(self) -> None:
        leg = self.source
        if self._has_handed_over and self.target is not None and "keeps-the-source" not in self._mutants:
            leg = self.target
        if leg.is_broken or leg.sent_fin:
            return
        while self._out and leg.credit > 0:
            count = min(leg.credit, len(self._out), LARGEST_BODY)
            data = bytes(self._out[:count])
            del self._out[:count]
            leg.send(data)
            self.framed += count
        is_mirrored = leg is self.target or self.moves > 0
        if self._is_closed and not self._out and not (is_mirrored and "fin-not-mirrored" in self._mutants):
            leg.fin()

    def _settle(self) -> None:
        if self.role and self.source.has_fin and self.source.sent_fin:
            self._complete()
        if "every-fin-closes" in self._mutants and self.source.has_fin and not self.source.sent_fin and not self.role:
            self.source.fin()
            self._is_closed = True
            self._out.clear()
        is_read = self.source.has_fin and not self.source.received and not self._behind
        is_end = is_read and not self.role and (not self.asking or "fin-not-held" in self._mutants)
        if "hand-off-is-eof" in self._mutants and self.role == "responder" and is_read:
            is_end = True
        if is_end and not self._has_eof:
            if self.is_tainted and self._is_fin_behind_own and "no-taint" not in self._mutants:
                return self.fail("the end is in doubt")
            self._has_eof = True
            if self.application:
                self.application.end()
        is_done = is_end and self.source.sent_fin and self._has_eof and self._is_closed
        if is_done and not self._out and not self.asking:
            self._finish(None)
        return None

    def _complete(self) -> None:
        assert self.target is not None and self.id is not None
        if "hand-off-is-eof" in self._mutants and self.role == "responder" and not self._has_eof:
            self._has_eof = True
            if self.application:
                self.application.end()
        old, role = self.source, self.role
        if old.received:
            self._behind.append(old)
        self.on_finished(self.id)
        self.source, self.id = self.target, self.target_id
        self.target = self.target_id = self.role = None
        self.is_tainted, self._is_fin_behind_own = False, None
        self.moves += 1
        self.outcomes.append("completed")
        self._prune(old.session, role)

    def _prune(self, old: Session, role: str | None) -> None:
        """Wrong variants only: nobody closes a connection here."""
        if old is not self.source.session and f"{role}-prunes" in self._mutants:
            old.abort()
