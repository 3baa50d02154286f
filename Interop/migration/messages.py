"""The messages of stream migration on the wire, in both dialects (SM-W1, SM-W2), and mistakes on purpose."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from peers.wire import decode_message, decode_varint, encode_message, encode_varint

DRAFT = "/libp2p/stream-migration"
SLASH = "/libp2p/stream-migration/"
LONGEST = 1024


class Dialect(enum.Enum):
    """How a peer speaks: as the draft has it, or as the proof of concept of 2022 does."""

    DRAFT = "draft"
    POC = "2022"

    @property
    def protocol(self) -> str:
        """The protocol id of this dialect."""
        return SLASH if self is Dialect.POC else DRAFT


@dataclass(frozen=True)
class Label:
    """Names the stream that it is sent on."""

    id: int


@dataclass(frozen=True)
class Migrate:
    """Asks to move the stream named `from_id` to the one that it is sent on."""

    id: int
    from_id: int


@dataclass(frozen=True)
class Answer:
    """Consent or denial. `is_bare`: in the form of the proof of concept."""

    accepts: bool
    is_bare: bool


Message = Label | Migrate | Answer


class Malformed(ValueError):
    """Bytes that are no message of stream migration."""


def delimited(body: bytes) -> bytes:
    """A message behind its length."""
    return encode_varint(len(body)) + body


def encode(message: Message, extra: bytes = b"") -> bytes:
    """A message with its length in front; `extra` are fields more, at its end."""
    if isinstance(message, Label):
        return delimited(encode_message((1, encode_message((1, message.id)))) + extra)
    if isinstance(message, Migrate):
        return delimited(encode_message((2, encode_message((1, message.id), (2, message.from_id)))) + extra)
    body = b"" if message.accepts else encode_message((1, 1))
    return delimited((body if message.is_bare else encode_message((3, body))) + extra)


def decode(body: bytes, is_answer: bool = False) -> Message:
    """A message without its length. An answer may have either form."""
    fields = decode_message(body)
    try:
        if is_answer:
            return _answer(body, fields)
        if 1 in fields:
            return Label(_number(fields[1][-1], 1))
        if 2 in fields:
            return Migrate(_number(fields[2][-1], 1), _number(fields[2][-1], 2))
        return _answer(body, fields)
    except (ValueError, KeyError) as failure:
        raise Malformed(f"{body.hex()}: {failure}") from None


def _answer(body: bytes, fields: dict[int, list[int | bytes]]) -> Answer:
    if 3 in fields:
        inner = fields[3][-1]
        if not isinstance(inner, bytes):
            raise Malformed(body.hex())
        return Answer(not decode_message(inner).get(1, [0])[-1], is_bare=False)
    if not body:
        return Answer(True, is_bare=True)
    if fields.keys() == {1} and isinstance(fields[1][-1], int):
        return Answer(not fields[1][-1], is_bare=True)
    raise Malformed(body.hex())


def _number(inner: int | bytes, field: int) -> int:
    if not isinstance(inner, bytes):
        raise Malformed("the type's field is no message")
    value = decode_message(inner)[field][-1]
    if not isinstance(value, int):
        raise Malformed(f"field {field} is no number")
    return value


def split(data: bytes) -> tuple[bytes, int] | None:
    """The first delimited message of `data` and the index behind it; None while it isn't whole."""
    if not any(byte < 0x80 for byte in data[:10]):
        if len(data) >= 10:
            raise Malformed("a length without end")
        return None
    length, start = decode_varint(data)
    if length > LONGEST:
        raise Malformed(f"a message of {length} bytes")
    return (data[start : start + length], start + length) if len(data) >= start + length else None
