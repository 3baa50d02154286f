"""The command line of the lab."""

from __future__ import annotations

import json
import signal
import sys
import tempfile
import time
from pathlib import Path

from harness.process import ProgramError
from lab import network
from lab.judge import Check
from lab.network import LabError, Network
from lab.options import Options, parse
from lab.scenarios import SCENARIOS, Outcome, Scene, plans_for

OXBOW = Path(__file__).resolve().parent.parent.parent / ".build/release/oxbow"


def main(arguments: list[str] | None = None) -> int:
    """Runs the scenarios. The last line is `N passed, N failed`, or one of JSON behind it."""
    options = parse(arguments)
    obstacles = network.obstacles()
    for obstacle in obstacles:
        print(f"lab: can't run here: {obstacle}", file=sys.stderr)
    if obstacles or options.check:
        return 2 if obstacles else 0
    if not OXBOW.exists():
        print("lab: oxbow isn't built: swift build -c release --product oxbow, or make lab", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    started = time.monotonic()
    try:
        outcomes = _run_all(options)
    except KeyboardInterrupt:
        print("\nlab: interrupted; everything is removed", file=sys.stderr)
        return 130
    checks = [check for outcome in outcomes.values() for check in outcome.checks]
    failed = sum(not check.passed for check in checks)
    print(f"\n{len(checks) - failed} passed, {failed} failed", flush=True)
    if options.json:
        figures = {name: outcome.figures for name, outcome in outcomes.items()}
        seconds = round(time.monotonic() - started, 1)
        print(json.dumps({"command": "lab", "passed": len(checks) - failed, "failed": failed, "seconds": seconds, **figures}))
    return 1 if failed else 0


def _run_all(options: Options) -> dict[str, Outcome]:
    network.remove_abandoned()
    outcomes: dict[str, Outcome] = {}
    with tempfile.TemporaryDirectory(prefix="oxlab-") as name:
        emulator = network.build_emulator(Path(name))
        for scenario in options.scenarios:
            folder = Path(name) / scenario
            folder.mkdir()
            outcomes[scenario] = _run(scenario, options, emulator, folder)
    return outcomes


def _run(scenario: str, options: Options, emulator: Path, folder: Path) -> Outcome:
    plans = plans_for(scenario, options)
    _say(f"\n{scenario}, over")
    for plan in plans:
        _say(f"  {plan.device}: {plan.describe()}")
    try:
        with Network(plans, emulator, folder, options.seed) as built:
            outcome = SCENARIOS[scenario](Scene(built, OXBOW, options, _say))
    except (LabError, ProgramError) as error:
        outcome = Outcome([Check(scenario, False, str(error))], {"error": str(error)})
        # What the processes said last tells more than the lab can.
        for log in sorted(folder.glob("*.std*")):
            text = log.read_text(errors="replace").strip()
            if text:
                _say(f"--- {log.name}\n{text[-2000:]}")
    for check in outcome.checks:
        _say(f"  {'ok  ' if check.passed else 'FAIL'}  {check.name}: {check.detail}")
    return outcome


def _say(text: str) -> None:
    print(text, flush=True)
