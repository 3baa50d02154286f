"""Which tests run: every convention, each of our two roles, each security protocol."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from testplans.convention import CONVENTIONS, TEST_PLANS, UNIFIED

OURS = "oxbow"
#: Implementations with a front end for transport tests, and the roles that it has.
DIALERS = ("go", "py")
LISTENERS = ("go", "py", "kubo")
SECURITY = ("noise", "tls")

TRANSPORT, PERF, HOLE_PUNCH = "transport", "perf", "hole-punch"
#: What a perf cell does: a transfer with an end, one without as the older runner has it, or what the newer one does.
TRANSFER, ENDLESS, SERIES = "transfer", "endless", "series"


@dataclass(frozen=True)
class Cell:
    """One test between two peers."""

    test: str
    convention: str
    dialer: str
    listener: str
    #: The security protocol of a transport or hole-punch test, what a perf test does.
    variant: str

    @property
    def name(self) -> str:
        """By which the command line chooses cells."""
        return f"{self.test}/{self.convention}/{self.variant}/{self.dialer}-dials-{self.listener}"

    @property
    def peers(self) -> set[str]:
        """Whose programs run, besides ours."""
        return {self.dialer, self.listener} - {OURS}


def _transport() -> list[Cell]:
    pairs = [(OURS, OURS), *((OURS, other) for other in LISTENERS), *((other, OURS) for other in DIALERS)]
    return [
        Cell(TRANSPORT, convention, dialer, listener, security)
        for convention in CONVENTIONS
        for security in SECURITY
        for dialer, listener in pairs
    ]


def _perf() -> list[Cell]:
    return [
        *(Cell(PERF, TEST_PLANS, *pair, TRANSFER) for pair in ((OURS, OURS), (OURS, "py"), ("py", OURS))),
        Cell(PERF, TEST_PLANS, OURS, OURS, ENDLESS),
        Cell(PERF, UNIFIED, OURS, OURS, SERIES),
    ]


def _hole_punch() -> list[Cell]:
    return [
        Cell(HOLE_PUNCH, TEST_PLANS, OURS, OURS, "noise"),
        *(Cell(HOLE_PUNCH, UNIFIED, OURS, OURS, security) for security in SECURITY),
    ]


def matrix() -> Sequence[Cell]:
    """All cells."""
    return [*_transport(), *_perf(), *_hole_punch()]
