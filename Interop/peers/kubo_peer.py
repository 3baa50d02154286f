"""Kubo as an interop program (the contract is in `Interop/README.md`).

The library offers neither ping nor identify to call, and puts `/x` before the names of protocols. Its tunnels can't
half-close, so its echo counts bytes.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from . import contract, wire
from .go_peer import echo_on, serve_echo, serve_transfer, transfer_on
from .kubo import Kubo, KuboSettings

_IO_TIMEOUT = 120.0
_SETTLE_TIMEOUT = 10.0


def main() -> None:
    """Runs as the listener or the dialer that the command line asks for."""
    options = contract.parse("kubo_peer")
    contract.exit_when_orphaned()
    settings = KuboSettings(
        listen=[options.listen] if options.command == "listen" else [],
        security=options.security,
        muxers=options.muxers,
        key_type=options.key_type,
    )
    with Kubo(Path(os.environ["OXBOW_PEERS"]), settings) as node:
        # The library's runtime has taken the signal; and it has threads of its own, so only _exit ends all.
        signal.signal(signal.SIGTERM, lambda *_: _end(node, 0))
        if options.command == "listen":
            _listen(node)
        _end(node, contract.run_case(options.case, lambda: _dial(node, options)))


def _end(node: Kubo, status: int) -> None:
    node.close()
    sys.stdout.flush()
    os._exit(status)


def _listen(node: Kubo) -> None:
    node.handle(contract.ECHO, serve_echo)
    node.handle(contract.XFER, serve_transfer)
    contract.emit(peer_id=node.peer_id, addrs=node.addresses())
    while True:
        signal.pause()


def _dial(node: Kubo, options: contract.Options) -> tuple[bool, dict[str, object]]:
    peer = wire.split_peer(options.target)[1]
    cases: dict[str, Callable[[], tuple[bool, dict[str, object]]]] = {
        "handshake": lambda: (True, {"peer": peer, "remote_addr": next(iter(node.connections()))}),
        "echo": lambda: _echo(node, peer, options.bytes),
        "streams": lambda: _streams(node, peer, options.count, options.bytes),
        "transfer": lambda: _transfer(node, peer, options.bytes),
        "vanish": lambda: _vanish(node, peer),
    }
    if options.case not in cases:
        raise NotImplementedError(f"Kubo's library can't do {options.case}")
    node.connect(options.target)
    return cases[options.case]()


def _echo(node: Kubo, peer: str, total: int) -> tuple[bool, dict[str, object]]:
    with node.open_stream(peer, contract.ECHO) as stream:
        echo = echo_on(stream, total)
    return echo.is_equal, {"bytes": echo.received, "sha256_equal": echo.is_equal, "half_close": False}


def _transfer(node: Kubo, peer: str, count: int) -> tuple[bool, dict[str, object]]:
    with node.open_stream(peer, contract.XFER) as stream:
        return transfer_on(stream, count)


def _streams(node: Kubo, peer: str, count: int, total: int) -> tuple[bool, dict[str, object]]:
    """Opens all streams before the first byte flows on any, then uses them all at once."""
    streams = [node.open_stream(peer, contract.ECHO) for _ in range(count)]
    good: list[bool] = []

    def use(stream: socket.socket) -> None:
        with stream, contextlib.suppress(OSError, EOFError):
            good.append(echo_on(stream, total).is_equal)

    threads = [threading.Thread(target=use, args=(stream,), daemon=True) for stream in streams]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(_IO_TIMEOUT)
    return sum(good) == count, {"count": count, "ok_count": sum(good)}


def _vanish(node: Kubo, peer: str) -> tuple[bool, dict[str, object]]:
    """Echoes without end until the peer is gone. Kubo's tunnel shows that as an end, whatever its reason."""
    progress = contract.Progress(contract.ECHO)
    stream = node.open_stream(peer, contract.ECHO)

    def send() -> None:
        with contextlib.suppress(OSError):
            while True:
                stream.sendall(bytes(contract.CHUNK))

    threading.Thread(target=send, daemon=True).start()
    ending = "Kubo closed the tunnel"
    try:
        while data := stream.recv(contract.CHUNK):
            progress.receive(len(data))
    except OSError as error:
        ending = f"{type(error).__name__}: {error}"
    stream.close()
    deadline = time.monotonic() + _SETTLE_TIMEOUT
    while node.connected_peers() and time.monotonic() < deadline:
        time.sleep(0.05)
    left = len(node.connected_peers())
    return left == 0, {"typed_error": ending, "connections_left": left, "streams_left": 0}


if __name__ == "__main__":
    main()
