"""Cells that fail by a peer's own fault.

A pattern of cell names, what the runner complains of in them, and the evidence: "their defect: …", with what was sent
and what came back. Only what was seen belongs here. Such a cell is reported as "defect", neither passed nor failed. One
that fails in another way fails; one that passes is named, so that its entry can go.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Defect:
    """What is known of a peer's fault."""

    #: An expression that each complaint begins with.
    complaint: str
    evidence: str

    def explains(self, complaints: Sequence[str]) -> bool:
        """Whether nothing but this was seen."""
        return all(re.match(self.complaint, complaint) for complaint in complaints)


DEFECTS: dict[str, Defect] = {
    "py/*/they-dial/*/dns4": Defect(
        "not ok: SwarmDialAllFailedError|exit status 1",
        "their defect: given /dns4/localhost/tcp/PORT, py-libp2p asks DNS servers alone and not the system, which has "
        "the name in /etc/hosts; the address came back unresolved, and no connection came to the listener",
    ),
    "kubo/relay/kubo/oxbow/kubo": Defect(
        "not ok: EOFError: the echo ended after 0 of",
        "their defect: Kubo opens no tunnel on a connection that a relay limits, as Kubo's own relay always does: it "
        "connected with our listener through it, which named its agent, and the tunnel ended after 0 of 10,000 bytes",
    ),
    "py/*/they-dial/transfer/ip6": Defect(
        "the observed address is None",
        "their defect: what py-libp2p answers to identify over IPv6 has no observed address; go-libp2p, asking it over "
        "/ip6/::1, gets none either, and tells py-libp2p one. The transfer itself succeeds",
    ),
}


def defect(name: str) -> Defect | None:
    """What is known of the peer's fault in the cell of that name."""
    return next((known for pattern, known in DEFECTS.items() if fnmatch.fnmatchcase(name, pattern)), None)
