"""Runs hole-punch tests: two hosts of ours behind NATs of their own, and a relay and Redis in public, as in the lab."""

from __future__ import annotations

import secrets
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from harness.process import Program, ProgramError
from lab import nat, network
from lab.nat import PRIVATE, RELAY, NatNetwork
from lab.network import LabError, build_emulator
from lab.options import NatPlan, Wire
from testplans import judge
from testplans.cells import HOLE_PUNCH, OURS, Cell
from testplans.convention import TEST_PLANS
from testplans.execute import Outcome, Run, Setting
from testplans.redis import server_command

_PLAN = NatPlan(nats={"a": "cone", "b": "cone"}, relay=Wire("", delay=60), home=Wire("", delay=15))
_TIMEOUT = 60.0
_REDIS_PORT = 6379
#: What a direct round trip takes at least, and one through the relay, in milliseconds.
_DIRECT, _RELAYED = 60.0, 300.0


def obstacles() -> list[str]:
    """Why there can be no NATs here; empty when there can."""
    return network.obstacles() or nat.obstacles()


def execute(cell: Cell, setting: Setting) -> Outcome:
    """Runs `cell`. The networks and everything in them are gone when it returns."""
    outcome = Outcome(cell)
    started = time.monotonic()
    network.remove_abandoned()
    with tempfile.TemporaryDirectory(prefix="oxbow-test-plans-") as name, ExitStack() as stack:
        folder = Path(name)
        run = Run(cell, setting, folder, stack)
        try:
            with NatNetwork(_PLAN, build_emulator(folder), folder, seed=1) as homes:
                try:
                    _perform(run, homes, outcome)
                finally:
                    for program in run.programs:
                        program.kill()
        except (ProgramError, LabError) as error:
            outcome.complaints.append(str(error))
        outcome.seconds = time.monotonic() - started
        if not outcome.passed:
            outcome.logs = "\n".join(program.logs() for program in run.programs)
    return outcome


def _perform(run: Run, homes: NatNetwork, outcome: Outcome) -> None:
    cell = run.cell
    command = run.setting.command(OURS, HOLE_PUNCH)
    key = secrets.token_hex(4)

    def start(name: str, end: str, variables: dict[str, str]) -> Program:
        return run.adopt(homes.program(name, end, command, {**run.setting.environment, **variables}))

    # Redis starts last: its clients have to wait for it, as for a container that is slow.
    relay = start("relay", "r", _variables(cell, key, "relay", RELAY))
    listener = start("listener", "b", _variables(cell, key, "listener", PRIVATE["b"]))
    dialer = start("dialer", "a", _variables(cell, key, "dialer", PRIVATE["a"]))
    run.adopt(homes.program("redis", "r", server_command(RELAY, _REDIS_PORT, str(run.folder))))
    status = dialer.await_exit(_TIMEOUT)
    outcome.result = run.output(dialer)
    if status != 0:
        outcome.complaints.append(f"the dialer ended with status {status}")
    outcome.complaints += [
        f"the {program.name} has ended before it was told to" for program in (relay, listener) if not program.is_running
    ]
    form = judge.hole_punch_line if cell.convention == TEST_PLANS else judge.hole_punch_yaml
    outcome.complaints += form(outcome.result)
    if not outcome.complaints:
        outcome.complaints += judge.round_trip(outcome.result, _DIRECT, _RELAYED)


def _variables(cell: Cell, key: str, role: str, address: str) -> dict[str, str]:
    """The variables of one part of the test."""
    redis = f"{RELAY}:{_REDIS_PORT}"
    if cell.convention == TEST_PLANS:
        mode = {"relay": "relay", "listener": "listen", "dialer": "dial"}[role]
        # The address of Redis is `redis:6379` in the convention; there are no names in these networks.
        return {"MODE": mode, "TRANSPORT": "tcp", "redis_addr": redis, "ip": address, "test_timeout_seconds": "60"}
    own = {
        "relay": {"IS_RELAY": "true", "RELAY_IP": address},
        "listener": {"IS_DIALER": "false", "LISTENER_IP": address},
        "dialer": {"IS_DIALER": "true", "PEER_IP": address},
    }[role]
    common = {"TRANSPORT": "tcp", "SECURE_CHANNEL": cell.variant, "MUXER": "yamux", "TEST_TIMEOUT_SECS": "60"}
    return {**common, **own, "REDIS_ADDR": redis, "TEST_KEY": key}
