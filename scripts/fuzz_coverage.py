"""How much of the parsers and machines the unit tests and the fuzzer's corpus reach, line by line (llvm-cov)."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

from toolchain import SWIFT, tool

#: What a peer's bytes and a schedule of events go through.
TARGETS = ["Core", "Wire", "Crypto", "Security", "Mux", "Migration", "Protocols", "Upgrade", "Swarm"]
#: Lines of each file that should be reached, in percent.
WANTED = 90.0


def report_coverage(root: Path) -> bool:
    """Prints a table of the files; false when the tests fail, or a file is below what is wanted."""
    tests = "|".join(f"Oxbow{name}Tests" for name in [*TARGETS, "Explorer", "Fuzzing"])
    scratch = root / ".build-coverage"
    command = [
        SWIFT, "test", "--enable-code-coverage", "--disable-xctest", "--scratch-path", str(scratch), "--filter",
        f"^({tests})\\.",
    ]  # fmt: skip
    print("$", " ".join(command), flush=True)
    if subprocess.run(command, cwd=root, check=False, stdout=subprocess.DEVNULL).returncode:
        print("the tests fail, so that there is no coverage to tell of", flush=True)
        return False
    return print_table(measure(root, scratch))


def measure(root: Path, scratch: Path) -> list[tuple[str, int, int]]:
    """Each file with its lines and how many of them were reached."""
    folder = scratch / "debug" / "codecov"
    program = next((scratch / "debug").glob("*.xctest"))
    # Line by line: the summary counts a closure's lines again, and each message of a precondition as a line of its own.
    output = subprocess.run(
        [tool("llvm-cov"), "export", "-format=lcov", f"-instr-profile={folder / 'default.profdata'}", str(program)],
        check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    pattern = re.compile(rf"^Sources/Oxbow({'|'.join(TARGETS)})/")
    rows: dict[str, tuple[int, int]] = {}
    name = ""
    for line in output.splitlines():
        if line.startswith("SF:"):
            name = os.path.relpath(line.removeprefix("SF:"), root)
        elif line.startswith("DA:") and pattern.match(name):
            count, covered = rows.get(name, (0, 0))
            rows[name] = count + 1, covered + (not line.endswith(",0"))
    return sorted((name.removeprefix("Sources/"), *counts) for name, counts in rows.items())


def print_table(rows: list[tuple[str, int, int]]) -> bool:
    """One line per file, per target and for all, in percent of the lines; whether each file has what is wanted."""
    for name, lines, covered in rows:
        share = 100 * covered / max(lines, 1)
        print(f"{share:6.1f} %  {covered:>5} of {lines:>5}  {name}{'' if share >= WANTED else '  < 90'}")
    for target in TARGETS:
        own = [row for row in rows if row[0].startswith(f"Oxbow{target}/")]
        print(summary(f"Oxbow{target}", own))
    low = [name for name, lines, covered in rows if 100 * covered < WANTED * lines]
    print(summary("all parsers and machines", rows))
    print(f"{len(rows) - len(low)} of {len(rows)} files have {WANTED:.0f} % or more of their lines reached", flush=True)
    return not low


def summary(name: str, rows: list[tuple[str, int, int]]) -> str:
    """The share of several files together."""
    lines, covered = sum(row[1] for row in rows), sum(row[2] for row in rows)
    return f"{100 * covered / max(lines, 1):6.1f} %  {covered:>5} of {lines:>5}  {name}"
