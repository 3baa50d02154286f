"""What every interop program shares: its command line, the lines it prints, the sizes of a case.

`Interop/README.md` describes the contract; the drivers here and `oxbow-interop peer` all keep to it, so the runner
treats each of them alike.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

ECHO = "/echo/1.0.0"
XFER = "/xfer/1.0.0"
PING = "/ipfs/ping/1.0.0"
IDENTIFY = "/ipfs/id/1.0.0"

CASES = ("identify", "ping", "echo", "streams", "vanish")
SECURITY = ("noise", "tls")
KEY_TYPES = ("ed25519", "rsa", "ecdsa", "secp256k1")

CHUNK = 1 << 16
#: From this many bytes of a stream on, a transfer counts as under way: the peer may vanish now.
UNDER_WAY = 1 << 20
PING_LENGTH = 32

_PRINTING = threading.Lock()


@dataclass(frozen=True)
class Options:
    """A parsed command line."""

    command: str
    target: str
    listen: str
    security: str
    key_type: str
    case: str
    bytes: int
    count: int
    half_close: bool


def parse(program: str, arguments: Sequence[str] | None = None) -> Options:
    """Reads the contract's command line; a mistake ends the program with usage and status 2."""
    parser = argparse.ArgumentParser(prog=program)
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--security", choices=SECURITY, default="noise")
    common.add_argument("--key-type", choices=KEY_TYPES, default="ed25519")
    common.add_argument("--listen", default="/ip4/127.0.0.1/tcp/0")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("listen", parents=[common])
    dial = commands.add_parser("dial", parents=[common])
    dial.add_argument("target", metavar="MULTIADDR/p2p/ID")
    dial.add_argument("--case", choices=CASES, required=True)
    dial.add_argument("--bytes", type=int, default=1 << 20)
    dial.add_argument("--count", type=int, default=1)
    dial.add_argument("--no-half-close", dest="half_close", action="store_false")
    known = vars(parser.parse_args(arguments))
    defaults = {"target": "", "case": "", "bytes": 0, "count": 0, "half_close": True}
    return Options(**{**defaults, **known})


def emit(**fields: object) -> None:
    """Prints one JSON line, whole, at once."""
    with _PRINTING:
        sys.stdout.write(json.dumps(fields) + "\n")
        sys.stdout.flush()


class Progress:
    """Counts a stream's bytes and says once, by an event, that the transfer is under way."""

    def __init__(self, protocol: str) -> None:
        self.protocol = protocol
        self.received = 0
        self.sent = 0

    def receive(self, count: int) -> None:
        """Counts `count` received bytes."""
        before, self.received = self.received, self.received + count
        if before < UNDER_WAY <= self.received:
            emit(event="transfer", protocol=self.protocol, bytes_in=self.received)

    def end(self, how: str, error: str | None = None) -> None:
        """Reports the end of the stream: `eof`, `reset` or `error`."""
        emit(
            event="stream", protocol=self.protocol, bytes_in=self.received, bytes_out=self.sent, end=how, error=error,
        )  # fmt: skip


class Echo:
    """The two digests of an echo, taken as the bytes flow so that nothing of them is kept.

    What is sent repeats one random block with a counter in front: a lost, doubled or swapped chunk changes the digest.
    """

    def __init__(self, total: int) -> None:
        self.total = total
        self.received = 0
        self._block = random.randbytes(CHUNK)
        self._sent = hashlib.sha256()
        self._echoed = hashlib.sha256()

    def chunks(self) -> Iterator[bytes]:
        """The chunks to send, in order, each digested as it is taken."""
        for index, start in enumerate(range(0, self.total, CHUNK)):
            chunk = (index.to_bytes(8, "big") + self._block[8:])[: self.total - start]
            self._sent.update(chunk)
            yield chunk

    def receive(self, data: bytes) -> None:
        """Takes what came back."""
        self.received += len(data)
        self._echoed.update(data)

    @property
    def is_equal(self) -> bool:
        """Whether exactly what was sent came back. Meaningful once everything was sent."""
        return self.received == self.total and self._sent.digest() == self._echoed.digest()


def report(case: str, started: float, ok: bool, fields: dict[str, object], error: str | None = None) -> int:
    """Prints the last line of a dial and returns the exit status."""
    seconds = round(time.monotonic() - started, 3)
    emit(**{"case": case, "ok": ok, "error": error, "seconds": seconds, **fields})
    return 0 if ok else 1


def run_case(case: str, action: Callable[[], tuple[bool, dict[str, object]]]) -> int:
    """Runs a dial's case and reports it; any failure of the case becomes its `error`."""
    started = time.monotonic()
    try:
        ok, fields = action()
    except Exception as failure:  # the report must name whatever went wrong
        return report(case, started, False, {}, f"{type(failure).__name__}: {failure}")
    return report(case, started, ok, fields, None if ok else "the case's own check failed")


def exit_when_orphaned() -> None:
    """Ends this process, as SIGTERM does, when its standard input ends: when the runner has closed it or is gone."""

    def watch() -> None:
        # Not sys.stdin: its lock, held by a thread that waits, would break the interpreter's shutdown.
        while os.read(0, 1 << 10):
            pass
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, daemon=True).start()
