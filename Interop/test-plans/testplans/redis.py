"""The little of Redis that the tests need: its protocol (version 2) over a socket, and a server of one's own."""

from __future__ import annotations

import shutil
import socket
import time
from typing import BinaryIO

from harness.process import Program
from lab.network import LabError

Reply = str | int | list["Reply"] | None

_START_TIMEOUT = 10.0
_POLL = 0.05


class RedisError(Exception):
    """The server refused a command, or said something else than its protocol."""


class Redis:
    """A connection with a server. Use it as a context manager."""

    def __init__(self, address: str, timeout: float) -> None:
        host, _, port = address.rpartition(":")
        self._deadline = time.monotonic() + timeout
        self._socket = self._connect(host.strip("[]") or address, int(port or 6379))
        self._reader: BinaryIO = self._socket.makefile("rb")

    def __enter__(self) -> Redis:
        return self

    def __exit__(self, *_: object) -> None:
        self._reader.close()
        self._socket.close()

    def _connect(self, host: str, port: int) -> socket.socket:
        while True:
            try:
                return socket.create_connection((host, port), timeout=self._left())
            except OSError:
                if time.monotonic() + _POLL > self._deadline:
                    raise
                time.sleep(_POLL)

    def _left(self) -> float:
        return max(self._deadline - time.monotonic(), 0.001)

    def send(self, *words: str) -> Reply:
        """Sends a command and waits for its reply."""
        encoded = [word.encode() for word in words]
        self._socket.settimeout(self._left())
        parts = [b"$%d\r\n%s\r\n" % (len(word), word) for word in encoded]
        self._socket.sendall(b"*%d\r\n" % len(parts) + b"".join(parts))
        return self._read()

    def _read(self) -> Reply:
        line = self._reader.readline().rstrip(b"\r\n")
        if not line:
            raise RedisError("the server has closed the connection")
        kind, text = line[:1], line[1:].decode()
        if kind == b"+":
            return text
        if kind == b":":
            return int(text)
        if kind == b"-":
            raise RedisError(text)
        if kind == b"$":
            return None if int(text) < 0 else self._reader.read(int(text) + 2)[:-2].decode()
        if kind == b"*":
            return None if int(text) < 0 else [self._read() for _ in range(int(text))]
        raise RedisError(f"a reply that begins with {kind!r}")

    def push(self, key: str, value: str) -> None:
        """Appends a value to a list."""
        self.send("RPUSH", key, value)

    def pop(self, key: str) -> str:
        """Takes the first value of a list, which may come later."""
        reply = self.send("BLPOP", key, str(max(1, int(self._left()))))
        if not isinstance(reply, list) or len(reply) != 2:
            raise RedisError(f"nobody pushed to {key}")
        return str(reply[1])

    def set(self, key: str, value: str) -> None:
        """Sets the value of a key."""
        self.send("SET", key, value)

    def wait(self, key: str) -> str:
        """The value of a key, which may come later."""
        while time.monotonic() < self._deadline:
            if (value := self.send("GET", key)) is not None:
                return str(value)
            time.sleep(_POLL)
        raise RedisError(f"nobody set {key}")


def obstacle() -> str | None:
    """Why there can be no server here; None when there can."""
    if shutil.which("redis-server") is None:
        return "redis-server is missing: scripts/bootstrap --with-test-plans installs it"
    return None


def server_command(address: str, port: int, folder: str) -> list[str]:
    """How to start a server that keeps nothing on disk and takes connections at one address only."""
    settings = {
        "--bind": address, "--port": str(port), "--dir": folder, "--save": "", "--appendonly": "no",
        "--daemonize": "no", "--protected-mode": "no", "--databases": "1", "--loglevel": "warning",
    }  # fmt: skip
    return ["redis-server", *(part for pair in settings.items() for part in pair)]


def free_port() -> int:
    """A port of the loopback address that nobody has at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def await_server(program: Program, address: str) -> None:
    """Waits until a server on this machine answers."""
    try:
        with Redis(address, _START_TIMEOUT) as client:
            client.send("PING")
    except (OSError, RedisError) as error:
        raise LabError(f"redis-server at {address} doesn't answer: {error}\n{program.logs()}") from error
