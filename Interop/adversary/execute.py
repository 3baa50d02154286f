"""One scenario: the target, the attack and the peer that behaves, and what was seen of them."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path

from adversary import measure
from adversary.bounds import Bound, cost, judge, ratio
from adversary.honest import Honest, newcomer
from adversary.network import within
from adversary.scenario import RATE, Scenario
from adversary.target import Programs, Target
from harness.process import Line, Program, ProgramError

_INTEROP = Path(__file__).resolve().parent.parent
#: Only one scenario at a time attacks and measures a rate. Those that wait for deadlines attack side by side.
_MEASURING = threading.Lock()


#: The attack is polite in one thing: on the machine that it shares with those who behave it waits for them. Otherwise
#: it would take their processor from them, which no attacker on another machine can do.
_POLITE = ("nice", "-n", "10")


@dataclass(frozen=True)
class Pace:
    """How long things are measured."""

    windows: int
    seconds: float
    #: How often a scenario is tried whose only complaint is the rate: on a busy machine a window may see others' work. Each
    #: try measures in twice as many windows, twice as long.
    tries: int
    #: How long the attack goes on alone, so that its cost is known.
    cost: float
    #: Whether the counts are the whole ones, and the rate of the honest peer is judged.
    is_whole: bool

    def bounds(self, scenario: Scenario) -> tuple[Bound, ...]:
        """What has to hold at this pace."""
        return (*scenario.bounds, RATE) if self.is_whole else scenario.bounds

    def longer(self, times: int) -> Pace:
        """So many times the windows, each so many times as long."""
        return replace(self, windows=self.windows * times, seconds=self.seconds * times)


QUICK = Pace(windows=3, seconds=0.08, tries=1, cost=0.2, is_whole=False)
WHOLE = Pace(windows=6, seconds=0.3, tries=3, cost=1.0, is_whole=True)


@dataclass
class Outcome:
    """What one scenario has shown."""

    scenario: Scenario
    facts: dict[str, float] = field(default_factory=dict)
    complaints: list[str] = field(default_factory=list)
    bounds: tuple[Bound, ...] = ()
    seconds: float = 0.0
    tries: int = 1

    @property
    def passed(self) -> bool:
        """Whether every bound held."""
        return not self.complaints

    @property
    def own_complaints(self) -> list[str]:
        """Those about the scenario's own bounds, and about memory: what a target without limits has to break."""
        own = [bound for bound in self.scenario.bounds if bound in self.scenario.own or bound.fact == "growth"]
        return judge(own, self.facts)


def execute(scenario: Scenario, programs: Programs, pace: Pace) -> Outcome:
    """Runs a scenario; again when the machine was busy with something else while the honest peer was measured."""
    began = time.monotonic()
    bounds = pace.bounds(scenario)
    for attempt in range(1, pace.tries + 1):
        run = _Run(scenario, programs, pace.longer(2 ** (attempt - 1)), attempt)
        outcome = Outcome(scenario, bounds=bounds, tries=attempt)
        try:
            run.perform()
        except (ProgramError, OSError) as failure:
            outcome.complaints.append(f"{type(failure).__name__}: {failure}")
        outcome.facts = run.facts
        outcome.complaints += run.complaints or (judge(bounds, run.facts) if not outcome.complaints else [])
        only_rate = all(complaint.startswith("honest is") for complaint in outcome.complaints)
        if outcome.passed or not only_rate:
            break
    outcome.seconds = time.monotonic() - began
    return outcome


class _Run:
    """One try at a scenario."""

    def __init__(self, scenario: Scenario, programs: Programs, pace: Pace, attempt: int) -> None:
        self.scenario, self.programs, self.pace = scenario, programs, pace
        self.name = f"{scenario.name}-{attempt}"
        self.facts: dict[str, float] = {}
        self.complaints: list[str] = []
        self.before: list[float] = []
        self.during: list[float] = []
        self.paused: list[float] = []
        self.after: list[float] = []

    def perform(self) -> None:
        """The whole scenario; what was seen is in `facts`."""
        with ExitStack() as stack:
            attacker = stack.enter_context(self._attacker())
            attacker.await_line("being ready", lambda line: line.get("event") == "ready", 20)
            target = stack.enter_context(Target(self.programs, self.scenario, self.name))
            served = "relay" if self.scenario.target in ("relay", "chained") else self.scenario.target
            kind = "listen" if served in ("listen", "relayed") and not self.programs.weak else "ping"
            honest = stack.enter_context(Honest(self.programs.oxbow, target.address, kind, self.programs.folder))
            if self.scenario.waits:
                self._attack(attacker, target, honest, _MEASURING)
            else:
                with _MEASURING:
                    self._attack(attacker, target, honest, nullcontext())
            honest.stop()
            attacker.kill()
            self._afterwards(target, served)

    def _attacker(self) -> Program:
        wanted = self.scenario.wanted[self.pace.is_whole]
        seconds = self.scenario.limit if self.pace.is_whole else min(self.scenario.limit, 30)
        command = [
            *_POLITE,
            sys.executable,
            "-B",
            "-m",
            "adversary.attack",
            self.scenario.name,
            str(wanted),
            str(seconds),
        ]
        environment = {**os.environ, "PYTHONPATH": str(_INTEROP)}
        return Program(f"{self.name}-attacker", within(command), environment, self.programs.folder)

    def _attack(
        self, attacker: Program, target: Target, honest: Honest, measuring: AbstractContextManager[object]
    ) -> None:
        with measuring:
            honest.start()
            self.before = honest.windows(self.pace.windows, self.pace.seconds)
        self._observe(attacker, target, honest, measuring)
        with measuring:
            self.after = honest.windows(self.pace.windows, self.pace.seconds) if target.is_alive() else []

    def _observe(
        self, attacker: Program, target: Target, honest: Honest, measuring: AbstractContextManager[object]
    ) -> None:
        start = measure.resident(target.pid)
        measure.forget_peak(target.pid)
        given = {"target": target.address, "pid": target.pid, "relay": target.relay}
        _tell(attacker, {**given, "oxbow": str(self.programs.oxbow)})
        attacker.await_line("a beginning", lambda line: line.get("event") == "begun", 30)
        with measuring:
            self._compare(attacker, honest)
            self.facts["meanwhile"] = any(self.during) or honest.is_served()
        costs = [measure.cpu_seconds(pid) for pid in (target.pid, attacker.pid)]
        began = time.monotonic()
        time.sleep(self.pace.cost)
        _tell(attacker, {"enough": True})
        wait = self.scenario.limit + 30
        done = attacker.await_line("an end", lambda line: line.get("event") == "done", wait)
        if target.is_alive():
            spent = [measure.cpu_seconds(pid) for pid in (target.pid, attacker.pid)]
            self.facts["growth"] = max(0.0, measure.peak(target.pid) - start)
            self.facts["seconds alone"] = time.monotonic() - began
            self.facts["target cpu"], self.facts["attacker cpu"] = (
                after - before for before, after in zip(costs, spent, strict=True)
            )
            self.facts["cost"] = cost(self.facts["target cpu"], self.facts["attacker cpu"])
        self._take(done)

    def _compare(self, attacker: Program, honest: Honest) -> None:
        """Windows with the attack, and between them some without: the machine has moods, and both see the same ones."""
        for _ in range(self.pace.windows):
            self.during.append(honest.rate(self.pace.seconds))
            if not self.scenario.waits:
                os.kill(attacker.pid, signal.SIGSTOP)
                self.paused.append(honest.rate(self.pace.seconds))
                os.kill(attacker.pid, signal.SIGCONT)

    def _take(self, done: Line) -> None:
        facts = done["facts"]
        assert isinstance(facts, dict)
        self.facts.update({str(name): float(value) for name, value in facts.items()})
        if done.get("error"):
            self.complaints.append(f"the attack itself failed: {done['error']}")

    def _afterwards(self, target: Target, served: str) -> None:
        self.facts["alive"] = target.is_alive()
        if not target.is_alive():
            self.complaints.append(target.obituary())
            return
        self.facts["left"] = target.sockets_left()
        self.facts["kept"] = measure.resident(target.pid)
        security = "tls" if "tls" in self.scenario.arguments else "noise"
        self.facts["served"] = newcomer(self.programs.interop, target.address, served, self.programs.folder, security)
        self.facts.update(self.scenario.told(target.told()) if self.scenario.told else {})
        rate = ratio(self.during, self.before + self.paused + self.after)
        if rate is not None:
            self.facts["honest"] = rate


def _tell(program: Program, line: Line) -> None:
    program.write(json.dumps(line))
