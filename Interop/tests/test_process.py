"""A program's lines and its end, tried on small children of this Python."""

import os
import select
import sys
import tempfile
import unittest
from pathlib import Path

from harness.process import Program, ProgramError

LONG = 30.0


class ProgramTests(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def program(self, code: str) -> Program:
        child = Program("child", [sys.executable, "-uc", code], os.environ, self.folder)
        self.addCleanup(child.kill)
        return child

    def test_lines_are_read_and_noise_is_skipped(self) -> None:
        child = self.program("print('noise'); print('[1]'); print('{\"a\": 1}'); print('{\"b\": 2}')")
        self.assertEqual(child.await_line("b", lambda line: "b" in line, LONG), {"b": 2})
        self.assertEqual(child.await_exit(LONG), 0)
        self.assertEqual(child.lines, [{"a": 1}, {"b": 2}])

    def test_an_end_without_the_line_is_an_error(self) -> None:
        child = self.program("print('{}')")
        with self.assertRaisesRegex(ProgramError, "ended without address"):
            child.await_line("address", lambda line: "addrs" in line, LONG)

    def test_silence_is_an_error(self) -> None:
        child = self.program("input()")
        with self.assertRaisesRegex(ProgramError, "no address within"):
            child.await_line("address", lambda _: True, 0.0)
        with self.assertRaisesRegex(ProgramError, "still running"):
            child.await_exit(0.0)

    def test_the_status_is_the_childs_own(self) -> None:
        self.assertEqual(self.program("raise SystemExit(3)").await_exit(LONG), 3)
        self.assertEqual(self.program("input()").stop(LONG), -15)

    def test_kill_takes_the_children_of_the_child_along(self) -> None:
        code = (
            "import subprocess, sys, json\n"
            "p = subprocess.Popen([sys.executable, '-c', 'print(1, flush=True); input()'], stdin=subprocess.PIPE,\n"
            "                     stdout=subprocess.PIPE)\n"
            "p.stdout.readline(); print(json.dumps({'pid': p.pid})); input()"
        )
        child = self.program(code)
        grandchild = child.await_line("pid", lambda line: "pid" in line, LONG)["pid"]
        assert isinstance(grandchild, int)
        handle = os.pidfd_open(grandchild)
        self.addCleanup(os.close, handle)
        self.assertEqual(child.kill(), -9)
        self.assertEqual(child.kill(), -9)  # once more is harmless
        # The signal is sent to both at once, but each dies in its own time.
        self.assertTrue(_has_ended(handle, LONG))

    def test_logs_name_the_command_and_hold_both_outputs(self) -> None:
        child = self.program("import sys; print('out'); print('err', file=sys.stderr)")
        child.await_exit(LONG)
        for text in ("$ ", "out", "err"):
            self.assertIn(text, child.logs())


def _has_ended(handle: int, limit: float) -> bool:
    poller = select.poll()
    poller.register(handle, select.POLLIN)
    return bool(poller.poll(limit * 1000))
