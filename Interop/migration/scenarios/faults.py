"""Resets and lost connections at each step; we ask (SM-M8, SM-F2, SM-F3, SM-F9, P4, P6)."""

from __future__ import annotations

from stack.session import Stream

from ..context import WINDOW, Context, Live
from ..peer import Target
from ..registry import scenario


#: More than an application can hand to its stream ahead of the window, so that it can't be done.
ENDLESS = 64 * WINDOW


def _after_ack(run: Context) -> tuple[Live, Target]:
    live = run.open_echo(run.dial(), b"before")
    return live, run.acked(run.ask(live, run.dial()))


def _reaches(run: Context, other: Stream, rule: str = "SM-F3") -> None:
    """The other leg is reset, the application has an error, and a new stream can be opened."""
    run.refused(other, rule)
    run.application_end(rule)
    again = run.open_echo(run.dial(), b"again")
    run.finish(again)


@scenario("SM-F3 P6")
def target_reset_after_ack(run: Context) -> None:
    """Behind the Ack the loss of the target is the loss of the stream: the source is reset, nobody goes back to it."""
    live, target = _after_ack(run)
    target.stream.reset()
    _reaches(run, live.stream)


@scenario("SM-F3 P6")
def source_reset_after_ack(run: Context) -> None:
    """Behind the Ack a reset of the source reaches the target."""
    live, target = _after_ack(run)
    live.stream.reset()
    _reaches(run, target.stream)


@scenario("SM-F3 P4")
def target_lost_after_ack(run: Context) -> None:
    """The target's connection is cut behind the Ack: the source is reset."""
    live, target = _after_ack(run)
    target.stream.session.abort()
    _reaches(run, live.stream)


@scenario("SM-F3 P4")
def source_lost_after_ack(run: Context) -> None:
    """The source's connection is cut behind the Ack: the target is reset."""
    live, target = _after_ack(run)
    live.stream.session.abort()
    _reaches(run, target.stream)


@scenario("SM-F3 P4")
def target_reset_mid_data(run: Context) -> None:
    """The same while a window of bytes stands unread."""
    live = run.open_xfer(run.dial(), ENDLESS, grants=False)
    run.until(lambda: live.stream.total == WINDOW, "P1", "a full window", lambda: f"{live.stream.total} bytes")
    target = run.acked(run.ask(live, run.dial()))
    target.stream.reset()
    _reaches(run, live.stream)


@scenario("SM-F9 P6")
def target_reset_after_the_move(run: Context) -> None:
    """Behind a complete move a reset of the target ends the stream with an error, not with an end."""
    live, target = _after_ack(run)
    run.hand_over(live, target)
    run.echo(live)
    target.stream.reset()
    run.fence()
    run.application_end("SM-F9")


@scenario("SM-F9 P4")
def target_lost_after_the_move(run: Context) -> None:
    """Behind a complete move the loss of the new connection ends the stream with an error."""
    live, target = _after_ack(run)
    run.hand_over(live, target)
    run.echo(live)
    target.stream.session.abort()
    run.application_end("SM-F9")


@scenario("SM-M8")
def source_reset_after_the_move(run: Context) -> None:
    """What happens to the source behind both its FINs is ignored."""
    live, target = _after_ack(run)
    source = live.stream
    run.hand_over(live, target)
    source.reset()
    run.fence()
    run.echo(live, rule="SM-M8")
    run.finish(live)


@scenario("SM-M8 P11", in_poc=True)
def source_lost_after_the_move(run: Context) -> None:
    """Behind a move that both have completed the old connection may go."""
    live, target = _after_ack(run)
    source = live.stream
    run.hand_over(live, target)
    run.echo(live)
    source.session.abort()
    run.echo(live, rule="SM-M8")
    run.finish(live)


@scenario("SM-F6 SM-F9")
def source_reset_before_the_migrate(run: Context) -> None:
    """A stream that was reset is finished: its Migrate is denied."""
    live = run.open_echo(run.dial(), b"before")
    live.stream.reset()
    run.application_end("SM-F9")
    run.fence()
    run.denied(run.ask(live, run.dial()), "SM-F6")


@scenario("SM-F6 P4")
def source_lost_before_the_migrate(run: Context) -> None:
    """A stream whose connection is gone is finished; the peer itself isn't, since another connection stands."""
    first, second = run.dial(), run.dial()
    live = run.open_echo(first, b"before")
    first.abort()
    run.application_end("P4")
    run.denied(run.ask(live, second), "SM-F6")
    again = run.open_echo(second, b"again")
    run.finish(again)


@scenario("SM-F2 SM-F3")
def target_reset_in_the_flight_of_its_migrate(run: Context) -> None:
    """The target is reset in the flight that opens it: either the stream lives, or, accepted and then lost, it is
    reset. It does not hang, and it has no false end."""
    live = run.open_echo(run.dial(), b"before")
    target = run.ask(live, run.dial())
    target.stream.reset()
    run.fence()
    if not live.stream.is_broken:
        live.stream.send(b"still there?")
    run.until(lambda: live.stream.is_broken or len(live.stream.received) >= 12, "SM-F3", "an echo or a reset")
    run.check(not live.stream.has_fin, "P4", "no end of the stream", "FIN")


@scenario("SM-F3")
def target_lost_then_fin_on_the_source(run: Context) -> None:
    """The Ack was sent and its target is gone before we read it: our FIN on the source gets a reset, never an end."""
    live = run.open_xfer(run.dial(), ENDLESS, grants=False)
    target = run.ask(live, run.dial())
    run.acked(target)
    target.stream.session.abort()
    live.stream.fin()
    run.until(lambda: live.stream.is_over, "SM-F3", "an end of the source")
    run.until(lambda: live.stream.has_reset or live.stream.has_fin, "SM-F3", "a reset of the source")
    run.application_end("SM-F3")


@scenario("SM-F8", lasts=30)
def hand_off_without_progress(run: Context) -> None:
    """We take the Ack and never hand over: after the deadline the other side resets the stream."""
    live, target = _after_ack(run)
    run.until(
        lambda: live.stream.is_broken and target.stream.is_broken, "SM-F8", "both legs to be reset by a deadline",
        timeout=40,
    )  # fmt: skip


@scenario("SM-F8", lasts=30)
def mirrored_fin_never_comes(run: Context) -> None:
    """We had ended before the move and keep the mirrored FIN back: a deadline ends the stream."""
    live = run.open_xfer(run.dial(), 2 * WINDOW, grants=False)
    run.until(lambda: live.stream.total == WINDOW, "P1", "a full window", lambda: f"{live.stream.total} bytes")
    live.stream.fin()
    run.fence()
    target = run.acked(run.ask(live, run.dial()))
    run.hand_over(live, target)
    run.ended(target.stream, "SM-M7")
    run.until(lambda: target.stream.is_broken, "SM-F8", "the target to be reset by a deadline", timeout=40)
