"""The command line that all kits share."""

from __future__ import annotations

import argparse
import fnmatch
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from peers.contract import ECHO

from . import report
from .case import Case, Result, Status, Violation
from .runner import FAULTS
from .session import Session
from .target import Target


class Kit(Protocol):
    """A set of cases, pointed at one target."""

    name: str
    titles: dict[str, str]

    @staticmethod
    def cases() -> list[Case]:
        """All cases that can be chosen."""

    def run(self, cases: list[Case], workers: int, show: Callable[[Result], None] | None = None) -> list[Result]:
        """Puts the cases to the target."""


def chosen(cases: Sequence[Case], patterns: Sequence[str]) -> list[Case]:
    """The cases whose id matches one of the patterns."""
    return [case for case in cases if any(fnmatch.fnmatchcase(case.id, pattern) for pattern in patterns)]


def main(
    name: str, make: Callable[[Target, str | None], Kit], cases: Sequence[Case], arguments: Sequence[str] | None = None
) -> int:
    """Runs a kit; the status is 0 when no MUST was broken."""
    options = _parse(name, arguments)
    selection = chosen(cases, options.only or ["*"])
    if options.list:
        for case in selection:
            print(f"{case.id:<7} {case.level.value:<7} {case.title}  [{case.source}]")
        return 0
    if not selection or not options.target:
        return _refuse(name, f"{'no case matches' if options.target else 'a target is needed'}: see --help")
    try:
        target = Target.parse(options.target, options.plain, options.protocol, options.timeout)
    except ValueError as error:
        return _refuse(name, f"{options.target} is no address: {error}")
    if reason := obstacle(target):
        return _refuse(name, f"{options.target} can't be asked: {reason}")
    kit = make(target, options.listen)
    show = None if options.quiet else lambda result: print(report.line(result), flush=True)
    results = kit.run(selection, options.jobs, show)
    print(report.summary_text(kit.titles, results, all_failures=bool(options.quiet)))
    if options.json:
        options.json.write_text(report.as_json(name, options.target, results))
    failed = report.count(results, Status.FAILED)
    print(f"{report.count(results, Status.PASSED)} passed, {failed} failed")
    return 1 if failed else 0


def obstacle(target: Target) -> str | None:
    """Why no case can be put to the target; None when it can be reached and a stream of it echoes.

    Otherwise each of hundreds of cases would say so by itself.
    """
    try:
        session = Session(target, *target.open())
        try:
            session.check_in_service()
        finally:
            session.close()
    except Violation as violation:
        return f"it must echo on {target.protocol or 'each stream'}, and does not: {violation}"
    except FAULTS as fault:
        return f"{type(fault).__name__}: {fault}"
    return None


def _refuse(name: str, why: str) -> int:
    print(f"{name}: {why}", file=sys.stderr)
    return 2


def _parse(name: str, arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog=name, description="Puts conformance cases to a listener whose streams echo.")
    parser.add_argument("target", nargs="?", metavar="MULTIADDR|HOST:PORT")
    parser.add_argument("--plain", action="store_true", help="Yamux straight over TCP, without Noise")
    parser.add_argument(
        "--protocol", default=ECHO, help="the protocol that echoes; empty when streams echo without negotiation"
    )
    parser.add_argument(
        "--only", action="append", metavar="PATTERN", help="cases by id, such as '3.*'; may be repeated"
    )
    parser.add_argument("--timeout", type=float, default=5.0, metavar="S", help="seconds for each answer")
    parser.add_argument("--jobs", type=int, default=6, metavar="N", help="cases at a time")
    parser.add_argument(
        "--listen",
        metavar="COMMAND",
        help="makes the target dial: a command that sends 2 MiB through the echo of {address}",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the results there")
    parser.add_argument("--quiet", action="store_true", help="print the table and what failed, not each case")
    parser.add_argument("--list", action="store_true", help="print the cases and end")
    return parser.parse_args(arguments)
