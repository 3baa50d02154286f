"""Two network namespaces with emulated links between them, and the certainty that nothing of them stays."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from harness.process import Line, Program, ProgramError
from lab.options import LinkPlan

SOURCE = Path(__file__).resolve().parent / "linkem.c"
#: Names carry the pid of the run that made them, so that runs don't meet and what a killed run left is known.
NAME = re.compile(r"oxlab-(\d+)-[ab]")
#: Seconds after which whatever a run has started ends by itself, should the run be killed.
LONGEST = 7200


class LabError(Exception):
    """The lab itself could not do its part."""


def obstacles() -> list[str]:
    """Why the lab can't run here, each with what to do; empty when it can."""
    found = []
    if os.geteuid() != 0:
        found.append("network namespaces need root: run it with sudo")
    for tool, package in (("ip", "iproute2"), ("timeout", "coreutils")):
        if shutil.which(tool) is None:
            found.append(f"'{tool}' is missing: apt install {package}")
    if compiler() is None:
        found.append("a C compiler is missing: apt install gcc")
    if not os.access("/dev/net/tun", os.R_OK | os.W_OK):
        found.append("/dev/net/tun can't be opened: modprobe tun, or give the container that device and CAP_NET_ADMIN")
    if found:
        return found
    name = f"oxlab-{os.getpid()}-a"
    made = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True, check=False)
    if made.returncode != 0:
        return [f"a network namespace can't be made: {made.stderr.strip()}; a container needs CAP_SYS_ADMIN and CAP_NET_ADMIN"]
    _ip("netns", "del", name)
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


def _ip(*arguments: str) -> None:
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise LabError(f"ip {' '.join(arguments)}: {done.stderr.strip()}")


@dataclass
class Link:
    """An emulated link that is up."""

    plan: LinkPlan
    program: Program

    def cut(self) -> None:
        """Pulls the cable."""
        os.kill(self.program.pid, signal.SIGUSR1)

    def stop(self) -> Line:
        """Ends the link and tells what went over it."""
        self.program.stop(10)
        counts = [line for line in self.program.lines if line.get("event") == "counts"]
        if not counts:
            raise ProgramError(f"{self.program.name}: no counts\n{self.program.logs()}")
        return counts[-1]


class Network:
    """Two namespaces, `a` and `b`, and the links between them. Use it as a context manager."""

    def __init__(self, plans: Sequence[LinkPlan], emulator: Path, folder: Path, seed: int) -> None:
        self.names = tuple(f"oxlab-{os.getpid()}-{end}" for end in "ab")
        self.links: list[Link] = []
        self._plans, self._emulator, self._folder, self._seed = plans, emulator, folder, seed
        self._stack = ExitStack()

    def __enter__(self) -> Network:
        try:
            for name in self.names:
                _ip("netns", "add", name)
                self._stack.callback(self._remove, name)
                _ip("-n", name, "link", "set", "lo", "up")
            for plan in self._plans:
                self.links.append(self._open(plan))
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @staticmethod
    def _remove(name: str) -> None:
        subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)

    def _open(self, plan: LinkPlan) -> Link:
        command = [
            *(str(self._emulator), *self.names, plan.device),
            *("--delay", str(plan.delay), "--jitter", str(plan.jitter), "--loss", str(plan.loss)),
            *("--rate", str(plan.rate), "--seed", str(self._seed * 1000 + plan.number)),
        ]
        program = self._stack.enter_context(Program(plan.device, command, os.environ, self._folder))
        try:
            program.await_line("a link", lambda line: line.get("event") == "up", 10)
        except ProgramError as error:
            raise LabError(f"{error}\n{program.logs()}") from None
        for end, name in enumerate(self.names):
            address = f"{plan.address(end)}/{plan.prefix}"
            # Without duplicate address detection, which would take a second and finds nobody.
            _ip("-n", name, "addr", "add", address, "dev", plan.device, *(["nodad"] if plan.is_ipv6 else []))
            _ip("-n", name, "link", "set", plan.device, "up")
        return Link(plan, program)

    def inside(self, end: int, command: Sequence[str], limit: float = LONGEST) -> list[str]:
        """A command as it has to be started to run at end 0 or 1, for so many seconds at most."""
        return ["timeout", "--kill-after=5", str(int(limit)), "ip", "netns", "exec", self.names[end], *command]

    def program(self, name: str, end: int, command: Sequence[str], environment: Mapping[str, str]) -> Program:
        """Starts a program at one end; it is ended with the network at the latest."""
        return self._stack.enter_context(Program(name, self.inside(end, command), environment, self._folder))
