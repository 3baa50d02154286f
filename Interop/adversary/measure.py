"""What a process costs, from the kernel."""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import time
from pathlib import Path

_MIB = 1024


def cpu_seconds(pid: int) -> float:
    """Time on a CPU, of the program and of the kernel for it. Its own clock is finer than the ticks in /proc."""
    clock = ctypes.c_int()
    if error := ctypes.CDLL(None).clock_getcpuclockid(pid, ctypes.byref(clock)):
        raise ProcessLookupError(error, os.strerror(error))
    return time.clock_gettime(clock.value)


def resident(pid: int) -> float:
    """Resident memory in MiB."""
    return _status(pid, "VmRSS")


def peak(pid: int) -> float:
    """The most resident memory since `forget_peak`, in MiB."""
    return _status(pid, "VmHWM")


def forget_peak(pid: int) -> None:
    """Has the kernel begin anew with the peak."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def sockets(pid: int) -> int:
    """Open sockets, those that listen among them."""
    count = 0
    for entry in os.scandir(f"/proc/{pid}/fd"):
        with contextlib.suppress(FileNotFoundError):  # it has been closed meanwhile
            count += os.readlink(entry.path).startswith("socket:")
    return count


def _status(pid: int, name: str) -> float:
    match = re.search(rf"^{name}:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    if match is None:
        raise ProcessLookupError(f"{pid} has no {name}: it has ended")
    return int(match.group(1)) / _MIB
