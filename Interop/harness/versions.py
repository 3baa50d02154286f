"""What took part in a run, read from what ran."""

from __future__ import annotations

import datetime
import hashlib
import platform
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

from peers import kubo

from .execute import Setting

_PRINT_VERSION = "from importlib.metadata import version; print(version('libp2p'))"
_UNKNOWN = "of unknown version"
#: Packed programs, in which no text can be found: their digests, and what was seen in their memory while they ran.
_PACKED = {"42f8f48e62583b97cdba3c31439c08029fb2b9fc506b5bdd82c46b7cc1d279d8": "0.32.1, known by its digest"}


def versions(setting: Setting, seconds: float, uses_ours: bool) -> dict[str, str]:
    """The version of each program, of what it runs on, and when that was."""
    root = setting.interop.parent
    found = {"date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d")}
    if uses_ours:
        described = _output(["git", "-C", str(root), "describe", "--always", "--dirty"])
        found["oxbow"] = f"{_output([str(setting.oxbow), '--version'])}, {described}"
    python = setting.peers / "venv" / "bin" / "python"
    found |= {
        "go": f"go-libp2p {module_version(setting.peers / 'bin' / 'p2pd', 'go-libp2p')}",
        "py": f"py-libp2p {_output([str(python), '-c', _PRINT_VERSION])}",
    }
    library = kubo.library(setting.peers)
    if library.exists():
        libp2p = module_version(library, "go-libp2p")
        found["kubo"] = f"Kubo {module_version(library, 'kubo', 'ipfs')}, go-libp2p {libp2p}"
    found["OpenSSL"] = _output(["openssl", "version"]).removeprefix("OpenSSL ").partition(" (")[0]
    found["system"] = f"{platform.system()} {platform.release()}, {platform.machine()}"
    found["duration"] = f"{int(seconds // 60)} min {int(seconds % 60)} s"
    return found


def module_version(file: Path, module: str, owner: str = "libp2p") -> str:
    """The version of a module that a Go program was built with, from the list that Go puts into it."""
    pattern = rf"github\.com/{owner}/{module}\tv?([0-9][0-9A-Za-z.-]*)"
    content = file.read_bytes()
    match = re.search(pattern.encode(), content)
    return match.group(1).decode() if match else _PACKED.get(hashlib.sha256(content).hexdigest(), _UNKNOWN)


def _output(command: Sequence[str]) -> str:
    try:
        shown = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return _UNKNOWN
    return shown.stdout.strip() or _UNKNOWN
