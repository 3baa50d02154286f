"""The command line of the lab."""

from __future__ import annotations

import json
import os
import signal
import sys
import tempfile
import time
from pathlib import Path

from harness.process import ProgramError
from lab import network
from lab.judge import Check
from lab.hosts import interop_program
from lab.lab import Lab, Outcome
from lab.network import LabError
from lab.options import Options, parse
from lab.scenarios import SCENARIOS

_ROOT = Path(__file__).resolve().parent.parent.parent
OXBOW = Path(os.environ.get("OXBOW", _ROOT / ".build/release/oxbow")).resolve()
PEERS = Path(os.environ.get("OXBOW_PEERS", _ROOT / ".peers")).resolve()


def main(arguments: list[str] | None = None) -> int:
    """Runs the scenarios. The last line is `N passed, N failed`, or one of JSON behind it."""
    options = parse(SCENARIOS, arguments)
    obstacles = network.obstacles()
    skipped = {} if obstacles else _skipped(options)
    if options.only:
        obstacles += [why for reasons in skipped.values() for why in reasons]
    for obstacle in obstacles:
        print(f"lab: can't run here: {obstacle}", file=sys.stderr)
    if obstacles or options.check:
        return 2 if obstacles else 0
    for program in (OXBOW, interop_program(OXBOW)):
        if not program.exists():
            command = f"swift build -c release --product {program.name}"
            print(f"lab: {program.name} isn't built: {command}, or make lab", file=sys.stderr)
            return 2
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    started = time.monotonic()
    try:
        outcomes = _run_all(options, skipped)
    except KeyboardInterrupt:
        print("\nlab: interrupted; everything is removed", file=sys.stderr)
        return 130
    checks = [check for outcome in outcomes.values() for check in outcome.checks]
    failed = sum(not check.passed for check in checks)
    for name, reasons in skipped.items():
        _say(f"\nskipped {name}, which counts as neither: {'; '.join(reasons)}")
    _say(f"\n{len(checks) - failed} passed, {failed} failed")
    if options.json:
        figures = {name: outcome.figures for name, outcome in outcomes.items()}
        seconds = round(time.monotonic() - started, 1)
        counts = {"passed": len(checks) - failed, "failed": failed, "skipped": skipped}
        print(json.dumps({"command": "lab", **counts, "seconds": seconds, **figures}))
    return 1 if failed else 0


def _chosen(options: Options) -> tuple[str, ...]:
    return options.only or tuple(name for name, scenario in SCENARIOS.items() if scenario.is_usual)


def _skipped(options: Options) -> dict[str, list[str]]:
    """The scenarios that can't run here although the lab can, and why."""
    reasons = {name: SCENARIOS[name].obstacles(PEERS) for name in _chosen(options)}
    return {name: why for name, why in reasons.items() if why}


def _run_all(options: Options, skipped: dict[str, list[str]]) -> dict[str, Outcome]:
    network.remove_abandoned()
    outcomes: dict[str, Outcome] = {}
    with tempfile.TemporaryDirectory(prefix="oxlab-") as name:
        emulator = network.build_emulator(Path(name))
        for scenario in _chosen(options):
            if scenario not in skipped:
                lab = Lab(options, Path(name) / scenario, emulator, OXBOW, PEERS, _say)
                outcomes[scenario] = _run(scenario, lab)
    return outcomes


def _run(scenario: str, lab: Lab) -> Outcome:
    started = time.monotonic()
    _say(f"\n{scenario}, over")
    try:
        outcome = SCENARIOS[scenario].run(lab)
    except (LabError, ProgramError) as error:
        outcome = Outcome([Check(scenario, False, str(error))], {"error": str(error)})
        _show_logs(lab.folder)
    for check in outcome.checks:
        _say(f"  {'ok  ' if check.passed else 'FAIL'}  {check.name}: {check.detail}")
    _say(f"  took {time.monotonic() - started:.0f} s")
    return outcome


def _show_logs(folder: Path) -> None:
    """What the processes said last tells more than the lab can."""
    for log in sorted(folder.rglob("*.std*")):
        lines = log.read_text(errors="replace").strip().splitlines()
        text = "\n".join(line for line in lines if '"event": "traffic"' not in line)
        if text:
            _say(f"--- {log.relative_to(folder)}\n{text[-2000:]}")


def _say(text: str) -> None:
    print(text, flush=True)
