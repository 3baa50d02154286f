"""Many streams that move between the connections of two hosts, over bad links."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from harness.process import Line, Program, ProgramError
from lab import judge
from lab.hosts import OURS, Hosts
from lab.judge import Check
from lab.lab import Lab, Outcome
from lab.nat import OBSERVERS
from lab.network import Link, Network
from lab.options import LinkPlan

PINGS = 50
#: Seconds from one proof of a connection's life to the next in the scenario `cable`, and that it may take.
KEEP_ALIVE = 2.0


class Scene:
    """A network, with a soak's two ends in it."""

    def __init__(self, lab: Lab, network: Network) -> None:
        self.network, self.oxbow, self.options, self.say = network, lab.oxbow, lab.options, lab.say

    def probe(self, link: Link) -> Check:
        """Measures a link before anything else uses it."""
        assert isinstance(link.plan, LinkPlan)
        program = self.network.python(f"probe-{link.plan.device}", "a", "lab.probe", link.plan.address(1), str(PINGS))
        line = program.await_line("round trips", lambda line: "round_trips_ms" in line, 30)
        times = line["round_trips_ms"]
        assert isinstance(times, list)
        return judge.delay(link.plan, times, PINGS)

    def listen(self, plans: Sequence[LinkPlan], arguments: Sequence[str]) -> tuple[Program, list[str]]:
        """Starts the end that is dialled, and tells its address on each link."""
        where = [f"/{'ip6' if plan.is_ipv6 else 'ip4'}/{plan.address(1)}/tcp/0" for plan in plans]
        listen = [part for address in where for part in ("--listen", address)]
        command = [str(self.oxbow), "soak", "listen", "--ephemeral", "--once", "--json", *listen, *arguments]
        program = self.network.program("listener", "b", command)
        line = program.await_line("addresses", lambda line: line.get("event") == "listening", 30)
        known = line["addrs"]
        assert isinstance(known, list)
        wanted = [next((a for a in known if f"/{plan.address(1)}/" in a), None) for plan in plans]
        if None in wanted:
            raise ProgramError(f"the listener has no address on some link: {known}")
        return program, [str(address) for address in wanted]

    def dial(self, addresses: Sequence[str], arguments: Sequence[str]) -> Program:
        """Starts the end that conducts."""
        command = [str(self.oxbow), "soak", "dial", *addresses, "--json", "--timeout", str(self.options.timeout), *arguments]
        return self.network.program("dialer", "a", command)

    def follow(self, dialer: Program, on_line: Callable[[Line], None] = lambda line: None) -> Line:
        """Waits for the dialer's result, and shows how far it is meanwhile."""
        deadline = time.monotonic() + self.options.timeout + 60
        while True:
            line = dialer.await_line("a result", lambda line: True, deadline - time.monotonic())
            if "ok" in line:
                return line
            if line.get("event") == "progress":
                self.say(f"  {line.get('seconds'):.0f} s: {line.get('migrations')} of {line.get('of')} migrations")
            on_line(line)

    def counts(self) -> tuple[list[Check], dict[str, object]]:
        """Ends the links: what they lost, and all that they counted."""
        counts = {link.plan.device: link.stop() for link in self.network.links}
        return [judge.loss(link.plan, counts[link.plan.device]) for link in self.network.links], dict(counts)


def _both_ended(listener: Program, dialer: Program) -> Check:
    """Waits for both processes to end by themselves."""
    name = "both processes ended by themselves"
    try:
        statuses = [dialer.await_exit(30), listener.await_exit(60)]
    except ProgramError as error:
        return Check(name, False, str(error))
    return Check(name, statuses == [0, 0], f"status {statuses[0]} and {statuses[1]}")


def soak(lab: Lab) -> Outcome:
    """Many streams that move many times, without any fault but loss and delay."""
    with lab.network(lab.options.links) as network:
        return _soak(Scene(lab, network), lab.options.links)


def _soak(scene: Scene, plans: Sequence[LinkPlan]) -> Outcome:
    options = scene.options
    checks = [scene.probe(link) for link in scene.network.links]
    listener, addresses = scene.listen(plans, [])
    dialer = scene.dial(
        addresses,
        [
            *("--streams", str(options.streams), "--migrations", str(options.migrations)),
            *("--connections", str(options.connections), "--concurrent", str(options.concurrent)),
            *("--seed", str(options.seed)),
        ],
    )
    result = scene.follow(dialer)
    ending = _both_ended(listener, dialer)
    losses, counts = scene.counts()
    checks += losses + judge.soak(result, options.streams, options.migrations) + [ending]
    return Outcome(checks, {"result": result, "links": counts})


def leave_relay(lab: Lab) -> Outcome:
    """Many streams begin on a connection through a relay, and move by themselves when a direct one stands."""
    streams = lab.options.leaving
    with lab.nat_network(lab.options.nat_plan) as network:
        hosts = Hosts(network, lab.oxbow, lab.peers)
        relay = hosts.relay(OURS)
        where = ["--listen", f"/ip4/{OBSERVERS[0]}/tcp/0", "--relay", relay.address]
        listener = hosts.listen(OURS, "s", ["soak", "listen", "--ephemeral", "--once", "--upgrade", *where], "listener")
        direct = next(address for address in listener.addresses if "/p2p-circuit" not in address)
        dialer = hosts.start(
            OURS,
            "a",
            [
                *("soak", "dial", listener.address, direct, "--upgrade", "--streams", str(streams), "--bytes", "16"),
                *("--pace", str(judge.PACE), "--seed", str(lab.options.seed), "--timeout", str(lab.options.timeout)),
            ],
            "dialer",
        )
        result = dialer.await_line("a result", lambda line: "ok" in line, lab.options.timeout + 60)
        ending = _both_ended(listener.program, dialer)
    return Outcome([*judge.upgrade(result, streams), ending], {"result": result})


def cable(lab: Lab) -> Outcome:
    """The second link goes dead while streams move: nobody is told, packets just stop to arrive."""
    plans = lab.options.links
    if len(plans) == 1:  # one that can be pulled must not be the only one
        plans += (replace(plans[0], device="link1", number=1),)
    with lab.network(plans) as network:
        return _cable(Scene(lab, network), plans)


def _cable(scene: Scene, plans: Sequence[LinkPlan]) -> Outcome:
    options = scene.options
    streams, migrations = min(options.streams, 100), 20
    dead = scene.network.links[1]
    dead_slots = {slot for slot in range(options.connections) if slot % len(plans) == 1}
    listener, addresses = scene.listen(plans, ["--keep-alive", str(KEEP_ALIVE)])
    dialer = scene.dial(
        addresses,
        [
            *("--streams", str(streams), "--migrations", str(migrations), "--connections", str(options.connections)),
            *("--concurrent", "16", "--pace", "0.2", "--seed", str(options.seed)),
            *("--survive", "--keep-alive", str(KEEP_ALIVE)),
        ],
    )
    pulled: list[float] = []
    connections_after: dict[int, float] = {}
    streams_after: list[float] = []

    def watch(line: Line) -> None:
        if line.get("phase") == "warm":
            dead.cut()
            pulled.append(time.monotonic())
            scene.say(f"  pulled the cable of {dead.plan.device}")
        if not pulled:
            return
        after = time.monotonic() - pulled[0]
        if line.get("event") == "streams-lost":
            streams_after.append(after)
            scene.say(f"  after {after:.1f} s {line.get('streams_lost')} streams are lost")
        if line.get("event") == "connection-lost":
            slot = line.get("slot")
            assert isinstance(slot, int)
            connections_after[slot] = after
            scene.say(f"  after {after:.1f} s connection {slot} is gone: {line.get('error')}")

    result = scene.follow(dialer, watch)
    ending = _both_ended(listener, dialer)
    _, counts = scene.counts()
    # A ping goes out after the one interval and is given up after the other; some more for a busy machine.
    checks = judge.cable(
        result,
        streams,
        migrations,
        dead_slots,
        connections_after,
        streams_after[-1] if streams_after else float("nan"),
        limit=2 * KEEP_ALIVE + 2,
    )
    after = {"connections_lost_after": connections_after, "streams_lost_after": streams_after}
    return Outcome(checks + [ending], {"result": result, "links": counts, **after})
