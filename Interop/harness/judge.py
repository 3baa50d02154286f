"""What a cell must show. Pure functions from a program's lines to a list of complaints; an empty list passes."""

from __future__ import annotations

from collections.abc import Sequence

from peers.contract import ECHO, IDENTIFY, PING, XFER

from .abilities import ABILITIES, OURS
from .cells import TRANSPORTS, Amounts, Cell
from .process import Line


def judge_dial(cell: Cell, result: Line, status: int, amounts: Amounts, listener: str = "") -> list[str]:
    """Judges the last line and the exit status of the dialer; `listener` is the peer id of who listens."""
    complaints = []
    if result.get("case") != cell.dial_arguments(amounts)[1]:
        complaints.append(f"the last line is of case {result.get('case')!r}")
    if result.get("ok") is not True:
        complaints.append(f"not ok: {result.get('error')}")
    if status != 0:
        complaints.append(f"exit status {status}")
    if complaints:
        return complaints
    if cell.case in ("handshake", "wrong-id", "crowd"):
        return _handshake(cell, result, listener)
    judges = {
        "identify": _identify,
        "ping": _ping,
        "echo": _echo,
        "streams": _streams,
        "transfer": _transfer,
        "perf": _transfer,
        "vanish": _vanish,
    }
    return judges[cell.case](cell, result, amounts)


def judge_refusal(cell: Cell, result: Line, status: int, listener: str) -> list[str]:
    """Judges a dial that named another peer id than the listener's: it must fail, and say why; ours, who answered."""
    if result.get("ok") is not False or status == 0:
        return [f"the wrong peer id was accepted: {result}, exit status {status}"]
    error = str(result.get("error") or "")
    if not error:
        return ["the wrong peer id was refused without an error"]
    return [f"the error doesn't name who answered: {error}"] if cell.dialer == OURS and listener not in error else []


def _handshake(cell: Cell, result: Line, listener: str) -> list[str]:
    complaints = []
    if result.get("peer") != listener:
        complaints.append(f"the dialer connected with {result.get('peer')}, the listener is {listener}")
    return complaints + (_connection(cell, result) if cell.dialer == OURS else [])


def _connection(cell: Cell, line: Line) -> list[str]:
    """What our end says that a connection is made of."""
    complaints = []
    expected = {"noise": "/noise", "tls": "/tls/1.0.0"}
    wanted = cell.offers if not ABILITIES[cell.dialer].orders_security else cell.offers[:1]
    if line.get("security") not in [expected[kind] for kind in wanted]:
        complaints.append(f"the connection is secured by {line.get('security')}, not by {wanted}")
    early = ABILITIES[cell.peer].agrees_early
    if line.get("early_muxer") is not early:
        complaints.append(f"whether the muxer was agreed early: {line.get('early_muxer')}, should be {early}")
    return complaints


def _identify(cell: Cell, result: Line, _: Amounts) -> list[str]:
    prefix = ABILITIES[cell.listener].prefix
    # Who puts a prefix before names answers to all of them, and tells the prefix alone.
    return _identified(cell, cell.listener, result, [f"{prefix}/" if prefix else ECHO])


def _identified(cell: Cell, program: str, line: Line, serves: Sequence[str]) -> list[str]:
    """What a program tells of itself and of who asks."""
    complaints = []
    if ABILITIES[program].agent not in str(line.get("agent")):
        complaints.append(f"identify names the agent {line.get('agent')!r}, not {ABILITIES[program].agent!r}")
    protocols = line.get("protocols")
    offered = protocols if isinstance(protocols, list) else []
    missing = [protocol for protocol in (*serves, IDENTIFY, PING) if protocol not in offered]
    if missing:
        complaints.append(f"identify lacks the protocols {', '.join(missing)}")
    if program == cell.listener and not line.get("listen_addrs"):
        complaints.append("identify has no listen address")
    if not str(line.get("observed_addr")).startswith(f"{TRANSPORTS[cell.transport][0]}tcp/"):
        complaints.append(f"the observed address is {line.get('observed_addr')}")
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


def _transfer(_: Cell, result: Line, amounts: Amounts) -> list[str]:
    if result.get("bytes_up") == amounts.transfer_bytes == result.get("bytes_down"):
        return []
    return [f"{result.get('bytes_up')} bytes up and {result.get('bytes_down')} down of {amounts.transfer_bytes}"]


def _vanish(_: Cell, result: Line, __: Amounts) -> list[str]:
    complaints = []
    if not result.get("typed_error"):
        complaints.append("the peer's death was reported without an error")
    for what in ("connections_left", "streams_left"):
        if result.get(what) != 0:
            complaints.append(f"{what} is {result.get(what)}")
    return complaints


def judge_relayed(result: Line) -> list[str]:
    """Judges an echo that had to go through a relay, by whichever kind of dialer."""
    complaints = [] if result.get("ok") is True else [f"not ok: {result.get('error')}"]
    if not complaints and (result.get("relayed") or result.get("first_relayed")) is not True:
        complaints.append(f"the echo did not go through the relay: {result}")
    return complaints


def judge_autonat(result: Line, address: str) -> list[str]:
    """Judges what a host has learned about its one address by asking to be dialled back."""
    if result.get("ok") is not True or result.get("status") != "OK":
        reason = result.get("text") or result.get("error")
        return [f"the answer is {result.get('status')}: {reason}"]
    return [] if result.get("reached") == address else [f"{result.get('reached')} was reached, not {address}"]


def judge_verdict(line: Line) -> list[str]:
    """Judges what our host has learned by asking several of theirs; it could be reached at all times."""
    found = line.get("reachability")
    return [] if found == "public" else [f"the host takes itself for {found}, and is public"]


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
    complaints += _judge_callers(cell, lines, amounts)
    protocol = XFER if cell.case == "transfer" else ECHO
    echoes = [line for line in lines if line.get("event") == "stream" and line.get("protocol") == protocol]
    if cell.case == "vanish":
        if not any(line.get("end") in ("reset", "error") and line.get("error") for line in echoes):
            complaints.append(f"the listener saw no error in mid-stream: {echoes}")
        return complaints
    wanted = {
        "echo": (1, amounts.echo_bytes),
        "streams": (amounts.streams, amounts.stream_bytes),
        "transfer": (1, amounts.transfer_bytes),
    }.get(cell.case)
    if wanted is not None:
        count, size = wanted
        whole = [line for line in echoes if line.get("bytes_in") == size == line.get("bytes_out")]
        if len(whole) != count:
            complaints.append(f"the listener saw {len(whole)} of {count} whole streams")
    return complaints


def _judge_callers(cell: Cell, lines: Sequence[Line], amounts: Amounts) -> list[str]:
    """Who our listener says has connected, over what, and what they told about themselves."""
    complaints = []
    if cell.case in ("handshake", "crowd"):
        connected = [line for line in lines if line.get("event") == "connected"]
        callers = {line.get("peer") for line in connected}
        if len(callers) != cell.dialers(amounts):
            complaints.append(f"{len(callers)} hosts have connected, should be {cell.dialers(amounts)}")
        for line in connected:
            complaints += _connection(cell, line)
    if cell.case == "transfer":  # which lasts long enough for identify to be over
        told = next((line for line in lines if line.get("event") == "identified"), {})
        complaints += _identified(cell, cell.dialer, told, ())
    return complaints
