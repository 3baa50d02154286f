"""The programs in a network with NATs: how each is started, and the addresses that it tells."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.process import Program, ProgramError, StampedLine
from lab.nat import OBSERVERS, RELAY, NatNetwork

OURS = "oxbow"
#: The first argument of what isn't for `oxbow` but for the program of the interop tests, which prints nothing but JSON.
INTEROP_PEER = "peer"
RELAY_PORT = 4001
#: Seconds within which a program has its addresses, with a reservation at a relay if it wants one.
START = 60.0


def interop_program(oxbow: Path) -> Path:
    """The program of the interop tests: it lies beside `oxbow`."""
    return oxbow.with_name("oxbow-interop")


@dataclass(frozen=True)
class Limits:
    """What a relay allows each circuit; None is as much as it wants."""

    bytes: int | None = None
    seconds: int | None = None


#: As in most relays that are open to everybody.
PUBLIC_LIMITS = Limits(bytes=1 << 17, seconds=120)


@dataclass(frozen=True)
class Listener:
    """A program that has told where it listens."""

    program: Program
    peer_id: str
    addresses: tuple[str, ...]

    @property
    def address(self) -> str:
        """The address through a relay if there is one, else the first."""
        return next((one for one in self.addresses if "/p2p-circuit" in one), self.addresses[0])


class Hosts:
    """Starts programs of ours, go-libp2p's and py-libp2p's in the namespaces of a network."""

    def __init__(self, network: NatNetwork, oxbow: Path, peers: Path) -> None:
        self.network, self._oxbow, self._peers = network, oxbow, peers
        self._also: list[str] = []

    def start(self, kind: str, end: str, arguments: Sequence[str], name: str = "") -> Program:
        """Starts a program of a kind in a namespace."""
        name = name or f"{kind}-{end}"
        if kind == OURS:
            if arguments[0] == INTEROP_PEER:
                return self.network.program(name, end, [str(interop_program(self._oxbow)), *arguments])
            return self.network.program(name, end, [str(self._oxbow), *arguments, "--json"])
        keep = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
        own = {"PYTHONPATH": str(Path(__file__).resolve().parent.parent), "PYTHONDONTWRITEBYTECODE": "1"}
        logs = {"OXBOW_PEERS": str(self._peers), "GOLOG_LOG_LEVEL": "error,p2p-holepunch=debug,relay=debug"}
        command = [str(self._peers / "venv/bin/python"), "-m", f"peers.{kind}_nat", *arguments]
        return self.network.program(name, end, command, {**keep, **own, **logs})

    def listen(self, kind: str, end: str, arguments: Sequence[str], name: str = "") -> Listener:
        """Starts a program that listens, and waits until it tells where."""
        return self.listening(self.start(kind, end, arguments, name))

    @staticmethod
    def listening(program: Program) -> Listener:
        """Waits until a program tells where it listens."""
        line = program.await_line("addresses", lambda line: "addrs" in line, START)
        addresses = line.get("addrs")
        if not isinstance(addresses, list) or not addresses:
            raise ProgramError(f"{program.name}: no addresses in {line}")
        return Listener(program, str(line.get("peer_id")), tuple(str(address) for address in addresses))

    def relay(self, kind: str, limits: Limits = Limits()) -> Listener:
        """Starts the relay."""
        arguments = ["relay", "--listen", f"/ip4/{RELAY}/tcp/{RELAY_PORT}"]
        if kind == OURS:
            arguments += ["--ephemeral", *(["--unlimited"] if limits == Limits() else [])]
        if limits.bytes is not None:
            arguments += ["--circuit-bytes", str(limits.bytes)]
        if limits.seconds is not None:
            arguments += ["--circuit-seconds", str(limits.seconds)]
        return self.listen(kind, "r", arguments, "relay")

    def observers(self, kind: str) -> None:
        """Starts the public hosts by which those behind NATs learn how they look from outside."""
        role = {OURS: ["listen", "--ephemeral"]}.get(kind, ["observe"])
        programs = [
            self.start(kind, "s", [*role, "--listen", f"/ip4/{address}/tcp/{RELAY_PORT}"], f"observer-{number}")
            for number, address in enumerate(OBSERVERS, 1)
        ]
        self._also = [self.listening(program).address for program in programs]

    @property
    def also(self) -> list[str]:
        """The arguments by which a host gets to know the observers."""
        return [part for address in self._also for part in ("--also", address)]


def events(program: Program, name: str) -> list[StampedLine]:
    """The lines of a program that tell of one kind of event, as far as they were read."""
    return [line for line in program.lines if line.get("event") == name]
