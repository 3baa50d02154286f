"""yamuxspec is judged itself: a right Yamux passes every case, and each wrong one is caught."""

from __future__ import annotations

import unittest
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from conformance.case import Result, Status
from conformance.command import chosen
from conformance.reference.mutants import MUTANTS
from conformance.reference.server import Peer, Server
from conformance.target import Target
from conformance.yamux.kit import YamuxKit

#: A second is much on loopback; what a mutant never sends is waited for as long as this.
_MUTANT_TIMEOUT = 1.0


def _run(peer: type[Peer], patterns: Sequence[str], protocol: str = "") -> list[Result]:
    with Server(peer) as server:
        kit = YamuxKit(Target.parse(server.address, plain=True, protocol=protocol, timeout=5.0))
        return kit.run(chosen(kit.cases(), patterns), workers=8)


class _Caught(Exception):
    """One bad result is enough."""


def _is_caught(peer: type[Peer], pattern: str) -> bool:
    def stop_when_bad(result: Result) -> None:
        if _bad([result]):
            raise _Caught

    with Server(peer) as server:
        kit = YamuxKit(Target.parse(server.address, plain=True, protocol="", timeout=_MUTANT_TIMEOUT))
        try:
            return bool(_bad(kit.run(chosen(kit.cases(), [pattern]), workers=8, show=stop_when_bad)))
        except _Caught:
            return True


def _bad(results: Sequence[Result]) -> list[str]:
    wrong = (Status.FAILED, Status.ADVISED)
    return [f"{result.case.id} {result.case.title}: {result.seen}" for result in results if result.status in wrong]


class TheKit(unittest.TestCase):
    """The kit's own shape."""

    def test_has_more_than_a_hundred_cases_beside_the_matrix(self) -> None:
        cases = YamuxKit.cases()
        self.assertEqual(len({case.id for case in cases}), len(cases))
        self.assertEqual(len({case.title for case in cases}), len(cases))
        self.assertGreater(sum(not case.id.startswith("4.") for case in cases), 100)


class ARightYamux(unittest.TestCase):
    """The reference, which was written from the specification."""

    def test_passes_with_bare_streams(self) -> None:
        self.assertEqual(_bad(_run(Peer, ["*"])), [])

    def test_passes_with_multistream_on_each_stream(self) -> None:
        # A stream that echoes answers a proposal as multistream does: by repeating it.
        patterns = ["1.*", "2.*", "3.*", "5.*", "6.*", "7.*", "9.*"]
        self.assertEqual(_bad(_run(Peer, patterns, "/echo/1.0.0")), [])


class Mutants(unittest.TestCase):
    """Yamuxes that are wrong in one way."""

    def test_each_is_caught(self) -> None:
        with ThreadPoolExecutor(8) as pool:
            caught = dict(zip(MUTANTS, pool.map(_is_caught, MUTANTS.keys(), MUTANTS.values()), strict=True))
        for peer, pattern in MUTANTS.items():
            with self.subTest(peer.__name__):
                self.assertTrue(caught[peer], f"{peer.__doc__} No case of {pattern} noticed.")


if __name__ == "__main__":
    unittest.main()
