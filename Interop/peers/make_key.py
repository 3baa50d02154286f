"""Writes a new private key in libp2p's protobuf encoding: `python -m peers.make_key TYPE FILE`.

With `--kubo` behind it, it also prints the key as Kubo's configuration has it, with the peer id.

Run by the peers' own Python, which has the `cryptography` package; it isn't needed elsewhere.
"""

from __future__ import annotations

import base64
import hashlib
import json
import sys
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
)

from .wire import decode_message, encode_base58, encode_message, first_bytes

_RSA_BITS = 2048
#: Longer public keys are hashed.
_LONGEST_INLINED = 42


def private_key(kind: str) -> bytes:
    """A new key of `kind` as a PrivateKey message (peer-ids specification, section Keys)."""
    if kind == "ed25519":
        edwards = ed25519.Ed25519PrivateKey.generate()
        seed = edwards.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
        return encode_message((1, 1), (2, seed + edwards.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)))
    if kind == "rsa":
        key = rsa.generate_private_key(65537, _RSA_BITS)
        der = key.private_bytes(Encoding.DER, PrivateFormat.TraditionalOpenSSL, NoEncryption())
        return encode_message((1, 0), (2, der))
    if kind == "secp256k1":
        scalar = ec.generate_private_key(ec.SECP256K1()).private_numbers().private_value
        return encode_message((1, 2), (2, scalar.to_bytes(32, "big")))
    if kind == "ecdsa":
        curve = ec.generate_private_key(ec.SECP256R1())
        der = curve.private_bytes(Encoding.DER, PrivateFormat.TraditionalOpenSSL, NoEncryption())
        return encode_message((1, 3), (2, der))
    raise ValueError(f"unknown key type {kind}")


def peer_id(key: bytes) -> str:
    """The peer id of a PrivateKey message (peer-ids specification, section Peer IDs)."""
    fields = decode_message(key)
    kind, raw = fields[1][0], first_bytes(fields, 2) or b""
    assert isinstance(kind, int)
    public = encode_message((1, kind), (2, _public_half(kind, raw)))
    is_short = len(public) <= _LONGEST_INLINED
    digest = bytes([0, len(public)]) + public if is_short else bytes([0x12, 32]) + hashlib.sha256(public).digest()
    return encode_base58(digest)


def _public_half(kind: int, raw: bytes) -> bytes:
    if kind == 1:
        return raw[32:]
    if kind == 2:
        point = ec.derive_private_key(int.from_bytes(raw, "big"), ec.SECP256K1()).public_key()
        return point.public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
    key = load_der_private_key(raw, None)
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def main(kind: str, file: str, *more: str) -> None:
    """Makes a key, writes it, and prints it where that is asked for."""
    key = private_key(kind)
    Path(file).write_bytes(key)
    if "--kubo" in more:
        print(json.dumps({"PeerID": peer_id(key), "PrivKey": base64.b64encode(key).decode()}))


if __name__ == "__main__":
    main(*sys.argv[1:])
