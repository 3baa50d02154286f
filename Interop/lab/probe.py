"""Measures round trips as ping(8) does, which isn't everywhere: `python3 -m lab.probe ADDRESS COUNT`.

Prints one line, {"sent": N, "round_trips_ms": [...]}; what was lost is missing from the list. Needs root.
"""

from __future__ import annotations

import json
import os
import select
import socket
import struct
import sys
import time

INTERVAL = 0.02
#: Seconds that are waited for the last answer.
PATIENCE = 1.0


def checksum(data: bytes) -> int:
    """The Internet checksum (RFC 1071)."""
    padded = data + b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(padded) // 2}H", padded))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def echo_request(number: int, identity: int, is_ipv6: bool) -> bytes:
    """An echo request of ICMP, or of ICMPv6, whose checksum the kernel fills in."""
    kind = 128 if is_ipv6 else 8
    body = struct.pack("!HH", identity, number)
    head = struct.pack("!BBH", kind, 0, 0)
    return head + body if is_ipv6 else struct.pack("!BBH", kind, 0, checksum(head + body)) + body


def echo_reply(packet: bytes, identity: int, is_ipv6: bool) -> int | None:
    """The number of the request that a packet answers; None when it is something else."""
    if not is_ipv6:
        if not packet:
            return None
        packet = packet[(packet[0] & 15) * 4 :]  # behind the IP header
    if len(packet) < 8 or packet[0] != (129 if is_ipv6 else 0):
        return None
    found, number = struct.unpack("!HH", packet[4:8])
    return number if found == identity else None


def measure(address: str, count: int) -> list[float]:
    """The round trips in milliseconds of those that came back."""
    is_ipv6 = ":" in address
    family, protocol = (socket.AF_INET6, socket.IPPROTO_ICMPV6) if is_ipv6 else (socket.AF_INET, socket.IPPROTO_ICMP)
    identity = os.getpid() & 0xFFFF
    sent: dict[int, float] = {}
    times: list[float] = []
    with socket.socket(family, socket.SOCK_RAW, protocol) as raw:
        number, due = 0, time.monotonic()
        while len(times) < count:
            now = time.monotonic()
            if number < count and now >= due:
                sent[number] = now
                raw.sendto(echo_request(number, identity, is_ipv6), (address, 0))
                number, due = number + 1, now + (INTERVAL if number + 1 < count else PATIENCE)
                continue
            if now >= due:
                break
            if select.select([raw], [], [], due - now)[0]:
                answered = echo_reply(raw.recv(2048), identity, is_ipv6)
                if answered is not None and answered in sent:
                    times.append((time.monotonic() - sent.pop(answered)) * 1000)
    return times


if __name__ == "__main__":
    _count = int(sys.argv[2])
    print(json.dumps({"sent": _count, "round_trips_ms": measure(sys.argv[1], _count)}))
