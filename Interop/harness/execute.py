"""Runs one cell: starts the listener and the dialer, lets them do the case, judges, and cleans up."""

from __future__ import annotations

import os
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from .cells import OURS, Amounts, Cell
from .judge import judge_dial, judge_listener
from .process import Line, Program, ProgramError

_START_TIMEOUT = 30.0
_UNDER_WAY_TIMEOUT = 30.0
_SETTLE_TIMEOUT = 15.0
_STOP_TIMEOUT = 10.0


@dataclass(frozen=True)
class Setting:
    """Where the programs are, and how long a case may take."""

    interop: Path
    peers: Path
    oxbow: Path
    amounts: Amounts
    timeout: float

    def command(self, program: str) -> list[str]:
        """How to start a program in its interop mode."""
        if program == OURS:
            return [str(self.oxbow), "peer"]
        return [str(self.peers / "venv" / "bin" / "python"), "-m", f"peers.{program}_peer"]

    @property
    def environment(self) -> dict[str, str]:
        """The environment of every program: no settings of the caller's Python reach the peers."""
        keep = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        return {**keep, "PYTHONPATH": str(self.interop), "PYTHONDONTWRITEBYTECODE": "1", "OXBOW_PEERS": str(self.peers)}


@dataclass
class Outcome:
    """What became of a cell."""

    cell: Cell
    complaints: list[str] = field(default_factory=list)
    seconds: float = 0.0
    result: Line = field(default_factory=dict)
    logs: str = ""

    @property
    def passed(self) -> bool:
        """Whether there was nothing to complain about."""
        return not self.complaints

    @property
    def status(self) -> str:
        """`pass`, `FAIL`, or `defect` for a failure that is known to be the peer's."""
        if self.passed:
            return "pass"
        return "defect" if self.cell.defect else "FAIL"


def execute(cell: Cell, setting: Setting) -> Outcome:
    """Runs `cell`. Nothing is raised for what a program does wrong, and no process is left behind."""
    outcome = Outcome(cell)
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="oxbow-interop-") as name, ExitStack() as stack:
        run = _Run(cell, setting, Path(name), stack)
        try:
            run.perform(outcome)
        except ProgramError as error:
            outcome.complaints.append(str(error))
        finally:
            run.end()
        outcome.seconds = time.monotonic() - started
        if not outcome.passed:
            outcome.logs = "\n".join(program.logs() for program in run.programs)
    return outcome


class _Run:
    """The programs of one cell while it runs."""

    def __init__(self, cell: Cell, setting: Setting, folder: Path, stack: ExitStack) -> None:
        self.cell = cell
        self.setting = setting
        self.folder = folder
        self.stack = stack
        self.programs: list[Program] = []

    def start(self, role: str, program: str, arguments: list[str]) -> Program:
        """Starts a program; the stack kills it and its group at the end of the run, whatever happens."""
        options = ["--security", self.cell.security, "--key-type", self.cell.key_type]
        command = [*self.setting.command(program), role, *arguments, *options]
        child = Program(f"{role}-{program}", command, self.setting.environment, self.folder)
        self.programs.append(self.stack.enter_context(child))
        return child

    def end(self) -> None:
        """Kills what still runs, so that logs are whole."""
        for program in self.programs:
            program.kill()

    def perform(self, outcome: Outcome) -> None:
        """Listens, dials, and judges."""
        cell = self.cell
        listener = self.start("listen", cell.listener, ["--listen", "/ip4/127.0.0.1/tcp/0"])
        hello = listener.await_line("address", lambda line: "addrs" in line, _START_TIMEOUT)
        address = _loopback(hello)
        if address is None:
            raise ProgramError(f"{listener.name}: no loopback TCP address with a peer id in {hello}")
        dialer = self.start("dial", cell.dialer, [address, *cell.dial_arguments(self.setting.amounts)])
        if cell.case == "vanish":
            self._vanish(listener, dialer, outcome)
        else:
            status = dialer.await_exit(self.setting.timeout)
            outcome.result = dialer.lines[-1] if dialer.lines else {}
            outcome.complaints += judge_dial(cell, outcome.result, status, self.setting.amounts)
        if cell.direction == "they-dial":
            self._settle(listener, outcome)

    def _vanish(self, listener: Program, dialer: Program, outcome: Outcome) -> None:
        """Kills the peer once it has said that the transfer is under way; the survivor must notice and end well."""
        victim, survivor = (listener, dialer) if self.cell.direction == "we-dial" else (dialer, listener)
        victim.await_line("transfer under way", lambda line: line.get("event") == "transfer", _UNDER_WAY_TIMEOUT)
        victim.kill()
        if survivor is dialer:
            status = dialer.await_exit(self.setting.timeout)
            outcome.result = dialer.lines[-1] if dialer.lines else {}
            outcome.complaints += judge_dial(self.cell, outcome.result, status, self.setting.amounts)
        elif self.cell.ours != OURS:
            survivor.await_line("end of the stream", lambda line: line.get("event") == "stream", _SETTLE_TIMEOUT)

    def _settle(self, listener: Program, outcome: Outcome) -> None:
        """Our listener: waits until it reports that nothing is left, then ends it in the orderly way."""
        if self.cell.ours == OURS:
            try:
                listener.await_line(
                    "counts of zero",
                    lambda line: (line.get("event"), line.get("connections"), line.get("streams")) == ("counts", 0, 0),
                    _SETTLE_TIMEOUT,
                )
            except ProgramError as error:
                outcome.complaints.append(str(error))
        status = listener.stop(_STOP_TIMEOUT)
        if status != 0:
            outcome.complaints.append(f"{listener.name}: exit status {status} after SIGTERM")
        if self.cell.ours == OURS:
            outcome.complaints += judge_listener(self.cell, listener.lines, self.setting.amounts)


def _loopback(hello: Line) -> str | None:
    addresses = hello.get("addrs")
    for address in addresses if isinstance(addresses, list) else []:
        if str(address).startswith("/ip4/127.0.0.1/tcp/") and "/p2p/" in str(address):
            return str(address)
    return None
