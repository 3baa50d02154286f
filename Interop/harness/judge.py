"""What a cell must show. Pure functions from a program's lines to a list of complaints; an empty list passes."""

from __future__ import annotations

from collections.abc import Sequence

from peers.contract import ECHO, IDENTIFY, PING

from .cells import Amounts, Cell
from .process import Line


def judge_dial(cell: Cell, result: Line, status: int, amounts: Amounts) -> list[str]:
    """Judges the last line and the exit status of the dialer."""
    complaints = []
    if result.get("case") != cell.case:
        complaints.append(f"the last line is of case {result.get('case')!r}")
    if result.get("ok") is not True:
        complaints.append(f"not ok: {result.get('error')}")
    if status != 0:
        complaints.append(f"exit status {status}")
    if complaints:
        return complaints
    judges = {
        "identify": _identify,
        "ping": _ping,
        "echo": _echo,
        "streams": _streams,
        "vanish": _vanish,
    }
    return judges[cell.case](cell, result, amounts)


def _identify(_: Cell, result: Line, __: Amounts) -> list[str]:
    complaints = []
    if not result.get("agent"):
        complaints.append("identify names no agent")
    protocols = result.get("protocols")
    offered = protocols if isinstance(protocols, list) else []
    missing = [protocol for protocol in (ECHO, IDENTIFY, PING) if protocol not in offered]
    if missing:
        complaints.append(f"identify lacks the protocols {', '.join(missing)}")
    if not result.get("listen_addrs"):
        complaints.append("identify has no listen address")
    if not str(result.get("observed_addr")).startswith("/ip4/127.0.0.1/tcp/"):
        complaints.append(f"the observed address is {result.get('observed_addr')}")
    return complaints


def _ping(_: Cell, result: Line, amounts: Amounts) -> list[str]:
    times = result.get("rtt_ms")
    if not isinstance(times, list) or len(times) != amounts.pings:
        return [f"wanted {amounts.pings} round trips, got {times}"]
    return [] if all(isinstance(time, (int, float)) and time >= 0 for time in times) else [f"odd times: {times}"]


def _echo(cell: Cell, result: Line, amounts: Amounts) -> list[str]:
    complaints = []
    if result.get("bytes") != amounts.echo_bytes:
        complaints.append(f"{result.get('bytes')} of {amounts.echo_bytes} bytes came back")
    if result.get("sha256_equal") is not True:
        complaints.append("the digests differ")
    if result.get("half_close") is not cell.half_close:
        complaints.append(f"half-close was {result.get('half_close')}, should be {cell.half_close}")
    return complaints


def _streams(_: Cell, result: Line, amounts: Amounts) -> list[str]:
    if result.get("count") == amounts.streams == result.get("ok_count"):
        return []
    return [f"{result.get('ok_count')} of {result.get('count')} streams were good, wanted {amounts.streams}"]


def _vanish(_: Cell, result: Line, __: Amounts) -> list[str]:
    complaints = []
    if not result.get("typed_error"):
        complaints.append("the peer's death was reported without an error")
    for what in ("connections_left", "streams_left"):
        if result.get(what) != 0:
            complaints.append(f"{what} is {result.get(what)}")
    return complaints


def judge_listener(cell: Cell, lines: Sequence[Line], amounts: Amounts) -> list[str]:
    """Judges the lines of our own listener, after the dialer has gone.

    Peers that stand in for us in a self-check print no counts, so they aren't judged by this.
    """
    complaints = []
    counts = [line for line in lines if line.get("event") == "counts"]
    if not counts:
        complaints.append("the listener reported no counts after the connection had closed")
    elif counts[-1].get("connections") != 0 or counts[-1].get("streams") != 0:
        complaints.append(f"the listener was left with {counts[-1]}")
    echoes = [line for line in lines if line.get("event") == "stream" and line.get("protocol") == ECHO]
    if cell.case == "vanish":
        if not any(line.get("end") in ("reset", "error") and line.get("error") for line in echoes):
            complaints.append(f"the listener saw no error in mid-stream: {echoes}")
        return complaints
    wanted = {"echo": (1, amounts.echo_bytes), "streams": (amounts.streams, amounts.stream_bytes)}.get(cell.case)
    if wanted is not None:
        count, size = wanted
        whole = [line for line in echoes if line.get("bytes_in") == size == line.get("bytes_out")]
        if len(whole) != count:
            complaints.append(f"the listener saw {len(whole)} of {count} whole echoes")
    return complaints
