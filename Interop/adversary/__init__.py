"""A hostile libp2p peer on real sockets: each scenario names an attack, the bounds that hold, what it costs whom."""
