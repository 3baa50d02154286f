"""What the kits' command lines say when nothing can be asked: one line, and status 2."""

from __future__ import annotations

import contextlib
import io
import socket
import threading
import unittest

from conformance.command import main as kit
from conformance.yamux.kit import YamuxKit
from migration.main import main as migration


def said(run: object, *arguments: str) -> tuple[int, str]:
    """The status of a command and what it printed on standard error."""
    assert callable(run)
    errors = io.StringIO()
    with contextlib.redirect_stderr(errors), contextlib.redirect_stdout(io.StringIO()):
        status = run(arguments)
    return status, errors.getvalue()


def yamuxspec(arguments: tuple[str, ...]) -> int:
    """The command `yamuxspec`."""
    return kit("yamuxspec", YamuxKit, YamuxKit.cases(), arguments)


class KitCommands(unittest.TestCase):
    """Each mistake is told once, and not hundreds of times."""

    def test_a_kit_says_once_that_nobody_is_there(self) -> None:
        """A port on which nobody listens."""
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))  # bound, so that nobody else listens there
            port = unused.getsockname()[1]
            status, text = said(yamuxspec, f"127.0.0.1:{port}")
        self.assertEqual(status, 2)
        self.assertIn("can't be asked: ConnectionRefusedError", text)
        self.assertEqual(text.count("\n"), 1)

    def test_a_kit_says_that_streams_do_not_echo(self) -> None:
        """A listener that reads, and answers nothing."""
        with socket.create_server(("127.0.0.1", 0)) as server:
            held: list[socket.socket] = []
            threading.Thread(target=lambda: held.append(server.accept()[0]), daemon=True).start()
            address = f"127.0.0.1:{server.getsockname()[1]}"
            status, text = said(yamuxspec, address, "--plain", "--protocol", "", "--timeout", "0.2")
            for connection in held:
                connection.close()
        self.assertEqual(status, 2)
        self.assertIn("it must echo on each stream, and does not", text)

    def test_an_address_must_be_one(self) -> None:
        """Mistakes in an address."""
        for address in ("nonsense", "127.0.0.1:http", "/ip4/127.0.0.1/udp/1"):
            status, text = said(yamuxspec, address)
            self.assertEqual((status, "is no address" in text), (2, True), text)

    def test_migration_says_what_is_wrong_with_its_target(self) -> None:
        """No address, and nobody there."""
        status, text = said(migration, "--target", "nonsense")
        self.assertEqual((status, text.count("\n")), (2, 1))
        self.assertIn("must end in /p2p/ID", text)
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            target = f"/ip4/127.0.0.1/tcp/{unused.getsockname()[1]}/p2p/12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN"
            status, text = said(migration, "--target", target)
        self.assertEqual((status, "refused" in text), (2, True), text)


if __name__ == "__main__":
    unittest.main()
