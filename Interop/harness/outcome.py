"""What became of a cell, whatever kind of cell it is."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from .defects import Defect
from .process import Line


class Entry(Protocol):
    """A cell of the matrix, as the report sees it."""

    @property
    def header(self) -> tuple[str, ...]:
        """What names the first columns of its table."""

    @property
    def name(self) -> str:
        """Its name in reports, in `--only` patterns and in `DEFECTS`."""

    @property
    def section(self) -> str:
        """The table that it belongs to."""

    @property
    def row(self) -> tuple[str, ...]:
        """Its row."""

    @property
    def column(self) -> str:
        """Its column."""

    @property
    def programs(self) -> frozenset[str]:
        """The programs that have to be there."""

    @property
    def is_counted(self) -> bool:
        """Whether an echo's end is known by its length alone."""

    @property
    def defect(self) -> Defect | None:
        """A known defect of the peer in this cell."""


@dataclass
class Outcome:
    """What became of a cell."""

    cell: Entry
    complaints: list[str] = field(default_factory=list)
    seconds: float = 0.0
    result: Line = field(default_factory=dict)
    #: What a dialer said of a wrong peer id.
    refusal: str | None = None
    #: Why the cell could not run here.
    skipped: str | None = None
    logs: str = ""

    @property
    def passed(self) -> bool:
        """Whether it ran, and there was nothing to complain about."""
        return not self.complaints and not self.skipped

    @property
    def status(self) -> str:
        """`pass`, `FAIL`, `skip`, or `defect` for a failure that is known to be the peer's."""
        if self.skipped:
            return "skip"
        if self.passed:
            return "pass"
        known = self.cell.defect
        return "defect" if known is not None and known.explains(self.complaints) else "FAIL"


def show(outcome: Outcome) -> str:
    """What there is to say of a cell that has not passed."""
    lines = [*outcome.complaints, *outcome.logs.splitlines()]
    return "\n".join(f"    {line}" for line in lines)


def describe_folder(folder: Path, limit: int = 2000) -> str:
    """The ends of all logs of programs in a folder."""
    parts = []
    for log in sorted(folder.rglob("*.std*")):
        text = log.read_text(errors="replace").strip()
        if text:
            parts.append(f"--- {log.name}\n{text[-limit:]}")
    return "\n".join(parts)
