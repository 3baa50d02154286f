"""Runs transport and perf tests: a Redis server, a listener, a dialer, and a judgement of what the dialer printed."""

from __future__ import annotations

import contextlib
import os
import secrets
import tempfile
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from harness.process import Program, ProgramError
from lab.network import LabError
from testplans import judge
from testplans.cells import ENDLESS, OURS, PERF, SERIES, TRANSFER, TRANSPORT, Cell
from testplans.convention import TEST_PLANS
from testplans.redis import await_server, free_port, server_command

_LOOPBACK = "127.0.0.1"
#: Seconds after which whatever a test has started ends by itself, should the runner be killed.
_LONGEST = 300
_DIAL_TIMEOUT = 60.0
#: What the older perf runner asks for: it ends the client when the time is over.
_ENDLESS_BYTES = (1 << 53) - 1
_ENDLESS_REPORTS = 3
#: The most memory that an endless transfer may have taken, in KiB.
_ENDLESS_MEMORY = 256 << 10
_SERIES_COUNTS = {"upload": 5, "download": 5, "latency": 20}


@dataclass(frozen=True)
class Setting:
    """Where the programs are, and how much perf tests transfer."""

    interop: Path
    peers: Path
    oxbow: Path
    transfer_bytes: int = 32 << 20

    def command(self, program: str, test: str) -> list[str]:
        """How to start a program as a peer of a test; without its options."""
        if program == OURS:
            return [str(self.oxbow), test]
        module = f"{program}_perf" if test == PERF else f"{program}_front"
        return [str(self.peers / "venv" / "bin" / "python"), "-m", f"testplans.{module}"]

    @property
    def environment(self) -> dict[str, str]:
        """The environment of every program: no settings of the caller's Python reach the peers."""
        keep = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        path = f"{self.interop}:{self.interop / 'test-plans'}"
        return {**keep, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1", "OXBOW_PEERS": str(self.peers)}


@dataclass
class Outcome:
    """What became of a cell."""

    cell: Cell
    complaints: list[str] = field(default_factory=list)
    seconds: float = 0.0
    #: What the dialer printed.
    result: str = ""
    logs: str = ""

    @property
    def passed(self) -> bool:
        """Whether there was nothing to complain about."""
        return not self.complaints


class Run:
    """The programs of one cell while it runs."""

    def __init__(self, cell: Cell, setting: Setting, folder: Path, stack: ExitStack) -> None:
        self.cell, self.setting, self.folder = cell, setting, folder
        self._stack = stack
        self.programs: list[Program] = []

    def start(self, name: str, command: list[str], variables: Mapping[str, str] | None = None) -> Program:
        """Starts a program; it and its group are killed at the end of the run, and soon after the runner's own end."""
        bounded = ["setpriv", "--pdeathsig", "TERM", "timeout", "--kill-after=2", str(_LONGEST), *command]
        environment = {**self.setting.environment, **(variables or {})}
        return self.adopt(self._stack.enter_context(Program(name, bounded, environment, self.folder)))

    def adopt(self, program: Program) -> Program:
        """Has a program's logs among those of the run."""
        self.programs.append(program)
        return program

    def output(self, program: Program) -> str:
        """What a program printed."""
        path = self.folder / f"{program.name}.stdout"
        return path.read_text(errors="replace") if path.exists() else ""


def execute(cell: Cell, setting: Setting) -> Outcome:
    """Runs `cell`. Nothing is raised for what a program does wrong, and no process is left behind."""
    outcome = Outcome(cell)
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="oxbow-test-plans-") as name, ExitStack() as stack:
        run = Run(cell, setting, Path(name), stack)
        try:
            perform = _transport if cell.test == TRANSPORT else _PERF[cell.variant]
            perform(run, outcome)
        except (ProgramError, LabError) as error:
            outcome.complaints.append(str(error))
        finally:
            for program in run.programs:
                program.kill()
        outcome.seconds = time.monotonic() - started
        if not outcome.passed:
            outcome.logs = "\n".join(program.logs() for program in run.programs)
    return outcome


def variables(convention: str, **values: str) -> dict[str, str]:
    """The variables of one convention, from names that say what is meant."""
    older = {
        "transport": "transport", "muxer": "muxer", "security": "security", "is_dialer": "is_dialer", "ip": "ip",
        "redis": "redis_addr", "timeout": "test_timeout_seconds",
    }  # fmt: skip
    newer = {
        "transport": "TRANSPORT", "muxer": "MUXER", "security": "SECURE_CHANNEL", "is_dialer": "IS_DIALER",
        "ip": "LISTENER_IP", "redis": "REDIS_ADDR", "timeout": "TEST_TIMEOUT_SECS", "key": "TEST_KEY",
    }  # fmt: skip
    names = older if convention == TEST_PLANS else newer
    return {names[name]: value for name, value in values.items() if name in names}


def _redis(run: Run) -> str:
    """Starts a server and waits for it."""
    port = free_port()
    address = f"{_LOOPBACK}:{port}"
    await_server(run.start("redis", server_command(_LOOPBACK, port, str(run.folder))), address)
    return address


def _stack(run: Run, redis: str, security: str, **values: str) -> dict[str, str]:
    """The variables of a side of a test over TCP and Yamux on the loopback interface."""
    common = {
        "transport": "tcp", "muxer": "yamux", "security": security, "redis": redis, "ip": _LOOPBACK,
        "timeout": str(int(_DIAL_TIMEOUT)), "key": secrets.token_hex(4),
    }  # fmt: skip
    return variables(run.cell.convention, **{**common, **values})


def _pair(run: Run, listening: Mapping[str, str], dialling: Mapping[str, str], outcome: Outcome) -> None:
    """Starts both sides of a test, and waits for the dialer's end; the listener must outlive it."""
    cell = run.cell
    listener = run.start("listener", run.setting.command(cell.listener, cell.test), listening)
    dialer = run.start("dialer", run.setting.command(cell.dialer, cell.test), dialling)
    status = dialer.await_exit(_DIAL_TIMEOUT)
    outcome.result = run.output(dialer)
    if status != 0:
        outcome.complaints.append(f"the dialer ended with status {status}")
    if not listener.is_running:
        outcome.complaints.append("the listener has ended before it was told to")


def _transport(run: Run, outcome: Outcome) -> None:
    common = _stack(run, _redis(run), run.cell.variant)
    listening, dialling = ({**common, **variables(run.cell.convention, is_dialer=text)} for text in ("false", "true"))
    _pair(run, listening, dialling, outcome)
    form = judge.transport_line if run.cell.convention == TEST_PLANS else judge.transport_yaml
    outcome.complaints += form(outcome.result)


def _perf_server(run: Run) -> list[str]:
    """Starts a server by its options; gives those with which a client reaches it."""
    address = ["--server-address", f"{_LOOPBACK}:{free_port()}"]
    command = [*run.setting.command(run.cell.listener, PERF), "--run-server", *address]
    server = run.start("listener", command)
    limit = time.monotonic() + _DIAL_TIMEOUT
    # What servers print is theirs to choose, but that they print something when they listen is what they all do.
    while not run.output(server) and time.monotonic() < limit and server.is_running:
        time.sleep(0.02)
    if not run.output(server):
        raise ProgramError(f"{server.name}: it doesn't listen")
    return [*run.setting.command(run.cell.dialer, PERF), *address, "--transport", "tcp"]


def _perf_transfer(run: Run, outcome: Outcome) -> None:
    upload, download = run.setting.transfer_bytes, run.setting.transfer_bytes // 2
    if "py" in run.cell.peers:
        # It carries little in a second.
        upload, download = upload // 8, download // 8
    amounts = ["--upload-bytes", str(upload), "--download-bytes", str(download)]
    client = run.start("dialer", [*_perf_server(run), *amounts])
    status = client.await_exit(_DIAL_TIMEOUT)
    outcome.result = run.output(client)
    if status != 0:
        outcome.complaints.append(f"the client ended with status {status}")
    outcome.complaints += judge.perf_reports(outcome.result, upload, download)


def _perf_endless(run: Run, outcome: Outcome) -> None:
    command = _perf_server(run)
    for name in ("upload", "download"):
        client = run.start(name, [*command, f"--{name}-bytes", str(_ENDLESS_BYTES)])
        for _ in range(_ENDLESS_REPORTS):
            report = client.await_line("a report", lambda line: "type" in line, 20)
            outcome.complaints += judge.endless_report(report, f"{name}Bytes")
        outcome.complaints += _excess(run)
        client.kill()
        outcome.result += run.output(client)


def _excess(run: Run) -> list[str]:
    """Programs that have taken more memory than an endless transfer needs."""
    complaints = []
    for program in run.programs:
        peak = max(map(_peak_memory, _members(program.pid)), default=0)
        if peak > _ENDLESS_MEMORY:
            complaints.append(f"{program.name} has taken {peak >> 10} MiB")
    return complaints


def _members(group: int) -> list[Path]:
    """The processes of a group, by their folders under /proc."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            # Behind the name, which may hold anything: state, parent, group.
            if int(stat.read_text().rpartition(")")[2].split()[2]) == group:
                found.append(stat.parent)
    return found


def _peak_memory(process: Path) -> int:
    """The most memory that a process has had, in KiB."""
    with contextlib.suppress(OSError):
        for line in (process / "status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1])
    return 0


def _perf_series(run: Run, outcome: Outcome) -> None:
    amount = str(run.setting.transfer_bytes)
    counts = {f"{name.upper()}_ITERATIONS": str(count) for name, count in _SERIES_COUNTS.items()}
    common = {**_stack(run, _redis(run), "noise"), "UPLOAD_BYTES": amount, "DOWNLOAD_BYTES": amount, **counts}
    _pair(run, {**common, "IS_DIALER": "false"}, {**common, "IS_DIALER": "true"}, outcome)
    outcome.complaints += judge.perf_series(outcome.result, _SERIES_COUNTS)


_PERF = {TRANSFER: _perf_transfer, ENDLESS: _perf_endless, SERIES: _perf_series}
