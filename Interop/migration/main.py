"""The command line of the scripted migration scenarios."""

from __future__ import annotations

import argparse
import fnmatch
import json
import os
import queue
import signal
import sys
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from harness.process import ProgramError
from peers.wire import decode_peer_id, encode_base58, split_peer
from stack.connection import dial
from stack.identity import Identity
from stack.link import Ended, Silence
from stack.multistream import NegotiationError
from stack.noise import NoiseError

from . import scenarios
from .execute import Outcome, execute, write
from .messages import Dialect
from .registry import Cell, Way, cells
from .sides import AddressSide, ProgramSide, Side, WaitingSide

_ROOT = Path(__file__).resolve().parent.parent.parent
_DEFAULT = _ROOT / ".build/release/oxbow-interop"
_DIALECTS = {"draft": (Dialect.DRAFT,), "2022": (Dialect.POC,), "both": (Dialect.DRAFT, Dialect.POC)}
#: Scenarios that wait longer than this for a deadline of the rules run only with `--full`.
_QUICK = 10.0

assert scenarios.__all__


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the chosen scenarios, prints the table, and returns the exit status."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    options = _parse(arguments)
    chosen = _chosen(options)
    if options.list:
        for cell in chosen:
            print(f"{cell.name:46} {' '.join(cell.scenario.rules):34} {cell.scenario.summary}")
        return 0
    if not chosen:
        print(f"migration: no scenario matches {options.only}", file=sys.stderr)
        return 2
    if options.target and (reason := _obstacle(options.target)):
        print(f"migration: {options.target} can't be asked: {reason}", file=sys.stderr)
        return 2
    try:
        with tempfile.TemporaryDirectory() as folder:
            outcomes = _run(chosen, options, Path(folder))
    except ProgramError as error:
        print(f"migration: {options.program} can't be asked: {error}", file=sys.stderr)
        return 2
    _print(outcomes, options)
    return 1 if any(outcome.status == "FAIL" for outcome in outcomes) else 0


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="Interop/migration/run",
        description="Acts as either side of stream migration against an implementation of it.",
    )
    whom = parser.add_mutually_exclusive_group()
    whom.add_argument(
        "--program", metavar="COMMAND", default=f"{_DEFAULT} peer",
        help="a program of the interop contract, as listener and as dialer (default: oxbow-interop)",
    )  # fmt: skip
    whom.add_argument("--target", metavar="MULTIADDR/p2p/ID", help="a listener that serves /echo/1.0.0 and /xfer/1.0.0")
    whom.add_argument("--listen", action="store_true", help="print an address for each scenario and wait for a dialer")
    parser.add_argument("--only", default="*", metavar="PATTERN", help="scenarios by name, such as 'glare-*/lower'")
    parser.add_argument("--dialect", choices=_DIALECTS, default="both", help="the draft's, or that of 2022")
    parser.add_argument("--full", action="store_true", help="also what waits half a minute or more for a deadline")
    parser.add_argument("--timeout", type=float, default=8.0, metavar="S", help="the longest wait for one thing")
    parser.add_argument(
        "--patience", type=float, default=60.0, metavar="S", help="how long --listen waits for a dialer"
    )
    parser.add_argument(
        "--workers", type=int, default=4, metavar="N", help="scenarios at once, each with its own program"
    )
    parser.add_argument("--transcripts", type=Path, metavar="DIR", help="write what passed, a file for each scenario")
    parser.add_argument("--json", action="store_true", help="transcripts as JSON lines, and end with one line of JSON")
    parser.add_argument("--list", action="store_true", help="print the scenarios and end")
    return parser.parse_args(arguments)


def _obstacle(address: str) -> str | None:
    """Why no scenario can be played against a listener: the address is none, or nobody of that id is there."""
    try:
        transport, peer = split_peer(address)
        connection = dial(transport, Identity())
    except (ValueError, OSError, Ended, Silence, NoiseError, NegotiationError) as error:
        return f"{type(error).__name__}: {error}"
    connection.tcp.close()
    found = encode_base58(connection.remote)
    return None if connection.remote == decode_peer_id(peer) else f"{found} is there"


def _chosen(options: argparse.Namespace) -> list[Cell]:
    def fits(cell: Cell) -> bool:
        if options.target and cell.scenario.way is Way.FROM_DIALER:
            return False
        if options.listen and cell.scenario.way is Way.TO_LISTENER:
            return False
        is_named = fnmatch.fnmatchcase(cell.name, options.only) or cell.scenario.name == options.only
        return is_named and (options.full or options.list or cell.scenario.lasts <= _QUICK)

    return [cell for cell in cells(_DIALECTS[options.dialect]) if fits(cell)]


def _run(chosen: list[Cell], options: argparse.Namespace, folder: Path) -> list[Outcome]:
    workers = 1 if options.target or options.listen else max(1, min(options.workers, len(chosen)))
    sides: queue.Queue[Side] = queue.Queue()
    made: list[Side] = []

    def make(index: int) -> Side:
        if options.target:
            return AddressSide(options.target)
        if options.listen:
            return WaitingSide(options.patience)
        (folder / str(index)).mkdir()
        return ProgramSide(options.program, folder / str(index))

    def one(cell: Cell) -> Outcome:
        side = sides.get()
        try:
            outcome = execute(cell, side, options.timeout)
        finally:
            sides.put(side)
        if options.transcripts:
            write(outcome, options.transcripts, options.json)
        return outcome

    try:
        for index in range(workers):
            made.append(make(index))
            sides.put(made[-1])
        return _in_parallel(chosen, workers, one)
    finally:
        for side in made:
            side.close()


def _in_parallel(chosen: list[Cell], workers: int, one: Callable[[Cell], Outcome]) -> list[Outcome]:
    """The longest first, so that nobody waits for them at the end; the outcomes in the scenarios' order."""
    with ThreadPoolExecutor(workers) as pool:
        order = sorted(range(len(chosen)), key=lambda index: -chosen[index].scenario.lasts)
        running = {index: pool.submit(one, chosen[index]) for index in order}
        try:
            return [running[index].result() for index in range(len(chosen))]
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _print(outcomes: Sequence[Outcome], options: argparse.Namespace) -> None:
    for outcome in outcomes:
        rules = " ".join(outcome.cell.scenario.rules)
        print(f"{outcome.status:4}  {outcome.cell.name:44}  {rules:34}  {outcome.seconds:5.1f} s")
        if outcome.text:
            print(f"      {outcome.text}")
    counts = {status: sum(outcome.status == status for outcome in outcomes) for status in ("pass", "FAIL", "skip")}
    if counts["skip"]:
        print(f"{counts['skip']} say nothing here")
    if options.json:
        failed = [
            {"scenario": one.cell.name, "rule": one.rule, "text": one.text} for one in outcomes if one.status == "FAIL"
        ]
        print(
            json.dumps(
                {"passed": counts["pass"], "failed": counts["FAIL"], "skipped": counts["skip"], "failures": failed}
            )
        )
        return
    print(f"{counts['pass']} passed, {counts['FAIL']} failed")


def entry() -> int:
    """Runs `main`, and ends well when nobody reads the output any more."""
    try:
        return main()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
