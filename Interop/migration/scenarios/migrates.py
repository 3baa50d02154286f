"""Migrates that can't be accepted, or not yet (SM-L3, SM-L4, SM-F5, SM-F6, SM-F10)."""

from __future__ import annotations

from peers.contract import ECHO
from peers.wire import encode_message
from stack.identity import Identity

from ..context import Context
from ..messages import Migrate, delimited
from ..peer import Labelled, ScriptedPeer, Target
from ..registry import scenario

#: Seconds for which a Migrate is held whose `from` is unknown, and what a run waits beyond.
UNKNOWN_HELD = 10.0
SLACK = 5.0


def _held_then_reset(run: Context, target: Target, rule: str) -> None:
    """The Migrate is held for some seconds, and never denied: its target is reset."""
    run.held(target, rule)
    answer = run.answer(target, rule, UNKNOWN_HELD + SLACK)
    run.check(answer is None, rule, "a reset", "consent" if answer and answer.accepts else "a denial")


@scenario("SM-F6")
def from_finished(run: Context) -> None:
    """A stream that has ended can't move: denied, not reset, for a reset would put the end in doubt."""
    session = run.dial()
    live = run.open_echo(session, b"before")
    run.finish(live)
    run.fence()
    run.denied(run.ask(live, run.dial()), "SM-F6")


@scenario("SM-F6 SM-M8")
def from_old_id(run: Context) -> None:
    """The id that a stream had before its move is finished: denied, and the stream lives where it is."""
    first, second = run.dial(), run.dial()
    live = run.open_echo(first, b"before")
    old = live.id
    run.move(live, second)
    run.denied(run.peer.open_target(first, old), "SM-F6")
    run.echo(live)
    run.move(live, first)
    run.echo(live)
    run.finish(live)


@scenario("SM-F6", lasts=UNKNOWN_HELD)
def from_unknown(run: Context) -> None:
    """An id that nobody has given is held for some seconds, then its target is reset; it is never denied."""
    session = run.dial()
    live = run.open_echo(session, b"before")
    target = run.peer.open_target(session, run.peer.new_id())
    _held_then_reset(run, target, "SM-F6")
    run.echo(live, rule="SM-F6")
    run.finish(live)


@scenario("SM-F6")
def label_comes_later(run: Context) -> None:
    """A Migrate that overtakes the label that it names is held and accepted when the label is there."""
    slow, fast = run.dial(), run.dial()
    label = run.peer.new_id()
    target = run.peer.open_target(fast, label)
    run.held(target, "SM-F6")
    live = run.live(run.peer.open_labelled(slow, ECHO, b"x", label=label), b"x")
    run.hand_over(live, run.acked(target, "SM-F6"))
    run.echo(live)
    run.finish(live)


@scenario("SM-F6")
def held_migrate_is_given_up(run: Context) -> None:
    """We reset a target that is held; the label that comes later is an ordinary stream."""
    slow, fast = run.dial(), run.dial()
    label = run.peer.new_id()
    target = run.peer.open_target(fast, label)
    run.held(target, "SM-F6")
    target.stream.reset()
    run.fence()
    live = run.live(run.peer.open_labelled(slow, ECHO, b"x", label=label), b"x")
    run.echo(live, rule="SM-F6")
    run.move(live, fast)
    run.finish(live)


@scenario("SM-L3 SM-F6", lasts=UNKNOWN_HELD)
def from_another_peer(run: Context) -> None:
    """Another peer's id is exactly as an unknown one: held, then reset; that peer's stream is unharmed."""
    live = run.open_echo(run.dial(), b"before")
    thief = ScriptedPeer(Identity.ordered_against(run.peer.sessions[0].remote, run.peer.is_lower), run.peer.transcript)
    thief.pump = run.peer.pump
    session = thief.dial(run.other.address() or "")
    session.name = "thief"
    target = thief.open_target(session, live.id)
    _held_then_reset(run, target, "SM-L3")
    run.echo(live, rule="SM-L3")
    run.finish(live)


@scenario("SM-L4")
def migrate_to_itself(run: Context) -> None:
    """`from` = `id`: denied or reset, the stream unharmed."""
    live = run.open_echo(run.dial(), b"before")
    run.denied(run.peer.open_target(run.dial(), live.id, target=live.id), "SM-L4", or_reset=True)
    run.echo(live, rule="SM-L4")
    run.finish(live)


@scenario("SM-L4")
def migrate_with_wrong_parity(run: Context) -> None:
    """A target with the other side's parity: denied or reset, the stream unharmed, and it still moves."""
    live = run.open_echo(run.dial(), b"before")
    second = run.dial()
    target = run.peer.open_target(second, live.id, target=run.peer.new_id(is_right=False))
    run.denied(target, "SM-L4", or_reset=True)
    run.echo(live, rule="SM-L4")
    run.move(live, second)
    run.finish(live)


@scenario("SM-L4")
def migrate_with_live_id(run: Context) -> None:
    """A target whose id another stream has: reset or denied, both streams unharmed."""
    first = run.dial()
    live, other = run.open_echo(first, b"one"), run.open_echo(first, b"two")
    run.denied(run.peer.open_target(run.dial(), live.id, target=other.id), "SM-L4", or_reset=True)
    for one in (live, other):
        run.echo(one, rule="SM-L4")
        run.finish(one)


@scenario("SM-W1")
def migrate_without_from(run: Context) -> None:
    """A required field is missing, though it may have been meant as 0: that stream is reset."""
    live = run.open_echo(run.dial(), b"before")
    body = encode_message((2, encode_message((1, run.peer.new_id()))))
    run.refused(run.peer.open_raw(run.dial(), delimited(body)), "SM-W1")
    run.echo(live, rule="SM-W1")
    run.finish(live)


@scenario("SM-W1")
def migrate_without_id(run: Context) -> None:
    """The other required field is missing: that stream is reset."""
    live = run.open_echo(run.dial(), b"before")
    body = encode_message((2, encode_message((2, live.id or 0))))
    run.refused(run.peer.open_raw(run.dial(), delimited(body)), "SM-W1")
    run.echo(live, rule="SM-W1")
    run.finish(live)


@scenario("SM-W1")
def migrate_with_unknown_fields(run: Context) -> None:
    """Unknown fields in a Migrate are skipped."""
    live = run.open_echo(run.dial(), b"before")
    target_id = run.peer.new_id()
    inner = encode_message((1, target_id), (2, live.id or 0), (3, 1), (14, b"later"))
    stream = run.peer.open_raw(run.dial(), delimited(encode_message((2, inner), (11, b"new"))))
    target = Target(stream, Migrate(target_id, live.id or 0), run.peer.dialect.protocol)
    run.hand_over(live, run.acked(target, "SM-W1"))
    run.echo(live)
    run.finish(live)


@scenario("SM-M1 SM-F5")
def second_migrate_waits(run: Context) -> None:
    """A Migrate from the new id, while the hand-off to it is incomplete, is held and accepted behind it."""
    first, second = run.dial(), run.dial()
    live = run.open_echo(first, b"before")
    target = run.acked(run.ask(live, second))
    further = run.peer.open_target(first, target.migrate.id)
    run.held(further, "SM-F5")
    run.hand_over(live, target)
    run.echo(live, rule="SM-F5")
    run.hand_over(live, run.acked(further, "SM-F5"))
    run.echo(live)
    run.finish(live)


@scenario("SM-M1 SM-F5 SM-F6")
def two_migrates_from_one_id(run: Context) -> None:
    """Two targets for one stream: the first is accepted; the second waits for that move and is denied behind it."""
    first, second = run.dial(), run.dial()
    live = run.open_echo(first, b"before")
    one, two = run.ask(live, second), run.peer.open_target(second, live.id)
    run.acked(one)
    run.held(two, "SM-F5")
    run.hand_over(live, one)
    run.denied(two, "SM-F6")
    run.echo(live)
    run.finish(live)


@scenario("SM-F10")
def flood_of_held_migrates(run: Context) -> None:
    """Forty Migrates that can't be judged: past the bound they are reset, and a stream that is there still moves."""
    session = run.dial()
    live = run.open_echo(session, b"before")
    flood = [run.peer.open_target(session, run.peer.new_id()) for _ in range(40)]

    def refused() -> int:
        return sum(one.stream.has_reset for one in flood)

    # Long before a deadline would reset them all, whatever the user waits for one thing.
    run.until(lambda: refused() >= 40 - 16, "SM-F10", "all but 16 of 40 to be reset at once",
              lambda: f"{refused()} resets", min(run.timeout, UNKNOWN_HELD / 2))  # fmt: skip
    run.echo(live, rule="SM-F10")
    run.move(live, run.dial())
    run.echo(live)
    run.finish(live)


@scenario("SM-F10")
def flood_of_migrations(run: Context) -> None:
    """Twenty-four migrations are begun and not ended: past the bound they are refused; the refused streams live where
    they are and the accepted ones finish their moves."""
    first, second = run.dial(), run.dial()
    streams = [run.open_echo(first) for _ in range(24)]
    targets = [run.ask(live, second) for live in streams]
    for target in targets:
        run.answer(target, "SM-F10")
    accepted = [bool(target.answer and target.answer.accepts) for target in targets]
    run.check(sum(accepted) <= 16, "SM-F10", "at most 16 migrations at once", f"{sum(accepted)} accepted")
    run.check(sum(accepted) >= 1, "SM-F10", "some migrations to be accepted", "none")
    for live, target, is_accepted in zip(streams, targets, accepted, strict=True):
        if is_accepted:
            run.hand_over(live, target)
        run.echo(live, 100, "SM-F10")


@scenario("SM-F10")
def flood_of_labels(run: Context) -> None:
    """Labelled streams without end: at most 1,024 are taken, and those that are there go on."""
    session = run.dial()
    live = run.open_echo(session, b"before")
    opened: list[Labelled] = []
    while len(opened) <= 1024 and not any(one.stream.is_broken for one in opened):
        opened += [run.peer.open_labelled(session, ECHO) for _ in range(64)]
        run.fence(session)
    run.check(any(one.stream.is_broken for one in opened), "SM-F10", "a bound on live streams", f"{len(opened)} taken")
    run.check(
        session.ended is None,
        "SM-F10",
        "the streams before the bound to live",
        f"the connection's end, {session.ended}",
    )
    run.echo(live, rule="SM-F10")
    run.finish(live)
