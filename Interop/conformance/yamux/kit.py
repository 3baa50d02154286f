"""All of yamuxspec: its sections, and how a case is put to a target."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from stack.identity import Identity

from ..case import Case, Inapplicable, Level, Result, Section, all_cases
from ..dialled import Dialled, dialled
from ..monitor import Monitor
from ..runner import judge, run
from ..session import Session
from ..target import Target
from . import abuse, closing, dialing, framing, goaway, ids, limits, matrix, opening, own, pings, resets, windows

SECTIONS: list[Section[Session]] = [
    module.SECTION for module in (framing, ids, opening, matrix, windows, closing, resets, goaway, pings, limits, abuse)
]
TITLES = {section.number: section.title for section in [*SECTIONS, dialing.SECTION]} | {own.NUMBER: own.TITLE}
#: Seconds that no case may exceed, whatever the target does, in multiples of the time for one answer.
_CASE_LIMIT = 20


class YamuxKit:
    """The kit, pointed at one target."""

    name = "yamuxspec"
    titles = TITLES

    def __init__(self, target: Target, dials: str | None = None) -> None:
        self.target = target
        #: The command that makes the target dial `{address}` and use its echo.
        self.dials = dials
        self._monitors: list[tuple[str, Monitor]] = []
        self._lock = threading.Lock()

    @staticmethod
    def cases() -> list[Case]:
        """The cases that are put to the target, without those that are judged from all connections."""
        return all_cases([*SECTIONS, dialing.SECTION])

    def put(self, case: Case) -> str | None:
        """Runs one case on a connection of its own, and sees whether the connection is what it has to be then."""
        if case in dialing.SECTION.cases:
            return self._put_to_dialer(case)
        tcp, frames = self.target.open(Identity())
        session = Session(self.target, tcp, frames)
        tcp.deadline = time.monotonic() + _CASE_LIMIT * self.target.timeout
        self._watch(case, session)
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

    def _put_to_dialer(self, case: Case[Dialled]) -> str | None:
        if not self.dials:
            raise Inapplicable("no command that makes the target dial was given")
        with dialled(self.dials, self.target) as connection:
            self._watch(case, connection.session)
            return case.action(connection)

    def _watch(self, case: Case, session: Session) -> None:
        with self._lock:
            self._monitors.append((case.id, session.monitor))

    def run(self, cases: list[Case], workers: int, show: Callable[[Result], None] | None = None) -> list[Result]:
        """The results of the cases, of the target's own frames, and of a last new connection."""
        results = run(cases, self.put, workers, show)
        last: Case[Session] = Case(
            "12.0", "a new connection is served behind all that", "all", Level.MUST, lambda _: None
        )
        results += [judge(last, self.put), *own.judge(self._monitors)]
        return results
