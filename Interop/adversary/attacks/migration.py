"""Attacks on stream migration, by the rules that they break."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable

from adversary.attacker import GONE, Attacker, take_turns
from adversary.peer import MIGRATION, ask_migration, denied, dial_through, echoes, label, migrate, open_labelled
from adversary.session import Session, Stream
from peers.wire import decode_peer_id
from stack import multistream
from stack.identity import Identity
from stack.link import Ended, Silence

#: What a target answers to the first line, before it judges a Migrate.
_HEAD = multistream.lines(multistream.HEADER, MIGRATION)
#: An id that nobody has given.
_UNKNOWN = 999_999


class Numbers:
    """Ids of the right parity (SM-L2)."""

    def __init__(self, identity: Identity, target: str) -> None:
        self._next = 1_000 if identity.multihash < decode_peer_id(target) else 1_001

    def take(self) -> int:
        """The next one."""
        self._next += 2
        return self._next


def label_flood(attacker: Attacker) -> None:
    """Labelled streams without end, each kept."""
    attacker.facts["labels"] = _flood(attacker, label, "live at once")


def migrate_flood(attacker: Attacker) -> None:
    """Migrates from unknown ids as fast as they are refused."""
    attacker.facts["migrates"] = _flood(attacker, lambda number: migrate(number, _UNKNOWN), "held at once")


def _flood(attacker: Attacker, flight: Callable[[int], bytes], kept: str) -> int:
    """Streams of one peer, each with a number of its own, and how many the target keeps at once; the count of all."""
    identity = Identity()
    numbers, session = Numbers(identity, attacker.target_id), attacker.session(identity)
    done = 0
    while attacker.going(done):
        with contextlib.suppress(*GONE):
            if session.ended:
                session = attacker.session(identity)
                attacker.count("connections")
            for _ in range(50):
                session.open().send(flight(numbers.take()))
            session.idle(0.01)
        attacker.begun()
        done += 50
        live = sum(bool(stream.buffer) and not stream.is_over for stream in session.streams.values())
        attacker.note_longest(kept, live)
    session.abort()
    return done


def held_migrates(attacker: Attacker) -> None:
    """Migrates from ids that nobody knows: some are held for a while, the rest is refused at once (SM-F6, SM-F10)."""
    identity = Identity()
    numbers, session = Numbers(identity, attacker.target_id), attacker.session(identity)
    began = time.monotonic()
    streams = [session.open() for _ in range(attacker.wanted)]
    for stream in streams:
        stream.send(migrate(numbers.take(), _UNKNOWN))
    attacker.begun()
    session.idle(1.0)
    attacker.facts["held at once"] = sum(not stream.is_over for stream in streams)
    attacker.await_ends(streams, began, session)
    session.abort()


def foreign_ids(attacker: Attacker) -> None:
    """One peer labels streams, another asks to move them (SM-L3): nothing is accepted, nothing is harmed."""
    owner, thief = Identity(), Identity()
    owned = attacker.session(owner)
    theirs = Numbers(owner, attacker.target_id)
    own = Numbers(thief, attacker.target_id)
    number = theirs.take()
    stream = open_labelled(owned, number)
    attacker.facts["accepted"] = attacker.facts["harmed"] = 0
    done = 0
    while attacker.going(done):
        session = attacker.session(thief)
        with contextlib.suppress(*GONE):
            # Held or refused, as every unknown id: only an acceptance is a theft.
            attacker.count("accepted", ask_migration(session, own.take(), number, 0.2))
        session.abort()
        attacker.begun()
        attacker.count("harmed", not echoes(stream))
        done += 1
    attacker.facts["tries"] = done
    owned.abort()


def wrong_ids(attacker: Attacker) -> None:
    """Migrates with the target's parity, to themselves, with live ids, and labels with live ids (SM-L4)."""
    identity = Identity()
    numbers, session = Numbers(identity, attacker.target_id), attacker.session(identity)
    number, other = numbers.take(), numbers.take()
    stream, second = open_labelled(session, number), open_labelled(session, other)
    attacker.facts["accepted"] = attacker.facts["harmed"] = 0
    done = 0
    while attacker.going(done):
        wrong = (numbers.take() + 1, number), (number, number), (other, number)
        with contextlib.suppress(Ended, Silence):
            attacker.count("accepted", ask_migration(session, *wrong[done % 3], 0.5))
        with contextlib.suppress(Ended, Silence):
            open_labelled(session, number)
            attacker.count("accepted")
        attacker.begun()
        attacker.count("harmed", not (echoes(stream) and echoes(second)))
        done += 1
        if done % 50 == 0:  # so many resets of the target's own it answers with a goodbye: begin anew
            session.abort()
            session = attacker.session(identity)
            number, other = numbers.take(), numbers.take()
            stream, second = open_labelled(session, number), open_labelled(session, other)
    session.abort()


def ping_pong(attacker: Attacker) -> None:
    """Moves one stream to and fro between two connections as fast as it goes, and uses it in between."""
    identity = Identity()
    numbers = Numbers(identity, attacker.target_id)
    sessions = [attacker.session(identity), attacker.session(identity)]
    number = numbers.take()
    stream = open_labelled(sessions[0], number)
    done = 0
    attacker.facts["harmed"] = 0
    while attacker.going(done):
        target = sessions[(done + 1) % 2]
        moved = _move(stream, target, numbers.take(), number)
        if moved is None:
            attacker.count("refused")
            break
        stream, number = moved
        attacker.begun()
        attacker.count("harmed", not echoes(stream, b"round %d" % done))
        done += 1
    attacker.facts["migrations"] = done
    for session in sessions:
        session.abort()


def _move(stream: Stream, session: Session, number: int, source: int) -> tuple[Stream, int] | None:
    """One whole migration as the initiator: Migrate, its acceptance, both FINs on the source."""
    target = session.open()
    target.send(migrate(number, source))
    target.read(len(_HEAD))
    answer = target.read_message()
    if answer != b"\x1a\x00":
        return None
    stream.finish()
    stream.session.pump(lambda: stream.is_over, 5)
    if not stream.has_fin or stream.buffer:
        return None
    return target, number


def downgrade(attacker: Attacker) -> None:
    """Asks to move a stream from a direct connection to one through a relay: it is denied, and the stream lives."""
    identity = Identity()
    numbers = Numbers(identity, attacker.target_id)
    direct = attacker.session(identity)
    number = numbers.take()
    stream = open_labelled(direct, number)
    attacker.facts["accepted"] = attacker.facts["harmed"] = 0
    relayed = dial_through(attacker, attacker.relay, attacker.target_id, identity)
    done = 0
    while attacker.going(done):
        target = relayed.open()
        target.send(migrate(numbers.take(), number))
        attacker.begun()
        # The target asks the direct connection for a sign of life first; it gets one.
        take_turns(lambda target=target: len(target.buffer) > len(_HEAD) or target.is_over, 10, direct, relayed)
        target.read(len(_HEAD))
        is_denied = denied(target.read_message())
        attacker.count("denied" if is_denied else "accepted")
        attacker.count("harmed", not echoes(stream))
        done += 1
    direct.abort()


def malformed(attacker: Attacker) -> None:
    """Messages past every limit, labels in labels, answers in place of questions (SM-W1, SM-F7)."""
    flights = (
        b"\x00", b"\x02\x0a\x00", b"\x81\x08" + bytes(1025), b"\xff\xff\xff\xff\x0f", b"\x02\x1a\x00",
        b"\x04\x1a\x02\x08\x01", b"\x0c\x0a\x0a\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", bytes(100),
    )  # fmt: skip
    identity = Identity()
    session = attacker.session(identity)
    done = 0
    attacker.facts["unrefused"] = 0
    while attacker.going(done):
        with contextlib.suppress(*GONE):
            if session.ended:
                session = attacker.session(identity)
            stream = session.open()
            # Behind a label that is well-formed a negotiation follows; nonsense there is refused as well.
            stream.send(_HEAD + flights[done % len(flights)] + b"\xff\xff\xff")
            session.pump(lambda stream=stream: stream.is_over, 2)
            attacker.count("unrefused", not (stream.has_reset or session.ended))
        attacker.begun()
        done += 1
    attacker.facts["tries"] = done
    session.abort()
