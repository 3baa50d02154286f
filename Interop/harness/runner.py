"""The command line of the interop runner."""

from __future__ import annotations

import argparse
import fnmatch
import os
import re
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from . import report
from .cells import OURS, PEERS, Amounts, Cell, matrix, peers_among_themselves
from .execute import Outcome, Setting, execute

_INTEROP = Path(__file__).resolve().parent.parent
_ROOT = _INTEROP.parent
_FULL_REPEATS = 3
_PRINT_VERSION = "from importlib.metadata import version; print(version('libp2p'))"


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the chosen cells, prints the table, and returns the exit status."""
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
        amounts=Amounts(),
        timeout=options.timeout,
    )
    missing = _missing(setting, options.self_check)
    if missing:
        print(f"interop: {missing}", file=sys.stderr)
        return 2
    outcomes = _run(cells, setting)
    _print(outcomes, _versions(setting, outcomes), options)
    return 1 if any(outcome.status == "FAIL" for outcome in outcomes) else 0


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="Interop/run", description="Runs oxbow against libp2p peers of others.")
    parser.add_argument("--quick", action="store_true", help=f"each cell once instead of {_FULL_REPEATS} times")
    parser.add_argument("--repeat", type=int, help="how many times each cell runs")
    parser.add_argument("--only", default="*", metavar="PATTERN", help="cells by name, such as 'go/tls/*/echo'")
    parser.add_argument("--self-check", action="store_true", help="the peers among themselves, without oxbow")
    parser.add_argument("--oxbow", type=Path, default=_ROOT / ".build/release/oxbow-interop", help="our program")
    parser.add_argument("--timeout", type=float, default=120.0, metavar="S", help="the longest time for a case")
    parser.add_argument("--list", action="store_true", help="print the names of the cells and end")
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    parser.add_argument("--write", type=Path, metavar="FILE", help="also write the table, to FILE.md or FILE.json")
    options = parser.parse_args(arguments)
    if options.list:
        print("\n".join(cell.name for cell in _chosen(options)))
        raise SystemExit(0)
    if options.write and options.write.suffix not in (".md", ".json"):
        parser.error("--write wants a name that ends in .md or .json")
    return options


def _chosen(options: argparse.Namespace) -> list[Cell]:
    cells = peers_among_themselves() if options.self_check else matrix(PEERS, other_keys=True)
    repeats = options.repeat or (1 if options.quick or options.self_check or options.list else _FULL_REPEATS)
    return [cell for cell in cells if fnmatch.fnmatchcase(cell.name, options.only) for _ in range(repeats)]


def _missing(setting: Setting, self_check: bool) -> str | None:
    if not (setting.peers / "installed").exists():
        return f"the peers are not in {setting.peers}: run scripts/bootstrap --with-peers"
    if not self_check and not os.access(setting.oxbow, os.X_OK):
        return f"{setting.oxbow} is missing: run swift build -c release --product oxbow-interop, or make interop"
    return None


def _run(cells: Sequence[Cell], setting: Setting) -> list[Outcome]:
    outcomes: list[Outcome] = []
    width = max(len(cell.name) for cell in cells)
    for index, cell in enumerate(cells, start=1):
        outcome = execute(cell, setting)
        outcomes.append(outcome)
        print(f"[{index}/{len(cells)}] {cell.name:<{width}}  {outcome.status:<6} {outcome.seconds:5.1f} s", flush=True)
        if not outcome.passed:
            for complaint in outcome.complaints:
                print(f"    {complaint}")
            print("    " + outcome.logs.replace("\n", "\n    "), flush=True)
    return outcomes


def _versions(setting: Setting, outcomes: Sequence[Outcome]) -> dict[str, str]:
    """What ran, read from what ran."""
    module = re.search(rb"github\.com/libp2p/go-libp2p\tv([0-9.]+)", (setting.peers / "bin" / "p2pd").read_bytes())
    python = setting.peers / "venv" / "bin" / "python"
    versions = {
        "go": f"go-libp2p {module.group(1).decode() if module else 'of unknown version'}",
        "py": f"py-libp2p {_output([str(python), '-c', _PRINT_VERSION])}",
    }
    if any(outcome.cell.ours == OURS for outcome in outcomes):
        versions[OURS] = _output([str(setting.oxbow), "--version"])
    return versions


def _output(command: Sequence[str]) -> str:
    shown = subprocess.run(command, capture_output=True, text=True, check=False)
    return shown.stdout.strip() or "of unknown version"


def _print(outcomes: Sequence[Outcome], versions: dict[str, str], options: argparse.Namespace) -> None:
    print()
    for name, version in versions.items():
        print(f"{name}: {version}")
    print(f"\n{report.as_text(outcomes)}\n")
    if options.write:
        markdown = options.write.suffix == ".md"
        text = report.as_markdown(outcomes, versions) if markdown else report.as_json(outcomes, versions) + "\n"
        options.write.write_text(text)
    print(report.summary(outcomes), flush=True)
    if options.json:
        print(report.as_json(outcomes, versions), flush=True)
