"""The command line of the matrix runner."""

from __future__ import annotations

import argparse
import fnmatch
import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from lab.hosts import interop_program
from peers import kubo

from . import report
from .abilities import PEERS
from .cells import FULL, QUICK, Cell, is_quick, matrix, peers_among_themselves
from .execute import Setting, execute
from .meet import meet, prepare
from .meetings import Meeting, is_quick_meeting, meetings
from .outcome import Outcome, show
from .versions import versions

_INTEROP = Path(__file__).resolve().parent.parent
_ROOT = _INTEROP.parent


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the chosen cells, prints the tables, and returns the exit status."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # cleans up as an interrupt does
    options = _parse(arguments)
    cells = _chosen(options)
    if not cells:
        print(f"interop: no cell matches {options.only}", file=sys.stderr)
        return 2
    setting = Setting(
        interop=_INTEROP,
        peers=Path(os.environ.get("OXBOW_PEERS", _ROOT / ".peers")).resolve(),
        oxbow=options.oxbow.resolve(),
        amounts=QUICK if options.quick else FULL,
        timeout=options.timeout,
    )
    missing = _missing(setting, options.self_check)
    if missing:
        print(f"interop: {missing}", file=sys.stderr)
        return 2
    if any(isinstance(cell, Meeting) for cell in cells):
        prepare()
    started = time.monotonic()
    outcomes = _run(cells, setting)
    seconds = time.monotonic() - started
    _print(outcomes, versions(setting, seconds, uses_ours=not options.self_check), options)
    return 1 if any(outcome.status == "FAIL" for outcome in outcomes) else 0


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="Interop/run", description="Runs oxbow against libp2p peers of others.")
    parser.add_argument("--quick", action="store_true", help="the part that CI runs, with smaller amounts")
    parser.add_argument("--repeat", type=int, default=1, help="how many times each cell runs")
    parser.add_argument("--only", default="*", metavar="PATTERN", help="cells by name, such as 'go/tls/*/echo'")
    parser.add_argument("--self-check", action="store_true", help="the peers among themselves, without oxbow")
    build = _ROOT / ".build/release"
    parser.add_argument("--oxbow", type=Path, default=build / "oxbow", help="our program; oxbow-interop lies beside it")
    parser.add_argument("--timeout", type=float, default=180.0, metavar="S", help="the longest time for a case")
    parser.add_argument("--list", action="store_true", help="print the names of the cells and end")
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    parser.add_argument(
        "--write", type=Path, metavar="FILE", action="append", default=[], help="also write FILE.md or FILE.json"
    )
    options = parser.parse_args(arguments)
    if options.list:
        print("\n".join(cell.name for cell in _chosen(options)))
        raise SystemExit(0)
    if any(file.suffix not in (".md", ".json") for file in options.write):
        parser.error("--write wants a name that ends in .md or .json")
    return options


def _chosen(options: argparse.Namespace) -> list[Cell | Meeting]:
    cells: list[Cell | Meeting] = list(peers_among_themselves())
    if not options.self_check:
        cells = [*matrix(PEERS), *meetings(PEERS)]
        if options.quick:
            cells = [cell for cell in cells if (is_quick(cell) if isinstance(cell, Cell) else is_quick_meeting(cell))]
    chosen = [cell for cell in cells if fnmatch.fnmatchcase(cell.name, options.only)]
    return [cell for cell in chosen for _ in range(1 if options.list else options.repeat)]


def _missing(setting: Setting, self_check: bool) -> str | None:
    if not (setting.peers / "installed").exists():
        return f"the peers are not in {setting.peers}: run scripts/bootstrap --with-peers"
    wanted = [] if self_check else [setting.oxbow, interop_program(setting.oxbow)]
    missing = [program for program in wanted if not os.access(program, os.X_OK)]
    if missing:
        return f"{missing[0]} is missing: run swift build -c release --product {missing[0].name}, or make matrix"
    return None


def _run(cells: Sequence[Cell | Meeting], setting: Setting) -> list[Outcome]:
    outcomes: list[Outcome] = []
    width = max(len(cell.name) for cell in cells)
    for index, cell in enumerate(cells, start=1):
        outcome = _run_one(cell, setting)
        outcomes.append(outcome)
        print(f"[{index}/{len(cells)}] {cell.name:<{width}}  {outcome.status:<6} {outcome.seconds:5.1f} s", flush=True)
        # What a known defect came to is told with its evidence, below the tables: here it would be taken for a failure.
        if outcome.status == "FAIL":
            print(show(outcome), flush=True)
    return outcomes


def _run_one(cell: Cell | Meeting, setting: Setting) -> Outcome:
    if "kubo" in cell.programs and not kubo.library(setting.peers).exists():
        return Outcome(cell, skipped="Kubo isn't installed (Interop/peers/setup)")
    return execute(cell, setting) if isinstance(cell, Cell) else meet(cell, setting)


def _print(outcomes: Sequence[Outcome], found: dict[str, str], options: argparse.Namespace) -> None:
    print()
    for name, version in found.items():
        print(f"{name}: {version}")
    print(f"\n{report.as_text(outcomes)}\n")
    for file in options.write:
        is_markdown = file.suffix == ".md"
        text = report.as_markdown(outcomes, found) if is_markdown else report.as_json(outcomes, found) + "\n"
        file.write_text(text)
    print(report.apart(outcomes))
    print(report.summary(outcomes), flush=True)
    if options.json:
        print(report.as_json(outcomes, found), flush=True)
