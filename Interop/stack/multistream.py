"""multistream-select 1.0.0 (connections.md of the libp2p specifications): one protocol at a time, by exact reads."""

from __future__ import annotations

from collections.abc import Callable

from peers.wire import decode_varint, encode_varint

HEADER = "/multistream/1.0.0"
NOT_AVAILABLE = "na"
LONGEST = 1024

Read = Callable[[int], bytes]


class NegotiationError(Exception):
    """The peer broke the protocol, or refused what we need."""


def line(text: str) -> bytes:
    """One message: its length, the text, a line feed."""
    body = text.encode() + b"\n"
    return encode_varint(len(body)) + body


def lines(*texts: str) -> bytes:
    """Several messages in one flight."""
    return b"".join(line(text) for text in texts)


def read_line(read: Read) -> str:
    """The next message's text, without its line feed."""
    prefix = b""
    while not prefix or prefix[-1] >= 0x80:
        prefix += read(1)
        if len(prefix) > 2:
            raise NegotiationError(f"a multistream message's length of more than two bytes: {prefix.hex()}")
    length, _ = decode_varint(prefix)
    if not 0 < length <= LONGEST:
        raise NegotiationError(f"a multistream message of {length} bytes")
    body = read(length)
    if body[-1:] != b"\n":
        raise NegotiationError(f"a multistream message without line feed: {body!r}")
    return body[:-1].decode(errors="replace")


def select(send: Callable[[bytes], None], read: Read, protocol: str) -> None:
    """Asks for one protocol, all in one flight, and reads the agreement."""
    send(lines(HEADER, protocol))
    for expected in (HEADER, protocol):
        answer = read_line(read)
        if answer != expected:
            raise NegotiationError(f"asked for {protocol}, the peer answers {answer!r} in place of {expected!r}")


def accept(send: Callable[[bytes], None], read: Read, supported: set[str]) -> str:
    """Answers the peer's proposals until one is supported; returns that one."""
    if (header := read_line(read)) != HEADER:
        raise NegotiationError(f"the peer begins with {header!r}")
    send(line(HEADER))
    while True:
        wanted = read_line(read)
        if wanted in supported:
            send(line(wanted))
            return wanted
        send(line(NOT_AVAILABLE))
