"""Peer ids of new keys, against the vectors of the peer-ids specification."""

import importlib.util
import unittest

from peers import wire

ED25519 = (
    "080112407e0830617c4a7de83925dfb2694556b12936c477a0e1feb2e148ec9da60fee7d"
    "1ed1e8fae2c4a144b8be8fd4b47bf3d3b34b871c3cacf6010f0e42d474fce27e",
    "080112201ed1e8fae2c4a144b8be8fd4b47bf3d3b34b871c3cacf6010f0e42d474fce27e",
)
SECP256K1 = (
    "0802122053dadf1d5a164d6b4acdb15e24aa4c5b1d3461bdbd42abedb0a4404d56ced8fb",
    "08021221037777e994e452c21604f91de093ce415f5432f701dd8cd1a7a6fea0e630bfca99",
)


@unittest.skipUnless(importlib.util.find_spec("cryptography"), "keys are made by the peers' own Python")
class PeerIDTests(unittest.TestCase):
    def test_short_public_keys_are_the_id(self) -> None:
        from peers.make_key import peer_id

        for private, public in (ED25519, SECP256K1):
            raw = bytes.fromhex(public)
            self.assertEqual(wire.decode_peer_id(peer_id(bytes.fromhex(private))), bytes([0, len(raw)]) + raw)

    def test_long_ones_are_hashed(self) -> None:
        from peers.make_key import peer_id, private_key

        for kind in ("rsa", "ecdsa"):
            self.assertTrue(peer_id(private_key(kind)).startswith("Qm"), kind)
