"""The go-libp2p daemon in the lab of NATs: as the relay, as one of the hosts in public, and behind a NAT.

The command line and its lines are those of `nat`; it also tells `connection_opened` and `connection_closed`, as `oxbow`
does.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from . import contract, nat, wire
from .daemon import Daemon, DaemonConnection
from .tunnel import echo_on, serve_echo

#: How long a host needs after it has met the observers until it offers to punch: the daemon looks every few seconds
#: whether it knows a public address of its own by now.
_SETTLING = 2.0


def main() -> int:
    """Runs in the role that the command line asks for."""
    options = nat.parse("go_nat")
    contract.exit_when_orphaned()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    binary = Path(os.environ["OXBOW_PEERS"]) / "bin" / "p2pd"
    with Daemon(binary, [options.listen], _flags(options), logs=True) as daemon:
        _meet(daemon, options.also)
        daemon.handle(contract.ECHO, serve_echo)
        watch = _Watch(daemon)
        if options.role == "upgrade":
            return contract.run_case("upgrade", lambda: _upgrade(daemon, watch, options.target, options.wait))
        contract.emit(event="listening", peer_id=daemon.peer_id, addrs=_await_addresses(daemon, options.relay))
        watch.forever()
    return 0


def _flags(options: nat.Options) -> list[str]:
    if options.role in ("relay", "observe"):
        flags = ["-forceReachabilityPublic=1", "-autonat=1", f"-relayService={int(options.role == 'relay')}"]
        if options.circuit_bytes:
            flags.append(f"-relayDataLimit={options.circuit_bytes}")
        if options.circuit_seconds:
            flags.append(f"-relayTimeLimit={options.circuit_seconds}s")
        return flags
    flags = ["-forceReachabilityPrivate=1", "-autonat=1", "-relayService=0"]  # it punches with autonat only
    if options.relay:
        # The relay finder starts with a DHT only.
        flags += ["-dhtClient=1", f"-bootstrapPeers={options.relay}"]
        flags += ["-autoRelay=1", "-relayDiscovery=0", f"-trustedRelays={options.relay}"]
    return flags


def _meet(daemon: Daemon, addresses: Sequence[str]) -> None:
    for address in addresses:
        transport, peer = wire.split_peer(address)
        daemon.connect(peer, transport)
    if addresses:
        time.sleep(_SETTLING)


def _await_addresses(daemon: Daemon, relay: str) -> list[str]:
    """The addresses with the peer id, one through the relay among them if a reservation is wanted."""
    deadline = time.monotonic() + nat.RESERVATION_TIMEOUT
    while True:
        addresses = daemon.advertised()
        if not relay or any("/p2p-circuit" in address for address in addresses):
            suffix = f"/p2p/{daemon.peer_id}"
            return [address if address.endswith(suffix) else address + suffix for address in addresses]
        if time.monotonic() > deadline:
            raise TimeoutError(f"no reservation within {nat.RESERVATION_TIMEOUT:.0f} s; the addresses are {addresses}")
        time.sleep(nat.POLL)


class _Watch:
    """Tells of the daemon's connections as they come and go."""

    def __init__(self, daemon: Daemon) -> None:
        self.daemon = daemon
        self._known: set[DaemonConnection] = set()
        self._lock = threading.Lock()

    def look(self) -> set[DaemonConnection]:
        with self._lock:
            now = set(self.daemon.connections())
            for event, changed in (("opened", now - self._known), ("closed", self._known - now)):
                for one in changed:
                    contract.emit(
                        event=f"connection_{event}", peer=one.peer, address=one.address, relayed=one.is_relayed
                    )  # fmt: skip
            self._known = now
            return now

    def forever(self) -> None:
        while True:
            self.look()
            time.sleep(nat.POLL)

    def until(self, condition: Callable[[set[DaemonConnection]], bool], limit: float) -> float | None:
        """The seconds until a condition held; None when it didn't within the limit."""
        started = time.monotonic()
        while time.monotonic() - started < limit:
            if condition(self.look()):
                return time.monotonic() - started
            time.sleep(nat.POLL)
        return None


def _upgrade(daemon: Daemon, watch: _Watch, target: str, wait: float) -> tuple[bool, dict[str, object]]:
    transport, peer = wire.split_peer(target)
    daemon.connect(peer, transport)
    watch.look()
    first, first_at = daemon.open_stream_somewhere(peer, contract.ECHO)
    with first:
        good = [echo_on(first, nat.ECHOED).is_equal]
        seconds = watch.until(lambda known: any(c.peer == peer and not c.is_relayed for c in known), wait)
        second, second_at = daemon.open_stream_somewhere(peer, contract.ECHO)
        with second:
            good.append(echo_on(second, nat.ECHOED).is_equal)
        is_alive = echo_on(first, nat.ECHOED).is_equal
    return all(good), nat.upgraded(
        seconds,
        first_relayed="/p2p-circuit" in first_at,
        first_alive=is_alive,
        second_relayed="/p2p-circuit" in second_at,
    )


if __name__ == "__main__":
    sys.exit(main())
