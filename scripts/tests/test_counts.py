"""What `Benchmarks/counts` makes of counts and thresholds."""

from __future__ import annotations

import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "Benchmarks"))

from counts_thresholds import Cost, Thresholds, compare, relations  # noqa: E402


class ThresholdTests(unittest.TestCase):
    """Costs beside what is allowed."""

    allowed = Thresholds("6.3", [Cost("x", "round trip", 1_000.0, 2.0)])

    def test_a_written_file_reads_back(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "counts.txt"
            path.write_text(self.allowed.text)
            again = Thresholds.read(path)
            path.write_text(self.allowed.text + "x one two three\n")
            self.assertRaisesRegex(ValueError, "line 6", Thresholds.read, path)
        self.assertEqual((again.compiler, again.costs), (self.allowed.compiler, self.allowed.costs))

    def test_what_costs_more_fails(self) -> None:
        for instructions, allocations, is_good in (
            (1_019.0, 2.0, True), (1_021.0, 2.0, False), (900.0, 2.01, True), (900.0, 2.1, False),
        ):  # fmt: skip
            verdict = compare(Cost("x", "round trip", instructions, allocations), self.allowed)
            self.assertEqual(verdict.is_good, is_good, verdict.line)

    def test_what_costs_less_is_named(self) -> None:
        self.assertIn("worth a new one", compare(Cost("x", "round trip", 900.0, 2.0), self.allowed).line)
        self.assertNotIn("worth", compare(Cost("x", "round trip", 990.0, 2.0), self.allowed).line)

    def test_nothing_goes_without_a_threshold(self) -> None:
        self.assertFalse(compare(Cost("y", "frame", 1.0, 0.0), self.allowed).is_good)
        self.assertEqual([verdict.is_good for verdict in self.allowed.unknown({"y"})], [False])
        self.assertEqual(self.allowed.unknown({"x"}), [])

    def test_growth_and_the_cost_of_a_label_are_bounded(self) -> None:
        plain, labelled = "transfer.noise.unlabelled.4MiB", "transfer.noise.labelled.4MiB"
        for instructions, is_good in ((1_004.0, True), (1_006.0, False)):
            verdicts = relations([Cost(labelled, "frame", instructions, 1), Cost(plain, "frame", 1_000.0, 1)])
            self.assertEqual([verdict.is_good for verdict in verdicts], [is_good])
        self.assertEqual(relations([Cost(labelled, "frame", 1.0, 1)]), [])


if __name__ == "__main__":
    unittest.main()
