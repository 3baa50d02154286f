"""What a case is, and what can come of it."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

ContextT = TypeVar("ContextT")


class Level(enum.Enum):
    """How much a case demands."""

    #: The specification says so, or leaves no other sound reading, or a published attack works otherwise.
    MUST = "MUST"
    #: The specification recommends it, or it is what a careful implementation does.
    SHOULD = "SHOULD"
    #: The specification is silent: what was seen is recorded. Only a peer that hangs or dies of it has failed.
    CHOICE = "choice"


class Status(enum.Enum):
    """The result of one case."""

    PASSED = "passed"
    #: A MUST was broken.
    FAILED = "failed"
    #: A SHOULD was not met.
    ADVISED = "advised"
    #: An implementation's own choice, recorded.
    NOTED = "noted"
    #: The target can't be asked this, and why is told.
    SKIPPED = "skipped"


class Violation(Exception):
    """The target did something else than the case demands; the text says what was seen."""


class Inapplicable(Exception):
    """The case can't be put to this target."""


@dataclass(frozen=True)
class Case(Generic[ContextT]):
    """One question to a target."""

    id: str
    title: str
    #: The section of a specification, or the id of a known attack.
    source: str
    level: Level
    #: What is done. It raises `Violation`, or returns what is worth recording.
    action: Callable[[ContextT], str | None]
    #: Whether the connection must still work afterwards. False: it works or it ends, and either is good. None: the case
    #: judges that itself.
    survives: bool | None = True


@dataclass(frozen=True)
class Result:
    """What came of one case."""

    case: Case
    status: Status
    seen: str
    seconds: float = 0.0


@dataclass
class Section(Generic[ContextT]):
    """The cases of one subject; `case` adds one."""

    number: str
    title: str
    cases: list[Case[ContextT]] = field(default_factory=list)

    def case(
        self, title: str, source: str, level: Level = Level.MUST, survives: bool | None = True
    ) -> Callable[[Callable[[ContextT], str | None]], Callable[[ContextT], str | None]]:
        """Makes the decorated function the section's next case."""

        def add(action: Callable[[ContextT], str | None]) -> Callable[[ContextT], str | None]:
            self.add(title, source, level, action, survives)
            return action

        return add

    def add(
        self,
        title: str,
        source: str,
        level: Level,
        action: Callable[[ContextT], str | None],
        survives: bool | None = True,
    ) -> None:
        """Adds a case that is no function of its own."""
        self.cases.append(Case(f"{self.number}.{len(self.cases) + 1}", title, source, level, action, survives))


def all_cases(sections: Iterable[Section]) -> list[Case]:
    """The cases of several sections, in order."""
    return [case for section in sections for case in section.cases]


def key(identifier: str) -> list[tuple[int, int | str]]:
    """Orders ids as people do: 2.10 behind 2.9."""
    return [(0, int(part)) if part.isdigit() else (1, part) for part in identifier.split(".")]
