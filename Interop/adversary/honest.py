"""A peer that behaves, beside the attack: how fast is it served?"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from adversary.network import preferred, within
from harness.process import Program

#: One transfer of each kind: short enough for many in a window.
_AMOUNT = "512KiB"
#: Seconds that a result may take with an attack and a busy machine: what takes longer isn't served.
_PATIENCE = 20.0


class Honest:
    """`oxbow perf`, one transfer after the other on one connection; or, where that isn't served, pings."""

    def __init__(self, oxbow: Path, address: str, kind: str, folder: Path) -> None:
        self._oxbow, self._address, self._kind, self._folder = oxbow, address, kind, folder
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Honest:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Connects, and stands still until there is something to measure."""
        if self._kind == "listen":
            command = ["perf", self._address, "--upload", _AMOUNT, "--download", _AMOUNT, "--repeat", "10000"]
        else:
            command = ["ping", self._address, "--interval", "0.005"]
        with open(self._folder / "honest.stderr", "ab") as stderr:
            whole = preferred([str(self._oxbow), *command])
            self._process = subprocess.Popen(whole, stdout=subprocess.PIPE, stderr=stderr, stdin=subprocess.DEVNULL)
        assert self._process.stdout is not None
        os.set_blocking(self._process.stdout.fileno(), False)
        self._window(0.05)

    def rate(self, seconds: float) -> float:
        """Results in each second of a window; the process runs in it alone."""
        # It ends well when it has done all its transfers; one whose connection was cut stays ended.
        if self._process is not None and self._process.poll() == 0:
            self.stop()
            self.start()
        return self._window(seconds)

    def _window(self, seconds: float) -> float:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)
        self._results()
        began = time.monotonic()
        count = 0
        while (left := began + seconds - time.monotonic()) > 0:
            time.sleep(min(left, 0.02))
            count += self._results()
        self._process.send_signal(signal.SIGSTOP)
        return count / (time.monotonic() - began)

    @property
    def has_ended(self) -> bool:
        """Whether its process runs no more."""
        return self._process is not None and self._process.poll() is not None

    def is_served(self, patience: float = _PATIENCE) -> bool:
        """Whether there is a result at all within so many seconds."""
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            if self.rate(0.1) > 0:
                return True
        return False

    def windows(self, count: int, seconds: float) -> list[float]:
        """The rates of several windows."""
        return [self.rate(seconds) for _ in range(count)]

    def _results(self) -> int:
        assert self._process is not None and self._process.stdout is not None
        data = self._process.stdout.read() or b""
        return data.count(b"\n")

    def stop(self) -> None:
        """Ends it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            if self._process.stdout is not None:
                self._process.stdout.close()
            self._process = None


def newcomer(interop: Path, address: str, kind: str, folder: Path, security: str = "noise") -> bool:
    """Whether a peer that comes new is served."""
    case = ["ping", "--count", "3"] if kind == "relay" else ["echo", "--bytes", "262144"]
    command: Sequence[str] = [str(interop), "peer", "dial", address, "--security", security, "--case", *case]
    with Program("newcomer", within(list(command)), os.environ, folder) as program:
        line = program.await_line("a result", lambda line: "ok" in line, 15)
        return line["ok"] is True
