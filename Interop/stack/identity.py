"""Keys and peer ids (peer-ids.md of the libp2p specifications)."""

from __future__ import annotations

import hashlib

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

from peers.wire import decode_message, encode_base58, encode_message, first_bytes

_RSA, _ED25519, _SECP256K1, _ECDSA = range(4)
#: Public keys up to this length are the peer id's hash themselves ("identity").
_INLINED = 42


class Identity:
    """An Ed25519 key pair: who we are. `seed` makes it the same each time."""

    def __init__(self, seed: bytes | None = None) -> None:
        self._key = ed25519.Ed25519PrivateKey.from_private_bytes(seed) if seed else ed25519.Ed25519PrivateKey.generate()
        raw = self._key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        self.public_key = encode_message((1, _ED25519), (2, raw))
        self.multihash = multihash_of(self.public_key)
        self.peer_id = encode_base58(self.multihash)

    def sign(self, message: bytes) -> bytes:
        """An Ed25519 signature."""
        return self._key.sign(message)

    @classmethod
    def ordered_against(cls, other: bytes, lower: bool) -> Identity:
        """An identity whose multihash is lower, or higher, than `other` (SM-L2, SM-F4 order peers so)."""
        while True:
            candidate = cls()
            if (candidate.multihash < other) == lower:
                return candidate


def multihash_of(public_key: bytes) -> bytes:
    """The peer id, as a multihash, of a public key's protobuf."""
    if len(public_key) <= _INLINED:
        return bytes([0, len(public_key)]) + public_key
    return bytes([0x12, 32]) + hashlib.sha256(public_key).digest()


def verify(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """Whether the key, given as protobuf, signed the message. Knows all four key types."""
    fields = decode_message(public_key)
    kind, data = fields.get(1, [-1])[0], first_bytes(fields, 2) or b""
    try:
        if kind == _ED25519:
            ed25519.Ed25519PublicKey.from_public_bytes(data).verify(signature, message)
        elif kind == _SECP256K1:
            point = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256K1(), data)
            point.verify(signature, message, ec.ECDSA(hashes.SHA256()))
        else:
            key = serialization.load_der_public_key(data)
            if isinstance(key, rsa.RSAPublicKey):
                key.verify(signature, message, padding.PKCS1v15(), hashes.SHA256())
            elif isinstance(key, ec.EllipticCurvePublicKey):
                key.verify(signature, message, ec.ECDSA(hashes.SHA256()))
            else:
                return False
    except (InvalidSignature, ValueError):
        return False
    return True
