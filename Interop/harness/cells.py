"""The cells of the matrix between two hosts: who dials whom, over what, to do what."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from peers.contract import SECURITY

from .abilities import ABILITIES, CASES, OURS
from .defects import Defect, defect

DIRECTIONS = ("we-dial", "they-dial")
#: Both security protocols in one offer, in either order.
BOTH = ("noise+tls", "tls+noise")
#: The listener's address, and what the dialer is given in its place.
TRANSPORTS = {
    "ip4": ("/ip4/127.0.0.1/", "/ip4/127.0.0.1/"),
    "ip6": ("/ip6/::1/", "/ip6/::1/"),
    "dns4": ("/ip4/127.0.0.1/", "/dns4/localhost/"),
}
#: What is done over what isn't the plain combination.
VARIANT_CASES = ("handshake", "transfer")
_SECTIONS = {"ip6": "TCP over IPv6", "dns4": "TCP, dialled by name (/dns4/localhost)"}

MEBIBYTE = 1 << 20


@dataclass(frozen=True)
class Amounts:
    """How much each case does."""

    pings: int = 3
    echo_bytes: int = 64 * MEBIBYTE
    streams: int = 100
    stream_bytes: int = 16 * 1024
    transfer_bytes: int = 8 * MEBIBYTE
    #: The most dialers at once.
    crowd: int = 16


QUICK = Amounts(crowd=4)
FULL = Amounts(echo_bytes=256 * MEBIBYTE, transfer_bytes=64 * MEBIBYTE)


@dataclass(frozen=True)
class Cell:
    """One run of one case between two programs. `ours` is the program in our place: `oxbow`, or a stand-in."""

    peer: str
    security: str
    direction: str
    case: str
    key_type: str = "ed25519"
    ours: str = OURS
    transport: str = "ip4"
    muxers: tuple[str, ...] = ("yamux",)

    #: What names the first columns of this cell's table.
    header = ("peer", "security", "direction")

    @property
    def name(self) -> str:
        """The cell's name in reports, in `--only` patterns and in `DEFECTS`."""
        parts = [self.peer, self.security, self.direction, self.case]
        if self.key_type != "ed25519":
            parts.append(self.key_type)
        if self.transport != "ip4":
            parts.append(self.transport)
        if self.muxers != ("yamux",):
            parts.append("+".join(self.muxers))
        if self.ours != OURS:
            parts.insert(0, self.ours)
        return "/".join(parts)

    @property
    def section(self) -> str:
        """The table that this cell belongs to."""
        if self.transport in _SECTIONS:
            return _SECTIONS[self.transport]
        if self.muxers != ("yamux",):
            return f"The peer offers {self.muxers[0]} first, then {self.muxers[1]}"
        if self.security in BOTH:
            return "Both security protocols offered, the dialer's preferred one first"
        return "TCP over IPv4, Yamux"

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
    def programs(self) -> frozenset[str]:
        """The programs that have to be there."""
        return frozenset((self.peer, self.ours))

    @property
    def half_close(self) -> bool:
        """Whether both ends can close one direction of a stream and use the other."""
        return all(ABILITIES[program].half_closes for program in self.programs)

    @property
    def is_counted(self) -> bool:
        """Whether an echo's end is known by its length alone."""
        return self.case == "echo" and not self.half_close

    @property
    def offers(self) -> tuple[str, ...]:
        """The security protocols that both programs offer, the dialer's preferred one first."""
        return tuple(self.security.split("+"))

    @property
    def defect(self) -> Defect | None:
        """A known defect of the peer in this cell."""
        return defect(self.name)

    def dialers(self, amounts: Amounts) -> int:
        """How many hosts dial at once."""
        return min(ABILITIES[self.dialer].crowd, amounts.crowd) if self.case == "crowd" else 1

    def options(self, program: str) -> list[str]:
        """The options of a program in either role."""
        options = [part for kind in self.offers for part in ("--security", kind)]
        # Ours has one muxer, and is not asked.
        muxers = self.muxers if program == self.peer and self.muxers != ("yamux",) else ()
        options += [part for muxer in muxers for part in ("--muxer", muxer)]
        return [*options, "--key-type", self.key_type]

    def dial_arguments(self, amounts: Amounts) -> list[str]:
        """The arguments that make the dialer do this cell's case."""
        case = {"wrong-id": "handshake", "crowd": "handshake"}.get(self.case, self.case)
        arguments = ["--case", case]
        if case == "ping":
            arguments += ["--count", str(amounts.pings)]
        if case == "echo":
            arguments += ["--bytes", str(amounts.echo_bytes)]
            arguments += [] if self.half_close else ["--no-half-close"]
        if case == "streams":
            arguments += ["--count", str(amounts.streams), "--bytes", str(amounts.stream_bytes)]
        if case in ("transfer", "perf"):
            arguments += ["--bytes", str(amounts.transfer_bytes)]
        return arguments


def is_possible(cell: Cell) -> bool:
    """Whether both programs can do their part."""
    case = {"wrong-id": "handshake", "crowd": "handshake"}.get(cell.case, cell.case)
    return case not in ABILITIES[cell.dialer].cannot_dial and case not in ABILITIES[cell.listener].cannot_serve


def matrix(peers: Sequence[str]) -> Iterator[Cell]:
    """Every cell between `oxbow` and the peers that both can do, section by section, row by row."""
    for cell in _all(peers):
        if is_possible(cell):
            yield cell


def _all(peers: Sequence[str]) -> Iterator[Cell]:
    for peer in peers:
        for security in SECURITY:
            for direction in DIRECTIONS:
                for case in CASES:
                    yield Cell(peer, security, direction, case)
                for key_type in ABILITIES[peer].other_keys:
                    # Some can't call ping; the handshake is what a key matters to.
                    case = "handshake" if "ping" in ABILITIES[peer].cannot_dial else "ping"
                    yield Cell(peer, security, direction, case, key_type)
    for transport in ("ip6", "dns4"):
        for peer in peers:
            for security in SECURITY:
                yield from _variants(peer, security, transport=transport)
    for peer in peers:
        for security in BOTH:
            yield from _variants(peer, security)
    for peer in peers:
        if ABILITIES[peer].has_second_muxer:
            for security in SECURITY:
                yield from _variants(peer, security, muxers=("mplex", "yamux"))


def _variants(peer: str, security: str, transport: str = "ip4", muxers: tuple[str, ...] = ("yamux",)) -> Iterator[Cell]:
    for direction in DIRECTIONS:
        for case in VARIANT_CASES:
            cell = Cell(peer, security, direction, case, transport=transport, muxers=muxers)
            # Who has an order of its own offers the same whatever it is told: once is enough.
            has_order = ABILITIES[cell.dialer].orders_security
            if has_order or security != BOTH[1]:
                yield cell


def is_quick(cell: Cell) -> bool:
    """Whether the cell belongs to the part that runs at every change."""
    if cell.section != Cell("go", "noise", "we-dial", "ping").section:
        return cell.case == "handshake" and (cell.security in BOTH or cell.security == "noise")
    return cell.key_type == "ed25519" or cell.security == "noise"


def peers_among_themselves() -> Iterator[Cell]:
    """The cells of a self-check: each peer stands in for `oxbow`, so the harness is tried without it."""
    for ours, peer in (("go", "py"), ("py", "go"), ("py", "py"), ("kubo", "kubo")):
        for security in SECURITY:
            for direction in DIRECTIONS if ours != peer else DIRECTIONS[:1]:
                for case in CASES:
                    cell = Cell(peer, security, direction, case, ours=ours)
                    if is_possible(cell):
                        yield cell
