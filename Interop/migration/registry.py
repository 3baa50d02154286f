"""The scenarios, each with its name, the rules that it checks and the roles in which it can run."""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass

from .context import Context
from .messages import Dialect

Body = Callable[[Context], None]


class Order(enum.Enum):
    """How our peer id stands to the other one."""

    LOWER = "lower"
    HIGHER = "higher"


class Way(enum.Enum):
    """Who dials: then it opens the logical stream too."""

    #: We dial the other side's listener.
    TO_LISTENER = "listener"
    #: The other side dials us.
    FROM_DIALER = "dialer"


BOTH = (Order.LOWER, Order.HIGHER)


@dataclass(frozen=True)
class Scenario:
    """One scenario."""

    name: str
    rules: tuple[str, ...]
    way: Way
    orders: tuple[Order, ...]
    #: Whether it can be spoken in the dialect of 2022 too.
    in_poc: bool
    #: Seconds beyond the ordinary ones that a deadline of the rules takes; 0 for most.
    lasts: float
    body: Body

    @property
    def summary(self) -> str:
        """What it does, in a sentence."""
        return " ".join((self.body.__doc__ or "").split())


SCENARIOS: dict[str, Scenario] = {}


def scenario(
    rules: str, way: Way = Way.TO_LISTENER, orders: tuple[Order, ...] = BOTH, in_poc: bool = False, lasts: float = 0
) -> Callable[[Body], Body]:
    """Registers a scenario under its function's name."""

    def register(body: Body) -> Body:
        name = body.__name__.replace("_", "-")
        if name in SCENARIOS:
            raise ValueError(f"two scenarios are called {name}")
        SCENARIOS[name] = Scenario(name, tuple(rules.split()), way, orders, in_poc, lasts, body)
        return body

    return register


@dataclass(frozen=True)
class Cell:
    """A scenario in one role."""

    scenario: Scenario
    order: Order
    dialect: Dialect

    @property
    def name(self) -> str:
        """The name by which it can be chosen."""
        suffix = "/2022" if self.dialect is Dialect.POC else ""
        return f"{self.scenario.name}/{self.order.value}{suffix}"


def cells(dialects: tuple[Dialect, ...]) -> list[Cell]:
    """Every scenario in every role that it has."""
    return [
        Cell(one, order, dialect)
        for dialect in dialects
        for one in SCENARIOS.values()
        if one.in_poc or dialect is Dialect.DRAFT
        for order in one.orders
    ]
