"""A network of its own, in which one process is a whole internet: any 11.x.y.z is an address of this machine.

Addresses of loopback aren't counted by limits, and no address of it is public; those of 11.0.0.0/8 are (no test
network is). The namespace has no name: it goes with the last process in it, however that ends.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

#: Where the target listens, where those who behave come from, where the attack comes from.
TARGET, HONEST, VICTIM = "11.0.0.1", "11.200.0.1", "11.250.0.1"
#: Networks whose every address is local here: a public one and the private ones.
_NETWORKS = ("11.0.0.0/8", "10.0.0.0/8", "192.168.0.0/16")
_INSIDE = "OXBOW_ADVERSARY_NETWORK"


def obstacles() -> list[str]:
    """Why the suite can't run here, each with what to do; empty when it can."""
    tools = (("ip", "iproute2"), ("unshare", "util-linux"), ("setpriv", "util-linux"))
    found = [f"'{tool}' is missing: apt install {package}" for tool, package in tools if shutil.which(tool) is None]
    if not found:
        tried = subprocess.run([*_unshare(), "true"], capture_output=True, text=True, check=False)
        if tried.returncode != 0:
            found.append(f"a network namespace can't be made ({tried.stderr.strip()}): run it as root")
    return found


def _unshare() -> list[str]:
    return ["unshare", *(["--user", "--map-root-user"] if os.geteuid() != 0 else []), "--net", "--"]


def enter() -> None:
    """Starts this program anew inside of a network namespace, unless it is in one already."""
    if os.environ.get(_INSIDE) != str(os.getpid()):
        os.environ[_INSIDE] = str(os.getpid())  # the process stays the same one
        command = [*_unshare(), sys.executable, *sys.argv]
        os.execvp(command[0], command)
    _run("ip", "link", "set", "lo", "up")
    _run("ip", "addr", "add", f"{HONEST}/32", "dev", "lo")
    for network in _NETWORKS:
        _run("ip", "route", "add", "local", network, "dev", "lo", "src", HONEST)


def _run(*command: str) -> None:
    subprocess.run(command, check=True)


def within(command: list[str]) -> list[str]:
    """A command as it has to be started so that it ends with the thread that started it."""
    return ["setpriv", "--pdeathsig", "KILL", *command]


def preferred(command: list[str]) -> list[str]:
    """The target, and who behaves: where it is allowed, ahead of whatever else the machine does."""
    return within(["nice", "-n", "-5", *command] if os.geteuid() == 0 else command)


def source(index: int) -> str:
    """The attacker's addresses: the first 250 each in a network of its own."""
    return f"11.66.{index % 250}.{1 + index // 250 % 250}"


def neighbour(index: int) -> str:
    """Addresses of the attacker's that share a /24."""
    return f"11.67.0.{1 + index % 250}"


def loopback(index: int) -> str:
    """Addresses of loopback, which limits of addresses don't count."""
    return f"127.{1 + index % 200}.{index // 200 % 200}.1"
