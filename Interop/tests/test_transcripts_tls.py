"""The golden transcripts of TLS, read with the ephemeral keys that they name."""

from __future__ import annotations

import unittest
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from stack import noise
from stack.identity import verify
from transcripts import tls13
from transcripts.keys import RecordedIdentity
from transcripts.reading import FOLDER, Transcript

EXTENSION = x509.ObjectIdentifier("1.3.6.1.4.1.53594.1.1")
SIGNED_PREFIX = b"libp2p-tls-handshake:"
CONTEXT = {"A": b"TLS 1.3, client CertificateVerify", "B": b"TLS 1.3, server CertificateVerify"}


def signed_key(der: bytes) -> tuple[bytes, bytes]:
    """The two octet strings of a SignedKey."""

    def element(data: bytes, tag: int) -> tuple[bytes, bytes]:
        if data[0] != tag:
            raise ValueError(f"tag {data[0]} in place of {tag}")
        if data[1] < 0x80:
            start, length = 2, data[1]
        else:
            start = 2 + data[1] - 0x80
            length = int.from_bytes(data[2:start], "big")
        return data[start : start + length], data[start + length :]

    content, rest = element(der, 0x30)
    key, content = element(content, 0x04)
    signature, content = element(content, 0x04)
    if rest or content:
        raise ValueError("bytes behind a SignedKey")
    return key, signature


@dataclass
class Onlooker:
    """Follows a handshake with both ephemeral keys, and verifies all that either side has to."""

    transcript: Transcript
    hashed: bytes = b""
    schedule: tls13.Schedule | None = None
    openers: dict[str, tls13.Opener] = field(default_factory=dict)
    secrets: dict[str, bytes] = field(default_factory=dict)
    next_secrets: dict[str, bytes] = field(default_factory=dict)
    offered: list[bytes] = field(default_factory=list)
    agreed: bytes | None = None
    proved: dict[str, bytes] = field(default_factory=dict)
    certificates: dict[str, x509.Certificate] = field(default_factory=dict)
    said: dict[str, bytes] = field(default_factory=lambda: {"A": b"", "B": b""})

    def run(self) -> None:
        """Reads all messages in their order."""
        for message in self.transcript.messages:
            for kind, header, content in tls13.records(message.data):
                if kind == tls13.CHANGE_CIPHER_SPEC:
                    continue
                if kind == tls13.APPLICATION_DATA:
                    kind, content = self.openers[message.sender].open(header, content)
                if kind == tls13.APPLICATION_DATA:
                    self.said[message.sender] += content
                elif kind == tls13.HANDSHAKE:
                    for part in tls13.handshake_messages(content):
                        self.take(message.sender, part)
                else:
                    raise ValueError(f"a record of type {kind}")

    def private_key(self, side: str) -> X25519PrivateKey:
        """The ephemeral key: the first secret random bytes."""
        return X25519PrivateKey.from_private_bytes(self.transcript.inputs[f"{side}.secret-random"][:32])

    def take(self, side: str, message: tls13.HandshakeMessage) -> None:
        """One message of the handshake."""
        if message.kind in (tls13.CLIENT_HELLO, tls13.SERVER_HELLO):
            # A server repeats the client's legacy session id.
            drawn = message.body[2:34] + (tls13.vector(message.body, 34, 1)[0] if side == "A" else b"")
            assert self.transcript.inputs[f"{side}.public-random"].startswith(drawn), f"{side}'s random"
        if message.kind == tls13.CLIENT_HELLO:
            found = tls13.client_hello(message.body)
            shares = tls13.client_shares(found[tls13.KEY_SHARE])
            assert shares[29] == noise.public_bytes(self.private_key("A")), "A's key share"
            names, at = tls13.vector(found[tls13.ALPN], 0, 2)[0], 0
            while at < len(names):
                name, at = tls13.vector(names, at, 1)
                self.offered.append(name)
        elif message.kind == tls13.SERVER_HELLO:
            self.server_hello(message)
            return
        elif message.kind == tls13.ENCRYPTED_EXTENSIONS:
            found = tls13.extensions(tls13.vector(message.body, 0, 2)[0])
            names = tls13.vector(found[tls13.ALPN], 0, 2)[0]
            self.agreed = tls13.vector(names, 0, 1)[0]
        elif message.kind == tls13.CERTIFICATE:
            self.certificate(side, message.body)
        elif message.kind == tls13.CERTIFICATE_VERIFY:
            self.certificate_verify(side, message.body)
        elif message.kind == tls13.FINISHED:
            self.finished(side, message)
            return
        self.hashed += message.whole

    def server_hello(self, message: tls13.HandshakeMessage) -> None:
        """Both sides have their keys now."""
        self.hashed += message.whole
        suite, found = tls13.server_hello(message.body)
        public = tls13.server_share(found[tls13.KEY_SHARE])
        assert public == noise.public_bytes(self.private_key("B")), "B's key share"
        self.schedule = tls13.Schedule(suite, self.private_key("A"), public)
        for side, name in (("A", b"c"), ("B", b"s")):
            self.secrets[side] = self.schedule.handshake_secret(name, self.hashed)
            self.openers[side] = tls13.Opener(self.schedule, self.secrets[side])

    def certificate(self, side: str, body: bytes) -> None:
        """One certificate, whose extension proves the identity."""
        _, at = tls13.vector(body, 0, 1)
        entries, _ = tls13.vector(body, at, 3)
        der, at = tls13.vector(entries, 0, 3)
        _, at = tls13.vector(entries, at, 2)
        assert at == len(entries), "more than one certificate"
        assert der == self.transcript.inputs[f"{side}.certificate"], "another certificate than the input"
        certificate = x509.load_der_x509_certificate(der)
        public = certificate.public_key()
        assert isinstance(public, ec.EllipticCurvePublicKey)
        public.verify(certificate.signature, certificate.tbs_certificate_bytes, ec.ECDSA(hashes.SHA256()))
        value = certificate.extensions.get_extension_for_oid(EXTENSION).value
        assert isinstance(value, x509.UnrecognizedExtension)
        key, signature = signed_key(value.value)
        spki = public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        assert verify(key, SIGNED_PREFIX + spki, signature), "the extension's signature"
        self.proved[side] = key
        self.certificates[side] = certificate

    def certificate_verify(self, side: str, body: bytes) -> None:
        """The certificate's key signs the handshake so far."""
        assert body[:2] == b"\x04\x03", "ecdsa_secp256r1_sha256"
        assert self.schedule is not None
        signed = b" " * 64 + CONTEXT[side] + b"\0"
        signed += self.digest()
        public = self.certificates[side].public_key()
        assert isinstance(public, ec.EllipticCurvePublicKey)
        public.verify(tls13.vector(body, 2, 2)[0], signed, ec.ECDSA(hashes.SHA256()))

    def digest(self) -> bytes:
        """The hash of the handshake so far."""
        assert self.schedule is not None
        digest = hashes.Hash(self.schedule.suite.hash())
        digest.update(self.hashed)
        return digest.finalize()

    def finished(self, side: str, message: tls13.HandshakeMessage) -> None:
        """The MAC over the handshake; behind it, other keys."""
        assert self.schedule is not None
        assert message.body == self.schedule.finished(self.secrets[side], self.hashed), f"{side}'s Finished"
        self.hashed += message.whole
        if side == "B":
            for name, label in (("A", b"c"), ("B", b"s")):
                self.next_secrets[name] = self.schedule.application_secret(label, self.hashed)
        self.openers[side] = tls13.Opener(self.schedule, self.next_secrets[side])


class TLSTests(unittest.TestCase):
    """Keys, certificates, signatures, MACs and records, each as RFC 8446 and the libp2p specification have them."""

    def test_each(self) -> None:
        found = sorted(path.stem for path in FOLDER.glob("tls-*.txt"))
        self.assertEqual(len(found), 5)
        for name in found:
            with self.subTest(name=name):
                transcript = Transcript.load(name)
                onlooker = Onlooker(transcript)
                onlooker.run()
                self.assertEqual(onlooker.said, {"A": b"ping", "B": b"pong"})
                for side, other in (("A", "B"), ("B", "A")):
                    identity = RecordedIdentity(transcript.inputs[f"{other}.identity"], b"")
                    self.assertEqual(onlooker.proved[other], identity.public_key)
                    self.assertTrue(transcript.endings[side].startswith(f"knows {identity.peer_id}, "))
                muxers = [b"/yamux/1.0.0", b"/mplex/6.7.0"] if name == "tls-early-muxer" else []
                self.assertEqual(onlooker.offered, [*muxers, b"libp2p"])
                self.assertEqual(onlooker.agreed, (muxers or [b"libp2p"])[0])

    def test_a_changed_byte_is_noticed(self) -> None:
        transcript = Transcript.load("tls-ed25519")
        message = transcript.messages[-1]
        message.data = message.data[:-1] + bytes([message.data[-1] ^ 1])
        with self.assertRaises(InvalidTag):
            Onlooker(transcript).run()


if __name__ == "__main__":
    unittest.main()
