"""The parts of the scripts that CI's counts rest on."""

import importlib.machinery
import importlib.util
import json
import sys
import unittest
from pathlib import Path
from types import ModuleType

SCRIPTS = Path(__file__).resolve().parent.parent


def load(name: str) -> ModuleType:
    loader = importlib.machinery.SourceFileLoader("script_" + name.replace("-", "_"), str(SCRIPTS / name))
    spec = importlib.util.spec_from_loader(loader.name, loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[loader.name] = module  # dataclasses look their module up by name
    loader.exec_module(module)
    return module


runner = load("test")
demo = load("check-demo")
rules = load("rules")


class SwiftCountTests(unittest.TestCase):
    def count(self, status: int, *lines: str) -> tuple[int, int]:
        result = runner.count_swift(status, list(lines))
        return result.passed, result.failed

    def test_passed(self) -> None:
        self.assertEqual(self.count(0, "\u2714 Test run with 12 tests in 3 suites passed after 0.1 seconds."), (12, 0))
        self.assertEqual(self.count(0, "\u2714 Test run with 1 test in 1 suite passed after 0.1 seconds."), (1, 0))

    def test_failed(self) -> None:
        lines = (
            "\u2718 Test a() failed after 0.001 seconds with 1 issue.",
            '\u2718 Test "b c" with 3 test cases failed after 0.001 seconds with 2 issues.',
            "\u2718 Suite S failed after 0.002 seconds with 3 issues.",
            "\u2718 Test run with 12 tests in 3 suites failed after 0.1 seconds with 3 issues.",
        )
        self.assertEqual(self.count(1, *lines), (10, 2))

    def test_no_summary_is_a_failure(self) -> None:
        self.assertEqual(self.count(1, "error: fatalError"), (0, 1))
        self.assertEqual(self.count(0), (0, 1))

    def test_a_bad_status_is_a_failure_whatever_the_summary_says(self) -> None:
        self.assertEqual(self.count(1, "\u2714 Test run with 12 tests in 3 suites passed after 0.1 seconds."), (11, 1))


class HangTests(unittest.TestCase):
    def test_a_silent_run_is_ended_with_what_it_said(self) -> None:
        status, lines = runner.run(["bash", "-c", "echo begun; sleep 600 & wait"], silence=0.3)
        self.assertLess(status, 0)
        self.assertEqual(lines, ["begun"])

    def test_a_run_that_ends_by_itself_keeps_its_status(self) -> None:
        self.assertEqual(runner.run(["bash", "-c", "echo a; exit 3"], silence=60), (3, ["a"]))

    def test_unfinished_tests_are_named(self) -> None:
        lines = [
            "\u25c7 Test run started.",
            "\u25c7 Suite S started.",
            '\u25c7 Test "a b" started.',
            "\u25c7 Test c(_:) started.",
            "\u25c7 Test case passing 1 argument n \u2192 1 to c(_:) started.",
            "\u25c7 Test d() started.",
            '\u2714 Test "a b" passed after 0.1 seconds.',
            "\u2718 Test d() failed after 0.1 seconds with 1 issue.",
        ]
        self.assertEqual(runner.unfinished(lines), ["S", "c(_:)"])


class PythonCountTests(unittest.TestCase):
    def count(self, status: int, *lines: str) -> tuple[int, int]:
        result = runner.count_python(status, list(lines))
        return result.passed, result.failed

    def test_counts(self) -> None:
        self.assertEqual(self.count(0, "Ran 39 tests in 0.2s", "", "OK"), (39, 0))
        self.assertEqual(self.count(1, "Ran 39 tests in 0.2s", "", "FAILED (failures=1, errors=2)"), (36, 3))
        self.assertEqual(self.count(1, "Ran 39 tests in 0.2s"), (38, 1))
        self.assertEqual(self.count(0, "Ran 0 tests in 0.0s"), (0, 1))


class DemoTests(unittest.TestCase):
    GOOD = {
        "bytes": 1,
        "sha256_equal": True,
        "migrations": 20,
        "longest_gap_ms": 0.1,
        "overhead_bytes": 10,
        "seconds": 1,
        "connections_left": 1,
    }

    def test_a_good_demo_passes(self) -> None:
        self.assertEqual(demo.complaints(json.dumps(self.GOOD)), [])

    def test_each_shortfall_is_found(self) -> None:
        for name, value in (("bytes", 0), ("sha256_equal", False), ("migrations", 19), ("connections_left", 2)):
            self.assertEqual(len(demo.complaints(json.dumps({**self.GOOD, name: value}))), 1, name)
        for name in self.GOOD:
            rest = {key: value for key, value in self.GOOD.items() if key != name}
            self.assertEqual(len(demo.complaints(json.dumps(rest))), 1, name)
        for line in ("", "done", "[]"):
            self.assertEqual(len(demo.complaints(line)), 1, line)


class RuleTests(unittest.TestCase):
    def test_definitions(self) -> None:
        text = "# T\n- **SM-W1** One, like SM-W2.\n- **SM-F10** Two.\n  **SM-L1** is none.\n"
        self.assertEqual(rules.definitions(text), ["SM-W1", "SM-F10"])

    def test_citations(self) -> None:
        self.assertEqual(rules.citations("/// of SM-F1, (SM-F10) and SM-M*."), {"SM-F1", "SM-F10"})
        self.assertEqual(rules.citations("SM-L2 to SM-L4"), {"SM-L2", "SM-L3", "SM-L4"})
        self.assertEqual(rules.citations("SM-L2 to SM-M4"), {"SM-L2", "SM-M4"})
        self.assertEqual(rules.citations("XSM-L2"), set())

    def test_lines_of_a_file_are_joined(self) -> None:
        self.assertEqual(rules.shorten(["a.swift:1", "a.swift:3", "b.swift:2"]), ["a.swift:1,3", "b.swift:2"])
