"""What a dialer must have printed: exactly what the other projects' runners read."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

_NUMBER = r"-?[0-9]+\.[0-9]+"
_LIST = rf"\[(?:{_NUMBER}(?:, {_NUMBER})*)?\]"
_LATENCY = rf"latency:\n  handshake_plus_one_rtt: ({_NUMBER})\n  ping_rtt: ({_NUMBER})\n  unit: ms\n"
_TRANSPORT = re.compile(rf"# Measurements from dialer\n{_LATENCY}")
_HOLE_PUNCH = re.compile(rf"# Measurements from dialer\nhandshakeTime: {_NUMBER}\nunit: ms\n{_LATENCY}")
_SERIES = re.compile(
    rf"(\w+):\n  iterations: (\d+)\n  min: ({_NUMBER})\n  q1: ({_NUMBER})\n  median: ({_NUMBER})\n  q3: ({_NUMBER})\n"
    rf"  max: ({_NUMBER})\n  outliers: {_LIST}\n  samples: ({_LIST})\n  unit: (\w+)\n"
)


def _object(line: str) -> dict[str, object] | None:
    try:
        value = json.loads(line)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _times(handshake: object, ping: object) -> list[str]:
    """Complaints about a time for everything and that of a ping alone."""
    if not all(isinstance(time, int | float) and time > 0 for time in (handshake, ping)):
        return [f"{handshake} and {ping} are no times"]
    assert isinstance(handshake, int | float) and isinstance(ping, int | float)
    return [] if ping <= handshake else [f"a ping of {ping} ms in {handshake} ms"]


def transport_line(output: str) -> list[str]:
    """One JSON line and nothing else."""
    result = _object(output)
    if result is None or output.count("\n") != 1 or set(result) != {"handshakePlusOneRTTMillis", "pingRTTMilllis"}:
        return [f"not the one line of a result: {output!r}"]
    return _times(result["handshakePlusOneRTTMillis"], result["pingRTTMilllis"])


def transport_yaml(output: str) -> list[str]:
    """The newer form of the same."""
    match = _TRANSPORT.fullmatch(output)
    return _times(*map(float, match.groups())) if match else [f"not the form of a result: {output!r}"]


def hole_punch_line(output: str) -> list[str]:
    """One JSON line and nothing else."""
    result = _object(output)
    if result is None or output.count("\n") != 1 or set(result) != {"rtt_to_holepunched_peer_millis"}:
        return [f"not the one line of a result: {output!r}"]
    return _times(result["rtt_to_holepunched_peer_millis"], result["rtt_to_holepunched_peer_millis"])


def hole_punch_yaml(output: str) -> list[str]:
    """The newer form: what is documented, and what the runner reads."""
    match = _HOLE_PUNCH.fullmatch(output)
    return _times(*map(float, match.groups())) if match else [f"not the form of a result: {output!r}"]


def round_trip(output: str, direct: float, relayed: float) -> list[str]:
    """Whether the ping of a hole-punch result took the direct way, by what the two ways take at least."""
    match = _HOLE_PUNCH.fullmatch(output)
    line = _object(output) or {}
    ping = float(match.group(2)) if match else float(str(line.get("rtt_to_holepunched_peer_millis")))
    return [] if direct <= ping < relayed else [f"{ping} ms are not the round trip of the direct way, {direct:g} ms"]


def perf_reports(output: str, upload: int, download: int) -> list[str]:
    """Reports, one each second, and a final one with the totals."""
    reports = [_object(line) for line in output.splitlines()]
    if not reports or None in reports:
        return [f"not JSON lines: {output!r}"]
    known = [report for report in reports if report]
    complaints = [f"a report of other fields: {one}" for one in known if set(one) != set(_REPORT)]
    final = known[-1]
    if final.get("type") != "final" or (final.get("uploadBytes"), final.get("downloadBytes")) != (upload, download):
        complaints.append(f"not a final report of {upload} bytes up and {download} down: {final}")
    return complaints


_REPORT = ("type", "timeSeconds", "uploadBytes", "downloadBytes")


def endless_report(report: Mapping[str, object], counted: str) -> list[str]:
    """A report of a transfer that never ends: what went one way in about a second, and nothing the other way."""
    seconds, there = report.get("timeSeconds"), report.get(counted)
    back = report.get("downloadBytes" if counted == "uploadBytes" else "uploadBytes")
    if report.get("type") != "intermediary" or set(report) != set(_REPORT):
        return [f"not an intermediary report: {report}"]
    if not isinstance(seconds, float) or not isinstance(there, int):
        return [f"not numbers: {report}"]
    if not 0.9 <= seconds <= 5 or there <= 1 << 20 or back != 0:
        return [f"not what a second brings: {report}"]
    return []


def perf_series(output: str, counts: dict[str, int]) -> list[str]:
    """The three series of the newer form, in order, each with so many samples."""
    head, _, rest = output.partition("\n")
    found = _SERIES.findall(rest)
    if head != "# Measurements from dialer" or _SERIES.sub("", rest) or [one[0] for one in found] != list(counts):
        return [f"not the form of a result: {output!r}"]
    complaints = []
    for name, iterations, *values, samples, unit in found:
        numbers = json.loads(samples)
        low, lower, middle, upper, high = map(float, values)
        if int(iterations) != counts[name] or len(numbers) != counts[name] or numbers != sorted(numbers):
            complaints.append(f"{name}: not {counts[name]} samples in order")
        if not 0 <= low <= lower <= middle <= upper <= high:
            complaints.append(f"{name}: {values} are no quartiles")
        if unit != ("ms" if name == "latency" else "Gbps"):
            complaints.append(f"{name}: in {unit}")
    return complaints
