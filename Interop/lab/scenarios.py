"""The scenarios of the lab by name, and what each needs beyond network namespaces."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lab import nat
from lab.abuse import abuse
from lab.lab import Lab, Outcome
from lab.mixed import go_peer, kubo_peer, py_peer
from lab.reference import reference
from lab.soak import cable, leave_relay, soak
from lab.traversal import go_relay, path_lost, py_relay, relay_lost, repeat, symmetric, upgrade
from peers import kubo


@dataclass(frozen=True)
class Scenario:
    """A scenario, and what has to be there for it."""

    run: Callable[[Lab], Outcome]
    has_nats: bool = False
    peers: tuple[str, ...] = ()
    #: Whether it runs when no scenario is named.
    is_usual: bool = True

    def obstacles(self, peers: Path) -> list[str]:
        """Why this scenario can't run here, each with what to do; empty when it can."""
        found = nat.obstacles() if self.has_nats else []
        wanted = {"go": peers / "bin/p2pd", "py": peers / "venv/bin/python", "kubo": kubo.library(peers)}
        missing = [name for name in self.peers if not wanted[name].exists()]
        return found + [f"the {name} peer isn't installed: scripts/bootstrap --with-peers" for name in missing]


SCENARIOS = {
    "soak": Scenario(soak),
    "cable": Scenario(cable),
    "upgrade": Scenario(upgrade, has_nats=True),
    "symmetric": Scenario(symmetric, has_nats=True),
    "repeat": Scenario(repeat, has_nats=True),
    "leave-relay": Scenario(leave_relay, has_nats=True),
    "go-relay": Scenario(go_relay, has_nats=True, peers=("go",)),
    "py-relay": Scenario(py_relay, has_nats=True, peers=("py",)),
    "go-peer": Scenario(go_peer, has_nats=True, peers=("go",)),
    "py-peer": Scenario(py_peer, has_nats=True, peers=("py",), is_usual=False),
    "kubo-peer": Scenario(kubo_peer, has_nats=True, peers=("kubo",), is_usual=False),
    "abuse": Scenario(abuse, has_nats=True, is_usual=False),
    "relay-lost": Scenario(relay_lost, has_nats=True),
    "path-lost": Scenario(path_lost, has_nats=True, is_usual=False),
    "reference": Scenario(reference, has_nats=True, peers=("go", "py"), is_usual=False),
}
