"""A Kubo node inside this process: its shared library, its repository, and streams as sockets.

The library has a function for each of a few commands of Kubo. Streams are those of `ipfs p2p`: a name that begins with
`/x/`, and a TCP socket at each end that carries what the stream does. Such a tunnel can't half-close.
"""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

from . import wire
from .tunnel import Handler, serve_streams

#: What Kubo puts before the name of a protocol that an application serves.
PREFIX = "/x"
_POLL = 0.02
_FIRST = 100


class KuboError(Exception):
    """The node did not start, or refused something."""


@dataclass(frozen=True)
class KuboSettings:
    """What a node is to be."""

    listen: Sequence[str]
    security: Sequence[str] = ("noise",)
    muxers: Sequence[str] = ("yamux",)
    key_type: str = "ed25519"
    #: Whether it is a relay for others, and counts itself as reachable.
    is_relay: bool = False
    #: Relays at which it reserves.
    relays: Sequence[str] = field(default_factory=tuple)


def library(peers: Path) -> Path:
    """Where `peers/setup` puts Kubo's library."""
    return peers / "lib" / "libkubo.so"


class Kubo:
    """A running node. Use it as a context manager; it ends with the process, and only its folder has to be removed.

    It becomes the process's working directory.
    """

    def __init__(self, peers: Path, settings: KuboSettings) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="kubo-"))
        os.chdir(self._folder)  # the library writes a log to where the process is
        self._library = ctypes.CDLL(str(library(peers)))
        for name in ("GetNodeID", "GetNodeMultiAddrs", "ListPeers", "P2PListForwards"):
            getattr(self._library, name).restype = ctypes.c_char_p
        self._forwards: dict[tuple[str, str], int] = {}
        try:
            self._start(settings)
        except BaseException:
            self.close()
            raise
        self.peer_id = self._text("GetNodeID")

    def __enter__(self) -> Kubo:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Removes the node's folder. The node itself can only end with this process."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def exit(self, status: int) -> NoReturn:
        """Ends this process. The library has threads of its own, so nothing less ends all."""
        self.close()
        sys.stdout.flush()
        os._exit(status)

    def _start(self, settings: KuboSettings) -> None:
        self._call("CreateRepo")
        file = self._folder / "config"
        configuration = json.loads(file.read_text())
        configure(configuration, settings)
        if settings.key_type != "rsa":  # that is what a new repository has
            configuration["Identity"] = self._identity(settings.key_type)
        file.write_text(json.dumps(configuration))
        self._call("RunNode")
        self._call("P2PEnable")

    def _identity(self, key_type: str) -> dict[str, str]:
        key = self._folder / "new-key"
        command = [sys.executable, "-m", "peers.make_key", key_type, str(key), "--kubo"]
        return dict(json.loads(subprocess.run(command, check=True, capture_output=True).stdout))

    def _call(self, function: str, *arguments: str) -> None:
        status = getattr(self._library, function)(*(text.encode() for text in (str(self._folder), *arguments)))
        if status <= 0:
            raise KuboError(f"{function}{arguments} says {status}")

    def _text(self, function: str) -> str:
        return (getattr(self._library, function)(str(self._folder).encode()) or b"").decode()

    def _list(self, function: str) -> list[str]:
        return [str(one) for one in json.loads(self._text(function) or "[]") or []]

    def addresses(self) -> list[str]:
        """Where the node says that it can be reached, with its id."""
        suffix = f"/p2p/{self.peer_id}"
        return [one if one.endswith(suffix) else one + suffix for one in self._list("GetNodeMultiAddrs")]

    def connect(self, address: str) -> None:
        """Dials an address that ends in the peer's id."""
        status = self._library.ConnectToPeer(str(self._folder).encode(), address.encode())
        peer = wire.split_peer(address)[1]
        if peer not in self.connected_peers():
            raise KuboError(f"ConnectToPeer({address}) says {status}, and the peer is not among {self.connections()}")

    def connections(self) -> list[str]:
        """The far address of each connection, with the peer's id behind the last slash."""
        return self._list("ListPeers")

    def connected_peers(self) -> set[str]:
        """The ids of those that the node is connected with."""
        return {one.rsplit("/", 1)[1] for one in self.connections()}

    def open_stream(self, peer: str, protocol: str) -> socket.socket:
        """Opens a stream of `/x` and the protocol's name, which lasts as long as the socket."""
        stream = socket.create_connection(("127.0.0.1", self._forward(peer, protocol)))
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return stream

    def _forward(self, peer: str, protocol: str) -> int:
        """The port whose connections become streams."""
        port = self._forwards.get((peer, protocol))
        if port is None:
            self._call("P2PForward", PREFIX + protocol, "/ip4/127.0.0.1/tcp/0", peer)
            listed = json.loads(self._text("P2PListForwards"))["LocalForwards"]
            wanted = (PREFIX + protocol, f"/p2p/{peer}")
            mine = next(one for one in listed if (one["Protocol"], one["TargetAddress"]) == wanted)
            port = self._forwards[peer, protocol] = int(mine["ListenAddress"].rsplit("/", 1)[1])
        return port

    def handle(self, protocol: str, handler: Handler) -> None:
        """Serves `/x` and the protocol's name: every incoming stream runs `handler` on a thread of its own."""
        listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        serve_streams(listener, handler)
        self._call("P2PListen", PREFIX + protocol, f"/ip4/127.0.0.1/tcp/{listener.getsockname()[1]}")

    def await_circuit(self, limit: float) -> list[str]:
        """The addresses once one through a relay is among them: a reservation stands."""
        deadline = time.monotonic() + limit
        while not any("/p2p-circuit" in one for one in self.addresses()):
            if time.monotonic() > deadline:
                raise KuboError(f"no reservation within {limit:.0f} s; the addresses are {self.addresses()}")
            time.sleep(_POLL)
        return self.addresses()


def configure(configuration: dict[str, object], settings: KuboSettings) -> None:
    """A node that knows nobody, serves nothing over HTTP, and offers what is wanted."""
    configuration["Bootstrap"] = []
    configuration["Discovery"] = {"MDNS": {"Enabled": False}}
    configuration["Addresses"] = {"Swarm": list(settings.listen), "API": [], "Gateway": []}
    configuration["Routing"] = {"Type": "none"}
    configuration["Experimental"] = {"Libp2pStreamMounting": True}
    configuration["AutoNAT"] = {"ServiceMode": "enabled" if settings.is_relay else "disabled"}
    if settings.is_relay or settings.relays:
        configuration["Internal"] = {"Libp2pForceReachability": "public" if settings.is_relay else "private"}
    configuration["Swarm"] = {
        "AddrFilters": None,
        "DisableNatPortMap": True,
        "RelayService": {"Enabled": settings.is_relay},
        "RelayClient": {"Enabled": bool(settings.relays), "StaticRelays": list(settings.relays)},
        "EnableHolePunching": bool(settings.relays),
        "Transports": {
            "Network": {},
            "Security": _priorities({"noise": "Noise", "tls": "TLS"}, settings.security),
            "Multiplexers": _priorities({"yamux": "Yamux", "mplex": "Mplex"}, settings.muxers),
        },
        "ConnMgr": {},
        "ResourceMgr": {},
    }


def _priorities(names: dict[str, str], wanted: Sequence[str]) -> dict[str, int | bool]:
    """Kubo prefers what has the lowest number; what isn't wanted is off."""
    return {name: _FIRST * (wanted.index(kind) + 1) if kind in wanted else False for kind, name in names.items()}
