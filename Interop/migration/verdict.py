"""What a scenario can end with, other than well."""

from __future__ import annotations


class Broken(Exception):
    """The other side broke a rule."""

    def __init__(self, rule: str, expected: str, seen: str) -> None:
        super().__init__(f"{rule}: expected {expected}; seen: {seen}")
        self.rule = rule
        self.expected = expected
        self.seen = seen


class Inconclusive(Exception):
    """The scenario could not be brought about: nothing is known."""


class NotApplicable(Exception):
    """The other side can't be brought into the situation, by its own right: the scenario says nothing about it."""
