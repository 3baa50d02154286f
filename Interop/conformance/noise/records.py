"""Section 3: records behind the handshake."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator

from stack import multistream, noise, yamux
from stack.identity import Identity
from stack.link import Buffered, Ended, Silence
from stack.yamux import Flag, FrameLink, data, window_update

from ..case import Level, Section, Violation
from ..pump import PumpLink
from ..session import Session
from ..target import Target
from .bent import framed, junk

SECTION: Section[Target] = Section("3", "Records")
_RECORDS = "noise, Wire Format"
_NONCE = "Noise Protocol Framework, section 5.1"


class _Secured:
    """A connection with Yamux on it whose records can be made by hand."""

    def __init__(self, target: Target) -> None:
        self.tcp: PumpLink = target.connect()
        self.link = target.secure(self.tcp, Identity())
        wire = Buffered(self.link)
        multistream.select(self.link.send, lambda count: wire.read(count, target.timeout), yamux.PROTOCOL)
        self.session = Session(target, self.tcp, FrameLink(self.link, wire.leftover()))

    def raw(self, sealed: bytes) -> None:
        """Sends a record as it is."""
        with contextlib.suppress(Ended):
            self.tcp.send(framed(sealed))

    def seal(self, plaintext: bytes) -> bytes:
        """The next record."""
        return self.link.sending.seal(plaintext)

    def must_end(self, what: str) -> str:
        """The target must end the connection, and deliver nothing of it."""
        return self.session.expect_end(what)


@contextlib.contextmanager
def _secured(target: Target) -> Iterator[_Secured]:
    secured = _Secured(target)
    try:
        yield secured
    finally:
        secured.session.close()


def _ping(value: int) -> bytes:
    return yamux.ping(value).encoded()


@SECTION.case("a record of junk ends the connection", _RECORDS)
def _(target: Target) -> str:
    with _secured(target) as s:
        s.raw(junk(100))
        return s.must_end("a record of junk")


@SECTION.case("a record with each of its bytes flipped in turn ends the connection", _RECORDS)
def _(target: Target) -> None:
    for index in range(12 + noise.TAG):
        with _secured(target) as s:
            sealed = bytearray(s.seal(_ping(1)))
            sealed[index] ^= 0x80
            s.raw(bytes(sealed))
            s.must_end(f"byte {index} flipped")
            if s.session.pongs:
                raise Violation(f"a record with byte {index} flipped was delivered")


def _short(length: int) -> None:
    @SECTION.case(f"a record of {length} bytes, too short for a tag, ends the connection", _RECORDS)
    def _(target: Target) -> str:
        with _secured(target) as s:
            s.raw(bytes(length))
            return s.must_end(f"a record of {length} bytes")


for _length in range(noise.TAG):
    _short(_length)


@SECTION.case("a record of nothing but its tag is a record of no bytes", _RECORDS)
def _(target: Target) -> None:
    with _secured(target) as s:
        s.raw(s.seal(b""))
        s.session.check_in_service()


@SECTION.case("the same record twice: the second ends the connection", _NONCE)
def _(target: Target) -> None:
    with _secured(target) as s:
        sealed = s.seal(_ping(77))
        s.raw(sealed)
        s.raw(sealed)
        s.must_end("a replayed record")
        if sum(pong.length == 77 for pong in s.session.pongs) > 1:
            raise Violation("the replayed record was delivered")


@SECTION.case("two records in the wrong order end the connection", _NONCE)
def _(target: Target) -> None:
    with _secured(target) as s:
        first, second = s.seal(_ping(1)), s.seal(_ping(2))
        s.raw(second)
        s.raw(first)
        s.must_end("records in the wrong order")
        if s.session.pongs:
            raise Violation("a record in the wrong place was delivered")


@SECTION.case("a record that is left out ends the connection", _NONCE)
def _(target: Target) -> None:
    with _secured(target) as s:
        s.seal(_ping(1))
        s.raw(s.seal(_ping(2)))
        s.must_end("a record with the next but one nonce")
        if s.session.pongs:
            raise Violation("a record in the wrong place was delivered")


@SECTION.case("behind a bad record a good one is not taken", "RUSTSEC-2024-0011")
def _(target: Target) -> None:
    with _secured(target) as s:
        s.raw(junk(40))
        s.raw(s.seal(_ping(5)))
        s.must_end("a record of junk")
        if any(pong.length == 5 for pong in s.session.pongs):
            raise Violation("a record behind one that did not decrypt was delivered")


@SECTION.case("a record sent back to its sender ends the connection", _NONCE)
def _(target: Target) -> str:
    with _secured(target) as s:
        s.link.send(_ping(9))
        header = s.session.frames._wire.link.wire.read(2, target.timeout)  # noqa: SLF001
        s.raw(s.session.frames._wire.link.wire.read(int.from_bytes(header, "big"), target.timeout))  # noqa: SLF001
        return s.must_end("a reflected record")


@SECTION.case("a record with associated data that ours hasn't ends the connection", _NONCE)
def _(target: Target) -> str:
    with _secured(target) as s:
        s.raw(s.link.sending.seal(_ping(1), b"associated"))
        return s.must_end("a record sealed with associated data")


@SECTION.case("the largest record, 65,535 bytes, is taken", _RECORDS)
def _(target: Target) -> None:
    with _secured(target) as s:
        stream = s.session.open()
        body = random.randbytes(noise.LARGEST_PLAINTEXT - yamux.HEADER)
        s.session.send(data(stream.id, body))
        s.session.expect(lambda: stream.payload == body, "the echo of the largest record")


@SECTION.case("frames that end and begin in the middle of records are put together", _RECORDS)
def _(target: Target) -> None:
    with _secured(target) as s:
        stream = s.session.track(s.session.new_id())
        opening = window_update(stream.id, 0, Flag.SYN)
        body = data(stream.id, stream.preface + b"cut anywhere")
        s.session.monitor.sent(opening)
        raw = opening.encoded() + body.encoded()
        for start in range(0, len(raw), 7):
            s.raw(s.seal(raw[start : start + 7]))
        s.session.expect(lambda: stream.payload == b"cut anywhere", "the echo")


@SECTION.case("records whose bytes come one by one are put together", _RECORDS)
def _(target: Target) -> None:
    with _secured(target) as s:
        raw = framed(s.seal(_ping(4711)))
        for byte in raw:
            s.tcp.send(bytes([byte]))
        s.session.expect(lambda: any(pong.length == 4711 for pong in s.session.pongs), "an answer to PING")


@SECTION.case("the target's own nonces never repeat and never skip", _NONCE)
def _(target: Target) -> str:
    with _secured(target) as s:
        stream = s.session.open()
        s.session.echo(stream, random.randbytes(1 << 18))
        return f"{s.link.receiving.nonce} records in order"


@SECTION.case("10,000 records of no bytes", "attack: work for nothing", Level.CHOICE)
def _(target: Target) -> str:
    with _secured(target) as s:
        try:
            for _ in range(20):
                s.tcp.send(b"".join(framed(s.seal(b"")) for _ in range(500)))
            s.tcp.flush(target.timeout)
        except (Ended, Silence):
            pass
        return f"they do no harm: {s.session.check_not_stuck()}"


@SECTION.case("the connection ends within a record: the target ends its side", _RECORDS)
def _(target: Target) -> str:
    with _secured(target) as s:
        s.tcp.send(framed(s.seal(_ping(1)))[:10])
        s.tcp.flush(target.timeout)
        s.tcp.finish()
        return s.must_end("the end of our side")
