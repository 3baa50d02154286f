"""py-libp2p in the lab of NATs: as the relay, as one of the hosts in public, and behind a NAT.

The command line and its lines are those of `nat`. `second_relayed` says that there was nothing but relayed connections
with the peer; `--circuit-bytes` counts both directions of a circuit together.
"""

from __future__ import annotations

import os
import signal
import time
import warnings

warnings.filterwarnings("ignore")  # py-libp2p's dependencies warn about themselves, on standard error, at each start

import trio  # noqa: E402
from libp2p import new_host  # noqa: E402
from libp2p.abc import IHost  # noqa: E402
from libp2p.connection_types import ConnectionType  # noqa: E402
from libp2p.crypto.ed25519 import create_new_key_pair  # noqa: E402
from libp2p.custom_types import TProtocol  # noqa: E402
from libp2p.host.autonat import AutoNATService  # noqa: E402
from libp2p.host.basic_host import BasicHost  # noqa: E402
from libp2p.peer.id import ID  # noqa: E402
from libp2p.peer.peerinfo import info_from_p2p_addr  # noqa: E402
from libp2p.relay.circuit_v2.config import RelayConfig, RelayRole  # noqa: E402
from libp2p.relay.circuit_v2.dcutr import DCUtRProtocol  # noqa: E402
from libp2p.relay.circuit_v2.protocol import PROTOCOL_ID, STOP_PROTOCOL_ID, CircuitV2Protocol  # noqa: E402
from libp2p.relay.circuit_v2.resources import RelayLimits  # noqa: E402
from libp2p.relay.circuit_v2.transport import CircuitV2Transport  # noqa: E402
from libp2p.tools.anyio_service import background_trio_service  # noqa: E402
from multiaddr import Multiaddr  # noqa: E402

from . import contract, nat, wire  # noqa: E402
from .py_peer import echo_on, open_stream, reason, serve_echo  # noqa: E402

_UNLIMITED = 1 << 40
_LONGEST = 86_400


def main() -> None:
    """Runs in the role that the command line asks for."""
    options = nat.parse("py_nat")
    contract.exit_when_orphaned()
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    trio.run(_run, options)


async def _run(options: nat.Options) -> None:
    listen = Multiaddr(options.listen)
    host = new_host(key_pair=create_new_key_pair(), listen_addrs=[listen])
    limits = RelayLimits(
        duration=_LONGEST if options.circuit_seconds is None else options.circuit_seconds,
        data=_UNLIMITED if options.circuit_bytes is None else options.circuit_bytes,
        max_circuit_conns=16,
        max_reservations=16,
    )
    async with host.run(listen_addrs=[listen]):
        circuits = CircuitV2Protocol(host, limits=limits, allow_hop=options.role == "relay")
        async with background_trio_service(circuits), trio.open_nursery() as nursery:
            host.set_stream_handler(TProtocol(contract.ECHO), serve_echo)
            addresses = [str(address) for address in host.get_addrs()]
            if options.role == "observe":
                assert isinstance(host, BasicHost)
                AutoNATService(host)
            if options.role in ("receive", "upgrade"):
                host.set_stream_handler(STOP_PROTOCOL_ID, circuits._handle_stop_stream)
                roles = RelayRole.STOP | RelayRole.CLIENT
                transport = CircuitV2Transport(host, circuits, RelayConfig(roles=roles, limits=limits))
                for known in options.also:
                    await host.connect(info_from_p2p_addr(Multiaddr(known)))
                if options.also:
                    await nursery.start(_serve, DCUtRProtocol(host))
                if options.role == "upgrade":
                    os._exit(await _upgrade(host, transport, options.target, options.wait))
                addresses.append(await _reserve(host, transport, options.relay, nursery))
            contract.emit(event="listening", peer_id=str(host.get_id()), addrs=addresses)
            await trio.sleep_forever()


async def _reserve(host: IHost, transport: CircuitV2Transport, relay: str, nursery: trio.Nursery) -> str:
    """The address through the relay, once a reservation stands there."""
    info = info_from_p2p_addr(Multiaddr(relay))
    await host.connect(info)
    stream = await host.new_stream(info.peer_id, [PROTOCOL_ID])
    if not await transport.reserve(stream, info.peer_id, nursery):
        raise ConnectionError(f"no reservation at {relay}")
    await stream.close()
    return f"{relay}/p2p-circuit/p2p/{host.get_id()}"


async def _serve(service: DCUtRProtocol, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
    """Runs a service as long as the host."""
    async with background_trio_service(service):
        task_status.started()
        await trio.sleep_forever()


async def _upgrade(host: IHost, transport: CircuitV2Transport, target: str, wait: float) -> int:
    started = time.monotonic()
    try:
        relay = target.split("/p2p-circuit")[0]
        await host.connect(info_from_p2p_addr(Multiaddr(relay)))
        await transport.dial(Multiaddr(target))
        ok, fields = await _echoes(host, ID.from_string(wire.split_peer(target)[1]), wait)
    except Exception as failure:  # the report must name whatever went wrong
        return contract.report("upgrade", started, False, {}, reason(failure))
    return contract.report("upgrade", started, ok, fields)


async def _echoes(host: IHost, peer: ID, wait: float) -> tuple[bool, dict[str, object]]:
    """An echo on a stream of now, and on another one once a direct connection stands, if there is one in time."""
    first_relayed = _is_relayed(host, peer)
    first = await open_stream(host, peer, contract.ECHO)
    good = [(await echo_on(first, nat.ECHOED, half_close=False, closes=False)).is_equal]
    seconds = None
    started = time.monotonic()
    while _is_relayed(host, peer) and time.monotonic() - started < wait:
        await trio.sleep(nat.POLL)
    second_relayed = _is_relayed(host, peer)
    if not second_relayed:
        seconds = time.monotonic() - started
    second = await open_stream(host, peer, contract.ECHO)
    good.append((await echo_on(second, nat.ECHOED, half_close=False)).is_equal)
    is_alive = (await echo_on(first, nat.ECHOED, half_close=False)).is_equal
    return all(good), nat.upgraded(
        seconds, first_relayed=first_relayed, first_alive=is_alive, second_relayed=second_relayed
    )


def _is_relayed(host: IHost, peer: ID) -> bool:
    known = host.get_network().connections.get(peer, [])
    return all(one.get_connection_type() != ConnectionType.DIRECT for one in known)


if __name__ == "__main__":
    main()
