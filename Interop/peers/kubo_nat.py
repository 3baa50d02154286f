"""Kubo in networks with a relay: as the relay, as one of the hosts in public, and behind it.

    kubo_nat.py relay   --listen MULTIADDR
    kubo_nat.py observe --listen MULTIADDR
    kubo_nat.py receive --listen MULTIADDR --relay ADDR [--also ADDR]...       with a reservation there; serves echoes
    kubo_nat.py upgrade --listen MULTIADDR [--also ADDR]... [--wait S] CIRCUIT-ADDR

The lines are those of `go_nat`. Kubo doesn't tell where a stream is: `first_relayed` and `second_relayed` say whether
there was nothing but relayed connections with the peer when the stream was opened.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from pathlib import Path

from . import contract, wire
from .kubo import Kubo, KuboSettings
from .tunnel import echo_on, serve_echo

_RESERVATION_TIMEOUT = 40.0
_ECHOED = 10_000
_POLL = 0.1
#: How long a host needs after it has met the observers until it offers to punch: it looks every few seconds whether it
#: knows a public address of its own by now.
_SETTLING = 3.0


def main() -> None:
    """Runs in the role that the command line asks for."""
    parser = argparse.ArgumentParser(prog="kubo_nat")
    parser.add_argument("role", choices=["relay", "observe", "receive", "upgrade"])
    parser.add_argument("target", nargs="?")
    parser.add_argument("--listen", required=True)
    parser.add_argument("--relay")
    parser.add_argument("--also", action="append", default=[])
    parser.add_argument("--wait", type=float, default=0.0)
    options = parser.parse_intermixed_args()
    contract.exit_when_orphaned()
    settings = KuboSettings(
        listen=[options.listen],
        is_relay=options.role in ("relay", "observe"),
        relays=_relays(options),
    )
    with Kubo(Path(os.environ["OXBOW_PEERS"]), settings) as node:
        signal.signal(signal.SIGTERM, lambda *_: _end(node, 0))
        for known in options.also:
            node.connect(known)
        if options.also:
            time.sleep(_SETTLING)
        node.handle(contract.ECHO, serve_echo)
        if options.role == "upgrade":
            _end(node, contract.run_case("upgrade", lambda: _upgrade(node, options.target, options.wait)))
        addresses = node.await_circuit(_RESERVATION_TIMEOUT) if options.relay else node.addresses()
        contract.emit(event="listening", peer_id=node.peer_id, addrs=addresses)
        while True:
            signal.pause()


def _end(node: Kubo, status: int) -> None:
    node.close()
    sys.stdout.flush()
    os._exit(status)


def _relays(options: argparse.Namespace) -> list[str]:
    """Where it reserves. Who is to punch a hole has to use a relay itself: only then does Kubo offer to."""
    if options.relay:
        return [options.relay]
    return [options.target.split("/p2p-circuit")[0]] if options.wait else []


def _upgrade(node: Kubo, target: str, wait: float) -> tuple[bool, dict[str, object]]:
    node.connect(target)
    peer = wire.split_peer(target)[1]
    first_relayed = _is_relayed(node, peer)
    with node.open_stream(peer, contract.ECHO) as first:
        good = [echo_on(first, _ECHOED).is_equal]
        started = time.monotonic()
        while (second_relayed := _is_relayed(node, peer)) and time.monotonic() - started < wait:
            time.sleep(_POLL)
        seconds = None if second_relayed else round(time.monotonic() - started, 3)
        with node.open_stream(peer, contract.ECHO) as second:
            good.append(echo_on(second, _ECHOED).is_equal)
        is_alive = echo_on(first, _ECHOED).is_equal
    return all(good), {
        "upgraded_after": seconds,
        "first_relayed": first_relayed,
        "first_alive": is_alive,
        "second_relayed": second_relayed,
    }


def _is_relayed(node: Kubo, peer: str) -> bool:
    return all("/p2p-circuit" in one for one in node.connections() if one.rsplit("/", 1)[1] == peer)


if __name__ == "__main__":
    main()
