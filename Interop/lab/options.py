"""What a run of the lab is to do, from the command line."""

from __future__ import annotations

import argparse
from dataclasses import dataclass

SCENARIOS = ("soak", "cable")


@dataclass(frozen=True)
class LinkPlan:
    """One emulated link: its number, and what it does to packets each way."""

    number: int
    delay: float
    jitter: float
    loss: float
    rate: float

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

    @property
    def device(self) -> str:
        return f"link{self.number}"

    @property
    def round_trip(self) -> float:
        """What a round trip takes at least, in milliseconds."""
        return 2 * self.delay

    def describe(self) -> str:
        kind = "IPv6" if self.is_ipv6 else "IPv4"
        jitter = f", jitter {self.jitter:g} ms" if self.jitter else ""
        rate = f", {self.rate:g} Mbit/s" if self.rate else ""
        return f"{kind}, {self.delay:g} ms{jitter} and {self.loss:g} % loss each way{rate}"


@dataclass(frozen=True)
class Options:
    """A whole run."""

    scenarios: tuple[str, ...]
    streams: int
    migrations: int
    connections: int
    concurrent: int
    links: tuple[LinkPlan, ...]
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
    return tuple(LinkPlan(number, delay, jitter, loss, rate) for number, delay in enumerate(delays))


def parse(arguments: list[str] | None = None) -> Options:
    """Reads the command line; wrong arguments end the process with status 2."""
    parser = argparse.ArgumentParser(
        prog="Interop/lab/run",
        description="Soaks oxbow over emulated links between two network namespaces. Needs root and /dev/net/tun.",
    )
    add = parser.add_argument
    add("--only", metavar="SCENARIO", choices=SCENARIOS, help="only this: " + " or ".join(SCENARIOS))
    add("--streams", type=int, default=100, help="streams (default 100)")
    add("--migrations", type=int, default=10, help="how often each moves (default 10)")
    add("--connections", type=int, default=4, help="connections, over the links in turn (default 4)")
    add("--concurrent", type=int, default=128, help="migrations that each end has under way at once (default 128)")
    add("--delay", type=_numbers, default=[25.0], help="ms each way; several, as 25,60, make as many links (default 25)")
    add("--loss", type=float, default=1.0, help="percent of packets each way (default 1)")
    add("--jitter", type=float, default=0.0, help="up to so many ms more, at random (default 0)")
    add("--rate", type=float, default=0.0, help="Mbit/s each way (default without bound)")
    add("--seed", type=int, default=1, help="of losses, jitter, bytes and where streams go (default 1)")
    add("--timeout", type=float, default=900.0, help="seconds that a scenario may take (default 900)")
    add("--json", action="store_true", help="end with one line of JSON")
    add("--check", action="store_true", help="only tell whether the lab can run here")
    given = parser.parse_args(arguments)
    if not 0 <= given.loss < 100:
        parser.error("--loss is 0 to 100 percent")
    return Options(
        scenarios=(given.only,) if given.only else SCENARIOS,
        streams=given.streams,
        migrations=given.migrations,
        connections=given.connections,
        concurrent=given.concurrent,
        links=links_for(given.delay, given.jitter, given.loss, given.rate),
        seed=given.seed,
        timeout=given.timeout,
        json=given.json,
        check=given.check,
    )
