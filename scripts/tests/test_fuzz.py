"""What `scripts/fuzz` reads out of the fuzzer's words."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import sys
import tempfile
import unittest
from pathlib import Path
from types import ModuleType

SCRIPTS = Path(__file__).resolve().parent.parent


def load() -> ModuleType:
    """The script as a module; its name has no ending that Python would import."""
    sys.path.insert(0, str(SCRIPTS))
    try:
        loader = importlib.machinery.SourceFileLoader("fuzz_script", str(SCRIPTS / "fuzz"))
        spec = importlib.util.spec_from_loader(loader.name, loader)
        assert spec is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[loader.name] = module
        loader.exec_module(module)
        return module
    finally:
        sys.path.remove(str(SCRIPTS))


FUZZ = load()


class ReadingTests(unittest.TestCase):
    """Lines of libFuzzer's."""

    def read(self, *lines: str) -> object:
        """A result with the figures of some lines."""
        result = FUZZ.Result("x", True, 0, 2.0, 0, 0, 0)
        for line in lines:
            FUZZ.read_line(line, result)
        return result

    def test_progress(self) -> None:
        result = self.read("#1048576\tpulse  cov: 512 ft: 2048 corp: 77/3412b lim: 80 exec/s: 524288 rss: 61Mb")
        self.assertEqual((result.executions, result.edges, result.features, result.corpus), (1048576, 512, 2048, 77))
        self.assertEqual(result.rate, 524288)

    def test_the_last_line_counts(self) -> None:
        result = self.read("#100\tNEW    cov: 5 ft: 6 corp: 7/8b", "Done 4711 runs in 2 second(s)")
        self.assertEqual((result.executions, result.edges), (4711, 5))
        self.assertEqual(self.read("stat::number_of_executed_units: 99").executions, 99)

    def test_other_lines_say_nothing(self) -> None:
        result = self.read("INFO: Seed: 1", "#no", "Done with it", "stat::peak_rss_mb: 50", "")
        self.assertEqual((result.executions, result.edges, result.corpus), (0, 0, 0))

    def test_a_run_without_executions_has_a_rate(self) -> None:
        self.assertEqual(FUZZ.Result("x", True, 0, 0.0, 0, 0, 0).rate, 0)


class AccountTests(unittest.TestCase):
    """The account that one run leaves to the next."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = Path(folder.name, "executions.md")

    def account(self, *names: str) -> object:
        """The account as the next run reads it."""
        return FUZZ.Account(self.path, list(names))

    def test_runs_are_added_up_over_both_builds(self) -> None:
        self.account("a", "b").add("a", False, 1_234_567, 90.0, 10, 2_000)
        self.account("a", "b").add("a", True, 8_000_000, 60.0, 11, 2_100)
        self.assertIn("| `a` | 1,234,567 | 1.5 | 8,000,000 | 1.0 | 11 | 2,100 |", self.path.read_text())
        account = self.account("a", "b")
        self.assertEqual(account.missing("a", 10_000_000, 3_600), (765_433, 3_450))
        self.assertEqual(account.missing("b", 10_000_000, 3_600), (10_000_000, 3_600))

    def test_a_target_that_is_new_or_gone_harms_nobody(self) -> None:
        self.account("a").add("a", True, 100, 60.0, 1, 1)
        account = self.account("b")
        self.assertEqual(account.missing("a", 1_000, 3_600), (900, 3_540))
        self.assertEqual(account.missing("b", 1_000, 3_600), (1_000, 3_600))


if __name__ == "__main__":
    unittest.main()
