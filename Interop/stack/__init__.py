"""libp2p in plain, blocking Python, each layer open to whoever wants to bend it: the ground of the kits.

It shares nothing with Oxbow's Swift code, on purpose: what both get right, two readings of the specifications agree on. It is
made for tests that talk to one peer, so it favours being seen through over being fast, and it raises on what it doesn't expect.
"""
