"""Slow loris in every phase of a connection's life, and garbage in every phase."""

from __future__ import annotations

import contextlib
import random
import select
import socket
import time
from collections.abc import Callable

from adversary.attacker import GONE, HOME_SEED, PATIENCE, Attacker
from adversary.session import Session
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from peers.contract import ECHO, IDENTIFY
from stack import multistream, noise, yamux
from stack.identity import Identity
from stack.link import Buffered, Ended, Silence, TCPLink
from stack.yamux import Flag

_TLS = "/tls/1.0.0"

#: Brings a new connection to the phase in which it then stays.
Opening = Callable[[Attacker], TCPLink]


def _hold(attacker: Attacker, opening: Opening, trickle: bytes = b"") -> None:
    """Holds many connections in one phase, and sees when the target ends each."""
    held: dict[TCPLink, float] = {}
    for _ in range(attacker.wanted):
        began = time.monotonic()
        held[opening(attacker)] = began
    attacker.begun()
    deadline = time.monotonic() + PATIENCE
    next_byte = 0
    while held and time.monotonic() < deadline:
        ready, _, _ = select.select(list(held), [], [], 0.25)
        for link in ready:
            with contextlib.suppress(Silence):
                try:
                    link.receive(0)
                except Ended:
                    attacker.note_longest("held s", time.monotonic() - held.pop(link))
        if trickle and next_byte < len(trickle) and not ready:
            for link in held:
                with contextlib.suppress(*GONE):
                    link.send(trickle[next_byte : next_byte + 1])
            next_byte += 1
    attacker.facts["unended"] = len(held)


def tcp_only(attacker: Attacker) -> None:
    """Connects and says nothing."""
    _hold(attacker, Attacker.connect)


def multistream_partial(attacker: Attacker) -> None:
    """Half of the first multistream message."""
    _hold(attacker, lambda attacker: _after(attacker.connect(), multistream.line(multistream.HEADER)[:10]))


def multistream_trickle(attacker: Attacker) -> None:
    """A multistream message that comes one byte at a time: there is progress, and no end."""
    _hold(attacker, Attacker.connect, multistream.line("/" + "x" * 1000))


def _after(link: TCPLink, data: bytes) -> TCPLink:
    link.send(data)
    return link


def _negotiated(attacker: Attacker, protocol: str) -> TCPLink:
    link = attacker.connect()
    wire = Buffered(link)
    multistream.select(link.send, lambda count: wire.read(count, 5.0), protocol)
    return link


def noise_first(attacker: Attacker) -> None:
    """Half of Noise's first message."""
    _hold(attacker, lambda attacker: _after(_negotiated(attacker, noise.PROTOCOL), b"\0\x20" + bytes(16)))


def noise_third_missing(attacker: Attacker) -> None:
    """Noise's first message and no third."""
    key = noise.public_bytes(X25519PrivateKey.generate())
    _hold(attacker, lambda attacker: _after(_negotiated(attacker, noise.PROTOCOL), b"\0\x20" + key))


def noise_third(attacker: Attacker) -> None:
    """Noise's first message and half of a third."""
    key = noise.public_bytes(X25519PrivateKey.generate())
    flight = b"\0\x20" + key + b"\x01\x00" + bytes(100)
    _hold(attacker, lambda attacker: _after(_negotiated(attacker, noise.PROTOCOL), flight))


def tls_partial(attacker: Attacker) -> None:
    """The beginning of a TLS record."""
    record = b"\x16\x03\x01\x40\x00" + b"\x01\x00\x3f\xfc" + bytes(100)
    _hold(attacker, lambda attacker: _after(_negotiated(attacker, _TLS), record))


def muxer(attacker: Attacker) -> None:
    """A secured connection without a muxer."""

    def opening(attacker: Attacker) -> TCPLink:
        link = attacker.secure().wire.link
        assert isinstance(link, TCPLink)
        return link

    _hold(attacker, opening)


def stream_negotiation(attacker: Attacker) -> None:
    """Streams that stay in the middle of their negotiation."""
    _hold_streams(attacker, multistream.line(multistream.HEADER) + multistream.line(ECHO)[:5])


def stream_silent(attacker: Attacker) -> None:
    """Streams on which nothing is said: the connection is kept up by answers to pings."""
    _hold_streams(attacker, b"")


def _hold_streams(attacker: Attacker, flight: bytes) -> None:
    session = attacker.session()
    began = time.monotonic()
    streams = [session.open() for _ in range(attacker.wanted)]
    for stream in streams:
        stream.send(flight)
    attacker.begun()
    for stream in streams:
        with contextlib.suppress(*GONE):
            session.pump(lambda stream=stream: stream.has_reset, began + PATIENCE - time.monotonic())
        if stream.has_reset:
            attacker.note_longest("held s", time.monotonic() - began)
    attacker.facts["unended"] = sum(not stream.has_reset for stream in streams)
    session.idle(0.2)
    attacker.facts["connection ended"] = session.ended is not None
    session.abort()


def identify_unanswered(attacker: Attacker) -> None:
    """The target's own question who we are is taken, and never answered."""
    asked: dict[Session, float] = {}
    for _ in range(attacker.wanted):
        session = attacker.session()
        session.handlers[IDENTIFY] = lambda stream: asked.setdefault(stream.session, time.monotonic())
        session.pump(lambda session=session: session in asked, 5)
    attacker.begun()
    deadline = time.monotonic() + PATIENCE
    for session, began in asked.items():
        with contextlib.suppress(*GONE):
            session.pump(lambda session=session: _has_reset(session), deadline - time.monotonic())
        if _has_reset(session):
            attacker.note_longest("held s", time.monotonic() - began)
        session.abort()
    attacker.facts["unended"] = sum(not _has_reset(session) for session in asked)


def _has_reset(session: Session) -> bool:
    return any(stream.has_reset for stream in session.streams.values())


# What a peer does that the target dials.


def home(attacker: Attacker) -> socket.socket:
    """Listens for the target."""
    return attacker.listen()


def noise_second(attacker: Attacker, server: socket.socket) -> None:
    """Half of Noise's second message, to a target that dials."""
    _hold_dialled(attacker, server, lambda link: _answer_half(link))


def dialled_silent(attacker: Attacker, server: socket.socket) -> None:
    """Nothing, to a target that dials."""
    _hold_dialled(attacker, server, lambda link: None)


def _hold_dialled(attacker: Attacker, server: socket.socket, answer: Callable[[TCPLink], None]) -> None:
    server.settimeout(10)
    link = TCPLink(server.accept()[0])
    began = time.monotonic()
    answer(link)
    attacker.begun()
    attacker.facts["unended"] = 1
    with contextlib.suppress(Silence):
        try:
            while True:
                link.receive(began + PATIENCE - time.monotonic())
        except Ended:
            attacker.facts["unended"] = 0
            attacker.facts["held s"] = time.monotonic() - began
    link.abort()


def _answer_half(link: TCPLink) -> None:
    wire = Buffered(link)
    multistream.accept(link.send, lambda count: wire.read(count, 5.0), {noise.PROTOCOL})
    wire.read(2 + 32, 5.0)
    link.send(b"\x01\x00" + bytes(100))


def wrong_peer(attacker: Attacker, server: socket.socket) -> None:
    """Another identity than the one that the target dials: the target must not say who it is, nor anything else."""
    server.settimeout(10)
    attacker.begun()
    link = TCPLink(server.accept()[0])
    wire = Buffered(link)
    multistream.accept(link.send, lambda count: wire.read(count, 5.0), {noise.PROTOCOL})
    try:
        # Whoever answers with the third message has told its name to a stranger.
        noise.respond(link, Identity(HOME_SEED), wire.leftover(), 5.0)
        attacker.count("third messages")
    except GONE:
        attacker.count("refused")
    link.abort()


# Garbage.


def garbage(attacker: Attacker) -> None:
    """Random bytes in each phase in turn; none may be taken for anything."""
    chance = random.Random(attacker.name)
    phases: list[Callable[[], TCPLink]] = [
        attacker.connect,
        lambda: _negotiated(attacker, noise.PROTOCOL),
        lambda: _negotiated(attacker, _TLS),
    ]
    done = 0
    while attacker.going(done):
        data = chance.randbytes(chance.choice((1, 40, 1000, 70_000)))
        with contextlib.suppress(*GONE):
            link = phases[done % len(phases)]()
            link.send(data)
            attacker.begun()
            link.finish()
            attacker.note_longest("slowest end s", _ended_after(link))
            link.abort()
        done += 1
    attacker.facts["tries"] = done


def _ended_after(link: TCPLink) -> float:
    began = time.monotonic()
    try:
        while True:
            link.receive(began + PATIENCE - time.monotonic())
    except (Ended, Silence):
        return time.monotonic() - began


def garbage_records(attacker: Attacker) -> None:
    """Records behind a good handshake that don't decrypt: the connection ends, and nothing of them is used."""
    chance = random.Random(attacker.name)
    done = 0
    while attacker.going(done):
        with attacker.connection() as upgraded:
            good = upgraded.secured.sending.seal(yamux.ping(1).encoded())
            broken = bytearray(good)
            broken[chance.randrange(len(good))] ^= 1 << chance.randrange(8)
            # A forged record first: if it moved the nonce on, the true one behind it would be read.
            for record in (broken, good):
                upgraded.tcp.send(len(record).to_bytes(2, "big") + record)
            attacker.begun()
            attacker.note_longest("slowest end s", _ended_after(upgraded.tcp))
            attacker.count("cut")
        done += 1
    attacker.facts["uncut"] = done - attacker.facts.get("cut", 0)


def garbage_streams(attacker: Attacker) -> None:
    """Random bytes as frames, as negotiations of streams, and behind the name of each protocol that is served."""
    chance = random.Random(attacker.name)
    names = [ECHO, IDENTIFY, "/ipfs/id/push/1.0.0", "/ipfs/ping/1.0.0", "/perf/1.0.0", "/libp2p/stream-migration",
             "/libp2p/stream-migration/", "/libp2p/dcutr"]  # fmt: skip
    done = 0
    session: Session | None = None
    while attacker.going(done):
        if session is None or session.ended:
            session = attacker.session()
        data = chance.randbytes(chance.choice((1, 7, 100, 9000)))
        with contextlib.suppress(*GONE):
            if done % 10 == 9:
                session.frames.link.send(data)
                session.idle(0.05)
                session.abort()
                session = None
            else:
                name = names[done % len(names)]
                stream = session.open()
                stream.send(multistream.lines(multistream.HEADER, name) + data, Flag.FIN)
                session.pump(lambda stream=stream: stream.is_over, 0.5)
            attacker.begun()
        done += 1
    attacker.facts["tries"] = done
