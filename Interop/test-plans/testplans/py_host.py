"""Hosts of py-libp2p for its front ends."""

from __future__ import annotations

from collections.abc import Sequence

from libp2p import new_host
from libp2p.abc import IHost, ISecureTransport
from libp2p.crypto import ed25519, x25519
from libp2p.custom_types import TProtocol
from libp2p.security.noise.transport import PROTOCOL_ID as NOISE
from libp2p.security.noise.transport import Transport as NoiseTransport
from libp2p.security.tls.transport import PROTOCOL_ID as TLS
from libp2p.security.tls.transport import TLSTransport
from libp2p.stream_muxer.yamux.yamux import PROTOCOL_ID as YAMUX
from libp2p.stream_muxer.yamux.yamux import Yamux
from multiaddr import Multiaddr


def make_host(security: Sequence[str], listen: list[Multiaddr]) -> IHost:
    """A host with a new Ed25519 key, Yamux, and these security protocols alone."""
    identity = ed25519.create_new_key_pair()
    secured: dict[TProtocol, ISecureTransport] = {}
    for name in security:
        if name == "noise":
            secured[NOISE] = NoiseTransport(identity, noise_privkey=x25519.create_new_key_pair().private_key)
        else:
            secured[TLS] = TLSTransport(identity)
    return new_host(key_pair=identity, sec_opt=secured, muxer_opt={TProtocol(YAMUX): Yamux}, listen_addrs=listen)
