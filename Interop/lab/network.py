"""Network namespaces with emulated links between them, and the certainty that nothing of them stays."""

from __future__ import annotations

import itertools
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from harness.process import Program, ProgramError, StampedLine
from lab.options import LinkPlan, Wire

if TYPE_CHECKING:
    from typing import Self

SOURCE = Path(__file__).resolve().parent / "linkem.c"
INTEROP = Path(__file__).resolve().parent.parent
#: Names carry the pid of the run that made them, so that runs don't meet and what a killed run left is known.
NAME = re.compile(r"oxlab-(\d+)-\d+-[a-z]+")
#: Seconds after which whatever a run has started ends by itself, should the run be killed.
LONGEST = 7200

_networks = itertools.count(1)
_Entered = TypeVar("_Entered")


class LabError(Exception):
    """The lab itself could not do its part."""


def obstacles() -> list[str]:
    """Why the lab can't run here, each with what to do; empty when it can."""
    found = []
    if os.geteuid() != 0:
        found.append("network namespaces need root: run it with sudo")
    for tool, package in (("ip", "iproute2"), ("timeout", "coreutils"), ("setpriv", "util-linux")):
        if shutil.which(tool) is None:
            found.append(f"'{tool}' is missing: apt install {package}")
    if compiler() is None:
        found.append("a C compiler is missing: apt install gcc")
    if not os.access("/dev/net/tun", os.R_OK | os.W_OK):
        found.append("/dev/net/tun can't be opened: modprobe tun, or give the container that device and CAP_NET_ADMIN")
    if found:
        return found
    name = f"oxlab-{os.getpid()}-0-a"
    made = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True, check=False)
    if made.returncode != 0:
        return [f"a network namespace can't be made: {made.stderr.strip()}; a container needs CAP_SYS_ADMIN and CAP_NET_ADMIN"]
    run("ip", "netns", "del", name)
    return []


def compiler() -> str | None:
    """The system's C compiler, or the one that comes with Swift."""
    return shutil.which("cc") or shutil.which("clang")


def build_emulator(folder: Path) -> Path:
    """Compiles the link emulator."""
    program = folder / "linkem"
    command = [compiler() or "cc", "-O2", "-Wall", "-Wextra", "-Werror", "-o", str(program), str(SOURCE), "-lm"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise LabError(f"the link emulator can't be compiled:\n{done.stderr}")
    return program


def remove_abandoned() -> None:
    """Removes namespaces of runs that were killed: those whose process is no more."""
    listed = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=False).stdout
    for name in (line.split()[0] for line in listed.splitlines() if line.strip()):
        match = NAME.fullmatch(name)
        if match and not Path(f"/proc/{match.group(1)}").exists():
            subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)


def run(*command: str, given: str = "") -> None:
    """Runs a command that has to succeed, with `given` on its standard input."""
    done = subprocess.run(command, input=given, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise LabError(f"{' '.join(command)}: {done.stderr.strip()}")


@dataclass
class Link:
    """An emulated link that is up."""

    plan: Wire
    program: Program

    def cut(self) -> None:
        """Pulls the cable."""
        os.kill(self.program.pid, signal.SIGUSR1)

    def stop(self) -> StampedLine:
        """Ends the link and tells what went over it."""
        self.program.stop(10)
        counts = [line for line in self.program.lines if line.get("event") == "counts"]
        if not counts:
            raise ProgramError(f"{self.program.name}: no counts\n{self.program.logs()}")
        return counts[-1]


class Namespaces:
    """The namespaces of one network, each with a short name of its own, such as `a`. Use it as a context manager."""

    def __init__(self, emulator: Path, folder: Path, seed: int) -> None:
        self.folder = folder
        self._emulator, self._seed = emulator, seed
        self._prefix = f"oxlab-{os.getpid()}-{next(_networks)}"
        self._links = 0
        self._stack = ExitStack()

    def build(self) -> None:
        """Makes the namespaces and what is between them."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            self.build()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def name(self, end: str) -> str:
        """The name of a namespace, as `ip` knows it."""
        return f"{self._prefix}-{end}"

    def add(self, *ends: str) -> None:
        """Makes namespaces."""
        for end in ends:
            run("ip", "netns", "add", self.name(end))
            self.at_end(self._remove, end)
            self.ip(end, "link", "set", "lo", "up")

    def _remove(self, end: str) -> None:
        subprocess.run(["ip", "netns", "del", self.name(end)], capture_output=True, check=False)

    def at_end(self, action: Callable[[str], None], argument: str) -> None:
        """Has something done when the network is taken away."""
        self._stack.callback(action, argument)

    def enter(self, thing: AbstractContextManager[_Entered]) -> _Entered:
        """Has something last as long as the network."""
        return self._stack.enter_context(thing)

    def ip(self, end: str, *arguments: str) -> None:
        """Runs ip(8) on a namespace."""
        run("ip", "-n", self.name(end), *arguments)

    def connect(self, one: str, other: str, wire: Wire) -> Link:
        """Puts an emulated link between two namespaces; at both ends the device has the wire's name and is up."""
        self._links += 1
        command = [
            *(str(self._emulator), self.name(one), self.name(other), wire.device, *wire.arguments()),
            *("--seed", str(self._seed * 1000 + self._links - 1)),
        ]
        program = self.enter(Program(wire.device, command, os.environ, self.folder))
        try:
            program.await_line("a link", lambda line: line.get("event") == "up", 10)
        except ProgramError as error:
            raise LabError(f"{error}\n{program.logs()}") from None
        for end in (one, other):
            self.ip(end, "link", "set", wire.device, "up")
        return Link(wire, program)

    def inside(self, end: str, command: Sequence[str], limit: float = LONGEST) -> list[str]:
        """A command as it has to be started to run in a namespace: for so many seconds at most, and no longer than this run."""
        within = ["setpriv", "--pdeathsig", "TERM", "timeout", "--kill-after=5", str(int(limit))]
        return [*within, "ip", "netns", "exec", self.name(end), *command]

    def program(self, name: str, end: str, command: Sequence[str], environment: Mapping[str, str] = os.environ) -> Program:
        """Starts a program in a namespace; it is ended with the network at the latest."""
        return self.enter(Program(name, self.inside(end, command), environment, self.folder))

    def python(self, name: str, end: str, module: str, *arguments: str) -> Program:
        """Starts a module of the lab in a namespace."""
        command = ["python3", "-B", "-m", module, *arguments]
        return self.program(name, end, command, {**os.environ, "PYTHONPATH": str(INTEROP)})


class Network(Namespaces):
    """Two namespaces, `a` and `b`, and links between them."""

    def __init__(self, plans: Sequence[LinkPlan], emulator: Path, folder: Path, seed: int) -> None:
        super().__init__(emulator, folder, seed)
        self.links: list[Link] = []
        self._plans = plans

    def build(self) -> None:
        self.add("a", "b")
        for plan in self._plans:
            self.links.append(self.connect("a", "b", plan))
            for number, end in enumerate("ab"):
                address = f"{plan.address(number)}/{plan.prefix}"
                # Without duplicate address detection, which would take a second and finds nobody.
                self.ip(end, "addr", "add", address, "dev", plan.device, *(["nodad"] if plan.is_ipv6 else []))
