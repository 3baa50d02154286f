"""The encodings, against vectors of the specifications and round trips."""

import unittest

from peers import wire


class VarintTests(unittest.TestCase):
    def test_vectors(self) -> None:
        for value, encoded in ((0, "00"), (1, "01"), (127, "7f"), (128, "8001"), (255, "ff01"), (16384, "808001")):
            self.assertEqual(wire.encode_varint(value).hex(), encoded)
            self.assertEqual(wire.decode_varint(bytes.fromhex(encoded)), (value, len(encoded) // 2))

    def test_a_cut_varint_is_refused(self) -> None:
        with self.assertRaises(ValueError):
            wire.decode_varint(b"\x80")


class MessageTests(unittest.TestCase):
    def test_fields_come_back_in_order(self) -> None:
        message = wire.encode_message((1, 300), (2, b"a"), (2, "b"))
        self.assertEqual(wire.decode_message(message), {1: [300], 2: [b"a", b"b"]})

    def test_a_field_longer_than_the_message_is_refused(self) -> None:
        with self.assertRaises(ValueError):
            wire.decode_message(b"\x0a\x05abc")

    def test_a_delimited_message_is_read_in_pieces(self) -> None:
        stream = iter([b"\x03", b"a", b"bc"])
        self.assertEqual(wire.read_delimited(lambda _: next(stream)), b"abc")

    def test_an_early_end_is_an_error(self) -> None:
        stream = iter([b"\x03", b"a", b""])
        with self.assertRaises(EOFError):
            wire.read_delimited(lambda _: next(stream))


class PeerIDTests(unittest.TestCase):
    # The two text forms of one id, from the peer-ids specification.
    BASE58 = "QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N"
    CID = "bafzbeie5745rpv2m6tjyuugywy4d5ewrqgqqhfnf445he3omzpjbx5xqxe"

    def test_both_forms_are_one_id(self) -> None:
        self.assertEqual(wire.decode_peer_id(self.BASE58), wire.decode_peer_id(self.CID))
        self.assertEqual(wire.encode_base58(wire.decode_peer_id(self.CID)), self.BASE58)

    def test_leading_zeros_survive(self) -> None:
        self.assertEqual(wire.decode_base58(wire.encode_base58(b"\0\0\x01")), b"\0\0\x01")


class MultiaddrTests(unittest.TestCase):
    def test_round_trips(self) -> None:
        for text in (
            "/ip4/127.0.0.1/tcp/4001",
            "/ip6/::1/udp/9/quic-v1",
            "/dns4/example.org/tcp/443/tls/ws",
            f"/ip4/1.2.3.4/tcp/5/p2p/{PeerIDTests.BASE58}/p2p-circuit",
            "/unix/tmp/a/socket",
        ):
            self.assertEqual(wire.decode_multiaddr(wire.encode_multiaddr(text)), text)

    def test_binary_form(self) -> None:
        self.assertEqual(wire.encode_multiaddr("/ip4/127.0.0.1/tcp/4001").hex(), "047f000001060fa1")

    def test_the_last_peer_counts(self) -> None:
        self.assertEqual(wire.split_peer("/p2p/a/p2p-circuit/p2p/b"), ("/p2p/a/p2p-circuit", "b"))
        with self.assertRaises(ValueError):
            wire.split_peer("/ip4/127.0.0.1/tcp/1")


class AutoNATTests(unittest.TestCase):
    PEER = "12D3KooWEWaCemMXe4qN9ewPEYPh52v28x5NdS8HUXU1zdV3D6qH"

    def test_a_question_names_the_host_and_its_addresses_without_the_id(self) -> None:
        question = wire.autonat_question(self.PEER, [f"/ip4/11.2.0.1/tcp/4001/p2p/{self.PEER}"])
        length, start = wire.decode_varint(question)
        self.assertEqual(length, len(question) - start)
        message = wire.decode_message(question[start:])
        self.assertEqual(message[1], [0])
        host = wire.decode_message(wire.first_bytes(wire.decode_message(wire.first_bytes(message, 2) or b""), 1) or b"")
        self.assertEqual(wire.first_bytes(host, 1), wire.decode_peer_id(self.PEER))
        self.assertEqual([wire.decode_multiaddr(raw) for raw in wire.all_bytes(host, 2)], ["/ip4/11.2.0.1/tcp/4001"])

    def test_an_answer_has_a_status_by_name(self) -> None:
        address = wire.encode_multiaddr("/ip4/11.2.0.1/tcp/4001")
        good = wire.encode_message((1, 1), (3, wire.encode_message((1, 0), (3, address))))
        self.assertEqual(wire.describe_autonat(good), {"status": "OK", "text": "", "reached": "/ip4/11.2.0.1/tcp/4001"})
        bad = wire.encode_message((1, 1), (3, wire.encode_message((1, 101), (2, "no"))))
        self.assertEqual(wire.describe_autonat(bad), {"status": "E_DIAL_REFUSED", "text": "no", "reached": None})
