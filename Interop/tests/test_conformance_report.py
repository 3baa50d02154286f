"""How results of the conformance kits are merged, ordered and told; and how the kits' targets are named."""

from __future__ import annotations

import json
import unittest

from conformance import report
from conformance.case import Case, Inapplicable, Level, Result, Status, Violation, key
from conformance.matrix import as_markdown, merged
from conformance.runner import judge, run
from conformance.target import Target
from conformance.targets import OURS


def _case(identifier: str, level: Level = Level.MUST) -> Case[None]:
    return Case(identifier, f"case {identifier}", "a source", level, lambda _: None)


def _result(identifier: str, status: Status, seen: str = "") -> Result:
    return Result(_case(identifier), status, seen)


class Judgement(unittest.TestCase):
    """What a case's end makes of its level."""

    def judged(self, level: Level, raised: Exception | None) -> Status:
        def put(_: Case[None]) -> str:
            if raised:
                raise raised
            return "seen"

        return judge(_case("1.1", level), put).status

    def test_each_level(self) -> None:
        expected = {
            Level.MUST: (Status.PASSED, Status.FAILED),
            Level.SHOULD: (Status.PASSED, Status.ADVISED),
            Level.CHOICE: (Status.NOTED, Status.FAILED),
        }
        for level, (good, bad) in expected.items():
            self.assertEqual(self.judged(level, None), good)
            self.assertEqual(self.judged(level, Violation("no")), bad)
            self.assertEqual(self.judged(level, ConnectionRefusedError()), bad)
            self.assertEqual(self.judged(level, Inapplicable("no")), Status.SKIPPED)

    def test_results_come_in_order_of_their_ids(self) -> None:
        cases = [_case(identifier) for identifier in ("10.1", "2.10", "2.9")]
        results = run(cases, lambda case: None, workers=3)
        self.assertEqual([result.case.id for result in results], ["2.9", "2.10", "10.1"])
        self.assertLess(key("2.9"), key("2.10"))


class Telling(unittest.TestCase):
    """Tables and documents."""

    results = (_result("1.1", Status.PASSED), _result("1.2", Status.FAILED, "a | b"), _result("2.1", Status.NOTED))

    def test_the_worst_result_of_a_case_counts(self) -> None:
        several = [*self.results, _result("1.1", Status.FAILED, "later"), _result("1.2", Status.PASSED)]
        statuses = {result.case.id: result.status for result in merged(several)}
        self.assertEqual(statuses, {"1.1": Status.FAILED, "1.2": Status.FAILED, "2.1": Status.NOTED})

    def test_the_table_counts_by_section(self) -> None:
        text = report.summary_text({"1": "First", "2": "Second"}, self.results)
        self.assertRegex(text, r"1\. First +1 +1 +0 +0 +0\n")
        self.assertRegex(text, r"2\. Second +0 +0 +0 +1 +0\n")
        self.assertIn("FAIL   1.2", text)

    def test_the_document_names_what_is_not_good(self) -> None:
        text = as_markdown([(OURS, "noisespec", list(self.results), 1.0)], {"Oxbow": "1"})
        self.assertIn("| noisespec | Oxbow | 1 | 1 | 0 | 1 | 0 |", text)
        self.assertIn("- **1.2** MUST: case 1.2 (a source). a \\| b", text)

    def test_json_has_every_result(self) -> None:
        rows = json.loads(report.as_json("kit", "target", self.results))["results"]
        self.assertEqual(
            [(row["id"], row["status"]) for row in rows], [("1.1", "passed"), ("1.2", "failed"), ("2.1", "noted")]
        )


class Names(unittest.TestCase):
    """How a target is given."""

    def test_multiaddrs_and_hosts_with_ports(self) -> None:
        for text in ("/ip4/127.0.0.1/tcp/4001", "/ip4/127.0.0.1/tcp/4001/p2p/12D3", "127.0.0.1:4001"):
            target = Target.parse(text, plain=False, protocol="", timeout=1.0)
            self.assertEqual((target.host, target.port), ("127.0.0.1", 4001))
        self.assertEqual(Target.parse("[::1]:4001", plain=True, protocol="", timeout=1.0).host, "::1")


if __name__ == "__main__":
    unittest.main()
