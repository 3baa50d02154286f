"""The kits for multistream-select and Noise are judged: a right listener passes them, and each wrong one is caught."""

from __future__ import annotations

import unittest
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from conformance.case import Result, Status
from conformance.command import chosen
from conformance.identify.kit import IdentifyKit
from conformance.multistream.kit import MultistreamKit
from conformance.noise.kit import NoiseKit
from conformance.reference.listener import MUTANTS, Listener
from conformance.reference.server import Server
from conformance.target import Target

_KITS = {kit.name: kit for kit in (MultistreamKit, NoiseKit)}


def _failed(listener: type[Listener], name: str, timeout: float, patterns: Sequence[str] = ("*",)) -> list[str]:
    with Server(listener) as server:
        kit = _KITS[name](Target.parse(server.address, plain=False, protocol="/echo/1.0.0", timeout=timeout))
        results: list[Result] = kit.run(chosen(kit.cases(), patterns), workers=8)
    return [f"{r.case.id} {r.case.title}: {r.seen}" for r in results if r.status is Status.FAILED]


class Kits(unittest.TestCase):
    """All smaller kits."""

    def test_ids_and_titles_are_unique(self) -> None:
        for kit in (MultistreamKit, NoiseKit, IdentifyKit):
            cases = kit.cases()
            self.assertEqual(len({case.id for case in cases}), len(cases), kit.name)
            self.assertEqual(len({(case.id.split(".")[0], case.title) for case in cases}), len(cases), kit.name)

    def test_a_right_listener_passes(self) -> None:
        for name in _KITS:
            with self.subTest(name):
                self.assertEqual(_failed(Listener, name, 5.0), [])

    def test_each_mutant_is_caught(self) -> None:
        def failed(listener: type[Listener], name: str) -> list[str]:
            # A mutant of Noise shows in what it takes; no need to flip each byte of each message.
            return _failed(listener, name, 1.0, ["1.1", "2.*", "3.*"] if name == "noisespec" else ["1.*", "3.*"])

        with ThreadPoolExecutor(4) as pool:
            found = dict(zip(MUTANTS, pool.map(failed, MUTANTS.keys(), MUTANTS.values()), strict=True))
        for listener, name in MUTANTS.items():
            with self.subTest(listener.__name__):
                self.assertNotEqual(found[listener], [], f"{listener.__doc__} {name} did not notice.")


if __name__ == "__main__":
    unittest.main()
