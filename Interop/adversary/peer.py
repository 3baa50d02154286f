"""What a hostile peer says where it plays by the rules: identify, relays, labels. The lies are the attacks' own."""

from __future__ import annotations

from collections.abc import Sequence

from adversary.attacker import Attacker
from adversary.session import Session, Stream
from peers.contract import ECHO, IDENTIFY
from peers.wire import decode_message, decode_peer_id, encode_message, encode_multiaddr, encode_varint, first_bytes
from stack import multistream, noise, yamux
from stack.connection import Upgraded
from stack.identity import Identity
from stack.link import Buffered
from stack.yamux import FrameLink

PUSH = "/ipfs/id/push/1.0.0"
HOP = "/libp2p/circuit/relay/0.2.0/hop"
STOP = "/libp2p/circuit/relay/0.2.0/stop"
DCUTR = "/libp2p/dcutr"
MIGRATION = "/libp2p/stream-migration"

RESERVE, CONNECT, STATUS = 0, 1, 2
OK, NO_RESERVATION = 100, 204


def delimited(message: bytes) -> bytes:
    """A message behind its length."""
    return encode_varint(len(message)) + message


def identification(
    identity: Identity,
    addresses: Sequence[str] = (),
    *,
    agent: str = "adversary",
    key: bytes | None = None,
    record: bytes | None = None,
    protocols: Sequence[str] = (IDENTIFY, DCUTR, MIGRATION),
) -> bytes:
    """An identify message."""
    fields: list[tuple[int, int | bytes | str]] = [(1, identity.public_key if key is None else key)]
    fields += [(2, encode_multiaddr(address)) for address in addresses]
    fields += [(3, protocol) for protocol in protocols]
    fields += [(5, "ipfs/0.1.0"), (6, agent)]
    if record is not None:
        fields.append((8, record))
    return encode_message(*fields)


def peer_record(signer: Identity, key: bytes, peer: bytes, addresses: Sequence[str]) -> bytes:
    """A signed envelope with a peer record: of whom, signed by whom, with whose key, is up to the caller."""
    payload_type = b"\x03\x01"
    entries = [(3, encode_message((1, encode_multiaddr(address)))) for address in addresses]
    payload = encode_message((1, peer), (2, 1), *entries)
    signed = b"".join(delimited(part) for part in (b"libp2p-peer-record", payload_type, payload))
    return encode_message((1, key), (2, payload_type), (3, payload), (5, signer.sign(signed)))


def serve_identify(session: Session, message: bytes) -> None:
    """Answers the target's question who we are."""

    def answer(stream: Stream) -> None:
        stream.send(delimited(message))
        stream.finish()

    session.handlers[IDENTIFY] = answer


def reserve(session: Session) -> int:
    """Asks for a reservation; returns the status."""
    stream = session.request(HOP, delimited(encode_message((1, RESERVE))))
    return status(stream.read_message())


def status(answer: bytes) -> int:
    """What a relay has answered."""
    value = decode_message(answer).get(5, [0])[0]
    return value if isinstance(value, int) else 0


def ask_circuit(session: Session, peer: str) -> tuple[Stream, int]:
    """Asks a relay for a circuit; returns its stream, and the status."""
    wanted = encode_message((1, CONNECT), (2, encode_message((1, decode_peer_id(peer)))))
    stream = session.request(HOP, delimited(wanted))
    return stream, status(stream.read_message(15.0))


def dial_through(attacker: Attacker, relay: str, peer: str, identity: Identity) -> Session:
    """A connection with a peer through a relay."""
    stream, answer = ask_circuit(attacker.session(identity, where=relay), peer)
    if answer != OK:
        raise multistream.NegotiationError(f"the relay answers {answer}")
    wire = Buffered(stream)
    multistream.select(stream.send, lambda count: wire.read(count, 5.0), noise.PROTOCOL)
    secured = noise.initiate(stream, identity, wire.leftover(), 5.0)
    wire = Buffered(secured)
    multistream.select(secured.send, lambda count: wire.read(count, 5.0), yamux.PROTOCOL)
    # What is cut with the connection is the circuit: to this side it is the link.
    frames = FrameLink(secured, wire.leftover())
    return Session(Upgraded(stream, secured, frames, is_dialer=True))  # type: ignore[arg-type]


def label(number: int, protocol: str = ECHO) -> bytes:
    """The first flight of a labelled stream."""
    message = delimited(encode_message((1, encode_message((1, number)))))
    return multistream.lines(multistream.HEADER, MIGRATION) + message + multistream.lines(multistream.HEADER, protocol)


def migrate(number: int, source: int) -> bytes:
    """The first flight of a target."""
    message = delimited(encode_message((2, encode_message((1, number), (2, source)))))
    return multistream.lines(multistream.HEADER, MIGRATION) + message


def open_labelled(session: Session, number: int) -> Stream:
    """A labelled echo stream, once the target has taken it; raises `Ended` when it is refused."""
    stream = session.open()
    stream.send(label(number))
    wanted = multistream.lines(multistream.HEADER, MIGRATION, multistream.HEADER, ECHO)
    if stream.read(len(wanted)) != wanted:
        raise multistream.NegotiationError("the label is refused")
    return stream


def ask_migration(session: Session, number: int, source: int, timeout: float = 5.0) -> bool:
    """Asks to move a stream, and returns whether it was accepted; raises `Ended` when it is reset, `Silence` when it
    is held.
    """
    stream = session.open()
    stream.send(migrate(number, source))
    stream.read(len(multistream.lines(multistream.HEADER, MIGRATION)), timeout)
    return not denied(stream.read_message(timeout))


def denied(answer: bytes) -> bool:
    """Whether an answer to a Migrate says no."""
    body = first_bytes(decode_message(answer), 3)
    return body is None or bool(decode_message(body).get(1, [0])[0])


def echoes(stream: Stream, text: bytes = b"still here") -> bool:
    """Whether an echo stream works."""
    stream.send(text)
    return stream.read(len(text)) == text
