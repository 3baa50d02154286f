"""The table of a run, for a terminal, for a document and for a program."""

from __future__ import annotations

import json
from collections.abc import Sequence

from adversary.bounds import Bound
from adversary.execute import Outcome
from adversary.scenario import COMMON

_HEADER = ("attack", "known as", "bound: seen", "CPU s target/attacker", "memory MiB", "honest", "s", "")


def as_text(outcomes: Sequence[Outcome]) -> str:
    """The table in aligned columns, with what was wrong behind it."""
    rows = [_HEADER, *map(_row, outcomes)]
    widths = [max(len(row[index]) for row in rows) for index in range(len(_HEADER))]
    lines = ["  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    wrong = [f"{one.scenario.name}: {complaint}" for one in outcomes for complaint in one.complaints]
    return "\n".join([*lines, *wrong])


def as_markdown(outcomes: Sequence[Outcome]) -> str:
    """The table as Markdown."""
    rows = [_HEADER[:-2], *(_row(outcome)[:-2] for outcome in outcomes)]
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    lines.insert(1, "|" + "---|" * len(rows[0]))
    return "\n".join(lines)


def row_status(outcome: Outcome) -> str:
    """`pass` or `FAIL`."""
    return "pass" if outcome.passed else "FAIL"


def _row(outcome: Outcome) -> tuple[str, ...]:
    facts = outcome.facts
    own = "; ".join(f"{bound}: {_seen(facts.get(bound.fact))}" for bound in outcome.scenario.own if not _common(bound))
    target, attacker = facts.get("target cpu"), facts.get("attacker cpu")
    cost = "-"
    if target is not None and attacker is not None:
        cost = f"{target:.2f}/{attacker:.2f}" + (f" = {target / attacker:.2f}" if attacker > 0 else "")
    limit = next(bound.value for bound in outcome.scenario.bounds if bound.fact == "growth")
    memory = f"+{facts['growth']:.0f} of {limit:.0f}" if "growth" in facts else "-"
    honest = f"{100 * facts['honest']:.0f} %" if "honest" in facts else "-"
    name, ids = outcome.scenario.name, ", ".join(outcome.scenario.ids)
    return name, ids, own or "-", cost, memory, honest, f"{outcome.seconds:.1f}", row_status(outcome)


def _common(bound: Bound) -> bool:
    return bound.fact in {common.fact for common in COMMON}


def _seen(value: float | None) -> str:
    return "-" if value is None else f"{value:g}" if value != int(value) or abs(value) < 1e6 else str(int(value))


def summary(outcomes: Sequence[Outcome]) -> str:
    """The last line."""
    failed = sum(not outcome.passed for outcome in outcomes)
    return f"{len(outcomes) - failed} passed, {failed} failed"


def as_json(outcomes: Sequence[Outcome]) -> str:
    """Everything in one object, on one line."""
    return json.dumps(
        {
            "passed": sum(outcome.passed for outcome in outcomes),
            "failed": sum(not outcome.passed for outcome in outcomes),
            "scenarios": [
                {
                    "name": outcome.scenario.name,
                    "ids": outcome.scenario.ids,
                    "status": row_status(outcome),
                    "bounds": [str(bound) for bound in outcome.bounds],
                    "facts": outcome.facts,
                    "complaints": outcome.complaints,
                    "seconds": round(outcome.seconds, 3),
                    "tries": outcome.tries,
                }
                for outcome in outcomes
            ],
        }
    )
