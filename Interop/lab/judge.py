"""What a scenario has shown: pure functions from figures to checks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lab.options import Wire

Figures = Mapping[str, object]

#: By which share memory may grow; and when each stream moves for the first time.
MAY_GROW = 0.10
UPGRADE_MAY_GROW = 0.25
#: Seconds from one write on a stream to its next while all streams leave a relay, and milliseconds by which a gap may be longer
#: when a stream moves than when none does: the round trip over the relay is less.
PACE = 0.2
MAY_WAIT = 500.0


@dataclass(frozen=True)
class Check:
    """One thing that had to be true."""

    name: str
    passed: bool
    detail: str


def number(figures: Figures, name: str) -> float:
    """A figure; one that is missing is not a number, so that every comparison with it fails."""
    value = figures.get(name)
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else float("nan")


def part(figures: Figures, name: str) -> Figures:
    """The figures of one end or direction."""
    value = figures.get(name)
    return value if isinstance(value, Mapping) else {}


def delay(plan: Wire, round_trips: Sequence[float], sent: int) -> Check:
    """Whether the emulated delay is what was asked for: a fast packet takes it and little more."""
    least = min(round_trips, default=float("nan"))
    passed = plan.round_trip <= least <= plan.round_trip * 1.15 + 3 + 2 * plan.jitter
    detail = f"round trip {least:.1f} ms at least, for 2 x {plan.delay:g} ms ({len(round_trips)} of {sent} pings came back)"
    return Check(f"{plan.device}: delay", passed, detail)


def loss(plan: Wire, counts: Figures) -> Check:
    """Whether packets were lost as asked for, within what chance does to so many."""
    lost = sum(number(part(counts, way), "lost") for way in ("a_to_b", "b_to_a"))
    through = sum(number(part(counts, way), "packets") for way in ("a_to_b", "b_to_a"))
    total = lost + through
    share = plan.loss / 100
    # Four standard deviations: one run in 16,000 falls outside by chance.
    slack = 4 * (total * share * (1 - share)) ** 0.5
    passed = total > 0 and abs(lost - total * share) <= slack
    overflowed = sum(number(part(counts, way), "overflowed") for way in ("a_to_b", "b_to_a"))
    detail = f"{lost:.0f} of {total:.0f} packets lost, {100 * lost / total if total else 0:.2f} %; {overflowed:.0f} overflowed"
    return Check(f"{plan.device}: loss", passed, detail)


def _sides(result: Figures) -> list[tuple[str, Figures]]:
    return [(name, part(result, name)) for name in ("dialer", "listener")]


def _left(result: Figures) -> dict[str, float]:
    kinds = ("streams_left", "labels_left", "held_left", "migrations_left", "timers_left")
    return {f"{name} {kind}": number(side, kind) for name, side in _sides(result) for kind in kinds}


def nothing_left(result: Figures) -> Check:
    """Whether both ends say that nothing is open any more."""
    left = {name: count for name, count in _left(result).items() if count != 0}
    detail = ", ".join(f"{name} {count:g}" for name, count in left.items())
    return Check("nothing left open", not left, detail or "streams, labels, held Migrates, migrations, timers: 0 at both ends")


def soak(result: Figures, streams: int, migrations: int) -> list[Check]:
    """The checks of a soak without faults."""
    sides = _sides(result)
    ended = [number(side, "streams_ended") for _, side in sides]
    moved = [number(side, kind) for _, side in sides for kind in ("fewest_migrations", "most_migrations")]
    (_, a), (_, b) = sides
    counted = [
        (number(a, "bytes_sent"), number(b, "bytes_received")),
        (number(b, "bytes_sent"), number(a, "bytes_received")),
    ]
    in_order = result.get("ok") is True or "memory grew" in str(result.get("error", ""))
    in_order = in_order and all(sent == received and sent > 0 for sent, received in counted)
    checks = [
        Check("every stream ended cleanly", ended == [streams, streams], f"{ended[0]:g} and {ended[1]:g} of {streams}"),
        Check(
            "every stream moved each time",
            moved == [migrations] * 4,
            f"{number(result, 'migrations'):.0f} migrations in {number(result, 'seconds'):.1f} s: "
            f"{number(result, 'migrations_per_second'):.0f} a second",
        ),
        Check(
            "every byte in order",
            in_order,
            f"{counted[0][1]:.0f} bytes one way, {counted[1][1]:.0f} the other" + _why(result),
        ),
        nothing_left(result),
    ]
    for name, side in sides:
        growth = number(side, "memory_growth")
        sizes = [number(side, f"memory_{moment}") / 2**20 for moment in ("start", "end", "closed")]
        detail = f"{sizes[0]:.1f} MiB, {sizes[1]:.1f} MiB at the end ({100 * growth:+.1f} %), {sizes[2]:.1f} MiB closed"
        checks.append(Check(f"memory of the {name}", growth <= MAY_GROW, detail))
    return checks


def upgrade(result: Figures, streams: int) -> list[Check]:
    """The checks of a soak whose streams had to move by themselves, once, to a better connection."""
    sides = _sides(result)
    ended = [number(side, "streams_ended") for _, side in sides]
    moved = [number(side, kind) for _, side in sides for kind in ("fewest_migrations", "most_migrations")]
    seconds = number(result, "seconds")
    checks = [
        Check("every stream moved once, by itself", moved == [1] * 4, f"{streams} streams within {seconds:.1f} s of the dial"),
        Check("every stream ended cleanly", ended == [streams, streams], f"{ended[0]:g} and {ended[1]:g} of {streams}"),
        Check("every byte in order", result.get("ok") is True, f"all compared{_why(result)}"),
        nothing_left(result),
    ]
    for name, side in sides:
        gaps = side.get("gaps_ms")
        before, during = gaps if isinstance(gaps, list) and len(gaps) == 2 else (float("nan"), float("nan"))
        detail = f"{during:.0f} ms while streams moved, {before:.0f} ms before, with a write every {PACE * 1000:.0f} ms"
        checks.append(Check(f"longest gap on a stream to the {name}", during <= before + MAY_WAIT, detail))
        sizes = [number(side, f"memory_{moment}") / 2**20 for moment in ("start", "end", "closed")]
        detail = f"{sizes[0]:.1f} MiB on the relay, {sizes[1]:.1f} MiB moved, {sizes[2]:.1f} MiB closed"
        checks.append(Check(f"memory of the {name}", sizes[1] <= sizes[0] * (1 + UPGRADE_MAY_GROW), detail))
    return checks


def _why(result: Figures) -> str:
    return f"; {result['error']}" if result.get("error") else ""


def cable(
    result: Figures,
    streams: int,
    migrations: int,
    dead_slots: set[int],
    connections_after: Mapping[int, float],
    streams_after: float,
    limit: float,
) -> list[Check]:
    """The checks of a soak in which one link went dead: what was on it ends with an error, in time; the rest goes on.

    `connections_after` and `streams_after` are the seconds after which connections and the last stream were given up.
    """
    # A stream ends at once; the connection itself tries to say goodbye for five seconds more.
    latest = max(connections_after.values(), default=float("nan"))
    checks = [
        Check(
            "streams of the dead link ended in time",
            streams_after <= limit,
            f"the last after {streams_after:.1f} s of at most {limit:g}",
        ),
        Check(
            "its connections were given up in time",
            set(connections_after) == dead_slots and latest <= limit + 5,
            f"{len(connections_after)} of {len(dead_slots)}, the last after {latest:.1f} s of at most {limit + 5:g}",
        ),
    ]
    for name, side in _sides(result):
        ended, lost = number(side, "streams_ended"), number(side, "streams_lost")
        reasons = part(side, "lost_by_reason")
        named = sum(number(reasons, reason) for reason in reasons if reason.strip())
        gone = number(side, "connections_lost")
        detail = f"{lost:g} ended with an error, {ended:g} of {streams} went on to their end; {gone:g} connections lost"
        detail += "".join(f"\n          {number(reasons, reason):g} x {reason}" for reason in reasons)
        passed = ended > 0 and lost > 0 and ended + lost == streams and named == lost and gone == len(dead_slots)
        checks.append(Check(f"streams of the {name}", passed, detail))
    moved = [number(side, "fewest_migrations") for _, side in _sides(result)]
    checks += [
        Check("the others moved each time", moved == [migrations, migrations], f"{moved[0]:g} and {moved[1]:g} times"),
        Check("no byte out of order", result.get("ok") is True, str(result.get("error") or "all compared")),
        nothing_left(result),
    ]
    return checks
