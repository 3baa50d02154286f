"""A relay that is abused: it has to refuse what is too much, and to go on serving those who behave."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from harness.process import Program, ProgramError
from lab import judge_nat
from lab.hosts import OURS, Hosts, Limits, events
from lab.lab import Lab, Outcome
from lab.nat import OBSERVERS
from lab.network import LabError
from lab.transfer import Payload
from lab.traversal import crossing

_MIB = 1 << 20
#: What a circuit may carry, and for how many seconds; what the one who behaves sends, and what the greedy one wants to send.
CIRCUIT, CIRCUIT_SECONDS, MODEST, GREEDY = 12 * _MIB, 30, 8 * _MIB, 24 * _MIB
#: Hosts of one network that want a reservation each, and circuits whose far end takes nothing.
FLOOD, STALLED = 24, 3
_SETTLING = 20.0


def abuse(lab: Lab) -> Outcome:
    """A file goes through the relay twice: alone, and beside a flood of reservations, stalled circuits and a greedy peer."""
    modest = Payload.make(lab.folder / "modest.bin", MODEST, lab.options.seed)
    greedy = Payload.make(lab.folder / "greedy.bin", GREEDY, lab.options.seed + 1)
    with crossing(lab, modest, "abuse", nat="symmetric", limits=Limits(CIRCUIT, CIRCUIT_SECONDS)) as transfer:
        transfer.send(name="alone")
        alone = _result(transfer.sender, lab.options.timeout)
        _stall(transfer.hosts, lab, transfer.relay.address)
        flood = [_reserve(transfer.hosts, transfer.relay.address, number) for number in range(FLOOD)]
        glutton = transfer.hosts.start(OURS, "a", ["send", str(greedy.path), transfer.receiver.address], "greedy")
        transfer.send(name="beside")
        beside = _result(transfer.sender, lab.options.timeout)
        cut = _result(glutton, lab.options.timeout)
        refused = [str(error) for error in map(_refusal, flood) if error is not None]
        counts = events(transfer.relay.program, "relay")
        try:
            while True:
                counts.append(transfer.relay.program.await_line("counts", lambda line: line.get("event") == "relay", 1))
        except ProgramError:
            pass
    return Outcome(
        judge_nat.abuse(alone, beside, cut, refused, FLOOD, counts[-1] if counts else {}),
        {"alone": alone, "beside": beside, "greedy": cut, "refused": refused, "relay": counts[-1] if counts else {}},
    )


def _result(program: Program, limit: float) -> dict[str, object]:
    line = program.await_line("a result", lambda line: "ok" in line and "event" not in line, limit)
    return dict(line)


def _reserve(hosts: Hosts, relay: str, number: int) -> Program:
    listen = ["listen", "--ephemeral", "--listen", f"/ip4/{OBSERVERS[0]}/tcp/0", "--relay", relay]
    return hosts.start(OURS, "s", listen, f"flood-{number}")


def _refusal(program: Program) -> object:
    """Why a program has no reservation; None when it has one."""
    try:
        line = program.await_line("an end", lambda line: "addrs" in line or line.get("ok") is False, _SETTLING)
    except ProgramError as error:
        raise LabError(f"neither a reservation nor a refusal: {error}") from None
    return line.get("error")


def _stall(hosts: Hosts, lab: Lab, relay: str) -> None:
    """Opens circuits into which one end writes without end, while the other never reads."""
    for number in range(STALLED):
        where = ["--listen", "/ip4/0.0.0.0/tcp/0", "--relay", relay, "--ephemeral", "--json"]
        # What it reads goes into a pipe that nobody empties; its addresses come on standard error.
        listen = _shell(lab, ["pipe", "listen", *where], "2>&3 | sleep 600", before="exec 3>&1;")
        there = hosts.listening(hosts.network.program(f"stalled-{number}", "b", listen))
        hosts.network.program(f"stalling-{number}", "a", _shell(lab, ["pipe", "dial", there.address], "</dev/zero"))


def _shell(lab: Lab, arguments: Sequence[str], redirections: str, before: str = "") -> list[str]:
    return ["sh", "-c", f"{before} {shlex.join([str(lab.oxbow), *arguments])} {redirections}"]
