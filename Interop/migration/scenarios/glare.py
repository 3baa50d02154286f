"""Both ask at once, and moves that overtake each other (SM-F1, SM-F4, SM-F5). The other side dials and asks; so do
we."""

from __future__ import annotations

from ..context import Context
from ..peer import Incoming, Target
from ..registry import Order, Way, scenario
from .parts import asked_behind_the_end, asked_half_way, consented, fails, serve_out, take_over


def _both_ask(run: Context, attempts: int = 1) -> tuple[Incoming, Incoming, Target]:
    """The dialer's Migrate stands unanswered when ours goes out, on the source's own connection."""
    source, theirs = asked_half_way(run, attempts)
    ours = run.peer.open_target(source.stream.session, source.opening.label)
    return source, theirs, ours


def _we_hand_over(run: Context, source: Incoming, ours: Target) -> None:
    """Our attempt counts: we are the initiator, and serve the rest on our target."""
    source.stream.fin()
    run.ended(source.stream, "SM-M5", "FIN in return")
    ours.stream.send(source.stream.take())
    serve_out(run, ours.stream)


@scenario("SM-F4", way=Way.FROM_DIALER, orders=(Order.LOWER,))
def glare_we_win(run: Context) -> None:
    """Our peer id is the lower one: the dialer accepts our Migrate at once, and expects the denial of its own."""
    source, theirs, ours = _both_ask(run)
    run.acked(ours, "SM-F4")
    theirs.deny()
    _we_hand_over(run, source, ours)
    run.finished_well("SM-F4")


@scenario("SM-F4", way=Way.FROM_DIALER, orders=(Order.HIGHER,))
def glare_we_lose(run: Context) -> None:
    """Our peer id is the higher one: the dialer denies our Migrate, and goes on as soon as we accept its own."""
    source, theirs, ours = _both_ask(run)
    run.denied(ours, "SM-F4")
    stream = take_over(run, source, theirs)
    serve_out(run, stream)
    run.attempts(run.finished_well("SM-F4"), "SM-F4", "completed")


@scenario("SM-F4 SM-F2", way=Way.FROM_DIALER, orders=(Order.LOWER,))
def glare_their_attempt_is_lost(run: Context) -> None:
    """We win, and the attempt that gave way is reset in place of denied: that too is expected, and taints nothing."""
    source, theirs, ours = _both_ask(run)
    run.acked(ours, "SM-F4")
    theirs.stream.reset()
    _we_hand_over(run, source, ours)
    run.finished_well("SM-F4")


@scenario("SM-F4", way=Way.FROM_DIALER, orders=(Order.LOWER,))
def glare_both_accept(run: Context) -> None:
    """We have no rule for glare and accept the attempt that gave way: nobody can tell which target counts, the stream
    is aborted on both sides."""
    source, theirs, ours = _both_ask(run)
    run.acked(ours, "SM-F4")
    theirs.accept()
    run.refused(ours.stream, "SM-F4")
    fails(run, source.stream, "SM-F4")


@scenario("SM-F1 SM-F4", way=Way.FROM_DIALER, orders=(Order.LOWER,))
def glare_denial_overtakes(run: Context) -> None:
    """Our denial comes before our own Migrate: that Migrate is accepted all the same."""
    source, theirs = asked_half_way(run)
    # Ours is on its way on a slower connection.
    theirs.deny()
    run.until(lambda: theirs.stream.is_over, "SM-F1", "the denied target to be closed")
    ours = run.peer.open_target(source.stream.session, source.opening.label)
    run.acked(ours, "SM-F4")
    _we_hand_over(run, source, ours)
    run.finished_well("SM-F4")


@scenario("SM-F5", way=Way.FROM_DIALER)
def moved_on_before_the_ack(run: Context) -> None:
    """We have accepted and moved on before our Ack arrives: our Migrate names the dialer's own unanswered target. It
    is held, and accepted when the Ack is there."""
    source, theirs = asked_behind_the_end(run)
    migrate = theirs.opening.migrate
    assert migrate is not None
    data = source.stream.take()
    # The dialer had ended, so that we are complete with our FIN: its target is where the stream lives, for us.
    source.stream.fin()
    further = run.peer.open_target(source.stream.session, migrate.id)
    run.held(further, "SM-F5")
    theirs.accept()
    run.ended(theirs.stream, "SM-M7", "the mirrored FIN")
    run.acked(further, "SM-F5")
    theirs.stream.fin()
    further.stream.send(data, fin=True)
    run.ended(further.stream, "SM-M7", "the mirrored FIN")
    run.finished_well("SM-F5")


@scenario("SM-F5", way=Way.FROM_DIALER)
def our_migrate_during_their_hand_off(run: Context) -> None:
    """Our Migrate from the new id comes while the dialer waits for our FIN on the source: held until it is complete."""
    source, theirs = consented(run)
    migrate = theirs.opening.migrate
    assert migrate is not None
    further = run.peer.open_target(source.stream.session, migrate.id)
    run.held(further, "SM-F5")
    rest = source.stream.take()
    source.stream.fin()
    run.acked(further, "SM-F5")
    theirs.stream.send(rest, fin=True)
    run.ended(theirs.stream, "SM-M5", "FIN in return")
    further.stream.send(theirs.stream.take())
    serve_out(run, further.stream)
    run.finished_well("SM-F5")
