"""The command line of the runner."""

from __future__ import annotations

import argparse
import fnmatch
import json
import os
import shutil
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from testplans import execute, kubo_front, punch, redis
from testplans.cells import HOLE_PUNCH, Cell, matrix
from testplans.execute import Outcome, Setting

_INTEROP = Path(__file__).resolve().parent.parent.parent
_ROOT = _INTEROP.parent


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the chosen cells. The last line is `N passed, N failed`, or one of JSON behind it."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # cleans up as an interrupt does
    options = _parse(arguments)
    cells = [cell for cell in matrix() if fnmatch.fnmatchcase(cell.name, options.only)]
    if options.list:
        print("\n".join(cell.name for cell in cells))
        return 0
    setting = Setting(
        interop=_INTEROP,
        peers=Path(os.environ.get("OXBOW_PEERS", _ROOT / ".peers")).resolve(),
        oxbow=options.oxbow.resolve(),
    )
    if missing := _missing(cells, setting):
        print(f"test-plans: {missing}", file=sys.stderr)
        return 2
    skipped = {cell: reason for cell in cells if (reason := _obstacle(cell, setting))}
    outcomes = _run([cell for cell in cells if cell not in skipped], setting)
    for test in dict.fromkeys(outcome.cell.test for outcome in outcomes):
        print(f"\n{_table([outcome for outcome in outcomes if outcome.cell.test == test])}")
    print()
    for reason in dict.fromkeys(skipped.values()):
        names = ", ".join(cell.name for cell in skipped if skipped[cell] == reason)
        print(f"skipped, which counts as neither: {names}: {reason}")
    failed = sum(not outcome.passed for outcome in outcomes)
    print(f"{len(outcomes) - failed} passed, {failed} failed", flush=True)
    if options.json:
        print(_as_json(outcomes, skipped), flush=True)
    return 1 if failed else 0


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="Interop/test-plans/run", description="Runs libp2p's test-plans and unified-testing without containers."
    )
    parser.add_argument("--only", default="*", metavar="PATTERN", help="cells by name, such as 'transport/*/noise/*'")
    parser.add_argument("--oxbow", type=Path, default=_ROOT / ".build/release/oxbow-interop", help="our program")
    parser.add_argument("--list", action="store_true", help="print the names of the cells and end")
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    return parser.parse_args(arguments)


def _missing(cells: Sequence[Cell], setting: Setting) -> str | None:
    """Why nothing can run."""
    if not cells:
        return "no cell has such a name: --list shows them"
    if not os.access(setting.oxbow, os.X_OK):
        return f"{setting.oxbow} is missing: run swift build -c release --product oxbow-interop, or make test-plans"
    if shutil.which("setpriv") is None:
        return "'setpriv' is missing: apt install util-linux"
    return redis.obstacle()


def _obstacle(cell: Cell, setting: Setting) -> str | None:
    """Why a cell can't run here; None when it can."""
    if cell.test == HOLE_PUNCH:
        return "; ".join(punch.obstacles()) or None
    if "kubo" in cell.peers and (reason := kubo_front.obstacle(setting.peers)):
        return reason
    if cell.peers and not (setting.peers / "installed").exists():
        return f"the peers are not in {setting.peers}: scripts/bootstrap --with-peers installs them"
    return None


def _run(cells: Sequence[Cell], setting: Setting) -> list[Outcome]:
    outcomes: list[Outcome] = []
    width = max((len(cell.name) for cell in cells), default=0)
    for index, cell in enumerate(cells, start=1):
        outcome = (punch if cell.test == HOLE_PUNCH else execute).execute(cell, setting)
        outcomes.append(outcome)
        verdict = "pass" if outcome.passed else "FAIL"
        print(f"[{index}/{len(cells)}] {cell.name:<{width}}  {verdict} {outcome.seconds:5.1f} s", flush=True)
        if not outcome.passed:
            for complaint in outcome.complaints:
                print(f"    {complaint}")
            print("    " + outcome.logs.replace("\n", "\n    "), flush=True)
    return outcomes


def _table(outcomes: Sequence[Outcome]) -> str:
    """A row for each pair of peers, a column for each convention and variant."""
    columns = list(dict.fromkeys((one.cell.convention, one.cell.variant) for one in outcomes))
    rows: dict[tuple[str, str], dict[tuple[str, str], str]] = {}
    for one in outcomes:
        row = rows.setdefault((one.cell.dialer, one.cell.listener), {})
        row[one.cell.convention, one.cell.variant] = f"{'pass' if one.passed else 'FAIL'} {one.seconds:.1f}s"
    head = [f"{outcomes[0].cell.test}: dialer", "listener"]
    lines = [[*head, *(f"{convention} {variant}" for convention, variant in columns)]]
    lines += [[*row, *(found.get(column, "-") for column in columns)] for row, found in rows.items()]
    widths = [max(len(line[index]) for line in lines) for index in range(len(lines[0]))]
    texts = ["  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip() for line in lines]
    return "\n".join([texts[0], "  ".join("-" * width for width in widths), *texts[1:]])


def _as_json(outcomes: Sequence[Outcome], skipped: dict[Cell, str]) -> str:
    failed = sum(not outcome.passed for outcome in outcomes)
    return json.dumps(
        {
            "command": "test-plans",
            "passed": len(outcomes) - failed,
            "failed": failed,
            "skipped": {cell.name: reason for cell, reason in skipped.items()},
            "cells": [
                {
                    "name": outcome.cell.name,
                    "passed": outcome.passed,
                    "seconds": round(outcome.seconds, 3),
                    "complaints": outcome.complaints,
                    "result": outcome.result,
                }
                for outcome in outcomes
            ],
        }
    )
