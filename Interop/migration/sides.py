"""The implementation under test: a program of the interop contract, a bare address, or whoever dials."""

from __future__ import annotations

import json
import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from harness.process import Program, ProgramError

from .context import Dialling, OtherSide

_START = 20.0
#: Seconds in which everything has to be gone behind a scenario.
_GONE = 5.0


class ProgramDialling:
    """A dialer of the contract, as a child."""

    def __init__(self, program: Program) -> None:
        self.program = program

    def result(self, timeout: float) -> dict[str, object] | None:
        """See `Dialling.result`."""
        try:
            return self.program.await_line("result", lambda line: "case" in line, timeout)
        except ProgramError as failure:
            if "ended without" in str(failure):
                return {"ok": False, "error": str(failure)}
            raise TimeoutError from None


class ProgramSide:
    """A program of the contract: one listener that lasts, and a dialer for each scenario that wants one."""

    patience = 0.0

    def __init__(self, command: str, folder: Path) -> None:
        self._command = shlex.split(command)
        self._folder = folder
        self._listener = self._start("listener", ["listen"])
        line = self._listener.await_line("address", lambda line: "addrs" in line, _START)
        addresses = line["addrs"]
        assert isinstance(addresses, list)
        address = str(addresses[0])
        self._address = address if "/p2p/" in address else f"{address}/p2p/{line['peer_id']}"
        self._mark = 0
        self._dialler: Program | None = None
        self._number = 0

    def _start(self, name: str, arguments: Sequence[str]) -> Program:
        return Program(name, [*self._command, *arguments], dict(os.environ), self._folder)

    def address(self) -> str | None:
        """See `OtherSide.address`."""
        return self._address

    def dial(self, address: str, arguments: list[str]) -> Dialling | None:
        """See `OtherSide.dial`."""
        self._number += 1
        self._dialler = self._start(f"dialer-{self._number}", ["dial", address, *arguments])
        return ProgramDialling(self._dialler)

    def ends(self) -> list[dict[str, object]] | None:
        """See `OtherSide.ends`."""
        self._drain()
        return [line for line in self._listener.lines[self._mark :] if line.get("event") == "stream"]

    def _drain(self) -> None:
        try:
            self._listener.await_line("end", lambda line: False, 0)
        except ProgramError as failure:
            if "ended without" in str(failure):
                raise ProgramError(f"the listener is gone\n{self._listener.logs()}") from None

    def begin(self) -> None:
        """A scenario begins."""
        self._drain()
        self._mark = len(self._listener.lines)

    def left(self) -> str | None:
        """What the listener still has when the scenario's connections are closed; None for nothing, or when it tells no
        counts."""
        if self._dialler is not None:
            self._dialler.kill()
            self._dialler = None
        if not any(line.get("event") == "counts" for line in self._listener.lines):
            return None

        def is_zero(line: dict[str, object]) -> bool:
            return line.get("event") == "counts" and line.get("connections") == 0 and line.get("streams") == 0

        self._drain()
        counts = [line for line in self._listener.lines if line.get("event") == "counts"]
        if is_zero(counts[-1]):
            return None
        try:
            self._listener.await_line("counts of zero", is_zero, _GONE)
        except ProgramError:
            counts = [line for line in self._listener.lines if line.get("event") == "counts"]
            return f"{counts[-1].get('connections')} connections, {counts[-1].get('streams')} streams"
        return None

    def close(self) -> None:
        """Ends the listener."""
        self._listener.kill()


class AddressSide:
    """A listener somewhere: it can be dialled, and nothing else is known of it."""

    patience = 0.0

    def __init__(self, address: str | None) -> None:
        self._address = address

    def address(self) -> str | None:
        """See `OtherSide.address`."""
        return self._address

    def dial(self, address: str, arguments: list[str]) -> Dialling | None:
        """See `OtherSide.dial`."""
        return None

    def ends(self) -> list[dict[str, object]] | None:
        """See `OtherSide.ends`."""
        return None

    def begin(self) -> None:
        """A scenario begins."""

    def left(self) -> str | None:
        """Nobody knows."""
        return None

    def close(self) -> None:
        """There is nothing to end."""


class _Unknown:
    """A dialer whose result is seen elsewhere."""

    def result(self, timeout: float) -> dict[str, object] | None:
        """See `Dialling.result`."""
        return None


class WaitingSide(AddressSide):
    """Whoever dials: the address and the case are printed, and somebody is waited for."""

    def __init__(self, patience: float) -> None:
        super().__init__(None)
        self.patience = patience

    def dial(self, address: str, arguments: list[str]) -> Dialling | None:
        """See `OtherSide.dial`."""
        sys.stdout.write(json.dumps({"event": "waiting", "address": address, "arguments": arguments}) + "\n")
        sys.stdout.flush()
        return _Unknown()


Side = ProgramSide | AddressSide

__all__ = ["AddressSide", "OtherSide", "ProgramSide", "Side", "WaitingSide"]
