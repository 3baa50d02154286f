"""py-libp2p in the lab of NATs: as the relay.

    py_nat.py relay --listen MULTIADDR [--circuit-bytes N] [--circuit-seconds N]

Prints `{"event": "listening", "peer_id": ..., "addrs": [...]}` and runs until SIGTERM. The bytes are those of both directions of a
circuit together.
"""

from __future__ import annotations

import argparse
import os
import signal
import warnings

warnings.filterwarnings("ignore")  # py-libp2p's dependencies warn about themselves, on standard error, at each start

import trio  # noqa: E402
from libp2p import new_host  # noqa: E402
from libp2p.crypto.ed25519 import create_new_key_pair  # noqa: E402
from libp2p.relay.circuit_v2.protocol import CircuitV2Protocol  # noqa: E402
from libp2p.relay.circuit_v2.resources import RelayLimits  # noqa: E402
from libp2p.tools.anyio_service import background_trio_service  # noqa: E402
from multiaddr import Multiaddr  # noqa: E402

from . import contract  # noqa: E402

_UNLIMITED = 1 << 40
_LONGEST = 86_400


def main() -> None:
    """Runs as the relay."""
    parser = argparse.ArgumentParser(prog="py_nat")
    parser.add_argument("role", choices=["relay"])
    parser.add_argument("--listen", required=True)
    parser.add_argument("--circuit-bytes", type=int, default=_UNLIMITED)
    parser.add_argument("--circuit-seconds", type=int, default=_LONGEST)
    options = parser.parse_args()
    contract.exit_when_orphaned()
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    limits = RelayLimits(
        duration=options.circuit_seconds, data=options.circuit_bytes, max_circuit_conns=16, max_reservations=16
    )
    trio.run(_relay, Multiaddr(options.listen), limits)


async def _relay(listen: Multiaddr, limits: RelayLimits) -> None:
    host = new_host(key_pair=create_new_key_pair(), listen_addrs=[listen])
    async with host.run(listen_addrs=[listen]):
        async with background_trio_service(CircuitV2Protocol(host, limits=limits, allow_hop=True)):
            contract.emit(
                event="listening", peer_id=str(host.get_id()), addrs=[str(address) for address in host.get_addrs()]
            )
            await trio.sleep_forever()


if __name__ == "__main__":
    main()
