"""The cells of the interop table: who dials whom, over what, to do what."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from peers.contract import CASES, SECURITY

OURS = "oxbow"
PEERS = ("go", "py")
DIRECTIONS = ("we-dial", "they-dial")

MEBIBYTE = 1 << 20

#: Peers whose streams can't be closed in one direction only; their echo counts bytes instead.
WITHOUT_HALF_CLOSE = {"go"}

#: Key types, beside ed25519, that each peer can have and verify.
OTHER_KEYS = {"go": ("rsa", "ecdsa", "secp256k1"), "py": ("rsa", "secp256k1")}

#: Cells that fail by a peer's own fault: a pattern of cell names and the evidence, "their defect: …".
#: Only what was seen belongs here. Such a cell is reported as "defect", neither passed nor failed.
DEFECTS: dict[str, str] = {}


@dataclass(frozen=True)
class Amounts:
    """How much each case does."""

    pings: int = 3
    echo_bytes: int = 64 * MEBIBYTE
    streams: int = 100
    stream_bytes: int = 16 * 1024


@dataclass(frozen=True)
class Cell:
    """One run of one case between two programs. `ours` is the program in our place: `oxbow`, or a stand-in."""

    peer: str
    security: str
    direction: str
    case: str
    key_type: str = "ed25519"
    ours: str = OURS

    @property
    def name(self) -> str:
        """The cell's name in reports, in `--only` patterns and in `DEFECTS`."""
        parts = [self.peer, self.security, self.direction, self.case]
        if self.key_type != "ed25519":
            parts.append(self.key_type)
        if self.ours != OURS:
            parts.insert(0, self.ours)
        return "/".join(parts)

    @property
    def row(self) -> tuple[str, str, str]:
        """The table's row that this cell belongs to."""
        return (self.peer if self.ours == OURS else f"{self.ours} with {self.peer}", self.security, self.direction)

    @property
    def column(self) -> str:
        """The table's column that this cell belongs to."""
        return self.case if self.key_type == "ed25519" else f"{self.key_type} key"

    @property
    def listener(self) -> str:
        """The program that listens."""
        return self.peer if self.direction == "we-dial" else self.ours

    @property
    def dialer(self) -> str:
        """The program that dials."""
        return self.ours if self.direction == "we-dial" else self.peer

    @property
    def half_close(self) -> bool:
        """Whether both ends can close one direction of a stream and use the other."""
        return not {self.peer, self.ours} & WITHOUT_HALF_CLOSE

    @property
    def defect(self) -> str | None:
        """The evidence of a known defect of the peer in this cell."""
        return next((text for pattern, text in DEFECTS.items() if fnmatch.fnmatchcase(self.name, pattern)), None)

    def dial_arguments(self, amounts: Amounts) -> list[str]:
        """The arguments that make the dialer do this cell's case."""
        arguments = ["--case", self.case]
        if self.case == "ping":
            arguments += ["--count", str(amounts.pings)]
        if self.case == "echo":
            arguments += ["--bytes", str(amounts.echo_bytes)]
            arguments += [] if self.half_close else ["--no-half-close"]
        if self.case == "streams":
            arguments += ["--count", str(amounts.streams), "--bytes", str(amounts.stream_bytes)]
        return arguments


def matrix(peers: Sequence[str], other_keys: bool) -> Iterator[Cell]:
    """Every cell between `oxbow` and the peers, row by row. `other_keys` adds a ping with each further key type."""
    for peer in peers:
        for security in SECURITY:
            for direction in DIRECTIONS:
                for case in CASES:
                    yield Cell(peer, security, direction, case)
                for key_type in OTHER_KEYS[peer] if other_keys else ():
                    yield Cell(peer, security, direction, "ping", key_type)


def peers_among_themselves() -> Iterator[Cell]:
    """The cells of a self-check: each peer stands in for `oxbow`, so the harness is tried without it."""
    for ours, peer in (("go", "py"), ("py", "go"), ("py", "py")):
        for security in SECURITY:
            for direction in DIRECTIONS if ours != peer else DIRECTIONS[:1]:
                for case in CASES:
                    yield Cell(peer, security, direction, case, ours=ours)
