"""Bounds as data, and their judge: pure functions from what was seen to a list of complaints."""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

#: Seconds of CPU: less than the first says nothing about an attack, and less than the second isn't told from nothing.
_COMPARABLE = 0.02
_FINEST = 0.001

Facts = Mapping[str, float]

_OPERATORS = {"<=": operator.le, ">=": operator.ge, "==": operator.eq}


@dataclass(frozen=True)
class Bound:
    """One number that was seen, and what it may be."""

    fact: str
    relation: str
    value: float
    unit: str = ""

    def __post_init__(self) -> None:
        if self.relation not in _OPERATORS:
            raise ValueError(f"{self.relation!r} is no relation of a bound")

    def __str__(self) -> str:
        return f"{self.fact} {self.relation} {_number(self.value)}{self.unit and ' ' + self.unit}"

    def complaint(self, facts: Facts) -> str | None:
        """What is wrong; None when the bound holds. A number that nobody has seen breaks each bound."""
        seen = facts.get(self.fact)
        if seen is None:
            return f"{self.fact} was not seen, wanted {self}"
        return None if _OPERATORS[self.relation](seen, self.value) else f"{self.fact} is {_number(seen)}, wanted {self}"


def at_most(fact: str, value: float, unit: str = "") -> Bound:
    """The number may be so large."""
    return Bound(fact, "<=", value, unit)


def at_least(fact: str, value: float, unit: str = "") -> Bound:
    """The number has to be so large."""
    return Bound(fact, ">=", value, unit)


def exactly(fact: str, value: float, unit: str = "") -> Bound:
    """The number is this one."""
    return Bound(fact, "==", value, unit)


def judge(bounds: Sequence[Bound], facts: Facts) -> list[str]:
    """What is wrong with what was seen; an empty list passes."""
    return [complaint for bound in bounds if (complaint := bound.complaint(facts)) is not None]


def ratio(during: Sequence[float], beside: Sequence[float]) -> float | None:
    """How the rate under attack compares with the one without: medians. None where nothing was measured."""
    if not during or not beside or median(beside) <= 0:
        return None
    return median(during) / median(beside)


def cost(target: float, attacker: float) -> float:
    """What an attack costs, in what the attacker pays: seconds of CPU. 0 for what is too little to compare."""
    return target / max(attacker, _FINEST) if target >= _COMPARABLE else 0.0


def median(values: Sequence[float]) -> float:
    """The one in the middle, or the mean of the two."""
    ordered = sorted(values)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def _number(value: float) -> str:
    return f"{value:g}" if abs(value) < 1e6 and value != int(value) else f"{int(value)}"
