"""Drivers of libp2p peers that others wrote, each behind the one contract of `Interop/README.md`."""
