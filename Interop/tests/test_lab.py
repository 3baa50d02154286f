"""The lab's own parts: options, what a link is, the probe's packets, and what counts as shown. No namespace is made."""

import io
import struct
import tempfile
import unittest
from contextlib import redirect_stderr
from pathlib import Path

from lab import judge, network, options, probe
from lab.judge import Check


def plan(number: int = 0, delay: float = 25.0, loss: float = 1.0) -> options.LinkPlan:
    return options.LinkPlan(f"link{number}", delay, loss=loss, number=number)


def parse(arguments: list[str]) -> options.Options:
    return options.parse(["soak", "cable", "nat"], arguments)


class OptionTests(unittest.TestCase):
    def test_one_link_for_each_delay_ipv6_in_turn(self) -> None:
        parsed = parse(["--delay", "25,60,5.5", "--loss", "2"])
        self.assertEqual([link.delay for link in parsed.links], [25, 60, 5.5])
        self.assertEqual([link.is_ipv6 for link in parsed.links], [False, True, False])
        self.assertEqual({link.loss for link in parsed.links}, {2})
        self.assertEqual(len({link.device for link in parsed.links}), 3)
        self.assertEqual(parsed.only, ())
        self.assertEqual(parse(["--only", "cable", "--only", "nat"]).only, ("cable", "nat"))

    def test_addresses_of_a_link_are_of_one_network_and_of_no_other_links(self) -> None:
        self.assertEqual([plan(0).address(end) for end in (0, 1)], ["10.77.1.1", "10.77.1.2"])
        self.assertEqual([plan(1).address(end) for end in (0, 1)], ["fd77:2::1", "fd77:2::2"])
        self.assertEqual(len({plan(number).address(0) for number in range(16)}), 16)

    def test_the_links_of_a_network_with_nats(self) -> None:
        plan = parse(["--relay", "30,0.5,8", "--home", "5"]).nat_plan
        self.assertEqual((plan.relay.delay, plan.relay.loss, plan.relay.rate), (30, 0.5, 8))
        self.assertEqual((plan.home.delay, plan.home.loss, plan.home.rate), (5, 0, 0))
        self.assertEqual(plan.nats, {"a": "cone", "b": "cone"})

    def test_a_bounded_rate_has_a_queue_of_a_tenth_of_a_second(self) -> None:
        self.assertEqual(options.Wire("w", rate=120).queue, 1000)
        self.assertEqual(options.Wire("w", rate=1).queue, 50)
        arguments = options.Wire("w", 20, loss=1).arguments()
        self.assertEqual(arguments[arguments.index("--delay") + 1], "20")

    def test_wrong_arguments_are_refused(self) -> None:
        for arguments in (
            ["--delay", "x"], ["--delay", ""], ["--delay", "-1"], ["--loss", "100"], ["--only", "rain"], ["--relay", "1,100"],
        ):  # fmt: skip
            with self.subTest(arguments), redirect_stderr(io.StringIO()), self.assertRaises(SystemExit) as ended:
                parse(arguments)
            self.assertEqual(ended.exception.code, 2)


class ProbeTests(unittest.TestCase):
    def test_the_checksum_of_a_packet_with_its_checksum_is_zero(self) -> None:
        for number in range(50):
            packet = probe.echo_request(number, 0xBEEF, is_ipv6=False)
            self.assertEqual(probe.checksum(packet), 0)
        self.assertEqual(probe.checksum(b"\x01"), 0xFEFF)

    def test_only_the_own_answers_count(self) -> None:
        body = struct.pack("!HH", 7, 3)
        reply = struct.pack("!BBH", 0, 0, 0) + body
        ip = bytes([0x46]) + bytes(23)  # a header of six words
        self.assertEqual(probe.echo_reply(ip + reply, 7, False), 3)
        self.assertIsNone(probe.echo_reply(ip + reply, 8, False))
        self.assertIsNone(probe.echo_reply(ip + probe.echo_request(3, 7, False), 7, False), "its own request")
        self.assertIsNone(probe.echo_reply(b"", 7, False))
        self.assertIsNone(probe.echo_reply(ip + reply[:6], 7, False))
        self.assertEqual(probe.echo_reply(bytes([129, 0, 0, 0]) + body, 7, True), 3)
        self.assertIsNone(probe.echo_reply(reply, 7, True))


class LinkJudgeTests(unittest.TestCase):
    def test_a_delay_must_be_there_and_not_much_more(self) -> None:
        for least, passed in ((49.9, False), (50.0, True), (60.0, True), (61.0, False)):
            with self.subTest(least):
                self.assertIs(judge.delay(plan(), [least, 300.0], 2).passed, passed)
        self.assertFalse(judge.delay(plan(), [], 50).passed)

    def counts(self, packets: int, lost: int) -> dict[str, object]:
        way = {"packets": packets // 2, "lost": lost / 2, "overflowed": 0}
        return {"a_to_b": way, "b_to_a": dict(way)}

    def test_loss_must_be_in_effect_and_no_worse(self) -> None:
        for lost, passed in ((0, False), (860, False), (880, True), (1000, True), (1120, True), (1200, False)):
            with self.subTest(lost):
                self.assertIs(judge.loss(plan(), self.counts(100_000 - lost, lost)).passed, passed)
        self.assertTrue(judge.loss(plan(loss=0), self.counts(1000, 0)).passed)
        self.assertFalse(judge.loss(plan(loss=0), self.counts(1000, 2)).passed)
        self.assertFalse(judge.loss(plan(), {}).passed)
        self.assertFalse(judge.loss(plan(), self.counts(0, 0)).passed)


def side(**changes: object) -> dict[str, object]:
    figures: dict[str, object] = {
        "bytes_sent": 500,
        "bytes_received": 500,
        "streams_ended": 10,
        "streams_lost": 0,
        "lost_by_reason": {},
        "fewest_migrations": 4,
        "most_migrations": 4,
        "streams_left": 0,
        "labels_left": 0,
        "held_left": 0,
        "migrations_left": 0,
        "timers_left": 0,
        "connections_lost": 0,
        "memory_start": 100 << 20,
        "memory_end": 109 << 20,
        "memory_closed": 90 << 20,
        "memory_growth": 0.09,
    }
    return {**figures, **changes}


def failed(checks: list[Check]) -> list[str]:
    return [check.name for check in checks if not check.passed]


class SoakJudgeTests(unittest.TestCase):
    def soak(self, listener: dict[str, object], **changes: object) -> list[str]:
        return failed(judge.soak({"ok": True, "dialer": side(), "listener": listener, **changes}, 10, 4))

    def test_what_is_right_passes(self) -> None:
        self.assertEqual(self.soak(side()), [])

    def test_each_shortcoming_fails_its_check(self) -> None:
        for changes, name in (
            ({"streams_ended": 9}, "every stream ended cleanly"),
            ({"fewest_migrations": 3}, "every stream moved each time"),
            ({"most_migrations": 5}, "every stream moved each time"),
            ({"bytes_received": 499}, "every byte in order"),
            ({"bytes_sent": 501}, "every byte in order"),
            ({"timers_left": 1}, "nothing left open"),
            ({"streams_left": None}, "nothing left open"),
            ({"memory_growth": 0.11}, "memory of the listener"),
            ({"memory_growth": None}, "memory of the listener"),
        ):
            with self.subTest(str(changes)):
                self.assertEqual(self.soak(side(**changes)), [name])

    def test_a_failed_soak_fails_the_bytes_unless_it_was_for_memory_alone(self) -> None:
        self.assertEqual(self.soak(side(), ok=False, error="stream 3 was lost"), ["every byte in order"])
        grown = side(memory_growth=0.2)
        self.assertEqual(self.soak(grown, ok=False, error="the listener's memory grew by 20 %"), ["memory of the listener"])

    def test_no_result_passes_nothing(self) -> None:
        checks = judge.soak({"ok": False, "error": "no"}, 10, 4)
        self.assertEqual(len(failed(checks)), len(checks))


class UpgradeJudgeTests(unittest.TestCase):
    def upgrade(self, **changes: object) -> list[str]:
        good = {"gaps_ms": [210.0, 450.0], "fewest_migrations": 1, "most_migrations": 1}
        listener = {**side(**good), **changes}
        return failed(judge.upgrade({"ok": True, "dialer": side(**good), "listener": listener}, 10))

    def test_what_is_right_passes(self) -> None:
        self.assertEqual(self.upgrade(), [])

    def test_each_shortcoming_fails_its_check(self) -> None:
        for changes, name in (
            ({"fewest_migrations": 0}, "every stream moved once, by itself"),
            ({"most_migrations": 2}, "every stream moved once, by itself"),
            ({"streams_ended": 9}, "every stream ended cleanly"),
            ({"labels_left": 1}, "nothing left open"),
            ({"gaps_ms": [210.0, 800.0]}, "longest gap on a stream to the listener"),
            ({"gaps_ms": []}, "longest gap on a stream to the listener"),
            ({"memory_end": 126 << 20}, "memory of the listener"),
        ):
            with self.subTest(str(changes)):
                self.assertEqual(self.upgrade(**changes), [name])


class CableJudgeTests(unittest.TestCase):
    def cable(
        self, connections: dict[int, float], streams: float = 4.0, ok: bool = True, **changes: object
    ) -> list[str]:
        lost = side(
            streams_ended=7, streams_lost=3, lost_by_reason={"why": 2, "how": 1}, connections_lost=2, **changes
        )
        result = {"ok": ok, "dialer": lost, "listener": lost}
        return failed(judge.cable(result, 10, 4, {1, 3}, connections, streams, limit=6))

    def test_what_is_right_passes(self) -> None:
        self.assertEqual(self.cable({1: 8.0, 3: 10.9}), [])

    def test_each_shortcoming_fails_its_check(self) -> None:
        good = {1: 8.0, 3: 9.0}
        self.assertEqual(self.cable({1: 8.0}), ["its connections were given up in time"])
        self.assertEqual(self.cable({1: 8.0, 3: 11.5}), ["its connections were given up in time"])
        self.assertEqual(self.cable(good, streams=6.5), ["streams of the dead link ended in time"])
        self.assertEqual(self.cable(good, streams=float("nan")), ["streams of the dead link ended in time"])
        self.assertEqual(self.cable(good, ok=False), ["no byte out of order"])
        self.assertEqual(self.cable(good, timers_left=1), ["nothing left open"])
        self.assertEqual(self.cable(good, fewest_migrations=3), ["the others moved each time"])


class EmulatorTests(unittest.TestCase):
    def test_it_compiles_without_a_warning(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            if network.compiler() is None:
                self.skipTest("no C compiler")
            self.assertTrue(network.build_emulator(Path(folder)).exists())


if __name__ == "__main__":
    unittest.main()
