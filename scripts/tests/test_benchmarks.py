"""What `Benchmarks/render` makes of the results of a run."""

from __future__ import annotations

import sys
import unittest
import xml.etree.ElementTree
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "Benchmarks"))

from results_plot import plot  # noqa: E402
from results_reading import Results, ResultsError  # noqa: E402
from results_table import table  # noqa: E402


class ResultsTests(unittest.TestCase):
    """A table and a plot of a run."""

    def results(self) -> Results:
        """Two figures, one beside the other, with letters that XML has uses for."""
        common = {"group": "Dialling", "unit": "/s", "is_cost": False, "low": 90.0}
        plain = {**common, "key": "dials.nio", "title": "TCP <connect>", "median": 100.0, "high": 110.0}
        ours = {**common, "key": "dials.noise", "title": "dial & go", "median": 50.0, "high": 95.0}
        figures = [plain, {**ours, "reference": "dials.nio"}]
        head = {"command": "bench", "machine": "2 cores, TCP bbr", "runs": 3, "seconds": 1.5}
        return Results.parse({**head, "notes": ["py is left out"], "figures": figures})

    def test_the_table_names_the_machine_and_the_relation(self) -> None:
        text = table(self.results())
        row = "| dial & go | 50.00 /s | 90.00 to 95.00 | 50% of TCP"
        for part in ("2 cores, TCP bbr; 3 runs, 1.5 s", row, "- py is"):
            self.assertIn(part, text)

    def test_the_plot_is_xml_with_a_bar_for_each_figure(self) -> None:
        tree = xml.etree.ElementTree.fromstring(plot(self.results()))
        texts = ["".join(text.itertext()) for text in tree.iter("{http://www.w3.org/2000/svg}text")]
        self.assertIn("dial & godial & go", texts)
        widths = [float(bar.get("width", "0")) for bar in tree.iter("{http://www.w3.org/2000/svg}rect")][-2:]
        self.assertAlmostEqual(widths[0], 2 * widths[1], delta=0.2)

    def test_peers_of_others_are_references_and_ours_is_not(self) -> None:
        results = self.results()
        keys = ("peers.go.noise.up", "peers.py.tls.dials", "peers.oxbow.noise.up", "dials.nio", "dials.noise")
        is_reference = [results.is_reference(replace(results.figures[0], key=key)) for key in keys]
        self.assertEqual(is_reference, [True, True, False, True, False])

    def test_something_else_is_refused(self) -> None:
        for other in ([], {"command": "test"}, {"command": "bench"}, {"command": "bench", "figures": [{"key": "x"}]}):
            self.assertRaises(ResultsError, Results.parse, other)
        head = {"command": "bench", "machine": "", "runs": 1, "seconds": 1, "notes": [], "figures": []}
        self.assertRaises(ResultsError, Results.parse, head)


if __name__ == "__main__":
    unittest.main()
