"""The program under attack, with its default limits, and those beside it that a scenario needs."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from adversary import attacker, measure
from adversary.network import TARGET, preferred
from adversary.scenario import Scenario
from harness.process import Line, Program, ProgramError
from stack.identity import Identity

_INTEROP = Path(__file__).resolve().parent.parent
_START = 20.0
_RELAY = "11.0.1.1"
#: How long what an attack has left may take to go: a close in order has 5 s, a handshake and a negotiation 10 s.
SETTLING = 15.0


@dataclass(frozen=True)
class Programs:
    """Where the programs are."""

    oxbow: Path
    #: The one to the contract of `Interop/README.md`: it tells how streams end, and dials for a single case.
    interop: Path
    folder: Path
    #: Whether a target without any limit takes the place of ours: then the bounds have to break.
    weak: bool = False


class Target:
    """A running target. Use it as a context manager."""

    def __init__(self, programs: Programs, scenario: Scenario, name: str) -> None:
        self._programs, self._kind, self._name = programs, scenario.target, name
        self._arguments = [_filled(argument, scenario.name) for argument in scenario.arguments]
        self.helpers: list[Program] = []
        self.address = self.relay = ""
        #: Its sockets before anybody has come.
        self.sockets = 0

    def __enter__(self) -> Target:
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for program in reversed(self.helpers):
            program.kill()

    def _start(self) -> None:
        if self._kind in ("relayed", "chained"):
            self.relay = self._launch("relay", ["relay", "--ephemeral", "--json", "--listen", f"/ip4/{_RELAY}/tcp/0"])
        self.address = self._launch("target", self._command())
        self.process = self.helpers[-1]
        self.sockets = measure.sockets(self.process.pid)

    def _command(self) -> list[str]:
        where = ["--listen", f"/ip4/{TARGET}/tcp/0"]
        if self._kind == "interop":
            return ["peer", "listen", *where, *self._arguments]
        through = ["--relay", self.relay] if self.relay else []
        role = ["relay"] if self._kind in ("relay", "chained") else ["listen", "--echo", "--perf"]
        return [*role, "--ephemeral", "--json", *where, *through, *self._arguments]

    def _launch(self, name: str, command: Sequence[str]) -> str:
        program = self._programs.interop if name == "target" and self._kind == "interop" else self._programs.oxbow
        whole = [str(program), *command]
        if self._programs.weak and name == "target":
            whole = [sys.executable, "-B", "-m", "adversary.weak", f"/ip4/{TARGET}/tcp/0"]
        environment = {**os.environ, "SWIFT_BACKTRACE": "enable=no", "PYTHONPATH": str(_INTEROP)}
        child = Program(f"{self._name}-{name}", preferred(whole), environment, self._programs.folder)
        self.helpers.append(child)
        line = child.await_line("its addresses", lambda line: "addrs" in line, _START)
        addresses = line["addrs"]
        assert isinstance(addresses, list)
        self.addresses = [str(address) for address in addresses]
        return str(addresses[0]) if addresses else ""

    @property
    def pid(self) -> int:
        """The target's process."""
        return self.process.pid

    def is_alive(self) -> bool:
        """Whether it runs: a crash ends it."""
        try:
            return measure.resident(self.pid) > 0
        except (OSError, ProcessLookupError):
            return False

    def obituary(self) -> str:
        """What is known of a target that has ended."""
        return f"the target ended with status {self.process.kill()}: {self.process.logs(300)}"

    def sockets_left(self) -> int:
        """Sockets beyond those at the start, once nothing more goes."""
        deadline = time.monotonic() + (1.0 if self._programs.weak else SETTLING)
        while (left := measure.sockets(self.pid) - self.sockets) > 0 and time.monotonic() < deadline:
            time.sleep(0.02)
        return max(0, left)

    def told(self) -> dict[str, list[Line]]:
        """What the target has told, by the kind of event."""
        try:
            self.process.await_line("more", lambda line: False, 0.05)
        except ProgramError:
            pass
        told: dict[str, list[Line]] = {}
        for line in self.process.lines:
            told.setdefault(str(line.get("event")), []).append(line)
        return told


def _filled(argument: str, scenario: str) -> str:
    """An argument with the attacker's own address in it, where it is to be dialled."""
    home = f"/ip4/{attacker.HOME}/tcp/{attacker.home_port(scenario)}"
    return argument.format(home=home, id=Identity(attacker.HOME_SEED).peer_id, other=Identity(bytes(32)).peer_id)
