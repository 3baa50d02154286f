"""The cells of the matrix with a third host, or with a network of their own: relays, AutoNAT, hole punching."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from .abilities import OURS
from .defects import Defect, defect

#: Peers whose AutoNAT can be asked by a stream of one's own, and those that answer others.
_ASKS = ("go", "py")
_ANSWERS = ("go", "py", "kubo")
#: Scenarios of the lab in which a stream leaves a relay between our hosts and a peer's.
_PUNCHES = {"go": ("go-relay", "go-peer"), "py": ("py-relay", "py-peer"), "kubo": ("kubo-peer",)}


@dataclass(frozen=True)
class Meeting:
    """A case with a third host. For `relay` that is the one in the middle; for `autonat` there is none."""

    case: str
    peer: str
    middle: str
    listener: str
    dialer: str

    @property
    def header(self) -> tuple[str, ...]:
        """What names the first columns of this cell's table."""
        return {
            "relay": ("relay", "listener", "dialer"),
            "autonat": ("who asks", "who answers"),
            "punch": ("peer", "scenario"),
        }[self.case]

    @property
    def name(self) -> str:
        """The cell's name in reports, in `--only` patterns and in `DEFECTS`."""
        return "/".join([self.peer, self.case, *(part for part in (self.middle, self.listener, self.dialer) if part)])

    @property
    def section(self) -> str:
        """The table that this cell belongs to."""
        return {
            "relay": "Circuit relay v2: an echo through the relay, between hosts that can't reach each other",
            "autonat": "AutoNAT v1: who asks learns that it can be reached",
            "punch": "Between two NATs: a stream leaves the relay for a hole that was punched",
        }[self.case]

    @property
    def row(self) -> tuple[str, ...]:
        """The table's row that this cell belongs to."""
        if self.case == "relay":
            return (self.middle, self.listener, self.dialer)
        if self.case == "autonat":
            return (self.dialer, self.listener)
        return (self.peer, self.middle)

    @property
    def column(self) -> str:
        """The table's column that this cell belongs to."""
        return self.case

    @property
    def programs(self) -> frozenset[str]:
        """The programs that have to be there."""
        return frozenset((self.peer, OURS))

    @property
    def is_counted(self) -> bool:
        """Whether an echo's end is known by its length alone; the table's mark is for the case `echo`."""
        return False

    @property
    def defect(self) -> Defect | None:
        """A known defect of the peer in this cell."""
        return defect(self.name)


def meetings(peers: Sequence[str]) -> Iterator[Meeting]:
    """Every such cell, section by section."""
    for peer in peers:
        for middle, listener, dialer in (
            (OURS, peer, peer),
            (peer, OURS, OURS),
            (OURS, OURS, peer),
            (OURS, peer, OURS),
            (peer, OURS, peer),
            (peer, peer, OURS),
        ):
            yield Meeting("relay", peer, middle, listener, dialer)
    for peer in peers:
        if peer in _ASKS:
            yield Meeting("autonat", peer, "", OURS, peer)
        if peer in _ANSWERS:
            yield Meeting("autonat", peer, "", peer, OURS)
    for peer in peers:
        for scenario in _PUNCHES.get(peer, ()):
            yield Meeting("punch", peer, scenario, "", "")


def is_quick_meeting(meeting: Meeting) -> bool:
    """Whether the cell belongs to the part that runs at every change."""
    if meeting.case == "relay":
        return meeting.middle == OURS and meeting.listener == OURS or meeting.row == ("go", OURS, OURS)
    return meeting.case == "autonat" and meeting.listener == OURS
