"""The go-libp2p daemon as an interop program (the contract is in `Interop/README.md`)."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from . import contract, tunnel, wire
from .daemon import Daemon

_SWITCHED_OFF = {"noise": "-noise=0", "tls": "-tls=0"}


def main() -> int:
    """Runs as the listener or the dialer that the command line asks for."""
    options = contract.parse("go_peer")
    contract.exit_when_orphaned()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with _daemon(options) as daemon:
        if options.command == "listen":
            return _listen(daemon)
        peer = wire.split_peer(options.target)[1]
        cases = {
            "handshake": lambda: _handshake(daemon, peer),
            "identify": lambda: _identify(daemon, peer),
            "ping": lambda: _ping(daemon, peer, options.count),
            "echo": lambda: tunnel.echo(daemon, peer, options.bytes),
            "streams": lambda: tunnel.streams(daemon, peer, options.count, options.bytes),
            "transfer": lambda: tunnel.transfer(daemon, peer, options.bytes),
            "autonat": lambda: _autonat(daemon, peer),
            "vanish": lambda: tunnel.vanish(daemon, peer),
        }

        def connect_and_run() -> tuple[bool, dict[str, object]]:
            transport, _ = wire.split_peer(options.target)
            daemon.connect(peer, transport)
            return cases[options.case]()

        return contract.run_case(options.case, connect_and_run)


@contextlib.contextmanager
def _daemon(options: contract.Options) -> Iterator[Daemon]:
    folder = Path(os.environ["OXBOW_PEERS"])
    with tempfile.TemporaryDirectory(prefix="go-key-") as keys:
        # It has an order of its own for what it offers, and one muxer.
        flags = [flag for kind, flag in _SWITCHED_OFF.items() if kind not in options.security]
        flags.append(f"-muxer={options.muxers[0]}")
        if options.key_type != "ed25519":
            key = Path(keys) / "key"
            subprocess.run([sys.executable, "-m", "peers.make_key", options.key_type, str(key)], check=True)
            flags += ["-id", str(key)]
        # Who asks to be dialled back has to listen.
        listen = [options.listen] if options.command == "listen" or options.case == "autonat" else []
        with Daemon(folder / "bin" / "p2pd", listen, flags) as daemon:
            yield daemon


def _listen(daemon: Daemon) -> int:
    daemon.handle(contract.ECHO, tunnel.serve_echo)
    daemon.handle(contract.XFER, tunnel.serve_transfer)
    suffix = f"/p2p/{daemon.peer_id}"
    addresses = [address if address.endswith(suffix) else address + suffix for address in daemon.addresses]
    contract.emit(peer_id=daemon.peer_id, addrs=addresses)
    signal.pause()
    return 0


def _handshake(daemon: Daemon, peer: str) -> tuple[bool, dict[str, object]]:
    """Whom the daemon says that it is connected with."""
    found = [one for one in daemon.connections() if one.peer == peer]
    return bool(found), {"peer": found[0].peer, "remote_addr": found[0].address} if found else {}


def _identify(daemon: Daemon, peer: str) -> tuple[bool, dict[str, object]]:
    with daemon.open_stream(peer, contract.IDENTIFY) as stream:
        return True, wire.describe_identify(wire.read_delimited(stream.recv))


def _ping(daemon: Daemon, peer: str, count: int) -> tuple[bool, dict[str, object]]:
    times: list[float] = []
    with daemon.open_stream(peer, contract.PING) as stream:
        for _ in range(count):
            payload = random.randbytes(contract.PING_LENGTH)
            started = time.monotonic()
            stream.sendall(payload)
            if tunnel.receive_exactly(stream, len(payload)) != payload:
                return False, {"rtt_ms": times}
            times.append(round((time.monotonic() - started) * 1000, 3))
    return True, {"rtt_ms": times}


def _autonat(daemon: Daemon, peer: str) -> tuple[bool, dict[str, object]]:
    """Asks to be dialled back."""
    with daemon.open_stream(peer, contract.AUTONAT) as stream:
        stream.settimeout(tunnel.IO_TIMEOUT)
        stream.sendall(wire.autonat_question(daemon.peer_id, daemon.addresses))
        answer = wire.describe_autonat(wire.read_delimited(stream.recv))
    return answer["status"] == "OK", answer


if __name__ == "__main__":
    sys.exit(main())
