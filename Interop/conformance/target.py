"""What the kits are pointed at, and how a connection to it is made."""

from __future__ import annotations

import socket
from dataclasses import dataclass

from peers.contract import ECHO
from stack import multistream, noise, yamux
from stack.identity import Identity
from stack.link import Buffered, endpoint
from stack.yamux import FrameLink

from .pump import PumpLink


@dataclass(frozen=True)
class Target:
    """A listener whose streams echo."""

    host: str
    port: int
    #: Yamux straight over TCP, without Noise and without choosing protocols for the connection.
    plain: bool = False
    #: The protocol that echoes, chosen by multistream on each stream; empty: each stream echoes at once.
    protocol: str = ECHO
    #: Seconds for each thing that is waited for.
    timeout: float = 5.0

    @classmethod
    def parse(cls, address: str, plain: bool, protocol: str, timeout: float) -> Target:
        """Reads `MULTIADDR` or `HOST:PORT`."""
        if address.startswith("/"):
            host, port = endpoint(address)
        else:
            host, _, text = address.rpartition(":")
            host, port = host.strip("[]"), int(text)
        return cls(host, port, plain, protocol, timeout)

    def connect(self) -> PumpLink:
        """A bare TCP connection."""
        return PumpLink(socket.create_connection((self.host, self.port), self.timeout))

    def open(self, identity: Identity | None = None) -> tuple[PumpLink, FrameLink]:
        """A connection with Yamux on top."""
        tcp = self.connect()
        try:
            return tcp, self.upgrade(tcp, identity or Identity(), is_dialer=True)
        except BaseException:
            tcp.abort()
            raise

    def secure(self, tcp: PumpLink, identity: Identity) -> noise.NoiseLink:
        """Chooses Noise on a new connection to the target, and performs the handshake."""
        wire = Buffered(tcp)
        multistream.select(tcp.send, lambda count: wire.read(count, self.timeout), noise.PROTOCOL)
        return noise.initiate(tcp, identity, wire.leftover(), self.timeout)

    def upgrade(self, tcp: PumpLink, identity: Identity, is_dialer: bool) -> FrameLink:
        """Puts Yamux on a connection, which either side may have dialled."""
        if self.plain:
            return FrameLink(tcp)
        if is_dialer:
            secured = self.secure(tcp, identity)
        else:
            wire = Buffered(tcp)
            multistream.accept(tcp.send, lambda count: wire.read(count, self.timeout), {noise.PROTOCOL})
            secured = noise.respond(tcp, identity, wire.leftover(), self.timeout)
        wire = Buffered(secured)

        def read(count: int) -> bytes:
            return wire.read(count, self.timeout)

        if is_dialer:
            multistream.select(secured.send, read, yamux.PROTOCOL)
        else:
            multistream.accept(secured.send, read, {yamux.PROTOCOL})
        return FrameLink(secured, wire.leftover())

    @property
    def preface(self) -> bytes:
        """What is said first on a stream, and answered alike, before it echoes."""
        return multistream.lines(multistream.HEADER, self.protocol) if self.protocol else b""
