"""identifyspec: what a target says of itself, and what it makes of wrong and hostile answers and pushes."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

from peers.wire import all_bytes, decode_message, decode_multiaddr, encode_message, encode_varint, first_bytes
from stack.identity import Identity, multihash_of, verify
from stack.yamux import Flag, data

from ..case import Case, Inapplicable, Level, Result, Section, Violation, all_cases
from ..runner import run
from ..session import Session
from ..target import Target
from .asking import Asking, delimited, envelope, message_of, record_of, signed_text

ANSWER: Section[Asking] = Section("1", "Its answer")
PUSHES: Section[Asking] = Section("2", "Pushes to it")
QUESTION: Section[Asking] = Section("3", "Answers to its question")
_IDENTIFY = "identify, The Identify Message"
_CASE_LIMIT = 20


@ANSWER.case("it answers, and ends the stream", "identify")
def _(a: Asking) -> str:
    fields = a.ask()
    return (first_bytes(fields, 6) or b"").decode(errors="replace")


@ANSWER.case("its public key is the one of its peer id", _IDENTIFY)
def _(a: Asking) -> None:
    key = first_bytes(a.ask(), 1)
    remote = getattr(a.session.frames.link, "remote", None)
    if key is None or multihash_of(key) != remote:
        raise Violation("the key is not that of the Noise handshake")


@ANSWER.case("it lists the protocols that it has", f"{_IDENTIFY}: protocols", Level.SHOULD)
def _(a: Asking) -> None:
    names = {raw.decode(errors="replace") for raw in all_bytes(a.ask(), 3)}
    missing = {a.session.target.protocol, "/ipfs/id/1.0.0"} - names
    if missing:
        raise Violation(f"not listed: {sorted(missing)}")


@ANSWER.case("the address that it observed is ours", f"{_IDENTIFY}: observedAddr", Level.SHOULD)
def _(a: Asking) -> None:
    raw = first_bytes(a.ask(), 4)
    host, port = a.session.tcp.local_address
    seen = decode_multiaddr(raw) if raw else "none"
    if seen.split("/p2p/")[0] != f"/ip4/{host}/tcp/{port}":
        raise Violation(f"observed {seen}, and we are /ip4/{host}/tcp/{port}")


@ANSWER.case("its addresses are multiaddrs", f"{_IDENTIFY}: listenAddrs")
def _(a: Asking) -> str:
    addresses = [decode_multiaddr(raw) for raw in all_bytes(a.ask(), 2)]
    if any(not address.startswith("/") for address in addresses):
        raise Violation(str(addresses))
    return ", ".join(addresses[:3])


@ANSWER.case("its signed record is its own, and rightly signed", "RFC 0002, RFC 0003")
def _(a: Asking) -> None:
    raw = first_bytes(a.ask(), 8)
    if raw is None:
        raise Inapplicable("it sends no signed record")
    fields = decode_message(raw)
    key, payload = first_bytes(fields, 1) or b"", first_bytes(fields, 3) or b""
    if not verify(key, signed_text(payload), first_bytes(fields, 5) or b""):
        raise Violation("the signature is wrong")
    if (
        not multihash_of(key)
        == first_bytes(decode_message(payload), 1)
        == getattr(a.session.frames.link, "remote", None)
    ):
        raise Violation("the record is another peer's")


@ANSWER.case("asked by a stream that is half-closed at once", "identify")
def _(a: Asking) -> None:
    a.ask(finishes=True)


@ANSWER.case("asked with junk behind the negotiation", "identify: silent", Level.CHOICE)
def _(a: Asking) -> str:
    try:
        a.ask(extra=b"junk" * 100)
    except Violation as violation:
        return str(violation)
    return "answered"


@ANSWER.case("asked 30 times", "identify")
def _(a: Asking) -> None:
    for _ in range(30):
        a.ask()


@ANSWER.case("a stream that asks and is reset before the answer", "identify")
def _(a: Asking) -> None:
    for _ in range(5):
        stream = a.session.start()
        a.session.send(data(stream.id, flags=Flag.RST))


# MARK: Pushes


_Make = Callable[[Identity], bytes]


def _both(title: str, source: str, make: _Make, flags: int = Flag.FIN, survives: bool = True) -> None:
    """The same bytes as a push, and as the answer to the target's question."""

    def push(a: Asking) -> str:
        stream = a.push(make(a.identity), flags)
        seen = a.expect_push_over(stream, title) if flags == Flag.FIN else "not ended by us"
        return seen if survives else f"{seen}; {a.session.check_not_stuck()}"

    def answer(a: Asking) -> str:
        stream = a.answer_question(make(a.identity), flags)
        a.session.until(lambda: stream.over or bool(a.session.ended), 1.0)
        if not survives:
            return a.session.check_not_stuck()
        return "stream reset" if stream.was_reset else "stream ended" if stream.over else "stream left open"

    PUSHES.add(title, source, Level.MUST, push, survives or None)
    QUESTION.add(title, source, Level.MUST, answer, survives or None)


_SILENT = f"{_IDENTIFY}: the target goes on"
_both("a good message", "identify", lambda i: delimited(message_of(i)))
_both("a good message with unknown fields", "protobuf", lambda i: delimited(message_of(i, (77, b"new"), (78, 5))))
_both(
    "an agent alone: missing fields are ignored", "identify/push", lambda i: delimited(encode_message((6, "partial")))
)
_both("no message at all", _SILENT, lambda i: b"")
_both("a message of no bytes", _SILENT, lambda i: b"\0")
_both("junk", _SILENT, lambda i: delimited(b"\xff" * 200), survives=False)
_both("random bytes", _SILENT, lambda i: random.Random(3).randbytes(500), survives=False)
_both("a message that ends too early", _SILENT, lambda i: delimited(message_of(i))[:-10], survives=False)
_both("a message within a field's length", _SILENT, lambda i: delimited(message_of(i)[:-3]), survives=False)
_both("a length of 2^63", "attack: memory for a message", lambda i: b"\xff" * 9 + b"\x01" + bytes(1000), survives=False)
_both(
    "a message of 1 MiB",
    "attack: memory for a message",
    lambda i: delimited(encode_message((6, b"x" * (1 << 20)))),
    survives=False,
)
_both(
    "a message in 4 parts",
    "go-libp2p's practice: the parts are merged",
    lambda i: delimited(message_of(i)) + delimited(encode_message((6, "part"))) * 3,
    survives=False,
)
_both(
    "10 parts of 8 KiB each",
    "attack: memory for a message",
    lambda i: delimited(encode_message((6, b"x" * 8000))) * 10,
    survives=False,
)
_both(
    "100 parts of 8 KiB each",
    "attack: memory for a message",
    lambda i: delimited(encode_message((6, b"x" * 8000))) * 100,
    survives=False,
)
_both(
    "another peer's key",
    "attack: a key that isn't the connection's",
    lambda i: delimited(message_of(Identity())),
    survives=False,
)
_both("a key that is none", _SILENT, lambda i: delimited(encode_message((1, b"\x08\x01\x12\x02ab"))), survives=False)
_both(
    "another peer's record, rightly signed",
    "CVE-2023-40583; RUSTSEC-2022-0009",
    lambda i: delimited(message_of(i, (8, _foreign_record()))),
    survives=False,
)
_both(
    "another peer's record under our signature",
    "RUSTSEC-2022-0009",
    lambda i: delimited(message_of(i, (8, envelope(i, record_of(Identity().multihash))))),
    survives=False,
)
_both(
    "our record under another's key",
    "RUSTSEC-2022-0009",
    lambda i: delimited(message_of(i, (8, envelope(Identity(), record_of(i.multihash))))),
    survives=False,
)
_both(
    "our record with a wrong signature",
    "RFC 0002",
    lambda i: delimited(message_of(i, (8, envelope(i, record_of(i.multihash), signature=bytes(64))))),
    survives=False,
)
_both("our record, good", "RFC 0003", lambda i: delimited(message_of(i, (8, envelope(i, record_of(i.multihash))))))
_both("a record that is no envelope", "RFC 0002", lambda i: delimited(message_of(i, (8, b"\xff" * 40))), survives=False)
_both("1000 addresses", "attack: long lists", lambda i: delimited(message_of(i, addresses=1000)), survives=False)
_both(
    "a record of 1000 addresses",
    "attack: long lists",
    lambda i: delimited(message_of(i, (8, envelope(i, record_of(i.multihash, 1000))))),
    survives=False,
)
_both(
    "1000 protocols",
    "attack: long lists",
    lambda i: delimited(encode_message(*((3, f"/p/{n}") for n in range(1000)))),
    survives=False,
)
_both(
    "addresses that are none",
    _SILENT,
    lambda i: delimited(encode_message((2, b""), (2, b"\xff" * 30), (2, b"\x04\x01"), (4, b"\x06"))),
    survives=False,
)
_both(
    "a protocol of 4000 bytes",
    "attack: long strings",
    lambda i: delimited(encode_message((3, b"/" * 4000))),
    survives=False,
)
_both(
    "an agent that is no UTF-8", _SILENT, lambda i: delimited(encode_message((6, b"\xff\xfe\x00agent"))), survives=False
)
_both(
    "a sequence number of 2^64 - 1",
    "CVE-2026-33040: remote numbers",
    lambda i: delimited(message_of(i, (8, envelope(i, record_of(i.multihash, seq=(1 << 64) - 1))))),
)
_both(
    "a good message, and the stream is left open",
    "attack: streams that never end",
    lambda i: delimited(message_of(i)),
    flags=0,
)
_both(
    "a length without its message, and the stream is left open",
    "attack: streams that never end",
    lambda i: encode_varint(500),
    flags=0,
)
_both("a reset in the middle", "identify", lambda i: delimited(message_of(i))[:-10], flags=Flag.RST)


def _foreign_record() -> bytes:
    other = Identity()
    return envelope(other, record_of(other.multihash))


@PUSHES.case("20 pushes in a row", "attack: push flood", Level.CHOICE)
def _(a: Asking) -> str:
    resets = 0
    for _ in range(20):
        stream = a.push(delimited(message_of(a.identity)))
        a.session.until(lambda stream=stream: stream.over or bool(a.session.ended))
        resets += stream.was_reset
    return f"{resets} of 20 were reset"


@QUESTION.case("no answer to the negotiation", "attack: streams that never end")
def _(a: Asking) -> None:
    a.session.on_open = lambda stream: None
    a.session.settle()


class IdentifyKit:
    """The kit, pointed at one target."""

    name = "identifyspec"
    titles = {section.number: section.title for section in (ANSWER, PUSHES, QUESTION)}

    def __init__(self, target: Target, dials: str | None = None) -> None:
        self.target = target
        self.dials = dials

    @staticmethod
    def cases() -> list[Case[Asking]]:
        """All cases."""
        return all_cases((ANSWER, PUSHES, QUESTION))

    def put(self, case: Case[Asking]) -> str | None:
        """Runs one case; behind it the connection, and if that may have ended a new one, still serves."""
        identity = Identity()
        tcp, frames = self.target.open(identity)
        tcp.deadline = time.monotonic() + _CASE_LIMIT * self.target.timeout
        session = Session(self.target, tcp, frames)
        try:
            seen = case.action(Asking(session, identity))
            if case.survives:
                session.check_in_service()
            session.in_service_elsewhere()
            return seen
        finally:
            session.close()

    def run(
        self, cases: list[Case[Asking]], workers: int, show: Callable[[Result], None] | None = None
    ) -> list[Result]:
        """The results of the cases."""
        return run(cases, self.put, workers, show)
