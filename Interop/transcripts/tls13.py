"""TLS 1.3 with known ephemeral keys (RFC 8446): what an onlooker sees who was given them."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

HANDSHAKE, APPLICATION_DATA, CHANGE_CIPHER_SPEC = 22, 23, 20
CLIENT_HELLO, SERVER_HELLO, ENCRYPTED_EXTENSIONS, CERTIFICATE = 1, 2, 8, 11
CERTIFICATE_REQUEST, CERTIFICATE_VERIFY, FINISHED = 13, 15, 20
KEY_SHARE, ALPN = 51, 16
_X25519 = 29


@dataclass(frozen=True)
class Suite:
    """A cipher suite: hash, length of keys, AEAD."""

    hash: type[hashes.SHA256] | type[hashes.SHA384]
    key_length: int
    aead: Callable[[bytes], AESGCM | ChaCha20Poly1305]

    @property
    def digest(self) -> str:
        """The hash's name for hashlib and hmac."""
        return self.hash.name


SUITES = {
    0x1301: Suite(hashes.SHA256, 16, AESGCM),
    0x1302: Suite(hashes.SHA384, 32, AESGCM),
    0x1303: Suite(hashes.SHA256, 32, ChaCha20Poly1305),
}


@dataclass(frozen=True)
class HandshakeMessage:
    """A message of the handshake, with and without its header."""

    kind: int
    body: bytes
    whole: bytes


def records(data: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    """Type, header and content of each record."""
    while data:
        length = int.from_bytes(data[3:5], "big")
        if len(data) < 5 + length:
            raise ValueError("a record ends early")
        yield data[0], data[:5], data[5 : 5 + length]
        data = data[5 + length :]


def handshake_messages(data: bytes) -> Iterator[HandshakeMessage]:
    """The messages that a stream of the handshake consists of."""
    while data:
        end = 4 + int.from_bytes(data[1:4], "big")
        if len(data) < end:
            raise ValueError("a handshake message ends early")
        yield HandshakeMessage(data[0], data[4:end], data[:end])
        data = data[end:]


def vector(data: bytes, at: int, width: int) -> tuple[bytes, int]:
    """A vector whose length has `width` bytes, and the place behind it."""
    start = at + width
    end = start + int.from_bytes(data[at:start], "big")
    if end > len(data):
        raise ValueError("a vector ends early")
    return data[start:end], end


def extensions(data: bytes) -> dict[int, bytes]:
    """A list of extensions by their types."""
    found: dict[int, bytes] = {}
    at = 0
    while at < len(data):
        kind = int.from_bytes(data[at : at + 2], "big")
        found[kind], at = vector(data, at + 2, 2)
    return found


def client_hello(body: bytes) -> dict[int, bytes]:
    """The extensions of a ClientHello."""
    _, at = vector(body, 34, 1)  # version, random; session id
    _, at = vector(body, at, 2)  # cipher suites
    _, at = vector(body, at, 1)  # compression
    return extensions(vector(body, at, 2)[0])


def server_hello(body: bytes) -> tuple[Suite, dict[int, bytes]]:
    """The suite that a ServerHello chose, and its extensions."""
    _, at = vector(body, 34, 1)
    return SUITES[int.from_bytes(body[at : at + 2], "big")], extensions(vector(body, at + 3, 2)[0])


def client_shares(extension: bytes) -> dict[int, bytes]:
    """The key shares that a client offers, by group."""
    return extensions(vector(extension, 0, 2)[0])


def server_share(extension: bytes) -> bytes:
    """The X25519 key share of a server."""
    if int.from_bytes(extension[:2], "big") != _X25519:
        raise ValueError("another group than X25519")
    return vector(extension, 2, 2)[0]


class Schedule:
    """The key schedule (RFC 8446, section 7.1), as far as a handshake without PSK needs it."""

    def __init__(self, suite: Suite, private: X25519PrivateKey, public: bytes) -> None:
        self.suite = suite
        self._zeros = bytes(suite.hash.digest_size)
        early = self._extract(self._zeros, self._zeros)
        shared = private.exchange(X25519PublicKey.from_public_bytes(public))
        self._handshake = self._extract(self._derive(early, b"derived", b""), shared)

    def handshake_secret(self, side: bytes, transcript: bytes) -> bytes:
        """The traffic secret of `c` or `s` for the handshake."""
        return self._derive(self._handshake, side + b" hs traffic", transcript)

    def application_secret(self, side: bytes, transcript: bytes) -> bytes:
        """The traffic secret of `c` or `s` behind the handshake."""
        master = self._extract(self._derive(self._handshake, b"derived", b""), self._zeros)
        return self._derive(master, side + b" ap traffic", transcript)

    def finished(self, secret: bytes, transcript: bytes) -> bytes:
        """What the Finished of the owner of a handshake secret has to say."""
        key = self.expand(secret, b"finished", b"", self.suite.hash.digest_size)
        return hmac.digest(key, hashlib.new(self.suite.digest, transcript).digest(), self.suite.digest)

    def expand(self, secret: bytes, label: bytes, context: bytes, length: int) -> bytes:
        """HKDF-Expand-Label."""
        name = b"tls13 " + label
        info = length.to_bytes(2, "big") + bytes([len(name)]) + name + bytes([len(context)]) + context
        return HKDFExpand(self.suite.hash(), length, info).derive(secret)

    def _extract(self, salt: bytes, material: bytes) -> bytes:
        return hmac.digest(salt, material, self.suite.digest)

    def _derive(self, secret: bytes, label: bytes, transcript: bytes) -> bytes:
        digest = hashlib.new(self.suite.digest, transcript).digest()
        return self.expand(secret, label, digest, self.suite.hash.digest_size)


class Opener:
    """Opens the records of one direction under one secret."""

    def __init__(self, schedule: Schedule, secret: bytes) -> None:
        self._aead = schedule.suite.aead(schedule.expand(secret, b"key", b"", schedule.suite.key_length))
        self._iv = schedule.expand(secret, b"iv", b"", 12)
        self._number = 0

    def open(self, header: bytes, sealed: bytes) -> tuple[int, bytes]:
        """The type and the content of the next record."""
        nonce = (int.from_bytes(self._iv, "big") ^ self._number).to_bytes(12, "big")
        self._number += 1
        plain = self._aead.decrypt(nonce, sealed, header).rstrip(b"\0")
        return plain[-1], plain[:-1]
