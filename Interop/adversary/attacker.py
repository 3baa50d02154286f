"""The attacker's side of a scenario: whom it attacks, for how long, and what it has seen."""

from __future__ import annotations

import contextlib
import socket
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from adversary import measure, network
from adversary.session import Session, Stream
from peers.wire import split_peer
from stack import multistream, noise
from stack.connection import Upgraded, upgrade
from stack.identity import Identity
from stack.link import Buffered, Ended, Silence, TCPLink, endpoint
from stack.noise import NoiseError

#: How a connection with the target can come to an end, or not come to be.
GONE = (Ended, Silence, NoiseError, multistream.NegotiationError, OSError)
Source = Callable[[int], str]
#: After so many seconds nobody waits on for the end of a phase, whose deadline is 10 s.
PATIENCE = 25.0
#: How long one of several sessions is served at once.
_TURN = 0.005
#: Where the attacker listens when the target is to dial it, and who it is then.
HOME, HOME_SEED = "11.66.0.1", bytes(range(32))


def home_port(scenario: str) -> int:
    """The port there: scenarios that run side by side share the network."""
    return 20_000 + zlib.crc32(scenario.encode()) % 10_000


@dataclass
class Attacker:
    """What an attack gets, and where it leaves the numbers that its bounds are about."""

    #: The scenario's name.
    name: str
    #: How many of whatever the attack counts are wanted.
    wanted: int
    #: When the attack ends, come what may (`time.monotonic`).
    deadline: float
    #: Whether those who measure have seen enough.
    is_enough: Callable[[], bool]
    #: Tells them that the attack is under way.
    begun: Callable[[], None]
    #: The target's address, and its process.
    target: str = ""
    pid: int = 0
    #: Another host of the scenario: a relay that stands between.
    relay: str = ""
    #: The program, for attacks on what it does when it starts.
    oxbow: str = ""
    facts: dict[str, float] = field(default_factory=dict)
    _dials: int = 0

    def going(self, done: int) -> bool:
        """Whether to go on after so many: until all were done, and as long as somebody measures."""
        if time.monotonic() > self.deadline:
            return False
        return done < self.wanted or not self.is_enough()

    def count(self, fact: str, by: float = 1) -> None:
        """Adds to a number."""
        self.facts[fact] = self.facts.get(fact, 0) + by

    def cost(self, act: Callable[[int], object], times: int = 24) -> float:
        """Does something so many times, each with its number from 1 on, and returns what one costs the target in
        seconds on a processor. It waits until nobody else is measured, for the target serves those too.
        """
        while not self.is_enough():
            time.sleep(0.01)
        before = measure.cpu_seconds(self.pid)
        for index in range(1, times + 1):
            act(index)
        return (measure.cpu_seconds(self.pid) - before) / times

    def note_longest(self, fact: str, value: float) -> None:
        """Keeps the largest."""
        self.facts[fact] = max(self.facts.get(fact, 0), value)

    @property
    def target_id(self) -> str:
        """The target's peer id."""
        return split_peer(self.target)[1]

    def connect(self, source: Source = network.source, index: int | None = None, where: str = "") -> TCPLink:
        """A TCP connection with the target, each from another address."""
        if index is None:
            index, self._dials = self._dials, self._dials + 1
        address = (source(index), 0)
        return TCPLink(socket.create_connection(endpoint(where or self.target), 5.0, source_address=address))

    def dial(self, identity: Identity | None = None, source: Source = network.source, where: str = "") -> Upgraded:
        """A whole connection with the target."""
        tcp = self.connect(source, where=where)
        try:
            return upgrade(tcp, identity or Identity(), is_dialer=True)
        except GONE:
            tcp.abort()
            raise

    def session(self, identity: Identity | None = None, source: Source = network.source, where: str = "") -> Session:
        """A whole connection with streams."""
        return Session(self.dial(identity, source, where))

    @contextlib.contextmanager
    def connection(self, source: Source = network.source) -> Iterator[Upgraded]:
        """A whole connection that is cut at the end; its end by the target is no error."""
        upgraded = self.dial(source=source)
        try:
            with contextlib.suppress(*GONE):
                yield upgraded
        finally:
            upgraded.tcp.abort()

    def listen(self) -> socket.socket:
        """Listens where the target is told to dial."""
        return socket.create_server((HOME, home_port(self.name)))

    def secure(self, identity: Identity | None = None) -> noise.NoiseLink:
        """A connection that is secured and has no muxer."""
        tcp = self.connect()
        wire = Buffered(tcp)
        multistream.select(tcp.send, lambda count: wire.read(count, 5.0), noise.PROTOCOL)
        return noise.initiate(tcp, identity or Identity(), wire.leftover(), 5.0)

    def await_ends(self, streams: Sequence[Stream], began: float, *sessions: Session) -> None:
        """Serves the sessions and sees when the target has ended each of the streams, and how many it never does."""
        take_turns(lambda: all(stream.is_over for stream in streams), began + PATIENCE - time.monotonic(), *sessions)
        self.facts["held s"] = time.monotonic() - began
        self.facts["unended"] = sum(not stream.is_over for stream in streams)


def take_turns(until: Callable[[], bool], seconds: float, *sessions: Session) -> None:
    """Serves the target on sessions, one after the other, until the condition holds or the time has passed."""
    deadline = time.monotonic() + seconds
    while not until() and time.monotonic() < deadline:
        for session in sessions:
            with contextlib.suppress(*GONE):
                session.idle(_TURN)


def await_end(link: TCPLink, seconds: float) -> str | None:
    """How the target ended the connection; None when it hadn't after so many seconds. What it sends is dropped."""
    deadline = time.monotonic() + seconds
    try:
        while True:
            link.receive(deadline - time.monotonic())
    except Silence:
        return None
    except Ended as ended:
        return ended.how
