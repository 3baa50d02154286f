"""Writes a new private key in libp2p's protobuf encoding: `python -m peers.make_key TYPE FILE`.

Run by the peers' own Python, which has the `cryptography` package; it isn't needed elsewhere.
"""

from __future__ import annotations

import sys
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from .wire import encode_message

_RSA_BITS = 2048


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


if __name__ == "__main__":
    Path(sys.argv[2]).write_bytes(private_key(sys.argv[1]))
