"""py-libp2p as an interop program (the contract is in `Interop/README.md`). Runs with the Python that has `libp2p`."""

from __future__ import annotations

import os
import random
import signal
import struct
import time
import warnings
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

warnings.filterwarnings("ignore")  # py-libp2p's dependencies warn about themselves, on standard error, at each start

import trio  # noqa: E402
from libp2p import new_host  # noqa: E402
from libp2p.abc import IHost, IMuxedConn, INetStream, ISecureTransport  # noqa: E402
from libp2p.crypto import ecc, ed25519, rsa, secp256k1, x25519  # noqa: E402
from libp2p.crypto.keys import KeyPair  # noqa: E402
from libp2p.custom_types import TProtocol  # noqa: E402
from libp2p.network.stream.exceptions import StreamEOF, StreamError  # noqa: E402
from libp2p.network.stream.net_stream import NetStream  # noqa: E402
from libp2p.peer.id import ID  # noqa: E402
from libp2p.peer.peerinfo import info_from_p2p_addr  # noqa: E402
from libp2p.perf.perf_service import PerfService  # noqa: E402
from libp2p.security.noise.transport import PROTOCOL_ID as NOISE  # noqa: E402
from libp2p.security.noise.transport import Transport as NoiseTransport  # noqa: E402
from libp2p.security.tls.transport import PROTOCOL_ID as TLS  # noqa: E402
from libp2p.security.tls.transport import TLSTransport  # noqa: E402
from libp2p.stream_muxer.mplex.mplex import MPLEX_PROTOCOL_ID, Mplex  # noqa: E402
from libp2p.stream_muxer.yamux.yamux import PROTOCOL_ID as YAMUX  # noqa: E402
from libp2p.stream_muxer.yamux.yamux import Yamux  # noqa: E402
from multiaddr import Multiaddr  # noqa: E402

from . import contract, wire  # noqa: E402

_IO_TIMEOUT = 120.0
_SETTLE_TIMEOUT = 10.0

CaseResult = tuple[bool, dict[str, object]]


def main() -> None:
    """Runs as the listener or the dialer that the command line asks for."""
    options = contract.parse("py_peer")
    contract.exit_when_orphaned()
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    trio.run(_run, options)


def _key_pair(kind: str) -> KeyPair:
    makers: dict[str, Callable[[], KeyPair]] = {
        "ed25519": ed25519.create_new_key_pair,
        "secp256k1": secp256k1.create_new_key_pair,
        "rsa": rsa.create_new_key_pair,
        "ecdsa": partial(ecc.create_new_key_pair, "P-256"),
    }
    return makers[kind]()


_MUXERS: dict[str, tuple[TProtocol, type[IMuxedConn]]] = {
    "yamux": (TProtocol(YAMUX), Yamux),
    "mplex": (MPLEX_PROTOCOL_ID, Mplex),
}


def _security(kinds: Sequence[str], identity: KeyPair) -> dict[TProtocol, ISecureTransport]:
    """What is offered, in the order of the dictionary."""
    makers: dict[str, Callable[[], tuple[TProtocol, ISecureTransport]]] = {
        "noise": lambda: (NOISE, NoiseTransport(identity, noise_privkey=x25519.create_new_key_pair().private_key)),
        "tls": lambda: (TLS, TLSTransport(identity)),
    }
    return dict(makers[kind]() for kind in kinds)


async def _run(options: contract.Options) -> None:
    identity = _key_pair(options.key_type)
    listen = [Multiaddr(options.listen)]
    host = new_host(
        key_pair=identity,
        sec_opt=_security(options.security, identity),
        muxer_opt=dict(_MUXERS[muxer] for muxer in options.muxers),
        listen_addrs=listen,
    )
    async with host.run(listen_addrs=listen):
        if options.command == "listen":
            await _listen(host)
        status = await _dial(host, options)
        os._exit(status)  # the host's own shutdown may take seconds and says nothing about the case


async def _listen(host: IHost) -> None:
    host.set_stream_handler(TProtocol(contract.ECHO), serve_echo)
    host.set_stream_handler(TProtocol(contract.XFER), _serve_xfer)
    await PerfService(host).start()
    contract.emit(peer_id=str(host.get_id()), addrs=[_full(str(address), host) for address in host.get_addrs()])
    await trio.sleep_forever()


def _full(address: str, host: IHost) -> str:
    suffix = f"/p2p/{host.get_id()}"
    return address if address.endswith(suffix) else address + suffix


async def _read(stream: INetStream, count: int = contract.CHUNK) -> bytes:
    """Up to `count` bytes; nothing at the end of the stream. py-libp2p has two ways to say that it ended."""
    try:
        return await stream.read(count)
    except StreamEOF:
        return b""


async def _read_exactly(stream: INetStream, count: int) -> bytes:
    data = b""
    while len(data) < count:
        chunk = await _read(stream, count - len(data))
        if not chunk:
            raise EOFError(f"the stream ended after {len(data)} of {count} bytes")
        data += chunk
    return data


async def _read_delimited(stream: INetStream) -> bytes:
    prefix = b""
    while not prefix or prefix[-1] >= 0x80:
        prefix += await _read_exactly(stream, 1)
    return await _read_exactly(stream, wire.decode_varint(prefix)[0])


async def serve_echo(stream: INetStream) -> None:
    """Echoes until the end, and reports it."""
    progress = contract.Progress(contract.ECHO)
    try:
        while data := await _read(stream):
            progress.receive(len(data))
            await stream.write(data)
            progress.sent += len(data)
        await stream.close()
    except Exception as error:  # py-libp2p raises many kinds when a connection goes away
        progress.end("error", repr(error))
    else:
        progress.end("eof")


async def _serve_xfer(stream: INetStream) -> None:
    progress = contract.Progress(contract.XFER)
    try:
        up, down = struct.unpack(">QQ", await _read_exactly(stream, 16))
        while progress.received < up:
            data = await _read(stream, min(contract.CHUNK, up - progress.received))
            if not data:
                raise EOFError(f"the stream ended after {progress.received} of {up} bytes")
            progress.receive(len(data))
        while progress.sent < down:
            count = min(contract.CHUNK, down - progress.sent)
            await stream.write(bytes(count))
            progress.sent += count
        await stream.close()
    except Exception as error:  # as above
        progress.end("error", repr(error))
    else:
        progress.end("eof")


async def _dial(host: IHost, options: contract.Options) -> int:
    started = time.monotonic()
    try:
        await host.connect(info_from_p2p_addr(Multiaddr(options.target)))
        peer = ID.from_string(wire.split_peer(options.target)[1])
        cases: dict[str, Callable[[], Awaitable[CaseResult]]] = {
            "handshake": partial(_handshake, host, peer),
            "identify": partial(_identify, host, peer),
            "ping": partial(_ping, host, peer, options.count),
            "echo": partial(_echo, host, peer, options.bytes, options.half_close),
            "streams": partial(_streams, host, peer, options.count, options.bytes),
            "transfer": partial(_transfer, host, peer, options.bytes),
            "perf": partial(_perf, host, options.target, options.bytes),
            "autonat": partial(_autonat, host, peer),
            "vanish": partial(_vanish, host, peer),
        }
        ok, fields = await cases[options.case]()
    except Exception as failure:  # the report must name whatever went wrong
        return contract.report(options.case, started, False, {}, reason(failure))
    return contract.report(options.case, started, ok, fields, None if ok else "the case's own check failed")


def reason(failure: BaseException) -> str:
    """The innermost reason: trio wraps what its tasks raise, once per nursery."""
    while isinstance(failure, BaseExceptionGroup) and failure.exceptions:
        failure = failure.exceptions[0]
    return f"{type(failure).__name__}: {failure}"


async def open_stream(host: IHost, peer: ID, protocol: str) -> NetStream:
    """A new stream that can be closed in one direction."""
    stream = await host.new_stream(peer, [TProtocol(protocol)])
    assert isinstance(stream, NetStream)  # the interface lacks close_write
    return stream


async def _handshake(host: IHost, peer: ID) -> CaseResult:
    """Whom the host says that it is connected with, once a round trip has shown that the other end has it too."""
    is_good, _ = await _ping(host, peer, 1)
    return is_good and peer in host.get_connected_peers(), {"peer": str(peer)}


async def _identify(host: IHost, peer: ID) -> CaseResult:
    stream = await open_stream(host, peer, contract.IDENTIFY)
    return True, wire.describe_identify(await _read_delimited(stream))


async def _ping(host: IHost, peer: ID, count: int) -> CaseResult:
    stream = await open_stream(host, peer, contract.PING)
    times: list[float] = []
    for _ in range(count):
        payload = random.randbytes(contract.PING_LENGTH)
        started = time.monotonic()
        await stream.write(payload)
        if await _read_exactly(stream, len(payload)) != payload:
            return False, {"rtt_ms": times}
        times.append(round((time.monotonic() - started) * 1000, 3))
    await stream.close()
    return True, {"rtt_ms": times}


async def echo_on(stream: NetStream, total: int, half_close: bool, closes: bool = True) -> contract.Echo:
    """Sends `total` bytes while it reads them back; with `half_close` the end of both directions is checked too.

    Without it the stream is closed at the end, or may be used again if not `closes`.
    """
    echo = contract.Echo(total)

    async def send() -> None:
        for chunk in echo.chunks():
            await stream.write(chunk)
        if half_close:
            await stream.close_write()

    with trio.fail_after(_IO_TIMEOUT):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(send)
            while half_close or echo.received < total:
                data = await _read(stream)
                if not data:
                    break
                echo.receive(data)
    if not half_close and closes:
        await stream.close()
    return echo


async def _echo(host: IHost, peer: ID, total: int, half_close: bool) -> CaseResult:
    echo = await echo_on(await open_stream(host, peer, contract.ECHO), total, half_close)
    return echo.is_equal, {"bytes": echo.received, "sha256_equal": echo.is_equal, "half_close": half_close}


async def _transfer(host: IHost, peer: ID, count: int) -> CaseResult:
    """So many bytes up, then as many down, each way alone."""
    stream = await open_stream(host, peer, contract.XFER)
    received = 0
    with trio.fail_after(_IO_TIMEOUT):
        await stream.write(struct.pack(">QQ", count, count))
        for start in range(0, count, contract.CHUNK):
            await stream.write(bytes(min(contract.CHUNK, count - start)))
        while received < count and (data := await _read(stream)):
            received += len(data)
    await stream.close()
    return received == count, {"bytes_up": count, "bytes_down": received}


async def _perf(host: IHost, target: str, count: int) -> CaseResult:
    """Its own client of `/perf/1.0.0`."""
    service = PerfService(host)
    last: dict[str, object] = {}
    with trio.fail_after(_IO_TIMEOUT):
        async for part in service.measure_performance(Multiaddr(target), count, count):
            last = dict(part)
    up, down = last.get("upload_bytes"), last.get("download_bytes")
    return up == down == count, {"bytes_up": up, "bytes_down": down}


async def _autonat(host: IHost, peer: ID) -> CaseResult:
    """Asks to be dialled back."""
    stream = await open_stream(host, peer, contract.AUTONAT)
    addresses = [str(address) for address in host.get_addrs()]
    with trio.fail_after(_IO_TIMEOUT):
        await stream.write(wire.autonat_question(str(host.get_id()), addresses))
        answer = wire.describe_autonat(await _read_delimited(stream))
    return answer["status"] == "OK", answer


async def _streams(host: IHost, peer: ID, count: int, total: int) -> CaseResult:
    """Opens all streams before the first byte flows on any, then uses them all at once."""
    streams = [await open_stream(host, peer, contract.ECHO) for _ in range(count)]
    good: list[bool] = []

    async def use(stream: NetStream) -> None:
        good.append((await echo_on(stream, total, half_close=False)).is_equal)

    async with trio.open_nursery() as nursery:
        for stream in streams:
            nursery.start_soon(use, stream)
    return sum(good) == count, {"count": count, "ok_count": sum(good)}


async def _vanish(host: IHost, peer: ID) -> CaseResult:
    """Echoes without end until the peer is gone."""
    progress = contract.Progress(contract.ECHO)
    stream = await open_stream(host, peer, contract.ECHO)
    ending = ""

    async def send() -> None:
        try:
            while True:
                await stream.write(bytes(contract.CHUNK))
        except StreamError:
            pass  # the reader sees the same end and reports it

    with trio.fail_after(_IO_TIMEOUT):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(send)
            try:
                while data := await _read(stream):
                    progress.receive(len(data))
                ending = "EOF, though the peer never closed"
            except StreamError as error:
                ending = f"{type(error).__name__}: {error}"
            nursery.cancel_scope.cancel()
    with trio.move_on_after(_SETTLE_TIMEOUT):
        while host.get_network().get_total_connections():
            await trio.sleep(0.05)
    left = host.get_network().get_total_connections()
    return left == 0, {"typed_error": ending, "connections_left": left, "streams_left": 0}


if __name__ == "__main__":
    main()
