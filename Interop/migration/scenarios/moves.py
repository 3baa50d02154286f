"""We ask, nothing goes wrong: the other side is the responder."""

from __future__ import annotations

import random

from peers.contract import ECHO

from ..context import WINDOW, Context
from ..messages import SLASH
from ..registry import scenario


@scenario("SM-W1 SM-M3 SM-M5 SM-M7 SM-M8", in_poc=True)
def moves(run: Context) -> None:
    """An echo moves to a second connection and ends there."""
    live = run.open_echo(run.dial(), b"before")
    run.move(live, run.dial())
    run.echo(live)
    run.finish(live)


@scenario("SM-M3 SM-M8", in_poc=True)
def moves_unused(run: Context) -> None:
    """A stream on which nothing was sent yet moves."""
    live = run.open_echo(run.dial())
    run.move(live, run.dial())
    run.echo(live)
    run.finish(live)


@scenario("SM-M3 SM-M8", in_poc=True)
def moves_within_its_connection(run: Context) -> None:
    """Source and target are streams of one connection."""
    session = run.dial()
    live = run.open_echo(session, b"before")
    run.move(live, session)
    run.echo(live)
    run.finish(live)


@scenario("SM-M4 SM-M5 SM-M6 P1")
def moves_under_load(run: Context) -> None:
    """Two windows of bytes are under way both ways while the stream moves; all come back in order."""
    live = run.open_echo(run.dial())
    target = run.ask(live, run.dial())
    before, behind = random.randbytes(WINDOW // 2), random.randbytes(WINDOW // 2)
    source = live.stream
    run.send_all(source, before)
    run.acked(target)
    run.hand_over(live, target)
    run.send_all(live.stream, behind)
    wanted = before + behind
    run.until(
        lambda: len(source.received) + len(live.stream.received) >= len(wanted), "P1", f"{len(wanted)} bytes",
        lambda: f"{len(source.received)} and {len(live.stream.received)} bytes",
    )  # fmt: skip
    run.check(source.take() + live.stream.take() == wanted, "P1", "the bytes of source and target in order", "others")
    run.finish(live)


@scenario("SM-M2 SM-M8", in_poc=True)
def source_works_until_the_hand_over(run: Context) -> None:
    """Between the Ack and our FIN the source goes on both ways: the responder switches on FIN, not on its Ack."""
    live = run.open_echo(run.dial())
    target = run.acked(run.ask(live, run.dial()))
    run.echo(live, rule="SM-M5")
    run.hand_over(live, target)
    run.echo(live)
    run.finish(live)


@scenario("SM-M8 SM-F5 SM-F6", in_poc=True)
def chain(run: Context) -> None:
    """Five moves between three connections; each names the id that the last one gave."""
    sessions = [run.dial(), run.dial(), run.dial()]
    live = run.open_echo(sessions[0], b"before")
    for number in range(1, 6):
        run.move(live, sessions[number % 3])
        run.echo(live, 500)
    run.finish(live)


@scenario("SM-M8 SM-F10")
def long_chain(run: Context) -> None:
    """Thirty moves to and fro leave nothing behind that stands in the way."""
    sessions = [run.dial(), run.dial()]
    live = run.open_echo(sessions[0])
    for number in range(1, 31):
        run.move(live, sessions[number % 2])
    run.echo(live)
    run.finish(live)


@scenario("SM-L3 SM-M8")
def two_streams_change_places(run: Context) -> None:
    """Two streams move at once, each to the other's connection."""
    first, second = run.dial(), run.dial()
    one, two = run.open_echo(first, b"one"), run.open_echo(second, b"two")
    targets = [run.ask(one, second), run.ask(two, first)]
    for live, target in zip((one, two), targets, strict=True):
        run.hand_over(live, run.acked(target))
    for live in (one, two):
        run.echo(live)
        run.finish(live)


@scenario("SM-F10")
def sixteen_at_once(run: Context) -> None:
    """Sixteen streams move at once: the bound lets them."""
    first, second = run.dial(), run.dial()
    streams = [run.open_echo(first) for _ in range(16)]
    targets = [run.ask(live, second) for live in streams]
    for target in targets:
        run.acked(target, "SM-F10")
    for live, target in zip(streams, targets, strict=True):
        run.hand_over(live, target)
    for live in streams:
        run.echo(live, 100)
        run.finish(live)


@scenario("SM-W1 SM-M3")
def byte_by_byte(run: Context) -> None:
    """Label and Migrate come one byte in each frame."""

    def single(flight: bytes) -> list[bytes]:
        return [flight[index : index + 1] for index in range(len(flight))]

    first, second = run.dial(), run.dial()
    live = run.live(run.peer.open_labelled(first, ECHO, b"x", cut=single), b"x")
    target = run.acked(run.peer.open_target(second, live.id, cut=single))
    run.hand_over(live, target)
    run.echo(live)
    run.finish(live)


@scenario("SM-W2")
def under_the_other_name(run: Context) -> None:
    """Label and Migrate under the name of 2022, with its slash: the answer is bare, and the stream moves."""
    first, second = run.dial(), run.dial()
    live = run.live(run.peer.open_labelled(first, ECHO, b"x", name=SLASH), b"x")
    target = run.acked(run.peer.open_target(second, live.id, name=SLASH))
    run.hand_over(live, target)
    run.echo(live)
    run.finish(live)


@scenario("SM-W2")
def names_mixed(run: Context) -> None:
    """A label under one name and a Migrate under the other: each stream is answered in the form of its own."""
    first, second = run.dial(), run.dial()
    live = run.open_echo(first, b"x")
    target = run.acked(run.peer.open_target(second, live.id, name=SLASH))
    run.hand_over(live, target)
    run.move(live, first)
    run.echo(live)
    run.finish(live)


@scenario("SM-M9 P11", in_poc=True)
def old_connection_stays(run: Context) -> None:
    """Behind a move nobody but the initiator may close the old connection abruptly: it still answers."""
    first = run.dial()
    live = run.open_echo(first, b"before")
    run.move(live, run.dial())
    run.fence()
    run.echo(live)
    run.fence()
    seen = f"its end ({first.ended})"
    run.check(first.ended is None or first.has_goodbye, "SM-M9", "the old connection to stand", seen)
    run.finish(live)
