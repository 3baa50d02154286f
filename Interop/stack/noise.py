"""Noise XX as libp2p has it (noise/README.md of the libp2p specifications): Noise_XX_25519_ChaChaPoly_SHA256."""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Callable

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from peers.wire import decode_message, encode_message, first_bytes

from .identity import Identity, multihash_of, verify
from .link import Buffered, Link

PROTOCOL = "/noise"
NAME = b"Noise_XX_25519_ChaChaPoly_SHA256"
SIGNED_PREFIX = b"noise-libp2p-static-key:"
TAG = 16
LARGEST_PLAINTEXT = 65535 - TAG


class NoiseError(Exception):
    """The peer's handshake or record is wrong."""


class Cipher:
    """One direction's key and nonce."""

    def __init__(self, key: bytes) -> None:
        self._aead = ChaCha20Poly1305(key)
        self.nonce = 0

    def _next(self) -> bytes:
        nonce = bytes(4) + self.nonce.to_bytes(8, "little")
        self.nonce += 1
        return nonce

    def seal(self, plaintext: bytes, associated: bytes = b"") -> bytes:
        """Encrypts and appends the tag."""
        return self._aead.encrypt(self._next(), plaintext, associated)

    def open(self, sealed: bytes, associated: bytes = b"") -> bytes:
        """Decrypts; raises `NoiseError` when the tag is wrong."""
        try:
            return self._aead.decrypt(self._next(), sealed, associated)
        except InvalidTag:
            raise NoiseError("a record does not decrypt") from None


class Symmetric:
    """The symmetric state of the Noise framework, chapter 5.2."""

    def __init__(self) -> None:
        self.h = self.ck = NAME  # 32 bytes long, so it is not hashed
        self.cipher: Cipher | None = None
        self.mix_hash(b"")

    def mix_hash(self, data: bytes) -> None:
        """MixHash."""
        self.h = hashlib.sha256(self.h + data).digest()

    def _hkdf(self, material: bytes) -> tuple[bytes, bytes]:
        secret = hmac.digest(self.ck, material, "sha256")
        first = hmac.digest(secret, b"\x01", "sha256")
        return first, hmac.digest(secret, first + b"\x02", "sha256")

    def mix_key(self, material: bytes) -> None:
        """MixKey."""
        self.ck, key = self._hkdf(material)
        self.cipher = Cipher(key)

    def seal(self, plaintext: bytes) -> bytes:
        """EncryptAndHash."""
        sealed = self.cipher.seal(plaintext, self.h) if self.cipher else plaintext
        self.mix_hash(sealed)
        return sealed

    def open(self, sealed: bytes) -> bytes:
        """DecryptAndHash."""
        plaintext = self.cipher.open(sealed, self.h) if self.cipher else sealed
        self.mix_hash(sealed)
        return plaintext

    def split(self) -> tuple[Cipher, Cipher]:
        """Split: the initiator's cipher and the responder's."""
        first, second = self._hkdf(b"")
        return Cipher(first), Cipher(second)


def public_bytes(key: X25519PrivateKey) -> bytes:
    """The raw public half."""
    return key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)


def agree(key: X25519PrivateKey, public: bytes) -> bytes:
    """X25519; raises `NoiseError` on a point of low order."""
    try:
        return key.exchange(X25519PublicKey.from_public_bytes(public))
    except ValueError as error:
        raise NoiseError(str(error)) from None


def handshake_payload(identity: Identity, static: X25519PrivateKey, muxers: tuple[str, ...] = ()) -> bytes:
    """Our NoiseHandshakePayload: key, signature over the static key, and the muxers for early negotiation."""
    signature = identity.sign(SIGNED_PREFIX + public_bytes(static))
    fields: list[tuple[int, int | bytes | str]] = [(1, identity.public_key), (2, signature)]
    if muxers:
        fields.append((4, encode_message(*((2, muxer) for muxer in muxers))))
    return encode_message(*fields)


class NoiseLink:
    """A link over Noise; made by `handshake`."""

    def __init__(self, wire: Buffered, sending: Cipher, receiving: Cipher, remote: bytes, remote_static: bytes) -> None:
        self.wire = wire
        self.sending = sending
        self.receiving = receiving
        #: The peer's id as a multihash.
        self.remote = remote
        self.remote_static = remote_static
        #: What the peer's payload said, by field number.
        self.remote_payload: dict[int, list[int | bytes]] = {}

    def send(self, data: bytes) -> None:
        """See `Link.send`. Cuts into records as large as Noise has them."""
        records = bytearray()
        for start in range(0, len(data), LARGEST_PLAINTEXT):
            sealed = self.sending.seal(data[start : start + LARGEST_PLAINTEXT])
            records += len(sealed).to_bytes(2, "big") + sealed
        self.wire.link.send(bytes(records))

    def receive(self, timeout: float) -> bytes:
        """See `Link.receive`: the next record that isn't empty."""
        deadline = time.monotonic() + timeout
        while True:
            length = int.from_bytes(self.wire.read(2, deadline - time.monotonic()), "big")
            # Once a record has begun its rest is waited for: a deadline in its middle would lose the place.
            plaintext = self.receiving.open(self.wire.read(length, 10))
            if plaintext:
                return plaintext

    def fileno(self) -> int:
        """See `Link.fileno`."""
        return self.wire.link.fileno()

    def has_pending(self) -> bool:
        """Whether bytes of a record wait above the socket."""
        return bool(self.wire._data) or self.wire.link.has_pending()

    def close(self) -> None:
        """See `Link.close`."""
        self.wire.link.close()

    def abort(self) -> None:
        """See `Link.abort`."""
        self.wire.link.abort()


def _frame(message: bytes) -> bytes:
    return len(message).to_bytes(2, "big") + message


def _read_frame(wire: Buffered, timeout: float) -> bytes:
    return wire.read(int.from_bytes(wire.read(2, timeout), "big"), timeout)


def check_payload(payload: bytes, static: bytes) -> tuple[bytes, dict[int, list[int | bytes]]]:
    """The peer's id and the fields of its payload; raises `NoiseError` when the static key isn't signed by its identity."""
    fields = decode_message(payload)
    key, signature = first_bytes(fields, 1), first_bytes(fields, 2)
    if key is None or signature is None or not verify(key, SIGNED_PREFIX + static, signature):
        raise NoiseError("the peer's static key is not signed by its identity")
    return multihash_of(key), fields


def initiate(
    link: Link, identity: Identity, leftover: bytes = b"", timeout: float = 10.0, muxers: tuple[str, ...] = ()
) -> NoiseLink:
    """The handshake as initiator."""
    wire, state = Buffered(link, leftover), Symmetric()
    ephemeral, static = X25519PrivateKey.generate(), X25519PrivateKey.generate()
    state.mix_hash(public_bytes(ephemeral))
    link.send(_frame(public_bytes(ephemeral) + state.seal(b"")))
    message = _read_frame(wire, timeout)
    remote_ephemeral = message[:32]
    state.mix_hash(remote_ephemeral)
    state.mix_key(agree(ephemeral, remote_ephemeral))
    remote_static = state.open(message[32 : 64 + TAG])
    state.mix_key(agree(ephemeral, remote_static))
    remote, fields = check_payload(state.open(message[64 + TAG :]), remote_static)
    sealed_static = state.seal(public_bytes(static))
    state.mix_key(agree(static, remote_ephemeral))
    link.send(_frame(sealed_static + state.seal(handshake_payload(identity, static, muxers))))
    sending, receiving = state.split()
    secured = NoiseLink(wire, sending, receiving, remote, remote_static)
    secured.remote_payload = fields
    return secured


def respond(
    link: Link,
    identity: Identity,
    leftover: bytes = b"",
    timeout: float = 10.0,
    muxers: tuple[str, ...] = (),
    check: Callable[[bytes, bytes], tuple[bytes, dict[int, list[int | bytes]]]] = check_payload,
) -> NoiseLink:
    """The handshake as responder. `check` judges the peer's payload."""
    wire, state = Buffered(link, leftover), Symmetric()
    ephemeral, static = X25519PrivateKey.generate(), X25519PrivateKey.generate()
    message = _read_frame(wire, timeout)
    remote_ephemeral = message[:32]
    state.mix_hash(remote_ephemeral)
    state.open(message[32:])
    state.mix_hash(public_bytes(ephemeral))
    state.mix_key(agree(ephemeral, remote_ephemeral))
    sealed_static = state.seal(public_bytes(static))
    state.mix_key(agree(static, remote_ephemeral))
    sealed_payload = state.seal(handshake_payload(identity, static, muxers))
    link.send(_frame(public_bytes(ephemeral) + sealed_static + sealed_payload))
    message = _read_frame(wire, timeout)
    remote_static = state.open(message[: 32 + TAG])
    state.mix_key(agree(ephemeral, remote_static))
    remote, fields = check(state.open(message[32 + TAG :]), remote_static)
    receiving, sending = state.split()
    secured = NoiseLink(wire, sending, receiving, remote, remote_static)
    secured.remote_payload = fields
    return secured
