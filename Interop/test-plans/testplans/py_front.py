"""py-libp2p as a peer of the transport tests, of either convention. Runs with the Python that has `libp2p`."""

from __future__ import annotations

import os
import random
import time
import traceback
import warnings

warnings.filterwarnings("ignore")  # py-libp2p's dependencies warn about themselves, on standard error, at each start

import trio  # noqa: E402
from libp2p.abc import IHost  # noqa: E402
from libp2p.custom_types import TProtocol  # noqa: E402
from libp2p.peer.id import ID  # noqa: E402
from libp2p.peer.peerinfo import info_from_p2p_addr  # noqa: E402
from multiaddr import Multiaddr  # noqa: E402
from peers import contract, wire  # noqa: E402
from testplans.convention import TransportTest  # noqa: E402
from testplans.py_host import make_host  # noqa: E402


def main() -> None:
    """Runs as the listener or the dialer that the environment asks for."""
    trio.run(_run, TransportTest.read())


async def _run(test: TransportTest) -> None:
    # A dialer listens too, on the loopback address: this version can't do without.
    listen = [Multiaddr("/ip4/127.0.0.1/tcp/0" if test.is_dialer else test.listen)]
    host = make_host([test.security], listen)
    async with host.run(listen_addrs=listen):
        status = 1
        try:
            if test.is_dialer:
                await _dial(test, host)
                status = 0
            else:
                await trio.to_thread.run_sync(test.publish, [str(one) for one in host.get_addrs()], str(host.get_id()))
                await trio.sleep(test.timeout)
        except Exception:  # the runner shows why
            traceback.print_exc()
        finally:
            os._exit(status)  # the host's own shutdown takes long and says nothing


async def _dial(test: TransportTest, host: IHost) -> None:
    target = await trio.to_thread.run_sync(test.listener)
    began = time.monotonic()
    await host.connect(info_from_p2p_addr(Multiaddr(target)))
    stream = await host.new_stream(ID.from_string(wire.split_peer(target)[1]), [TProtocol(contract.PING)])
    payload = random.randbytes(contract.PING_LENGTH)
    sent = time.monotonic()
    await stream.write(payload)
    echoed = b""
    while len(echoed) < len(payload):
        echoed += await stream.read(len(payload) - len(echoed))
    if echoed != payload:
        raise ValueError("the ping came back changed")
    now = time.monotonic()
    print(test.result((now - began) * 1000, (now - sent) * 1000), flush=True)


if __name__ == "__main__":
    main()
