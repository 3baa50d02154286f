"""The go-libp2p daemon as a peer of the transport tests, of either convention."""

from __future__ import annotations

import os
import random
import sys
import time
from pathlib import Path

from peers import contract, wire
from peers.daemon import Daemon
from testplans.convention import TransportTest

_FLAGS = {"noise": ("-tls=0",), "tls": ("-noise=0",)}


def main() -> int:
    """Runs as the listener or the dialer that the environment asks for."""
    test = TransportTest.read()
    binary = Path(os.environ["OXBOW_PEERS"]) / "bin" / "p2pd"
    with Daemon(binary, [] if test.is_dialer else [test.listen], _FLAGS[test.security], logs=True) as daemon:
        if test.is_dialer:
            _dial(test, daemon)
            return 0
        test.publish(daemon.addresses, daemon.peer_id)
        time.sleep(test.timeout)
    return 1


def _dial(test: TransportTest, daemon: Daemon) -> None:
    address, peer = wire.split_peer(test.listener())
    began = time.monotonic()
    daemon.connect(peer, address)
    with daemon.open_stream(peer, contract.PING) as stream:
        payload = random.randbytes(contract.PING_LENGTH)
        sent = time.monotonic()
        stream.sendall(payload)
        echoed = b""
        while len(echoed) < len(payload) and (more := stream.recv(len(payload) - len(echoed))):
            echoed += more
        if echoed != payload:
            raise ValueError("the ping came back changed, or not at all")
        now = time.monotonic()
    print(test.result((now - began) * 1000, (now - sent) * 1000), flush=True)


if __name__ == "__main__":
    sys.exit(main())
