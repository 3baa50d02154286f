"""A program under test as a child process: its JSON lines, its end, and the certainty that nothing of it is left."""

from __future__ import annotations

import contextlib
import json
import math
import os
import queue
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

Line = dict[str, object]
_POLL = 0.01


class StampedLine(Line):
    """A line that a program has printed, with the time at which it was read."""

    #: By `time.monotonic()`.
    at: float = math.nan


class ProgramError(Exception):
    """A program did not do what the contract says: no line in time, or an end of the wrong kind."""


class Program:
    """One child, in a process group of its own, so that it and whatever it started can be ended together.

    Use it as a context manager: on leaving, the whole group is killed and the child reaped.
    """

    def __init__(self, name: str, command: Sequence[str], environment: Mapping[str, str], folder: Path) -> None:
        self.name = name
        self.command = list(command)
        self.lines: list[StampedLine] = []
        self._stdout_log = folder / f"{name}.stdout"
        self._stderr_log = folder / f"{name}.stderr"
        self._incoming: queue.Queue[StampedLine | None] = queue.Queue()
        with open(self._stderr_log, "wb") as stderr:
            self._process = subprocess.Popen(
                self.command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                env={**environment, "TMPDIR": str(folder)},
                start_new_session=True,
            )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Program:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    @property
    def pid(self) -> int:
        """The child's process id, which is its group's id too."""
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether the child has not ended yet."""
        return not self._has_ended()

    def _read(self) -> None:
        assert self._process.stdout is not None
        with open(self._stdout_log, "wb") as log:
            for raw in self._process.stdout:
                log.write(raw)
                log.flush()
                now = time.monotonic()
                try:
                    parsed = json.loads(raw)
                except ValueError:
                    continue  # not for us: the log has it
                if isinstance(parsed, dict):
                    line = StampedLine(parsed)
                    line.at = now
                    self._incoming.put(line)
        self._incoming.put(None)

    def _next(self, deadline: float) -> StampedLine | None:
        try:
            line = self._incoming.get(timeout=max(deadline - time.monotonic(), _POLL))
        except queue.Empty:
            raise TimeoutError from None
        if line is None:
            self._incoming.put(None)  # the end stays the end
            return None
        self.lines.append(line)
        return line

    def await_line(self, what: str, matches: Callable[[Line], bool], timeout: float) -> StampedLine:
        """The next line that matches; lines before it are kept in `lines`."""
        deadline = time.monotonic() + timeout
        while True:
            try:
                line = self._next(deadline)
            except TimeoutError:
                raise ProgramError(f"{self.name}: no {what} within {timeout:.0f} s") from None
            if line is None:
                raise ProgramError(f"{self.name}: ended without {what}")
            if matches(line):
                return line

    def drain(self, timeout: float) -> None:
        """Takes all lines up to the end of the output."""
        deadline = time.monotonic() + timeout
        try:
            while self._next(deadline) is not None:
                pass
        except TimeoutError:
            raise ProgramError(f"{self.name}: its output did not end within {timeout:.0f} s") from None

    def _has_ended(self) -> bool:
        """Whether the child has ended. It stays unreaped, so that its ids can't be given to anyone else meanwhile."""
        if self._process.returncode is not None:
            return True
        return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

    def await_exit(self, timeout: float) -> int:
        """The exit status of a child that ends by itself (negative: the signal that ended it)."""
        deadline = time.monotonic() + timeout
        while not self._has_ended():
            if time.monotonic() > deadline:
                raise ProgramError(f"{self.name}: still running after {timeout:.0f} s")
            time.sleep(_POLL)
        self.drain(timeout)
        return self.kill()

    def stop(self, timeout: float) -> int:
        """Asks the child to end, by SIGTERM, and returns its exit status."""
        if not self._has_ended():
            os.kill(self.pid, signal.SIGTERM)
        return self.await_exit(timeout)

    def kill(self) -> int:
        """Ends the child and its group at once, as a crash would, and returns its exit status."""
        if self._process.returncode is None:
            os.killpg(self.pid, signal.SIGKILL)  # unreaped, so the group's id is still its own
            self._process.wait()
            assert self._process.stdin is not None and self._process.stdout is not None
            self._process.stdin.close()
            self._reader.join(timeout=5)
            self._process.stdout.close()
        return self._process.returncode

    def write(self, line: str) -> None:
        """Gives the child a line on its standard input; that it has ended shows elsewhere."""
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            os.write(self._process.stdin.fileno(), line.encode() + b"\n")

    def logs(self, limit: int = 3000) -> str:
        """The ends of what the child has printed, for a report of a failure."""
        parts = [f"$ {' '.join(self.command)}"]
        for path in (self._stdout_log, self._stderr_log):
            text = path.read_text(errors="replace") if path.exists() else ""
            if text.strip():
                parts.append(f"--- {path.name}\n{text[-limit:].rstrip()}")
        return "\n".join(parts)
