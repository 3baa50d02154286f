"""What a scenario is: an attack, its names in the literature, its target, and the bounds that have to hold."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from adversary.bounds import Bound, at_least, at_most, exactly
from harness.process import Line

#: Bounds of every scenario; one of the scenario's own about the same number takes its place. None is of the clock's: what an
#: attack costs is processor time, and that others are served meanwhile is an event.
COMMON = (
    at_most("growth", 64, "MiB"),
    at_most("cost", 4, "x the attacker's"),
    exactly("meanwhile", 1),
    exactly("left", 0, "sockets"),
    exactly("served", 1),
    exactly("alive", 1),
)
#: How much of its rate the honest peer keeps. The clock's, so the whole form's alone: on a machine that is busy with other work,
#: what is left of the target's share of it is divided between the attack and those who behave, whatever the target does.
RATE = at_least("honest", 0.5)


@dataclass(frozen=True)
class Scenario:
    """One attack."""

    name: str
    #: Names of the attack: advisories, rules, issues.
    ids: tuple[str, ...]
    #: Called with the attacker, and with what `prepare` gave if there is one.
    attack: Callable[..., None]
    #: What has to be true beside `COMMON`, and in the whole form `RATE`.
    own: tuple[Bound, ...]
    #: How many of what the attack counts, in the short form and in the whole one.
    wanted: tuple[int, int] = (1, 1)
    #: Which program is attacked: `listen`, `interop` (tells how its streams end), `relay`, `relayed` (listens behind a
    #: relay), `chained` (a relay that is reached through another).
    target: str = "listen"
    #: What the target's command line has beside that.
    arguments: tuple[str, ...] = ()
    #: Runs before the target starts: what it is to dial has to be there.
    prepare: Callable[..., Any] | None = None
    #: Makes numbers of what the target has told, its lines by the kind of event.
    told: Callable[[Mapping[str, Sequence[Line]]], dict[str, float]] | None = None
    #: Whether it mostly waits for a deadline, so that it can run beside others of its kind.
    waits: bool = False
    #: Seconds that the attack may take in the whole form.
    limit: float = 120

    @property
    def bounds(self) -> tuple[Bound, ...]:
        """All bounds of the short form."""
        replaced = {bound.fact for bound in self.own}
        return (*self.own, *(bound for bound in COMMON if bound.fact not in replaced))
