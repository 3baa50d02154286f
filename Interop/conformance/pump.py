"""A TCP link that never blocks on a peer that doesn't read: what can't be sent yet goes out while receiving."""

from __future__ import annotations

import select
import socket
import time

from stack.link import RECEIVE, Ended, Silence, TCPLink

#: What may wait to be sent before a case counts as wrong itself.
_MOST_UNSENT = 64 << 20


class PumpLink(TCPLink):
    """Sends in the background of `receive`, so that two sides that both write much can't lock each other up."""

    def __init__(self, connection: socket.socket) -> None:
        super().__init__(connection)
        self._socket.setblocking(False)
        self._unsent = bytearray()
        self._received = bytearray()
        self._ending: str | None = None
        #: By `time.monotonic()`: when nothing is waited for any more, whatever a caller would like.
        self.deadline = float("inf")

    @property
    def unsent(self) -> int:
        """How many bytes the peer hasn't taken yet."""
        return len(self._unsent)

    def send(self, data: bytes) -> None:
        """Takes the bytes; they go out now or while waiting for input. Raises `Ended` when the peer has gone."""
        if self._ending:
            raise Ended(self._ending)
        self._unsent += data
        if len(self._unsent) > _MOST_UNSENT:
            raise Silence("the peer reads nothing")
        self._write()

    def receive(self, timeout: float) -> bytes:
        """See `Link.receive`."""
        deadline = min(time.monotonic() + timeout, self.deadline)
        while not self._received:
            if self._ending:
                raise Ended(self._ending)
            self._turn(deadline, reads=True)
        data, self._received = bytes(self._received), bytearray()
        return data

    def flush(self, timeout: float, reads: bool = True) -> None:
        """Waits until everything is sent. What comes in meanwhile is kept, or without `reads` left where it is."""
        deadline = min(time.monotonic() + timeout, self.deadline)
        while self._unsent:
            if self._ending:
                raise Ended(self._ending)
            self._turn(deadline, reads)

    def has_pending(self) -> bool:
        """Whether `receive` has bytes without reading the socket."""
        return bool(self._received)

    def _turn(self, deadline: float, reads: bool) -> None:
        left = deadline - time.monotonic()
        wanted = [self._socket] if reads else []
        readable, writable, _ = select.select(wanted, [self._socket] if self._unsent else [], [], max(0.0, left))
        if not readable and not writable:
            raise Silence("nothing came within the deadline")
        if readable:
            self._read()
        if writable and not self._ending:
            self._write()

    def _read(self) -> None:
        try:
            data = self._socket.recv(RECEIVE)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self._ending = "reset"
            return
        if data:
            self._received += data
        else:
            self._ending = "eof"

    def _write(self) -> None:
        try:
            while self._unsent:
                del self._unsent[: self._socket.send(self._unsent[: 1 << 20])]
        except (BlockingIOError, InterruptedError):
            pass
        except OSError:
            # What the peer said before it left may still be read; its end shows there.
            self._unsent.clear()
            self._drain()
            self._ending = self._ending or "reset"

    def _drain(self) -> None:
        while not self._ending:
            ready, _, _ = select.select([self._socket], [], [], 0)
            if not ready:
                return
            self._read()
