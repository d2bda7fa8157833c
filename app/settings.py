"""What the next run will do: a scenario with the timeouts that people changed by hand. Times are seconds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from app import commands
from app.lesson import NOTHING, Lesson
from probes import catalogue
from probes.events import LanePlan

CHANGED = ", changed"
"""What follows the name of a scenario whose lanes were changed by hand."""

SCOPE = ""
"""The scope's own row among the lanes' timeouts."""

TIMEOUTS: dict[str, tuple[str, ...]] = {SCOPE: ("deadline",), **catalogue.TIMEOUTS}
"""The timeouts that there are, by protocol, in the clients' own names."""

CAUSES = ("key", "deadline", "timeout")
"""Who cancels: somebody's key, the scope's shared deadline, or each lane's own timeout."""


@dataclass(frozen=True, slots=True)
class RunSettings:
    """``deadline``: from the start to the scope's own cancel. ``settle``: how long the lab waits at most after the
    trigger. ``hold``: how long after all lanes are in their phase a headless run presses its key. ``summary``: what the
    scenario says of itself."""

    scenario: str
    title: str
    lanes: tuple[LanePlan, ...]
    deadline: float | None = None
    settle: float = 1.0
    hold: float = 0.3
    cause: str = "key"
    summary: str = ""
    lesson: Lesson = NOTHING

    def with_timeout(self, lane: str, name: str, seconds: float | None) -> RunSettings:
        """The same with one timeout changed; None switches it off. ``lane`` "" is the scope.

        Raises ValueError for a lane or a timeout that is not there, and for one that is not above 0.
        """
        if seconds is not None and seconds <= 0:
            raise ValueError("a timeout must be above 0; none switches it off")
        if lane == SCOPE:
            _check_name("the scope", SCOPE, name)
            return replace(self, deadline=seconds)
        plan = self._plan(lane)
        _check_name(lane, plan.protocol, name)
        changed = replace(plan, timeouts={**plan.timeouts, name: seconds})
        return replace(self, lanes=tuple(changed if each is plan else each for each in self.lanes))

    def named_after(self, scenario: RunSettings) -> RunSettings:
        """The same under the scenario's name, or a name that tells that its lanes were changed by hand."""
        changed = "" if self.lanes == scenario.lanes else CHANGED
        return replace(self, scenario=scenario.scenario + changed, title=scenario.title + changed)

    def timeouts(self) -> Iterator[tuple[str, str, float | None]]:
        """(lane, name, seconds) of every timeout that can be set, the scope's first."""
        yield SCOPE, "deadline", self.deadline
        for plan in self.lanes:
            for name in TIMEOUTS[plan.protocol]:
                yield plan.lane, name, plan.timeouts.get(name)

    def to_start(self, run: int) -> commands.Start:
        """The command that fires it as run number ``run``."""
        return commands.Start(
            run=run,
            scenario=self.scenario,
            title=self.title,
            lanes=self.lanes,
            deadline=self.deadline,
            settle=self.settle,
        )

    def _plan(self, lane: str) -> LanePlan:
        for plan in self.lanes:
            if plan.lane == lane:
                return plan
        names = ", ".join(plan.lane for plan in self.lanes)
        raise ValueError(f"there is no lane {lane!r}: the lanes are {names}")


def _check_name(where: str, protocol: str, name: str) -> None:
    if name not in TIMEOUTS[protocol]:
        raise ValueError(f"{where} has no timeout {name!r}: it has {', '.join(TIMEOUTS[protocol])}")
