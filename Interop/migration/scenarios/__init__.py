"""Importing this registers every scenario."""

from . import answers, asking, closing, faults, glare, labels, migrates, moves, pressure

__all__ = ["answers", "asking", "closing", "faults", "glare", "labels", "migrates", "moves", "pressure"]
