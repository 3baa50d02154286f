"""Labels, right and wrong (SM-W1, SM-W2, SM-L2 to SM-L5)."""

from __future__ import annotations

from peers.contract import ECHO, PING
from peers.wire import encode_message, encode_varint
from stack import multistream
from stack.multistream import HEADER

from ..context import Context, Live
from ..messages import Answer, Label, Migrate, delimited, encode
from ..registry import Order, scenario


def _bystander(run: Context) -> Live:
    """A stream that must not be harmed."""
    return run.open_echo(run.dial(), b"bystander")


def _unharmed(run: Context, live: Live) -> None:
    """It lives, and it can still move."""
    run.echo(live, rule="SM-W1")
    run.move(live, run.dial())
    run.echo(live)
    run.finish(live)


def _refused(run: Context, message: bytes) -> None:
    """A message of ours costs its own stream and nothing else."""
    live = _bystander(run)
    stream = run.peer.open_raw(live.stream.session, message)
    stream.send(multistream.lines(HEADER, ECHO) + b"data")
    run.refused(stream, "SM-W1")
    _unharmed(run, live)


@scenario("SM-L4")
def label_with_wrong_parity(run: Context) -> None:
    """An id of the other side's parity: the stream is served, and can't move; nothing else is harmed."""
    other = _bystander(run)
    wrong = run.peer.new_id(is_right=False)
    live = run.live(run.peer.open_labelled(other.stream.session, ECHO, b"x", label=wrong), b"x")
    target = run.ask(live, run.dial())
    run.never(lambda: target.read_answer() and bool(target.answer and target.answer.accepts), "SM-L4",
              "a stream with a wrong label to stay", "consent to move it")  # fmt: skip
    run.echo(live, rule="SM-L4")
    run.finish(live)
    _unharmed(run, other)


@scenario("SM-L4")
def label_twice(run: Context) -> None:
    """A live id again, on the same connection: the new stream is reset, the old one lives and moves."""
    live = _bystander(run)
    again = run.peer.open_labelled(live.stream.session, ECHO, b"x", label=live.id)
    run.refused(again.stream, "SM-L4")
    _unharmed(run, live)


@scenario("SM-L2 SM-L4")
def label_twice_on_two_connections(run: Context) -> None:
    """Ids are unique over all connections: a live id on another one is refused."""
    live = _bystander(run)
    again = run.peer.open_labelled(run.dial(), ECHO, b"x", label=live.id)
    run.refused(again.stream, "SM-L4")
    _unharmed(run, live)


@scenario("SM-W1 SM-L2", orders=(Order.LOWER,))
def label_zero(run: Context) -> None:
    """Id 0, which has to be written though it is 0, is an id like any other."""
    live = run.live(run.peer.open_labelled(run.dial(), ECHO, b"x", label=0), b"x")
    run.move(live, run.dial())
    run.echo(live)
    run.finish(live)


@scenario("SM-L2")
def label_of_64_bits(run: Context) -> None:
    """The largest id of our parity labels a stream, and a target takes the next one down."""
    largest = (1 << 64) - (2 if run_is_lower(run) else 1)
    live = run.live(run.peer.open_labelled(run.peer.sessions[0], ECHO, b"x", label=largest), b"x")
    target = run.acked(run.peer.open_target(run.dial(), live.id, target=largest - 2))
    run.hand_over(live, target)
    run.echo(live)
    run.finish(live)


def run_is_lower(run: Context) -> bool:
    """Whether our id is the lower one; dials first, since nobody knows before."""
    run.dial()
    return run.peer.is_lower


@scenario("SM-W1")
def label_with_unknown_fields(run: Context) -> None:
    """Fields that nobody knows, in the label and around it, are skipped."""
    session = run.dial()
    label = run.peer.new_id()
    inner = encode_message((1, label), (9, 7), (15, b"later"))
    message = delimited(encode_message((1, inner), (12, b"new"), (13, 1)))
    stream = run.peer.open_raw(session, message + multistream.lines(HEADER, ECHO) + b"x")
    run.until(lambda: stream.received.endswith(b"x") or stream.is_over, "SM-W1", "the stream to be served")
    run.check(not stream.is_over, "SM-W1", "unknown fields to be skipped", "a refusal")
    stream.take()
    live = Live(stream, label)
    run.move(live, run.dial())
    run.echo(live)
    run.finish(live)


@scenario("SM-W1")
def label_without_id(run: Context) -> None:
    """The required id is missing: that stream is reset."""
    _refused(run, delimited(encode_message((1, b""))))


@scenario("SM-W1")
def message_without_type(run: Context) -> None:
    """An empty message, with no type set, asks for nothing: that stream is reset."""
    _refused(run, delimited(b""))


@scenario("SM-W1")
def message_cut_short(run: Context) -> None:
    """A field that promises more than the message has: that stream is reset."""
    _refused(run, delimited(b"\x0a\x05\x08\x01"))


@scenario("SM-W1")
def message_of_rubbish(run: Context) -> None:
    """Bytes that are no protobuf: that stream is reset."""
    _refused(run, delimited(b"\xff" * 12))


@scenario("SM-W1")
def message_too_long(run: Context) -> None:
    """A well-formed label of more than 1,024 bytes: that stream is reset."""
    _refused(run, encode(Label(run_id(run)), extra=encode_message((15, bytes(1100)))))


@scenario("SM-W1")
def message_longer_than_told(run: Context) -> None:
    """A length of four gibibytes alone is enough to reset the stream: nobody waits for the rest."""
    _refused(run, encode_varint(1 << 32))


def run_id(run: Context) -> int:
    """An id of our parity before any stream is open."""
    run.dial()
    return run.peer.new_id()


@scenario("SM-W1")
def message_of_exactly_1024(run: Context) -> None:
    """The longest message that is allowed is read."""
    session = run.dial()
    label = run.peer.new_id()
    bare = len(encode(Label(label), extra=encode_message((15, bytes(900)))))
    message = encode(Label(label), extra=encode_message((15, bytes(900 + 1026 - bare))))
    assert len(message) == 1026, "1,024 bytes behind a length of two"
    stream = run.peer.open_raw(session, message + multistream.lines(HEADER, ECHO) + b"x")
    run.until(lambda: stream.received.endswith(b"x") or stream.is_over, "SM-W1", "the stream to be served")
    run.check(not stream.is_over, "SM-W1", "a message of 1,024 bytes to be read", "a refusal")


@scenario("SM-W1 SM-F7")
def answer_in_place_of_a_question(run: Context) -> None:
    """An AckMigrate opens nothing: that stream is reset."""
    _refused(run, encode(Answer(True, is_bare=False)))


@scenario("SM-W1")
def label_in_a_label(run: Context) -> None:
    """A labelled stream that negotiates migration again is no stream of an application."""
    live = _bystander(run)
    peer = run.peer
    inner = multistream.lines(HEADER, peer.dialect.protocol) + encode(Label(peer.new_id()))
    stream = peer.open_raw(live.stream.session, encode(Label(peer.new_id())) + inner)
    stream.send(multistream.lines(HEADER, ECHO) + b"data")
    run.until(lambda: stream.is_over, "SM-W1", f"{stream} to be refused")
    _unharmed(run, live)


@scenario("SM-W1")
def two_messages_in_one_frame(run: Context) -> None:
    """Behind a label comes the application's negotiation, not another message: a Migrate there moves nothing."""
    live = _bystander(run)
    peer = run.peer
    both = encode(Label(peer.new_id())) + encode(Migrate(peer.new_id(), live.id or 0))
    stream = peer.open_raw(live.stream.session, both)
    run.refused(stream, "SM-W1")
    _unharmed(run, live)


@scenario("SM-L5")
def control_streams_have_no_label(run: Context) -> None:
    """Identify and ping, as the other side opens them, are never labelled."""
    live = _bystander(run)
    run.until(lambda: bool(run.peer.openings), "SM-L5", "the other side to ask who we are")
    run.fence()
    labelled = [one.protocol for one in run.peer.openings if one.name is not None and one.protocol != ECHO]
    run.check(not labelled, "SM-L5", "control streams without labels", f"labels on {labelled}")
    run.finish(live)


@scenario("SM-L5")
def labelled_ping_harms_nobody(run: Context) -> None:
    """We label a ping against the rule: it is served or refused, and streams that may move still do."""
    live = _bystander(run)
    labelled = run.peer.open_labelled(live.stream.session, PING, bytes(32))
    run.until(lambda: labelled.stream.total > 0 or labelled.stream.is_over, "SM-L5", "an answer or a refusal")
    _unharmed(run, live)
