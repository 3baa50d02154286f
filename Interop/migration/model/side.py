"""The model as the other side of scenarios, in threads of this process, over real sockets."""

from __future__ import annotations

import argparse
import socket
import threading
import time
from collections.abc import Callable

from peers.contract import ECHO
from stack import connection
from stack.link import Ended, Silence, TCPLink
from stack.multistream import NegotiationError
from stack.noise import NoiseError
from stack.session import Session

from ..context import Dialling
from .applications import Mover
from .logical import Logical
from .node import Node

_TURN = 0.05
_GONE = 3.0
#: Seconds before an attempt that failed is repeated (SM-F2).
_RETRY = 1.0


class ModelDialling:
    """One run of the case `migrate`."""

    def __init__(self, node: Node, address: str, arguments: list[str]) -> None:
        parser = argparse.ArgumentParser()
        parser.add_argument("--case")
        parser.add_argument("--count", type=int)
        parser.add_argument("--close")
        parser.add_argument("--bytes", type=int)
        self._options = parser.parse_args(arguments)
        self._node = node
        self._address = address
        self._result: dict[str, object] | None = None
        self._is_stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def result(self, timeout: float) -> dict[str, object] | None:
        """See `Dialling.result`."""
        if self._result is None:
            raise TimeoutError
        return self._result

    def stop(self) -> None:
        """Ends the thread."""
        self._is_stopped.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            result = self._perform()
        except (Ended, Silence, NoiseError, NegotiationError, OSError) as failure:
            result = {"case": "migrate", "ok": False, "error": str(failure)}
        self._node.pump.close()
        self._result = result

    def _until(self, condition: Callable[[], bool]) -> None:
        while not condition() and not self._is_stopped.is_set():
            self._node.pump.turn(_TURN)

    def _dial(self) -> Session:
        session = self._node.add(connection.dial(self._address, self._node.identity))
        remote = self._node.remotes[session.remote]
        self._until(lambda: remote.is_identified or session.ended is not None)
        return session

    def _perform(self) -> dict[str, object]:
        first = self._dial()
        logical = self._node.open(first, ECHO)
        mover = Mover(logical, self._options.bytes, self._options.close)
        logical.application = mover
        self._node.work()
        sessions = [self._dial(), first]
        attempts: list[str] = []
        for number in range(self._options.count):
            attempts.append(self._attempt(logical, mover, sessions[number % 2]))
        mover.attempts_done()
        self._until(lambda: mover.is_done and logical.is_over)
        return {**mover.result(), "attempts": attempts, "moves": logical.moves}

    def _attempt(self, logical: Logical, mover: Mover, session: Session) -> str:
        def is_ready() -> bool:
            return logical.is_negotiated and not logical.is_busy

        self._until(lambda: is_ready() or mover.is_done)
        if logical.outcomes[-1:] == ["failed"]:
            due = time.monotonic() + _RETRY
            self._until(lambda: time.monotonic() >= due)
        may_ask = not logical.is_denied or "asks-again" in self._node.mutants
        if logical.is_over or logical.id is None or not may_ask:
            return "refused"
        before = len(logical.outcomes)
        self._node.ask(logical, session)
        self._until(lambda: len(logical.outcomes) > before or logical.is_over)
        return logical.outcomes[-1] if len(logical.outcomes) > before else "aborted"


class ModelSide:
    """A listener that lasts, and a dialer for each scenario that wants one."""

    patience = 0.0
    node_type: type[Node] = Node

    def __init__(self, mutants: frozenset[str] = frozenset()) -> None:
        self._node = self.node_type(mutants)
        self._mark = 0
        self._dialling: ModelDialling | None = None
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._node.pump.listening[self._socket.fileno()] = self._accept
        self._is_stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _accept(self) -> None:
        accepted, _ = self._socket.accept()
        try:
            self._node.add(connection.upgrade(TCPLink(accepted), self._node.identity, is_dialer=False))
        except (Ended, Silence, NoiseError, NegotiationError):
            accepted.close()

    def _run(self) -> None:
        while not self._is_stopped.is_set():
            self._node.pump.turn(_TURN)
            self._node.close_remotes()

    def address(self) -> str | None:
        """See `OtherSide.address`."""
        host, port = self._socket.getsockname()
        return f"/ip4/{host}/tcp/{port}/p2p/{self._node.identity.peer_id}"

    def dial(self, address: str, arguments: list[str]) -> Dialling | None:
        """See `OtherSide.dial`."""
        self._dialling = ModelDialling(self.node_type(self._node.mutants), address, arguments)
        return self._dialling

    def ends(self) -> list[dict[str, object]] | None:
        """See `OtherSide.ends`."""
        return self._node.ends[self._mark :]

    def begin(self) -> None:
        """A scenario begins."""
        self._mark = len(self._node.ends)

    def left(self) -> str | None:
        """What the listener still has when the scenario's connections are closed."""
        if self._dialling is not None:
            self._dialling.stop()
            self._dialling = None
        deadline = time.monotonic() + _GONE
        while self._node.remotes and time.monotonic() < deadline:
            time.sleep(_TURN / 5)
        return f"{len(self._node.remotes)} peers" if self._node.remotes else None

    def close(self) -> None:
        """Ends the listener."""
        self.left()
        self._is_stopped.set()
        self._thread.join()
        self._node.pump.close()
        self._socket.close()
