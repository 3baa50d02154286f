"""The scenarios of the lab by name, and what each needs beyond network namespaces."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lab import nat
from lab.lab import Lab, Outcome
from lab.reference import reference
from lab.soak import cable, soak


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
        wanted = {"go": peers / "bin/p2pd", "py": peers / "venv/bin/python"}
        missing = [name for name in self.peers if not wanted[name].exists()]
        return found + [f"the {name} peer isn't installed: scripts/bootstrap --with-peers" for name in missing]


SCENARIOS = {
    "soak": Scenario(soak),
    "cable": Scenario(cable),
    "reference": Scenario(reference, has_nats=True, peers=("go", "py"), is_usual=False),
}
