"""Identify in its three directions: we ask, we push, we are asked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from peers.wire import Fields, decode_message, decode_varint, encode_message, encode_multiaddr, encode_varint
from stack import multistream
from stack.identity import Identity
from stack.yamux import Flag, data, window_update

from ..case import Inapplicable, Violation
from ..session import Session, Stream

IDENTIFY = "/ipfs/id/1.0.0"
PUSH = "/ipfs/id/push/1.0.0"
#: Of the signed envelope (RFC 0002) and of the peer record in it (RFC 0003).
_DOMAIN = b"libp2p-peer-record"
_RECORD_TYPE = b"\x03\x01"
ADDRESS = encode_multiaddr("/ip4/198.51.100.7/tcp/4001")


def delimited(message: bytes) -> bytes:
    """A message behind its length."""
    return encode_varint(len(message)) + message


def signed_text(payload: bytes, domain: bytes = _DOMAIN, kind: bytes = _RECORD_TYPE) -> bytes:
    """What the signature of an envelope covers."""
    return delimited(domain) + delimited(kind) + delimited(payload)


def record_of(multihash: bytes, addresses: int = 1, seq: int = 1) -> bytes:
    """A peer record."""
    return encode_message((1, multihash), (2, seq), *((3, encode_message((1, ADDRESS))) for _ in range(addresses)))


def envelope(signer: Identity, payload: bytes, key: bytes | None = None, signature: bytes | None = None) -> bytes:
    """A signed envelope, right unless a key or a signature is given."""
    signature = signer.sign(signed_text(payload)) if signature is None else signature
    return encode_message((1, key or signer.public_key), (2, _RECORD_TYPE), (3, payload), (5, signature))


def message_of(identity: Identity, *more: tuple[int, int | bytes | str], addresses: int = 1) -> bytes:
    """An identify message."""
    return encode_message(
        (1, identity.public_key),
        *((2, ADDRESS) for _ in range(addresses)),
        (3, IDENTIFY),
        (5, "ipfs/0.1.0"),
        (6, "identifyspec"),
        *more,
    )


@dataclass
class Asking:
    """A connection, and who we are on it."""

    session: Session
    identity: Identity

    def open(self, protocol: str) -> Stream:
        """Opens a stream for a protocol, and awaits the agreement."""
        s = self.session
        stream = s.track(s.new_id())
        stream.preface = multistream.lines(multistream.HEADER, protocol)
        s.send(window_update(stream.id, 0, Flag.SYN), data(stream.id, stream.preface))
        s.expect(lambda: len(stream.received) >= len(stream.preface) or stream.over, f"an answer to {protocol}")
        try:
            _ = stream.payload
        except Violation:
            if b"\x03na\n" in stream.received:
                raise Inapplicable(f"the target has no {protocol}") from None
            raise
        return stream

    def ask(self, extra: bytes = b"", finishes: bool = False) -> Fields:
        """What the target says of itself."""
        stream = self.open(IDENTIFY)
        if extra or finishes:
            self.session.send(data(stream.id, extra, Flag.FIN if finishes else 0))
        self.session.expect(lambda: stream.over, "an identify message and its end")
        if stream.was_reset:
            raise Violation(f"a reset behind {len(stream.payload)} bytes")
        return merged(stream.payload)

    def push(self, raw: bytes, flags: int = Flag.FIN) -> Stream:
        """Pushes bytes, as they are, in frames that keep to the window."""
        stream = self.open(PUSH)
        for start in range(0, len(raw) or 1, 1 << 14):
            self.session.expect(
                lambda: stream.credit >= 1 << 14 or stream.over or bool(self.session.ended), "credit for the push"
            )
            if stream.over or self.session.ended:
                return stream
            part = raw[start : start + (1 << 14)]
            self.session.send(data(stream.id, part, flags if start + len(part) >= len(raw) else 0))
        return stream

    def expect_push_over(self, stream: Stream, what: str) -> str:
        """The target must be done with the push: it ends the stream, resets it, or ends the connection."""
        self.session.expect(lambda: stream.over or bool(self.session.ended), f"the end of a push of {what}")
        if self.session.ended:
            return f"connection ended ({self.session.ended})"
        return "stream reset" if stream.was_reset else "stream ended"

    def answer_question(self, raw: bytes, flags: int = Flag.FIN) -> Stream:
        """Answers the target's own question by these bytes, and returns its stream."""
        asked: list[Stream] = []
        #: The target's streams, and whether we have said the header on each.
        theirs: dict[int, bool] = {}

        def take(stream: Stream) -> None:
            if theirs.get(stream.id) is None or stream in asked or stream.was_reset:
                return
            lines = lines_of(stream)
            if lines and not theirs[stream.id]:
                theirs[stream.id] = True
                self.session.send(data(stream.id, multistream.line(multistream.HEADER)))
            if len(lines) > 1 and lines[1] == IDENTIFY:
                asked.append(stream)
                answer(stream)
            elif len(lines) > 1:
                self.session.send(data(stream.id, flags=Flag.RST))

        def answer(stream: Stream) -> None:
            self.session.send(data(stream.id, multistream.line(IDENTIFY)))
            for start in range(0, len(raw) or 1, 1 << 14):
                part = raw[start : start + (1 << 14)]
                last = start + len(part) >= len(raw)
                if stream.credit < len(part) or stream.was_reset:
                    return  # as far as the target's window goes
                self.session.send(data(stream.id, part, flags if last else 0))

        def accept(stream: Stream) -> None:
            theirs[stream.id] = False
            self.session.send(window_update(stream.id, 0, Flag.ACK))
            take(stream)

        self.session.on_open, self.session.on_data = accept, take
        if not self.session.until(lambda: bool(asked), 2.0):
            raise Inapplicable("the target does not ask us who we are")
        return asked[0]


def lines_of(stream: Stream) -> list[str]:
    """The multistream lines that have come whole on a stream."""
    rest = bytes(stream.received)
    lines = []
    while rest and len(rest) > rest[0]:
        lines.append(rest[1 : rest[0]].decode(errors="replace"))
        rest = rest[rest[0] + 1 :]
    return lines


def merged(payload: bytes) -> Fields:
    """The fields of one or several messages."""
    fields: Fields = {}
    index = 0
    while index < len(payload):
        length, index = decode_varint(payload, index)
        part = payload[index : index + length]
        if len(part) < length:
            raise Violation(f"a message of {length} bytes has {len(part)}")
        for number, values in decode_message(part).items():
            fields.setdefault(number, []).extend(values)
        index += length
    return fields


Check = Callable[[Asking], str | None]
