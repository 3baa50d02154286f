"""The parts of the runner of libp2p's own tests that need no peer."""

from __future__ import annotations

import socket
import sys
import threading
import unittest
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parent.parent / "test-plans"))

from testplans import judge  # noqa: E402
from testplans.cells import HOLE_PUNCH, OURS, PERF, TRANSPORT, matrix  # noqa: E402
from testplans.convention import CONVENTIONS, TEST_PLANS, UNIFIED, TransportTest, Unsupported  # noqa: E402
from testplans.execute import variables  # noqa: E402
from testplans.redis import Redis, RedisError  # noqa: E402

_LATENCY = "latency:\n  handshake_plus_one_rtt: 12.500\n  ping_rtt: 0.500\n  unit: ms\n"
_HEAD = "# Measurements from dialer\n"
_SERIES = """{}:
  iterations: 2
  min: 1.00
  q1: 1.25
  median: 1.50
  q3: 1.75
  max: 2.00
  outliers: []
  samples: [1.00, 2.00]
  unit: {}
"""


class CellsTest(unittest.TestCase):
    def test_names_are_unique(self) -> None:
        names = [cell.name for cell in matrix()]
        self.assertEqual(len(names), len(set(names)))

    def test_we_take_part_in_every_cell(self) -> None:
        for cell in matrix():
            self.assertIn(OURS, (cell.dialer, cell.listener), cell.name)

    def test_every_test_runs_by_both_conventions_among_ourselves(self) -> None:
        for test in (TRANSPORT, PERF, HOLE_PUNCH):
            found = {cell.convention for cell in matrix() if cell.test == test and not cell.peers}
            self.assertEqual(found, set(CONVENTIONS), test)


class ConventionTest(unittest.TestCase):
    older = {"transport": "tcp", "muxer": "yamux", "security": "tls", "is_dialer": "true", "redis_addr": "r:1"}
    newer = {
        "TRANSPORT": "tcp", "MUXER": "yamux", "SECURE_CHANNEL": "noise", "IS_DIALER": "false", "REDIS_ADDR": "r:1",
        "TEST_KEY": "k", "LISTENER_IP": "127.0.0.1",
    }  # fmt: skip

    def test_older(self) -> None:
        test = TransportTest.read({**self.older, "test_timeout_seconds": "7"})
        self.assertEqual(
            test, TransportTest(TEST_PLANS, True, "tls", "/ip4/0.0.0.0/tcp/0", "r:1", "listenerAddr", 7.0)
        )
        self.assertEqual(test.result(1.23456, 0.5), '{"handshakePlusOneRTTMillis": 1.235, "pingRTTMilllis": 0.5}')

    def test_newer(self) -> None:
        test = TransportTest.read(self.newer)
        self.assertEqual(
            test, TransportTest(UNIFIED, False, "noise", "/ip4/127.0.0.1/tcp/0", "r:1", "k_listener_multiaddr", 180.0)
        )
        self.assertEqual(test.result(12.5, 0.5) + "\n", _HEAD + _LATENCY)

    def test_others_are_refused(self) -> None:
        for change in ({"transport": "ws"}, {"muxer": "mplex"}, {"security": "plaintext"}):
            with self.assertRaises(Unsupported):
                TransportTest.read({**self.older, **change})

    def test_names_of_variables(self) -> None:
        self.assertEqual(variables(TEST_PLANS, redis="r:1", key="k"), {"redis_addr": "r:1"})
        self.assertEqual(variables(UNIFIED, redis="r:1", key="k"), {"REDIS_ADDR": "r:1", "TEST_KEY": "k"})


class JudgeTest(unittest.TestCase):
    def test_transport(self) -> None:
        self.assertEqual(judge.transport_line('{"handshakePlusOneRTTMillis": 3.5, "pingRTTMilllis": 1.0}\n'), [])
        self.assertEqual(judge.transport_yaml(_HEAD + _LATENCY), [])
        for bad in (
            "",
            '{"handshakePlusOneRTTMillis": 3.5, "pingRTTMillis": 1.0}\n',
            '{"handshakePlusOneRTTMillis": 0.5, "pingRTTMilllis": 1.0}\n',
            '{"handshakePlusOneRTTMillis": 3.5, "pingRTTMilllis": 0.0}\n',
            'a log line\n{"handshakePlusOneRTTMillis": 3.5, "pingRTTMilllis": 1.0}\n',
        ):
            self.assertTrue(judge.transport_line(bad), bad)
        for bad in ("", _LATENCY, _HEAD + _LATENCY + "more\n", _HEAD + _LATENCY.replace("  unit", "unit")):
            self.assertTrue(judge.transport_yaml(bad), bad)

    def test_hole_punch(self) -> None:
        line, yaml = '{"rtt_to_holepunched_peer_millis": 61.5}\n', _HEAD + "handshakeTime: 1.50\nunit: ms\n" + _LATENCY
        self.assertEqual(judge.hole_punch_line(line), [])
        self.assertEqual(judge.hole_punch_yaml(yaml), [])
        self.assertTrue(judge.hole_punch_line(line * 2))
        self.assertTrue(judge.hole_punch_yaml(_HEAD + _LATENCY))

    def test_the_round_trip_tells_the_way(self) -> None:
        yaml = _HEAD + "handshakeTime: 90.00\nunit: ms\n" + _LATENCY.replace("0.500", "61.500")
        for output in ('{"rtt_to_holepunched_peer_millis": 61.5}\n', yaml):
            self.assertEqual(judge.round_trip(output, 60, 100), [])
            self.assertTrue(judge.round_trip(output, 62, 100))
            self.assertTrue(judge.round_trip(output, 50, 60))

    def test_perf_reports(self) -> None:
        final = '{"type": "final", "timeSeconds": 1.5, "uploadBytes": 3, "downloadBytes": 4}\n'
        self.assertEqual(judge.perf_reports(final, 3, 4), [])
        self.assertTrue(judge.perf_reports(final, 4, 3))
        self.assertTrue(judge.perf_reports("", 3, 4))
        self.assertTrue(judge.perf_reports("text\n" + final, 3, 4))
        self.assertTrue(judge.perf_reports(final.replace("final", "intermediary"), 3, 4))

    def test_endless_reports(self) -> None:
        report: dict[str, object] = {
            "type": "intermediary", "timeSeconds": 1.01, "uploadBytes": 1 << 30, "downloadBytes": 0,
        }  # fmt: skip
        self.assertEqual(judge.endless_report(report, "uploadBytes"), [])
        self.assertTrue(judge.endless_report(report, "downloadBytes"))
        for change in ({"type": "final"}, {"timeSeconds": 0.5}, {"uploadBytes": 0}, {"downloadBytes": 1}, {"more": 1}):
            self.assertTrue(judge.endless_report({**report, **change}, "uploadBytes"), change)

    def test_perf_series(self) -> None:
        good = _HEAD + _SERIES.format("upload", "Gbps") + _SERIES.format("latency", "ms")
        counts = {"upload": 2, "latency": 2}
        self.assertEqual(judge.perf_series(good, counts), [])
        for old, new in (
            ("iterations: 2", "iterations: 3"), ("[1.00, 2.00]", "[2.00, 1.00]"), ("q1: 1.25", "q1: 1.75"),
            ("unit: ms", "unit: s"), ("upload:", "uploads:"), (_HEAD, ""), ("outliers: []", "outliers: none"),
        ):  # fmt: skip
            self.assertTrue(judge.perf_series(good.replace(old, new), counts), new)
        self.assertTrue(judge.perf_series(good, {"upload": 2, "download": 2}))


class ImagesTest(unittest.TestCase):
    def test_the_files_begin_with_the_same_stages(self) -> None:
        files = sorted((Path(__file__).resolve().parent.parent / "test-plans").glob("Dockerfile.*"))
        self.assertEqual(len(files), 4)
        shared = {file.read_text().partition("\nFROM ")[2].partition("\nFROM base\n")[0] for file in files}
        self.assertEqual(len(shared), 1, "all but the last stage must be equal")
        self.assertIn(" AS base\n", shared.pop())


class RedisTest(unittest.TestCase):
    def serve(self, answers: list[bytes]) -> str:
        """A server that gives an answer, in two pieces, to each command, and then closes."""
        listener = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listener.close)

        def run() -> None:
            connection, _ = listener.accept()
            with connection:
                for answer in answers:
                    connection.recv(4096)
                    connection.sendall(answer[:3])
                    connection.sendall(answer[3:])

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        self.addCleanup(thread.join, 5)
        return f"127.0.0.1:{listener.getsockname()[1]}"

    def test_values(self) -> None:
        with Redis(self.serve([b":1\r\n", b"*2\r\n$1\r\nk\r\n$2\r\nab\r\n", b"$-1\r\n", b"$1\r\nc\r\n"]), 10) as redis:
            redis.push("k", "ab")
            self.assertEqual(redis.pop("k"), "ab")
            self.assertEqual(redis.wait("k"), "c")

    def test_refusals_and_ends(self) -> None:
        with Redis(self.serve([b"-ERR no\r\n"]), 10) as redis:
            with self.assertRaisesRegex(RedisError, "ERR no"):
                redis.send("X")
            with self.assertRaises((RedisError, OSError)):
                redis.send("X")


if __name__ == "__main__":
    unittest.main()
