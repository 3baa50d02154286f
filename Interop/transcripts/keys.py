"""Identity keys from their libp2p key messages (peer-ids.md of the libp2p specifications), private halves included."""

from __future__ import annotations

from typing import cast

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

from peers.wire import decode_message, encode_base58, encode_message, first_bytes
from stack.identity import multihash_of, verify

_RSA, _ED25519, _SECP256K1, _ECDSA = range(4)
_DER = serialization.Encoding.DER
_SPKI = serialization.PublicFormat.SubjectPublicKeyInfo


class RecordedIdentity:
    """What `stack.identity.Identity` is, of any key type. `signature` is given out where a second one would differ."""

    def __init__(self, message: bytes, signature: bytes | None = None) -> None:
        fields = decode_message(message)
        self._signature = signature
        self._kind = int(cast(int, fields[1][0]))
        data = first_bytes(fields, 2) or b""
        self._key, public = _load(self._kind, data)
        self.public_key = encode_message((1, self._kind), (2, public))
        self.multihash = multihash_of(self.public_key)
        self.peer_id = encode_base58(self.multihash)

    def sign(self, message: bytes) -> bytes:
        """The signature over `message`; a recorded one is verified before it is given out."""
        if isinstance(self._key, ed25519.Ed25519PrivateKey):
            return self._key.sign(message)
        if isinstance(self._key, rsa.RSAPrivateKey):
            return self._key.sign(message, padding.PKCS1v15(), hashes.SHA256())
        if self._signature is None or not verify(self.public_key, message, self._signature):
            raise ValueError("the recorded signature is none of this message")
        return self._signature


def _load(
    kind: int, data: bytes
) -> tuple[ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, bytes]:
    """The key, and its public half as the public key message carries it."""
    if kind == _ED25519:
        seed_key = ed25519.Ed25519PrivateKey.from_private_bytes(data[:32])
        raw = seed_key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        if raw != data[32:]:
            raise ValueError("the halves of an Ed25519 key don't belong together")
        return seed_key, raw
    if kind == _SECP256K1:
        point_key = ec.derive_private_key(int.from_bytes(data, "big"), ec.SECP256K1())
        form = (serialization.Encoding.X962, serialization.PublicFormat.CompressedPoint)
        return point_key, point_key.public_key().public_bytes(*form)
    key = serialization.load_der_private_key(data, None)
    expected = {_RSA: rsa.RSAPrivateKey, _ECDSA: ec.EllipticCurvePrivateKey}[kind]
    if not isinstance(key, (rsa.RSAPrivateKey, ec.EllipticCurvePrivateKey)) or not isinstance(key, expected):
        raise ValueError(f"a key of another type than {kind}")
    return key, key.public_key().public_bytes(_DER, _SPKI)
