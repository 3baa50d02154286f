"""A Noise initiator of which each part can be bent."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from stack import multistream, noise
from stack.identity import Identity
from stack.link import Buffered, Ended, Silence

from ..case import Violation
from ..pump import PumpLink
from ..target import Target

Change = Callable[[bytes], bytes]


def unchanged(message: bytes) -> bytes:
    """Leaves a message as it is."""
    return message


def framed(message: bytes) -> bytes:
    """A message behind its length."""
    return len(message).to_bytes(2, "big") + message


@dataclass
class Bend:
    """What is wrong with a handshake. By default nothing is."""

    #: Changes message 1 and message 3 as they go out; what we reckon with is the unchanged one.
    first: Change = unchanged
    third: Change = unchanged
    #: Frames a message; wrong lengths come from here.
    frame_first: Change = framed
    frame_third: Change = framed
    #: Makes the payload of message 3, from our identity and our static key.
    payload: Callable[[Identity, X25519PrivateKey], bytes] = noise.handshake_payload
    #: Public keys to send in place of ours, with which every agreement yields zeros.
    low_ephemeral: bytes | None = None
    low_static: bytes | None = None
    #: The plaintext that message 1 carries.
    early: bytes = b""
    #: Whether every byte goes out alone.
    bytewise: bool = False


@dataclass
class Attempt:
    """A connection on which Noise was agreed, and a handshake with it."""

    target: Target
    bend: Bend = field(default_factory=Bend)
    identity: Identity = field(default_factory=Identity)

    def __post_init__(self) -> None:
        self.tcp: PumpLink = self.target.connect()
        self.wire = Buffered(self.tcp)
        self.third = b""
        try:
            multistream.select(self.tcp.send, self._read, noise.PROTOCOL)
        except BaseException:
            self.tcp.abort()
            raise

    def _read(self, count: int) -> bytes:
        return self.wire.read(count, self.target.timeout)

    def close(self) -> None:
        """Lets the connection go."""
        self.tcp.abort()

    def __enter__(self) -> Attempt:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def send(self, raw: bytes) -> None:
        """Sends bytes below Noise."""
        try:
            for chunk in [raw[index : index + 1] for index in range(len(raw))] if self.bend.bytewise else [raw]:
                self.tcp.send(chunk)
        except Ended:
            pass

    def shake(self) -> noise.NoiseLink:
        """The handshake, bent. Raises `Ended` or `Silence` when the target doesn't go along."""
        bend, state = self.bend, noise.Symmetric()
        ephemeral, static = X25519PrivateKey.generate(), X25519PrivateKey.generate()
        ephemeral_public = bend.low_ephemeral or noise.public_bytes(ephemeral)
        static_public = bend.low_static or noise.public_bytes(static)

        def agree(key: X25519PrivateKey, low: bytes | None, remote: bytes) -> bytes:
            return bytes(32) if low else noise.agree(key, remote)

        state.mix_hash(ephemeral_public)
        self.send(bend.frame_first(bend.first(ephemeral_public + state.seal(bend.early))))
        message = self._read(int.from_bytes(self._read(2), "big"))
        remote_ephemeral = message[:32]
        state.mix_hash(remote_ephemeral)
        state.mix_key(agree(ephemeral, bend.low_ephemeral, remote_ephemeral))
        remote_static = state.open(message[32 : 64 + noise.TAG])
        state.mix_key(agree(ephemeral, bend.low_ephemeral, remote_static))
        remote_payload = state.open(message[64 + noise.TAG :])
        sealed = state.seal(static_public)
        state.mix_key(agree(static, bend.low_static, remote_ephemeral))
        self.third = bend.third(sealed + state.seal(bend.payload(self.identity, static)))
        self.send(bend.frame_third(self.third))
        sending, receiving = state.split()
        link = noise.NoiseLink(self.wire, sending, receiving, b"", remote_static)
        link.remote_payload = noise.decode_message(remote_payload)
        return link

    def expect_end(self, why: str) -> str:
        """The target must end the connection within the deadline, whatever it still says before."""
        try:
            while True:
                self.wire.leftover()
                self.tcp.receive(self.target.timeout)
        except Ended as ended:
            return f"ended ({ended.how})"
        except Silence:
            raise Violation(f"no end of the connection after {why}") from None

    def judge(self) -> bool:
        """Whether the target takes the handshake: it ends the connection, or speaks under the keys that follow."""
        try:
            link = self.shake()
            link.send(multistream.line(multistream.HEADER))
            wire = Buffered(link)
            return multistream.read_line(lambda count: wire.read(count, self.target.timeout)) == multistream.HEADER
        except (Ended, noise.NoiseError, multistream.NegotiationError):
            return False
        except Silence:
            raise Violation("the target neither ends the connection nor goes on") from None


def takes(target: Target, bend: Bend, identity: Identity | None = None) -> bool:
    """Whether a target takes a handshake that is bent so."""
    with Attempt(target, bend, identity or Identity()) as attempt:
        return attempt.judge()


def refuse(target: Target, bend: Bend, what: str) -> None:
    """Raises `Violation` when the target takes the handshake."""
    if takes(target, bend):
        raise Violation(f"the target goes on with {what}")


def junk(count: int) -> bytes:
    """Random bytes."""
    return os.urandom(count)
