"""Transfers through relays and punched holes: what counts as shown. No namespace is made."""

import hashlib
import tempfile
import unittest
from dataclasses import replace
from pathlib import Path

from lab import judge_nat
from lab.hosts import PUBLIC_LIMITS, Limits, Listener
from lab.judge import Check
from lab.transfer import Payload, Samples, Seen, sha256_of

NAN = float("nan")


def failed(checks: list[Check]) -> list[str]:
    return [check.name for check in checks if not check.passed]


def rising(until: float, end: float, step: float = 0.25) -> Samples:
    """A counter that grows by 100,000 with each sample up to a moment."""
    moments = [index * step for index in range(int(end / step) + 1)]
    return [(at, 100_000 * min(at, until) / step) for at in moments]


#: Relayed after 1 s, direct after 2, nothing on the relay from 3 s on, the relay killed after 6, done after 10.
GOOD = Seen(
    is_equal=True,
    size=100_000_000,
    result={"ok": True, "error": None, "sha256": "d", "seconds": 9.0, "migrations": 1},
    status=0,
    ended=10.0,
    relayed=1.0,
    direct=2.0,
    migrated=[2.2],
    punches=[{"upgraded": True, "summary": "punched a hole in 700 ms, try 1"}],
    received=[{"sha256": "d"}],
    relay=rising(4, 6, 1),
    link=rising(3, 12),
    relay_killed=6.0,
)
#: Everything on the relay, to the end.
STAYED = replace(
    GOOD,
    result={**GOOD.result, "seconds": 40.0, "migrations": 0},
    direct=None,
    migrated=[],
    punches=[{"upgraded": False, "summary": "the NAT takes another port for each destination"}],
    relay_killed=None,
)


class PayloadTests(unittest.TestCase):
    def test_its_digest_is_that_of_the_file(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "below" / "file"
            payload = Payload.make(path, (1 << 20) + 17, seed=3)
            data = path.read_bytes()
            self.assertEqual(len(data), payload.size)
            self.assertEqual(payload.sha256, hashlib.sha256(data).hexdigest())
            self.assertEqual(sha256_of(path), payload.sha256)
            self.assertNotEqual(Payload.make(path, payload.size, seed=4).sha256, payload.sha256)
            self.assertIsNone(sha256_of(Path(folder) / "none"))


class ListenerTests(unittest.TestCase):
    def test_the_address_through_the_relay_is_the_one_to_dial(self) -> None:
        circuit = "/ip4/11.0.0.1/tcp/1/p2p/R/p2p-circuit/p2p/B"
        direct = "/ip4/10.0.0.1/tcp/1/p2p/B"
        for addresses, wanted in (((direct, circuit), circuit), ((direct,), direct)):
            self.assertEqual(Listener(None, "B", addresses).address, wanted)  # type: ignore[arg-type]


class CounterTests(unittest.TestCase):
    def test_the_last_growth_is_when_it_was_seen(self) -> None:
        self.assertEqual(judge_nat.last_growth([(0, 1), (1, 5), (2, 5), (3, 6), (4, 6), (5, 6)]), 3)
        for nothing in ([], [(0.0, 1.0), (1.0, 1.0)]):
            self.assertNotEqual(judge_nat.last_growth(nothing), judge_nat.last_growth(nothing), "no number")

    def test_growth_is_of_the_samples_between(self) -> None:
        samples = [(0.0, 1.0), (1.0, 5.0), (2.0, 9.0), (3.0, 9.0)]
        self.assertEqual(judge_nat.growth(samples, 0.5, 2.5), 4)
        self.assertNotEqual(judge_nat.growth(samples, 0.5, 1.5), 0, "one sample tells nothing")


class UpgradeTests(unittest.TestCase):
    def judged(self, seen: Seen) -> list[str]:
        checks = [judge_nat.punched(seen), judge_nat.moved(seen), *judge_nat.relay_at_rest(seen)]
        return failed([*checks, judge_nat.survived_relay(seen), judge_nat.arrived(seen)])

    def test_what_is_right_passes(self) -> None:
        self.assertEqual(self.judged(GOOD), [])

    def test_each_shortcoming_fails_its_check(self) -> None:
        rest = "the relay's counter stood still 2 s after the punch"
        for changes, names in (
            ({"relay": rising(5, 8, 1)}, [rest]),
            ({"relay": [(0.0, 0.0), (1.0, 0.0)]}, [rest]),
            ({"relay": []}, [rest]),
            ({"link": rising(6, 12)}, ["and its link was silent"]),
            ({"link": []}, ["and its link was silent"]),
            ({"relayed": None}, ["a hole was punched"]),
            ({"relayed": 2.5}, ["a hole was punched"]),
            ({"migrated": []}, ["the same stream went on there"]),
            ({"failures": [{"error": "x"}]}, ["the same stream went on there"]),
            ({"relay_killed": None}, ["killing the relay changed nothing"]),
            ({"received": []}, ["the same stream went on there", "every byte arrived, SHA-256 equal"]),
            ({"received": [{"sha256": "e"}]}, ["every byte arrived, SHA-256 equal"]),
            ({"is_equal": False}, ["killing the relay changed nothing", "every byte arrived, SHA-256 equal"]),
            ({"status": 3}, ["killing the relay changed nothing", "every byte arrived, SHA-256 equal"]),
        ):
            with self.subTest(str(changes)):
                self.assertEqual(self.judged(replace(GOOD, **changes)), names)

    def test_nothing_seen_passes_nothing(self) -> None:
        self.assertEqual(len(self.judged(Seen())), 6)

    def test_less_than_half_of_the_time(self) -> None:
        self.assertEqual(failed(judge_nat.faster(GOOD, STAYED)), [])
        slow = replace(GOOD, result={**GOOD.result, "seconds": 20.0})
        self.assertEqual(failed(judge_nat.faster(slow, STAYED)), ["less than half of the time"])
        self.assertIn("without migration it stayed on the relay", failed(judge_nat.faster(GOOD, GOOD)))
        self.assertEqual(len(failed(judge_nat.faster(GOOD, Seen()))), 2)

    def test_49_of_50(self) -> None:
        bad = replace(GOOD, migrated=[])
        self.assertEqual(failed(judge_nat.upgrades([GOOD] * 49 + [bad])), [])
        self.assertEqual(len(failed(judge_nat.upgrades([GOOD] * 48 + [bad] * 2))), 1)
        self.assertEqual(len(failed(judge_nat.upgrades([GOOD] * 2 + [bad]))), 1)
        self.assertEqual(len(failed(judge_nat.upgrades([GOOD] * 49 + [replace(GOOD, is_equal=False)]))), 1)
        self.assertTrue(failed(judge_nat.upgrades([])))

    def test_limits_that_the_file_is_beyond(self) -> None:
        self.assertTrue(judge_nat.beyond_limits(GOOD, PUBLIC_LIMITS).passed)
        self.assertFalse(judge_nat.beyond_limits(GOOD, Limits()).passed)
        self.assertFalse(judge_nat.beyond_limits(GOOD, Limits(bytes=GOOD.size)).passed)


class MixedTests(unittest.TestCase):
    def test_the_first_stream_stays_and_the_second_goes_direct(self) -> None:
        good = {"ok": True, "upgraded_after": 1.0, "first_relayed": True, "first_alive": True, "second_relayed": False}
        self.assertTrue(judge_nat.mixed_upgrade("oxbow", "go", good).passed)
        for name, value in (
            ("ok", False), ("upgraded_after", None), ("first_relayed", False), ("first_alive", False), ("second_relayed", True),
        ):  # fmt: skip
            self.assertFalse(judge_nat.mixed_upgrade("oxbow", "go", {**good, name: value}).passed, name)


class AbuseTests(unittest.TestCase):
    def judged(self, **changes: object) -> list[str]:
        good: dict[str, object] = {
            "alone": {"seconds": 6.0, "sha256_equal": True},
            "beside": {"seconds": 12.0, "sha256_equal": True},
            "greedy": {"ok": False, "error": "cut"},
            "refused": ["no"] * 16,
            "flood": 24,
            "counts": {"reservations": 12, "out_of_bytes": 0, "out_of_time": 4},
        }
        return failed(judge_nat.abuse(**{**good, **changes}))  # type: ignore[arg-type]

    def test_a_relay_that_holds_out_passes(self) -> None:
        self.assertEqual(self.judged(), [])

    def test_each_shortcoming_fails_its_check(self) -> None:
        served, flood, cut = (
            "others were served as before", "a flood of reservations was refused", "a circuit over its limit was cut",
        )  # fmt: skip
        for changes, name in (
            ({"beside": {"seconds": 19.0, "sha256_equal": True}}, served),
            ({"beside": {"seconds": 9.0, "sha256_equal": False}}, served),
            ({"beside": {}}, served),
            ({"refused": ["no"] * 15}, flood),
            ({"refused": [""] * 16}, flood),
            ({"counts": {"reservations": 18, "out_of_bytes": 1}}, flood),
            ({"greedy": {"ok": True, "error": None}}, cut),
            ({"counts": {"reservations": 12, "out_of_bytes": 0, "out_of_time": 0}}, cut),
        ):
            with self.subTest(str(changes)):
                self.assertIn(name, self.judged(**changes))


class RefusalTests(unittest.TestCase):
    def test_a_clean_stay(self) -> None:
        self.assertEqual(failed(judge_nat.stayed(STAYED)), [])
        self.assertEqual(failed(judge_nat.stayed(replace(STAYED, punches=[]))), ["an event says why"])
        silent = replace(STAYED, punches=[{"upgraded": False, "summary": ""}])
        self.assertEqual(failed(judge_nat.stayed(silent)), ["an event says why"])
        self.assertEqual(failed(judge_nat.stayed(GOOD)), ["it stayed on the relay", "an event says why"])

    def test_a_broken_transfer_is_told_at_both_ends_in_time(self) -> None:
        lost = replace(STAYED, status=3, result={"ok": False, "error": "gone"}, received=[], failures=[{"error": "too"}])
        self.assertEqual(failed(judge_nat.broken(lost, 4.0, 60)), [])
        self.assertEqual(failed(judge_nat.broken(lost, 4.0, 5)), ["in time"])
        self.assertEqual(failed(judge_nat.broken(lost, None, 5)), ["in time"])
        self.assertEqual(failed(judge_nat.broken(replace(lost, failures=[]), 4.0, 60)), ["the receiver knows it too"])
        for changes in ({"status": 0}, {"status": None}, {"result": {"ok": False, "error": ""}}):
            self.assertEqual(failed(judge_nat.broken(replace(lost, **changes), 4.0, 60)), ["the sender ended with an error"])

    def test_a_lost_path_is_left_or_told(self) -> None:
        back = replace(GOOD, migrated=[2.2, 8.0])
        self.assertEqual(failed(judge_nat.path_lost(back, 3.0, 60)), [])
        self.assertEqual(failed(judge_nat.path_lost(GOOD, 3.0, 60)), ["the stream went on over the relay"])
        self.assertEqual(failed(judge_nat.path_lost(back, None, 60)), ["the path went dead in the middle"])
        lost = replace(GOOD, status=3, result={"ok": False, "error": "gone"}, received=[], failures=[{"error": "too"}])
        self.assertEqual(failed(judge_nat.path_lost(lost, 3.0, 60)), [])


if __name__ == "__main__":
    unittest.main()
