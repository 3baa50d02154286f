"""The right Yamux as a program: listens on loopback until its standard input ends."""

import signal

from peers import contract

from .server import Server

if __name__ == "__main__":
    with Server() as server:
        contract.emit(addrs=[server.address])
        contract.exit_when_orphaned()
        signal.pause()
