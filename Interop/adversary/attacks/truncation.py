"""Ends that only look like one: the application must see an error, never a clean end."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence

from adversary.attacker import GONE, Attacker
from adversary.attacks.certificates import TLSClient, certificate, client_context, right_extension
from adversary.attacks.migration import Numbers
from adversary.peer import ask_migration, open_labelled
from adversary.session import Session, Stream
from cryptography.hazmat.primitives.asymmetric import ec
from harness.process import Line
from peers.contract import ECHO
from stack import multistream, yamux
from stack.identity import Identity
from stack.link import TCPLink
from stack.yamux import Flag

#: What is sent on a stream that is then cut, and on one that ends as it should.
_CUT, _WHOLE = 1_000, 77


def told(events: Mapping[str, Sequence[Line]]) -> dict[str, float]:
    """How the target's application has seen its streams end."""
    ends = [(line.get("bytes_in"), line.get("end")) for line in events.get("stream", [])]
    return {
        "clean ends of cut streams": ends.count((_CUT, "eof")),
        "errors of cut streams": ends.count((_CUT, "error")) + ends.count((_CUT, "reset")),
        "clean ends of whole streams": ends.count((_WHOLE, "eof")),
    }


def _end_well(attacker: Attacker) -> None:
    """A stream that ends as it should."""
    session = attacker.session()
    stream = session.request(ECHO)
    stream.send(bytes(_WHOLE), Flag.FIN)
    session.pump(lambda: stream.is_over, 5)
    session.abort()


def _cut(attacker: Attacker, ending: Callable[[Session, Stream], None]) -> None:
    """First a stream that ends well, then those that are cut."""
    _end_well(attacker)
    done = 0
    while attacker.going(done):
        session = attacker.session()
        stream = session.request(ECHO)
        stream.send(bytes(_CUT))
        # It comes back: the application has it.
        stream.read(_CUT)
        ending(session, stream)
        attacker.begun()
        done += 1
    attacker.facts["cut streams"] = done


def _tcp(session: Session) -> TCPLink:
    return session.connection.tcp


def tcp_end(attacker: Attacker) -> None:
    """TCP's FIN, without Noise's or the muxer's word."""
    _cut(attacker, lambda session, stream: _tcp(session).close())


def tcp_reset(attacker: Attacker) -> None:
    """TCP's RST."""
    _cut(attacker, lambda session, stream: _tcp(session).abort())


def inside_record(attacker: Attacker) -> None:
    """TCP's FIN in the middle of the record that has the muxer's FIN."""

    def ending(session: Session, stream: Stream) -> None:
        sealed = session.connection.secured.sending.seal(yamux.data(stream.number, b"", Flag.FIN).encoded())
        record = len(sealed).to_bytes(2, "big") + sealed
        _tcp(session).send(record[:-1])
        _tcp(session).close()

    _cut(attacker, ending)


def inside_frame(attacker: Attacker) -> None:
    """TCP's FIN in the middle of a frame that says FIN and more bytes than come."""

    def ending(session: Session, stream: Stream) -> None:
        frame = yamux.data(stream.number, bytes(500), Flag.FIN).encoded()
        session.frames.link.send(frame[:12])
        _tcp(session).close()

    _cut(attacker, ending)


def goodbye(attacker: Attacker) -> None:
    """The muxer's goodbye, and TCP's FIN: the connection ends in order, the stream does not."""

    def ending(session: Session, stream: Stream) -> None:
        session.frames.send(yamux.go_away(0))
        _tcp(session).close()

    _cut(attacker, ending)


def other_side_forges(attacker: Attacker) -> None:
    """Somebody on the path adds a record that would be the muxer's FIN, without the key."""

    def ending(session: Session, stream: Stream) -> None:
        frame = yamux.data(stream.number, b"", Flag.FIN).encoded()
        _tcp(session).send((len(frame) + 16).to_bytes(2, "big") + frame + bytes(16))
        _tcp(session).close()

    _cut(attacker, ending)


def tls_end(attacker: Attacker) -> None:
    """TCP's FIN, without TLS's close_notify."""
    key = ec.generate_private_key(ec.SECP256R1())
    context = client_context(key, certificate(key, right_extension(key)))
    done = -1
    while done < 0 or attacker.going(done):
        client = TLSClient(attacker, context)
        client.handshake()
        client.send(multistream.lines(multistream.HEADER, yamux.PROTOCOL))
        is_whole, size = done < 0, _WHOLE if done < 0 else _CUT
        payload = multistream.lines(multistream.HEADER, ECHO) + bytes(size)
        client.send(yamux.data(1, payload, Flag.SYN | (Flag.FIN if is_whole else 0)).encoded())
        back = b""
        while bytes(size) not in back:
            back += client.receive(5)
        attacker.begun()
        client.tcp.close()
        done += 1
    attacker.facts["cut streams"] = done


def inside_hand_off(attacker: Attacker) -> None:
    """A migration is accepted, and then all is cut: the source with and without a FIN, or the target first (SM-F3)."""
    _end_well(attacker)
    done = 0
    while attacker.going(done):
        identity = Identity()
        numbers = Numbers(identity, attacker.target_id)
        one, two = attacker.session(identity), attacker.session(identity)
        number = numbers.take()
        stream = open_labelled(one, number)
        stream.send(bytes(_CUT))
        stream.read(_CUT)
        if not ask_migration(two, numbers.take(), number):
            attacker.count("not accepted")
        if done % 3 == 1:
            stream.finish()
        if done % 3 == 2:
            two.abort()
            with contextlib.suppress(*GONE):
                one.pump(lambda stream=stream: stream.is_over, 2)
        one.abort()
        two.abort()
        attacker.begun()
        done += 1
    attacker.facts["cut streams"] = done
