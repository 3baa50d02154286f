"""py-libp2p's Yamux over plain TCP: each stream echoes at once. Runs with the Python that has `libp2p`."""

from __future__ import annotations

import logging
import os
import signal
import warnings

warnings.filterwarnings("ignore")

import trio  # noqa: E402
from libp2p.crypto.ed25519 import create_new_key_pair  # noqa: E402
from libp2p.io.trio import TrioTCPStream  # noqa: E402
from libp2p.peer.id import ID  # noqa: E402
from libp2p.stream_muxer.exceptions import MuxedConnUnavailable, MuxedStreamError  # noqa: E402
from libp2p.stream_muxer.yamux.yamux import Yamux, YamuxStream  # noqa: E402

from peers import contract  # noqa: E402

_log = logging.getLogger(__name__)


async def _echo(stream: YamuxStream) -> None:
    try:
        while data := await stream.read(contract.CHUNK):
            await stream.write(data)
    except EOFError:  # py-libp2p's other way to say that a stream has ended
        pass
    except MuxedStreamError as error:
        _log.info("stream %d: %s", stream.stream_id, error)
        return
    try:
        await stream.close()
    except MuxedStreamError as error:
        _log.info("stream %d: %s", stream.stream_id, error)


async def _serve(connection: trio.SocketStream) -> None:
    peer = ID.from_pubkey(create_new_key_pair().public_key)  # a name; nothing depends on it
    muxer = Yamux(TrioTCPStream(connection), peer, is_initiator=False)  # type: ignore[arg-type]
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(muxer.start)
            while True:
                stream = await muxer.accept_stream()
                nursery.start_soon(_echo, stream)
    except* MuxedConnUnavailable:
        pass  # the connection has ended
    except* Exception as failure:  # one connection's end is not the listener's
        _log.warning("connection: %r", failure)


async def _listen() -> None:
    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    contract.emit(addrs=[f"127.0.0.1:{listeners[0].socket.getsockname()[1]}"])
    await trio.serve_listeners(_serve, listeners)


if __name__ == "__main__":
    contract.exit_when_orphaned()
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    trio.run(_listen)
