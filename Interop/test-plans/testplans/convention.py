"""What a transport test's environment says, for the front ends of others' implementations, and what they print."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from testplans.redis import Redis

TEST_PLANS = "test-plans"
UNIFIED = "unified"
CONVENTIONS = (TEST_PLANS, UNIFIED)
_TIMEOUT = "180"


class Unsupported(Exception):
    """The test wants something that these front ends don't offer."""


@dataclass(frozen=True)
class TransportTest:
    """One side of a transport test."""

    convention: str
    is_dialer: bool
    security: str
    listen: str
    redis: str
    key: str
    timeout: float

    @staticmethod
    def read(environment: Mapping[str, str] = os.environ) -> TransportTest:
        """Reads either convention's variables; a missing one is a KeyError."""
        if "is_dialer" in environment:
            names = ("transport", "muxer", "security", "is_dialer", "ip", "test_timeout_seconds")
            convention, key = TEST_PLANS, "listenerAddr"
            redis = environment.get("redis_addr", "redis:6379")
        else:
            names = ("TRANSPORT", "MUXER", "SECURE_CHANNEL", "IS_DIALER", "LISTENER_IP", "TEST_TIMEOUT_SECS")
            convention, key = UNIFIED, f"{environment['TEST_KEY']}_listener_multiaddr"
            redis = environment["REDIS_ADDR"]
        transport, muxer, security, is_dialer, ip, timeout = names
        wanted = (environment[transport], environment[muxer], environment[security])
        if wanted not in (("tcp", "yamux", "noise"), ("tcp", "yamux", "tls")):
            raise Unsupported(", ".join(wanted))
        return TransportTest(
            convention=convention,
            is_dialer=environment[is_dialer] == "true",
            security=environment[security],
            listen=f"/ip4/{environment.get(ip, '0.0.0.0')}/tcp/0",
            redis=redis,
            key=key,
            timeout=float(environment.get(timeout, _TIMEOUT)),
        )

    def publish(self, addresses: Sequence[str], peer: str) -> None:
        """Tells the dialer the address at which it finds this host: not a loopback one, if there is a choice."""
        tcp = [one for one in addresses if "/tcp/" in one and "/ws" not in one and "/0.0.0.0/" not in one]
        outside = [one for one in tcp if not one.startswith("/ip4/127.")]
        address = (outside or tcp)[0]
        with Redis(self.redis, self.timeout) as redis:
            redis.push(self.key, address if "/p2p/" in address else f"{address}/p2p/{peer}")

    def listener(self) -> str:
        """The listener's address."""
        with Redis(self.redis, self.timeout) as redis:
            return redis.pop(self.key)

    def result(self, handshake: float, ping: float) -> str:
        """What the dialer prints, from times in milliseconds."""
        if self.convention == TEST_PLANS:
            return json.dumps({"handshakePlusOneRTTMillis": round(handshake, 3), "pingRTTMilllis": round(ping, 3)})
        lines = ["# Measurements from dialer", "latency:", f"  handshake_plus_one_rtt: {handshake:.3f}"]
        return "\n".join([*lines, f"  ping_rtt: {ping:.3f}", "  unit: ms"])
