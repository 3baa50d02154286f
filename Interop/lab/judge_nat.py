"""What the scenarios with NATs have shown: pure functions from figures to checks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

from lab.hosts import Limits
from lab.judge import Check, Figures, number
from lab.nat import PUBLIC
from lab.options import NatPlan
from lab.transfer import Samples, Seen

#: Seconds after a punch from which on the relay is to be at rest, and bytes a second that may then still go over its link: both
#: hosts stay connected to it.
REST_AFTER = 2.0
SILENCE = 4096.0
#: By which factor a transfer may take longer while a relay is abused: a greedy peer has a fair share of its line.
MAY_SLOW = 3.0
#: Reservations that a relay grants to one network, and what there is at once in the scenario `abuse`.
PER_NETWORK = 8
RESERVATIONS = 1 + 2 * PER_NETWORK
#: Seconds from one look of a relay at its counter to the next: it has grown since the one before.
RELAY_LOOKS = 0.25
#: The share of transfers between punchable NATs that has to leave the relay.
UPGRADES = 0.98


def mappings(plan: NatPlan, seen: Mapping[str, Figures]) -> list[Check]:
    """Whether each NAT is what it is meant to be: keeps a port or doesn't, and lets nobody in unasked."""
    checks = []
    for end, nat in plan.nats.items():
        observed = seen.get(end, {}).get("observed")
        pairs = [tuple(one) for one in observed] if isinstance(observed, list) else []
        local, let_in = number(seen.get(end, {}), "local"), number(seen.get(end, {}), "let_in")
        ports = [port for _, port in pairs]
        is_kept = len(set(ports)) == 1 and ports[0] == local
        is_fresh = len(set(ports)) == len(ports) > 1
        is_outside = bool(pairs) and all(address == PUBLIC[end] for address, _ in pairs)
        passed = is_outside and let_in == 0 and (is_kept if nat == "cone" else is_fresh)
        shown = " ".join(str(port) for port in ports)
        detail = f"port {local:g} looks like {shown or 'nothing'} to {len(ports)} hosts; {let_in:g} came in unasked"
        checks.append(Check(f"{end}'s NAT is {nat}", passed, detail))
    return checks


def go_upgrade(nat: str, relay: str, result: Figures) -> Check:
    """go-libp2p on all sides: with cone NATs new streams go direct, with symmetric ones they don't; the first stream stays."""
    after = result.get("upgraded_after")
    upgraded = isinstance(after, (int, float))
    wanted = {"first_relayed": True, "first_alive": True, "second_relayed": nat != "cone"}
    passed = result.get("ok") is True and upgraded == (nat == "cone")
    passed = passed and all(result.get(name) is value for name, value in wanted.items())
    how = f"direct after {after:.1f} s" if upgraded else "stayed on the relay"
    how += f"; {result['error']}" if result.get("error") else ""
    return Check(f"go-libp2p between {nat} NATs, over a relay of {relay}'s", passed, how)


def arrived(seen: Seen) -> Check:
    """Whether the file is there, as it was: by the lab's own digest, by both programs, and by the exit status."""
    sent, received = seen.result.get("sha256"), [line.get("sha256") for line in seen.received]
    passed = seen.is_equal and seen.status == 0 and seen.result.get("ok") is True and received == [sent]
    seconds = number(seen.result, "seconds") or float("nan")
    detail = f"{seen.size / 1e6:.0f} MB in {seconds:.1f} s, {seen.size / seconds / 1e6:.1f} MB/s"
    if not passed:
        what = [f"status {seen.status}", "digests equal" if seen.is_equal else "digests differ"]
        detail += f"; {', '.join(what)}; {seen.result.get('error')}; {[line.get('error') for line in seen.failures]}"
    return Check("every byte arrived, SHA-256 equal", passed, detail)


def punched(seen: Seen) -> Check:
    """Whether the transfer started on the relay and a direct connection came up while it ran."""
    passed = seen.relayed is not None and seen.direct is not None and seen.relayed < seen.direct < seen.ended
    ways = [str(line.get("summary")) for line in seen.punches if line.get("upgraded") is True]
    detail = f"relayed after {_time(seen.relayed)}, direct after {_time(seen.direct)}; {_join(ways)}"
    return Check("a hole was punched", passed, detail)


def moved(seen: Seen) -> Check:
    """Whether the file went on in the same stream: one transfer for the receiver, which moved."""
    count = number(seen.result, "migrations")
    passed = bool(seen.migrated) and count >= 1 and len(seen.received) == 1 and not seen.failures
    when = _join([f"{at - (seen.direct or 0):.2f} s" for at in seen.migrated])
    return Check("the same stream went on there", passed, f"{count:g} moves, {when} after the direct connection stood")


def mixed_upgrade(dialling: str, listening: str, result: Figures) -> Check:
    """One of the two doesn't know migration: the connection is upgraded, the first stream lives on, a new one goes direct."""
    after = number(result, "upgraded_after")
    wanted = {"ok": True, "first_relayed": True, "first_alive": True, "second_relayed": False}
    wrong = [name for name, value in wanted.items() if result.get(name) is not value]
    detail = f"direct after {after:.1f} s, the first stream stayed, the second is direct"
    if wrong:
        detail = f"{', '.join(wrong)} not as it should be; direct after {after:.1f} s; {result.get('error')}"
    return Check(f"{dialling} dials {listening}", not wrong and after >= 0, detail)


def last_growth(samples: Samples) -> float:
    """The moment at which a counter was seen to have grown for the last time."""
    return max([at for (_, low), (at, high) in pairwise(samples) if high > low], default=float("nan"))


def growth(samples: Samples, start: float, end: float) -> float:
    """By how much a counter grew between two moments at least; not a number without two samples between them."""
    within = [value for at, value in samples if start <= at <= end]
    return within[-1] - within[0] if len(within) > 1 else float("nan")


def relay_at_rest(seen: Seen) -> list[Check]:
    """Whether the relay carries nothing from two seconds after the punch on, by its own count and by that of its link."""
    direct = float("nan") if seen.direct is None else seen.direct
    carried = seen.relay[-1][1] if seen.relay else float("nan")
    stopped = last_growth(seen.relay) - direct
    end = seen.ended if seen.relay_killed is None else seen.relay_killed
    after = growth(seen.link, direct + REST_AFTER, end)
    return [
        Check(
            f"the relay's counter stood still {REST_AFTER:g} s after the punch",
            carried > 0 and stopped - RELAY_LOOKS <= REST_AFTER,
            f"seen to grow {stopped:.1f} s after it for the last time, to {carried / 1e6:.2f} MB of {seen.size / 1e6:.0f}",
        ),
        Check(
            "and its link was silent",
            after <= SILENCE * (end - direct - REST_AFTER),
            f"{after / 1000:.1f} kB in the {end - direct - REST_AFTER:.1f} s after that",
        ),
    ]


def survived_relay(seen: Seen) -> Check:
    """Whether the relay's end, in the middle of the transfer, changed nothing."""
    killed = seen.relay_killed
    passed = killed is not None and killed < seen.ended and seen.status == 0 and seen.is_equal
    detail = "it ended before the relay did" if killed is None else f"killed {seen.ended - killed:.1f} s before the end"
    return Check("killing the relay changed nothing", passed, detail)


def faster(with_migration: Seen, without: Seen) -> list[Check]:
    """Whether a transfer that may move takes less than half of the time of one that may not, which stays on the relay."""
    on, off = number(with_migration.result, "seconds"), number(without.result, "seconds")
    moves = len(without.migrated) + number(without.result, "migrations")
    detail = f"{on:.1f} s with migration, {off:.1f} s without: {100 * on / off:.0f} %"
    return [
        Check("without migration it stayed on the relay", moves == 0 and arrived(without).passed, f"{moves:g} moves"),
        Check("less than half of the time", on < off / 2, detail),
    ]


def stayed(seen: Seen) -> list[Check]:
    """Whether a transfer between hosts that can't reach each other stays on the relay, and says why."""
    reasons = sorted({str(line["summary"]) for line in seen.punches if line.get("summary")})
    failed = bool(seen.punches) and all(line.get("upgraded") is False for line in seen.punches)
    clean = seen.relayed is not None and seen.direct is None
    clean = clean and not seen.migrated and number(seen.result, "migrations") == 0
    return [
        Check("it stayed on the relay", clean, f"{len(seen.migrated)} moves, direct: {_time(seen.direct)}"),
        Check("an event says why", failed and bool(reasons), _join(reasons)),
    ]


def has_upgraded(seen: Seen) -> bool:
    """Whether a transfer left the relay for a punched connection."""
    return punched(seen).passed and moved(seen).passed


def upgrades(runs: Sequence[Seen]) -> list[Check]:
    """Whether as good as every transfer left the relay: 98 of 100."""
    good = [seen for seen in runs if has_upgraded(seen)]
    after = sorted((seen.direct or 0) - (seen.relayed or 0) for seen in good)
    detail = f"{len(good)} of {len(runs)}"
    if after:
        detail += f"; direct {after[len(after) // 2]:.2f} s after the relayed connection in the median, {after[-1]:.2f} at most"
    whole = sum(arrived(seen).passed for seen in runs)
    return [
        Check("streams moved to a punched connection", len(good) >= UPGRADES * len(runs) > 0, detail),
        Check("every byte arrived in each run", whole == len(runs), f"{whole} of {len(runs)}"),
    ]


def beyond_limits(seen: Seen, limits: Limits) -> Check:
    """Whether the file could not have gone through the relay within its limits."""
    passed = limits.bytes is not None and seen.size > 2 * limits.bytes and arrived(seen).passed
    link = growth(seen.link, float("-inf"), float("inf"))
    detail = f"{seen.size / 1e6:.1f} MB, of which {(limits.bytes or 0) / 1e6:.2f} may pass; {link / 1e6:.2f} on its link"
    return Check("the relay would have cut it", passed, detail)


def broken(seen: Seen, after: float | None, limit: float) -> list[Check]:
    """Whether both ends of a transfer that can't go on say so, in time. `after` is the moment of the fault."""
    took = seen.ended - after if after is not None else float("nan")
    error = str(seen.result.get("error") or "")
    errors = [str(line.get("error")) for line in seen.failures]
    is_told = seen.status not in (0, None) and bool(error)
    return [
        Check("the sender ended with an error", is_told, f"status {seen.status}: {error}"),
        Check("the receiver knows it too", bool(errors) and not seen.received, _join(errors)),
        Check("in time", took <= limit, f"{took:.1f} s of at most {limit:g}"),
    ]


def path_lost(seen: Seen, blocked: float | None, limit: float) -> list[Check]:
    """Whether a transfer whose direct path goes dead either goes on to its end or fails at both ends, in time."""
    if blocked is None:
        return [Check("the path went dead in the middle", False, "the transfer was over before")]
    if seen.status != 0:
        return broken(seen, blocked, limit)
    back = [at - blocked for at in seen.migrated if at > blocked]
    detail = f"{len(back)} moves back, the first {back[0] if back else float('nan'):.1f} s after the path went dead"
    return [Check("the stream went on over the relay", len(back) > 0, detail), arrived(seen)]


def abuse(alone: Figures, beside: Figures, greedy: Figures, refused: Sequence[str], flood: int, counts: Figures) -> list[Check]:
    """Whether a relay refuses what is too much, cuts what is over its limit, and carries the rest as before."""
    before, now = number(alone, "seconds"), number(beside, "seconds")
    bytes_cut, time_cut = number(counts, "out_of_bytes"), number(counts, "out_of_time")
    over = greedy.get("ok") is False and (bytes_cut >= 1 or time_cut >= 1)
    both = alone.get("sha256_equal") is True and beside.get("sha256_equal") is True
    held = number(counts, "reservations")
    return [
        Check(
            "others were served as before",
            both and now <= MAY_SLOW * before,
            f"a file took {before:.1f} s alone, {now:.1f} s beside the abuse",
        ),
        Check(
            "a flood of reservations was refused",
            len(refused) == flood - PER_NETWORK and all(refused) and held <= RESERVATIONS,
            f"{len(refused)} of {flood} of one network; {held:g} reservations held; {_join(sorted(set(refused))[:2])}",
        ),
        Check(
            "a circuit over its limit was cut",
            over,
            f"{bytes_cut:g} for their bytes, {time_cut:g} for their time; {greedy.get('error')}",
        ),
    ]


def _time(seconds: float | None) -> str:
    return "never" if seconds is None else f"{seconds:.1f} s"


def _join(texts: Sequence[str]) -> str:
    return "; ".join(texts) or "nothing"
