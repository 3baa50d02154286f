"""The tools of the Swift toolchain that `swift` belongs to."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

SWIFT = os.environ.get("SWIFT", "swift")


def tool(name: str) -> str:
    """The one beside `swift`: another one may not read what its compiler wrote. Where `swift` is a selector of toolchains,
    its own folder has none, and the one of the path has to do."""
    beside = Path(shutil.which(SWIFT) or SWIFT).resolve().parent / name
    return str(beside) if beside.exists() else name
