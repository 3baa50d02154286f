"""A right libp2p listener in Python, with multistream, Noise and Yamux, and listeners that are wrong in one way each.

It holds the kits for multistream-select and Noise to account, as `server.py` does yamuxspec.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable

from peers.contract import ECHO
from peers.wire import decode_varint
from stack import multistream, noise, yamux
from stack.identity import Identity
from stack.link import Buffered, Ended, Link, Silence, TCPLink
from stack.multistream import NegotiationError

from .server import Peer, Stream

Send = Callable[[bytes], object]
Agree = Callable[[Send, multistream.Read, set[str]], object]

_TIMEOUT = 10.0
_FOREVER = 3600.0


class LinkSocket:
    """As much of a socket as `Peer` needs, over Noise."""

    def __init__(self, tcp: TCPLink, link: Link, leftover: bytes) -> None:
        self._tcp = tcp
        self._link = link
        self._leftover = leftover

    def recv(self, _: int) -> bytes:
        """The next bytes, however many; none when nothing more comes that can be read."""
        if self._leftover:
            data, self._leftover = self._leftover, b""
            return data
        try:
            return self._link.receive(_FOREVER)
        except (Ended, Silence, noise.NoiseError):
            return b""

    def sendall(self, data: bytes) -> None:
        """Sends all of it."""
        try:
            self._link.send(bytes(data))
        except (Ended, Silence) as error:
            raise OSError(str(error)) from None

    def shutdown(self, _: int) -> None:
        """Ends our direction."""
        self._tcp.finish()

    def settimeout(self, _: float | None) -> None:
        """Links have deadlines of their own."""

    def setsockopt(self, *_: int) -> None:
        """Nothing to be set."""

    def close(self) -> None:
        """Ends the connection."""
        self._tcp.close()


class StreamPeer(Peer):
    """Chooses a protocol on each stream before it echoes."""

    def __init__(self, connection: LinkSocket, agree: Agree) -> None:
        super().__init__(connection)  # type: ignore[arg-type]
        self._agree = agree
        self._agreed: set[int] = set()
        #: How many lines were said on a stream.
        self._said: dict[int, int] = {}

    def echo(self, stream: Stream) -> None:
        """See `Peer.echo`: behind the negotiation."""
        if stream.id in self._agreed or self._negotiate(stream):
            super().echo(stream)

    def _negotiate(self, stream: Stream) -> bool:
        """Answers the lines that have come whole, anew from the first each time. Whether the protocol is chosen."""
        answers: list[bytes] = []
        rest = bytearray(stream.owed)

        def read(count: int) -> bytes:
            if len(rest) < count:
                raise EOFError
            taken = bytes(rest[:count])
            del rest[:count]
            return taken

        try:
            with contextlib.suppress(EOFError):
                self._agree(answers.append, read, {ECHO})
                self._agreed.add(stream.id)
        except (NegotiationError, ValueError):
            self.reset(stream)
            return False
        for answer in answers[self._said.get(stream.id, 0) :]:
            self.send(yamux.data(stream.id, answer))
            stream.send_window -= len(answer)
        self._said[stream.id] = len(answers)
        if stream.id in self._agreed:
            stream.owed = rest
        elif stream.their_fin:
            self.finish(stream)
        return stream.id in self._agreed


class Listener:
    """One connection's upgrade, and Yamux behind it. Stands in for `Peer` in a `Server`."""

    def __init__(self, connection: socket.socket) -> None:
        self._tcp = TCPLink(connection)

    def serve(self) -> None:
        """Upgrades, and answers until one side ends the connection."""
        try:
            wire = Buffered(self._tcp)
            self.choose(wire, {noise.PROTOCOL})
            secured = self.secure(wire)
            inner = Buffered(secured)
            self.choose(inner, {yamux.PROTOCOL})
        except (Ended, Silence, NegotiationError, noise.NoiseError, ValueError, EOFError, OSError):
            self._tcp.close()
            return
        StreamPeer(LinkSocket(self._tcp, secured, self.rest(inner)), self.agree).serve()

    def choose(self, wire: Buffered, supported: set[str]) -> None:
        """Negotiates on the connection."""
        self.agree(wire.link.send, lambda count: wire.read(count, _TIMEOUT), supported)

    def agree(self, send: Send, read: multistream.Read, supported: set[str]) -> None:
        """multistream-select."""
        multistream.accept(send, read, supported)

    def secure(self, wire: Buffered) -> noise.NoiseLink:
        """The Noise handshake."""
        return noise.respond(self._tcp, Identity(), self.rest(wire), _TIMEOUT)

    def rest(self, wire: Buffered) -> bytes:
        """What came behind a negotiation: the next layer begins with it."""
        return wire.leftover()


# MARK: Wrong ones


def _any_line(read: multistream.Read) -> str:
    length, _ = decode_varint(read(1))
    return read(length)[:-1].decode(errors="replace")


class LosesLeftover(Listener):
    """Forgets what came in one segment with the last line."""

    def rest(self, wire: Buffered) -> bytes:
        wire.leftover()
        return b""


class TakesAnyHeader(Listener):
    """Doesn't look at the header."""

    def agree(self, send: Send, read: multistream.Read, supported: set[str]) -> None:
        multistream.read_line(read)
        send(multistream.line(multistream.HEADER))
        while (wanted := multistream.read_line(read)) not in supported:
            send(multistream.line(multistream.NOT_AVAILABLE))
        send(multistream.line(wanted))


class IgnoresLineFeed(Listener):
    """Takes a line's last byte for a line feed, whatever it is."""

    def agree(self, send: Send, read: multistream.Read, supported: set[str]) -> None:
        if _any_line(read) != multistream.HEADER:
            raise NegotiationError
        send(multistream.line(multistream.HEADER))
        while (wanted := _any_line(read)) not in supported:
            send(multistream.line(multistream.NOT_AVAILABLE))
        send(multistream.line(wanted))


class MatchesLoosely(Listener):
    """Takes a protocol's name in any case, with anything behind it."""

    def agree(self, send: Send, read: multistream.Read, supported: set[str]) -> None:
        if multistream.read_line(read) != multistream.HEADER:
            raise NegotiationError
        send(multistream.line(multistream.HEADER))
        while True:
            wanted = multistream.read_line(read).lower()
            if name := next((name for name in supported if wanted.startswith(name)), None):
                send(multistream.line(name))
                return
            send(multistream.line(multistream.NOT_AVAILABLE))


class AgreesToUnknown(Listener):
    """Agrees to a protocol that it hasn't got."""

    def agree(self, send: Send, read: multistream.Read, supported: set[str]) -> None:
        multistream.accept(send, read, supported | {"/nobody/has/this/1.0.0"})


class _Lax(Listener):
    """Has a Noise whose check of the payload is replaced."""

    @staticmethod
    def check(payload: bytes, static: bytes) -> tuple[bytes, dict[int, list[int | bytes]]]:
        raise NotImplementedError

    def secure(self, wire: Buffered) -> noise.NoiseLink:
        return noise.respond(self._tcp, Identity(), self.rest(wire), _TIMEOUT, check=self.check)


class SkipsSignature(_Lax):
    """Doesn't verify the signature."""

    @staticmethod
    def check(payload: bytes, static: bytes) -> tuple[bytes, dict[int, list[int | bytes]]]:
        return b"", noise.decode_message(payload)


class SkipsMissingSignature(_Lax):
    """Verifies a signature only if there is one (CVE-2019-15545)."""

    @staticmethod
    def check(payload: bytes, static: bytes) -> tuple[bytes, dict[int, list[int | bytes]]]:
        if not noise.first_bytes(noise.decode_message(payload), 2):
            return b"", {}
        return noise.check_payload(payload, static)


class _LaxRecords(noise.NoiseLink):
    """Reads on behind a record that doesn't decrypt."""

    def receive(self, timeout: float) -> bytes:
        while True:
            nonce = self.receiving.nonce
            try:
                return super().receive(timeout)
            except noise.NoiseError:
                self.receiving.nonce = nonce


class SkipsBadRecords(Listener):
    """Overlooks records that don't decrypt."""

    def secure(self, wire: Buffered) -> noise.NoiseLink:
        link = super().secure(wire)
        return _LaxRecords(link.wire, link.sending, link.receiving, link.remote, link.remote_static)


#: Each with the kit that must notice.
MUTANTS: dict[type[Listener], str] = {
    LosesLeftover: "multistreamspec",
    TakesAnyHeader: "multistreamspec",
    IgnoresLineFeed: "multistreamspec",
    MatchesLoosely: "multistreamspec",
    AgreesToUnknown: "multistreamspec",
    SkipsSignature: "noisespec",
    SkipsMissingSignature: "noisespec",
    SkipsBadRecords: "noisespec",
}
