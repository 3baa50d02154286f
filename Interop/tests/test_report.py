"""The table says what happened."""

import json
import unittest
from unittest import mock

from harness import cells, report
from harness.cells import Cell
from harness.execute import Outcome


def outcome(case: str, *complaints: str, peer: str = "py", seconds: float = 1.0) -> Outcome:
    return Outcome(Cell(peer, "tls", "we-dial", case), list(complaints), seconds)


class ReportTests(unittest.TestCase):
    def test_a_row_for_each_way_and_a_column_for_each_case(self) -> None:
        rows = report.table([outcome("ping"), outcome("echo", "short"), outcome("ping", peer="go")])
        self.assertEqual(rows[0], ["peer", "security", "direction", "ping", "echo"])
        self.assertEqual(rows[1], ["py", "tls", "we-dial", "pass 1.0s", "FAIL 1.0s"])
        self.assertEqual(rows[2], ["go", "tls", "we-dial", "pass 1.0s", "-"])

    def test_the_worst_and_the_slowest_of_repeats_is_shown(self) -> None:
        rows = report.table([outcome("ping"), outcome("ping", "lost"), outcome("ping", seconds=2.0)])
        self.assertEqual(rows[1][3], "FAIL 2.0s")

    def test_a_counted_echo_is_marked_and_explained(self) -> None:
        text = report.as_text([outcome("echo", peer="go")])
        self.assertIn("pass* 1.0s", text)
        self.assertIn(report.COUNTED, text)
        self.assertNotIn(report.COUNTED, report.as_text([outcome("echo")]))

    def test_the_summary_counts(self) -> None:
        self.assertEqual(report.summary([outcome("ping"), outcome("echo", "short")]), "1 passed, 1 failed")

    def test_a_known_defect_is_neither_passed_nor_failed_but_is_noted(self) -> None:
        with mock.patch.dict(cells.DEFECTS, {"py/*/ping": "their defect: seen"}):
            bad = outcome("ping", "lost")
            self.assertEqual(bad.status, "defect")
            self.assertEqual(report.summary([bad]), "0 passed, 0 failed")
            self.assertIn("their defect: seen", report.as_text([bad]))
            self.assertIn("remove the entry", report.as_text([outcome("ping")]))

    def test_no_defect_is_listed_without_evidence(self) -> None:
        for pattern, evidence in cells.DEFECTS.items():
            self.assertTrue(evidence.startswith("their defect: "), pattern)

    def test_json_and_markdown(self) -> None:
        runs = [outcome("ping"), outcome("echo", "short")]
        figures = json.loads(report.as_json(runs, {"py": "1"}))
        self.assertEqual((figures["passed"], figures["failed"], len(figures["cells"])), (1, 1, 2))
        self.assertIn("| py | tls | we-dial | pass 1.0s | FAIL 1.0s |", report.as_markdown(runs, {"py": "1"}))
