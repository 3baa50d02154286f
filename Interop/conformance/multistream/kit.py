"""multistreamspec: the same questions at each of the three places where a protocol is chosen."""

from __future__ import annotations

import random
from collections.abc import Callable

from stack import multistream
from stack.link import Ended, Silence
from stack.multistream import HEADER, NOT_AVAILABLE

from ..case import Case, Level, Result, Section, Violation, all_cases
from ..runner import run
from ..target import Target
from .talk import HEADER_LINE, OnConnection, OnStream, OverNoise, Talk

_SPEC = "connections, multistream-select"
_PLACES: list[tuple[type[Talk], Section[Talk]]] = [
    (OnConnection, Section("1", "On a bare connection")),
    (OverNoise, Section("2", "Over Noise, for the muxer")),
    (OnStream, Section("3", "On a stream")),
]
_UNKNOWN = "/nobody/has/this/1.0.0"


def _case(title: str, level: Level = Level.MUST, source: str = _SPEC) -> Callable[[Callable[[Talk], str | None]], None]:
    def add(action: Callable[[Talk], str | None]) -> None:
        for _, section in _PLACES:
            section.add(title, source, level, action)

    return add


@_case("header, then a protocol, each answered")
def _(t: Talk) -> None:
    t.begin()
    t.propose(t.supported)
    t.expect_line(t.supported)
    t.prove()


@_case("header and protocol in one flight")
def _(t: Talk) -> None:
    t.propose(HEADER, t.supported)
    t.expect_line(HEADER)
    t.expect_line(t.supported)
    t.prove()


@_case("everything byte by byte")
def _(t: Talk) -> None:
    for byte in multistream.lines(HEADER, t.supported):
        t.send(bytes([byte]))
    t.expect_line(HEADER)
    t.expect_line(t.supported)
    t.prove()


@_case("the first bytes of the next layer come in the same write as the last line")
def _(t: Talk) -> None:
    t.prove(multistream.lines(HEADER, t.supported))


@_case("a protocol that the target hasn't got: na")
def _(t: Talk) -> None:
    t.begin()
    t.propose(_UNKNOWN)
    t.expect_line(NOT_AVAILABLE)


@_case("behind na another proposal may come")
def _(t: Talk) -> None:
    t.begin()
    for _ in range(2):
        t.propose(_UNKNOWN)
        t.expect_line(NOT_AVAILABLE)
    t.propose(t.supported)
    t.expect_line(t.supported)
    t.prove()


@_case("three proposals in one flight are answered in order")
def _(t: Talk) -> None:
    t.propose(HEADER, _UNKNOWN, _UNKNOWN + "/x", t.supported)
    t.expect_line(HEADER)
    t.expect_line(NOT_AVAILABLE)
    t.expect_line(NOT_AVAILABLE)
    t.expect_line(t.supported)
    t.prove()


def _never(title: str, change: Callable[[str], bytes]) -> None:
    """A proposal that differs from what is supported is never agreed to."""

    @_case(f"a protocol that differs {title} is not the same", source=f"{_SPEC}: exact matching")
    def _(t: Talk) -> str:
        t.begin()
        text = change(t.supported)
        t.send(bytes([len(text) + 1]) + text + b"\n")
        return t.expect_refusal(allows_na=True)


_never("in case", lambda text: text.upper().encode())
_never("by a missing last byte", lambda text: text[:-1].encode())
_never("by a slash behind it", lambda text: (text + "/").encode())
_never("by a missing slash before it", lambda text: text[1:].encode())
_never("by a blank behind it", lambda text: (text + " ").encode())
_never("by a carriage return behind it", lambda text: (text + "\r").encode())
_never("by a NUL behind it", lambda text: (text + "\0").encode())
_never("by a second line feed", lambda text: (text + "\n").encode())
_never("by bytes that are no UTF-8", lambda text: text.encode() + b"\xff\xfe")


def _first(
    title: str, raw: bytes, level: Level = Level.MUST, source: str = f"{_SPEC}: 'anything other … abort'"
) -> None:
    """Something in place of the header."""

    @_case(f"{title} in place of the header: the negotiation is aborted", level, source)
    def _(t: Talk) -> str:
        t.send(raw)
        return t.expect_refusal(allows_na=False)


_first("/multistream/2.0.0", multistream.line("/multistream/2.0.0"))
_first("/multistream/1.0.0/", multistream.line("/multistream/1.0.0/"))
_first("the upper-case header", multistream.line(HEADER.upper()))
_first("a proposal", multistream.line(_UNKNOWN))
_first("na", multistream.line(NOT_AVAILABLE))
_first("a header without its line feed", bytes([len(HEADER)]) + HEADER.encode() + bytes(2))
_first("a header whose length is one too short", bytes([len(HEADER)]) + HEADER.encode() + b"\n")
_first("a message of length 0", b"\x00" + HEADER_LINE)
_first("a message of 64 KiB", b"\x80\x80\x04" + b"x" * 5000, Level.SHOULD, "attack: memory for a line")
_first("a message of 4 GiB", b"\xff\xff\xff\xff\x0f" + b"x" * 100, source="attack: memory for a line")
_first("a length that never ends", b"\xff" * 20, source="multiformats unsigned varint: 9 bytes at most")
_first("a length of 2^63", b"\x80" * 9 + b"\x01" + b"x" * 100, source="multiformats unsigned varint: 9 bytes at most")
_first("an HTTP request", b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n" + b"x" * 64)
_first("a TLS hello", b"\x16\x03\x01\x00\x80\x01\x00\x00\x7c\x03\x03" + bytes(128))


def _malformed(title: str, make: Callable[[str], bytes], level: Level = Level.MUST) -> None:
    """A malformed proposal behind a good header."""

    @_case(f"a proposal {title} is refused", level, f"{_SPEC}: length, text, line feed")
    def _(t: Talk) -> str:
        t.begin()
        t.send(make(t.supported))
        return t.expect_refusal(allows_na=True)


_malformed("without a line feed", lambda text: bytes([len(text)]) + text.encode() + bytes(1))
_malformed("of length 0", lambda text: b"\x00\x00\x00")
_malformed("of 64 KiB", lambda text: b"\x80\x80\x04" + b"/" * 5000, Level.SHOULD)
_malformed("of 4 GiB", lambda text: b"\xff\xff\xff\xff\x0f" + b"/" * 100)
_malformed("whose length never ends", lambda text: b"\xff" * 20)


def _choice(title: str, make: Callable[[Talk], bytes], source: str = f"{_SPEC}: silent") -> None:
    @_case(title, Level.CHOICE, source)
    def _(t: Talk) -> str:
        t.begin()
        t.send(make(t))
        try:
            answer = t.answer()
        except Silence:
            return "no answer"
        except Violation as violation:
            return str(violation)
        return f"answered {answer!r}"


_choice("ls", lambda t: multistream.line("ls"))
_choice("na as a proposal", lambda t: multistream.line(NOT_AVAILABLE))
_choice("an empty proposal", lambda t: b"\x01\n")
_choice("the header as a proposal", lambda t: HEADER_LINE)
_choice("a proposal of 1024 bytes", lambda t: multistream.line("/" * 1023))
_choice(
    "a length that is not minimal",
    lambda t: bytes([len(t.supported) + 1 | 0x80, 0]) + t.supported.encode() + b"\n",
    "multiformats unsigned varint: minimal",
)


@_case(
    "1000 proposals that are all unknown: an end or an answer to each", Level.CHOICE, "attack: negotiation without end"
)
def _(t: Talk) -> str:
    t.begin()
    answered = 0
    try:
        for _ in range(1000):
            t.propose(_UNKNOWN)
            t.expect_line(NOT_AVAILABLE)
            answered += 1
    except Ended:
        return f"ended behind {answered} answers"
    return "all answered"


def _noise(seed: int) -> None:
    @_case(f"200 random bytes (seed {seed}) behind the header are never agreed to", source="attack: fuzzing")
    def _(t: Talk) -> str:
        t.begin()
        source = random.Random(seed)
        for _ in range(20):
            text = source.randbytes(9)
            t.send(bytes([len(text) + 1]) + text + b"\n")
        t.send(b"\x00" + source.randbytes(16))
        answers = 0
        try:
            while True:
                answer = t.answer()
                if answer == "ended":
                    return f"ended behind {answers} answers"
                if answer != NOT_AVAILABLE:
                    raise Violation(f"the target answers {answer!r}")
                answers += 1
        except Silence:
            raise Violation(f"{answers} answers, and no end") from None


_noise(7)


@_PLACES[0][1].case("a muxer without security: na", "connections, Upgrading: 'security is always established first'")
def _(t: Talk) -> None:
    t.begin()
    t.propose("/yamux/1.0.0")
    t.expect_line(NOT_AVAILABLE)


@_PLACES[0][1].case("plaintext as security: na", "plaintext: not for production", Level.SHOULD)
def _(t: Talk) -> None:
    t.begin()
    t.propose("/plaintext/2.0.0")
    t.expect_line(NOT_AVAILABLE)


class MultistreamKit:
    """The kit, pointed at one target."""

    name = "multistreamspec"
    titles = {section.number: section.title for _, section in _PLACES}

    def __init__(self, target: Target, dials: str | None = None) -> None:
        self.target = target
        self.dials = dials

    @staticmethod
    def cases() -> list[Case[Talk]]:
        """All cases."""
        return all_cases(section for _, section in _PLACES)

    def put(self, case: Case[Talk]) -> str | None:
        """Runs one case at its place, and sees that others are served behind it."""
        make = next(make for make, section in _PLACES if section.number == case.id.split(".")[0])
        talk = make(self.target)
        try:
            seen = case.action(talk)
            talk.check_others()
            return seen
        finally:
            talk.close()

    def run(self, cases: list[Case[Talk]], workers: int, show: Callable[[Result], None] | None = None) -> list[Result]:
        """The results of the cases."""
        return run(cases, self.put, workers, show)
