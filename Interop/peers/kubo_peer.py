"""Kubo as an interop program (the contract is in `Interop/README.md`).

The library offers neither ping nor identify to call, and puts `/x` before the names of protocols.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

from . import contract, tunnel, wire
from .kubo import Kubo, KuboSettings


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
        # The library's runtime has taken the signal.
        signal.signal(signal.SIGTERM, lambda *_: node.exit(0))
        if options.command == "listen":
            _listen(node)
        node.exit(contract.run_case(options.case, lambda: _dial(node, options)))


def _listen(node: Kubo) -> None:
    node.handle(contract.ECHO, tunnel.serve_echo)
    node.handle(contract.XFER, tunnel.serve_transfer)
    contract.emit(peer_id=node.peer_id, addrs=node.addresses())
    while True:
        signal.pause()


def _dial(node: Kubo, options: contract.Options) -> tuple[bool, dict[str, object]]:
    peer = wire.split_peer(options.target)[1]
    cases: dict[str, Callable[[], tuple[bool, dict[str, object]]]] = {
        "handshake": lambda: (True, {"peer": peer, "remote_addr": next(iter(node.connections()))}),
        "echo": lambda: tunnel.echo(node, peer, options.bytes),
        "streams": lambda: tunnel.streams(node, peer, options.count, options.bytes),
        "transfer": lambda: tunnel.transfer(node, peer, options.bytes),
        "vanish": lambda: tunnel.vanish(node, peer),
    }
    if options.case not in cases:
        raise NotImplementedError(f"Kubo's library can't do {options.case}")
    node.connect(options.target)
    return cases[options.case]()


if __name__ == "__main__":
    main()
