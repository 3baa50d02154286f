"""The other side dials, opens the stream and asks: how it labels, asks and hands over (SM-L1, SM-L2, SM-M1 to
SM-M9)."""

from __future__ import annotations

from peers.contract import ECHO, IDENTIFY

from ..context import WINDOW, Context
from ..messages import DRAFT, SLASH, Dialect
from ..peer import Incoming
from ..registry import Way, scenario
from .parts import BYTES, asked_behind_the_end, asked_half_way, echo_all, serve, serve_out, take_over


def check_ids(run: Context, source: int | None, target: Incoming) -> None:
    """A Migrate names the stream, with a new id of the asker's parity (SM-L2)."""
    migrate = target.opening.migrate
    assert migrate is not None
    run.check(migrate.from_id == source, "SM-L2", f"Migrate from {source}", str(migrate))
    check_parity(run, migrate.id)
    run.check(migrate.id != migrate.from_id, "SM-L4", "an id of its own for the target", str(migrate))


def check_parity(run: Context, label: int) -> None:
    """The id is of the other side's parity. The proof of concept has none: it counts 1, 2, 3."""
    if run.peer.dialect is Dialect.POC:
        return
    wanted = 1 if run.peer.is_lower else 0
    run.check(label % 2 == wanted, "SM-L2", "an id of the parity of the asker's peer id", str(label))


@scenario("SM-L1 SM-L2 SM-M1 SM-M4 SM-M8 SM-W1", way=Way.FROM_DIALER, in_poc=True)
def is_asked(run: Context) -> None:
    """The dialer labels its stream, asks, hands over on the Ack and ends on the target."""
    source, target = asked_half_way(run)
    check_parity(run, source.opening.label or 0)
    check_ids(run, source.opening.label, target)
    stream = take_over(run, source, target)
    serve_out(run, stream)
    run.attempts(run.finished_well(), "SM-M8", "completed")


@scenario("SM-L2 SM-M8", way=Way.FROM_DIALER, in_poc=True)
def is_asked_three_times(run: Context) -> None:
    """Three moves in a chain: each Migrate names the id before, no id comes twice."""
    run.invite(attempts=3)
    source = run.invited()
    stream, label = source.stream, source.opening.label
    echo_all(run, stream, until=BYTES // 2)
    seen = {label}
    for _ in range(3):
        target = run.asked()
        check_ids(run, label, target)
        assert target.opening.migrate is not None
        label = target.opening.migrate.id
        run.check(label not in seen, "SM-L2", "an id that was never given", str(label))
        seen.add(label)
        stream = take_over(run, stream, target)
    serve_out(run, stream)
    run.attempts(run.finished_well(), "SM-M8", "completed", "completed", "completed")


@scenario("SM-L1", way=Way.FROM_DIALER)
def no_label_without_support(run: Context) -> None:
    """Our identify doesn't list stream migration: the stream is plain, and nothing asks to move it."""
    run.peer.protocols = [ECHO, IDENTIFY]
    run.invite()
    source = run.incoming("an echo stream", lambda one: one.opening.protocol == ECHO, "SM-L1")
    run.check(source.opening.name is None, "SM-L1", "a plain stream", f"a label under {source.opening.name}")
    source.agree()
    serve(run, source.stream)
    run.check(not run.peer.incoming, "SM-L1", "no Migrate", "one")
    source.stream.fin()
    run.finished_well("SM-L1")


@scenario("SM-L1", way=Way.FROM_DIALER)
def no_label_before_identify(run: Context) -> None:
    """Our identify is late: until it has come nothing is labelled. A peer may wait for it, or open plain streams."""
    run.peer.answers_identify = False
    run.invite(attempts=0)
    run.until(lambda: bool(run.peer.sessions), "SM-L1", "a connection")
    run.never(lambda: any(one.opening.name for one in run.peer.incoming), "SM-L1", "no label yet", "a label")
    run.peer.answers_identify = True
    run.peer.serve()
    source = run.incoming("an echo stream", lambda one: one.opening.protocol == ECHO, "SM-L1")
    source.agree()
    serve_out(run, source.stream)
    run.finished_well("SM-L1")


def _refuse(run: Context, count: int) -> None:
    """Identify lists the protocol, but negotiation says `na`."""
    run.peer.refuses_labels = True
    run.invite(attempts=0, close="during", count=count)
    source = run.incoming("an echo stream", lambda one: one.opening.protocol == ECHO, "SM-L1")
    run.check(source.opening.name is not None, "SM-L1", "a label", "none")
    run.until(lambda: source.stream.is_over, "SM-L1", "the refused stream to be given up")


@scenario("SM-L1", way=Way.FROM_DIALER)
def label_is_refused(run: Context) -> None:
    """Identify lists the protocol, negotiation says `na`, no byte was lost: the stream is opened once more, plain."""
    _refuse(run, 0)
    again = run.incoming("the stream once more", lambda one: one.opening.protocol == ECHO, "SM-L1")
    run.check(again.opening.name is None, "SM-L1", "a plain stream in place of it", "a label again")
    again.agree()
    again.stream.fin()
    serve(run, again.stream)
    run.finished_well("SM-L1")


@scenario("SM-L1 P4", way=Way.FROM_DIALER)
def label_is_refused_with_bytes(run: Context) -> None:
    """The same with bytes of the application behind the refused label: they can't be had back, so the stream is either
    whole on a plain one or an error, and never an end with a loss."""
    _refuse(run, BYTES)
    run.peer.pump.run(lambda: bool(run.peer.incoming), 0.5)
    if run.peer.incoming:
        again = run.peer.incoming.pop()
        run.check(again.opening.name is None, "SM-L1", "a plain stream in place of it", "a label again")
        again.agree()
        serve_out(run, again.stream)
        run.finished_well("SM-L1")
    else:
        run.finished_badly("P4")


@scenario("SM-W2", way=Way.FROM_DIALER)
def only_the_name_with_the_slash(run: Context) -> None:
    """Our identify lists the name of 2022 alone: label and Migrate come under that one, and bare answers are read."""
    run.peer.protocols = [SLASH, ECHO, IDENTIFY]
    source, target = asked_half_way(run)
    run.check(source.opening.name == SLASH, "SM-W2", f"the label under {SLASH}", str(source.opening.name))
    run.check(target.opening.name == SLASH, "SM-W2", f"the Migrate under {SLASH}", str(target.opening.name))
    stream = take_over(run, source, target)
    serve_out(run, stream)
    run.finished_well("SM-W2")


@scenario("SM-W2", way=Way.FROM_DIALER)
def both_names(run: Context) -> None:
    """Our identify lists both names: the draft's is used."""
    run.peer.protocols = [SLASH, DRAFT, ECHO, IDENTIFY]
    run.invite(attempts=0)
    source = run.invited()
    run.check(source.opening.name == DRAFT, "SM-W2", f"the label under {DRAFT}", str(source.opening.name))
    serve_out(run, source.stream)
    run.finished_well("SM-W2")


@scenario("SM-M2", way=Way.FROM_DIALER)
def source_works_while_waiting(run: Context) -> None:
    """While the answer is outstanding the source is used both ways: the whole echo passes there."""
    run.invite(close="during")
    source = run.invited()
    target = run.asked()
    echo_all(run, source.stream)
    run.ended(source.stream, "SM-M2", "FIN, once all has come back,")
    run.check(not target.stream.received, "SM-M4", "no byte on the target before the Ack", "some")
    source.stream.take()
    target.accept()
    source.stream.fin()
    target.stream.fin()
    run.ended(target.stream, "SM-M7", "the mirrored FIN")
    run.attempts(run.finished_well(), "SM-M8", "completed")


@scenario("SM-M2 P2", way=Way.FROM_DIALER)
def held_end_was_a_hand_off(run: Context) -> None:
    """The dialer has ended its side and asks. Our FIN on the source overtakes our Ack: it is held, and no end, for the
    rest of the echo comes on the target."""
    source, target = asked_behind_the_end(run)
    data = source.stream.take()
    source.stream.send(data[: BYTES // 2], fin=True)
    run.fence()
    target.accept(data[BYTES // 2 :])
    run.until(lambda: target.stream.has_fin or target.stream.is_broken, "SM-M7", "the mirrored FIN")
    target.stream.fin()
    run.finished_well("SM-M2")


@scenario("SM-M2 SM-F1", way=Way.FROM_DIALER)
def held_end_was_an_end(run: Context) -> None:
    """The same, but the answer is a denial: the FIN was the end."""
    source, target = asked_behind_the_end(run)
    source.stream.send(source.stream.take(), fin=True)
    run.fence()
    target.deny()
    run.attempts(run.finished_well("SM-M2"), "SM-F1", "denied")


@scenario("SM-M5 SM-M7", way=Way.FROM_DIALER)
def closed_before_it_asks(run: Context) -> None:
    """The dialer had ended its side before: we switch right behind our Ack, with bytes in its frame's wake."""
    source, target = asked_behind_the_end(run)
    target.accept(source.stream.take())
    source.stream.fin()
    run.ended(target.stream, "SM-M7", "the mirrored FIN")
    target.stream.fin()
    run.attempts(run.finished_well("SM-M7"), "SM-M8", "completed")


@scenario("SM-M6", way=Way.FROM_DIALER)
def our_early_bytes_wait(run: Context) -> None:
    """Our bytes on the target overtake the last ones on the source: they are delivered behind them, without more
    window."""
    source, target = asked_behind_the_end(run, WINDOW + 2 * BYTES)
    data = source.stream.take()
    target.accept()
    early = target.stream.credit
    target.stream.send(data[-early:])
    run.never(lambda: target.stream.granted > 0, "SM-M6", "early bytes to wait without more window", "a window update")
    source.stream.send(data[:-early], fin=True)
    target.stream.fin()
    run.finished_well("SM-M6")


@scenario("SM-M9 P11", way=Way.FROM_DIALER)
def source_connection_stays(run: Context) -> None:
    """The initiator is complete before we have said a word on the target: it must not cut the source's connection."""
    source, target = asked_behind_the_end(run)
    data = source.stream.take()
    target.accept()
    source.stream.fin()
    run.ended(target.stream, "SM-M7", "the mirrored FIN")
    run.fence()
    session = source.stream.session
    run.check(
        session.ended is None or session.has_goodbye, "SM-M9", "the source's connection to stand", f"{session.ended}"
    )
    target.stream.send(data, fin=True)
    run.finished_well("P11")


@scenario("SM-F8 SM-F2", way=Way.FROM_DIALER)
def a_late_answer_is_free(run: Context) -> None:
    """We answer when the whole first half has been echoed to and fro: waiting costs nothing, the move completes."""
    run.invite()
    source = run.invited()
    target = run.asked()
    echo_all(run, source.stream, until=BYTES // 2)
    run.fence()
    stream = take_over(run, source, target)
    serve_out(run, stream)
    run.attempts(run.finished_well(), "SM-F8", "completed")


@scenario("SM-M3 SM-L3", way=Way.FROM_DIALER)
def we_move_its_stream(run: Context) -> None:
    """Either side may ask: we move the stream that the dialer opened."""
    run.invite(attempts=0, close="during")
    source = run.invited()
    run.until(lambda: len(run.peer.sessions) >= 2, "SM-M3", "the dialer's second connection")
    half = BYTES // 2
    echo_all(run, source.stream, until=half)
    target = run.acked(run.peer.open_target(run.peer.sessions[1], source.opening.label))
    source.stream.fin()
    run.ended(source.stream, "SM-M5", "FIN in return")
    legs = [source.stream, target.stream]
    echo_all(run, *legs)
    serve_out(run, target.stream)
    run.finished_well("SM-M7")


@scenario("SM-M1 SM-F5", way=Way.FROM_DIALER)
def migrate_before_the_negotiation(run: Context) -> None:
    """We ask before we have answered the stream's own negotiation: the Migrate is held, and accepted behind the
    answer."""
    run.invite(attempts=0, close="during")
    source = run.invited(answers=False)
    target = run.peer.open_target(source.stream.session, source.opening.label)
    run.held(target, "SM-M1")
    source.agree()
    run.acked(target, "SM-M1")
    source.stream.fin()
    run.ended(source.stream, "SM-M5", "FIN in return")
    echo_all(run, source.stream, target.stream)
    serve_out(run, target.stream)
    run.finished_well("SM-M7")
