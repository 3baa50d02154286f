"""The network with NATs tried on go-libp2p alone: what it shows of Oxbow means something only if others fare as they should."""

from __future__ import annotations

from dataclasses import replace

from lab import judge_nat
from lab.hosts import Hosts
from lab.judge import Check
from lab.lab import Lab, Outcome

_LISTEN = "/ip4/0.0.0.0/tcp/5001"


def reference(lab: Lab) -> Outcome:
    """Listener and dialer are go-libp2p daemons: a hole is punched between cone NATs, and none between symmetric ones."""
    checks: list[Check] = []
    figures: dict[str, object] = {}
    for nat, relay_kind, wait in (("cone", "go", 20.0), ("cone", "py", 20.0), ("symmetric", "go", 10.0)):
        plan = replace(lab.options.nat_plan, nats={"a": nat, "b": nat})
        with lab.nat_network(plan, f"{nat}-{relay_kind}") as network:
            checks += judge_nat.mappings(plan, network.measure())
            hosts = Hosts(network, lab.oxbow, lab.peers)
            relay = hosts.relay(relay_kind)
            hosts.observers("go")
            there = hosts.listen("go", "b", ["receive", "--listen", _LISTEN, "--relay", relay.address, *hosts.also])
            arguments = ["upgrade", "--listen", _LISTEN, "--wait", str(wait), *hosts.also, there.address]
            dialer = hosts.start("go", "a", arguments)
            result = dialer.await_line("a result", lambda line: "ok" in line, 90)
            checks.append(judge_nat.go_upgrade(nat, relay_kind, result))
            figures[f"{nat}-{relay_kind}"] = dict(result)
    return Outcome(checks, figures)
