"""Which cells a command line means, and what is left out where something is missing."""

import tempfile
import unittest
from pathlib import Path
from unittest import mock

from harness import meet, runner
from harness.cells import QUICK, Cell
from harness.execute import Setting
from harness.meetings import Meeting


def chosen(*arguments: str) -> list[str]:
    return [cell.name for cell in runner._chosen(runner._parse(arguments))]


class ChoiceTests(unittest.TestCase):
    def test_the_quick_part_is_part_of_the_whole(self) -> None:
        every, quick = chosen(), chosen("--quick")
        self.assertLess(set(quick), set(every))
        wanted = "go/autonat/oxbow/go py/relay/oxbow/oxbow/py kubo/tls/they-dial/echo go/noise/we-dial/handshake/ip6"
        self.assertLess(set(wanted.split()), set(quick))

    def test_a_pattern_chooses_and_repeats_count(self) -> None:
        self.assertEqual(chosen("--only", "py/tls/we-dial/echo", "--repeat", "3"), ["py/tls/we-dial/echo"] * 3)
        self.assertEqual(chosen("--only", "nobody/*"), [])

    def test_a_self_check_has_no_cell_of_ours(self) -> None:
        self.assertTrue(all(name.split("/")[0] in ("go", "py", "kubo") for name in chosen("--self-check")))

    def test_only_documents_and_json_are_written(self) -> None:
        self.assertEqual(len(runner._parse(["--write", "a.md", "--write", "b.json"]).write), 2)
        with mock.patch("sys.stderr"), self.assertRaises(SystemExit):
            runner._parse(["--write", "a.txt"])


class MissingTests(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.setting = Setting(Path(folder.name), Path(folder.name), Path(folder.name) / "oxbow", QUICK, 1.0)

    def test_cells_of_a_peer_that_is_not_there_are_left_out_by_name(self) -> None:
        for cell in (Cell("kubo", "tls", "we-dial", "ping"), Meeting("relay", "kubo", "oxbow", "kubo", "kubo")):
            outcome = runner._run_one(cell, self.setting)
            self.assertEqual(outcome.status, "skip")
            self.assertIn("Kubo", outcome.skipped or "")

    def test_without_namespaces_what_takes_them_is_left_out(self) -> None:
        with mock.patch("lab.network.obstacles", return_value=["no namespaces here"]):
            outcome = meet.meet(Meeting("relay", "go", "oxbow", "go", "go"), self.setting)
        self.assertEqual((outcome.status, outcome.skipped), ("skip", "no namespaces here"))

    def test_what_everything_needs_is_named_before_anything_runs(self) -> None:
        self.assertIn("the peers are not in", runner._missing(self.setting, self_check=False) or "")
        (self.setting.peers / "installed").touch()
        for program in (self.setting.oxbow, self.setting.oxbow.with_name("oxbow-interop")):
            self.assertIn(f"{program.name} is missing", runner._missing(self.setting, self_check=False) or "")
            program.touch(mode=0o700)
        self.assertIsNone(runner._missing(self.setting, self_check=False))
        self.assertIsNone(runner._missing(self.setting, self_check=True))
