"""The targets of a run: programs that listen and echo, started for the kits and ended behind them."""

from __future__ import annotations

import contextlib
import shlex
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from harness.execute import Setting
from harness.process import Program, ProgramError

_START = 60.0


@dataclass(frozen=True)
class Implementation:
    """One implementation in one form."""

    name: str
    title: str
    #: The program's command, from the places of a run.
    command: Callable[[Setting], list[str]]
    #: What it is told after its command to listen.
    arguments: tuple[str, ...] = ("listen",)
    plain: bool = False
    #: The protocol of its echo; empty when streams echo without negotiation.
    protocol: str = "/echo/1.0.0"
    dials: bool = True
    #: How many cases a process serves before another one takes over; None: all.
    cases_per_process: int | None = None
    timeout: float = 5.0
    jobs: int = 6
    #: Cases that are left out, by kit and pattern, each with the reason.
    left_out: tuple[tuple[str, str, str], ...] = ()
    #: What a reader of the results has to know.
    remark: str = ""

    def dial_command(self, setting: Setting) -> str | None:
        """The command line that makes it dial `{address}`."""
        if not self.dials:
            return None
        return shlex.join([*self.command(setting), "dial", "{address}", "--case", "echo", "--bytes", str(2 << 20)])


def _python(setting: Setting, module: str) -> list[str]:
    return [str(setting.peers / "venv" / "bin" / "python"), "-m", module]


OURS = Implementation("oxbow", "Oxbow", lambda setting: setting.command("oxbow"), timeout=8.0)
IMPLEMENTATIONS = (
    OURS,
    Implementation(
        "go",
        "go-libp2p",
        lambda setting: setting.command("go"),
        remark="Its streams are served through the daemon's tunnels, which answer a FIN by closing both ways and reset"
        " what they still hold: what fails for that in 3.9, 5.17 and section 6 is the daemon's and not go-yamux's.",
    ),
    Implementation(
        "py",
        "py-libp2p",
        lambda setting: setting.command("py"),
        cases_per_process=40,
        left_out=(("noisespec", "4.[3-9]", "its program takes seconds to start, and these start it 175 times"),),
        remark="A process takes no more connections after 250 that broke off, so every 40 cases get a new one. It dies,"
        " with all its connections, of a protocol name that is no UTF-8 (multistreamspec 3.16).",
    ),
    Implementation(
        "py-plain",
        "py-libp2p's Yamux over plain TCP",
        lambda setting: _python(setting, "conformance.plain_py"),
        arguments=(),
        plain=True,
        protocol="",
        dials=False,
    ),
    Implementation(
        "reference",
        "the kit's own Yamux, in Python, over plain TCP",
        lambda setting: [sys.executable, "-m", "conformance.reference"],
        arguments=(),
        plain=True,
        protocol="",
        dials=False,
        remark="It shows that the kit can be passed; the tests of the kit hold 35 wrong ones against it.",
    ),
)


@contextlib.contextmanager
def started(implementation: Implementation, setting: Setting) -> Iterator[tuple[str, Program]]:
    """Starts a listener, and gives its address and its program."""
    with tempfile.TemporaryDirectory(prefix="conformance-") as folder:
        command = [*implementation.command(setting), *implementation.arguments]
        with Program(implementation.name, command, setting.environment, Path(folder)) as program:
            try:
                hello = program.await_line("address", lambda line: "addrs" in line, _START)
            except ProgramError as error:
                raise ProgramError(f"{error}\n{program.logs()}") from None
            addresses = [str(address) for address in hello["addrs"]]  # type: ignore[attr-defined]
            yield next((a for a in addresses if "127.0.0.1" in a), addresses[0]), program
