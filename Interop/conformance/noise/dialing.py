"""Section 4: the target dials, and our message 2 is wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from stack import multistream, noise
from stack.identity import Identity
from stack.link import Buffered, Ended, Silence

from ..case import Inapplicable, Level, Section, Violation
from ..dialled import listening
from ..target import Target
from .bent import Change, framed, junk, unchanged

_NOISE = "Noise Protocol Framework, section 5"
_PAYLOAD = "noise, The libp2p Handshake Payload"
#: The cases of flipped bytes share the bytes among them, so that they can run side by side.
_SHARES = 8


@dataclass(frozen=True)
class Dialer:
    """A target that dials by a command."""

    target: Target
    command: str | None


SECTION: Section[Dialer] = Section("4", "As the dialer")
_Payload = Callable[[Identity, X25519PrivateKey], bytes]


def answer(dialer: Dialer, change: Change = unchanged, payload: _Payload = noise.handshake_payload) -> tuple[bool, int]:
    """Answers the target's handshake, bent. Whether it goes on with message 3, and how long our message was."""
    if not dialer.command:
        raise Inapplicable("no command that makes the target dial was given")
    timeout = dialer.target.timeout
    with listening(dialer.command, dialer.target) as (_, _, tcp, identity):
        wire = Buffered(tcp)

        def read(count: int) -> bytes:
            return wire.read(count, timeout)

        multistream.accept(tcp.send, read, {noise.PROTOCOL})
        state, ephemeral, static = noise.Symmetric(), X25519PrivateKey.generate(), X25519PrivateKey.generate()
        message = read(int.from_bytes(read(2), "big"))
        state.mix_hash(message[:32])
        state.open(message[32:])
        state.mix_hash(noise.public_bytes(ephemeral))
        state.mix_key(noise.agree(ephemeral, message[:32]))
        sealed = state.seal(noise.public_bytes(static))
        state.mix_key(noise.agree(static, message[:32]))
        second = noise.public_bytes(ephemeral) + sealed + state.seal(payload(identity, static))
        tcp.send(framed(change(second)))
        try:
            read(2)
        except Ended:
            return False, len(second)
        except Silence:
            raise Violation("the target neither ends the connection nor goes on") from None
        return True, len(second)


def _refuse(dialer: Dialer, what: str, change: Change = unchanged, payload: _Payload = noise.handshake_payload) -> int:
    goes_on, length = answer(dialer, change, payload)
    if goes_on:
        raise Violation(f"the target sends message 3 behind {what}")
    return length


@SECTION.case("it goes on behind a right message 2", "noise, XX")
def _(d: Dialer) -> None:
    if not answer(d)[0]:
        raise Violation("it ends the connection")


def _flips(share: int) -> None:
    @SECTION.case(f"message 2 with bytes flipped, one at a time: numbers {share}, {share + _SHARES}, …", _NOISE)
    def _(d: Dialer) -> str:
        index, length = share, share + 1
        while index < length:

            def flip(message: bytes, index: int = index) -> bytes:
                return message[:index] + bytes([message[index] ^ 0x40]) + message[index + 1 :]

            length = _refuse(d, f"byte {index} flipped", flip)
            index += _SHARES
        return f"of {length} bytes"


for _share in range(_SHARES):
    _flips(_share)


def _refused(
    title: str, change: Change = unchanged, payload: _Payload = noise.handshake_payload, source: str = _NOISE
) -> None:
    @SECTION.case(title, source)
    def _(d: Dialer) -> None:
        _refuse(d, title, change, payload)


def _fields(key: bytes, signature: bytes) -> bytes:
    return noise.encode_message((1, key), (2, signature))


def _signed(identity: Identity, static: X25519PrivateKey) -> bytes:
    return identity.sign(noise.SIGNED_PREFIX + noise.public_bytes(static))


_refused("an empty message 2", lambda m: b"")
_refused("message 2 cut within the key", lambda m: m[:31])
_refused("message 2 cut behind the static key", lambda m: m[:80])
_refused("message 2 with bytes behind it", lambda m: m + bytes(16))
_refused("65,535 bytes of junk as message 2", lambda m: junk(65535))
_refused("the target's own message 1 sent back, by length", lambda m: m[:32])
_refused("an empty payload", payload=lambda i, s: b"", source=_PAYLOAD)
_refused("a payload without a signature", payload=lambda i, s: noise.encode_message((1, i.public_key)), source=_PAYLOAD)
_refused(
    "a payload signed by another key",
    payload=lambda i, s: _fields(i.public_key, _signed(Identity(), s)),
    source=_PAYLOAD,
)
_refused(
    "a payload signed over another static key",
    payload=lambda i, s: _fields(i.public_key, _signed(i, X25519PrivateKey.generate())),
    source=_PAYLOAD,
)


@SECTION.case("another peer than the one that was dialled", "peer-ids; connections, Upgrading")
def _(d: Dialer) -> str:
    other = Identity()
    goes_on, _ = answer(d, payload=lambda i, s: noise.handshake_payload(other, s))
    if not goes_on:
        return "refused behind message 2"
    return _without_muxer(d)


def _without_muxer(d: Dialer) -> str:
    """Some check the peer id only when the handshake is over: then nothing more may come."""
    other = Identity()
    assert d.command
    with listening(d.command, d.target) as (_, _, tcp, _):
        wire = Buffered(tcp)
        multistream.accept(tcp.send, lambda count: wire.read(count, d.target.timeout), {noise.PROTOCOL})
        link = noise.respond(tcp, other, wire.leftover(), d.target.timeout)
        inner = Buffered(link)
        try:
            line = multistream.read_line(lambda count: inner.read(count, d.target.timeout))
            while line == multistream.HEADER:
                link.send(multistream.line(line))
                line = multistream.read_line(lambda count: inner.read(count, d.target.timeout))
        except Ended:
            return "refused behind message 3"
        raise Violation(f"it goes on with another peer than it dialled: {line!r}")


@SECTION.case("a list of muxers in our extension that it hasn't got", "noise, Noise Extensions", Level.CHOICE)
def _(d: Dialer) -> str:
    goes_on, _ = answer(d, payload=lambda i, s: noise.handshake_payload(i, s, ("/none/1.0.0",)))
    return "it goes on" if goes_on else "it ends the connection"
