"""Cells that fail by a peer's own fault.

A pattern of cell names, and the evidence: "their defect: …", with what was sent and what came back. Only what was seen
belongs here. Such a cell is reported as "defect", neither passed nor failed; one that passes is named, so that its
entry can go.
"""

from __future__ import annotations

import fnmatch

DEFECTS: dict[str, str] = {
    "py/*/they-dial/*/dns4": (
        "their defect: given /dns4/localhost/tcp/PORT, py-libp2p asks DNS servers alone and not the system, which has "
        "the name in /etc/hosts; the address came back unresolved, and no connection came to the listener"
    ),
    "kubo/relay/kubo/oxbow/kubo": (
        "their defect: Kubo opens no tunnel on a connection that a relay limits, as Kubo's own relay always does: it "
        "connected with our listener through it, which named its agent, and the tunnel ended after 0 of 10,000 bytes"
    ),
    "py/*/they-dial/transfer/ip6": (
        "their defect: what py-libp2p answers to identify over IPv6 has no observed address; go-libp2p, asking it over "
        "/ip6/::1, gets none either, and tells py-libp2p one. The transfer itself succeeds"
    ),
}


def defect(name: str) -> str | None:
    """The evidence of a known defect of the peer in the cell of that name."""
    return next((text for pattern, text in DEFECTS.items() if fnmatch.fnmatchcase(name, pattern)), None)
