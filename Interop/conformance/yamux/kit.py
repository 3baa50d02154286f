"""All of yamuxspec: its sections, and how a case is put to a target."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from stack.identity import Identity

from ..case import Case, Level, Result, Section, all_cases
from ..monitor import Monitor
from ..runner import judge, run
from ..session import Session
from ..target import Target
from . import abuse, closing, framing, goaway, ids, limits, matrix, opening, own, pings, resets, windows

SECTIONS: list[Section[Session]] = [
    module.SECTION
    for module in (framing, ids, opening, matrix, windows, closing, resets, goaway, pings, limits, abuse)
]
TITLES = {section.number: section.title for section in SECTIONS} | {own.NUMBER: own.TITLE}
#: Seconds that no case may exceed, whatever the target does, in multiples of the time for one answer.
_CASE_LIMIT = 20


class YamuxKit:
    """The kit, pointed at one target."""

    name = "yamuxspec"
    titles = TITLES

    def __init__(self, target: Target) -> None:
        self.target = target
        self._monitors: list[tuple[str, Monitor]] = []
        self._lock = threading.Lock()

    @staticmethod
    def cases() -> list[Case[Session]]:
        """The cases that are put to the target, without those that are judged from all connections."""
        return all_cases(SECTIONS)

    def put(self, case: Case[Session]) -> str | None:
        """Runs one case on a connection of its own, and sees whether the connection is what it has to be then."""
        tcp, frames = self.target.open(Identity())
        session = Session(self.target, tcp, frames)
        tcp.deadline = time.monotonic() + _CASE_LIMIT * self.target.timeout
        with self._lock:
            self._monitors.append((case.id, session.monitor))
        try:
            seen = case.action(session)
            if case.survives:
                session.check_in_service()
            elif case.survives is False:
                behind = session.check_not_stuck()
                seen = f"{seen}; {behind}" if seen and behind not in seen else seen or behind
            return seen
        finally:
            session.close()

    def run(self, cases: list[Case[Session]], workers: int, show: Callable[[Result], None] | None = None) -> list[Result]:
        """The results of the cases, of the target's own frames, and of a last new connection."""
        results = run(cases, self.put, workers, show)
        last: Case[Session] = Case("12.0", "a new connection is served behind all that", "all", Level.MUST, lambda _: None)
        results += [judge(last, self.put), *own.judge(self._monitors)]
        return results
