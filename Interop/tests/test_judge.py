"""Each case's judge passes a good result and finds each way of being bad."""

import unittest

from harness.cells import Amounts, Cell
from harness.judge import judge_dial, judge_listener
from harness.process import Line

AMOUNTS = Amounts(pings=2, echo_bytes=100, streams=3, stream_bytes=10)

GOOD: dict[str, Line] = {
    "identify": {
        "agent": "x/1",
        "protocols": ["/echo/1.0.0", "/ipfs/id/1.0.0", "/ipfs/ping/1.0.0"],
        "listen_addrs": ["/ip4/127.0.0.1/tcp/1"],
        "observed_addr": "/ip4/127.0.0.1/tcp/2",
    },
    "ping": {"rtt_ms": [0.1, 2]},
    "echo": {"bytes": 100, "sha256_equal": True, "half_close": True},
    "streams": {"count": 3, "ok_count": 3},
    "vanish": {"typed_error": "connection lost", "connections_left": 0, "streams_left": 0},
}

BAD: dict[str, list[Line]] = {
    "identify": [
        {"agent": ""},
        {"protocols": ["/echo/1.0.0"]},
        {"protocols": None},
        {"listen_addrs": []},
        {"observed_addr": None},
        {"observed_addr": "/ip4/10.0.0.1/tcp/2"},
    ],
    "ping": [{"rtt_ms": [1]}, {"rtt_ms": None}, {"rtt_ms": [1, -1]}],
    "echo": [{"bytes": 99}, {"sha256_equal": False}, {"sha256_equal": None}, {"half_close": False}],
    "streams": [{"ok_count": 2}, {"count": 2, "ok_count": 2}],
    "vanish": [{"typed_error": ""}, {"connections_left": 1}, {"streams_left": 1}, {"streams_left": None}],
}


def complaints(case: str, change: Line, status: int = 0) -> list[str]:
    line: Line = {"case": case, "ok": True, "error": None, **GOOD[case], **change}
    return judge_dial(Cell("py", "tls", "we-dial", case), line, status, AMOUNTS)


class DialTests(unittest.TestCase):
    def test_good_results_pass(self) -> None:
        for case in GOOD:
            self.assertEqual(complaints(case, {}), [], case)

    def test_bad_results_fail(self) -> None:
        for case, changes in BAD.items():
            for change in changes:
                self.assertNotEqual(complaints(case, change), [], f"{case} {change}")

    def test_status_and_ok_count_whatever_the_fields_say(self) -> None:
        for case in GOOD:
            self.assertNotEqual(complaints(case, {}, status=1), [])
            self.assertNotEqual(complaints(case, {"ok": False}), [])
            self.assertNotEqual(complaints(case, {"case": "other"}), [])
        self.assertNotEqual(judge_dial(Cell("py", "tls", "we-dial", "ping"), {}, 0, AMOUNTS), [])

    def test_a_daemon_without_half_close_is_not_asked_for_it(self) -> None:
        line: Line = {"case": "echo", "ok": True, **GOOD["echo"], "half_close": False}
        self.assertEqual(judge_dial(Cell("go", "tls", "we-dial", "echo"), line, 0, AMOUNTS), [])


class ListenerTests(unittest.TestCase):
    COUNTS: Line = {"event": "counts", "connections": 0, "streams": 0}

    def stream(self, **change: object) -> Line:
        line: Line = {"event": "stream", "protocol": "/echo/1.0.0", "bytes_in": 100, "bytes_out": 100, "end": "eof"}
        return {**line, **change}

    def judge(self, case: str, *lines: Line) -> list[str]:
        return judge_listener(Cell("py", "tls", "they-dial", case), lines, AMOUNTS)

    def test_good_listeners_pass(self) -> None:
        self.assertEqual(self.judge("ping", self.COUNTS), [])
        self.assertEqual(self.judge("echo", self.stream(), self.COUNTS), [])
        small = self.stream(bytes_in=10, bytes_out=10)
        self.assertEqual(self.judge("streams", small, small, small, self.COUNTS), [])
        self.assertEqual(self.judge("vanish", self.stream(end="error", error="lost"), self.COUNTS), [])

    def test_bad_listeners_fail(self) -> None:
        self.assertNotEqual(self.judge("ping"), [])
        self.assertNotEqual(self.judge("ping", self.COUNTS, {**self.COUNTS, "connections": 1}), [])
        self.assertNotEqual(self.judge("ping", {**self.COUNTS, "streams": 1}), [])
        self.assertNotEqual(self.judge("echo", self.COUNTS), [])
        self.assertNotEqual(self.judge("echo", self.stream(bytes_out=99), self.COUNTS), [])
        self.assertNotEqual(self.judge("streams", self.stream(bytes_in=10, bytes_out=10), self.COUNTS), [])
        self.assertNotEqual(self.judge("vanish", self.stream(), self.COUNTS), [])
        self.assertNotEqual(self.judge("vanish", self.stream(end="error", error=None), self.COUNTS), [])
