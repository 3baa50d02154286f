"""What `scripts/fuzz` reads out of the fuzzer's words."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import sys
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


if __name__ == "__main__":
    unittest.main()
