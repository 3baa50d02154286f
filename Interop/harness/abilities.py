"""What each peer can do, as far as it was seen: only that is asked of it, and the rest is named in the table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

OURS = "oxbow"

#: The cases of the matrix between two hosts, in the order of the table's columns.
CASES = ("handshake", "wrong-id", "identify", "ping", "echo", "streams", "transfer", "perf", "crowd", "vanish")


@dataclass(frozen=True)
class Abilities:
    """What a program can do in an interop test."""

    #: How it names itself in identify: a part of the text.
    agent: str
    #: Whether streams can be closed in one direction only; without, an echo counts bytes.
    half_closes: bool = True
    #: Key types, beside ed25519, that it can have and verify.
    other_keys: tuple[str, ...] = ("rsa", "ecdsa", "secp256k1")
    #: The cases that it can't do as dialer and as listener.
    cannot_dial: frozenset[str] = frozenset()
    cannot_serve: frozenset[str] = frozenset()
    #: Whether the muxer is agreed on in the security handshake; it can't be switched in any of them.
    agrees_early: bool = False
    #: Whether it can be told in which order to offer security protocols.
    orders_security: bool = True
    #: Whether it can offer a second muxer, before Yamux.
    has_second_muxer: bool = True
    #: How many of it are started at once against one listener of ours: as many as take no more than seconds.
    crowd: int = 8
    #: What it puts before the name of a protocol that an application serves.
    prefix: str = ""
    #: What it has and Oxbow hasn't.
    not_ours: tuple[str, ...] = ()


ABILITIES: Mapping[str, Abilities] = {
    OURS: Abilities(agent="oxbow", agrees_early=True, has_second_muxer=False, crowd=16),
    "go": Abilities(
        agent="p2pd",
        half_closes=False,
        cannot_dial=frozenset({"perf"}),
        cannot_serve=frozenset({"perf"}),
        agrees_early=True,
        orders_security=False,
        has_second_muxer=False,
        not_ours=("quic-v1", "WebSocket", "WebTransport", "mplex alone"),
    ),
    "py": Abilities(
        agent="py-libp2p",
        other_keys=("rsa", "secp256k1"),
        crowd=4,
        not_ours=("quic-v1", "WebSocket", "mplex alone", "plaintext"),
    ),
    "kubo": Abilities(
        agent="kubo",
        half_closes=False,
        cannot_dial=frozenset({"identify", "ping", "perf"}),
        cannot_serve=frozenset({"perf"}),
        agrees_early=True,
        prefix="/x",
        not_ours=("quic-v1", "WebSocket", "WebTransport", "mplex alone"),
    ),
}

#: The peers of others.
PEERS = tuple(name for name in ABILITIES if name != OURS)
