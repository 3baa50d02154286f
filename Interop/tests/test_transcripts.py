"""The golden transcripts, read a second time: by the stack that shares nothing with Oxbow's code."""

from __future__ import annotations

import unittest
from unittest import mock

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from stack import multistream, noise
from stack.link import Buffered
from transcripts.keys import RecordedIdentity
from transcripts.reading import FOLDER, RecordedLink, Transcript

#: How many bytes arrive at once: all, few, one.
STEPS = (1 << 16, 7, 1)


def names(prefix: str) -> list[str]:
    """The transcripts whose names begin so; there must be some."""
    found = sorted(path.stem for path in FOLDER.glob(f"{prefix}*.txt"))
    if not found:
        raise AssertionError(f"no transcript begins with {prefix}")
    return found


class MultistreamTests(unittest.TestCase):
    """The stack's dialer and listener say what the recorded ones said."""

    def test_dialer(self) -> None:
        for name in ("multistream-patient", "multistream-eager-listener"):
            transcript = Transcript.load(name)
            protocol = transcript.endings["A"].split(",")[0].removeprefix("agreed on ")
            for step in STEPS:
                with self.subTest(name=name, step=step):
                    link = RecordedLink(transcript.sent_by("B"), step)
                    wire = Buffered(link)
                    multistream.select(link.send, lambda count: wire.read(count, 1), protocol)
                    self.assertTrue(transcript.sent_by("A").startswith(link.sent))
                    self.assertEqual(link.sent, multistream.lines(multistream.HEADER, protocol))

    def test_listener(self) -> None:
        for name in ("multistream-patient", "multistream-pipelined", "multistream-refused-then-agreed"):
            transcript = Transcript.load(name)
            for step in STEPS:
                with self.subTest(name=name, step=step):
                    link = RecordedLink(transcript.sent_by("A"), step)
                    wire = Buffered(link)
                    agreed = multistream.accept(link.send, lambda count: wire.read(count, 1), {"/echo/1.0.0"})
                    self.assertEqual(transcript.endings["B"], f'agreed on {agreed}, hears "hello"')
                    self.assertEqual(multistream.read_line(lambda count: wire.read(count, 1)), "hello")
                    rest = transcript.sent_by("B").removeprefix(link.sent)
                    self.assertIn(rest, (b"", multistream.line("world")))

    def test_refusal(self) -> None:
        transcript = Transcript.load("multistream-refused")
        wire = Buffered(RecordedLink(transcript.sent_by("B")))
        answers = [multistream.read_line(lambda count: wire.read(count, 1)) for _ in range(3)]
        self.assertEqual(answers, [multistream.HEADER, multistream.NOT_AVAILABLE, multistream.NOT_AVAILABLE])
        self.assertEqual(wire.leftover(), b"")
        self.assertEqual(transcript.endings["B"], "nothing is agreed on")


class NoiseTests(unittest.TestCase):
    """The stack's handshake, given the same keys, sends the recorded bytes, and reads the recorded records."""

    def play(self, transcript: Transcript, side: str, step: int) -> tuple[RecordedLink, noise.NoiseLink]:
        """The stack in the place of one side."""
        other = "B" if side == "A" else "A"
        inputs = transcript.inputs
        identity = RecordedIdentity(inputs[f"{side}.identity"], inputs.get(f"{side}.signature"))
        link = RecordedLink(transcript.sent_by(other), step)
        keys = [X25519PrivateKey.from_private_bytes(inputs[f"{side}.{name}"]) for name in ("ephemeral", "static")]
        muxers: tuple[str, ...] = ()
        if "multiplexer /" in transcript.endings[side]:
            muxers = ("/yamux/1.0.0", "/mplex/6.7.0") if side == "A" else ("/yamux/1.0.0",)
        with mock.patch.object(noise.X25519PrivateKey, "generate", side_effect=keys):
            handshake = noise.initiate if side == "A" else noise.respond
            return link, handshake(link, identity, b"", 1, muxers)  # type: ignore[arg-type]

    def test_both_roles(self) -> None:
        for name in names("noise-"):
            transcript = Transcript.load(name)
            for side, other, said, heard in (("A", "B", b"ping", b"pong"), ("B", "A", b"pong", b"ping")):
                for step in STEPS:
                    with self.subTest(name=name, side=side, step=step):
                        link, secured = self.play(transcript, side, step)
                        self.assertEqual(secured.receive(1), heard)
                        secured.send(said)
                        self.assertEqual(link.sent, transcript.sent_by(side))
                        peer = RecordedIdentity(transcript.inputs[f"{other}.identity"], b"")
                        self.assertEqual(secured.remote, peer.multihash)
                        self.assertTrue(transcript.endings[side].startswith(f"knows {peer.peer_id}, "))

    def test_early_muxer(self) -> None:
        transcript = Transcript.load("noise-early-muxer")
        for side in "AB":
            self.assertIn("multiplexer /yamux/1.0.0", transcript.endings[side])
        _, secured = self.play(transcript, "B", 1 << 16)
        self.assertIn(4, secured.remote_payload)

    def test_a_changed_byte_is_noticed(self) -> None:
        transcript = Transcript.load("noise-ed25519")
        message = next(m for m in transcript.messages if m.sender == "B")
        message.data = message.data[:-1] + bytes([message.data[-1] ^ 1])
        with self.assertRaises(noise.NoiseError):
            self.play(transcript, "A", 1 << 16)


if __name__ == "__main__":
    unittest.main()
