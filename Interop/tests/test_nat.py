"""The network with NATs: what counts as shown, and what the programs in it are told. No namespace is made."""

import unittest
from pathlib import Path

from lab import judge_nat, nat
from lab.network import NAME
from lab.options import NatPlan, Wire
from lab.scenarios import SCENARIOS


def plan(kind: str = "cone") -> NatPlan:
    return NatPlan({"a": kind, "b": kind}, Wire("", 50, rate=20), Wire("", 10, rate=100))


class NetworkTests(unittest.TestCase):
    def test_names_tell_whose_they_are(self) -> None:
        self.assertTrue(NAME.fullmatch("oxlab-12-3-na"))
        for name in ("oxlab-12-a", "other", "oxlab-x-1-a", "oxlab-1-1-a1"):
            self.assertIsNone(NAME.fullmatch(name), name)

    def test_public_addresses_are_not_of_a_range_that_is_reserved_for_tests(self) -> None:
        for address in (nat.RELAY, *nat.OBSERVERS, *nat.PUBLIC.values()):
            self.assertTrue(address.startswith("11."), address)
        self.assertEqual(len({address.rsplit(".", 1)[0] for address in nat.OBSERVERS}), 4, "a network each")

    def test_a_scenario_tells_what_it_lacks(self) -> None:
        reasons = SCENARIOS["reference"].obstacles(Path("/nowhere"))
        self.assertTrue(any("--with-peers" in reason for reason in reasons))
        self.assertEqual(SCENARIOS["soak"].obstacles(Path("/nowhere")), [])


class MappingTests(unittest.TestCase):
    def passed(self, kind: str, ports: list[int], local: int = 5001, let_in: int = 0) -> bool:
        seen = {
            end: {"local": local, "let_in": let_in, "observed": [[nat.PUBLIC[end], port] for port in ports]} for end in "ab"
        }
        return all(check.passed for check in judge_nat.mappings(plan(kind), seen))

    def test_a_cone_keeps_its_port(self) -> None:
        self.assertTrue(self.passed("cone", [5001, 5001, 5001]))
        self.assertFalse(self.passed("cone", [5001, 5001, 5002]))
        self.assertFalse(self.passed("cone", [5002, 5002, 5002]))
        self.assertFalse(self.passed("cone", []))

    def test_a_symmetric_nat_takes_another_for_each(self) -> None:
        self.assertTrue(self.passed("symmetric", [1, 2, 3]))
        self.assertFalse(self.passed("symmetric", [1, 2, 1]))
        self.assertFalse(self.passed("symmetric", [5001, 5001, 5001]))
        self.assertFalse(self.passed("symmetric", [1]))

    def test_a_nat_that_lets_strangers_in_is_none(self) -> None:
        self.assertFalse(self.passed("cone", [5001, 5001], let_in=1))
        self.assertFalse(all(check.passed for check in judge_nat.mappings(plan(), {})))

    def test_a_host_that_is_seen_by_its_own_address_is_behind_no_nat(self) -> None:
        seen = {end: {"local": 1, "let_in": 0, "observed": [["10.1.0.2", 1]] * 3} for end in "ab"}
        self.assertFalse(any(check.passed for check in judge_nat.mappings(plan(), seen)))


class ReferenceTests(unittest.TestCase):
    def test_go(self) -> None:
        direct = {"ok": True, "upgraded_after": 0.5, "first_relayed": True, "first_alive": True, "second_relayed": False}
        relayed = {**direct, "upgraded_after": None, "second_relayed": True}
        self.assertTrue(judge_nat.go_upgrade("cone", "go", direct).passed)
        self.assertTrue(judge_nat.go_upgrade("symmetric", "py", relayed).passed)
        self.assertFalse(judge_nat.go_upgrade("cone", "go", relayed).passed)
        self.assertFalse(judge_nat.go_upgrade("symmetric", "py", direct).passed)
        self.assertFalse(judge_nat.go_upgrade("cone", "go", {**direct, "first_alive": False}).passed)
        self.assertFalse(judge_nat.go_upgrade("cone", "go", {**direct, "ok": False, "error": "no"}).passed)
        self.assertFalse(judge_nat.go_upgrade("cone", "go", {}).passed)


if __name__ == "__main__":
    unittest.main()
