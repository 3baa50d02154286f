"""Section 12: the frames that the target itself sent, on all connections of the run, judged when that is through."""

from __future__ import annotations

from collections import Counter

from ..case import Case, Level, Result, Status, key
from ..monitor import RULES, Monitor

NUMBER = "12"
TITLE = "The target's own frames"
#: libp2p implementations begin to send further codes, which the specification doesn't have yet.
_RECOMMENDED = {"goaway-code", "ack-once"}


def judge(monitors: list[tuple[str, Monitor]]) -> list[Result]:
    """A result for each rule of a sender, over the connections of cases, given by the case's id."""
    monitors = sorted(monitors, key=lambda named: key(named[0]))
    judged: Counter[str] = Counter()
    for _, monitor in monitors:
        judged += monitor.judged
    results = []
    for index, (rule, (title, section)) in enumerate(RULES.items(), start=1):
        level = Level.SHOULD if rule in _RECOMMENDED else Level.MUST
        case: Case = Case(f"{NUMBER}.{index}", title, f"Yamux, {section}", level, lambda _: None)
        found = [f"{name}: {monitor.found[rule]}" for name, monitor in monitors if rule in monitor.found]
        if found:
            bad = Status.FAILED if level is Level.MUST else Status.ADVISED
            more = f" (and {len(found) - 3} more)" if len(found) > 3 else ""
            results.append(Result(case, bad, "; ".join(found[:3]) + more))
        elif judged[rule]:
            results.append(Result(case, Status.PASSED, f"{judged[rule]} frames"))
        else:
            results.append(Result(case, Status.SKIPPED, "no such frame came"))
    return results
