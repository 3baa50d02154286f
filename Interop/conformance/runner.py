"""Puts the cases of a kit to a target, several at a time, each on its own connection, and never trusts the target."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from stack.link import Ended, Silence
from stack.multistream import NegotiationError
from stack.noise import NoiseError

from .case import Case, Inapplicable, Level, Result, Status, Violation, key

ContextT = TypeVar("ContextT")

#: What a target, or the network, can make the layers below raise.
FAULTS = (Ended, Silence, NoiseError, NegotiationError, OSError, ValueError, IndexError)


def judge(case: Case[ContextT], put: Callable[[Case[ContextT]], str | None]) -> Result:
    """The result of a case that `put` puts to the target."""
    started = time.monotonic()

    def result(status: Status, seen: str | None) -> Result:
        return Result(case, status, seen or "", round(time.monotonic() - started, 3))

    broken = Status.ADVISED if case.level is Level.SHOULD else Status.FAILED
    try:
        seen = put(case)
    except Inapplicable as reason:
        return result(Status.SKIPPED, str(reason))
    except Violation as violation:
        return result(broken, str(violation))
    except FAULTS as fault:
        return result(broken, f"{type(fault).__name__}: {fault}")
    return result(Status.NOTED if case.level is Level.CHOICE else Status.PASSED, seen)


def run(
    cases: Sequence[Case[ContextT]],
    put: Callable[[Case[ContextT]], str | None],
    workers: int,
    show: Callable[[Result], None] | None = None,
) -> list[Result]:
    """The results of all cases, by id. `put` opens a case's connection, runs it, and checks the connection behind it.

    What `show` raises ends the run: cases that haven't begun are left out.
    """
    results: list[Result] = []
    pool = ThreadPoolExecutor(workers)
    try:
        for result in pool.map(lambda case: judge(case, put), cases):
            results.append(result)
            if show:
                show(result)
    finally:
        pool.shutdown(cancel_futures=True)
    return sorted(results, key=lambda result: key(result.case.id))
