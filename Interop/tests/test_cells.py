"""The matrix holds what its tables promise."""

import fnmatch
import unittest
from itertools import product
from unittest import mock

from harness.abilities import ABILITIES, CASES, PEERS
from harness.cells import (
    BOTH,
    DIRECTIONS,
    FULL,
    QUICK,
    Amounts,
    Cell,
    is_possible,
    is_quick,
    matrix,
    peers_among_themselves,
)
from harness.defects import DEFECTS, Defect
from harness.meetings import is_quick_meeting, meetings
from lab.scenarios import SCENARIOS
from peers.contract import SECURITY

MIB = 1024 * 1024


def plain(cells: list[Cell]) -> list[Cell]:
    return [cell for cell in cells if cell.section == "TCP over IPv4, Yamux" and cell.key_type == "ed25519"]


class MatrixTests(unittest.TestCase):
    def test_every_plain_combination_is_there_once_but_for_what_a_peer_cannot_do(self) -> None:
        names = [cell.name for cell in plain(list(matrix(PEERS)))]
        wanted = [Cell(*parts) for parts in product(PEERS, SECURITY, DIRECTIONS, CASES)]
        self.assertEqual(names, [cell.name for cell in wanted if is_possible(cell)])
        absent = {cell.name for cell in wanted} - set(names)
        self.assertIn("kubo/tls/they-dial/ping", absent)
        self.assertNotIn("kubo/tls/we-dial/ping", absent)
        self.assertIn("go/noise/we-dial/perf", absent)

    def test_every_key_type_that_a_peer_has(self) -> None:
        for peer, security, direction in product(PEERS, SECURITY, DIRECTIONS):
            row = (peer, security, direction)
            keys = {cell.key_type for cell in matrix(PEERS) if cell.row == row} - {"ed25519"}
            self.assertEqual(keys, set(ABILITIES[peer].other_keys), row)

    def test_the_other_transports_orders_and_muxers(self) -> None:
        cells = list(matrix(PEERS))
        for peer, direction, transport in product(PEERS, DIRECTIONS, ("ip6", "dns4")):
            seen = {c.security for c in cells if (c.peer, c.direction, c.transport) == (peer, direction, transport)}
            self.assertEqual(seen, set(SECURITY))
        ours = {(c.peer, c.security) for c in cells if c.direction == "we-dial" and c.security in BOTH}
        self.assertEqual(ours, set(product(PEERS, BOTH)))
        # Who has an order of its own is asked once.
        theirs = {(c.peer, c.security) for c in cells if c.direction == "they-dial" and c.security in BOTH}
        self.assertEqual(theirs, set(product(PEERS, BOTH)) - {("go", BOTH[1])})
        self.assertEqual({c.peer for c in cells if c.muxers == ("mplex", "yamux")}, {"py", "kubo"})

    def test_names_are_unique(self) -> None:
        for cells in ([*matrix(PEERS), *meetings(PEERS)], list(peers_among_themselves())):
            self.assertEqual(len({cell.name for cell in cells}), len(cells))

    def test_the_quick_part_has_each_case_and_section(self) -> None:
        cells = list(matrix(PEERS))
        quick = [cell for cell in cells if is_quick(cell)]
        self.assertLess(len(quick), len(cells))
        self.assertEqual({cell.case for cell in quick}, {cell.case for cell in cells})
        self.assertEqual({cell.section for cell in quick}, {cell.section for cell in cells})
        self.assertEqual(plain(quick), plain(cells))


class DefectTests(unittest.TestCase):
    def test_each_entry_is_for_cells_that_exist(self) -> None:
        names = [cell.name for cell in (*matrix(PEERS), *meetings(PEERS))]
        for pattern in DEFECTS:
            self.assertTrue(fnmatch.filter(names, pattern), pattern)

    def test_a_cell_knows_its_own(self) -> None:
        known = Defect("short", "their defect: seen")
        with mock.patch.dict(DEFECTS, {"go/*/echo": known}, clear=True):
            self.assertEqual(Cell("go", "tls", "we-dial", "echo").defect, known)
            self.assertIsNone(Cell("py", "tls", "we-dial", "echo").defect)


class CellTests(unittest.TestCase):
    def test_who_listens_and_who_dials(self) -> None:
        self.assertEqual(Cell("go", "tls", "we-dial", "ping").dialer, "oxbow")
        self.assertEqual(Cell("go", "tls", "they-dial", "ping").listener, "oxbow")

    def test_only_a_peer_that_can_is_asked_to_half_close(self) -> None:
        for peer in ("go", "kubo"):
            self.assertIn("--no-half-close", Cell(peer, "tls", "we-dial", "echo").dial_arguments(Amounts()))
        self.assertNotIn("--no-half-close", Cell("py", "tls", "we-dial", "echo").dial_arguments(Amounts()))

    def test_the_echo_is_64_mebibytes_and_256_in_full(self) -> None:
        cell = Cell("py", "tls", "we-dial", "echo")
        self.assertIn(str(64 * MIB), cell.dial_arguments(QUICK))
        self.assertIn(str(256 * MIB), cell.dial_arguments(FULL))

    def test_offers_are_told_in_order_and_muxers_to_the_peer_alone(self) -> None:
        cell = Cell("py", "tls+noise", "we-dial", "handshake", muxers=("mplex", "yamux"))
        security = ["--security", "tls", "--security", "noise"]
        self.assertEqual(cell.options("oxbow"), [*security, "--key-type", "ed25519"])
        muxers = ["--muxer", "mplex", "--muxer", "yamux"]
        self.assertEqual(cell.options("py"), [*security, *muxers, "--key-type", "ed25519"])
        self.assertEqual(cell.name, "py/tls+noise/we-dial/handshake/mplex+yamux")

    def test_a_crowd_is_as_large_as_the_dialer_bears(self) -> None:
        self.assertEqual(Cell("py", "tls", "we-dial", "crowd").dialers(FULL), 16)
        self.assertEqual(Cell("py", "tls", "they-dial", "crowd").dialers(FULL), 4)
        self.assertEqual(Cell("go", "tls", "they-dial", "crowd").dialers(QUICK), 4)
        self.assertEqual(Cell("go", "tls", "they-dial", "echo").dialers(FULL), 1)


class MeetingTests(unittest.TestCase):
    def test_each_peer_meets_ours_in_each_place_around_a_relay(self) -> None:
        for peer in PEERS:
            rows = {cell.row for cell in meetings(PEERS) if (cell.case, cell.peer) == ("relay", peer)}
            mixed = set(product(("oxbow", peer), repeat=3)) - {("oxbow",) * 3, (peer,) * 3}
            self.assertEqual(rows, mixed)

    def test_the_labs_scenarios_are_there_and_need_the_peer(self) -> None:
        for cell in meetings(PEERS):
            if cell.case == "punch":
                self.assertEqual(SCENARIOS[cell.middle].peers, (cell.peer,))

    def test_the_quick_part_has_relays_of_both_kinds(self) -> None:
        relays = {cell.row[0] for cell in meetings(PEERS) if cell.case == "relay" and is_quick_meeting(cell)}
        self.assertEqual(relays, {"oxbow", "go"})
