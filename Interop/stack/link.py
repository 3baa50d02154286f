"""Byte links: a TCP socket, or whatever is layered over one, with a deadline on every wait."""

from __future__ import annotations

import contextlib
import ipaddress
import select
import socket
import struct
import time
from typing import Protocol

RECEIVE = 1 << 16


class Ended(Exception):
    """The peer ended the link: `how` is `eof` (TCP FIN) or `reset` (TCP RST)."""

    def __init__(self, how: str) -> None:
        super().__init__(f"the peer ended the connection ({how})")
        self.how = how


class Silence(Exception):
    """The deadline passed and the awaited bytes had not come."""


class Link(Protocol):
    """A byte stream, in order, to one peer."""

    def send(self, data: bytes) -> None:
        """Sends all of `data`; raises `Ended` when the peer has gone, `Silence` when it doesn't read."""

    def receive(self, timeout: float) -> bytes:
        """Some bytes, at least one; raises `Ended` or, after `timeout` seconds, `Silence`."""

    def fileno(self) -> int:
        """The socket below, for `select`."""

    def has_pending(self) -> bool:
        """Whether `receive` has bytes without reading the socket."""

    def close(self) -> None:
        """Ends the link (TCP FIN)."""

    def abort(self) -> None:
        """Ends the link without a word (TCP RST)."""


class TCPLink:
    """A link that is a bare TCP socket."""

    #: Seconds that a peer may take to read what was sent.
    write_timeout = 10.0

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    @classmethod
    def connect(cls, host: str, port: int, timeout: float = 5.0) -> TCPLink:
        """Dials."""
        return cls(socket.create_connection((host, port), timeout))

    @property
    def local_address(self) -> tuple[str, int]:
        """Our own host and port on this connection."""
        host, port = self._socket.getsockname()[:2]
        return host, port

    @property
    def remote_address(self) -> tuple[str, int]:
        """The peer's host and port."""
        host, port = self._socket.getpeername()[:2]
        return host, port

    def send(self, data: bytes) -> None:
        """See `Link.send`."""
        self._socket.settimeout(self.write_timeout)
        try:
            self._socket.sendall(data)
        except TimeoutError:
            raise Silence(f"the peer read nothing for {self.write_timeout} s") from None
        except OSError:
            raise Ended("reset") from None

    def receive(self, timeout: float) -> bytes:
        """See `Link.receive`."""
        ready, _, _ = select.select([self._socket], [], [], max(0.0, timeout))
        if not ready:
            raise Silence(f"nothing came within {timeout:.2f} s")
        try:
            data = self._socket.recv(RECEIVE)
        except OSError:
            raise Ended("reset") from None
        if not data:
            raise Ended("eof")
        return data

    def fileno(self) -> int:
        """See `Link.fileno`."""
        return self._socket.fileno()

    def has_pending(self) -> bool:
        """A bare socket keeps nothing back."""
        return False

    def close(self) -> None:
        """See `Link.close`."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def finish(self) -> None:
        """Ends our direction only (TCP FIN); the peer's can still be read."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)

    def abort(self) -> None:
        """See `Link.abort`."""
        with contextlib.suppress(OSError):
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._socket.close()


class Buffered:
    """Exact reads from a link."""

    def __init__(self, link: Link, data: bytes = b"") -> None:
        self.link = link
        self._data = bytearray(data)

    def read(self, count: int, timeout: float) -> bytes:
        """Exactly `count` bytes, within `timeout` seconds."""
        deadline = time.monotonic() + timeout
        while len(self._data) < count:
            self._data += self.link.receive(deadline - time.monotonic())
        taken = bytes(self._data[:count])
        del self._data[:count]
        return taken

    def leftover(self) -> bytes:
        """What was received and not read; a next layer begins with it."""
        data, self._data = bytes(self._data), bytearray()
        return data


def endpoint(multiaddr: str) -> tuple[str, int]:
    """Host and port of a multiaddr that begins with `/ip4|ip6|dns…/HOST/tcp/PORT`."""
    parts = multiaddr.split("/")
    if len(parts) < 5 or parts[1] not in ("ip4", "ip6", "dns", "dns4", "dns6") or parts[3] != "tcp":
        raise ValueError(f"{multiaddr} is no TCP address: it must begin with /ip4/HOST/tcp/PORT")
    if parts[1] in ("ip4", "ip6"):
        ipaddress.ip_address(parts[2])
    return parts[2], int(parts[4])
