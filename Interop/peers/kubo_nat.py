"""Kubo in the lab of NATs: as the relay, as one of the hosts in public, and behind a NAT.

The command line and its lines are those of `nat`, without limits of a circuit. Kubo doesn't tell where a stream is:
`first_relayed` and `second_relayed` say whether there was nothing but relayed connections with the peer when the stream
was opened.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from . import contract, nat, wire
from .kubo import Kubo, KuboSettings
from .tunnel import echo_on, serve_echo

#: How long a host needs after it has met the observers until it offers to punch: it looks every few seconds whether it
#: knows a public address of its own by now.
_SETTLING = 3.0


def main() -> None:
    """Runs in the role that the command line asks for."""
    options = nat.parse("kubo_nat", limits_circuits=False)
    contract.exit_when_orphaned()
    settings = KuboSettings(
        listen=[options.listen],
        is_relay=options.role in ("relay", "observe"),
        relays=_relays(options),
    )
    with Kubo(Path(os.environ["OXBOW_PEERS"]), settings) as node:
        signal.signal(signal.SIGTERM, lambda *_: node.exit(0))
        for known in options.also:
            node.connect(known)
        if options.also:
            time.sleep(_SETTLING)
        node.handle(contract.ECHO, serve_echo)
        if options.role == "upgrade":
            node.exit(contract.run_case("upgrade", lambda: _upgrade(node, options.target, options.wait)))
        addresses = node.await_circuit(nat.RESERVATION_TIMEOUT) if options.relay else node.addresses()
        contract.emit(event="listening", peer_id=node.peer_id, addrs=addresses)
        while True:
            signal.pause()


def _relays(options: nat.Options) -> list[str]:
    """Where it reserves. Who is to punch a hole has to use a relay itself: only then does Kubo offer to."""
    if options.relay:
        return [options.relay]
    return [options.target.split("/p2p-circuit")[0]] if options.wait else []


def _upgrade(node: Kubo, target: str, wait: float) -> tuple[bool, dict[str, object]]:
    node.connect(target)
    peer = wire.split_peer(target)[1]
    first_relayed = _is_relayed(node, peer)
    with node.open_stream(peer, contract.ECHO) as first:
        good = [echo_on(first, nat.ECHOED).is_equal]
        started = time.monotonic()
        while (second_relayed := _is_relayed(node, peer)) and time.monotonic() - started < wait:
            time.sleep(nat.POLL)
        seconds = None if second_relayed else time.monotonic() - started
        with node.open_stream(peer, contract.ECHO) as second:
            good.append(echo_on(second, nat.ECHOED).is_equal)
        is_alive = echo_on(first, nat.ECHOED).is_equal
    return all(good), nat.upgraded(
        seconds, first_relayed=first_relayed, first_alive=is_alive, second_relayed=second_relayed
    )


def _is_relayed(node: Kubo, peer: str) -> bool:
    return all("/p2p-circuit" in one for one in node.connections() if one.rsplit("/", 1)[1] == peer)


if __name__ == "__main__":
    main()
