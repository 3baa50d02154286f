"""What becomes of a Migrate of the peer's (SM-L3, SM-L4, SM-F5, SM-F6, SM-F10)."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from stack.session import Stream

from ..messages import Migrate
from .logical import Logical

MAXIMUM_HELD = 16
MAXIMUM_MIGRATIONS = 16
#: Shorter than the rule's ten seconds, so that a test needn't wait; longer than a test waits for what a wrong variant doesn't do.
UNKNOWN_HELD = 2.0


@dataclass
class Held:
    """A Migrate that can't be judged yet."""

    stream: Stream
    name: str
    migrate: Migrate
    until: float | None


@dataclass
class Remote:
    """What is known of one remote peer, over all connections."""

    is_lower: bool
    dialect: str | None = None
    is_identified: bool = False
    live: dict[int, Logical] = field(default_factory=dict)
    finished: set[int] = field(default_factory=set)
    held: list[Held] = field(default_factory=list)
    streams: list[Logical] = field(default_factory=list)
    next_id: int = 0


def judge(held: Held, remote: Remote, known: Mapping[int, Logical], mutants: frozenset[str]) -> str:
    """`accept`, `deny`, `hold` or `reset`. `known`: the streams that the peer can name."""
    migrate = held.migrate
    if migrate.id == migrate.from_id:
        return "deny"
    if migrate.from_id in remote.finished:
        return "reset" if "finished-is-reset" in mutants else "deny"
    logical = known.get(migrate.from_id)
    if logical is None:
        if "unknown-is-denied" in mutants:
            return "deny"
        held.until = held.until or time.monotonic() + UNKNOWN_HELD
        return "hold" if time.monotonic() < held.until else "reset"
    held.until = None
    if (migrate.id % 2 == 0) == remote.is_lower:
        return "deny"
    if migrate.id in remote.live:
        return "reset"
    moving = {id(one) for one in remote.live.values() if one.role or one.asking}
    if len(moving) >= MAXIMUM_MIGRATIONS:
        return "reset"
    return logical.judge(migrate.from_id)
