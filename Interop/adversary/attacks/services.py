"""Attacks on identify, identify push and signed records."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence

from adversary.attacker import GONE, Attacker
from adversary.attacks.certificates import huge_rsa_key
from adversary.network import VICTIM
from adversary.peer import PUSH, delimited, identification, peer_record, serve_identify
from adversary.session import Session, Stream
from adversary.syns import Counting
from harness.process import Line
from peers.contract import IDENTIFY
from stack import multistream
from stack.identity import Identity
from stack.yamux import Flag

_ADDRESSES = [f"/ip4/11.251.{index // 200}.{1 + index % 200}/tcp/4001" for index in range(500)]
_WRONG, _RIGHT, _FLOOD = "wrong", "right", "flood"


def told(events: Mapping[str, Sequence[Line]]) -> dict[str, float]:
    """How many identifications the target has believed, by what their agent says of them."""
    agents = [str(line.get("agent")) for line in events.get("identified", [])]
    return {
        "wrong ones believed": sum(agent.startswith(_WRONG) for agent in agents),
        "right ones believed": sum(agent.startswith(_RIGHT) for agent in agents),
        "pushes believed": sum(agent.startswith(_FLOOD) for agent in agents),
    }


def push_flood(attacker: Attacker) -> None:
    """Identify pushes with as many addresses as are allowed, without end."""
    identity = Identity()
    session = attacker.session(identity)
    done = 0
    while attacker.going(done):
        message = delimited(identification(identity, _ADDRESSES[:300], agent=f"{_FLOOD} {done}"))
        with contextlib.suppress(*GONE):
            if session.ended:
                session = attacker.session(identity)
            stream = session.open()
            stream.send(multistream.lines(multistream.HEADER, PUSH) + message, Flag.FIN)
            session.pump(lambda stream=stream: stream.is_over, 2)
            attacker.count("reset", stream.has_reset)
            session.streams.pop(stream.number, None)
        attacker.begun()
        done += 1
    attacker.facts["pushes"] = done
    session.abort()


def request_flood(attacker: Attacker) -> None:
    """Asks the target who it is, over and over, a hundred at a time."""
    session = attacker.session()
    done = 0
    while attacker.going(done):
        with contextlib.suppress(*GONE):
            if session.ended:
                session = attacker.session()
            streams = [session.open() for _ in range(100)]
            for stream in streams:
                stream.send(multistream.lines(multistream.HEADER, IDENTIFY), Flag.FIN)
            for stream in streams:
                session.pump(lambda stream=stream: stream.is_over, 5)
                session.streams.pop(stream.number, None)
        attacker.begun()
        done += 100
    attacker.facts["requests"] = done
    session.abort()


def endless(attacker: Attacker) -> None:
    """An answer to identify that never ends: messages of 8 KiB without number, and one that says it is of 2 GiB."""

    def answer(stream: Stream) -> None:
        chunk = delimited(identification(Identity(), _ADDRESSES[:300]))
        if attacker.facts.get("answers", 0) % 2:
            chunk = b"\xff\xff\xff\xff\x07" + bytes(1 << 14)
        attacker.count("answers")
        for _ in range(64):
            if stream.has_reset:
                return
            stream.send(chunk)
            with contextlib.suppress(*GONE):
                stream.session.pump(lambda: stream.has_reset, 0.005)
            attacker.count("KiB", len(chunk) / 1024)

    _with_identify(attacker, lambda identity: b"", answer)


def strangers(attacker: Attacker) -> None:
    """New peers without end, each with 500 addresses and a signed record of them."""

    def message(identity: Identity) -> bytes:
        record = peer_record(identity, identity.public_key, identity.multihash, _ADDRESSES[:150])
        return identification(identity, _ADDRESSES[:150], agent=_RIGHT, record=record)

    _with_identify(attacker, message)


def cross_signed(attacker: Attacker) -> None:
    """Records signed by another peer, about another, or cut short; each points at a third party."""
    counting = Counting()

    def message(identity: Identity) -> bytes:
        other = Identity()
        victim = [f"/ip4/{VICTIM}/tcp/4001"]
        records = [
            peer_record(other, other.public_key, other.multihash, victim),
            peer_record(other, identity.public_key, identity.multihash, victim),
            peer_record(other, other.public_key, identity.multihash, victim),
            peer_record(identity, identity.public_key, other.multihash, victim),
            peer_record(identity, identity.public_key, identity.multihash, victim)[:-3],
        ]
        return identification(identity, victim, agent=_RIGHT, record=records[int(attacker.facts.get("peers", 0)) % 5])

    _with_identify(attacker, message)
    attacker.facts["SYNs at the victim"] = counting.at(VICTIM)


def wrong_key(attacker: Attacker) -> None:
    """Identifications with another peer's key, a huge RSA key, or none that is one; first a right one."""

    def message(identity: Identity) -> bytes:
        index = int(attacker.facts.get("peers", 0))
        if index == 0:
            return identification(identity, agent=_RIGHT)
        keys = (Identity().public_key, huge_rsa_key(16_384), b"\x08\x01\x12\x02xx", bytes(100))
        return identification(identity, agent=_WRONG, key=keys[index % 4])

    _with_identify(attacker, message)


def _with_identify(
    attacker: Attacker, message: Callable[[Identity], bytes], answer: Callable[[Stream], None] | None = None
) -> None:
    """Connects again and again, each time as somebody else, and answers the target's question who that is."""
    done = 0
    while attacker.going(done):
        with contextlib.suppress(*GONE):
            identity = Identity()
            session = attacker.session(identity)
            serve_identify(session, message(identity))
            if answer:
                session.handlers[IDENTIFY] = answer
            attacker.begun()
            _await_answered(session)
            session.abort()
        attacker.count("peers")
        done += 1


def _await_answered(session: Session) -> None:
    """Waits until the target has read our answer, or refused it."""

    def is_over() -> bool:
        return any(
            not stream.number % 2 and stream.is_negotiated and stream.is_over for stream in session.streams.values()
        )

    with contextlib.suppress(*GONE):
        session.pump(is_over, 2)
        # It has looked at the answer when it answers what came behind it.
        session.request("/ipfs/ping/1.0.0", bytes(32)).read(32)
