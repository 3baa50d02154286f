"""The parts that all programs share."""

import contextlib
import io
import unittest

from peers import contract, nat


class EchoTests(unittest.TestCase):
    TOTAL = 3 * contract.CHUNK + 5

    def echoed(self, chunks: list[bytes], echo: contract.Echo) -> bool:
        for chunk in chunks:
            echo.receive(chunk)
        return echo.is_equal

    def test_what_was_sent_is_equal(self) -> None:
        echo = contract.Echo(self.TOTAL)
        chunks = list(echo.chunks())
        self.assertEqual(sum(map(len, chunks)), self.TOTAL)
        self.assertTrue(self.echoed(chunks, echo))

    def test_loss_doubling_and_reordering_are_seen(self) -> None:
        for change in (
            lambda chunks: chunks[:-1],
            lambda chunks: [*chunks, chunks[0]],
            lambda chunks: [chunks[1], chunks[0], *chunks[2:]],
            lambda chunks: [chunks[0], chunks[0], *chunks[2:]],
        ):
            echo = contract.Echo(self.TOTAL)
            self.assertFalse(self.echoed(change(list(echo.chunks())), echo))


class OptionsTests(unittest.TestCase):
    def test_dial(self) -> None:
        options = contract.parse("x", ["dial", "/a/p2p/b", "--case", "echo", "--bytes", "5", "--no-half-close"])
        self.assertEqual(
            (options.command, options.target, options.case, options.bytes), ("dial", "/a/p2p/b", "echo", 5)
        )
        self.assertFalse(options.half_close)

    def test_listen(self) -> None:
        options = contract.parse("x", ["listen", "--security", "tls", "--key-type", "rsa"])
        self.assertEqual((options.security, options.key_type, options.case), (("tls",), "rsa", ""))
        self.assertEqual(options.muxers, ("yamux",))

    def test_offers_keep_their_order(self) -> None:
        offers = ["--security", "tls", "--security", "noise", "--muxer", "mplex", "--muxer", "yamux"]
        options = contract.parse("x", ["listen", *offers])
        self.assertEqual((options.security, options.muxers), (("tls", "noise"), ("mplex", "yamux")))
        self.assertEqual(contract.parse("x", ["listen"]).security, ("noise",))

    def test_roles_behind_a_nat(self) -> None:
        given = ["upgrade", "--listen", "/a", "--also", "/b", "--wait", "2", "--also", "/c", "/d/p2p-circuit"]
        options = nat.parse("x", given)
        self.assertEqual((options.role, options.target, options.also), ("upgrade", "/d/p2p-circuit", ("/b", "/c")))
        self.assertEqual((options.wait, options.relay, options.circuit_bytes), (2.0, "", None))
        self.assertEqual(nat.parse("x", ["relay", "--listen", "/a", "--circuit-bytes", "5"]).circuit_bytes, 5)

    def test_who_cannot_limit_circuits_refuses_to_be_told_to(self) -> None:
        with contextlib.redirect_stderr(io.StringIO()), self.assertRaises(SystemExit):
            nat.parse("x", ["relay", "--listen", "/a", "--circuit-bytes", "5"], limits_circuits=False)
