"""Half-close before, while and after a stream moves (SM-M2, SM-M5, SM-M7, P2, P5); we ask."""

from __future__ import annotations

import random

from ..context import WINDOW, Context, Live
from ..peer import Target
from ..registry import scenario

#: More than one window, so that the other side still has bytes to send.
BULK = WINDOW + 50_000


def _stalled_transfer(run: Context, down: int = BULK) -> Live:
    """A transfer to us that stands still because we give no window back; its header has been read."""
    live = run.open_xfer(run.dial(), down, grants=False)
    run.until(lambda: live.stream.total == WINDOW, "P1", "a full window", lambda: f"{live.stream.total} bytes")
    return live


def _rest(run: Context, live: Live, before: int, down: int) -> None:
    """Everything of a transfer arrives behind what came on other legs, and its end behind it."""
    stream = live.stream
    run.until(
        lambda: before + stream.payload >= down or stream.is_over, "P1", f"{down} bytes in all",
        lambda: f"{before + stream.payload} bytes",
    )  # fmt: skip
    run.ended(stream, "SM-M7")
    run.check(before + stream.payload == down, "P2", f"{down} bytes before the end", f"{before + stream.payload}")


def _mirrored(run: Context, target: Target, rule: str, expected: str) -> None:
    """The end that the other side has told on the source comes on the target too, alone; with ours it is clean."""
    run.ended(target.stream, "SM-M7", "the mirrored FIN")
    run.check(not target.stream.received, rule, expected, f"{len(target.stream.received)} bytes on the target")
    target.stream.fin()
    run.fence()
    run.check(not target.stream.has_reset, "SM-M7", "a clean end", "a reset")


@scenario("P5 SM-M5")
def half_close_without_a_move(run: Context) -> None:
    """No migration: our FIN is our end and nothing else. The other side goes on writing to its own."""
    live = _stalled_transfer(run)
    live.stream.fin()
    run.never(lambda: live.stream.has_fin, "P5", "the other direction to stay open", "FIN in return for ours")
    live.stream.grants = True
    live.stream.grant(BULK)
    _rest(run, live, 0, BULK)


@scenario("SM-M5 SM-M7 P5")
def closed_by_us_before(run: Context) -> None:
    """We have ended our side before we ask: the responder switches right behind its Ack, and its bytes go on."""
    live = _stalled_transfer(run)
    live.stream.fin()
    run.fence()
    target = run.acked(run.ask(live, run.dial()))
    source = live.stream
    run.hand_over(live, target)
    target.stream.fin()
    _rest(run, live, source.payload, BULK)


@scenario("SM-M2 SM-M5 SM-M7")
def closed_by_us_meanwhile(run: Context) -> None:
    """We end our side while the answer is outstanding: FIN on the source, and FIN once more on the target."""
    session, second = run.dial(), run.dial()
    live = run.open_echo(session, b"before")
    target = run.ask(live, second)
    # The echo ends with our end: the Migrate must have been read before, or it would name a stream that is over.
    run.fence(second)
    data = random.randbytes(5000)
    live.stream.send(data, fin=True)
    source = live.stream
    run.acked(target)
    run.ended(source, "SM-M5")
    target.stream.fin()
    run.ended(target.stream, "SM-M7")
    run.check(source.take() + target.stream.take() == data, "P1", "the whole echo", "less or else")


@scenario("SM-M7 P5")
def closed_by_us_after(run: Context) -> None:
    """Our end comes behind the move: the echo ends too."""
    live = run.open_echo(run.dial(), b"before")
    run.move(live, run.dial())
    run.echo(live, 20_000)
    run.finish(live, "SM-M7")


@scenario("SM-M7 P5")
def closed_by_them_before(run: Context) -> None:
    """The other side has ended its side: its FIN is mirrored on the target, though its EOF was read long ago."""
    live = run.open_xfer(run.dial(), 1000)
    run.expect(live.stream, bytes(1000), "P1")
    run.ended(live.stream, "P5")
    target = run.acked(run.ask(live, run.dial()))
    live.stream.fin()
    _mirrored(run, target, "SM-M7", "no data in front of it")


@scenario("SM-M5 SM-M7")
def closed_by_them_meanwhile(run: Context) -> None:
    """The other side ends while it is responder and waits for our FIN: FIN on the source, then on the target too."""
    down = WINDOW + 1000
    live = _stalled_transfer(run, down)
    source = live.stream
    target = run.acked(run.ask(live, run.dial()))
    source.grants = True
    source.grant(down)
    run.until(lambda: source.payload == down, "SM-M5", "the source to go on until our FIN",
              lambda: f"{source.payload} bytes")  # fmt: skip
    run.ended(source, "P5")
    source.fin()
    _mirrored(run, target, "P1", "no byte twice")


@scenario("SM-M7 SM-M8")
def both_closed_during_the_hand_off(run: Context) -> None:
    """Both ends come while the hand-off is under way; the target is closed both ways, and the id is finished."""
    session, second = run.dial(), run.dial()
    live = run.open_echo(session, b"before")
    target = run.acked(run.ask(live, second))
    run.hand_over(live, target)
    target.stream.fin()
    run.ended(target.stream, "SM-M7")
    run.fence()
    run.denied(run.peer.open_target(session, target.migrate.id), "SM-F6")


@scenario("SM-M7 SM-F7 P2")
def data_behind_the_end(run: Context) -> None:
    """We have ended, then move, then send data on the target all the same: a violation that ends the stream."""
    live = _stalled_transfer(run)
    live.stream.fin()
    run.fence()
    target = run.acked(run.ask(live, run.dial()))
    run.hand_over(live, target)
    target.stream.send(b"behind the end")
    run.refused(target.stream, "SM-M7")


@scenario("SM-F7")
def data_behind_fin_of_the_source(run: Context) -> None:
    """Data on the source behind our own FIN there: the stream is reset, or its whole connection."""
    live = run.open_echo(run.dial(), b"before")
    source = live.stream
    target = run.acked(run.ask(live, run.dial()))
    source.fin()
    source.send(b"behind FIN")
    run.until(
        lambda: source.is_broken or target.stream.is_broken or source.has_fin,
        "SM-F7",
        "an end of the stream or its source",
    )
    target.stream.send(b"target")
    run.until(
        lambda: target.stream.is_broken or bool(target.stream.received),
        "SM-F7",
        "a reset, or that the frame was ignored",
    )
    run.check(not target.stream.received.startswith(b"behind"), "SM-F7", "no byte from behind FIN", "one")


@scenario("SM-M7")
def three_moves_half_closed(run: Context) -> None:
    """A stream that is half-closed moves three times; its bytes go on, each target gets our FIN."""
    sessions = [run.dial(), run.dial()]
    down = 3 * WINDOW + 1000
    live = run.open_xfer(sessions[0], down, grants=False)
    live.stream.fin()
    total = 0
    for number in range(1, 4):
        target = run.acked(run.ask(live, sessions[number % 2], grants=number == 3))
        source = live.stream
        run.hand_over(live, target)
        target.stream.fin()
        total += source.payload
    _rest(run, live, total, down)
