"""What every program in the lab of NATs shares: its command line, and what an upgrade has shown.

    NAME_nat.py relay   --listen MULTIADDR [--circuit-bytes N] [--circuit-seconds N]
    NAME_nat.py observe --listen MULTIADDR                               answers those who ask to be dialled back
    NAME_nat.py receive --listen MULTIADDR --relay ADDR [--also ADDR]... with a reservation at the relay; serves echoes
    NAME_nat.py upgrade --listen MULTIADDR [--also ADDR]... [--wait S] CIRCUIT-ADDR

Each prints `{"event": "listening", "peer_id": ..., "addrs": [...]}` once its addresses are known (with a reservation:
once that stands) and runs until SIGTERM. `upgrade` connects through the relay, opens a stream, waits `--wait` seconds
(by default none) for a direct connection, opens another stream, echoes on both, and ends with one line:

    {"ok": true, "error": null, "seconds": 2.1, "upgraded_after": 1.2,
     "first_relayed": true, "first_alive": true, "second_relayed": false}

in which `upgraded_after` is how many seconds the upgrade took, and null when there was none.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass

ROLES = ("relay", "observe", "receive", "upgrade")
#: Bytes of each echo.
ECHOED = 10_000
#: Seconds between looks at what no event tells.
POLL = 0.1
#: Seconds within which a reservation has to stand.
RESERVATION_TIMEOUT = 40.0


@dataclass(frozen=True)
class Options:
    """A parsed command line."""

    role: str
    #: Whom `upgrade` dials.
    target: str
    listen: str
    #: Where `receive` reserves.
    relay: str
    #: Hosts to know first.
    also: tuple[str, ...]
    wait: float
    #: What the relay allows each circuit; None is its own choice.
    circuit_bytes: int | None
    circuit_seconds: int | None


def parse(program: str, arguments: Sequence[str] | None = None, limits_circuits: bool = True) -> Options:
    """Reads that command line; a mistake ends the program with usage and status 2."""
    parser = argparse.ArgumentParser(prog=program)
    parser.add_argument("role", choices=ROLES)
    parser.add_argument("target", nargs="?", default="")
    parser.add_argument("--listen", required=True)
    parser.add_argument("--relay", default="")
    parser.add_argument("--also", action="append", default=[])
    parser.add_argument("--wait", type=float, default=0.0)
    if limits_circuits:
        parser.add_argument("--circuit-bytes", type=int)
        parser.add_argument("--circuit-seconds", type=int)
    known = vars(parser.parse_intermixed_args(arguments))
    return Options(**{"circuit_bytes": None, "circuit_seconds": None, **known, "also": tuple(known["also"])})


def upgraded(after: float | None, *, first_relayed: bool, first_alive: bool, second_relayed: bool) -> dict[str, object]:
    """The fields of the last line of `upgrade`."""
    return {
        "upgraded_after": None if after is None else round(after, 3),
        "first_relayed": first_relayed,
        "first_alive": first_alive,
        "second_relayed": second_relayed,
    }
