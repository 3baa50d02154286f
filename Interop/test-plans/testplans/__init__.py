"""The tests of libp2p/test-plans and libp2p/unified-testing by their own conventions, without containers."""
