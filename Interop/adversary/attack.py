"""The attacker's process: `python3 -m adversary.attack SCENARIO WANTED SECONDS`.

It prints `ready` once it listens where the target is to dial it, takes one line with the target's address from its
standard input, prints `begun` when the attack is under way and, last, what it has seen. Another line, or the end, on
its input says that those who measure have seen enough.
"""

from __future__ import annotations

import json
import resource
import signal
import sys
import threading
import time

from adversary.attacker import Attacker
from adversary.catalogue import SCENARIOS
from peers.contract import emit


def main() -> int:
    """Runs one scenario's attack."""
    name, wanted, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
    scenario = next(one for one in SCENARIOS if one.name == name)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    enough = threading.Event()
    begun = threading.Event()

    def begin() -> None:
        if not begun.is_set():
            begun.set()
            emit(event="begun")

    attacker = Attacker(name, wanted, time.monotonic() + seconds, enough.is_set, begin)
    prepared = scenario.prepare(attacker) if scenario.prepare else None
    emit(event="ready")
    given = json.loads(sys.stdin.readline())
    attacker.target, attacker.pid = given["target"], given["pid"]
    attacker.relay, attacker.oxbow = given["relay"], given["oxbow"]
    # Whatever an attack waits for, it doesn't outlive its time.
    signal.setitimer(signal.ITIMER_REAL, seconds + 20)
    attacker.deadline = time.monotonic() + seconds

    def listen() -> None:
        sys.stdin.readline()
        enough.set()

    threading.Thread(target=listen, daemon=True).start()
    error = None
    try:
        if prepared is None:
            scenario.attack(attacker)
        else:
            scenario.attack(attacker, prepared)
    except Exception as failure:  # it goes into the report, whatever it is
        error = f"{type(failure).__name__}: {failure}"
    begin()
    emit(event="done", facts=attacker.facts, error=error)
    return 0


if __name__ == "__main__":
    sys.exit(main())
