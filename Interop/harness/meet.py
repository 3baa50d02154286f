"""Runs a cell with a third host, in network namespaces that are made for it and removed with it."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from lab import network
from lab.hosts import Hosts
from lab.lab import Lab
from lab.network import LabError, Namespaces
from lab.options import parse
from lab.scenarios import SCENARIOS

from .abilities import OURS
from .execute import Setting
from .judge import judge_autonat, judge_relayed, judge_verdict
from .meetings import Meeting
from .outcome import Outcome, describe_folder
from .process import Line, Program, ProgramError

#: The two ends and what is between them. The ranges for documentation aren't public to go-libp2p.
ENDS = {"a": "11.2.0.1", "b": "11.3.0.1"}
MIDDLE = "11.0.0.1"
#: More addresses of the middle, each in a network of its own: hosts believe several that differ.
SERVERS = ("11.1.1.1", "11.1.2.1", "11.1.3.1", "11.1.4.1")
_PORT = 4001
_ECHOED = 10_000
_RELAYED_TIMEOUT = 60.0
_KNOWN_TIMEOUT = 60.0


class Triangle(Namespaces):
    """Two hosts, `a` and `b`, and `r` between them, which forwards nothing: only a relay leads across."""

    def build(self) -> None:
        self.add("r", *ENDS)
        for end, address in ENDS.items():
            network.run(
                *("ip", "link", "add", f"to-{end}", "netns", self.name("r"), "type", "veth"),
                *("peer", "name", "eth0", "netns", self.name(end)),
            )
            for one, device, own, far in (("r", f"to-{end}", MIDDLE, address), (end, "eth0", address, MIDDLE)):
                self.ip(one, "addr", "add", own, "peer", f"{far}/32", "dev", device)
                self.ip(one, "link", "set", device, "up")
            for server in SERVERS:
                self.ip(end, "route", "add", f"{server}/32", "via", MIDDLE)
        for server in SERVERS:
            self.ip("r", "addr", "add", f"{server}/32", "dev", "lo")
        network.run("ip", "netns", "exec", self.name("r"), "sh", "-c", "echo 0 >/proc/sys/net/ipv4/ip_forward")


def prepare() -> None:
    """Removes the namespaces of runs that were killed."""
    if not network.obstacles():
        network.remove_abandoned()


def meet(cell: Meeting, setting: Setting) -> Outcome:
    """Runs `cell`. Nothing is raised for what a program does wrong, and nothing is left behind."""
    outcome = Outcome(cell)
    if why := _obstacles(cell, setting):
        outcome.skipped = "; ".join(why)
        return outcome
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="oxbow-interop-") as name:
        folder = Path(name)
        try:
            _CASES[cell.case](cell, setting, folder, outcome)
        except (ProgramError, LabError) as error:
            outcome.complaints.append(str(error))
        outcome.seconds = time.monotonic() - started
        if outcome.complaints:
            outcome.logs = describe_folder(folder)
    return outcome


def _obstacles(cell: Meeting, setting: Setting) -> list[str]:
    found = network.obstacles()
    if not found and cell.case == "punch":
        found = SCENARIOS[cell.middle].obstacles(setting.peers)
    return found


def _relay(cell: Meeting, setting: Setting, folder: Path, outcome: Outcome) -> None:
    with Triangle(Path(), folder, 0) as triangle:
        hosts = Hosts(triangle, setting.oxbow, setting.peers)
        relay = hosts.relay(cell.middle)
        listening = ["--listen", f"/ip4/{ENDS['b']}/tcp/{_PORT}"]
        if cell.listener == OURS:
            arguments = ["listen", *listening, "--listen", f"{relay.address}/p2p-circuit"]
            there = hosts.listening(_ours("listener", "b", arguments, setting, triangle))
        else:
            there = hosts.listen(cell.listener, "b", ["receive", *listening, "--relay", relay.address])
        address = f"{relay.address}/p2p-circuit/p2p/{there.peer_id}"
        listening = ["--listen", f"/ip4/{ENDS['a']}/tcp/{_PORT}"]
        if cell.dialer == OURS:
            case = ["--case", "echo", "--bytes", str(_ECHOED), "--no-half-close"]
            dialer = _ours("dialer", "a", ["dial", address, *case, *listening], setting, triangle)
        else:
            dialer = hosts.start(cell.dialer, "a", ["upgrade", "--wait", "0", address, *listening])
        outcome.result = dialer.await_line("a result", lambda line: "ok" in line, _RELAYED_TIMEOUT)
        outcome.complaints += judge_relayed(outcome.result)
        _end(dialer, there.program, relay.program)


def _ours(name: str, end: str, arguments: list[str], setting: Setting, triangle: Triangle) -> Program:
    """Our interop program in a namespace."""
    return triangle.program(name, end, [*setting.command(OURS), *arguments], setting.environment)


def _autonat(cell: Meeting, setting: Setting, folder: Path, outcome: Outcome) -> None:
    with Triangle(Path(), folder, 0) as triangle:
        if cell.listener == OURS:
            outcome.result = _asked(cell, setting, triangle)
            outcome.complaints += judge_autonat(outcome.result, f"/ip4/{ENDS['a']}/tcp/{_PORT}")
        else:
            outcome.result = _asking(cell, setting, triangle)
            outcome.complaints += judge_verdict(outcome.result)


def _asked(cell: Meeting, setting: Setting, triangle: Triangle) -> Line:
    """Their host asks ours to dial it back."""
    arguments = ["listen", "--public", "--listen", f"/ip4/{MIDDLE}/tcp/{_PORT}"]
    server = Hosts.listening(_ours("server", "r", arguments, setting, triangle))
    listening = ["--listen", f"/ip4/{ENDS['a']}/tcp/{_PORT}"]
    command = [*setting.command(cell.dialer), "dial", server.address, "--case", "autonat", *listening]
    client = triangle.program("client", "a", command, setting.environment)
    result = client.await_line("an answer", lambda line: line.get("case") == "autonat", _KNOWN_TIMEOUT)
    _end(client, server.program)
    return result


def _asking(cell: Meeting, setting: Setting, triangle: Triangle) -> Line:
    """Our host asks several of theirs, as it does by itself, until it knows."""
    hosts = Hosts(triangle, setting.oxbow, setting.peers)
    programs = [
        hosts.start(cell.listener, "r", ["observe", "--listen", f"/ip4/{server}/tcp/{_PORT}"], f"server-{number}")
        for number, server in enumerate(SERVERS)
    ]
    known = [part for program in programs for part in ("--also", hosts.listening(program).address)]
    listening = ["--listen", f"/ip4/{ENDS['a']}/tcp/{_PORT}"]
    client = hosts.start(OURS, "a", ["listen", "--ephemeral", *listening, *known])
    line = client.await_line("verdict", lambda line: line.get("event") == "reachability", _KNOWN_TIMEOUT)
    _end(client, *programs)
    return dict(line)


def _punch(cell: Meeting, setting: Setting, folder: Path, outcome: Outcome) -> None:
    emulator = network.build_emulator(folder)
    said: list[str] = []
    lab = Lab(parse(SCENARIOS, []), folder / cell.middle, emulator, setting.oxbow, setting.peers, said.append)
    done = SCENARIOS[cell.middle].run(lab)
    outcome.result = dict(done.figures)
    outcome.complaints += [f"{check.name}: {check.detail}" for check in done.checks if not check.passed]


def _end(*programs: Program) -> None:
    """Ends programs before the network is taken away from them."""
    for program in programs:
        program.kill()


_CASES = {"relay": _relay, "autonat": _autonat, "punch": _punch}
