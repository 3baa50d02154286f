"""Two hosts, each behind a NAT router of its own, and a public network with a relay and a few more hosts in it.

The picture is in README.md. The public addresses are of 11.0.0.0/8, which nobody outside of these namespaces can see: the
ranges that are reserved for documentation and tests aren't public to go-libp2p, which then punches no hole.
"""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import time
from dataclasses import replace
from pathlib import Path

from harness.process import Program
from lab.network import LabError, Link, Namespaces, run
from lab.options import NatPlan, Wire

#: Seconds from one report of what has gone over a link to the next.
REPORT = 0.25
RELAY = "11.0.0.1"
OBSERVERS = tuple(f"11.1.{number}.1" for number in range(1, 5))
PUBLIC = {"a": "11.2.0.1", "b": "11.3.0.1"}
PRIVATE = {"a": "10.1.0.2", "b": "10.2.0.2"}
_GATEWAYS = {"a": "10.1.0.1", "b": "10.2.0.1"}

#: What a NAT does to the source of what goes out. `cone` keeps the port, whoever is written to; `symmetric` takes another one
#: for each destination. Both let in only what answers something that went out.
MASQUERADES = {"cone": "masquerade persistent", "symmetric": "masquerade fully-random"}

# Input is dropped without an answer: a SYN that comes before the hole stands would otherwise be refused by a RST, and what the
# kernel remembers of it would stand in the way of the own one. That is what routers at home do, too.
_RULES = """
table ip nat {{
    chain postrouting {{ type nat hook postrouting priority 100; policy accept; oifname "{wan}" {masquerade}; }}
}}
table ip filter {{
    chain input {{
        type filter hook input priority 0; policy accept;
        iifname "{wan}" ct state established,related accept
        iifname "{wan}" ip protocol icmp accept
        iifname "{wan}" drop
    }}
    chain forward {{
        type filter hook forward priority 0; policy accept;
        iifname "{wan}" ct state established,related accept
        iifname "{wan}" drop
    }}
}}
"""


@functools.cache
def obstacles() -> list[str]:
    """Why no NAT can be made here, beyond what every lab needs; empty when it can."""
    if shutil.which("nft") is None:
        return ["'nft' is missing: apt install nftables"]
    name = f"oxlab-{os.getpid()}-0-n"
    run("ip", "netns", "add", name)
    try:
        _make_router(name, "lo", "cone")
    except LabError as error:
        return [f"no NAT router can be made: {error}; it takes nf_tables and nf_nat in the kernel, and CAP_NET_ADMIN"]
    finally:
        subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)
    return []


def _make_router(namespace: str, wan: str, nat: str) -> None:
    _forward(namespace)
    rules = _RULES.format(wan=wan, masquerade=MASQUERADES[nat])
    run("ip", "netns", "exec", namespace, "nft", "-f", "-", given=rules)


def _forward(namespace: str) -> None:
    run("ip", "netns", "exec", namespace, "sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward")


class NatNetwork(Namespaces):
    """The network above. Use it as a context manager."""

    def __init__(self, plan: NatPlan, emulator: Path, folder: Path, seed: int) -> None:
        super().__init__(emulator, folder, seed)
        self.plan = plan
        self.links: dict[str, Link] = {}

    def build(self) -> None:
        self.add("net", "r", "s", "na", "nb", "a", "b")
        _forward(self.name("net"))
        self._attach("r", self.plan.relay, [RELAY])
        self._attach("s", Wire("", delay=self.plan.home.delay), list(OBSERVERS))
        for end, nat in self.plan.nats.items():
            self._attach(f"n{end}", self.plan.home, [PUBLIC[end]])
            self._make_home(end)
            _make_router(self.name(f"n{end}"), f"wan-n{end}", nat)

    def _attach(self, end: str, wire: Wire, addresses: list[str]) -> None:
        """Links a namespace to the public network."""
        named = replace(wire, device=f"wan-{end}", report=REPORT)
        self.links[end] = self.connect("net", end, named)
        for address in addresses:
            self.ip(end, "addr", "add", f"{address}/32", "dev", named.device)
            self.ip("net", "route", "add", f"{address}/32", "dev", named.device)
        self.ip(end, "route", "add", "default", "dev", named.device)

    def _make_home(self, end: str) -> None:
        """Puts a host behind its router, on a perfect link."""
        router = f"n{end}"
        run(
            *("ip", "link", "add", "lan", "netns", self.name(router), "type", "veth"),
            *("peer", "name", "eth0", "netns", self.name(end)),
        )
        for name, device, address in ((router, "lan", _GATEWAYS[end]), (end, "eth0", PRIVATE[end])):
            self.ip(name, "addr", "add", f"{address}/24", "dev", device)
            self.ip(name, "link", "set", device, "up")
        self.ip(end, "route", "add", "default", "via", _GATEWAYS[end])

    def block_direct_path(self) -> None:
        """From now on nothing that one home sends to the other arrives, without an answer; the relay stays in reach of both."""
        rules = "\n".join(f'iifname "wan-n{one}" oifname "wan-n{other}" drop' for one, other in ("ab", "ba"))
        chain = f"type filter hook forward priority 0; policy accept;\n{rules}"
        run(
            *("ip", "netns", "exec", self.name("net"), "nft", "-f", "-"),
            given=f"table ip blocked {{\nchain forward {{\n{chain}\n}}\n}}\n",
        )

    def measure(self) -> dict[str, dict[str, object]]:
        """Has each home ask two public hosts how it looks from there, and one of them try to come in unasked."""
        servers = [self.python(f"mapping-{end}", end, "lab.mapping", "serve") for end in ("r", "s")]
        for server in servers:
            server.await_line("a port", lambda line: line.get("event") == "serving", 20)
        asking: list[tuple[str, Program]] = [
            (end, self.python(f"mapping-{end}", end, "lab.mapping", "ask", RELAY, *OBSERVERS[:2])) for end in self.plan.nats
        ]
        limit = time.monotonic() + 30
        seen: dict[str, dict[str, object]] = {}
        for end, program in asking:
            seen[end] = dict(program.await_line("its mapping", lambda line: "observed" in line, limit - time.monotonic()))
        for program in servers:
            program.kill()
        return seen
