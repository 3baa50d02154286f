"""The tables say what happened."""

import json
import unittest
from unittest import mock

from harness import defects, report
from harness.abilities import ABILITIES, PEERS
from harness.cells import Cell
from harness.meetings import Meeting
from harness.outcome import Outcome

PLAIN = "TCP over IPv4, Yamux"


def outcome(case: str, *complaints: str, peer: str = "py", seconds: float = 1.0) -> Outcome:
    return Outcome(Cell(peer, "tls", "we-dial", case), list(complaints), seconds)


class ReportTests(unittest.TestCase):
    def test_a_row_for_each_way_and_a_column_for_each_case(self) -> None:
        rows = report.tables([outcome("ping"), outcome("echo", "short"), outcome("ping", peer="go")])[PLAIN]
        self.assertEqual(rows[0], ["peer", "security", "direction", "ping", "echo"])
        self.assertEqual(rows[1], ["py", "tls", "we-dial", "pass 1.0s", "FAIL 1.0s"])
        self.assertEqual(rows[2], ["go", "tls", "we-dial", "pass 1.0s", "-"])

    def test_a_table_for_each_section(self) -> None:
        far = Outcome(Cell("go", "tls", "we-dial", "handshake", transport="ip6"))
        relay = Outcome(Meeting("relay", "go", "oxbow", "go", "oxbow"))
        found = report.tables([outcome("ping"), far, relay])
        self.assertEqual(len(found), 3)
        row = ["oxbow", "go", "oxbow", "pass 0.0s"]
        self.assertEqual(list(found.values())[2], [["relay", "listener", "dialer", "relay"], row])

    def test_the_worst_and_the_slowest_of_repeats_is_shown(self) -> None:
        rows = report.tables([outcome("ping"), outcome("ping", "lost"), outcome("ping", seconds=2.0)])[PLAIN]
        self.assertEqual(rows[1][3], "FAIL 2.0s")

    def test_a_counted_echo_is_marked_and_explained(self) -> None:
        text = report.as_text([outcome("echo", peer="go")])
        self.assertIn("pass* 1.0s", text)
        self.assertIn(report.COUNTED, text)
        self.assertNotIn(report.COUNTED, report.as_text([outcome("echo")]))

    def test_the_summary_counts(self) -> None:
        self.assertEqual(report.summary([outcome("ping"), outcome("echo", "short")]), "1 passed, 1 failed")

    def test_a_known_defect_is_neither_passed_nor_failed_but_is_noted(self) -> None:
        known = defects.Defect("lost|late", "their defect: seen")
        with mock.patch.dict(defects.DEFECTS, {"py/*/ping": known}):
            bad = outcome("ping", "lost: all", "late")
            self.assertEqual(bad.status, "defect")
            self.assertEqual(report.summary([bad]), "0 passed, 0 failed")
            self.assertIn("1 defects", report.apart([bad]))
            self.assertIn("py/tls/we-dial/ping: their defect: seen", report.as_text([bad]))
            self.assertIn("remove its entry", report.as_text([outcome("ping")]))
            # Whatever else goes wrong there isn't explained by it.
            worse = outcome("ping", "lost", "the listener was left with a stream")
            self.assertEqual(worse.status, "FAIL")
            self.assertNotIn("their defect", report.as_text([worse]))

    def test_no_defect_is_listed_without_evidence(self) -> None:
        for pattern, known in defects.DEFECTS.items():
            self.assertTrue(known.evidence.startswith("their defect: "), pattern)
            self.assertFalse(known.explains(["something else"]), pattern)

    def test_what_was_left_out_is_neither_and_says_why(self) -> None:
        absent = outcome("ping", peer="kubo")
        absent.skipped = "it isn't here"
        self.assertFalse(absent.passed)
        self.assertEqual(report.summary([absent]), "0 passed, 0 failed")
        self.assertIn("1 left out", report.apart([absent]))
        self.assertIn("kubo/tls/we-dial/ping was left out: it isn't here", report.as_text([absent]))
        other = outcome("echo", peer="kubo")
        other.skipped = absent.skipped
        self.assertIn("kubo/tls/we-dial/ping was left out and 1 more: it isn't here", report.as_text([absent, other]))

    def test_what_only_others_have_is_in_every_report(self) -> None:
        for text in (report.as_text([outcome("ping")]), report.as_markdown([outcome("ping")], {})):
            self.assertIn("quic-v1", text)
            self.assertIn("not ours", text)
        self.assertEqual(len(report.not_ours()) - 1, sum(len(ABILITIES[peer].not_ours) for peer in PEERS))

    def test_json_and_markdown(self) -> None:
        runs = [outcome("ping"), outcome("echo", "short")]
        figures = json.loads(report.as_json(runs, {"py": "1"}))
        self.assertEqual((figures["passed"], figures["failed"], len(figures["cells"])), (1, 1, 2))
        text = report.as_markdown(runs, {"py": "1"})
        self.assertIn("| py | tls | we-dial | pass 1.0s | FAIL 1.0s |", text)
        self.assertIn("1 passed, 1 failed; apart from these", text)
