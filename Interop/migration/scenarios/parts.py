"""What the scenarios in which the other side dials have in common: the steps from its call to its end."""

from __future__ import annotations

from stack.session import Stream

from ..context import Context
from ..peer import Incoming

#: The size of an echo.
BYTES = 65_536


def echo_all(run: Context, *legs: Stream, total: int = BYTES, until: int | None = None) -> None:
    """Echoes what comes on the legs, in their order, to the last of them, up to `until` bytes of the whole."""
    goal = total if until is None else until

    def step() -> bool:
        for leg in legs:
            if leg.received and not leg.is_broken:
                legs[-1].send(leg.take())
        return sum(leg.total for leg in legs) >= goal or any(leg.is_broken for leg in legs)

    run.until(step, "P1", f"{goal} bytes of the dialer", lambda: f"{sum(leg.total for leg in legs)} bytes")
    run.check(not any(leg.is_broken for leg in legs), "P3", "the stream to live", "a reset or the loss of a leg")


def serve(run: Context, stream: Stream) -> None:
    """Echoes to the end on a stream that has moved completely."""

    def step() -> bool:
        if stream.received and not stream.is_broken:
            stream.send(stream.take())
        return stream.is_over

    run.until(step, "P2", f"the end on {stream}")
    run.check(stream.has_fin, "P3", "a clean end", "a reset")


def take_over(run: Context, source: Incoming | Stream, target: Incoming) -> Stream:
    """The responder's part: Ack, the initiator's FIN on the source (SM-M4), the switch (SM-M5)."""
    stream = source.stream if isinstance(source, Incoming) else source
    target.accept()
    run.ended(stream, "SM-M4", "FIN behind the Ack")
    rest = stream.take()
    stream.fin()
    if rest:
        target.stream.send(rest)
    return target.stream


def serve_out(run: Context, stream: Stream) -> None:
    """Echoes to the end, and ends our side too."""
    serve(run, stream)
    stream.fin()


def asked_half_way(run: Context, attempts: int = 1) -> tuple[Incoming, Incoming]:
    """The first half of the echo, and the Migrate behind it."""
    run.invite(attempts)
    source = run.invited()
    echo_all(run, source.stream, until=BYTES // 2)
    return source, run.asked()


def asked_behind_the_end(run: Context, count: int = BYTES) -> tuple[Incoming, Incoming]:
    """All bytes and FIN of a dialer that ends its side first (SM-M2), and the Migrate behind them."""
    run.invite(close="before", count=count)
    source = run.invited()
    run.ended(source.stream, "SM-M2", "FIN behind the last byte")
    return source, run.asked()


def consented(run: Context) -> tuple[Incoming, Incoming]:
    """A Migrate half way, our Ack, and the dialer's FIN on the source (SM-M4)."""
    source, target = asked_half_way(run)
    target.accept()
    run.ended(source.stream, "SM-M4", "FIN behind the Ack")
    return source, target


def fails(run: Context, stream: Stream, rule: str) -> None:
    """The dialer resets the stream, and its application has an error."""
    run.refused(stream, rule)
    run.finished_badly(rule)
