"""Slow readers and early bytes (SM-M4, SM-M5, SM-M6, P10); we ask."""

from __future__ import annotations

import random

from peers.contract import ECHO
from stack.session import Session, Stream

from ..context import WINDOW, Context, Live
from ..registry import scenario


@scenario("SM-M5 SM-M6 P10")
def we_read_slowly(run: Context) -> None:
    """We give no window back: the responder's FIN comes at once behind what it has framed, then one window on the
    target, and no more until we read."""
    down = 4 * WINDOW
    live = run.open_xfer(run.dial(), down, grants=False)
    source = live.stream
    run.until(lambda: source.total == WINDOW, "P1", "a full window", lambda: f"{source.total} bytes")
    target = run.acked(run.ask(live, run.dial(), grants=False))
    run.hand_over(live, target)
    run.until(lambda: target.stream.total >= WINDOW, "SM-M6", "a window of bytes on the target",
              lambda: f"{target.stream.total} bytes")  # fmt: skip
    run.never(lambda: source.total + target.stream.total > 2 * WINDOW, "P10", "two windows at most", "more")
    target.stream.grants = True
    target.stream.grant(target.stream.total)
    run.until(lambda: source.payload + target.stream.payload == down, "P1", f"{down} bytes",
              lambda: f"{source.payload} and {target.stream.payload} bytes")  # fmt: skip
    run.ended(target.stream, "P2")


@scenario("SM-M5 SM-M6 P10")
def they_read_slowly(run: Context) -> None:
    """The other application doesn't read, because its echo has no window: the responder switches on our FIN all the
    same; the target's window is filled and not refilled before the source was read."""
    first, second = run.dial(), run.dial()
    live = run.live(run.peer.open_labelled(first, ECHO, grants=False))
    source = live.stream
    data = bytearray()
    # One window comes back and stops the echo; from then on the windows of our direction fill. One that is full before is
    # that of an application which is late: it would still read the source, and then the target.
    while True:
        run.until(lambda: source.credit > 0 or source.total == WINDOW, "P1", "a window of echo",
                  lambda: f"{source.total} bytes")  # fmt: skip
        if source.credit == 0:
            run.applications(first)
        if source.credit == 0:
            break
        piece = random.randbytes(min(source.credit, 1 << 15))
        data += piece
        source.send(piece)
        run.peer.pump.fence(run.timeout, first)
    run.check(len(data) < 4 << 20, "P10", "an end of the window of a stream that nobody reads", f"{len(data)} bytes")
    target = run.acked(run.ask(live, second, grants=False), "SM-M5")
    run.hand_over(live, target)
    while target.stream.credit > 0 and len(data) < 8 << 20:
        piece = random.randbytes(min(target.stream.credit, 1 << 15))
        data += piece
        target.stream.send(piece)
    demand = "no window more on the target before the source was read"
    run.never(lambda: target.stream.granted > target.overhead, "SM-M6", demand, "a window update")
    _drain(run, source, target.stream, data)
    run.echo(live)
    run.finish(live)


@scenario("SM-M6 P10")
def they_never_read(run: Context) -> None:
    """A transfer to us that we don't read doesn't read us either: the source's window is full when it moves, then the
    target's. A further Migrate would be a third one: it waits until the other application has read, or has done with
    us."""
    first, second = run.dial(), run.dial()
    # More than the other application can hand to its stream: else it would be done, and read nothing for that reason.
    down = 16 * WINDOW
    live = Live(*_unread_transfer(run, first, down))
    source = live.stream
    source.send(bytes(source.credit))
    target = run.acked(run.ask(live, second, grants=False), "SM-M5")
    run.hand_over(live, target)
    run.until(lambda: target.stream.total == WINDOW, "SM-M6", "a window of bytes on the target",
              lambda: f"{target.stream.total} bytes")  # fmt: skip
    target.stream.send(bytes(target.stream.credit))
    run.never(
        lambda: target.stream.granted > target.overhead, "SM-M6", "no window more on the target", "a window update"
    )
    further = run.peer.open_target(first, target.migrate.id)
    run.never(further.read_answer, "SM-M6", "a further Migrate to wait for the reader", "an answer")
    run.check(not further.stream.is_over, "SM-M6", "a further Migrate to wait for the reader", "its end")
    target.stream.grants = True
    target.stream.grant(WINDOW)
    run.until(lambda: source.payload + target.stream.payload == down, "P1", f"{down} bytes",
              lambda: f"{source.payload} and {target.stream.payload} bytes")  # fmt: skip
    run.hand_over(live, run.acked(further, "SM-M6"))
    run.ended(further.stream, "SM-M7", "the mirrored FIN")


def _unread_transfer(run: Context, session: Session, down: int) -> tuple[Stream, int | None]:
    """A transfer whose first window has come and is not given back."""
    live = run.open_xfer(session, down, grants=False)
    run.until(lambda: live.stream.total == WINDOW, "P1", "a full window", lambda: f"{live.stream.total} bytes")
    return live.stream, live.id


def _drain(run: Context, source: Stream, target: Stream, data: bytearray) -> None:
    """Gives window back until everything has come back, in order."""
    target.grants = True
    target.grant(len(data))
    run.until(
        lambda: source.payload + target.payload >= len(data), "P1", f"{len(data)} bytes of echo",
        lambda: f"{source.payload} and {target.payload} bytes",
    )  # fmt: skip
    run.check(source.take() + target.take() == bytes(data), "P1", "the echo in order", "another one")


@scenario("SM-M6 P1")
def early_bytes_wait(run: Context) -> None:
    """Bytes on the target overtake the last of the source: they are delivered behind them."""
    live = run.open_echo(run.dial(), b"before")
    target = run.acked(run.ask(live, run.dial()))
    early, late = random.randbytes(3000), random.randbytes(3000)
    target.stream.send(early)
    run.never(
        lambda: bool(live.stream.received or target.stream.received), "SM-M6", "early bytes to wait", "their echo"
    )
    live.stream.send(late)
    source = live.stream
    run.hand_over(live, target)
    run.until(lambda: len(source.received) + len(target.stream.received) >= 6000, "SM-M6", "6000 bytes of echo")
    seen = source.take() + target.stream.take()
    run.check(seen == late + early, "SM-M6", "the source's bytes, then the target's", "another order")
    run.finish(live)


@scenario("SM-M6 P10")
def early_window_is_not_refilled(run: Context) -> None:
    """A whole window of early bytes on the target, while the source stays open: no credit for more."""
    live = run.open_echo(run.dial(), b"before")
    target = run.acked(run.ask(live, run.dial()))
    early = random.randbytes(target.stream.credit)
    target.stream.send(early)
    run.never(
        lambda: target.stream.granted > target.overhead, "SM-M6", "no window more on the target", "a window update"
    )
    run.echo(live, rule="SM-M6")
    source = live.stream
    run.hand_over(live, target)
    run.until(
        lambda: len(target.stream.received) + len(source.received) >= len(early), "SM-M6", "the echo of all of it"
    )
    run.check(source.take() + target.stream.take() == early, "P1", "the early bytes as they were", "others")
    run.finish(live)


@scenario("SM-M6 SM-M7")
def early_end_waits(run: Context) -> None:
    """Bytes and FIN on the target overtake the end of the source: the application's end comes behind all of them."""
    live = run.open_echo(run.dial(), b"before")
    target = run.acked(run.ask(live, run.dial()))
    target.stream.send(b"target", fin=True)
    run.never(lambda: target.stream.is_over, "SM-M6", "the end to wait for the source", "the echo's end")
    live.stream.send(b"source ")
    source = live.stream
    run.hand_over(live, target)
    run.ended(target.stream, "SM-M7")
    run.check(source.take() + target.stream.take() == b"source target", "SM-M6", "'source target'", "something else")


@scenario("SM-M5 P10")
def full_windows_do_not_hold_the_fin(run: Context) -> None:
    """The other side's window to us is empty, and it has more to write: its FIN on the source needs no window."""
    down = 3 * WINDOW
    live = run.open_xfer(run.dial(), down, grants=False)
    source = live.stream
    run.until(lambda: source.total == WINDOW, "P1", "a full window", lambda: f"{source.total} bytes")
    target = run.acked(run.ask(live, run.dial()))
    source.fin()
    run.ended(source, "SM-M5", "FIN without window")
    run.until(lambda: source.payload + target.stream.payload == down, "P1", "the rest on the target",
              lambda: f"{target.stream.payload} bytes")  # fmt: skip
    run.ended(target.stream, "P2")
