"""Conformance kits: cases that are put to any implementation, each on a connection of its own."""
