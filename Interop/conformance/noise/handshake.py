"""Section 1 and 2: the handshake's messages, and what they carry."""

from __future__ import annotations

from collections.abc import Callable

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from peers.wire import encode_message
from stack import noise
from stack.identity import Identity
from stack.link import Ended

from ..case import Level, Section, Violation
from ..target import Target
from .bent import Attempt, Bend, framed, junk, refuse, takes

MESSAGES: Section[Target] = Section("1", "Handshake messages")
PAYLOADS: Section[Target] = Section("2", "Handshake payloads")
_NOISE = "Noise Protocol Framework, section 5"
_PAYLOAD = "noise, The libp2p Handshake Payload"
#: Lengths of an initiator's messages: an ephemeral key; a sealed static key and, at least, an empty sealed payload.
_FIRST = 32
_SEALED_KEY = 48

#: The points of order 1, 2, 4 and 8 on Curve25519 and its twist, in their reduced forms.
_LOW_ORDER = {
    "0": bytes(32),
    "1": b"\x01" + bytes(31),
    "of order 8": bytes.fromhex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"),
    "of order 8, the other": bytes.fromhex("5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157"),
    "p - 1": bytes.fromhex("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
}


def _flipped(message: bytes, index: int) -> bytes:
    return message[:index] + bytes([message[index] ^ 1]) + message[index + 1 :]


@MESSAGES.case("a right handshake is taken", "noise, XX")
def _(target: Target) -> None:
    if not takes(target, Bend()):
        raise Violation("the target does not go on behind a right handshake")


@MESSAGES.case("a right handshake is taken byte by byte", "noise, Wire Format")
def _(target: Target) -> None:
    if not takes(target, Bend(bytewise=True)):
        raise Violation("the target does not go on behind a right handshake")


@MESSAGES.case("message 1 with each of its 32 bytes flipped in turn", _NOISE)
def _(target: Target) -> None:
    for index in range(_FIRST):
        refuse(target, Bend(first=lambda message, index=index: _flipped(message, index)), f"byte {index} flipped")


@MESSAGES.case("behind a message 2 that can't be read, junk as message 3 ends the connection", _NOISE)
def _(target: Target) -> str:
    with Attempt(target) as attempt:
        attempt.send(framed(noise.public_bytes(X25519PrivateKey.generate())))
        attempt.wire.read(2, target.timeout)
        attempt.send(framed(junk(200)))
        return attempt.expect_end("junk in place of message 3")


@MESSAGES.case("message 3 with each of its bytes flipped in turn", _NOISE)
def _(target: Target) -> str:
    with Attempt(target) as attempt:
        attempt.shake()
        length = len(attempt.third)
    for index in range(length):
        refuse(target, Bend(third=lambda message, index=index: _flipped(message, index)), f"byte {index} flipped")
    return f"{length} bytes"


@MESSAGES.case("message 1 shorter than a key", _NOISE)
def _(target: Target) -> None:
    for length in (0, 1, 16, 31):
        with Attempt(target) as attempt:
            attempt.send(framed(junk(length)))
            attempt.expect_end(f"a message 1 of {length} bytes")


@MESSAGES.case("message 3 cut short, its length true", _NOISE)
def _(target: Target) -> None:
    for length in (0, 1, 31, 47, 48, 63, 64, 100):
        refuse(target, Bend(third=lambda message, length=length: message[:length]), f"{length} bytes of message 3")


@MESSAGES.case("message 3 with bytes behind it", _NOISE)
def _(target: Target) -> None:
    for count in (1, 16, 1000):
        refuse(target, Bend(third=lambda message, count=count: message + bytes(count)), f"{count} bytes too many")


@MESSAGES.case("message 1 of 65,535 bytes of junk", "noise, Wire Format", Level.CHOICE)
def _(target: Target) -> str:
    with Attempt(target) as attempt:
        attempt.send(framed(junk(65535)))
        try:
            length = int.from_bytes(attempt.wire.read(2, target.timeout), "big")
        except Ended:
            return "refused"
        return f"answered with {length} bytes: message 1 may carry a payload"


@MESSAGES.case("message 3 of 65,535 bytes of junk", "noise, Wire Format")
def _(target: Target) -> None:
    refuse(target, Bend(third=lambda _: junk(65535)), "junk")


@MESSAGES.case("the connection ends within a message: the target ends its side", "noise, Wire Format")
def _(target: Target) -> None:
    for part in (b"\x00", b"\x00\x20", b"\x00\x20" + bytes(31)):
        with Attempt(target) as attempt:
            attempt.send(part)
            attempt.tcp.flush(target.timeout)
            attempt.tcp.finish()
            attempt.expect_end("the end of our side")


@MESSAGES.case("message 1 sent again in place of message 3", _NOISE)
def _(target: Target) -> None:
    refuse(target, Bend(third=lambda _: noise.public_bytes(X25519PrivateKey.generate())), "a second message 1")


@MESSAGES.case("message 3 of another handshake", "noise, XX: 'resistant to replay attacks'")
def _(target: Target) -> None:
    with Attempt(target) as attempt:
        attempt.shake()
        recorded = attempt.third
    refuse(target, Bend(third=lambda _: recorded), "a replayed message 3")


@MESSAGES.case("a payload in message 1", "noise, libp2p Data in Handshake Messages", Level.CHOICE)
def _(target: Target) -> str:
    return "taken" if takes(target, Bend(early=b"early")) else "refused"


def _low(name: str, point: bytes, which: str) -> None:
    @MESSAGES.case(f"the {which} key is the point {name}", "Noise, section 12: zeros may be an error", Level.CHOICE)
    def _(target: Target) -> str:
        bend = Bend(low_ephemeral=point) if which == "ephemeral" else Bend(low_static=point, payload=_signs(point))
        return "taken" if takes(target, bend) else "refused"


def _signs(static: bytes) -> Callable[[Identity, X25519PrivateKey], bytes]:
    return lambda identity, _: _fields(identity.public_key, identity.sign(noise.SIGNED_PREFIX + static))


def _fields(key: bytes, signature: bytes) -> bytes:
    return encode_message((1, key), (2, signature))


for _name, _point in _LOW_ORDER.items():
    _low(_name, _point, "ephemeral")
    _low(_name, _point, "static")


# MARK: Payloads


def _refused(title: str, make: Callable[[Identity, X25519PrivateKey], bytes], source: str = _PAYLOAD) -> None:
    @PAYLOADS.case(title, source)
    def _(target: Target) -> None:
        refuse(target, Bend(payload=make), title)


def _taken(title: str, make: Callable[[Identity, X25519PrivateKey], bytes], source: str = _PAYLOAD) -> None:
    @PAYLOADS.case(title, source)
    def _(target: Target) -> None:
        if not takes(target, Bend(payload=make)):
            raise Violation("refused")


def _signed(identity: Identity, static: X25519PrivateKey, prefix: bytes = noise.SIGNED_PREFIX) -> bytes:
    return identity.sign(prefix + noise.public_bytes(static))


@PAYLOADS.case(
    "each byte of the payload flipped in turn: key, signature and what frames them", f"{_PAYLOAD}; CVE-2022-24759"
)
def _(target: Target) -> str:
    length = len(noise.handshake_payload(Identity(), X25519PrivateKey.generate()))
    for index in range(length):
        bend = Bend(payload=lambda i, s, index=index: _flipped(noise.handshake_payload(i, s), index))
        refuse(target, bend, f"byte {index} of the payload flipped")
    return f"{length} bytes"


_refused("an empty payload", lambda i, s: b"")
_refused("no key", lambda i, s: encode_message((2, _signed(i, s))))
_refused("no signature", lambda i, s: encode_message((1, i.public_key)), f"{_PAYLOAD}; CVE-2019-15545")
_refused("an empty signature", lambda i, s: _fields(i.public_key, b""))
_refused("a signature by another key", lambda i, s: _fields(i.public_key, _signed(Identity(), s)))
_refused(
    "a signature over another static key",
    lambda i, s: _fields(i.public_key, _signed(i, X25519PrivateKey.generate())),
    f"{_PAYLOAD}; CVE-2022-24759",
)
_refused(
    "a signature with another prefix", lambda i, s: _fields(i.public_key, _signed(i, s, b"noise-libp2p-static-kex:"))
)
_refused("a signature without the prefix", lambda i, s: _fields(i.public_key, _signed(i, s, b"")))
_refused("a signature with a byte behind it", lambda i, s: _fields(i.public_key, _signed(i, s) + b"\0"))
_refused("a signature of zeros", lambda i, s: _fields(i.public_key, bytes(64)))
_refused("a key of an unknown type", lambda i, s: _fields(b"\x08\x07" + i.public_key[2:], _signed(i, s)))
_refused(
    "an Ed25519 key of 31 bytes", lambda i, s: _fields(encode_message((1, 1), (2, i.public_key[4:35])), _signed(i, s))
)
_refused("an empty key", lambda i, s: _fields(b"", _signed(i, s)))
_refused("a payload that is no protobuf", lambda i, s: b"\xff" * 50)
_refused("a payload cut within a field", lambda i, s: noise.handshake_payload(i, s)[:-1])
_refused(
    "a field whose length is 2^64 - 1", lambda i, s: b"\x0a" + b"\xff" * 9 + b"\x01" + noise.handshake_payload(i, s)
)
_taken(
    "unknown fields are skipped",
    lambda i, s: noise.handshake_payload(i, s) + encode_message((99, b"new"), (100, 7)),
    "noise, Noise Extensions; protobuf",
)
_taken(
    "unknown extensions are skipped",
    lambda i, s: noise.handshake_payload(i, s) + encode_message((4, encode_message((1025, b"experiment")))),
    "noise, Noise Extensions",
)
_taken("fields in the other order", lambda i, s: encode_message((2, _signed(i, s)), (1, i.public_key)), "protobuf")


@PAYLOADS.case("a list of 1000 muxers", "noise, Noise Extensions", Level.CHOICE)
def _(target: Target) -> str:
    muxers = tuple(f"/muxer/{index}" for index in range(1000))
    return "taken" if takes(target, Bend(payload=lambda i, s: noise.handshake_payload(i, s, muxers))) else "refused"


@PAYLOADS.case(
    "an Ed25519 key of zeros, a point of low order that nobody has the private half of",
    "RFC 8032: silent",
    Level.CHOICE,
)
def _(target: Target) -> str:
    # A signature of zeros holds for about every fourth message.
    payload = _fields(encode_message((1, 1), (2, bytes(32))), bytes(64))
    for attempt in range(1, 41):
        if takes(target, Bend(payload=lambda i, s: payload)):
            return f"taken, at attempt {attempt}: everybody can be this peer"
    return "refused 40 times"


def _rsa_payload(bits: int) -> Callable[[Identity, X25519PrivateKey], bytes]:
    def make(_: Identity, static: X25519PrivateKey) -> bytes:
        key = rsa.generate_private_key(65537, bits)
        der = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        message = noise.SIGNED_PREFIX + noise.public_bytes(static)
        return _fields(encode_message((1, 0), (2, der)), key.sign(message, padding.PKCS1v15(), hashes.SHA256()))

    return make


@PAYLOADS.case("an RSA key of 2048 bits", "peer-ids: 'SHOULD support RSA'", Level.CHOICE)
def _(target: Target) -> str:
    return "taken" if takes(target, Bend(payload=_rsa_payload(2048))) else "refused"


@PAYLOADS.case("an RSA key of 1024 bits is too weak", "attack: a key that can be broken", Level.SHOULD)
def _(target: Target) -> None:
    refuse(target, Bend(payload=_rsa_payload(1024)), "a key of 1024 bits")


@PAYLOADS.case("an RSA key of 16,384 bits costs the target nothing", "CVE-2023-39533, CVE-2025-29606")
def _(target: Target) -> None:
    number = int.from_bytes(b"\xff" + junk(2047), "big") | 1
    der = (
        rsa.RSAPublicNumbers(65537, number)
        .public_key()
        .public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    payload = _fields(encode_message((1, 0), (2, der)), junk(2048))
    refuse(target, Bend(payload=lambda i, s: payload), "a key of 16,384 bits")
