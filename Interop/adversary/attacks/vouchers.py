"""A relay that lies to hosts that want to listen through it: reservations whose voucher is forged."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import time
from collections.abc import Callable

from adversary.attacker import GONE, HOME, HOME_SEED, Attacker, home_port
from adversary.network import within
from adversary.peer import HOP, OK, STATUS, delimited, identification, serve_identify
from adversary.session import Session, Stream
from peers.contract import IDENTIFY
from peers.wire import encode_message, encode_multiaddr
from stack.connection import upgrade
from stack.identity import Identity
from stack.link import TCPLink

_PAYLOAD_TYPE = b"\x03\x02"
#: Within it a host says where it listens, if it believes what it was given.
_PATIENCE = 2.5

#: Makes a voucher of the relay's identity, the client's id and the time at which the reservation ends.
Forger = Callable[[Identity, bytes, int], bytes]


def home(attacker: Attacker) -> socket.socket:
    """Listens for the hosts."""
    return attacker.listen()


def _sealed(
    signer: Identity, payload: bytes, *, domain: bytes = b"libp2p-relay-rsvp", key: bytes | None = None
) -> bytes:
    signed = b"".join(delimited(part) for part in (domain, _PAYLOAD_TYPE, payload))
    fields = (1, signer.public_key if key is None else key), (2, _PAYLOAD_TYPE), (3, payload), (5, signer.sign(signed))
    return encode_message(*fields)


def _voucher(relay: bytes, peer: bytes, expiration: int) -> bytes:
    return encode_message((1, relay), (2, peer), (3, expiration))


def _forgers() -> list[Forger]:
    """The right one first."""
    other = Identity()
    return [
        lambda own, peer, end: _sealed(own, _voucher(own.multihash, peer, end)),
        lambda own, peer, end: _sealed(other, _voucher(own.multihash, peer, end)),
        lambda own, peer, end: _sealed(other, _voucher(own.multihash, peer, end), key=own.public_key),
        lambda own, peer, end: _sealed(own, _voucher(own.multihash, other.multihash, end)),
        lambda own, peer, end: _sealed(own, _voucher(other.multihash, peer, end)),
        lambda own, peer, end: _sealed(own, _voucher(own.multihash, peer, end), domain=b"libp2p-peer-record"),
        lambda own, peer, end: bytes(80),
    ]


def forged(attacker: Attacker, server: socket.socket) -> None:
    """Has one host after the other ask for a reservation, and gives each another voucher."""
    forgers = _forgers()
    attacker.facts["wrong ones believed"] = attacker.facts["right ones believed"] = 0
    attacker.begun()
    done = 0
    # The hosts take their time: as many as are wanted, however long somebody measures.
    while done <= attacker.wanted and time.monotonic() < attacker.deadline:
        is_believed = _offer(attacker, server, forgers[done % len(forgers)])
        fact = "wrong ones believed" if done % len(forgers) else "right ones believed"
        attacker.count(fact, is_believed)
        done += 1
        if done % len(forgers) == 0:
            done += 1  # the right one once is enough
    attacker.facts["hosts"] = done


def _offer(attacker: Attacker, server: socket.socket, forger: Forger) -> bool:
    """Whether a host announces an address through us after this voucher."""
    relay = Identity(HOME_SEED)
    address = f"/ip4/{HOME}/tcp/{home_port(attacker.name)}"
    command = [
        "listen",
        "--ephemeral",
        "--json",
        "--listen",
        "/ip4/11.0.0.3/tcp/0",
        "--relay",
        f"{address}/p2p/{relay.peer_id}",
    ]
    with subprocess.Popen(
        within([attacker.oxbow, *command]), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=os.environ
    ) as host:
        try:
            server.settimeout(10)
            with contextlib.suppress(*GONE):
                session = Session(upgrade(TCPLink(server.accept()[0]), relay, is_dialer=False))
                serve_identify(session, identification(relay, [address], protocols=[IDENTIFY, HOP]))
                session.handlers[HOP] = lambda stream: _grant(stream, relay, address, forger)
                return _announces(host, session)
            return False
        finally:
            host.kill()


def _grant(stream: Stream, relay: Identity, address: str, forger: Forger) -> None:
    end = int(time.time()) + 3600
    voucher = forger(relay, stream.session.connection.remote, end)
    reservation = encode_message((1, end), (2, encode_multiaddr(f"{address}/p2p/{relay.peer_id}")), (3, voucher))
    stream.read_message()
    stream.send(delimited(encode_message((1, STATUS), (3, reservation), (5, OK))))
    stream.finish()


def _announces(host: subprocess.Popen[bytes], session: Session) -> bool:
    assert host.stdout is not None
    os.set_blocking(host.stdout.fileno(), False)
    said = b""
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        session.idle(0.05)
        time.sleep(0.02)
        said += host.stdout.read() or b""
        if b"\n" in said or host.poll() is not None:
            break
    for line in said.splitlines():
        with contextlib.suppress(ValueError):
            if any("/p2p-circuit" in address for address in json.loads(line).get("addrs", [])):
                return True
    return False
