"""Versions are read from what runs."""

import tempfile
import unittest
from pathlib import Path
from unittest import mock

from harness import versions


class ModuleVersionTests(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.file = Path(folder.name) / "program"

    def test_the_list_in_a_go_program_is_read(self) -> None:
        listed = b"dep\tgithub.com/libp2p/go-libp2p-kad-dht\tv0.9\ndep\tgithub.com/libp2p/go-libp2p\tv0.32.1\th1:x\n"
        self.file.write_bytes(b"\0" + listed)
        self.assertEqual(versions.module_version(self.file, "go-libp2p"), "0.32.1")
        self.assertEqual(versions.module_version(self.file, "kubo", "ipfs"), "of unknown version")

    def test_a_packed_program_is_known_by_its_digest_alone(self) -> None:
        self.file.write_bytes(b"abc")
        digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        with mock.patch.dict(versions._PACKED, {digest: "1.2"}):
            self.assertEqual(versions.module_version(self.file, "go-libp2p"), "1.2")
        self.assertEqual(versions.module_version(self.file, "go-libp2p"), "of unknown version")
