"""Checks the adversary suite's own parts: its judge, its list of scenarios, what it says on the wire."""

from __future__ import annotations

import os
import socket
import tempfile
import time
import unittest
from pathlib import Path

from adversary import measure
from adversary.attacker import Attacker
from adversary.attacks.certificates import Forged, certificate, huge_rsa_key
from adversary.attacks.migration import Numbers
from adversary.attacks.truncation import told as told_of_ends
from adversary.bounds import Bound, at_least, at_most, cost, exactly, judge, median, ratio
from adversary.catalogue import SCENARIOS
from adversary.execute import QUICK, WHOLE, Outcome
from adversary.honest import Honest
from adversary.network import loopback, neighbour, source
from adversary.peer import denied, identification, label, migrate, peer_record, status
from adversary.report import as_json, as_markdown, as_text, summary
from adversary.scenario import Scenario
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from peers.wire import decode_message, encode_message, first_bytes
from stack.identity import Identity, verify


def _scenario(*bounds: Bound) -> Scenario:
    return Scenario("one", ("id",), lambda attacker: None, bounds)


class Judging(unittest.TestCase):
    """A bound that is broken, or a number that nobody saw, is a complaint."""

    def test_each_relation_can_fail(self) -> None:
        for bound, good, bad in ((at_most("x", 5), 5, 5.1), (at_least("x", 5), 5, 4.9), (exactly("x", 5), 5, 4)):
            self.assertEqual(judge([bound], {"x": good}), [])
            self.assertEqual(len(judge([bound], {"x": bad})), 1)

    def test_what_nobody_has_seen_fails(self) -> None:
        self.assertEqual(len(judge([exactly("x", 0), at_most("y", 9)], {})), 2)

    def test_an_unknown_relation_is_refused(self) -> None:
        with self.assertRaises(ValueError):
            Bound("x", "<", 1)

    def test_common_bounds_hold_for_each_scenario(self) -> None:
        facts = {"growth": 1.0, "cost": 1.0, "meanwhile": 1, "left": 0, "served": 1, "alive": 1}
        bounds = _scenario().bounds
        self.assertEqual(judge(bounds, facts), [])
        bad = {"growth": 65.0, "cost": 4.1, "meanwhile": 0, "left": 1, "served": 0, "alive": 0}
        for fact, value in bad.items():
            self.assertEqual(len(judge(bounds, {**facts, fact: value})), 1, fact)

    def test_the_rate_is_judged_in_the_whole_form_alone(self) -> None:
        facts = {"growth": 1.0, "cost": 1.0, "meanwhile": 1, "left": 0, "served": 1, "alive": 1, "honest": 0.49}
        self.assertEqual(judge(QUICK.bounds(_scenario()), facts), [])
        self.assertEqual(len(judge(WHOLE.bounds(_scenario()), facts)), 1)
        self.assertEqual(judge(WHOLE.bounds(_scenario()), {**facts, "honest": 0.5}), [])

    def test_a_cost_is_told_in_what_the_attacker_pays(self) -> None:
        self.assertEqual(cost(0.3, 0.1), 0.3 / 0.1)
        self.assertEqual(cost(0.019, 0.001), 0)
        self.assertGreater(cost(1, 0), 100)

    def test_an_own_bound_takes_the_place_of_a_common_one(self) -> None:
        bounds = _scenario(at_most("growth", 1, "MiB")).bounds
        self.assertEqual([bound.value for bound in bounds if bound.fact == "growth"], [1])

    def test_rates_are_compared_by_their_medians(self) -> None:
        self.assertEqual(median([3, 1, 2]), 2)
        self.assertEqual(median([4, 1, 2, 3]), 2.5)
        self.assertEqual(ratio([50, 1, 60], [100, 100, 900]), 0.5)
        self.assertIsNone(ratio([], [1]))
        self.assertIsNone(ratio([1], [0, 0]))

    def test_ends_are_counted_by_kind(self) -> None:
        lines = [
            {"bytes_in": size, "end": end}
            for size, end in ((1000, "eof"), (1000, "error"), (1000, "reset"), (77, "eof"))
        ]
        self.assertEqual(
            told_of_ends({"stream": lines}),
            {"clean ends of cut streams": 1, "errors of cut streams": 2, "clean ends of whole streams": 1},
        )


class Catalogue(unittest.TestCase):
    """The scenarios are many, each has its name and a bound of its own."""

    def test_names_are_unique(self) -> None:
        names = [scenario.name for scenario in SCENARIOS]
        self.assertEqual(len(names), len(set(names)))
        self.assertGreaterEqual(len(names), 35)

    def test_each_has_ids_a_bound_and_a_description(self) -> None:
        for scenario in SCENARIOS:
            self.assertTrue(scenario.ids and scenario.own, scenario.name)
            self.assertLessEqual(scenario.wanted[0], scenario.wanted[1], scenario.name)

    def test_the_floods_of_the_list_are_there(self) -> None:
        known = {name for scenario in SCENARIOS for name in scenario.ids}
        for name in ("CVE-2023-44487", "CVE-2025-8671", "CVE-2024-32984", "CVE-2026-31814", "CVE-2026-32314",
                     "CVE-2023-39533", "CVE-2023-40583", "RUSTSEC-2022-0009", "CVE-2019-15545", "RUSTSEC-2024-0011",
                     "rust-libp2p #2438", "SM-F10", "SM-L3"):  # fmt: skip
            self.assertIn(name, known)

    def test_sources_are_of_as_many_networks_as_they_say(self) -> None:
        self.assertEqual(len({source(index).rpartition(".")[0] for index in range(250)}), 250)
        self.assertEqual(len({source(index) for index in range(10_000)}), 10_000)
        self.assertEqual({neighbour(index).rpartition(".")[0] for index in range(500)}, {"11.67.0"})
        self.assertTrue(loopback(5).startswith("127."))


class Messages(unittest.TestCase):
    """What the attacker says is well-formed where it means to be."""

    def test_labels_and_migrates_have_the_vectors_of_the_specification(self) -> None:
        self.assertIn(bytes.fromhex("040a020800"), label(0))
        self.assertTrue(migrate(2, 0).endswith(bytes.fromhex("06120408021000")))
        self.assertFalse(denied(bytes.fromhex("1a00")))
        self.assertTrue(denied(bytes.fromhex("1a020801")))

    def test_ids_have_the_parity_of_the_peer(self) -> None:
        target = Identity()
        for lower, parity in ((True, 0), (False, 1)):
            numbers = Numbers(Identity.ordered_against(target.multihash, lower), target.peer_id)
            self.assertEqual({numbers.take() % 2 for _ in range(3)}, {parity})

    def test_a_status_is_read_from_a_hop_message(self) -> None:
        self.assertEqual(status(encode_message((1, 2), (5, 100))), 100)
        self.assertEqual(status(encode_message((1, 2))), 0)

    def test_an_identification_has_its_lies(self) -> None:
        identity, other = Identity(), Identity()
        fields = decode_message(identification(identity, ["/ip4/1.2.3.4/tcp/5"], key=other.public_key))
        self.assertEqual(first_bytes(fields, 1), other.public_key)

    def test_a_record_verifies_with_its_signers_key_alone(self) -> None:
        identity, other = Identity(), Identity()
        envelope = decode_message(
            peer_record(identity, identity.public_key, identity.multihash, ["/ip4/1.2.3.4/tcp/5"])
        )
        payload, signature = first_bytes(envelope, 3) or b"", first_bytes(envelope, 5) or b""
        signed = b"\x12libp2p-peer-record\x02\x03\x01" + bytes([len(payload)]) + payload
        self.assertTrue(verify(identity.public_key, signed, signature))
        self.assertFalse(verify(other.public_key, signed, signature))

    def test_a_wrong_certificate_is_one(self) -> None:
        key, other = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
        for signer, is_right in ((key, True), (other, False)):
            made = x509.load_pem_x509_certificate(certificate(key, b"\x04\x00", signer=signer))
            try:
                key.public_key().verify(made.signature, made.tbs_certificate_bytes, ec.ECDSA(hashes.SHA256()))
                self.assertTrue(is_right)
            except InvalidSignature:
                self.assertFalse(is_right)

    def test_forgeries_do_not_verify(self) -> None:
        forged = Forged(None, lambda true, message: true.sign(b"x" + message))
        self.assertFalse(verify(forged.public_key, b"message", forged.sign(b"message")))
        self.assertGreater(len(huge_rsa_key(16_384)), 2_000)


class Reporting(unittest.TestCase):
    """The table and the last line say what failed."""

    def setUp(self) -> None:
        facts = {"growth": 1.0, "honest": 0.8, "x": 3.0, "target cpu": 1.0, "attacker cpu": 2.0}
        self.outcomes = [Outcome(_scenario(at_most("x", 5)), facts), Outcome(_scenario(), {}, ["honest is 0.1"])]

    def test_the_last_line_counts(self) -> None:
        self.assertEqual(summary(self.outcomes), "1 passed, 1 failed")

    def test_complaints_are_shown(self) -> None:
        text = as_text(self.outcomes)
        self.assertIn("one: honest is 0.1", text)
        self.assertIn("1.00/2.00 = 0.50", text)
        self.assertIn("x <= 5: 3", as_markdown(self.outcomes))
        self.assertIn('"failed": 1', as_json(self.outcomes))

    def test_paces_are_bounded(self) -> None:
        self.assertLess(2 * QUICK.windows * QUICK.seconds, 2)


class Behaving(unittest.TestCase):
    """The honest peer is measured for as long as it takes."""

    def _is_served_again(self, status: int) -> bool:
        """Whether there are results when a program has had a few and has ended."""
        with tempfile.TemporaryDirectory() as folder:
            program = Path(folder, "program")
            program.write_text(f"#!/bin/sh\nfor _ in 1 2 3; do sleep 0.1; echo; done\nexit {status}\n")
            program.chmod(0o700)
            with Honest(program, "nowhere", "ping", Path(folder)) as honest:
                honest.start()
                while not honest.has_ended:
                    honest.rate(0.05)
                return honest.is_served(patience=20 if status == 0 else 0.5)

    def test_one_that_has_done_all_it_was_asked_for_begins_anew(self) -> None:
        self.assertTrue(self._is_served_again(0))

    def test_one_that_was_cut_off_does_not(self) -> None:
        self.assertFalse(self._is_served_again(1))


class Measuring(unittest.TestCase):
    """What a process costs is read from the kernel."""

    def test_this_process_has_memory_time_and_sockets(self) -> None:
        before = measure.sockets(os.getpid())
        with socket.socket():
            self.assertEqual(measure.sockets(os.getpid()), before + 1)
        self.assertEqual(measure.sockets(os.getpid()), before)
        self.assertGreater(measure.resident(os.getpid()), 1)
        self.assertGreaterEqual(measure.peak(os.getpid()), 1)
        self.assertGreaterEqual(measure.cpu_seconds(os.getpid()), 0)

    def test_what_one_act_costs_is_seen_when_nobody_else_is_measured(self) -> None:
        answers = iter((False, False, True))
        attacker = Attacker("x", 1, 0, lambda: next(answers), lambda: None, pid=os.getpid())
        seen: list[int] = []

        def burn(index: int) -> None:
            self.assertIsNone(next(answers, None), "somebody else is being measured")
            seen.append(index)
            began = time.process_time()
            while time.process_time() < began + 0.01:
                pass

        self.assertGreaterEqual(attacker.cost(burn, 3), 0.01)
        self.assertEqual(seen, [1, 2, 3])

    def test_who_has_ended_has_none(self) -> None:
        with self.assertRaises(OSError):
            measure.cpu_seconds(2**22 + 1)
