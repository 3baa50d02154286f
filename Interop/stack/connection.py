"""Upgrading a TCP connection as libp2p does: multistream, Noise, multistream, Yamux."""

from __future__ import annotations

from dataclasses import dataclass

from . import multistream, noise, yamux
from .identity import Identity
from .link import Buffered, TCPLink, endpoint
from .yamux import FrameLink

TIMEOUT = 10.0


@dataclass(frozen=True)
class Upgraded:
    """A connection that is ready for streams."""

    tcp: TCPLink
    secured: noise.NoiseLink
    frames: FrameLink
    #: Whether we dialled: then our streams have odd numbers.
    is_dialer: bool

    @property
    def remote(self) -> bytes:
        """The peer's id as a multihash."""
        return self.secured.remote


def dial(multiaddr: str, identity: Identity) -> Upgraded:
    """Dials `/ip4/HOST/tcp/PORT…` and upgrades. Whether the peer is the expected one is the caller's to check."""
    tcp = TCPLink.connect(*endpoint(multiaddr))
    return upgrade(tcp, identity, is_dialer=True)


def upgrade(tcp: TCPLink, identity: Identity, is_dialer: bool) -> Upgraded:
    """Upgrades a connection that stands."""
    wire = Buffered(tcp)
    _negotiate(wire, noise.PROTOCOL, is_dialer)
    handshake = noise.initiate if is_dialer else noise.respond
    secured = handshake(tcp, identity, wire.leftover(), TIMEOUT)
    wire = Buffered(secured)
    _negotiate(wire, yamux.PROTOCOL, is_dialer)
    return Upgraded(tcp, secured, FrameLink(secured, wire.leftover()), is_dialer)


def _negotiate(wire: Buffered, protocol: str, is_dialer: bool) -> None:
    def read(count: int) -> bytes:
        return wire.read(count, TIMEOUT)

    if is_dialer:
        multistream.select(wire.link.send, read, protocol)
    else:
        multistream.accept(wire.link.send, read, {protocol})
