"""Runs one scenario in one role, and says what came of it."""

from __future__ import annotations

import functools
import time
from dataclasses import dataclass
from pathlib import Path

from harness.process import ProgramError
from peers.wire import decode_peer_id, split_peer
from stack.identity import Identity

from .context import Context
from .peer import ScriptedPeer, extreme_identity
from .registry import Cell, Order, Way
from .sides import Side
from .transcript import Transcript
from .verdict import Broken, Inconclusive, NotApplicable

#: An order of the peer ids that can't be had for sure is tried so often.
_TRIES = 3


@dataclass
class Outcome:
    """What a scenario has shown."""

    cell: Cell
    #: `pass`, `FAIL` or `skip`.
    status: str
    #: The rule that was broken, and how; or why nothing is known.
    rule: str | None
    text: str
    seconds: float
    transcript: Transcript


@functools.cache
def _extreme(lower: bool) -> Identity:
    return extreme_identity(lower)


def execute(cell: Cell, side: Side, timeout: float) -> Outcome:
    """Runs a scenario."""
    started = time.monotonic()
    for _ in range(_TRIES):
        transcript = Transcript()
        status, rule, text = _once(cell, side, transcript, timeout)
        if text != _WRONG_ORDER:
            break
    return Outcome(cell, status, rule, text, time.monotonic() - started, transcript)


_WRONG_ORDER = "the peer ids came in the other order"


def _once(cell: Cell, side: Side, transcript: Transcript, timeout: float) -> tuple[str, str | None, str]:
    is_lower = cell.order is Order.LOWER
    address = side.address()
    if cell.scenario.way is Way.FROM_DIALER or address is None:
        identity = _extreme(is_lower)
    else:
        identity = Identity.ordered_against(decode_peer_id(split_peer(address)[1]), is_lower)
    transcript.note(None, f"{cell.name}: {cell.scenario.summary}")
    peer = ScriptedPeer(identity, transcript, cell.dialect)
    verdict: tuple[str, str | None, str] = ("pass", None, "")
    try:
        side.begin()
        try:
            context = Context(peer, side, timeout)
            cell.scenario.body(context)
        finally:
            wrong_order = any(one.name != "thief" for one in peer.sessions) and peer.is_lower != is_lower
            peer.close()
        left = side.left()
        if left:
            raise Broken("P7", "nothing to be left at the other side", left)
    except Broken as broken:
        verdict = ("FAIL", broken.rule, str(broken))
    except (Inconclusive, ProgramError) as failure:
        verdict = ("FAIL", None, f"inconclusive: {failure}")
    except NotApplicable as reason:
        verdict = ("skip", None, str(reason))
    finally:
        side.left()
    if wrong_order:
        verdict = ("FAIL", None, _WRONG_ORDER)
    transcript.note(None, f"{verdict[0]} {verdict[2]}".strip())
    return verdict


def write(outcome: Outcome, folder: Path, as_json: bool) -> None:
    """Writes a scenario's transcript into the folder."""
    name = outcome.cell.name.replace("/", "-")
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / f"{name}{'.jsonl' if as_json else '.txt'}", "w", encoding="utf-8") as file:
        (outcome.transcript.write_json if as_json else outcome.transcript.write_text)(file)
