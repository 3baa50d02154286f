"""A file goes from `a` to `b`, who reach each other by a relay only, until a hole is punched: then its stream moves."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from harness.process import StampedLine
from lab import judge_nat
from lab.hosts import OURS, PUBLIC_LIMITS, Hosts, Limits
from lab.judge import Check
from lab.lab import Lab, Outcome
from lab.network import LabError
from lab.transfer import Payload, Seen, Transfer

_MIB = 1 << 20
#: Seconds after the punch at which the relay is killed: two in which it may still carry something, two in which it has to rest.
KILL_AFTER = 2 * judge_nat.REST_AFTER
#: Seconds within which both ends of a transfer that can't go on know it.
NOTICE = 60.0
#: What `repeat` loses on the links of each home, in percent.
REPEAT_LOSS = 0.3


@contextmanager
def crossing(
    lab: Lab,
    payload: Payload,
    name: str,
    nat: str = "cone",
    relay: str = OURS,
    limits: Limits = Limits(),
    loss: float = 0.0,
) -> Iterator[Transfer]:
    """A network with everything ready for a file to go from `a` to `b` through a relay."""
    given = lab.options.nat_plan
    home = replace(given.home, loss=max(given.home.loss, loss))
    plan = replace(given, nats={"a": nat, "b": nat}, home=home)
    with lab.nat_network(plan, name) as network:
        for check in judge_nat.mappings(plan, network.measure()):
            if not check.passed:
                raise LabError(f"not so: {check.name}: {check.detail}")
        transfer = Transfer(Hosts(network, lab.oxbow, lab.peers), network, payload, lab.folder / name / "inbox")
        transfer.prepare(relay, limits)
        yield transfer


def _payload(lab: Lab, size: int) -> Payload:
    return Payload.make(lab.folder / "payload.bin", size, lab.options.seed)


def _when_direct(transfer: Transfer, after: float, action: Callable[[], None]) -> StampedLine | None:
    """Does something so many seconds after a direct connection stands, unless the transfer is over by then."""
    direct = transfer.await_connection(is_relayed=False)
    if direct is not None and not transfer.ends_before(direct.at + after):
        action()
    return direct


def upgrade(lab: Lab) -> Outcome:
    """The same file twice: with migration, and the relay killed once it should have nothing to do; and without migration."""
    payload = _payload(lab, lab.options.size)
    with crossing(lab, payload, "moving") as transfer:
        transfer.send()
        _when_direct(transfer, KILL_AFTER, transfer.kill_relay)
        moving = transfer.seen(lab.options.timeout)
    checks = [judge_nat.punched(moving), judge_nat.moved(moving), *judge_nat.relay_at_rest(moving)]
    checks += [judge_nat.survived_relay(moving), judge_nat.arrived(moving)]
    _tell(lab, checks)
    with crossing(lab, payload, "staying") as transfer:
        transfer.send("--no-migration")
        staying = transfer.seen(lab.options.timeout)
    checks += judge_nat.faster(moving, staying)
    return Outcome(checks, {"moving": moving.figures(), "staying": staying.figures()})


def symmetric(lab: Lab) -> Outcome:
    """Between symmetric NATs no hole can be punched: everything goes through the relay, and an event tells why."""
    with crossing(lab, _payload(lab, 24 * _MIB), "symmetric", nat="symmetric") as transfer:
        transfer.send()
        seen = transfer.seen(lab.options.timeout)
    return Outcome([*judge_nat.stayed(seen), judge_nat.arrived(seen)], seen.figures())


def repeat(lab: Lab) -> Outcome:
    """The punchable case many times, with a little loss at each home, everything started anew each time."""
    payload = _payload(lab, 8 * _MIB)
    runs: list[Seen] = []
    quiet = replace(lab, say=lambda text: None)
    for number in range(1, lab.options.runs + 1):
        lab_of_run = lab if number == 1 else quiet
        with crossing(lab_of_run, payload, f"run-{number}", loss=REPEAT_LOSS) as transfer:
            transfer.send()
            runs.append(transfer.seen(lab.options.timeout))
        if not judge_nat.has_upgraded(runs[-1]):
            lab.say(f"  run {number}: {runs[-1].figures()}")
        elif number % 10 == 0:
            lab.say(f"  {number} of {lab.options.runs} runs")
    brief = ("relayed", "direct", "migrated", "ended", "status", "is_equal")
    return Outcome(judge_nat.upgrades(runs), {"runs": [{name: vars(seen)[name] for name in brief} for seen in runs]})


def _over_public_relay(lab: Lab, kind: str) -> Outcome:
    with crossing(lab, _payload(lab, 16 * _MIB), kind, relay=kind, limits=PUBLIC_LIMITS) as transfer:
        transfer.send()
        seen = transfer.seen(lab.options.timeout)
    checks = [judge_nat.punched(seen), judge_nat.moved(seen), judge_nat.beyond_limits(seen, PUBLIC_LIMITS)]
    return Outcome([*checks, judge_nat.arrived(seen)], seen.figures())


def go_relay(lab: Lab) -> Outcome:
    """go-libp2p's relay with the limits of a public one: the stream has to leave it before it is cut."""
    return _over_public_relay(lab, "go")


def py_relay(lab: Lab) -> Outcome:
    """py-libp2p's relay with the same limits, which it counts for both directions together."""
    return _over_public_relay(lab, "py")


def relay_lost(lab: Lab) -> Outcome:
    """The relay is killed while there is no other way: both ends know it, and nothing hangs."""
    with crossing(lab, _payload(lab, 24 * _MIB), "relay-lost", nat="symmetric") as transfer:
        transfer.send()
        relayed = transfer.await_connection(is_relayed=True)
        if relayed is not None and not transfer.ends_before(relayed.at + 2):
            transfer.kill_relay()
        seen = transfer.seen(NOTICE + 30)
    return Outcome(judge_nat.broken(seen, seen.relay_killed, NOTICE), seen.figures())


def path_lost(lab: Lab) -> Outcome:
    """The direct path goes dead, the relay stands: the transfer goes on over the relay, or both ends know that it can't."""
    blocked: list[float] = []
    with crossing(lab, _payload(lab, 48 * _MIB), "path-lost") as transfer:

        def block() -> None:
            transfer.network.block_direct_path()
            blocked.append(time.monotonic() - transfer.started)

        transfer.send()
        _when_direct(transfer, 1, block)
        seen = transfer.seen(lab.options.timeout)
    after = blocked[0] if blocked else None
    checks = [judge_nat.punched(seen), *judge_nat.path_lost(seen, after, NOTICE)]
    return Outcome(checks, {"blocked": after, **seen.figures()})


def _tell(lab: Lab, checks: list[Check]) -> None:
    """Shows early what is known, in a scenario that takes long."""
    for check in checks:
        lab.say(f"  so far: {'ok  ' if check.passed else 'FAIL'}  {check.name}: {check.detail}")
