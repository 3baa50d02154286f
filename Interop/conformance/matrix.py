"""Runs all kits against all targets and writes the table: `Interop/conformance/run --help`."""

from __future__ import annotations

import argparse
import fnmatch
import json
import os
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from harness.cells import Amounts
from harness.execute import Setting
from harness.process import Program, ProgramError
from harness.versions import versions

from . import report
from .case import Case, Result, Status
from .command import Kit
from .identify.kit import IdentifyKit
from .multistream.kit import MultistreamKit
from .noise.kit import NoiseKit
from .target import Target
from .targets import IMPLEMENTATIONS, OURS, Implementation, started
from .yamux.kit import YamuxKit

_INTEROP = Path(__file__).resolve().parent.parent
_ROOT = _INTEROP.parent
KITS: dict[str, type] = {kit.name: kit for kit in (YamuxKit, MultistreamKit, NoiseKit, IdentifyKit)}

#: Seconds that a program takes to die of an error.
_DYING = 1.0
#: What came of one kit on one target.
Outcome = tuple[Implementation, str, list[Result], float]


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs what was chosen; the status is 0 unless Oxbow broke a MUST, or a target couldn't be started."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    options = _parse(arguments)
    setting = Setting(
        interop=_INTEROP,
        peers=Path(os.environ.get("OXBOW_PEERS", _ROOT / ".peers")).resolve(),
        oxbow=options.oxbow.resolve(),
        amounts=Amounts(),
        timeout=60.0,
    )
    os.environ.update(setting.environment)  # for the programs that dialling cases start
    chosen = [i for i in IMPLEMENTATIONS if any(fnmatch.fnmatchcase(i.name, name) for name in options.target or ["*"])]
    outcomes: list[Outcome] = []
    for implementation in chosen:
        for name in options.kit or KITS:
            if implementation.plain and name != YamuxKit.name:
                continue
            outcomes.append(_run(implementation, name, setting, options.only or ["*"]))
            _show(outcomes[-1])
    if options.write:
        options.write.write_text(as_markdown(outcomes, versions(setting, sum(outcome[3] for outcome in outcomes), True)))
    return _end(outcomes, options.json)


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="Interop/conformance/run", description="Runs the conformance kits.")
    parser.add_argument("--target", action="append", metavar="NAME", help=", ".join(i.name for i in IMPLEMENTATIONS))
    parser.add_argument("--kit", action="append", choices=list(KITS), help="some of the kits")
    parser.add_argument("--only", action="append", metavar="PATTERN", help="cases by id, such as '3.*'")
    parser.add_argument("--oxbow", type=Path, default=_ROOT / ".build/release/oxbow-interop", help="our program")
    parser.add_argument("--write", type=Path, metavar="FILE", help="also write the results, as Markdown")
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    return parser.parse_args(arguments)


def _run(implementation: Implementation, name: str, setting: Setting, patterns: Sequence[str]) -> Outcome:
    began = time.monotonic()
    cases: list[Case] = [c for c in KITS[name].cases() if any(fnmatch.fnmatchcase(c.id, p) for p in patterns)]
    left_out = [
        Result(case, Status.SKIPPED, reason)
        for kit, pattern, reason in implementation.left_out
        if kit == name
        for case in cases
        if fnmatch.fnmatchcase(case.id, pattern)
    ]
    skipped = {result.case.id for result in left_out}
    cases = [case for case in cases if case.id not in skipped]
    share = implementation.cases_per_process or max(1, len(cases))
    results: list[Result] = list(left_out)
    for start in range(0, len(cases), share):
        results += _put(implementation, name, setting, cases[start : start + share])
    return implementation, name, merged(results), time.monotonic() - began


def _put(implementation: Implementation, name: str, setting: Setting, cases: list[Case]) -> list[Result]:
    """Puts cases to a new process. When it dies, those that went wrong are put to one process each: who killed it?"""
    with started(implementation, setting) as (address, program):
        target = Target.parse(address, implementation.plain, implementation.protocol, implementation.timeout)
        kit: Kit = KITS[name](target, implementation.dial_command(setting))
        results = kit.run(cases, implementation.jobs)
        bad = {r.case.id for r in results if r.status in (Status.FAILED, Status.ADVISED)}
        if not bad or not _dies(program):
            return results
    if len(cases) == 1:
        return [
            replace(r, status=Status.FAILED, seen=f"the target's program dies of it; {r.seen}") for r in results[:1]
        ]
    results = [r for r in results if r.case.id not in bad]
    for case in cases:
        if case.id in bad:
            results += _put(implementation, name, setting, [case])
    return results


def _dies(program: Program) -> bool:
    """Whether the program has ended, or is about to."""
    try:
        program.await_exit(_DYING)
    except ProgramError:
        return False
    return True


def merged(results: Sequence[Result]) -> list[Result]:
    """One result for each case: what several processes were judged for alike has the worst of its results."""
    order = [Status.FAILED, Status.ADVISED, Status.NOTED, Status.PASSED, Status.SKIPPED]
    best: dict[str, Result] = {}
    for result in results:
        known = best.get(result.case.id)
        if known is None or order.index(result.status) < order.index(known.status):
            best[result.case.id] = result
    return list(best.values())


def _show(outcome: Outcome) -> None:
    implementation, name, results, seconds = outcome
    print(f"\n== {name}, {implementation.title} ({seconds:.0f} s)")
    print(report.summary_text(KITS[name].titles, results), flush=True)


def _end(outcomes: Sequence[Outcome], wants_json: bool) -> int:
    ours = [result for implementation, _, results, _ in outcomes if implementation is OURS for result in results]
    passed, failed = report.count(ours, Status.PASSED), report.count(ours, Status.FAILED)
    if not ours:  # others alone: nothing of theirs fails a run
        passed = sum(report.count(results, Status.PASSED) for _, _, results, _ in outcomes)
    print(f"{passed} passed, {failed} failed")
    if wants_json:
        figures = {
            f"{implementation.name}/{name}": {column.value: report.count(results, column) for column in report.COLUMNS}
            for implementation, name, results, _ in outcomes
        }
        print(json.dumps({"passed": passed, "failed": failed, "outcomes": figures}), flush=True)
    return 1 if failed else 0


_HEAD = """# Results of the conformance kits

Written by `Interop/conformance/run --write`; [README.md](README.md) says what is asked and how it is judged.
*failed*: a MUST was broken; *advised*: a SHOULD was not met; *noted*: an implementation's own choice, recorded;
*skipped*: it can't be asked.

{versions}
"""


def as_markdown(outcomes: Sequence[Outcome], known: dict[str, str]) -> str:
    """The results as a document: a table for each kit and target, and what isn't good, as it was found."""
    lines = [
        _HEAD.format(versions="\n".join(f"- {name}: {text}" for name, text in known.items()))
    ]
    lines += ["| kit | target | " + " | ".join(c.value for c in report.COLUMNS) + " |", "|---" * 7 + "|"]
    for implementation, name, results, _ in outcomes:
        lines.append(f"| {name} | {implementation.title} | " + _cells(results) + " |")
    for implementation, name, results, _ in outcomes:
        lines += ["", f"## {name}: {implementation.title}", ""]
        if implementation.remark and name == YamuxKit.name:
            lines += [implementation.remark, ""]
        lines += ["| section | " + " | ".join(c.value for c in report.COLUMNS) + " |", "|---" * 6 + "|"]
        for number, group in report.by_section(results).items():
            lines.append(f"| {number}. {KITS[name].titles[number]} | " + _cells(group) + " |")
        bad = [r for r in results if r.status in (Status.FAILED, Status.ADVISED)]
        bad.sort(key=lambda result: report.key(result.case.id))
        lines += ["", *(_finding(result) for result in bad)] if bad else []
    return "\n".join(lines) + "\n"


def _cells(results: Sequence[Result]) -> str:
    return " | ".join(str(report.count(results, column)) for column in report.COLUMNS)


def _finding(result: Result) -> str:
    seen = report.short(result.seen).replace("|", "\\|").replace("<", "\\<")
    return f"- **{result.case.id}** {result.case.level.value}: {result.case.title} ({result.case.source}). {seen}"


def run_main() -> int:
    """`main`, with what a target's program did wrong as a message."""
    try:
        return main()
    except ProgramError as error:
        print(f"conformance: {error}", file=sys.stderr)
        return 2
