"""The tables of a run, for a terminal, for a document and for a program."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from .abilities import ABILITIES, PEERS
from .outcome import Outcome

COUNTED = "counted: these peers' tunnels can't half-close a stream, so the end of the echo is known by its length"
#: From the best to the worst.
_STATUSES = ("pass", "skip", "defect", "FAIL")

Table = list[list[str]]


def tables(outcomes: Sequence[Outcome]) -> dict[str, Table]:
    """For each section its header and rows, with a column for each case."""
    sections: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        sections.setdefault(outcome.cell.section, []).append(outcome)
    return {name: _table(members) for name, members in sections.items()}


def _table(outcomes: Sequence[Outcome]) -> Table:
    columns = list(dict.fromkeys(outcome.cell.column for outcome in outcomes))
    rows: dict[tuple[str, ...], dict[str, list[Outcome]]] = {}
    for outcome in outcomes:
        rows.setdefault(outcome.cell.row, {}).setdefault(outcome.cell.column, []).append(outcome)
    body = [[*row, *(_text(cells.get(column, [])) for column in columns)] for row, cells in rows.items()]
    return [[*outcomes[0].cell.header, *columns], *body]


def _text(runs: Sequence[Outcome]) -> str:
    """One cell of the table: the worst of its runs, and the time of the slowest."""
    if not runs:
        return "-"
    worst = max(runs, key=lambda run: _STATUSES.index(run.status))
    if worst.status == "skip":
        return "skip"
    return f"{worst.status}{'*' if worst.cell.is_counted else ''} {max(run.seconds for run in runs):.1f}s"


def not_ours() -> Table:
    """What the peers have and Oxbow hasn't, so that nobody takes the tables for all that there is."""
    return [["peer", "what it has", "result"]] + [
        [peer, what, "not ours"] for peer in PEERS for what in ABILITIES[peer].not_ours
    ]


def cannot() -> list[str]:
    """The cells that are not there because a peer can't do its part."""
    lines = []
    for peer in PEERS:
        for role, cases in (("dialer", ABILITIES[peer].cannot_dial), ("listener", ABILITIES[peer].cannot_serve)):
            if cases:
                lines.append(f"{peer} as {role} can't: {', '.join(sorted(cases))}")
        early = "always agrees" if ABILITIES[peer].agrees_early else "never agrees"
        lines.append(f"{peer} {early} on the muxer in the security handshake")
    return lines


def notes(outcomes: Sequence[Outcome]) -> list[str]:
    """What the reader of the tables must know."""
    lines = [f"* {COUNTED}"] if any(outcome.cell.is_counted for outcome in outcomes) else []
    lines += [f"{outcome.cell.name} was left out: {outcome.skipped}" for outcome in outcomes if outcome.skipped]
    for outcome in outcomes:
        known = outcome.cell.defect
        if known is not None and outcome.passed:
            lines.append(f"{outcome.cell.name}: passes now: remove its entry")
        elif known is not None and outcome.status == "defect":
            lines.append(f"{outcome.cell.name}: {known.evidence}")
    return _shortened(list(dict.fromkeys(lines))) + cannot()


def _shortened(lines: Sequence[str]) -> list[str]:
    """One line for all cells of which the same is said."""
    told: dict[str, list[str]] = {}
    for line in lines:
        cell, colon, text = line.partition(": ")
        told.setdefault(text if colon else "", []).append(cell if colon else line)
    shown = []
    for text, cells in told.items():
        many = f" and {len(cells) - 1} more" if len(cells) > 1 else ""
        shown += cells if not text else [f"{cells[0]}{many}: {text}"]
    return shown


def as_text(outcomes: Sequence[Outcome]) -> str:
    """The tables in aligned columns."""
    parts = [f"{name}\n{_aligned(rows)}" for name, rows in tables(outcomes).items()]
    parts.append(f"Not in Oxbow\n{_aligned(not_ours())}")
    return "\n\n".join([*parts, "\n".join(notes(outcomes))])


def _aligned(rows: Table) -> str:
    widths = [max(len(row[index]) for row in rows) for index in range(len(rows[0]))]
    lines = ["  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(lines)


def as_markdown(outcomes: Sequence[Outcome], versions: Mapping[str, str]) -> str:
    """The tables as a Markdown document."""
    lines = ["# Oxbow beside other libp2p peers", "", "Written by `make matrix`; [what each case is](README.md).", ""]
    lines += [f"- {name}: {version}" for name, version in versions.items()]
    lines += ["", f"{summary(outcomes)}; {apart(outcomes)}."]
    for name, rows in [*tables(outcomes).items(), ("Not in Oxbow", not_ours())]:
        header, *body = rows
        lines += ["", f"## {name}", "", "| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
        lines += ["| " + " | ".join(row) + " |" for row in body]
    remarks = [f"- {note.replace('* ', '`*` ', 1) if note.startswith('* ') else note}" for note in notes(outcomes)]
    return "\n".join([*lines, "", "## Notes", "", *remarks]) + "\n"


def summary(outcomes: Sequence[Outcome]) -> str:
    """The last line: how many cells passed and failed. Known defects of a peer and what was left out are neither."""
    counts = _counts(outcomes)
    return f"{counts['pass']} passed, {counts['FAIL']} failed"


def apart(outcomes: Sequence[Outcome]) -> str:
    """What is neither passed nor failed."""
    counts = _counts(outcomes)
    absent = sum(len(ABILITIES[peer].not_ours) for peer in PEERS)
    return f"apart from these {counts['defect']} defects of peers, {counts['skip']} left out, {absent} not ours"


def _counts(outcomes: Sequence[Outcome]) -> dict[str, int]:
    return {status: sum(outcome.status == status for outcome in outcomes) for status in _STATUSES}


def as_json(outcomes: Sequence[Outcome], versions: Mapping[str, str]) -> str:
    """Everything in one object, on one line."""
    counts = _counts(outcomes)
    return json.dumps(
        {
            "passed": counts["pass"],
            "failed": counts["FAIL"],
            "defects": counts["defect"],
            "skipped": counts["skip"],
            "not_ours": {peer: list(ABILITIES[peer].not_ours) for peer in PEERS},
            "versions": dict(versions),
            "cells": [
                {
                    "name": outcome.cell.name,
                    "section": outcome.cell.section,
                    "status": outcome.status,
                    "seconds": round(outcome.seconds, 3),
                    "complaints": outcome.complaints,
                    "result": outcome.result,
                    "refusal": outcome.refusal,
                }
                for outcome in outcomes
            ],
        }
    )
