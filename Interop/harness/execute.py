"""Runs one cell: starts the listener and the dialer, lets them do the case, judges, and cleans up."""

from __future__ import annotations

import os
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from lab.hosts import INTEROP_PEER, interop_program
from peers import wire

from .abilities import OURS
from .cells import TRANSPORTS, Amounts, Cell
from .judge import judge_dial, judge_listener, judge_refusal
from .outcome import Outcome
from .process import Line, Program, ProgramError

_START_TIMEOUT = 30.0
_UNDER_WAY_TIMEOUT = 30.0
_SETTLE_TIMEOUT = 15.0
_STOP_TIMEOUT = 10.0
#: A peer id of an Ed25519 key in its binary form, but for the key.
_ED25519_ID = bytes([0, 36, 8, 1, 18, 32])


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
            return [str(interop_program(self.oxbow)), INTEROP_PEER]
        return [str(self.peers / "venv" / "bin" / "python"), "-m", f"peers.{program}_peer"]

    @property
    def environment(self) -> dict[str, str]:
        """The environment of every program: no settings of the caller's Python reach the peers."""
        keep = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        return {**keep, "PYTHONPATH": str(self.interop), "PYTHONDONTWRITEBYTECODE": "1", "OXBOW_PEERS": str(self.peers)}


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
        command = [*self.setting.command(program), role, *arguments, *self.cell.options(program)]
        name = f"{role}-{program}-{len(self.programs)}"
        child = Program(name, command, self.setting.environment, self.folder)
        self.programs.append(self.stack.enter_context(child))
        return child

    def end(self) -> None:
        """Kills what still runs, so that logs are whole."""
        for program in self.programs:
            program.kill()

    def perform(self, outcome: Outcome) -> None:
        """Listens, dials, and judges."""
        cell = self.cell
        listening, dialling = TRANSPORTS[cell.transport]
        listener = self.start("listen", cell.listener, ["--listen", f"{listening}tcp/0"])
        hello = listener.await_line("address", lambda line: "addrs" in line, _START_TIMEOUT)
        address = _address(hello, f"{listening}tcp/")
        if address is None:
            raise ProgramError(f"{listener.name}: no address with {listening}tcp/ and a peer id in {hello}")
        address = address.replace(listening, dialling, 1)
        listener_id = str(hello.get("peer_id"))
        if cell.case == "wrong-id":
            self._refused(address, listener_id, listener, outcome)
        self._dial(address, listener_id, listener, outcome)
        if cell.direction == "they-dial":
            self._settle(listener, outcome)

    def _dial(self, address: str, listener_id: str, listener: Program, outcome: Outcome) -> None:
        """Lets as many hosts as the case wants dial at once, and judges each."""
        cell, amounts = self.cell, self.setting.amounts
        arguments = [address, *cell.dial_arguments(amounts)]
        dialers = [self.start("dial", cell.dialer, arguments) for _ in range(cell.dialers(amounts))]
        if cell.case == "vanish":
            self._vanish(listener, dialers[0], outcome)
            return
        for dialer in dialers:
            status = dialer.await_exit(self.setting.timeout)
            outcome.result = dialer.lines[-1] if dialer.lines else {}
            outcome.complaints += judge_dial(cell, outcome.result, status, amounts, listener_id)

    def _refused(self, address: str, listener_id: str, listener: Program, outcome: Outcome) -> None:
        """Dials the listener by an id that isn't its own; nothing of that may be left."""
        wrong = wire.encode_base58(_ED25519_ID + os.urandom(32))
        arguments = [f"{wire.split_peer(address)[0]}/p2p/{wrong}", *self.cell.dial_arguments(self.setting.amounts)]
        dialer = self.start("dial", self.cell.dialer, arguments)
        status = dialer.await_exit(self.setting.timeout)
        result = dialer.lines[-1] if dialer.lines else {}
        outcome.complaints += judge_refusal(self.cell, result, status, listener_id)
        outcome.refusal = str(result.get("error"))
        if self.cell.listener == OURS:
            listener.await_line("counts of zero", _is_zero, _SETTLE_TIMEOUT)

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
        """Our listener: waits until it reports that nothing is left, then ends it in the orderly way.

        After a dial that has failed there may be nothing to report.
        """
        if self.cell.ours == OURS and not outcome.complaints:
            try:
                if self.cell.case == "crowd":  # zero before the last has come says nothing
                    for _ in range(self.cell.dialers(self.setting.amounts)):
                        listener.await_line("connected", lambda line: line.get("event") == "connected", _SETTLE_TIMEOUT)
                listener.await_line("counts of zero", _is_zero, _SETTLE_TIMEOUT)
            except ProgramError as error:
                outcome.complaints.append(str(error))
        status = listener.stop(_STOP_TIMEOUT)
        if status != 0:
            outcome.complaints.append(f"{listener.name}: exit status {status} after SIGTERM")
        if self.cell.ours == OURS and not outcome.complaints:
            outcome.complaints += judge_listener(self.cell, listener.lines, self.setting.amounts)


def _is_zero(line: Line) -> bool:
    return (line.get("event"), line.get("connections"), line.get("streams")) == ("counts", 0, 0)


def _address(hello: Line, beginning: str) -> str | None:
    addresses = hello.get("addrs")
    for address in addresses if isinstance(addresses, list) else []:
        if str(address).startswith(beginning) and "/p2p/" in str(address):
            return str(address)
    return None
