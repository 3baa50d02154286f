"""The results of a run of the benchmarks, as `Benchmarks/run --results` writes them."""

from __future__ import annotations

from dataclasses import dataclass


class ResultsError(Exception):
    """The file holds something else."""


@dataclass(frozen=True)
class Figure:
    """One line of the table."""

    key: str
    group: str
    title: str
    unit: str
    median: float
    low: float
    high: float
    #: Whether less is better.
    is_cost: bool
    #: The key of the figure that it is put in relation to.
    reference: str | None


@dataclass(frozen=True)
class Results:
    """All figures of a run, in the order of the table."""

    machine: str
    runs: int
    seconds: float
    notes: list[str]
    figures: list[Figure]

    @classmethod
    def parse(cls, found: object) -> Results:
        """Takes the parsed file; raises `ResultsError` when it is no such one."""
        if not isinstance(found, dict) or found.get("command") != "bench":
            raise ResultsError("these are not the results of Benchmarks/run --results")
        try:
            figures = [Figure(**{"reference": None, **entry}) for entry in found["figures"]]
            results = cls(found["machine"], found["runs"], found["seconds"], found["notes"], figures)
        except (KeyError, TypeError) as error:
            raise ResultsError(f"the results lack something: {error}") from None
        if not figures:
            raise ResultsError("there is no figure in the results")
        return results

    def reference(self, figure: Figure) -> Figure | None:
        """What a figure is put in relation to, if it was measured."""
        return next((one for one in self.figures if one.key == figure.reference and one.median > 0), None)

    def is_reference(self, figure: Figure) -> bool:
        """Whether a figure is there for others to be put in relation to, or bounds them."""
        return figure.key.startswith(("aead.", "peers.go.", "peers.py.")) or ".nio" in figure.key

    @property
    def groups(self) -> dict[str, list[Figure]]:
        """The figures by part of the table, in order."""
        groups: dict[str, list[Figure]] = {}
        for figure in self.figures:
            groups.setdefault(figure.group, []).append(figure)
        return groups


def number(value: float) -> str:
    """With three to four digits that mean something."""
    if value >= 1_000:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 100 else f"{value:.2f}"
