"""What hot paths may cost: the thresholds as a text file, and how a count is compared with them and with others."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

#: By how much instructions may exceed their threshold. The same code repeats within a tenth of it; libc and
#: libcrypto of another machine may choose other instructions.
INSTRUCTIONS = 0.02
#: By how much allocations may, for each unit: a table that grows at another moment.
ALLOCATIONS = 0.02
#: What costs so much less deserves a threshold of its own.
IMPROVEMENT = 0.05

HEAD = """# What hot paths cost for each unit, counted by Benchmarks/counts; WRITE=1 writes it anew.
# Instructions are callgrind's, allocations are calls of malloc and its like. Swift {compiler}.
#
# {name:<32} {unit:<12} {instructions:>14} {allocations:>12}
"""
ROW = re.compile(r"^(\S+)\s+(\S+(?: \S+)*?)\s+([\d.]+)\s+([\d.]+)$")

#: The first may cost so many times the second, for each unit. Ten times the streams or bytes: at most 10.5 times the
#: instructions. A label costs nothing that could be measured.
RELATIONS = (
    ("transfer.noise.labelled.4MiB", "transfer.noise.unlabelled.4MiB", 1.005),
    ("transfer.noise.labelled.40MiB", "transfer.noise.labelled.4MiB", 1.05),
    ("streams.labelled.1000", "streams.labelled.100", 1.05),
    ("moves.1000", "moves.100", 1.05),
    ("labels.10000", "labels.1000", 1.05),
)


@dataclass(frozen=True)
class Cost:
    """What one unit of a scenario costs."""

    name: str
    unit: str
    instructions: float
    allocations: float

    @property
    def line(self) -> str:
        """As it stands in the file."""
        return f"{self.name:<34} {self.unit:<12} {self.instructions:>14.1f} {self.allocations:>12.3f}"


@dataclass(frozen=True)
class Verdict:
    """What came of one comparison."""

    is_good: bool
    text: str

    @property
    def line(self) -> str:
        """As it is printed."""
        return f"{'ok  ' if self.is_good else 'FAIL'}  {self.text}"


class Thresholds:
    """The costs that are allowed, by scenario."""

    def __init__(self, compiler: str, costs: list[Cost]) -> None:
        self.compiler = compiler
        self.costs = {cost.name: cost for cost in costs}

    @classmethod
    def read(cls, path: Path) -> Thresholds:
        """Reads the file; raises `ValueError` where a line is none of its own."""
        lines = path.read_text().splitlines()
        compiler = next((found.group(1) for line in lines if (found := re.search(r"Swift (\S+)\.$", line))), "unknown")
        costs = []
        for number, line in enumerate(lines, 1):
            if not line.strip() or line.startswith("#"):
                continue
            if not (found := ROW.match(line)):
                raise ValueError(f"{path.name}, line {number}: not NAME UNIT INSTRUCTIONS ALLOCATIONS: {line}")
            name, unit, instructions, allocations = found.groups()
            costs.append(Cost(name, unit, float(instructions), float(allocations)))
        return cls(compiler, costs)

    @property
    def text(self) -> str:
        """The whole file."""
        head = HEAD.format(
            compiler=self.compiler, name="scenario", unit="unit", instructions="instructions", allocations="allocations"
        )
        return head + "".join(cost.line + "\n" for cost in self.costs.values())

    def unknown(self, names: set[str]) -> list[Verdict]:
        """A failure for each threshold of a scenario that there isn't."""
        return [Verdict(False, f"{name}: a threshold without a scenario") for name in self.costs if name not in names]


def compare(cost: Cost, thresholds: Thresholds) -> Verdict:
    """Whether a unit costs at most its threshold."""
    shown = f"{cost.name}: {cost.instructions:,.1f} instructions, {cost.allocations:.3f} allocations a {cost.unit}"
    allowed = thresholds.costs.get(cost.name)
    if allowed is None:
        return Verdict(False, f"{shown}: no threshold")
    excess = []
    if cost.instructions > allowed.instructions * (1 + INSTRUCTIONS):
        more = cost.instructions / allowed.instructions - 1
        excess.append(f"{more:.1%} more instructions than {allowed.instructions:,.1f}")
    if cost.allocations > allowed.allocations + ALLOCATIONS:
        excess.append(f"{cost.allocations - allowed.allocations:.3f} more allocations than {allowed.allocations:.3f}")
    if excess:
        return Verdict(False, f"{shown}: {', '.join(excess)}")
    is_better = cost.instructions < allowed.instructions * (1 - IMPROVEMENT)
    is_better |= cost.allocations < allowed.allocations * (1 - IMPROVEMENT) - ALLOCATIONS
    return Verdict(True, shown + (", less than the threshold: worth a new one" if is_better else ""))


def relations(costs: list[Cost]) -> list[Verdict]:
    """Compares scenarios with each other; those that were not both counted are left out."""
    found = {cost.name: cost for cost in costs}
    verdicts = []
    for name, other, limit in RELATIONS:
        if name not in found or other not in found:
            continue
        ratio = found[name].instructions / found[other].instructions
        text = f"{name} costs {ratio:.4f} × {other} for each {found[name].unit}, at most {limit}"
        verdicts.append(Verdict(ratio <= limit, text))
    return verdicts
