"""The account of what the fuzz targets were run: a table for people, which the next run reads and adds to."""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass
from pathlib import Path

HEAD = """# What the fuzz targets were run

Kept by `make fuzz-aim`, which goes on until each target has had ten million executions or an hour. Release builds with assertions; *minutes* are those of one process,
on a share of two cores. An edge is a branch of the code, a feature an edge together with how often it was passed; both are of the last run.

| target | with AddressSanitizer | minutes | without | minutes | edges | features |
|---|---|---|---|---|---|---|
"""
ROW = re.compile(r"^\| `([^`]+)` \| ([\d,]+) \| ([\d.]+) \| ([\d,]+) \| ([\d.]+) \| ([\d,]+) \| ([\d,]+) \|$")


@dataclass
class Entry:
    """The sums of one target, by build: with AddressSanitizer, and without."""

    executions: list[int]
    minutes: list[float]
    edges: int = 0
    features: int = 0


class Account:
    """The sums of all targets. Several threads may add to it."""

    def __init__(self, path: Path, names: list[str]) -> None:
        """Reads the file, if there is one; `names` are those of all targets, in their order."""
        self.path = path
        self.lock = threading.Lock()
        self.entries = {name: Entry([0, 0], [0.0, 0.0]) for name in names}
        for line in path.read_text().splitlines() if path.exists() else []:
            if match := ROW.match(line):
                name, *figures = match.groups()
                counts = [float(figure.replace(",", "")) for figure in figures]
                self.entries[name] = Entry(
                    [int(counts[0]), int(counts[2])], [counts[1], counts[3]], int(counts[4]), int(counts[5])
                )

    def missing(self, name: str, runs: int, seconds: int) -> tuple[int, int]:
        """How many executions and seconds are left of what is aimed at. None of the one is as good as of both."""
        entry = self.entries[name]
        return runs - sum(entry.executions), seconds - int(60 * sum(entry.minutes))

    def add(self, name: str, is_plain: bool, executions: int, seconds: float, edges: int, features: int) -> None:
        """Books a run, and writes the file."""
        with self.lock:
            entry = self.entries[name]
            entry.executions[is_plain] += executions
            entry.minutes[is_plain] += seconds / 60
            entry.edges, entry.features = edges, features
            self.path.write_text(HEAD + "".join(row(name, entry) for name, entry in self.entries.items()))


def row(name: str, entry: Entry) -> str:
    """A line of the table."""
    builds = zip(entry.executions, entry.minutes, strict=True)
    figures = " | ".join(f"{executions:,} | {minutes:.1f}" for executions, minutes in builds)
    return f"| `{name}` | {figures} | {entry.edges:,} | {entry.features:,} |\n"
