"""go-libp2p as the far peer: it knows no migration, so that its streams stay where they are and only new ones go direct."""

from __future__ import annotations

from collections.abc import Sequence

from lab import judge_nat
from lab.hosts import INTEROP_PEER, OURS, Hosts, Listener
from lab.judge import Check
from lab.lab import Lab, Outcome

_LISTEN = ("--listen", "/ip4/0.0.0.0/tcp/5001")
_LIMIT = 120.0


#: In its first try this go-libp2p takes the wrong part, so that it has one try less than it seems. In one of thirty attempts that
#: was too few.
_ATTEMPTS = 2


def go_peer(lab: Lab) -> Outcome:
    """A stream is opened over our relay, a hole is punched, another stream is opened: once from either side."""
    checks: list[Check] = []
    figures: dict[str, object] = {}
    for dialling, listening in ((OURS, "go"), ("go", OURS)):
        for attempt in range(1, _ATTEMPTS + 1):
            result = _upgrade(lab, dialling, listening, f"{dialling}-dials-{attempt}")
            check = judge_nat.mixed_upgrade(dialling, listening, result)
            if check.passed:
                break
            lab.say(f"  attempt {attempt}: {check.detail}")
        checks.append(check)
        figures[f"{dialling}-dials"] = {"attempts": attempt, **result}
    return Outcome(checks, figures)


def _upgrade(lab: Lab, dialling: str, listening: str, name: str) -> dict[str, object]:
    with lab.nat_network(lab.options.nat_plan, name) as network:
        hosts = Hosts(network, lab.oxbow, lab.peers)
        relay = hosts.relay(OURS)
        hosts.observers(OURS)
        there = hosts.listening(hosts.start(listening, "b", _listen(listening, relay, hosts.also)))
        dialer = hosts.start(dialling, "a", _dial(dialling, there, hosts.also))
        return dict(dialer.await_line("a result", lambda line: "ok" in line, _LIMIT))


def _listen(kind: str, relay: Listener, also: Sequence[str]) -> list[str]:
    if kind == OURS:
        return [INTEROP_PEER, "listen", *_LISTEN, "--listen", f"{relay.address}/p2p-circuit", *also]
    return ["receive", *_LISTEN, "--relay", relay.address, *also]


def _dial(kind: str, target: Listener, also: Sequence[str]) -> list[str]:
    if kind == OURS:
        return [INTEROP_PEER, "dial", target.address, "--case", "upgrade", "--bytes", "10000", *_LISTEN, *also]
    return ["upgrade", *_LISTEN, "--wait", "20", *also, target.address]
