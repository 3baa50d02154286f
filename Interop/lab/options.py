"""What a run of the lab is to do, from the command line."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping
from dataclasses import dataclass



@dataclass(frozen=True)
class Wire:
    """What an emulated link does to packets each way: delay and jitter in ms, loss in percent, rate in Mbit/s (0: no bound)."""

    device: str
    delay: float = 0.0
    jitter: float = 0.0
    loss: float = 0.0
    rate: float = 0.0
    #: Seconds from one report of what has gone over the link to the next; 0 is none.
    report: float = 0.0

    @property
    def round_trip(self) -> float:
        """What a round trip takes at least, in milliseconds."""
        return 2 * self.delay

    @property
    def queue(self) -> int:
        """How many packets wait at most: for a tenth of a second of a bounded rate, as in a router that is set up with care."""
        return max(50, round(self.rate * 1e6 / 8 * 0.1 / 1500)) if self.rate else 4000

    def arguments(self) -> list[str]:
        """The same for the emulator."""
        values = {
            "--delay": self.delay, "--jitter": self.jitter, "--loss": self.loss, "--rate": self.rate,
            "--queue": self.queue, "--report": self.report,
        }  # fmt: skip
        return [part for name, value in values.items() for part in (name, str(value))]

    def describe(self) -> str:
        jitter = f", jitter {self.jitter:g} ms" if self.jitter else ""
        rate = f", {self.rate:g} Mbit/s" if self.rate else ""
        return f"{self.delay:g} ms{jitter} and {self.loss:g} % loss each way{rate}"


@dataclass(frozen=True)
class LinkPlan(Wire):
    """A link straight between two hosts, one of several."""

    number: int = 0

    @property
    def is_ipv6(self) -> bool:
        """Links take turns: IPv4, IPv6, IPv4, ..."""
        return self.number % 2 == 1

    def address(self, end: int) -> str:
        """The address of end 0 or 1, in a network of the link's own."""
        return f"fd77:{self.number + 1:x}::{end + 1}" if self.is_ipv6 else f"10.77.{self.number + 1}.{end + 1}"

    @property
    def prefix(self) -> int:
        return 64 if self.is_ipv6 else 24

    def describe(self) -> str:
        return f"{'IPv6' if self.is_ipv6 else 'IPv4'}, {super().describe()}"


@dataclass(frozen=True)
class NatPlan:
    """What the NAT routers do, and what the links do to packets each way: the relay's, and that of each home."""

    nats: Mapping[str, str]
    relay: Wire
    home: Wire

    def describe(self) -> list[str]:
        """A line for each part."""
        routers = " and ".join(f"{end} behind a {nat} NAT" for end, nat in self.nats.items())
        return [routers, f"the relay's link: {self.relay.describe()}", f"each home's link: {self.home.describe()}"]


@dataclass(frozen=True)
class Options:
    """A whole run."""

    #: Nothing: all that are usual.
    only: tuple[str, ...]
    streams: int
    migrations: int
    connections: int
    concurrent: int
    links: tuple[LinkPlan, ...]
    nat_plan: NatPlan
    size: int
    runs: int
    leaving: int
    seed: int
    timeout: float
    json: bool
    check: bool


def _numbers(text: str) -> list[float]:
    values = [float(part) for part in text.split(",")]
    if not 1 <= len(values) <= 16 or not all(0 <= value <= 60_000 for value in values):
        raise ValueError
    return values


def links_for(delays: list[float], jitter: float, loss: float, rate: float) -> tuple[LinkPlan, ...]:
    """One link for each delay."""
    return tuple(LinkPlan(f"link{number}", delay, jitter, loss, rate, number=number) for number, delay in enumerate(delays))


def _wire(text: str) -> Wire:
    """DELAY,LOSS,RATE; what is missing at the end is 0."""
    delay, loss, rate = (_numbers(text) + [0.0, 0.0])[:3]
    if loss >= 100:
        raise ValueError
    return Wire("", delay=delay, loss=loss, rate=rate)


def parse(scenarios: Iterable[str], arguments: list[str] | None = None) -> Options:
    """Reads the command line; wrong arguments end the process with status 2."""
    scenarios = sorted(scenarios)
    parser = argparse.ArgumentParser(
        prog="Interop/lab/run",
        description="Runs oxbow in network namespaces, over emulated links and through NATs. Needs root and /dev/net/tun.",
    )
    add = parser.add_argument
    add("--only", metavar="SCENARIO", choices=scenarios, action="append", help="only this: " + ", ".join(scenarios))
    add("--streams", type=int, default=100, help="streams (default 100)")
    add("--migrations", type=int, default=10, help="how often each moves (default 10)")
    add("--connections", type=int, default=4, help="connections, over the links in turn (default 4)")
    add("--concurrent", type=int, default=128, help="migrations that each end has under way at once (default 128)")
    add("--delay", type=_numbers, default=[25.0], help="ms each way; several, as 25,60, make as many links (default 25)")
    add("--loss", type=float, default=1.0, help="percent of packets each way (default 1)")
    add("--jitter", type=float, default=0.0, help="up to so many ms more, at random (default 0)")
    add("--rate", type=float, default=0.0, help="Mbit/s each way (default without bound)")
    add("--relay", type=_wire, metavar="MS,PERCENT,MBIT", default="50,0,20", help="the relay's link (default 50,0,20)")
    add("--home", type=_wire, metavar="MS,PERCENT,MBIT", default="10,0,100", help="links of those behind NATs (10,0,100)")
    add("--size", type=int, default=100, help="MiB that go through a relay (default 100)")
    add("--runs", type=int, default=3, help="how often a hole is punched in the scenario 'repeat' (default 3)")
    add("--leaving", type=int, default=1000, help="streams that leave a relay in 'leave-relay' (default 1000)")
    add("--seed", type=int, default=1, help="of losses, jitter, bytes and where streams go (default 1)")
    add("--timeout", type=float, default=900.0, help="seconds that a scenario may take (default 900)")
    add("--json", action="store_true", help="end with one line of JSON")
    add("--check", action="store_true", help="only tell whether the lab can run here")
    given = parser.parse_args(arguments)
    if not 0 <= given.loss < 100:
        parser.error("--loss is 0 to 100 percent")
    return Options(
        only=tuple(given.only or ()),
        streams=given.streams,
        migrations=given.migrations,
        connections=given.connections,
        concurrent=given.concurrent,
        links=links_for(given.delay, given.jitter, given.loss, given.rate),
        nat_plan=NatPlan({"a": "cone", "b": "cone"}, given.relay, given.home),
        size=given.size << 20,
        runs=given.runs,
        leaving=given.leaving,
        seed=given.seed,
        timeout=given.timeout,
        json=given.json,
        check=given.check,
    )
