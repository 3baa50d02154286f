"""The matrix holds what the interop table promises."""

import unittest
from itertools import product

from harness.cells import DIRECTIONS, PEERS, Amounts, Cell, matrix, peers_among_themselves
from peers.contract import CASES, SECURITY


class MatrixTests(unittest.TestCase):
    def test_every_combination_is_there_once(self) -> None:
        names = [cell.name for cell in matrix(PEERS, other_keys=False)]
        wanted = ["/".join(parts) for parts in product(PEERS, SECURITY, DIRECTIONS, CASES)]
        self.assertEqual(names, wanted)

    def test_names_are_unique(self) -> None:
        for cells in (list(matrix(PEERS, other_keys=True)), list(peers_among_themselves())):
            self.assertEqual(len({cell.name for cell in cells}), len(cells))

    def test_who_listens_and_who_dials(self) -> None:
        self.assertEqual(Cell("go", "tls", "we-dial", "ping").dialer, "oxbow")
        self.assertEqual(Cell("go", "tls", "they-dial", "ping").listener, "oxbow")

    def test_only_a_peer_that_can_is_asked_to_half_close(self) -> None:
        self.assertIn("--no-half-close", Cell("go", "tls", "we-dial", "echo").dial_arguments(Amounts()))
        self.assertNotIn("--no-half-close", Cell("py", "tls", "we-dial", "echo").dial_arguments(Amounts()))

    def test_the_echo_is_64_mebibytes(self) -> None:
        self.assertIn(str(64 * 1024 * 1024), Cell("py", "tls", "we-dial", "echo").dial_arguments(Amounts()))
