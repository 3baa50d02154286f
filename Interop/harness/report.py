"""The table of a run, for a terminal, for a document and for a program."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from .cells import Cell
from .execute import Outcome

_HEADER = ("peer", "security", "direction")
COUNTED = "counted: the daemon can't half-close a stream, so the end of the echo is known by its length"


def table(outcomes: Sequence[Outcome]) -> list[list[str]]:
    """Header and rows: a row for each peer, security and direction, a column for each case."""
    columns = list(dict.fromkeys(outcome.cell.column for outcome in outcomes))
    rows: dict[tuple[str, str, str], dict[str, list[Outcome]]] = {}
    for outcome in outcomes:
        rows.setdefault(outcome.cell.row, {}).setdefault(outcome.cell.column, []).append(outcome)
    body = [[*row, *(_text(cells.get(column, [])) for column in columns)] for row, cells in rows.items()]
    return [[*_HEADER, *columns], *body]


def _text(runs: Sequence[Outcome]) -> str:
    """One cell of the table: the worst of its runs, and the time of the slowest."""
    if not runs:
        return "-"
    worst = max(runs, key=lambda run: ("pass", "defect", "FAIL").index(run.status))
    counted = "*" if _is_counted(worst.cell) else ""
    return f"{worst.status}{counted} {max(run.seconds for run in runs):.1f}s"


def _is_counted(cell: Cell) -> bool:
    return cell.case == "echo" and not cell.half_close


def notes(outcomes: Sequence[Outcome]) -> list[str]:
    """What the reader of the table must know."""
    lines = [f"* {COUNTED}"] if any(_is_counted(outcome.cell) for outcome in outcomes) else []
    for outcome in outcomes:
        if outcome.cell.defect:
            state = "passes now: remove the entry" if outcome.passed else outcome.cell.defect
            lines.append(f"{outcome.cell.name}: {state}")
    return list(dict.fromkeys(lines))


def as_text(outcomes: Sequence[Outcome]) -> str:
    """The table in aligned columns."""
    rows = table(outcomes)
    widths = [max(len(row[index]) for row in rows) for index in range(len(rows[0]))]
    lines = ["  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(lines + notes(outcomes))


def as_markdown(outcomes: Sequence[Outcome], versions: Mapping[str, str]) -> str:
    """The table as a Markdown document."""
    header, *body = table(outcomes)
    lines = ["# Interop", ""]
    lines += [f"- {name}: {version}" for name, version in versions.items()]
    lines += ["", "| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    lines += ["| " + " | ".join(row) + " |" for row in body]
    remarks = [f"- {note.replace('* ', '`*` ', 1) if note.startswith('* ') else note}" for note in notes(outcomes)]
    lines += ["", *remarks, ""] if remarks else [""]
    return "\n".join([*lines, summary(outcomes)]) + "\n"


def summary(outcomes: Sequence[Outcome]) -> str:
    """The last line: how many cells passed and failed. Known defects of a peer are neither."""
    failed = sum(outcome.status == "FAIL" for outcome in outcomes)
    passed = sum(outcome.status == "pass" for outcome in outcomes)
    return f"{passed} passed, {failed} failed"


def as_json(outcomes: Sequence[Outcome], versions: Mapping[str, str]) -> str:
    """Everything in one object, on one line."""
    return json.dumps(
        {
            "passed": sum(outcome.status == "pass" for outcome in outcomes),
            "failed": sum(outcome.status == "FAIL" for outcome in outcomes),
            "defects": sum(outcome.status == "defect" for outcome in outcomes),
            "versions": dict(versions),
            "cells": [
                {
                    "name": outcome.cell.name,
                    "status": outcome.status,
                    "seconds": round(outcome.seconds, 3),
                    "complaints": outcome.complaints,
                    "result": outcome.result,
                }
                for outcome in outcomes
            ],
        }
    )
