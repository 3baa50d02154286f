"""noisespec: handshakes and records that are wrong in one thing each."""

from __future__ import annotations

from collections.abc import Callable

from ..case import Case, Result, all_cases
from ..runner import run
from ..target import Target
from . import dialing
from .bent import Bend, takes
from .handshake import MESSAGES, PAYLOADS
from .records import SECTION

_SECTIONS = [MESSAGES, PAYLOADS, SECTION, dialing.SECTION]


class NoiseKit:
    """The kit, pointed at one target."""

    name = "noisespec"
    titles = {section.number: section.title for section in _SECTIONS}

    def __init__(self, target: Target, dials: str | None = None) -> None:
        self.target = target
        self.dials = dials

    @staticmethod
    def cases() -> list[Case]:
        """All cases."""
        return all_cases(_SECTIONS)

    def put(self, case: Case) -> str | None:
        """Runs one case, and sees that the target takes a right handshake behind it."""
        if case in dialing.SECTION.cases:
            return case.action(dialing.Dialer(self.target, self.dials))
        seen = case.action(self.target)
        if not takes(self.target, Bend()):
            raise ConnectionError("the target takes no right handshake behind this")
        return seen

    def run(self, cases: list[Case], workers: int, show: Callable[[Result], None] | None = None) -> list[Result]:
        """The results of the cases."""
        return run(cases, self.put, workers, show)
