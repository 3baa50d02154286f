"""The scripted migration peer: its messages, its transcript, and whether its scenarios can fail."""

from __future__ import annotations

import io
import time
import unittest
import unittest.mock
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from migration import opening, scenarios
from migration.context import Context
from migration.execute import Outcome, execute
from migration.messages import Answer, Dialect, Label, Malformed, Message, Migrate, decode, encode, split
from migration.model.applications import Echo
from migration.model.logical import Logical
from migration.model.mutants import BY_NAME, MUTANTS, Mutant
from migration.model.poc import LONGEST, ProofOfConceptSide
from migration.model.side import ModelSide
from migration.peer import ScriptedPeer
from migration.registry import SCENARIOS, Cell, cells
from migration.scenarios.parts import BYTES
from migration.sides import AddressSide
from migration.transcript import Transcript
from migration.verdict import Broken
from peers.contract import ECHO
from stack import multistream
from stack.identity import Identity
from stack.multistream import HEADER
from stack.session import Pump, Session
from stack.yamux import Flag, Frame

#: Seconds for one wait: the model is in this process.
PATIENCE = 5.0
#: The same where a wrong variant may leave the scenario waiting.
SHORT = 1.0
#: How long a late one hesitates, in seconds.
LATE = 0.05
#: How long an application sleeps that nobody wakes, in seconds: longer than the script takes to fill a window.
NAP = 0.3
#: Scenarios whose deadline the model doesn't keep.
QUICK = 10.0


class MessageTests(unittest.TestCase):
    VECTORS: tuple[tuple[Message, str], ...] = (
        (Label(0), "040a020800"),
        (Migrate(2, 0), "06120408021000"),
        (Answer(True, is_bare=False), "021a00"),
        (Answer(False, is_bare=False), "041a020801"),
        (Answer(True, is_bare=True), "00"),
        (Answer(False, is_bare=True), "020801"),
    )

    def test_vectors(self) -> None:
        for message, wire in self.VECTORS:
            self.assertEqual(encode(message).hex(), wire)
            whole = split(bytes.fromhex(wire) + b"behind")
            assert whole is not None
            self.assertEqual(decode(whole[0], is_answer=isinstance(message, Answer)), message)

    def test_no_consent_by_mistake(self) -> None:
        for body in ("0a020807", "2200", "ffffff"):
            with self.assertRaises((Malformed, ValueError)):
                answer = decode(bytes.fromhex(body), is_answer=True)
                if not isinstance(answer, Answer):
                    raise Malformed

    def test_a_message_in_pieces(self) -> None:
        wire = encode(Migrate(1 << 60, 300))
        for count in range(len(wire)):
            self.assertIsNone(split(wire[:count]))

    def test_openings(self) -> None:
        flight = multistream.lines(HEADER, Dialect.DRAFT.protocol) + encode(Label(7)) + multistream.lines(HEADER, ECHO)
        for count in range(len(flight)):
            self.assertFalse(opening.read(flight[:count]).is_whole)
        found = opening.read(flight + b"bytes")
        self.assertEqual((found.label, found.protocol, found.end), (7, ECHO, len(flight)))

    def test_small_ids_fit_the_proof_of_concept(self) -> None:
        self.assertLessEqual(len(encode(Migrate((1 << 14) - 1, (1 << 14) - 2))) - 1, LONGEST)
        self.assertGreater(len(encode(Migrate(1 << 14, 1))) - 1, LONGEST - 1)


class CatalogueTests(unittest.TestCase):
    def test_enough_and_told(self) -> None:
        self.assertTrue(scenarios.__all__)
        self.assertGreaterEqual(len(SCENARIOS), 50)
        for one in SCENARIOS.values():
            self.assertTrue(one.rules, one.name)
            self.assertTrue(one.summary.endswith("."), one.name)

    def test_each_mutant_has_its_scenario(self) -> None:
        self.assertGreaterEqual(len(MUTANTS), 10)
        for mutant in MUTANTS:
            self.assertIn(mutant.caught_by, SCENARIOS)


def _draft_cells() -> list[Cell]:
    """Each scenario in one of its roles, the orders by turns."""
    chosen = {}
    for index, cell in enumerate(cells((Dialect.DRAFT,))):
        if cell.scenario.lasts <= QUICK and (cell.scenario.name not in chosen or index % 4 == 1):
            chosen[cell.scenario.name] = cell
    return list(chosen.values())


class ModelTests(unittest.TestCase):
    """The correct far side passes all; each wrong one is caught by the scenario that is there for it."""

    def test_the_correct_one_passes(self) -> None:
        side = ModelSide()
        try:
            outcomes = [execute(cell, side, PATIENCE) for cell in _draft_cells()]
        finally:
            side.close()
        self.assertEqual([(one.cell.name, one.text) for one in outcomes if one.status != "pass"], [])

    def test_the_proof_of_concept_gets_along_with_its_dialect(self) -> None:
        side = ProofOfConceptSide()
        try:
            outcomes = [execute(cell, side, PATIENCE) for cell in cells((Dialect.POC,))]
            draft = next(cell for cell in cells((Dialect.DRAFT,)) if cell.scenario.name == "under-the-other-name")
            lost = execute(draft, side, SHORT)
        finally:
            side.close()
        self.assertEqual([(one.cell.name, one.text) for one in outcomes if one.status != "pass"], [])
        self.assertEqual(lost.status, "FAIL", "a flight as the draft has it must be lost on it")

    def test_each_mutant_is_caught(self) -> None:
        with ThreadPoolExecutor(4) as pool:
            for mutant, outcome in zip(MUTANTS, pool.map(self._catch, MUTANTS), strict=True):
                with self.subTest(mutant.name):
                    self.assertEqual(outcome.status, "FAIL", mutant.what)
                    self.assertIn(outcome.rule, mutant.rules, outcome.text)

    def test_a_cut_behind_the_pong_is_caught(self) -> None:
        """FIN on the source and the ping come to the model in one piece: it answers the ping, and acts on FIN later."""
        mutant = BY_NAME["initiator-prunes"]
        with (
            unittest.mock.patch.object(Session, "send", _FINWithTheNext(Session.send).send),
            unittest.mock.patch.object(Pump, "turn", _late_turn(Pump.turn)),
            unittest.mock.patch.object(Logical, "work", _late(Logical.work)),
        ):
            outcome = self._catch(mutant)
        self.assertEqual((outcome.status, outcome.rule), ("FAIL", *mutant.rules), outcome.text)

    def test_an_application_may_be_late(self) -> None:
        """Its window is full before it has read anything: the window says nothing about what it has no room for."""
        cell = next(one for one in _draft_cells() if one.scenario.name == "they-read-slowly")
        with unittest.mock.patch.object(Echo, "wants", _asleep(Echo.wants)):
            side = ModelSide()
            try:
                outcome = execute(cell, side, PATIENCE)
            finally:
                side.close()
        self.assertEqual((outcome.status, outcome.text), ("pass", ""))

    @staticmethod
    def _catch(mutant: Mutant) -> Outcome:
        cell = next(one for one in cells((Dialect.DRAFT,)) if one.scenario.name == mutant.caught_by)
        side = ModelSide(frozenset([mutant.name]))
        try:
            return execute(cell, side, SHORT)
        finally:
            side.close()


def _late(work: Callable[[Logical], None]) -> Callable[[Logical], None]:
    """What has been read is acted on later."""

    def act(logical: Logical) -> None:
        time.sleep(LATE)
        work(logical)

    return act


def _late_turn(turn: Callable[[Pump, float], None]) -> Callable[[Pump, float], None]:
    """The model reads later, and so all at once what the script has sent meanwhile."""

    def read(pump: Pump, timeout: float) -> None:
        if not any(isinstance(session.observer, Transcript) for session in pump.sessions):
            time.sleep(LATE)
        turn(pump, timeout)

    return read


def _asleep(wants: Callable[[Echo], bool]) -> Callable[[Echo], bool]:
    """An application that sleeps until there are bytes on the target of a migration, or nothing happens for a while."""
    since: dict[Echo, float] = {}

    def decide(echo: Echo) -> bool:
        target = echo.stream.target
        if target is not None and target.total > 0:
            since[echo] = 0
        return time.monotonic() > since.setdefault(echo, time.monotonic() + NAP) and wants(echo)

    return decide


class _FINWithTheNext:
    """Lets the script's FIN behind a whole echo wait for the connection's next frames, and go in one write with them."""

    def __init__(self, send: Callable[..., None]) -> None:
        self._send = send
        self._held: dict[Session, tuple[Frame, ...]] = {}

    @property
    def send(self) -> Callable[..., None]:
        """What stands in for `Session.send`."""

        def send(session: Session, *frames: Frame) -> None:
            frames = (*self._held.pop(session, ()), *frames)
            last = frames[-1]
            is_ours = isinstance(session.observer, Transcript)
            if is_ours and last.has(Flag.FIN) and session.streams[last.stream].payload == BYTES:
                self._held[session] = frames
            else:
                self._send(session, *frames)

        return send


class _Ends(AddressSide):
    """A side whose application has told of these ends."""

    def __init__(self, *lines: dict[str, object]) -> None:
        super().__init__(None)
        self._lines = list(lines)

    def ends(self) -> list[dict[str, object]]:
        """See `OtherSide.ends`."""
        return self._lines


class ApplicationTests(unittest.TestCase):
    def setUp(self) -> None:
        self.peer = ScriptedPeer(Identity(), Transcript())
        self.addCleanup(self.peer.close)

    def _ends(self, *lines: dict[str, object]) -> None:
        Context(self.peer, _Ends(*lines), SHORT).application_end("P4")

    def test_a_late_line_of_the_scenario_before_is_not_taken_for_this_ones(self) -> None:
        own = {"end": "reset", "peer": self.peer.identity.peer_id}
        self._ends({"end": "eof", "peer": Identity().peer_id}, own)
        with self.assertRaises(Broken):
            self._ends({"end": "eof", "peer": Identity().peer_id}, {**own, "end": "eof"})

    def test_a_program_that_does_not_say_who_it_was_is_believed(self) -> None:
        self._ends({"end": "error"})
        with self.assertRaises(Broken):
            self._ends({"end": "error"}, {"end": "eof"})


class TranscriptTests(unittest.TestCase):
    def test_both_forms_tell_the_messages(self) -> None:
        cell = next(one for one in cells((Dialect.DRAFT,)) if one.scenario.name == "moves")
        side = ModelSide()
        try:
            outcome = execute(cell, side, PATIENCE)
        finally:
            side.close()
        text, lines = io.StringIO(), io.StringIO()
        outcome.transcript.write_text(text)
        outcome.transcript.write_json(lines)
        for form in (text, lines):
            for said in ("Label(id=", "Migrate(id=", "Answer(accepts=True", "FIN"):
                self.assertIn(said, form.getvalue())
