"""Each case's judge passes a good result and finds each way of being bad."""

import unittest

from harness.cells import Amounts, Cell
from harness.judge import judge_autonat, judge_dial, judge_listener, judge_refusal, judge_relayed, judge_verdict
from harness.process import Line

AMOUNTS = Amounts(pings=2, echo_bytes=100, streams=3, stream_bytes=10, transfer_bytes=50, crowd=2)
LISTENER = "12D3KooWListener"

GOOD: dict[str, Line] = {
    "handshake": {"peer": LISTENER, "security": "/tls/1.0.0", "early_muxer": False},
    "identify": {
        "agent": "py-libp2p/0.8.1",
        "protocols": ["/echo/1.0.0", "/ipfs/id/1.0.0", "/ipfs/ping/1.0.0"],
        "listen_addrs": ["/ip4/127.0.0.1/tcp/1"],
        "observed_addr": "/ip4/127.0.0.1/tcp/2",
    },
    "ping": {"rtt_ms": [0.1, 2]},
    "echo": {"bytes": 100, "sha256_equal": True, "half_close": True},
    "streams": {"count": 3, "ok_count": 3},
    "transfer": {"bytes_up": 50, "bytes_down": 50},
    "perf": {"bytes_up": 50, "bytes_down": 50},
    "vanish": {"typed_error": "connection lost", "connections_left": 0, "streams_left": 0},
}

BAD: dict[str, list[Line]] = {
    "handshake": [
        {"peer": "12D3KooWOther"},
        {"peer": None},
        {"security": "/noise"},
        {"security": None},
        {"early_muxer": True},
        {"early_muxer": None},
    ],
    "identify": [
        {"agent": ""},
        {"agent": "kubo/0.22.0"},
        {"protocols": ["/echo/1.0.0"]},
        {"protocols": None},
        {"listen_addrs": []},
        {"observed_addr": None},
        {"observed_addr": "/ip4/10.0.0.1/tcp/2"},
    ],
    "ping": [{"rtt_ms": [1]}, {"rtt_ms": None}, {"rtt_ms": [1, -1]}],
    "echo": [{"bytes": 99}, {"sha256_equal": False}, {"sha256_equal": None}, {"half_close": False}],
    "streams": [{"ok_count": 2}, {"count": 2, "ok_count": 2}],
    "transfer": [{"bytes_up": 49}, {"bytes_down": 49}, {"bytes_down": None}],
    "perf": [{"bytes_up": 51}, {"bytes_down": 0}],
    "vanish": [{"typed_error": ""}, {"connections_left": 1}, {"streams_left": 1}, {"streams_left": None}],
}


def complaints(case: str, change: Line, status: int = 0) -> list[str]:
    line: Line = {"case": case, "ok": True, "error": None, **GOOD[case], **change}
    return judge_dial(Cell("py", "tls", "we-dial", case), line, status, AMOUNTS, LISTENER)


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

    def test_their_own_word_on_the_connection_is_not_asked_for(self) -> None:
        line: Line = {"case": "handshake", "ok": True, "peer": LISTENER}
        self.assertEqual(judge_dial(Cell("py", "tls", "they-dial", "handshake"), line, 0, AMOUNTS, LISTENER), [])
        self.assertNotEqual(judge_dial(Cell("py", "tls", "we-dial", "handshake"), line, 0, AMOUNTS, LISTENER), [])

    def test_of_two_offers_the_dialers_first_is_taken_or_either_where_it_has_its_own_order(self) -> None:
        line: Line = {"case": "handshake", "ok": True, "peer": LISTENER, "security": "/noise", "early_muxer": True}
        for security, passes in (("noise+tls", True), ("tls+noise", False)):
            complaints = judge_dial(Cell("go", security, "we-dial", "handshake"), line, 0, AMOUNTS, LISTENER)
            self.assertEqual(complaints == [], passes, security)

    def test_kubo_names_the_prefix_of_what_it_serves(self) -> None:
        protocols = ["/x/", "/ipfs/id/1.0.0", "/ipfs/ping/1.0.0"]
        told: Line = {**GOOD["identify"], "agent": "kubo/0.22.0/", "protocols": protocols}
        line: Line = {"case": "identify", "ok": True, **told}
        self.assertEqual(judge_dial(Cell("kubo", "tls", "we-dial", "identify"), line, 0, AMOUNTS), [])

    def test_a_wrong_peer_id_must_be_refused_with_a_reason(self) -> None:
        ours, theirs = (Cell("py", "tls", way, "wrong-id") for way in ("we-dial", "they-dial"))
        good: Line = {"ok": False, "error": f"another peer answered: {LISTENER}"}
        for cell in (ours, theirs):
            self.assertEqual(judge_refusal(cell, good, 1, LISTENER), [])
            for change, status in (({"ok": True}, 0), ({"error": None}, 1), ({}, 0), ({"ok": None}, 1)):
                self.assertNotEqual(judge_refusal(cell, {**good, **change}, status, LISTENER), [])
        vague: Line = {"ok": False, "error": "it failed"}
        self.assertNotEqual(judge_refusal(ours, vague, 1, LISTENER), [])
        self.assertEqual(judge_refusal(theirs, vague, 1, LISTENER), [])


class MeetingTests(unittest.TestCase):
    def test_an_echo_must_have_gone_through_the_relay(self) -> None:
        self.assertEqual(judge_relayed({"ok": True, "relayed": True}), [])
        self.assertEqual(judge_relayed({"ok": True, "first_relayed": True}), [])
        for bad in ({"ok": False, "relayed": True}, {"ok": True}, {"ok": True, "relayed": False}, {}):
            self.assertNotEqual(judge_relayed(bad), [])

    def test_the_address_that_was_reached_must_be_the_own_one(self) -> None:
        address = "/ip4/11.2.0.1/tcp/4001"
        self.assertEqual(judge_autonat({"ok": True, "status": "OK", "reached": address}, address), [])
        other = "/ip4/11.2.0.1/tcp/1"
        for change in ({"ok": False}, {"status": "E_DIAL_ERROR"}, {"reached": None}, {"reached": other}):
            self.assertNotEqual(judge_autonat({"ok": True, "status": "OK", "reached": address, **change}, address), [])

    def test_our_host_must_know_that_it_is_public(self) -> None:
        self.assertEqual(judge_verdict({"reachability": "public"}), [])
        for found in ("private", "unknown", None):
            self.assertNotEqual(judge_verdict({"reachability": found}), [])


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

    def connected(self, peer: str, **change: object) -> Line:
        line: Line = {"event": "connected", "peer": peer, "security": "/tls/1.0.0", "early_muxer": False}
        return {**line, **change}

    def test_the_listener_must_have_seen_each_dialer_once_over_what_was_offered(self) -> None:
        self.assertEqual(self.judge("handshake", self.connected("a"), self.COUNTS), [])
        self.assertEqual(self.judge("crowd", self.connected("a"), self.connected("b"), self.COUNTS), [])
        self.assertNotEqual(self.judge("crowd", self.connected("a"), self.connected("a"), self.COUNTS), [])
        self.assertNotEqual(self.judge("handshake", self.COUNTS), [])
        self.assertNotEqual(self.judge("handshake", self.connected("a", security="/noise"), self.COUNTS), [])
        self.assertNotEqual(self.judge("handshake", self.connected("a", early_muxer=True), self.COUNTS), [])

    def test_a_transfer_shows_both_counts_and_who_the_dialer_says_it_is(self) -> None:
        stream = self.stream(protocol="/xfer/1.0.0", bytes_in=50, bytes_out=50)
        told: Line = {**GOOD["identify"], "event": "identified", "listen_addrs": []}
        self.assertEqual(self.judge("transfer", told, stream, self.COUNTS), [])
        self.assertNotEqual(self.judge("transfer", stream, self.COUNTS), [])
        self.assertNotEqual(self.judge("transfer", {**told, "observed_addr": None}, stream, self.COUNTS), [])
        self.assertNotEqual(self.judge("transfer", {**told, "agent": "other"}, stream, self.COUNTS), [])
        self.assertNotEqual(self.judge("transfer", told, {**stream, "bytes_out": 49}, self.COUNTS), [])

    def test_bad_listeners_fail(self) -> None:
        self.assertNotEqual(self.judge("ping"), [])
        self.assertNotEqual(self.judge("ping", self.COUNTS, {**self.COUNTS, "connections": 1}), [])
        self.assertNotEqual(self.judge("ping", {**self.COUNTS, "streams": 1}), [])
        self.assertNotEqual(self.judge("echo", self.COUNTS), [])
        self.assertNotEqual(self.judge("echo", self.stream(bytes_out=99), self.COUNTS), [])
        self.assertNotEqual(self.judge("streams", self.stream(bytes_in=10, bytes_out=10), self.COUNTS), [])
        self.assertNotEqual(self.judge("vanish", self.stream(), self.COUNTS), [])
        self.assertNotEqual(self.judge("vanish", self.stream(end="error", error=None), self.COUNTS), [])
