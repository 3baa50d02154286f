"""The golden transcripts of Yamux, streams and migrations, decoded by the stack and held against their endings."""

from __future__ import annotations

import re
import unittest
from dataclasses import dataclass, field

from peers.wire import (
    all_bytes,
    decode_message,
    decode_multiaddr,
    decode_varint,
    describe_identify,
    encode_base58,
    encode_varint,
    first_bytes,
)
from stack import multistream
from stack.identity import multihash_of, verify
from stack.link import Ended
from stack.yamux import Flag, Frame, FrameLink, Type
from transcripts.keys import RecordedIdentity
from transcripts.reading import RecordedLink, Transcript

MIGRATION = "/libp2p/stream-migration"
ECHO = "/echo/1.0.0"
#: What ends in order; of what is reset there is a test of its own.
MIGRATIONS = (
    "labelled-stream", "migration-by-opener", "migration-by-acceptor", "migration-half-closed", "migration-of-2022",
    "denial", "denial-of-2022", "glare-lower-opened", "glare-higher-opened",
)  # fmt: skip


def frames_of(data: bytes) -> list[Frame]:
    """All frames of a direction; each is written back to the same bytes."""
    link = FrameLink(RecordedLink(data))
    frames: list[Frame] = []
    try:
        while True:
            frames.append(link.receive(1))
    except Ended:
        pass
    if b"".join(frame.encoded() for frame in frames) != data:
        raise AssertionError("frames that are not what was sent")
    return frames


def delimited(data: bytes) -> list[bytes]:
    """Messages behind their lengths."""
    found: list[bytes] = []
    at = 0
    while at < len(data):
        length, at = decode_varint(data, at)
        if at + length > len(data):
            raise ValueError("a message ends early")
        found.append(data[at : at + length])
        at += length
    return found


def envelope(data: bytes, domain: str, kind: bytes, signer: bytes) -> bytes:
    """The payload of a signed envelope (RFC 0002 of libp2p), verified."""
    fields = decode_message(data)
    key, found_kind = first_bytes(fields, 1) or b"", first_bytes(fields, 2) or b""
    payload, signature = first_bytes(fields, 3) or b"", first_bytes(fields, 5) or b""
    signed = b"".join(encode_varint(len(part)) + part for part in (domain.encode(), found_kind, payload))
    assert found_kind == kind, "the envelope's type"
    assert multihash_of(key) == signer, "the envelope's signer"
    assert verify(key, signed, signature), "the envelope's signature"
    return payload


class YamuxTests(unittest.TestCase):
    """The session, frame by frame."""

    def test_session(self) -> None:
        transcript = Transcript.load("yamux")
        heard: dict[str, dict[int, bytes]] = {"A": {}, "B": {}}
        for side, other, parity in (("A", "B", 1), ("B", "A", 0)):
            frames = frames_of(transcript.sent_by(side))
            opened = [f.stream for f in frames if f.has(Flag.SYN) and f.type != Type.PING]
            self.assertTrue(opened and all(stream % 2 == parity for stream in opened))
            pings = [f.length for f in frames if f.type == Type.PING and f.has(Flag.SYN)]
            back = frames_of(transcript.sent_by(other))
            answers = [f.length for f in back if f.type == Type.PING and f.has(Flag.ACK)]
            self.assertTrue(pings)
            self.assertEqual(pings, answers)
            self.assertEqual([(f.type, f.length) for f in frames if f.type == Type.GO_AWAY], [(Type.GO_AWAY, 0)])
            for frame in frames:
                if frame.body:
                    heard[other][frame.stream] = heard[other].get(frame.stream, b"") + frame.body
        self.assertEqual(heard, {"A": {1: b"world!", 2: b"hello"}, "B": {1: b"hello", 3: b"hello"}})
        for side, streams in heard.items():
            for stream, text in streams.items():
                self.assertIn(f'{stream}: "{text.decode()}"', transcript.endings[side])
        resets = [f.stream for f in frames_of(transcript.sent_by("A")) if f.has(Flag.RST)]
        self.assertEqual(resets, [2])


class StreamTests(unittest.TestCase):
    """identify, relay and DCUtR: the negotiation, then each message."""

    def messages(self, name: str, protocol: str) -> tuple[Transcript, list[bytes], list[bytes]]:
        """What either side says behind the negotiation."""
        transcript = Transcript.load(name)
        negotiation = multistream.lines(multistream.HEADER, protocol)
        rest = []
        for side in "AB":
            said = transcript.sent_by(side)
            self.assertTrue(said.startswith(negotiation))
            rest.append(delimited(said[len(negotiation) :]))
        return transcript, rest[0], rest[1]

    @staticmethod
    def peer(transcript: Transcript, name: str) -> bytes:
        """A peer id from the inputs, as a multihash."""
        return RecordedIdentity(transcript.inputs[f"{name}.identity"]).multihash

    def test_identify(self) -> None:
        transcript, asked, told = self.messages("identify", "/ipfs/id/1.0.0")
        self.assertEqual((len(asked), len(told)), (0, 1))
        self.assertEqual([m.sender for m in transcript.messages if not m.data], ["A", "B"])
        said = describe_identify(told[0])
        self.assertEqual(said["agent"], "transcript/1")
        self.assertEqual(said["listen_addrs"], ["/ip4/8.8.8.20/tcp/4001"])
        self.assertEqual(said["observed_addr"], "/ip4/8.8.8.10/tcp/4001")
        self.assertIn(MIGRATION, str(said["protocols"]))
        peer = self.peer(transcript, "B")
        fields = decode_message(told[0])
        self.assertEqual(multihash_of(first_bytes(fields, 1) or b""), peer)
        record = decode_message(
            envelope(first_bytes(fields, 8) or b"", "libp2p-peer-record", b"\x03\x01", peer)
        )
        self.assertEqual(first_bytes(record, 1), peer)
        self.assertEqual(record[2], [1_800_000_000])
        addresses = [first_bytes(decode_message(a), 1) or b"" for a in all_bytes(record, 3)]
        self.assertEqual([decode_multiaddr(address) for address in addresses], said["listen_addrs"])

    def test_reservation(self) -> None:
        transcript, asked, told = self.messages("relay-reserve", "/libp2p/circuit/relay/0.2.0/hop")
        self.assertEqual([decode_message(message) for message in asked], [{1: [0]}])
        (answer,) = (decode_message(message) for message in told)
        self.assertEqual((answer[1], answer[5]), ([2], [100]))
        reservation = decode_message(first_bytes(answer, 3) or b"")
        self.assertEqual(reservation[1], [1_800_003_600])
        self.assertEqual([decode_multiaddr(a) for a in all_bytes(reservation, 2)], ["/ip4/8.8.8.20/tcp/4001"])
        relay, client = self.peer(transcript, "B"), self.peer(transcript, "A")
        payload = envelope(first_bytes(reservation, 3) or b"", "libp2p-relay-rsvp", b"\x03\x02", relay)
        self.assertEqual(decode_message(payload), {1: [relay], 2: [client], 3: [1_800_003_600]})
        self.assertEqual(decode_message(first_bytes(answer, 4) or b""), {1: [120], 2: [1 << 17]})

    def test_circuit(self) -> None:
        transcript, asked, told = self.messages("relay-connect", "/libp2p/circuit/relay/0.2.0/hop")
        third = self.peer(transcript, "third")
        (request,) = (decode_message(message) for message in asked)
        self.assertEqual(request[1], [1])
        self.assertEqual(decode_message(first_bytes(request, 2) or b"")[1], [third])
        (answer,) = (decode_message(message) for message in told)
        self.assertEqual((answer[1], answer[5]), ([2], [100]))
        transcript, asked, told = self.messages("relay-stop", "/libp2p/circuit/relay/0.2.0/stop")
        (request,) = (decode_message(message) for message in asked)
        self.assertEqual(request[1], [0])
        self.assertEqual(decode_message(first_bytes(request, 2) or b"")[1], [third])
        self.assertEqual(decode_message(first_bytes(request, 3) or b""), {1: [120], 2: [1 << 17]})
        (answer,) = (decode_message(message) for message in told)
        self.assertEqual((answer[1], answer[4]), ([1], [100]))
        self.assertIn(encode_base58(third), transcript.endings["B"])

    def test_hole_punch(self) -> None:
        _, asked, told = self.messages("dcutr", "/libp2p/dcutr")
        connect, sync = (decode_message(message) for message in asked)
        (answer,) = (decode_message(message) for message in told)
        self.assertEqual((connect[1], answer[1], sync), ([100], [100], {1: [300]}))
        addresses = [decode_multiaddr(first_bytes(message, 2) or b"") for message in (connect, answer)]
        self.assertEqual(addresses, ["/ip4/8.8.8.10/tcp/4001", "/ip4/8.8.8.20/tcp/4001"])


@dataclass
class Underlying:
    """One stream of a connection's multiplexer, from its opener's side."""

    opener: str
    flags: dict[str, int] = field(default_factory=lambda: {"A": 0, "B": 0})
    said: dict[str, bytes] = field(default_factory=lambda: {"A": b"", "B": b""})

    def names(self, side: str) -> tuple[list[str], bytes]:
        """What the side negotiates at the front, message of migration included as text, and what follows."""
        rest, names = self.said[side], []
        while rest:
            length, at = decode_varint(rest)
            body = rest[at : at + length]
            if not (body.endswith(b"\n") and body.startswith((b"/", b"na"))):
                if not (names and names[-1].rstrip("/") == MIGRATION):
                    break
                names.append(self.migration_message(rest[0:1] + rest[1 : at + length], names[-1], side))
                if names[-1] == "data":
                    names.pop()
                    break
            else:
                names.append(body[:-1].decode())
            rest = rest[at + length :]
        return names, rest

    def migration_message(self, message: bytes, name: str, side: str) -> str:
        """A message of stream migration as text; a bare answer in the dialect of 2022."""
        if name.endswith("/") and side != self.opener:
            return {b"\0": "ack", b"\x02\x08\x01": "denied"}.get(message, "data")
        fields = decode_message(message[1:])
        if 1 in fields:
            return f"label {decode_message(first_bytes(fields, 1) or b'')[1][0]}"
        if 2 in fields:
            inner = decode_message(first_bytes(fields, 2) or b"")
            return f"migrate {inner[1][0]} from {inner[2][0]}"
        return "denied" if decode_message(first_bytes(fields, 3) or b"").get(1) == [1] else "ack"


def streams_of(transcript: Transcript) -> dict[tuple[int, int], Underlying]:
    """All streams by connection and number."""
    streams: dict[tuple[int, int], Underlying] = {}
    for message in transcript.messages:
        for frame in frames_of(message.data):
            key = (message.connection, frame.stream)
            if frame.has(Flag.SYN):
                streams[key] = Underlying(message.sender)
            stream = streams[key]
            if frame.type == Type.DATA and stream.flags[message.sender] & Flag.FIN and frame.body:
                raise AssertionError("data behind a FIN")
            stream.flags[message.sender] |= frame.flags
            stream.said[message.sender] += frame.body
    return streams


class MigrationTests(unittest.TestCase):
    """Labels, Migrates and their answers; and that source and target together are what the endings say."""

    def read(self, name: str) -> tuple[Transcript, Underlying, list[Underlying], int]:
        """The transcript, its labelled stream, the targets, the label."""
        transcript = Transcript.load(name)
        streams = streams_of(transcript)
        source = next(s for (connection, _), s in streams.items() if connection == 1)
        targets = [s for (connection, _), s in streams.items() if connection == 2]
        opening, _ = source.names("A")
        answer, _ = source.names("B")
        protocol = opening[1]
        self.assertEqual(protocol, MIGRATION + ("/" if name.endswith("2022") else ""))
        self.assertEqual(opening, [multistream.HEADER, protocol, opening[2], multistream.HEADER, ECHO])
        self.assertEqual(answer, [multistream.HEADER, protocol, multistream.HEADER, ECHO])
        return transcript, source, targets, int(opening[2].removeprefix("label "))

    def parity(self, transcript: Transcript, side: str) -> int:
        """0 for the lower peer id, 1 for the higher one (SM-L2)."""
        peers = {s: RecordedIdentity(transcript.inputs[f"{s}.identity"]).multihash for s in "AB"}
        return 0 if peers[side] == min(peers.values()) else 1

    def test_each(self) -> None:
        for name in MIGRATIONS:
            with self.subTest(name=name):
                self.check(name)

    def check(self, name: str) -> None:
        """One transcript."""
        transcript, source, targets, label = self.read(name)
        self.assertEqual(label % 2, self.parity(transcript, "A"))
        said = {side: source.names(side)[1] for side in "AB"}
        self.assertEqual({side: bool(f & Flag.FIN) for side, f in source.flags.items()}, {"A": True, "B": True})
        current = label
        outcomes = []
        for target in targets:
            other = "B" if target.opener == "A" else "A"
            asked, more = target.names(target.opener)
            answered, back = target.names(other)
            protocol = answered[1]
            self.assertEqual(asked[:2], [multistream.HEADER, protocol])
            self.assertEqual(answered[:2], [multistream.HEADER, protocol])
            self.assertEqual((len(asked), len(answered)), (3, 3))
            new, start = re.fullmatch(r"migrate (\d+) from (\d+)", asked[2]).groups()  # type: ignore[union-attr]
            self.assertEqual((int(new) % 2, int(start)), (self.parity(transcript, target.opener), label))
            outcomes.append((self.parity(transcript, target.opener), answered[2]))
            if answered[2] == "ack":
                current = int(new)
                said[target.opener] += more
                said[other] += back
                self.assertTrue(all(flags & Flag.FIN for flags in target.flags.values()))
            else:
                self.assertEqual((more, back), (b"", b""))
        self.check_outcomes(name, outcomes)
        for side, other in (("A", "B"), ("B", "A")):
            text = said[other].decode()
            self.assertTrue(transcript.endings[side].startswith(f'hears "{text}" and the end, id {current}, '))
            self.assertTrue(text)

    def check_outcomes(self, name: str, outcomes: list[tuple[int, str]]) -> None:
        """How each attempt went, by the parity of who asked."""
        answers = [answer for _, answer in outcomes]
        if name.startswith("migration"):
            self.assertEqual(answers, ["ack"])
        elif name.startswith("denial"):
            self.assertEqual(answers, ["denied"])
        elif name.startswith("glare"):
            # The lower peer id wins (SM-F4).
            self.assertEqual(sorted(outcomes), [(0, "ack"), (1, "denied")])
        else:
            self.assertEqual(answers, [])

    def test_reset(self) -> None:
        _, source, targets, _ = self.read("migration-reset")
        self.assertEqual([t.names("B")[0][2] for t in targets], ["ack"])
        self.assertTrue(targets[0].flags["A"] & Flag.RST)
        self.assertFalse(source.flags["A"] & Flag.RST, "the old source has ended before")

    def test_a_changed_label_is_noticed(self) -> None:
        transcript = Transcript.load("migration-by-opener")
        message = next(m for m in transcript.messages if "Migrate(" in m.text)
        message.data = message.data[:-1] + bytes([message.data[-1] ^ 1])
        target = next(s for (connection, _), s in streams_of(transcript).items() if connection == 2)
        self.assertIn("from 20", message.text)
        self.assertNotIn("from 20", target.names("A")[0][2])


if __name__ == "__main__":
    unittest.main()
