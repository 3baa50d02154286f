"""What every scenario is given, and what it gives back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lab.judge import Check
from lab.nat import NatNetwork, NatPlan
from lab.network import Network
from lab.options import LinkPlan, Options


@dataclass
class Outcome:
    """What a scenario has shown, and its figures."""

    checks: list[Check]
    figures: dict[str, object]


@dataclass(frozen=True)
class Lab:
    """Where a scenario runs: its options, its folder, and the programs that it starts."""

    options: Options
    folder: Path
    emulator: Path
    oxbow: Path
    peers: Path
    say: Callable[[str], None]

    def network(self, plans: tuple[LinkPlan, ...]) -> Network:
        """Two hosts with links between them. Use it as a context manager."""
        for plan in plans:
            self.say(f"  {plan.device}: {plan.describe()}")
        return Network(plans, self.emulator, self.folder, self.options.seed)

    def nat_network(self, plan: NatPlan, name: str = "") -> NatNetwork:
        """Two hosts behind NATs. Use it as a context manager. The name tells several networks of one scenario apart."""
        for line in plan.describe():
            self.say(f"  {line}")
        return NatNetwork(plan, self.emulator, self.folder / name, self.options.seed)
