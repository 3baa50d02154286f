"""py-libp2p as a peer of the perf tests, with the options of libp2p/test-plans.

Its client has to know the server's id, which the options don't tell: it asks for the one that servers share, whose key
is made of 32 zeros.
"""

from __future__ import annotations

import argparse
import json
import os
import traceback
import warnings

warnings.filterwarnings("ignore")  # as in py_front.py

import trio  # noqa: E402
from libp2p.abc import IHost  # noqa: E402
from libp2p.perf import PerfService  # noqa: E402
from multiaddr import Multiaddr  # noqa: E402
from testplans.py_host import make_host  # noqa: E402

_SHARED_ID = "12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN"
#: The fields of its reports, as the runner calls them.
_NAMES = {
    "type": "type", "time_seconds": "timeSeconds", "upload_bytes": "uploadBytes", "download_bytes": "downloadBytes",
}  # fmt: skip


def main() -> None:
    """Runs as the server or the client."""
    parser = argparse.ArgumentParser(prog="py_perf")
    parser.add_argument("--run-server", action="store_true")
    parser.add_argument("--server-address", required=True, metavar="HOST:PORT")
    parser.add_argument("--transport", choices=("tcp",), default="tcp")
    parser.add_argument("--upload-bytes", type=int, default=0)
    parser.add_argument("--download-bytes", type=int, default=0)
    trio.run(_run, parser.parse_args())


async def _run(options: argparse.Namespace) -> None:
    host_name, _, port = options.server_address.rpartition(":")
    server = f"/ip4/{host_name}/tcp/{port}"
    listen = [Multiaddr(server if options.run_server else "/ip4/127.0.0.1/tcp/0")]
    host = make_host(["noise", "tls"], listen)
    async with host.run(listen_addrs=listen):
        status = 1
        try:
            service = PerfService(host)
            await service.start()
            if options.run_server:
                print(f"{server}/p2p/{host.get_id()}", flush=True)
                await trio.sleep_forever()
            await _measure(service, host, f"{server}/p2p/{_SHARED_ID}", options)
            status = 0
        except Exception:  # the runner shows why
            traceback.print_exc()
        finally:
            os._exit(status)  # as in py_front.py


async def _measure(service: PerfService, host: IHost, server: str, options: argparse.Namespace) -> None:
    async for report in service.measure_performance(Multiaddr(server), options.upload_bytes, options.download_bytes):
        print(json.dumps({_NAMES[name]: value for name, value in report.items()}), flush=True)


if __name__ == "__main__":
    main()
