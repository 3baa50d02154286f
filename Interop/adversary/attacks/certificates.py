"""TLS certificates that are wrong, one way each (tls.md of the libp2p specifications), and forged identities."""

from __future__ import annotations

import contextlib
import datetime
import functools
import secrets
import ssl
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from adversary.attacker import GONE, Attacker
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID, ObjectIdentifier
from peers.wire import encode_message
from stack import multistream, noise, yamux
from stack.identity import Identity
from stack.link import Buffered, Silence

_PROTOCOL = "/tls/1.0.0"
_EXTENSION = ObjectIdentifier("1.3.6.1.4.1.53594.1.1")
_PREFIX = b"libp2p-tls-handshake:"
#: Seconds in which the target has to refuse somebody: half of its own deadline, so that who is refused only by that one
#: isn't taken for refused. It says nothing of what a refusal costs, for on a busy machine everybody waits.
_PROMPT = 5.0
#: A payload of Noise's handshake has 4 KiB at most, with the key and a signature of its length in it.
_RSA_BITS = (15_872, 8_200, 1_024)

Key = ec.EllipticCurvePrivateKey


def _der(tag: int, body: bytes) -> bytes:
    length = len(body)
    head = bytes([length]) if length < 0x80 else b"\x82" + length.to_bytes(2, "big")
    return bytes([tag]) + head + body


def _signed_key(public_key: bytes, signature: bytes) -> bytes:
    return _der(0x30, _der(0x04, public_key) + _der(0x04, signature))


def _spki(key: Key) -> bytes:
    return key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def certificate(
    key: Key,
    extension: bytes | None,
    *,
    signer: Key | None = None,
    days: tuple[int, int] = (-1, 30),
    unknown: bool = False,
) -> bytes:
    """A self-signed certificate, or one that says so, as PEM."""
    now = datetime.datetime.now(datetime.timezone.utc)
    name = x509.Name([x509.NameAttribute(NameOID.SERIAL_NUMBER, "1")])
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now + datetime.timedelta(days[0])).not_valid_after(
        now + datetime.timedelta(days[1])
    )
    if extension is not None:
        builder = builder.add_extension(x509.UnrecognizedExtension(_EXTENSION, extension), critical=False)
    if unknown:
        other = x509.UnrecognizedExtension(ObjectIdentifier("1.3.6.1.4.1.99999.7"), b"\x05\x00")
        builder = builder.add_extension(other, critical=True)
    return builder.sign(signer or key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def right_extension(key: Key) -> bytes:
    identity = Identity()
    return _signed_key(identity.public_key, identity.sign(_PREFIX + _spki(key)))


@functools.cache
def huge_rsa_key(bits: int) -> bytes:
    """An RSA public key as protobuf, of a number that is just large: nobody has its private half.

    Its exponent is the largest that libcrypto computes with, which takes four times as long as with the usual one.
    """
    modulus = secrets.randbits(bits) | 1 << (bits - 1) | 1
    public = rsa.RSAPublicNumbers((1 << 64) - 1, modulus).public_key()
    der = public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return encode_message((1, 0), (2, der))


def _variants(key: Key) -> dict[str, Callable[[], bytes]]:
    """The wrong certificates by name."""
    other, identity = ec.generate_private_key(ec.SECP256R1()), Identity()
    flipped = bytearray(right_extension(key))
    flipped[-1] ^= 1
    return {
        "several": lambda: certificate(key, right_extension(key)) + certificate(other, right_extension(other)),
        "expired": lambda: certificate(key, right_extension(key), days=(-60, -30)),
        "future": lambda: certificate(key, right_extension(key), days=(30, 60)),
        "no-extension": lambda: certificate(key, None),
        "bad-self-signature": lambda: certificate(key, right_extension(key), signer=other),
        "unknown-critical": lambda: certificate(key, right_extension(key), unknown=True),
        "flipped-signature": lambda: certificate(key, bytes(flipped)),
        "another-key-signed": lambda: certificate(key, right_extension(other)),
        "another-identity": lambda: certificate(
            key, _signed_key(identity.public_key, Identity().sign(_PREFIX + _spki(key)))
        ),
        "no-prefix": lambda: certificate(key, _signed_key(identity.public_key, identity.sign(_spki(key)))),
        "garbage": lambda: certificate(key, secrets.token_bytes(40)),
        "huge-rsa": lambda: certificate(key, _signed_key(huge_rsa_key(16_384), secrets.token_bytes(2048))),
    }


def _refused(attacker: Attacker, is_served: Callable[[int], bool]) -> None:
    """Comes first as one should, with the number 0: that the target takes this shows that the others are refused for
    what is wrong with them. At last it sees what a refusal costs the target, beside a handshake that is good."""
    for fact in ("wrong ones served", "right ones served", "right ones refused", "unanswered"):
        attacker.facts[fact] = 0

    def come(index: int) -> None:
        served = False
        try:
            served = is_served(index)
        except (Silence, TimeoutError):
            attacker.count("unanswered")
        except GONE:  # TLS's own errors are among them
            pass
        attacker.count(f"{'wrong' if index else 'right'} ones {'served' if served else 'refused'}")

    done = 0
    while attacker.going(done):
        come(done)
        attacker.begun()
        done += 1
    if not attacker.facts["unanswered"]:
        # The least of three, by turns: other work of the machine only ever adds to a cost.
        costs = [(attacker.cost(come), attacker.cost(lambda _: come(0))) for _ in range(3)]
        refusal, handshake = (min(kind) for kind in zip(*costs, strict=True))
        attacker.facts["CPU ms a refusal"] = 1000 * refusal
        attacker.facts["refusal / handshake"] = refusal / handshake


def wrong(name: str) -> Callable[[Attacker], None]:
    """The attack with one of the wrong certificates."""

    def attack(attacker: Attacker) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        right = client_context(key, certificate(key, right_extension(key)))
        bad = client_context(key, _variants(key)[name]())
        _refused(attacker, lambda index: _is_served(attacker, bad if index else right))

    return attack


def old_version(attacker: Attacker) -> None:
    """TLS 1.2 with a right certificate."""
    key = ec.generate_private_key(ec.SECP256R1())
    pem = certificate(key, right_extension(key))
    attacker.facts["wrong ones served"] = 0
    done = 0
    while attacker.going(done):
        with contextlib.suppress(*GONE):
            attacker.count("wrong ones served", _is_served(attacker, client_context(key, pem, ssl.TLSVersion.TLSv1_2)))
        attacker.begun()
        done += 1


def client_context(key: Key, pem: bytes, version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1_2, version
    context.set_alpn_protocols(["libp2p"])
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pair.pem"
        path.write_bytes(private + pem)
        context.load_cert_chain(path)
    return context


class TLSClient:
    """TLS on a connection of the attacker's, as far as an attack needs it."""

    def __init__(self, attacker: Attacker, context: ssl.SSLContext) -> None:
        self.tcp = attacker.connect()
        wire = Buffered(self.tcp)
        multistream.select(self.tcp.send, lambda count: wire.read(count, 5.0), _PROTOCOL)
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._incoming.write(wire.leftover())
        self._tls = context.wrap_bio(self._incoming, self._outgoing)

    def _exchange(self, action: Callable[[], bytes | None], timeout: float) -> bytes | None:
        deadline = time.monotonic() + timeout
        while True:
            try:
                result = action()
                self._flush()
                return result
            except ssl.SSLWantReadError:
                self._flush()
                self._incoming.write(self.tcp.receive(deadline - time.monotonic()))

    def _flush(self) -> None:
        if pending := self._outgoing.read():
            self.tcp.send(pending)

    def handshake(self) -> None:
        """Our side of it; what the target makes of our certificate shows later."""
        self._exchange(self._tls.do_handshake, _PROMPT)

    def send(self, data: bytes) -> None:
        """Sends bytes."""
        self._tls.write(data)
        self._flush()

    def receive(self, timeout: float) -> bytes:
        """Some bytes."""
        return self._exchange(lambda: self._tls.read(1 << 16), timeout) or b""


def _is_served(attacker: Attacker, context: ssl.SSLContext) -> bool:
    """Whether the target answers anything behind the handshake; raises what an end or silence raises."""
    client = TLSClient(attacker, context)
    try:
        client.handshake()
        client.send(multistream.lines(multistream.HEADER, yamux.PROTOCOL))
        return bool(client.receive(_PROMPT))
    finally:
        client.tcp.abort()


# The same over Noise.


class Forged(Identity):
    """An identity whose key and signature are what an attack makes of them."""

    def __init__(self, public_key: bytes | None, signing: Callable[[Identity, bytes], bytes]) -> None:
        super().__init__()
        self._true, self._signing = Identity(), signing
        self.public_key = self._true.public_key if public_key is None else public_key

    def sign(self, message: bytes) -> bytes:
        """What takes the place of a signature."""
        return self._signing(self._true, message)


def _flip(data: bytes, index: int) -> bytes:
    changed = bytearray(data)
    changed[index % len(data)] ^= 1 << index // len(data) % 8
    return bytes(changed)


def _forgery(index: int) -> Forged:
    kinds: list[Callable[[], Forged]] = [
        lambda: Forged(None, lambda true, message: _flip(true.sign(message), index)),
        lambda: Forged(Identity().public_key, lambda true, message: true.sign(message)),
        lambda: Forged(None, lambda true, message: true.sign(b"x" + message)),
        lambda: Forged(None, lambda true, message: true.sign(message.removeprefix(noise.SIGNED_PREFIX))),
        lambda: Forged(None, lambda true, message: b""),
        lambda: Forged(b"", lambda true, message: true.sign(message)),
        lambda: Forged(encode_message((1, 77), (2, bytes(32))), lambda true, message: bytes(64)),
        lambda: Forged(None, lambda true, message: bytes(64)),
    ]
    return kinds[index % len(kinds)]()


def forged_noise(attacker: Attacker) -> None:
    """Static keys that the named identity has not signed."""
    _noise(attacker, _forgery)


def huge_rsa_noise(attacker: Attacker) -> None:
    """RSA keys as large as they go, just above the limit, and below the smallest, with signatures of their length."""

    def forge(index: int) -> Forged:
        bits = _RSA_BITS[index % len(_RSA_BITS)]
        return Forged(huge_rsa_key(bits), lambda true, message: b"\x01" * (bits // 8))

    _noise(attacker, forge)


def _noise(attacker: Attacker, forge: Callable[[int], Identity]) -> None:
    def is_served(index: int) -> bool:
        secured = attacker.secure(forge(index) if index else Identity())
        try:
            secured.send(multistream.lines(multistream.HEADER, yamux.PROTOCOL))
            return bool(secured.receive(_PROMPT))
        finally:
            secured.abort()

    for bits in _RSA_BITS:
        huge_rsa_key(bits)  # made before the target waits for it
    _refused(attacker, is_served)
