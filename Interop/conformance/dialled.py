"""The other role: the target is told to dial, and we listen."""

from __future__ import annotations

import contextlib
import os
import shlex
import socket
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from harness.process import Program, ProgramError
from stack import multistream
from stack.identity import Identity
from stack.yamux import Flag, data, window_update

from .case import Violation
from .pump import PumpLink
from .session import Session, Stream
from .target import Target

#: Programs take their time to start, above all those in Python.
_START = 30.0


@dataclass
class Dialled:
    """A connection that the target has dialled, with the program that did so."""

    session: Session
    program: Program

    def status(self, timeout: float) -> int:
        """How the program ended; raises `Violation` when it doesn't."""
        try:
            return self.program.await_exit(timeout)
        except ProgramError as error:
            raise Violation(f"the target's program hangs: {error}") from None

    def expect_failure(self, why: str) -> str:
        """The program must end within the deadline, and say by its status that something was wrong."""
        status = self.status(self.session.target.timeout * 2)
        if status == 0:
            raise Violation(f"the target takes {why} for success")
        return f"status {status}"


@contextlib.contextmanager
def listening(command: str, target: Target) -> Iterator[tuple[str, Program, PumpLink, Identity]]:
    """Starts the command with our address in place of `{address}`, and awaits its connection."""
    identity = Identity()
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        tempfile.TemporaryDirectory(prefix="dialled-") as folder,
    ):
        port = listener.getsockname()[1]
        address = f"/ip4/127.0.0.1/tcp/{port}" + ("" if target.plain else f"/p2p/{identity.peer_id}")
        words = [word.replace("{address}", address) for word in shlex.split(command)]
        with Program("target", words, dict(os.environ), Path(folder)) as program:
            listener.settimeout(_START)
            try:
                connection, _ = listener.accept()
            except TimeoutError:
                print(program.logs(), file=sys.stderr)
                raise Violation("the target's program did not dial") from None
            tcp = PumpLink(connection)
            try:
                yield address, program, tcp, identity
            finally:
                tcp.abort()


@contextlib.contextmanager
def dialled(command: str, target: Target) -> Iterator[Dialled]:
    """As `listening`, with Yamux on the connection."""
    with listening(command, target) as (_, program, tcp, identity):
        frames = target.upgrade(tcp, identity, is_dialer=False)
        yield Dialled(Session(target, tcp, frames, is_dialer=False), program)


@dataclass
class Service:
    """Serves the target's streams as a good listener does: the echo, and `na` to everything else."""

    session: Session
    #: What the ACK adds to the window, and whether what comes is credited.
    extra: int = 0
    credits: bool = True
    acknowledges: bool = True
    echoes: bool = True
    #: The target's echo streams, once they were agreed on.
    agreed: list[Stream] = field(default_factory=list)
    _said: dict[int, int] = field(default_factory=dict)
    _start: dict[int, int] = field(default_factory=dict)
    _echoed: dict[int, int] = field(default_factory=dict)
    _ended: set[int] = field(default_factory=set)

    def begin(self) -> None:
        """Serves from now on."""
        self.session.on_open, self.session.on_data = self._open, self._more

    def _open(self, stream: Stream) -> None:
        stream.credits = self.credits
        self._said[stream.id] = 0
        self.session.send(window_update(stream.id, self.extra, Flag.ACK if self.acknowledges else 0))
        self._more(stream)

    def _more(self, stream: Stream) -> None:
        if stream.id not in self._said or stream.was_reset:
            return
        if self.session.target.protocol and stream not in self.agreed:
            self._negotiate(stream)
        elif stream not in self.agreed:
            self._start[stream.id] = 0
            self.agreed.append(stream)
        if stream in self.agreed and self.echoes:
            self._echo(stream)

    def _negotiate(self, stream: Stream) -> None:
        raw, index, count = bytes(stream.received), 0, 0
        while index < len(raw) and index + 1 + raw[index] <= len(raw):
            line = raw[index + 1 : index + raw[index]].decode(errors="replace")
            index += 1 + raw[index]
            count += 1
            if count <= self._said[stream.id]:
                continue
            self._said[stream.id] = count
            known = line in (multistream.HEADER, self.session.target.protocol)
            self.session.send(data(stream.id, multistream.line(line if known else multistream.NOT_AVAILABLE)))
            if line == self.session.target.protocol:
                self._start[stream.id] = index
                self.agreed.append(stream)
                return

    def _echo(self, stream: Stream) -> None:
        start = self._start[stream.id] + self._echoed.get(stream.id, 0)
        rest = bytes(stream.received[start:])
        while rest and stream.credit > 0:
            part = rest[: min(stream.credit, 1 << 14)]
            self.session.send(data(stream.id, part))
            self._echoed[stream.id] = self._echoed.get(stream.id, 0) + len(part)
            rest = rest[len(part) :]
        if stream.finished and not rest and stream.id not in self._ended:
            self._ended.add(stream.id)
            self.session.send(data(stream.id, flags=Flag.FIN))

    def await_echo(self) -> Stream:
        """The target's stream for the echo."""
        self.session.expect(lambda: bool(self.agreed), "a stream for the echo from the target", _START)
        return self.agreed[0]
