"""All scenarios: which attack, what it is known as, and the bounds that hold."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from adversary.attacks import (
    certificates,
    connections,
    handshake,
    migration,
    reflection,
    relay,
    services,
    truncation,
    vouchers,
    yamux,
)
from adversary.bounds import Bound, at_least, at_most, exactly
from adversary.scenario import Scenario

_FRAMES = (100_000, 1_000_000)


def _flood(name: str, attack: Callable[..., None], *ids: str) -> Scenario:
    bounds = at_least("ended by the target", 1, "connections"), at_most("seconds of one connection", 2, "s")
    return Scenario(name, ids, attack, bounds, _FRAMES)


def _unread(name: str, attack: Callable[..., None], *ids: str) -> Scenario:
    # A close in order waits 5 s for a peer that doesn't read.
    bounds = at_least("ended by the target", 1, "connections"), at_most("seconds of one connection", 8, "s")
    return Scenario(name, ids, attack, bounds, (1_000, 1_000_000), waits=True)


MULTIPLEXER = (
    _flood("rapid-reset", yamux.rapid_reset, "CVE-2023-44487"),
    _flood("syn-rst", yamux.open_and_reset_at_once, "CVE-2023-44487"),
    _flood("made-you-reset", yamux.made_you_reset, "CVE-2025-8671"),
    _flood("stream-flood", yamux.stream_flood, "CVE-2022-23492", "CVE-2022-23486", "CVE-2022-23487"),
    _flood("empty-data", yamux.empty_frames, "CVE-2019-9518"),
    _flood("empty-updates", yamux.empty_updates, "CVE-2019-9518"),
    _flood("ping-flood", yamux.ping_flood, "CVE-2019-9512"),
    _unread("pings-never-read", yamux.pings_never_read, "CVE-2024-32984"),
    _unread("refusals-never-read", yamux.refusals_never_read, "CVE-2024-32984"),
    Scenario("window-overflow", ("CVE-2026-31814",), yamux.window_overflow, (exactly("refused", 1),), (50, 500)),
    Scenario("oversize-syn", ("CVE-2026-32314",), yamux.oversize_syn, (exactly("uncut", 0, "connections"),), (20, 200)),
    Scenario(
        "window-violation", ("CVE-2022-23492",), yamux.window_violation, (exactly("uncut", 0, "connections"),), (5, 50)
    ),
    Scenario(
        "unknown-frames",
        ("yamux: version, type",),
        yamux.unknown_frames,
        (exactly("uncut", 0, "connections"),),
        (50, 500),
    ),
    Scenario(
        "wrong-parity", ("yamux: stream ids",), yamux.wrong_parity, (exactly("uncut", 0, "connections"),), (30, 300)
    ),
    Scenario(
        "never-reads",
        ("CVE-2024-32984", "slow read"),
        yamux.never_reads,
        (at_most("MiB sent", 64, "MiB"), at_most("growth", 64, "MiB")),
        (1, 4),
    ),
    Scenario(
        "open-and-close",
        ("GHSA: stream table never cleaned",),
        yamux.open_and_close,
        (exactly("unclean", 0, "streams"), at_most("growth", 16, "MiB")),
        (2_000, 50_000),
    ),
)

#: What a phase with a deadline of 10 s may last, on a busy machine.
_HELD = (at_most("held s", 12.5, "s"), exactly("unended", 0))


def _loris(
    name: str, attack: Callable[..., None], *more: Bound, counts: tuple[int, int] = (40, 200), **rest: Any
) -> Scenario:
    return Scenario(f"loris-{name}", ("slow loris",), attack, (*_HELD, *more), counts, waits=True, **rest)


_BOOTSTRAP = ("--bootstrap", "{home}/p2p/{id}")

SLOW = (
    _loris("tcp", handshake.tcp_only),
    _loris("multistream", handshake.multistream_partial),
    _loris("trickle", handshake.multistream_trickle),
    _loris("noise-1", handshake.noise_first),
    _loris("noise-2", handshake.noise_second, prepare=handshake.home, arguments=_BOOTSTRAP, counts=(1, 1)),
    _loris("noise-3-missing", handshake.noise_third_missing),
    _loris("noise-3", handshake.noise_third),
    _loris("tls", handshake.tls_partial),
    _loris("muxer", handshake.muxer),
    _loris("dialled", handshake.dialled_silent, prepare=handshake.home, arguments=_BOOTSTRAP, counts=(1, 1)),
    _loris("stream", handshake.stream_negotiation, exactly("connection ended", 0), counts=(100, 250)),
    _loris("stream-silent", handshake.stream_silent, exactly("connection ended", 0), counts=(100, 250)),
    _loris("identify", handshake.identify_unanswered, counts=(10, 50)),
)

GARBAGE = (
    Scenario(
        "garbage-handshake",
        ("prost 2020-0002", "multihash 2020-0068"),
        handshake.garbage,
        (at_most("slowest end s", 12, "s"),),
        (100, 2_000),
    ),
    Scenario(
        "forged-record",
        ("RUSTSEC-2024-0011",),
        handshake.garbage_records,
        (exactly("uncut", 0, "connections"), at_most("slowest end s", 2, "s")),
        (50, 500),
    ),
    Scenario(
        "garbage-streams",
        ("prost 2020-0002", "multihash 2020-0068"),
        handshake.garbage_streams,
        (at_least("tries", 200),),
        (200, 5_000),
    ),
)

_REFUSED = (
    exactly("wrong ones served", 0),
    exactly("right ones refused", 0),
    at_least("right ones served", 1),
    exactly("unanswered", 0),
    at_most("CPU ms a refusal", 10, "ms"),
    at_most("refusal / handshake", 1.5),
)


def _certificate(name: str, *ids: str) -> Scenario:
    return Scenario(f"tls-{name}", ids or ("tls.md",), certificates.wrong(name), _REFUSED, (20, 200))


IDENTITIES = (
    _certificate("several"), _certificate("expired"), _certificate("future"), _certificate("no-extension"),
    _certificate("bad-self-signature", "CVE-2019-15545"), _certificate("unknown-critical"),
    _certificate("flipped-signature", "CVE-2022-24759"), _certificate("another-key-signed", "CVE-2022-24759"),
    _certificate("another-identity", "CVE-2019-15545"), _certificate("no-prefix"), _certificate("garbage"),
    _certificate("huge-rsa", "CVE-2023-39533", "CVE-2025-29606"),
    Scenario("tls-1.2", ("tls.md",), certificates.old_version, (exactly("wrong ones served", 0),), (10, 100)),
    Scenario("forged-noise", ("CVE-2019-15545", "CVE-2022-24759"), certificates.forged_noise, _REFUSED, (50, 600)),
    Scenario("huge-rsa-noise", ("CVE-2023-39533", "CVE-2025-29606"), certificates.huge_rsa_noise, _REFUSED, (30, 300)),
    Scenario("wrong-peer", ("noise: expected peer",), handshake.wrong_peer, (exactly("refused", 1),), (1, 1),
             arguments=("--bootstrap", "{home}/p2p/{other}"), prepare=handshake.home),
)  # fmt: skip

_ATTEMPTS = (1_000, 10_000)

CONNECTIONS = (
    Scenario(
        "connections-one-address",
        ("CVE-2022-23492", "CVE-2022-23486"),
        connections.one_address,
        (at_most("kept open", 8),),
        _ATTEMPTS,
    ),
    Scenario(
        "connections-one-network",
        ("CVE-2022-23492", "CVE-2022-23486"),
        connections.one_network,
        (at_most("kept open", 32),),
        _ATTEMPTS,
    ),
    Scenario(
        "connections-many-networks",
        ("CVE-2022-23492", "CVE-2022-23487"),
        connections.many_networks,
        (at_most("growth", 64, "MiB"),),
        _ATTEMPTS,
    ),
    Scenario(
        "connections-loopback",
        ("CVE-2022-23492", "CVE-2022-23487"),
        connections.loopback,
        (at_most("growth", 64, "MiB"),),
        _ATTEMPTS,
    ),
    Scenario(
        "connections-one-peer", ("rust-libp2p #752",), connections.one_peer, (at_most("open at the end", 8),), (40, 400)
    ),
    Scenario("handshakes", ("CVE-2023-39533",), connections.handshakes, (at_least("handshakes", 50),), (100, 2_000)),
    Scenario(
        "resets-in-the-middle",
        ("CVE-2023-44487",),
        connections.resets_in_the_middle,
        (at_least("connections", 100),),
        (200, 4_000),
    ),
)

IDENTIFY = (
    Scenario(
        "identify-pushes",
        ("identify push flood",),
        services.push_flood,
        (at_most("pushes believed", 20),),
        (100, 2_000),
        told=services.told,
    ),
    Scenario(
        "identify-requests", ("identify flood",), services.request_flood, (at_least("requests", 500),), (500, 20_000)
    ),
    Scenario("identify-endless", ("identify: long lists",), services.endless, (at_least("answers", 4),), (10, 200)),
    Scenario(
        "identify-strangers",
        ("CVE-2023-40583",),
        services.strangers,
        (at_least("right ones believed", 20),),
        (40, 1_000),
        told=services.told,
    ),
    Scenario(
        "identify-cross-signed",
        ("RUSTSEC-2022-0009",),
        services.cross_signed,
        (exactly("SYNs at the victim", 0),),
        (25, 250),
    ),
    Scenario(
        "identify-wrong-key",
        ("RUSTSEC-2022-0009", "CVE-2023-39533"),
        services.wrong_key,
        (exactly("wrong ones believed", 0), exactly("right ones believed", 1)),
        (25, 250),
        told=services.told,
    ),
)

_UNHARMED = (exactly("accepted", 0), exactly("harmed", 0))

MIGRATION = (
    Scenario("label-flood", ("SM-F10",), migration.label_flood, (at_most("live at once", 512),), (1_000, 20_000)),
    Scenario(
        "migrate-flood", ("SM-F6", "SM-F10"), migration.migrate_flood, (at_most("held at once", 16),), (500, 20_000)
    ),
    Scenario(
        "migrates-held",
        ("SM-F10",),
        migration.held_migrates,
        (at_most("held at once", 16), *_HELD),
        (100, 180),
        waits=True,
    ),
    Scenario("foreign-ids", ("SM-L3", "SM-F6"), migration.foreign_ids, _UNHARMED, (3, 100)),
    Scenario("wrong-ids", ("SM-L4",), migration.wrong_ids, _UNHARMED, (60, 600)),
    Scenario(
        "ping-pong", ("SM-F10",), migration.ping_pong, (exactly("harmed", 0), at_least("migrations", 1)), (100, 2_000)
    ),
    Scenario(
        "downgrade",
        ("downgrade to a relay",),
        migration.downgrade,
        (*_UNHARMED, at_least("denied", 1)),
        (1, 20),
        target="relayed",
    ),
    Scenario("malformed-migration", ("SM-W1", "SM-F7"), migration.malformed, (exactly("unrefused", 0),), (80, 2_000)),
)


def _truncation(name: str, attack: Callable[..., None], *ids: str, counts: tuple[int, int] = (10, 100)) -> Scenario:
    bounds = (exactly("clean ends of cut streams", 0), at_least("errors of cut streams", counts[0]),
              exactly("clean ends of whole streams", 1))  # fmt: skip
    arguments = ("--security", "tls") if name == "tls" else ()
    return Scenario(
        f"cut-{name}", ids or ("truncation",), attack, bounds, counts, "interop", arguments, told=truncation.told
    )


TRUNCATION = (
    _truncation("tcp-end", truncation.tcp_end, "Noise has no close"),
    _truncation("tcp-reset", truncation.tcp_reset),
    _truncation("record", truncation.inside_record),
    _truncation("frame", truncation.inside_frame),
    _truncation("goodbye", truncation.goodbye),
    _truncation("forged-end", truncation.other_side_forges, "RUSTSEC-2024-0011"),
    _truncation("tls", truncation.tls_end, "TLS truncation"),
    _truncation("hand-off", truncation.inside_hand_off, "SM-F2", "SM-F3", counts=(6, 60)),
)

RELAY = (
    Scenario(
        "relay-reservations",
        ("relay: reservation flood",),
        relay.reservations,
        (at_most("granted to one address", 8), at_most("granted", 128)),
        (150, 400),
        target="relay",
    ),
    Scenario(
        "relay-renewals",
        ("relay: reservation flood",),
        relay.renewals,
        (at_most("granted beyond the rate", 1),),
        (50, 1_000),
        target="relay",
    ),
    Scenario(
        "relay-circuits",
        ("relay: circuit flood",),
        relay.circuits,
        (at_most("open at once", 16),),
        (40, 200),
        target="relay",
    ),
    Scenario(
        "relay-oversize",
        ("relay: circuit limits",),
        relay.oversize,
        (at_most("KiB carried", 128), at_least("KiB carried", 64)),
        (2, 20),
        target="relay",
    ),
    Scenario("relay-stall", ("relay: stalled circuits",), relay.stalled, _HELD, (10, 16), target="relay", waits=True),
    Scenario("relay-half-request", ("slow loris",), relay.half_request, _HELD, (40, 200), target="relay", waits=True),
    Scenario(
        "relay-over-relay",
        ("relay over relay",),
        relay.over_relay,
        (exactly("granted", 0), at_least("refused", 1)),
        (2, 40),
        target="chained",
    ),
    Scenario(
        "relay-vouchers",
        ("relay: unverified voucher", "RUSTSEC-2022-0009"),
        vouchers.forged,
        (exactly("wrong ones believed", 0), exactly("right ones believed", 1)),
        (6, 12),
        prepare=vouchers.home,
        waits=True,
    ),
    Scenario(
        "relay-malformed",
        ("CVE-2026-33040", "CVE-2026-34219"),
        relay.malformed,
        (exactly("circuits granted", 0),),
        (80, 2_000),
        target="relay",
    ),
)

REFLECTION = (
    Scenario(
        "reflect-punch",
        ("rust-libp2p #2438",),
        relay.punches,
        (
            at_most("SYNs of one punch at the victim", 38),
            exactly("SYNs at private addresses", 0),
            exactly("SYNs at the relay's address", 0),
        ),
        (1, 10),
        target="relayed",
        arguments=("--observers", "1"),
    ),
    Scenario(
        "reflect-autonat-1",
        ("AutoNAT reflection",),
        reflection.version_1,
        (exactly("SYNs at the victim", 0), exactly("SYNs at private addresses", 0)),
        (20, 200),
        target="relay",
    ),
    Scenario(
        "reflect-autonat-2",
        ("AutoNAT reflection",),
        reflection.version_2,
        (at_most("SYNs a minute", 12), at_least("kB paid for each", 30, "kB")),
        (30, 200),
        target="relay",
    ),
    Scenario(
        "reflect-autonat-2-unpaid",
        ("AutoNAT reflection",),
        reflection.version_2_unpaid,
        (exactly("SYNs at the victim", 0),),
        (20, 200),
        target="relay",
    ),
)

SCENARIOS: tuple[Scenario, ...] = (
    *MULTIPLEXER, *SLOW, *GARBAGE, *IDENTITIES, *CONNECTIONS, *IDENTIFY, *MIGRATION, *TRUNCATION, *RELAY, *REFLECTION,
)  # fmt: skip

#: Those that a target without limits is attacked by, so that each kind of bound is seen to break.
WEAK = (
    "stream-flood", "empty-data", "ping-flood", "window-overflow", "loris-tcp", "loris-noise-3", "forged-noise",
    "connections-one-address", "connections-one-peer", "label-flood",
)  # fmt: skip
