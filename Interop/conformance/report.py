"""Results as text, as a table and as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from .case import Result, Status, key

_MARKS = {
    Status.PASSED: "pass",
    Status.FAILED: "FAIL",
    Status.ADVISED: "advise",
    Status.NOTED: "note",
    Status.SKIPPED: "skip",
}
COLUMNS = (Status.PASSED, Status.FAILED, Status.ADVISED, Status.NOTED, Status.SKIPPED)
_LONGEST = 300


def line(result: Result) -> str:
    """One result on one line."""
    seen = f"  ({short(result.seen)})" if result.seen else ""
    case = result.case
    return f"{_MARKS[result.status]:<6} {case.id:<6} {case.level.value:<6} {case.title}{seen}"


def short(text: str) -> str:
    """One line, cut where it gets long."""
    flat = " ".join(text.split())
    return flat if len(flat) <= _LONGEST else flat[:_LONGEST] + " …"


def count(results: Sequence[Result], status: Status) -> int:
    """How many results have the status."""
    return sum(result.status is status for result in results)


def by_section(results: Sequence[Result]) -> dict[str, list[Result]]:
    """Results by the number of their section, in order."""
    sections: dict[str, list[Result]] = {}
    for result in sorted(results, key=lambda result: key(result.case.id)):
        sections.setdefault(result.case.id.split(".")[0], []).append(result)
    return sections


def summary_text(titles: Mapping[str, str], results: Sequence[Result], all_failures: bool = True) -> str:
    """The table of sections; with `all_failures` also each result that isn't good."""
    lines = ["", f"{'section':<34}" + "".join(f"{column.value:>9}" for column in COLUMNS)]
    for number, group in by_section(results).items():
        lines.append(f"{number + '. ' + titles[number]:<34}" + "".join(f"{count(group, c):>9}" for c in COLUMNS))
    lines.append(f"{'all':<34}" + "".join(f"{count(results, column):>9}" for column in COLUMNS))
    if all_failures:
        bad = [result for result in results if result.status in (Status.FAILED, Status.ADVISED)]
        lines += ["", *(line(result) for result in bad)] if bad else []
    return "\n".join(lines) + "\n"


def as_json(name: str, target: str, results: Sequence[Result]) -> str:
    """All results for programs."""
    rows = [
        {
            "id": result.case.id,
            "title": result.case.title,
            "source": result.case.source,
            "level": result.case.level.value,
            "status": result.status.value,
            "seen": result.seen,
            "seconds": result.seconds,
        }
        for result in results
    ]
    return json.dumps({"kit": name, "target": target, "results": rows}, indent=1) + "\n"
