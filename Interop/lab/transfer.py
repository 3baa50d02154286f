"""A file that `a` sends to `b` through a relay, and what was seen on the way."""

from __future__ import annotations

import hashlib
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from harness.process import Line, Program, ProgramError, StampedLine
from lab.hosts import OURS, Hosts, Listener, Limits, events
from lab.nat import NatNetwork

_BLOCK = 1 << 20
#: Seconds that a connection through the relay may take.
CONNECT = 30.0


@dataclass(frozen=True)
class Payload:
    """A file whose digest is known."""

    path: Path
    size: int
    sha256: str

    @staticmethod
    def make(path: Path, size: int, seed: int) -> Payload:
        """Writes a file of so many bytes, no two blocks of them the same."""
        path.parent.mkdir(parents=True, exist_ok=True)
        source, digest = random.Random(seed), hashlib.sha256()
        with open(path, "wb") as file:
            for start in range(0, size, _BLOCK):
                block = source.randbytes(min(_BLOCK, size - start))
                digest.update(block)
                file.write(block)
        return Payload(path, size, digest.hexdigest())


def sha256_of(path: Path) -> str | None:
    """The digest of a file that was received; None when there is none."""
    if not path.is_file():
        return None
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


Samples = list[tuple[float, float]]


@dataclass
class Seen:
    """What was seen of one transfer. Times are seconds since the sender was started."""

    #: By the lab's own reading of the file that arrived.
    is_equal: bool = False
    size: int = 0
    #: The sender's last line, and its exit status.
    result: Line = field(default_factory=dict)
    status: int | None = None
    ended: float = float("nan")
    #: When connections to the receiver were opened, through the relay and without.
    relayed: float | None = None
    direct: float | None = None
    #: When the stream had moved, by the sender.
    migrated: list[float] = field(default_factory=list)
    punches: list[Line] = field(default_factory=list)
    received: list[Line] = field(default_factory=list)
    failures: list[Line] = field(default_factory=list)
    #: Bytes that circuits have carried by the relay's own count, and all bytes on its link.
    relay: Samples = field(default_factory=list)
    link: Samples = field(default_factory=list)
    relay_killed: float | None = None

    def figures(self) -> dict[str, object]:
        """For a report: without the samples."""
        return {name: value for name, value in vars(self).items() if name not in ("relay", "link")}


class Transfer:
    """One file on its way."""

    def __init__(self, hosts: Hosts, network: NatNetwork, payload: Payload, inbox: Path) -> None:
        self.hosts, self.network, self.payload, self.inbox = hosts, network, payload, inbox
        inbox.mkdir(parents=True, exist_ok=True)
        self.relay: Listener
        self.receiver: Listener
        self.sender: Program
        self.started = 0.0
        self._killed: float | None = None

    def prepare(self, relay: str, limits: Limits = Limits()) -> None:
        """Starts the relay, the observers and the receiver, which then has its reservation."""
        self.relay = self.hosts.relay(relay, limits)
        self.hosts.observers(OURS)
        self.receive(self.relay.address)

    def receive(self, relay: str) -> None:
        """Starts the receiver."""
        where = ["--listen", "/ip4/0.0.0.0/tcp/5001", "--relay", relay, "--ephemeral", *self.hosts.also]
        self.receiver = self.hosts.listen(OURS, "b", ["receive", "--output", str(self.inbox), "--force", *where], "receiver")

    def send(self, *arguments: str, name: str = "sender") -> None:
        """Starts to send."""
        command = ["send", str(self.payload.path), self.receiver.address, *self.hosts.also, *arguments]
        self.started = time.monotonic()
        self.sender = self.hosts.start(OURS, "a", command, name)

    def is_to_receiver(self, line: Line, is_relayed: bool) -> bool:
        """Whether a line of the sender's tells of a connection to the receiver."""
        path = line.get("path")
        is_opened = line.get("event") == "connected" and line.get("peer") == self.receiver.peer_id
        return is_opened and isinstance(path, dict) and path.get("relayed") is is_relayed

    def await_connection(self, is_relayed: bool, limit: float = CONNECT) -> StampedLine | None:
        """Waits for a connection to the receiver; None when the transfer ends before there is one, or at the limit."""
        wanted: Callable[[Line], bool] = lambda line: self.is_to_receiver(line, is_relayed) or _is_result(line)
        known = [line for line in self.sender.lines if wanted(line)]
        try:
            line = known[0] if known else self.sender.await_line("connection", wanted, limit)
        except ProgramError:
            return None
        return None if _is_result(line) else line

    def ends_before(self, moment: float) -> bool:
        """Waits until a moment of the monotonic clock, and tells whether the transfer was over by then."""
        try:
            self.sender.await_line("end", _is_result, moment - time.monotonic())
        except ProgramError:
            return time.monotonic() < moment  # its output ended without a result
        return True

    def kill_relay(self) -> None:
        """Ends the relay at once, as a crash would."""
        self.relay.program.kill()
        self._killed = time.monotonic()

    def seen(self, limit: float = 10.0) -> Seen:
        """Ends what still runs, and tells what was seen."""
        status, ended = None, time.monotonic()
        try:
            status = self.sender.await_exit(limit)
            self._await_receiver(limit)
        except ProgramError:
            pass
        for program in (self.sender, self.receiver.program, self.relay.program):
            program.kill()
            _take_rest(program)
        self.network.links["r"].stop()
        return self._summary(status, ended)

    def _await_receiver(self, limit: float) -> None:
        if not self._endings():
            self.receiver.program.await_line("end", lambda line: line.get("event") in ("received", "failed"), limit)

    def _endings(self) -> list[StampedLine]:
        return [*events(self.receiver.program, "received"), *events(self.receiver.program, "failed")]

    def _summary(self, status: int | None, ended: float) -> Seen:
        lines = self.sender.lines
        results = [line for line in lines if _is_result(line)]
        link = [line for line in self.network.links["r"].program.lines if line.get("event") in ("traffic", "counts")]
        punches = [event for end in (self.sender, self.receiver.program) for event in events(end, "hole-punch-ended")]
        return Seen(
            is_equal=sha256_of(self.inbox / self.payload.path.name) == self.payload.sha256,
            size=self.payload.size,
            result=dict(results[-1]) if results else {},
            status=status,
            ended=(results[-1].at if results else ended) - self.started,
            relayed=self._first(lines, is_relayed=True),
            direct=self._first(lines, is_relayed=False),
            migrated=[line.at - self.started for line in events(self.sender, "migrated")],
            punches=[dict(line) for line in punches],
            received=[dict(line) for line in events(self.receiver.program, "received")],
            failures=[dict(line) for line in events(self.receiver.program, "failed")],
            relay=[(line.at - self.started, _number(line, "bytes")) for line in events(self.relay.program, "relay")],
            link=[(_number(line, "seconds") - self.started, _traffic(line)) for line in link],
            relay_killed=None if self._killed is None else self._killed - self.started,
        )

    def _first(self, lines: list[StampedLine], is_relayed: bool) -> float | None:
        return next((line.at - self.started for line in lines if self.is_to_receiver(line, is_relayed)), None)


def _is_result(line: Line) -> bool:
    return "event" not in line and "ok" in line


def _take_rest(program: Program) -> None:
    try:
        program.drain(5)
    except ProgramError:
        pass


def _number(line: Line, name: str) -> float:
    value = line.get(name)
    return float(value) if isinstance(value, (int, float)) else float("nan")


def _traffic(line: Line) -> float:
    ways = (line.get("a_to_b"), line.get("b_to_a"))
    return sum(_number(way, "bytes") for way in ways if isinstance(way, dict))
