"""How a host looks from outside of its NAT, by TCP.

    python3 -m lab.mapping serve                 at each public host: tells whoever asks its address, and tries to come in there
    python3 -m lab.mapping ask ADDRESS...        behind a NAT: asks all of them from one local port

`ask` prints {"local": PORT, "observed": [[ADDRESS, PORT], ...], "let_in": N}: how it looks to each server, and how many of them
got through to it from a port that it hadn't written to: none, unless the NAT is an open door.
"""

from __future__ import annotations

import json
import socket
import sys
import threading

PORT = 7000
#: Seconds that a connection from outside may take: as long as several round trips.
PATIENCE = 1.0


def _socket(port: int = 0) -> socket.socket:
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    made.bind(("0.0.0.0", port))
    return made


def _answer(asking: socket.socket, address: tuple[str, int]) -> None:
    """Says what the other end looks like, then whether it can be reached there by someone whom it hasn't written to."""
    with asking:
        asking.sendall(json.dumps(address).encode() + b"\n")
        with _socket() as stranger:
            stranger.settimeout(PATIENCE)
            came_in = stranger.connect_ex(address) == 0
        asking.sendall(json.dumps(came_in).encode() + b"\n")


def serve() -> None:
    """Answers until the process is ended."""
    with _socket(PORT) as listening:
        listening.listen(16)
        print(json.dumps({"event": "serving", "port": PORT}), flush=True)
        while True:
            asking, address = listening.accept()
            threading.Thread(target=_answer, args=(asking, address), daemon=True).start()


def ask(servers: list[str]) -> dict[str, object]:
    """Asks all servers from the same local port, on which a connection from outside would be accepted."""
    with _socket() as listening:
        port = listening.getsockname()[1]
        listening.listen(16)
        connections = []
        for server in servers:
            connections.append(_socket(port))
            connections[-1].settimeout(10)
            connections[-1].connect((server, PORT))
        observed, let_in = [], 0
        for connection in connections:
            with connection, connection.makefile("rb") as lines:
                observed.append(json.loads(lines.readline()))
                let_in += json.loads(lines.readline())
    return {"local": port, "observed": observed, "let_in": let_in}


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve()
    print(json.dumps(ask(sys.argv[2:])), flush=True)
