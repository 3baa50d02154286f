"""The command line: runs the scenarios and prints the table."""

from __future__ import annotations

import argparse
import fnmatch
import resource
import sys
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from adversary import network
from adversary.catalogue import SCENARIOS, WEAK
from adversary.execute import QUICK, WHOLE, Outcome, Pace, execute
from adversary.report import as_json, as_markdown, as_text, row_status, summary
from adversary.scenario import Scenario
from adversary.target import Programs

_ROOT = Path(__file__).resolve().parent.parent.parent
#: Of those that wait for deadlines so many run at once.
_TOGETHER = 6
#: No process of a run may open more files than this, whatever the machine allows: 10,000 connections and some room.
_FILES = 20_000


def main() -> int:
    """Runs the suite; 0 when every bound held."""
    options = _parse()
    if options.list:
        for scenario in SCENARIOS:
            print(f"{scenario.name:32} {', '.join(scenario.ids)}")
        return 0
    patterns = options.only or (WEAK if options.weak else ["*"])
    chosen = [one for one in SCENARIOS if any(fnmatch.fnmatch(one.name, pattern) for pattern in patterns)]
    if not chosen:
        print(f"no scenario is called {' or '.join(options.only)}: --list names them", file=sys.stderr)
        return 64
    if found := network.obstacles():
        print("\n".join(found), file=sys.stderr)
        return 2
    if options.check:
        return 0
    for program in (options.oxbow, options.interop):
        if not program.exists():
            print(f"{program} is missing: swift build -c release --product {program.name}", file=sys.stderr)
            return 69
    network.enter()
    _allow_files()
    with tempfile.TemporaryDirectory(prefix="oxbow-adversary-") as folder:
        programs = Programs(options.oxbow.resolve(), options.interop.resolve(), Path(folder), options.weak)
        outcomes = run(chosen, programs, QUICK if options.quick else WHOLE, options.verbose)
    if options.weak:
        return _judge_weak(outcomes)
    print(as_text(outcomes))
    if options.write:
        options.write.write_text(as_markdown(outcomes) + "\n")
    print(as_json(outcomes) if options.json else summary(outcomes))
    return 0 if all(outcome.passed for outcome in outcomes) else 1


def _judge_weak(outcomes: Sequence[Outcome]) -> int:
    """The suite's own check: each scenario has to find something."""
    held = [outcome for outcome in outcomes if not outcome.own_complaints]
    for outcome in outcomes:
        print(f"{outcome.scenario.name:28} {'; '.join(outcome.own_complaints) or 'HELD by a target without limits'}")
    print(f"{len(outcomes) - len(held)} found, {len(held)} blind")
    return 1 if held else 0


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="adversary/run", description="Attacks oxbow on real sockets.")
    parser.add_argument("--only", action="append", default=[], metavar="NAME", help="some scenarios, by a pattern")
    parser.add_argument("--quick", action="store_true", help="smaller counts, shorter windows: for every change")
    parser.add_argument("--list", action="store_true", help="name the scenarios")
    parser.add_argument("--check", action="store_true", help="say whether this machine can run it; status 2 if not")
    parser.add_argument("--weak", action="store_true", help="attack a target without limits: the bounds must break")
    parser.add_argument("--json", action="store_true", help="make the last line one JSON object")
    parser.add_argument("--write", type=Path, metavar="FILE", help="write the table as Markdown")
    parser.add_argument("--verbose", action="store_true", help="say how each scenario went as it ends")
    parser.add_argument("--oxbow", type=Path, default=_ROOT / ".build/release/oxbow", help="the program to attack")
    parser.add_argument(
        "--interop", type=Path, default=_ROOT / ".build/release/oxbow-interop", help="the one to the contract"
    )
    return parser.parse_args()


def _allow_files() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    allowed = _FILES if hard == resource.RLIM_INFINITY else min(hard, _FILES)
    resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, allowed))


def run(chosen: Sequence[Scenario], programs: Programs, pace: Pace, is_verbose: bool = False) -> list[Outcome]:
    """Runs the scenarios: first, together, those that mostly wait; then one attack after the other."""

    def one(scenario: Scenario) -> Outcome:
        outcome = execute(scenario, programs, pace)
        if is_verbose or not (outcome.passed or programs.weak):
            print(f"{row_status(outcome)} {scenario.name} {outcome.seconds:.1f} s", file=sys.stderr, flush=True)
            for complaint in outcome.complaints:
                print(f"  {complaint}", file=sys.stderr, flush=True)
        return outcome

    waiting = [scenario for scenario in chosen if scenario.waits]
    # While one is attacked, the next one starts.
    active = [scenario for scenario in chosen if not scenario.waits]
    outcomes = [*_each(one, waiting, _TOGETHER), *_each(one, active, 2)]
    done = {outcome.scenario.name: outcome for outcome in outcomes}
    return [done[scenario.name] for scenario in chosen]


def _each(one: Callable[[Scenario], Outcome], scenarios: Sequence[Scenario], workers: int) -> list[Outcome]:
    with ThreadPoolExecutor(workers) as pool:
        try:
            return list(pool.map(one, scenarios))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)  # those that run end within their time
            raise


if __name__ == "__main__":
    sys.exit(main())
