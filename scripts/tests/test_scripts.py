"""The parts of the scripts that CI's counts rest on."""

import importlib.machinery
import importlib.util
import json
import sys
import unittest
import unittest.mock
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
spin = load("../Specs/stream-migration/model/check")


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


class SanitizerTests(unittest.TestCase):
    def test_findings_are_counted(self) -> None:
        lines = [
            "WARNING: ThreadSanitizer: data race (pid=1)",
            "==1==ERROR: AddressSanitizer: heap-use-after-free on address 0x1",
            "==1==ERROR: LeakSanitizer: detected memory leaks",
            "SUMMARY: ThreadSanitizer: data race a.swift:1 in f",
            "\u2714 Test aSanitizerOfWords() passed after 0.1 seconds.",
        ]
        self.assertEqual(runner.count_findings(lines), 3)

    def test_a_sanitizer_hears_of_its_options(self) -> None:
        status, lines = runner.run(["bash", "-c", "echo $OPTIONS"], environment={"OPTIONS": "a=1"})
        self.assertEqual((status, lines), (0, ["a=1"]))


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

    def test_properties(self) -> None:
        text = "P7 outside\n## Properties\n\n- P1 a. P2 b.\n- P12 c, P256.\n\n## Next\n\nP3\n"
        self.assertEqual(rules.properties(text), ["P1", "P2", "P12"])
        self.assertEqual(rules.cited_properties("(P1 to P3, P12)"), {"P1", "P2", "P3", "P12"})

    def faults(self, sources: list[str], tests: list[str], checks: list[str], rules_: list[str]) -> list[str]:
        cited = {"Sources": {rule: ["a.swift:1"] for rule in sources}, "Tests": {rule: ["b.swift:1"] for rule in tests}}
        return rules.faults(rules_, cited, {name: ["b.swift:1"] for name in checks}, ["P1", "P9"])

    def setUp(self) -> None:
        excuses = unittest.mock.patch.dict(rules.UNCHECKED, {"P9": "an excuse"}, clear=True)
        excuses.start()
        self.addCleanup(excuses.stop)

    def test_nothing_is_wrong_when_all_is_cited(self) -> None:
        self.assertEqual(self.faults(["SM-W1"], ["SM-W1"], ["P1"], ["SM-W1"]), [])

    def test_a_rule_without_code_is_a_fault(self) -> None:
        self.assertEqual(self.faults([], ["SM-W1"], ["P1"], ["SM-W1"]), ["SM-W1 is cited by nothing in Sources"])

    def test_a_rule_without_a_test_is_a_fault(self) -> None:
        self.assertEqual(self.faults(["SM-W1"], [], ["P1"], ["SM-W1"]), ["SM-W1 is cited by nothing in Tests"])

    def test_a_property_without_a_check_is_a_fault(self) -> None:
        self.assertEqual(self.faults(["SM-W1"], ["SM-W1"], [], ["SM-W1"]), ["P1 is cited by no check"])

    def test_an_excuse_that_is_out_of_date_is_a_fault(self) -> None:
        found = self.faults(["SM-W1"], ["SM-W1"], ["P1", "P9"], ["SM-W1"])
        self.assertEqual(found, ["P9 is checked by now: take it from UNCHECKED"])

    def test_unknown_and_double_rules_are_faults(self) -> None:
        found = self.faults(["SM-W1", "SM-W7"], ["SM-W1"], ["P1"], ["SM-W1", "SM-W1"])
        self.assertEqual(len(found), 2)
        self.assertTrue(found[0].startswith("SM-W7 is not defined"))
        self.assertTrue(found[1].startswith("SM-W1 is defined twice"))

    def test_lines_of_a_file_are_joined(self) -> None:
        self.assertEqual(rules.shorten(["a.swift:1", "a.swift:3", "b.swift:2"]), ["a.swift:1,3", "b.swift:2"])


class SpinTests(unittest.TestCase):
    def test_a_complete_search_without_errors_passes(self) -> None:
        report = "\tinvalid end states\t+\n\nState-vector 316 byte, depth reached 83, errors: 0\n"
        self.assertIsNone(spin.verdict(report))

    def test_what_pan_says_against_a_search_is_an_error(self) -> None:
        self.assertEqual(spin.verdict("pan:1: assertion violated (violated==0) (at depth 27)"), "assertion")
        self.assertEqual(spin.verdict("pan:1: invalid end state (at depth 29)\ninvalid end states\t+"), spin.HUNG)
        cut = "error: max search depth too small\nerrors: 0\n"
        self.assertEqual(spin.verdict(cut), "the search was cut off at its depth")
        self.assertIn("MEMLIM", spin.verdict("pan: reached -DMEMLIM bound\nerrors: 0\n"))
        self.assertIsNotNone(spin.verdict("Warning: Search not completed\nerrors: 0\n"))
        self.assertIsNotNone(spin.verdict(""))

    def test_states_and_the_unreached_ones(self) -> None:
        listing = (
            "proctype Link\n"
            "\tstate 9 -(tr 5)-> state 2  [id 0 tp 2] [A---G] a/m.pml:7 => (x)\n"
            "\tstate 9 -(tr 6)-> state 3  [id 1 tp 2] [A---G] a/m.pml:8 => else\n"
            "\tstate 2 -(tr 7)-> state 9  [id 2 tp 2] [A---G] a/m.pml:7 => y = 1\n"
            "init\n"
            "\tstate 1 -(tr 8)-> state 0  [id 9 tp 2] [A---G] a/m.pml:12 => skip\n"
        )
        self.assertEqual(spin.states_of(listing), {"Link": {2: 7}, "init": {1: 12}})
        report = 'unreached in proctype Link\n\ta/m.pml:7, state 2, "y = 1"\n\t(1 of 9 states)\nunreached in init\n'
        self.assertEqual(spin.unreached_of(report), {"Link": {2}, "init": set()})

    def judge(self, reached: set[int], entries: dict[str, str]) -> list[str]:
        names = spin.blocks("inline a() {\n    x    /* why */\n    y\n}")
        return spin.judge_reach([spin.Result(lines={2, 3}, reached=reached)], names, entries)

    def test_unreached_lines_need_a_reason_and_reasons_an_unreached_line(self) -> None:
        self.assertEqual(self.judge({2, 3}, {}), [])
        self.assertEqual(self.judge({2}, {"a | y": "why"}), [])
        self.assertEqual(self.judge({2}, {}), ["unreached and not explained: a | y"])
        self.assertEqual(self.judge({2, 3}, {"a | y": "why"}), ["explained as unreached, but reached: a | y"])
        self.assertEqual(self.judge({2, 3}, {"a | z": "why"}), ["explained, but not in the model: a | z"])

    def test_explanations(self) -> None:
        text = "# comment\n\nanswered | :: x -> y | only | a reason\n"
        self.assertEqual(spin.explained(text), {"answered | :: x -> y": "only | a reason"})

    def test_a_chart_has_the_steps_of_both_sides_and_the_property(self) -> None:
        trail = ["0 does write", "0 must 0", "0 sends BYTE 0 on 0", "1 reads BYTE 0 on 0", "1 must 2"]
        rows = spin.chart(trail, None)
        self.assertEqual(spin.steps_of(trail), 2)
        self.assertEqual(rows[1:3], ["  1 writes", "    \u25ba byte 0 on 0"])
        self.assertTrue(rows[3].startswith("  2 ") and rows[3].endswith("\u25c4 byte 0 on 0"))
        self.assertIn("P2", rows[4])


if __name__ == "__main__":
    unittest.main()
