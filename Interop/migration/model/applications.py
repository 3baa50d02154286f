"""What the model serves and does: echo, transfer, and the case `migrate` (Interop/README.md)."""

from __future__ import annotations

import random
from collections.abc import Callable

from .logical import Logical

#: An application holds so many bytes at most that it has not passed on.
BUFFER = 1 << 16


class Served:
    """A stream that a handler serves; it reports its end once."""

    def __init__(self, stream: Logical, report: Callable[[str], None]) -> None:
        self.stream = stream
        self._report: Callable[[str], None] | None = report

    def reported(self, how: str) -> None:
        """The handler is done: `eof` or `error`."""
        if self._report:
            self._report(how)
            self._report = None

    def wants(self) -> bool:
        """See `Application.wants`."""
        return self.stream.unsent < BUFFER

    def receive(self, data: bytes) -> None:
        """See `Application.receive`."""

    def end(self) -> None:
        """See `Application.end`."""

    def work(self) -> None:
        """See `Application.work`."""

    def failed(self, why: str) -> None:
        """See `Application.failed`."""
        self.reported("error")


class Echo(Served):
    """Sends back what it reads, and ends when that ends."""

    def receive(self, data: bytes) -> None:
        """See `Application.receive`."""
        self.stream.write(data)

    def end(self) -> None:
        """See `Application.end`."""
        self.stream.close()
        self.reported("eof")


class Transfer(Served):
    """`up` and `down` as numbers, then so many bytes one way, then the other."""

    def __init__(self, stream: Logical, report: Callable[[str], None]) -> None:
        super().__init__(stream, report)
        self._read = b""
        self._up = 0
        self._down: int | None = None

    def wants(self) -> bool:
        """See `Application.wants`."""
        return self._down is None or self._up > 0 or self.is_done

    @property
    def is_done(self) -> bool:
        """Whether everything was sent: what still comes is dropped."""
        return self._down == 0 and not self.stream.unsent

    def receive(self, data: bytes) -> None:
        """See `Application.receive`."""
        if self._down is None:
            self._read += data
            if len(self._read) < 16:
                return
            self._up, self._down = int.from_bytes(self._read[:8], "big"), int.from_bytes(self._read[8:16], "big")
            data = self._read[16:]
        self._up -= len(data)

    def work(self) -> None:
        """See `Application.work`."""
        if self._down is None or self._up > 0:
            return
        count = min(self._down, max(0, BUFFER - self.stream.unsent))
        if count:
            self.stream.write(bytes(count))
            self._down -= count
        if self.is_done:
            self.stream.close()
            self.reported("eof")


class Mover:
    """The dialer's side of the case `migrate`: an echo whose parts are written when the case wants them."""

    def __init__(self, stream: Logical, total: int, close: str) -> None:
        self.stream = stream
        self._data = random.randbytes(total)
        self._close = close
        self._received = bytearray()
        self._has_ended = False
        self.error: str | None = None
        half = total // 2 if close == "after" else total
        stream.write(self._data[:half])
        self._rest = self._data[half:]
        if close == "before":
            stream.close()

    def attempts_done(self) -> None:
        """No further attempt is made."""
        if self._close == "after":
            self.stream.write(self._rest)
            self.stream.close()

    @property
    def is_done(self) -> bool:
        """Whether nothing more can come."""
        return self._has_ended or self.error is not None

    def result(self) -> dict[str, object]:
        """The line of the contract, but for the attempts."""
        is_equal = bytes(self._received) == self._data and self._has_ended and self.error is None
        return {
            "case": "migrate", "ok": is_equal, "error": None if is_equal else "the case's own check failed",
            "bytes": len(self._received), "stream_error": self.error,
        }  # fmt: skip

    def wants(self) -> bool:
        """See `Application.wants`."""
        return True

    def receive(self, data: bytes) -> None:
        """See `Application.receive`."""
        self._received += data
        if self._close == "during" and len(self._received) >= len(self._data):
            self.stream.close()

    def end(self) -> None:
        """See `Application.end`."""
        self._has_ended = True
        if self._close == "during":
            self.stream.close()

    def work(self) -> None:
        """See `Application.work`."""

    def failed(self, why: str) -> None:
        """See `Application.failed`."""
        self.error = why
