"""The other side asks, and the answer is not what it hoped for (SM-F1, SM-F2, SM-F3, SM-F7, SM-W2)."""

from __future__ import annotations

import time

from peers.wire import encode_message

from ..context import Context
from ..messages import Answer, Label, delimited, encode
from ..peer import Incoming
from ..registry import Way, scenario
from .parts import BYTES, asked_behind_the_end, asked_half_way, consented, fails, serve_out, take_over

#: Seconds before an attempt that failed is repeated, and what clocks may differ by.
RETRY = 1.0
SLACK = 0.1


def _in_doubt(run: Context, source: Incoming, *outcomes: str) -> None:
    """The rest of the echo comes whole on the source; but its end, behind the dialer's own, is in doubt (SM-F2)."""
    serve_out(run, source.stream)
    result = run.finished_badly("SM-F2")
    run.attempts(result, "SM-F2", *outcomes)
    if result is not None:
        run.check(result.get("bytes") == BYTES, "P1", f"{BYTES} bytes at the dialer", str(result.get("bytes")))


@scenario("SM-F1", way=Way.FROM_DIALER)
def we_deny(run: Context) -> None:
    """A denial: the stream goes on where it is, the target is closed, and the dialer asks no more."""
    source, target = asked_half_way(run, attempts=2)
    target.deny()
    run.until(lambda: target.stream.is_over, "SM-F1", "the target to be closed")
    stream = source.stream

    def echoes() -> bool:
        run.check(not run.peer.incoming, "SM-F1", "no second Migrate", "one")
        if stream.received and not stream.is_broken:
            stream.send(stream.take())
        return stream.is_over

    run.until(echoes, "SM-F1", "the stream to go on to its end on the source")
    run.check(stream.has_fin, "SM-F1", "a clean end", "a reset")
    stream.fin()
    result = run.finished_well("SM-F1")
    if result is not None:
        outcomes = result.get("attempts")
        first = outcomes[0] if isinstance(outcomes, list) and outcomes else None
        run.check(first == "denied", "SM-F1", "an attempt that was denied", str(outcomes))


@scenario("SM-F1 SM-W2", way=Way.FROM_DIALER)
def we_deny_in_the_other_form(run: Context) -> None:
    """A bare denial under the draft's name is understood all the same."""
    source, target = asked_half_way(run)
    target.deny(is_bare=True)
    serve_out(run, source.stream)
    run.attempts(run.finished_well("SM-W2"), "SM-W2", "denied")


@scenario("SM-W2", way=Way.FROM_DIALER)
def we_consent_in_the_other_form(run: Context) -> None:
    """A bare consent under the draft's name is understood all the same."""
    source, target = asked_half_way(run)
    target.accept(is_bare=True)
    run.ended(source.stream, "SM-W2", "FIN behind the bare Ack")
    source.stream.fin()
    serve_out(run, target.stream)
    run.attempts(run.finished_well("SM-W2"), "SM-W2", "completed")


def _wrong(run: Context, answer: bytes, rule: str) -> None:
    """Bytes that are no consent: the target is reset and the stream goes on where it is, its end in doubt."""
    source, target = asked_half_way(run)
    target.stream.send(target.answer_header() + answer)
    run.until(lambda: target.stream.is_broken or source.stream.has_fin, rule, "the target to be reset")
    # The end of the source may overtake the reset, which is on another connection.
    run.fence(target.stream.session)
    run.check(target.stream.is_broken, rule, "the target to be reset", "a hand-off on the source")
    _in_doubt(run, source, "failed")


@scenario("SM-F7", way=Way.FROM_DIALER)
def we_answer_with_a_label(run: Context) -> None:
    """A Label is no answer."""
    _wrong(run, encode(Label(2)), "SM-F7")


@scenario("SM-W2 SM-F7", way=Way.FROM_DIALER)
def we_answer_with_a_future_type(run: Context) -> None:
    """A message of a type that nobody knows yet is never consent."""
    _wrong(run, delimited(encode_message((4, b""))), "SM-F7")


@scenario("SM-W1 SM-F7", way=Way.FROM_DIALER)
def we_answer_with_rubbish(run: Context) -> None:
    """Bytes that don't parse are never consent."""
    _wrong(run, delimited(b"\xff" * 6), "SM-F7")


@scenario("SM-W1 SM-F7", way=Way.FROM_DIALER)
def we_answer_too_long(run: Context) -> None:
    """An answer of more than 1,024 bytes is never consent."""
    _wrong(run, delimited(encode_message((3, b""), (15, bytes(1100)))), "SM-F7")


@scenario("SM-F7", way=Way.FROM_DIALER)
def bytes_in_the_frame_of_the_ack(run: Context) -> None:
    """The dialer had ended before, so bytes may follow the Ack in its very frame: all of them are the application's."""
    source, target = asked_behind_the_end(run)
    data = source.stream.take()
    target.stream.send(target.answer_header() + encode(Answer(True, is_bare=False)) + data)
    source.stream.fin()
    run.ended(target.stream, "SM-M7", "the mirrored FIN")
    target.stream.fin()
    run.finished_well("SM-F7")


@scenario("SM-F2", way=Way.FROM_DIALER)
def we_reset_and_later_accept(run: Context) -> None:
    """The target is reset before an answer: the stream stays, and the dialer tries again, a second later or more."""
    source, target = asked_half_way(run, attempts=2)
    target.stream.reset()
    began = time.monotonic()
    again = run.asked()
    waited = time.monotonic() - began
    run.check(waited > RETRY - SLACK, "SM-F2", f"a further attempt after {RETRY:.0f} s", f"one after {waited:.2f} s")
    stream = take_over(run, source, again)
    serve_out(run, stream)
    run.attempts(run.finished_well("SM-F2"), "SM-F2", "failed", "completed")


@scenario("SM-F2", way=Way.FROM_DIALER)
def target_lost_before_the_answer(run: Context) -> None:
    """The target's connection is cut before an answer: the stream goes on where it is, and its end is in doubt."""
    source, target = asked_half_way(run)
    target.stream.session.abort()
    _in_doubt(run, source, "failed")


@scenario("SM-F2 P2", way=Way.FROM_DIALER)
def end_in_doubt(run: Context) -> None:
    """The dialer has ended, asks, and the target is reset: a FIN on the source behind its own may be a hand-off to a
    target that is gone. It is an error, never a clean end."""
    source, target = asked_behind_the_end(run)
    target.stream.reset()
    run.fence()
    source.stream.send(source.stream.take(), fin=True)
    run.finished_badly("SM-F2")


@scenario("SM-F2 SM-M2 P2", way=Way.FROM_DIALER)
def held_end_in_doubt(run: Context) -> None:
    """The same with FIN first, which is held, and the reset behind it: judged by the same rule."""
    source, target = asked_behind_the_end(run)
    source.stream.send(source.stream.take(), fin=True)
    run.fence()
    target.stream.reset()
    run.finished_badly("SM-F2")


@scenario("SM-F2 P3", way=Way.FROM_DIALER)
def end_without_doubt(run: Context) -> None:
    """The target is reset, and our FIN comes before the dialer's own: no hand-off can look so, it is a clean end."""
    run.invite(close="during")
    source = run.invited()
    target = run.asked()
    target.stream.reset()
    run.fence()
    run.until(lambda: source.stream.total >= BYTES, "P1", "all bytes", lambda: f"{source.stream.total}")
    # All but its last byte goes back, so that the dialer can't have ended; then the last one, with FIN.
    data = source.stream.take()
    source.stream.send(data[:-1])
    source.stream.send(data[-1:], fin=True)
    run.ended(source.stream, "P3")
    run.finished_well("SM-F2")


@scenario("SM-F3 P4", way=Way.FROM_DIALER)
def target_reset_behind_our_ack(run: Context) -> None:
    """We reset the target behind our Ack: the dialer resets the source too, and its application has an error."""
    source, target = consented(run)
    target.stream.reset()
    fails(run, source.stream, "SM-F3")


@scenario("SM-F3 P4", way=Way.FROM_DIALER)
def source_reset_behind_our_ack(run: Context) -> None:
    """We reset the source behind our Ack: the target is reset too."""
    source, target = consented(run)
    source.stream.reset()
    fails(run, target.stream, "SM-F3")


@scenario("SM-F3 P4", way=Way.FROM_DIALER)
def target_lost_behind_our_ack(run: Context) -> None:
    """The target's connection is cut behind our Ack: an error at the dialer, and the source is reset."""
    source, target = consented(run)
    target.stream.session.abort()
    fails(run, source.stream, "SM-F3")


@scenario("SM-F3 P4", way=Way.FROM_DIALER)
def source_lost_behind_our_ack(run: Context) -> None:
    """The source's connection is cut behind our Ack: an error at the dialer, and the target is reset."""
    source, target = consented(run)
    source.stream.session.abort()
    fails(run, target.stream, "SM-F3")


@scenario("SM-F9 P4", way=Way.FROM_DIALER)
def source_reset_while_it_waits(run: Context) -> None:
    """We reset the source while the answer is outstanding: the stream ends with an error, and the target is reset."""
    source, target = asked_half_way(run)
    source.stream.reset()
    fails(run, target.stream, "SM-F9")


@scenario("SM-M8 P11", way=Way.FROM_DIALER)
def source_lost_behind_our_hand_off(run: Context) -> None:
    """Both FINs have passed on the source, and the dialer has heard of it: the old connection may go."""
    source, target = asked_half_way(run)
    stream = take_over(run, source, target)
    run.until(lambda: stream.total > 0, "SM-M8", "bytes on the target")
    run.fence()
    source.stream.session.abort()
    serve_out(run, stream)
    run.attempts(run.finished_well("SM-M8"), "SM-M8", "completed")


@scenario("SM-F8 SM-F2", way=Way.FROM_DIALER, lasts=60)
def we_never_answer(run: Context) -> None:
    """No answer within the deadline: the target is reset, and the stream has worked all the time."""
    source, target = asked_half_way(run)
    run.until(lambda: target.stream.is_broken, "SM-F8", "the target to be reset by a deadline", timeout=70)
    _in_doubt(run, source, "failed")
