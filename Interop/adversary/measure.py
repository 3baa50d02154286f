"""What a process costs, from /proc."""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path

_TICK = os.sysconf("SC_CLK_TCK")
_MIB = 1024


def cpu_seconds(pid: int) -> float:
    """Time on a CPU, of the program and of the kernel for it."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICK


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
