"""Abuse of a relay, and of a host that listens through one."""

from __future__ import annotations

import contextlib
import time

from adversary import network
from adversary.attacker import GONE, Attacker, take_turns
from adversary.network import VICTIM
from adversary.peer import (
    CONNECT, DCUTR, HOP, OK, RESERVE, STATUS, STOP, ask_circuit, delimited, dial_through, identification, reserve,
    serve_identify, status,
)  # fmt: skip
from adversary.session import Session, Stream
from adversary.syns import Counting
from peers.wire import encode_message, encode_multiaddr
from stack import multistream
from stack.identity import Identity


def reservations(attacker: Attacker) -> None:
    """Everybody reserves: many peers of one address first, then of as many networks as it takes."""
    alone = [_reserve(attacker, network.source(0)) for _ in range(30)]
    attacker.facts["granted to one address"] = sum(session is not None for session in alone)
    held = [session for session in alone if session]
    attacker.begun()
    done = 0
    while attacker.going(done):
        if done < attacker.wanted and (session := _reserve(attacker, network.source(1 + done))):
            held.append(session)
        done += 1
        if done >= attacker.wanted:
            time.sleep(0.01)
    attacker.facts["granted"] = len(held)
    for session in held:
        session.abort()


def _reserve(attacker: Attacker, address: str) -> Session | None:
    """A session with a reservation, or nothing."""
    try:
        session = attacker.session(source=lambda index: address)
    except GONE:
        return None
    with contextlib.suppress(*GONE):
        if reserve(session) == OK:
            return session
    session.abort()
    return None


def renewals(attacker: Attacker) -> None:
    """One peer asks for its reservation over and over: it gets four at once, and then one in ten seconds."""
    identity = Identity()
    session: Session | None = None
    granted, began = 0, 0.0
    done = 0
    while attacker.going(done):
        with contextlib.suppress(*GONE):
            if session is None or session.ended:
                session = attacker.session(identity)
                granted, began = 0, time.monotonic()
            granted += reserve(session) == OK
        attacker.note_longest("granted beyond the rate", granted - 4 - (time.monotonic() - began) / 10)
        attacker.begun()
        done += 1
    attacker.facts["requests"] = done
    if session:
        session.abort()


def circuits(attacker: Attacker) -> None:
    """As many circuits as it takes, from one peer to another, both the attacker's."""
    far = attacker.session(identity := Identity())
    far.handlers[STOP] = _accept
    reserve(far)
    near = attacker.session()
    held: list[Stream] = []
    done = 0
    while attacker.going(done):
        with contextlib.suppress(*GONE):
            stream, answer = _circuit(near, far, identity)
            if answer == OK:
                held.append(stream)
            else:
                stream.reset()
        attacker.begun()
        done += 1
        attacker.note_longest("open at once", sum(not stream.is_over for stream in held))
    attacker.facts["requests"] = done
    near.abort()
    far.abort()


def _accept(stream: Stream) -> None:
    stream.read_message()
    stream.send(delimited(encode_message((1, 1), (4, OK))))


def _circuit(near: Session, far: Session, identity: Identity) -> tuple[Stream, int]:
    """Asks for a circuit while the far end, the attacker's too, answers."""
    wanted = encode_message((1, CONNECT), (2, encode_message((1, identity.multihash))))
    stream = near.open()
    head = multistream.lines(multistream.HEADER, HOP)
    stream.send(head + delimited(wanted))
    take_turns(lambda: len(stream.buffer) > len(head) or stream.is_over, 5, far, near)
    stream.read(len(head))
    return stream, status(stream.read_message())


def oversize(attacker: Attacker) -> None:
    """A circuit that is to carry much more than it may."""
    far = attacker.session(identity := Identity())
    taken: list[Stream] = []

    def accept(stream: Stream) -> None:
        _accept(stream)
        taken.append(stream)

    far.handlers[STOP] = accept
    reserve(far)
    near = attacker.session()
    done = 0
    while attacker.going(done):
        stream, answer = _circuit(near, far, identity)
        attacker.begun()
        carried = 0
        if answer == OK:
            with contextlib.suppress(*GONE):
                stream.send(bytes(240 << 10))
            take_turns(lambda: taken[-1].is_over, 3, far, near)
            carried = len(taken[-1].buffer)
        else:
            attacker.count("refused")
        attacker.note_longest("KiB carried", carried / 1024)
        done += 1
    near.abort()
    far.abort()


def stalled(attacker: Attacker) -> None:
    """Circuits to a peer that never answers: each request ends, and the places come back."""
    far = attacker.session(identity := Identity())
    far.handlers[STOP] = lambda stream: None
    reserve(far)
    near = attacker.session()
    began = time.monotonic()
    wanted = delimited(encode_message((1, CONNECT), (2, encode_message((1, identity.multihash)))))
    streams = [near.open() for _ in range(attacker.wanted)]
    for stream in streams:
        stream.send(multistream.lines(multistream.HEADER, HOP) + wanted)
    attacker.begun()
    attacker.await_ends(streams, began, far, near)
    near.abort()
    far.abort()


def half_request(attacker: Attacker) -> None:
    """Requests to a relay that stop in their middle."""
    session = attacker.session()
    began = time.monotonic()
    streams = [session.open() for _ in range(attacker.wanted)]
    for stream in streams:
        stream.send(multistream.lines(multistream.HEADER, HOP) + b"\x20\x08")
    attacker.begun()
    attacker.await_ends(streams, began, session)
    session.abort()


def over_relay(attacker: Attacker) -> None:
    """Asks a relay for a reservation and for a circuit, through another relay."""
    attacker.facts["granted"] = 0
    done = 0
    while attacker.going(done):
        with contextlib.suppress(*GONE):
            through = dial_through(attacker, attacker.relay, attacker.target_id, Identity())
            attacker.count("granted", reserve(through) == OK)
            attacker.count("refused")
            _, answer = ask_circuit(through, Identity().peer_id)
            attacker.count("granted", answer == OK)
            through.connection.tcp.session.abort()  # type: ignore[attr-defined]
        attacker.begun()
        done += 1


def malformed(attacker: Attacker) -> None:
    """Requests that are none: other types, peers that are no ids, times and limits past all bounds."""
    flights = (
        encode_message((1, 77)), encode_message((1, STATUS), (5, OK)), encode_message((1, CONNECT)),
        encode_message((1, CONNECT), (2, encode_message((1, bytes(300))))),
        encode_message((1, RESERVE), (3, encode_message((1, (1 << 64) - 1), (3, bytes(3000))))),
        encode_message((1, CONNECT), (2, b"\x0a\x22\x12\x20" + bytes(32)), (4, b"\x08\xff\xff\xff\xff\x0f")),
        bytes(4096), b"\xff" * 20,
    )  # fmt: skip
    session = attacker.session()
    done = 0
    while attacker.going(done):
        with contextlib.suppress(*GONE):
            if session.ended:
                session = attacker.session()
            stream = session.request(HOP, delimited(flights[done % len(flights)]))
            answer = status(stream.read_message(2))
            attacker.count("circuits granted", answer == OK and done % len(flights) != 4)
        attacker.begun()
        done += 1
    attacker.facts.setdefault("circuits granted", 0)
    session.abort()


# A host that is reached through a relay is made to dial.


def punches(attacker: Attacker) -> None:
    """Announces, to a host behind a relay, third parties, private and relayed addresses as its own: who gets how many
    SYNs?
    """
    counting = Counting()
    victims = [f"/ip4/{VICTIM}/tcp/{4000 + index}" for index in range(100)]
    private = [f"/ip4/192.168.7.{1 + index}/tcp/80" for index in range(50)] + [
        "/ip4/10.1.2.3/tcp/22",
        "/ip4/127.0.0.1/tcp/22",
    ]
    relayed = [f"/ip4/11.250.9.9/tcp/4001/p2p/{Identity().peer_id}/p2p-circuit"]
    done = 0
    while attacker.going(done):
        identity = Identity()
        with contextlib.suppress(*GONE):
            session = dial_through(attacker, attacker.relay, attacker.target_id, identity)
            serve_identify(session, identification(identity, private + relayed + victims))
            session.handlers[DCUTR] = lambda stream: _answer_punch(stream, private + relayed + victims)
            attacker.begun()
            session.idle(4.0 if done == 0 else 1.0)
            session.connection.tcp.session.abort()  # type: ignore[attr-defined]
        done += 1
    attacker.facts["punches"] = done
    attacker.facts["SYNs of one punch at the victim"] = counting.at(VICTIM) / max(1, done)
    attacker.facts["SYNs at private addresses"] = counting.at("192.168.", "10.")
    attacker.facts["SYNs at the relay's address"] = counting.at("11.250.9.")


def _answer_punch(stream: Stream, addresses: list[str]) -> None:
    with contextlib.suppress(*GONE):
        stream.read_message(2)
        connect = encode_message((1, 100), *((2, encode_multiaddr(address)) for address in addresses[-100:]))
        stream.send(delimited(connect))
        stream.read_message(2)
