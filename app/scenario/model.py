"""A scenario file as a whole."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from pydantic import Field, model_validator

from app.scenario.expect import RunExpect
from app.scenario.fields import Misfit, Strict, Time, Timeout, listed
from app.scenario.lanes import LaneSpec
from app.scenario.releases import Package, Release
from app.scenario.teach import Teach
from app.settings import RunSettings
from probes import catalogue
from probes.events import CALLED_BY


class Scenario(Strict):
    """A whole file."""

    title: str
    """A few words."""
    summary: str
    """One sentence: what happens, or what the question is."""
    lanes: list[LaneSpec] = Field(min_length=1, max_length=16)
    """What is cancelled: one table for each call."""
    cause: Literal["key", "deadline", "timeout"] = "key"
    """Who cancels: key (somebody's key), deadline (the scope's shared one), timeout (nobody: each lane's own timer)."""
    deadline: Timeout = None
    """From the start of the run to the scope's own cancel; "none" is off."""
    hold: Time = 0.3
    """From the moment at which all lanes are in their phase to the key that `run` presses."""
    settle: Time = 1.0
    """How long the lab waits at most after the trigger before it closes the clients."""
    expect: RunExpect = RunExpect()
    """What must hold between the lanes."""
    teach: Teach = Teach()
    """What a trainer asks and says."""
    affects: Package | None = None
    """The package whose defect is expected to show."""
    fixed_in: list[Release] = Field(default_factory=list, max_length=16)
    """The releases without that defect, like "httpcore 1.0.10"; empty while there is none."""

    @model_validator(mode="after")
    def _fits(self) -> Scenario:
        for misfit in _misfits(self):
            raise misfit
        return self

    @property
    def packages(self) -> set[str]:
        """Whose versions tell whether the expected defect is there."""
        named = {release.partition(" ")[0] for release in self.fixed_in}
        return named | ({self.affects} if self.affects else set())

    def to_settings(self, name: str) -> RunSettings:
        """What a run of it starts from, before anybody changes a timeout."""
        return RunSettings(
            scenario=name,
            title=self.title,
            lanes=tuple(lane.to_plan() for lane in self.lanes),
            deadline=self.deadline,
            settle=self.settle,
            hold=self.hold,
            cause=self.cause,
            summary=self.summary,
            lesson=self.teach.to_lesson(),
        )


def _misfits(scenario: Scenario) -> Iterator[Misfit]:
    names = [lane.lane for lane in scenario.lanes]
    for number, name in enumerate(names):
        if name in names[:number]:
            yield Misfit(f"two lanes are called {name}: give one of them a name of its own", "lanes", number, "name")
    yield from _hops(scenario, names)
    yield from scenario.expect.strangers(names)
    if scenario.fixed_in and scenario.affects is None:
        yield Misfit('whose defect was fixed? write affects = "package"', "fixed_in")
    if scenario.deadline == 0:
        yield Misfit('a deadline must be above 0, or "none"', "deadline")
    if scenario.cause == "deadline" and scenario.deadline is None:
        yield Misfit('the cause "deadline" needs one: write deadline = "500ms"', "cause")
    for number, lane in enumerate(scenario.lanes):
        patience = lane.options.get("follow_up_timeout", 0)
        if isinstance(patience, int | float) and patience > scenario.settle:
            text = f'the run is over before: write settle = "{patience:g}s" or more'
            yield Misfit(text, "lanes", number, "options", "follow_up_timeout")
    for number, lane in enumerate(scenario.lanes if scenario.cause == "timeout" else ()):
        if lane.cause not in catalogue.TIMERS and not catalogue.BY_THEMSELVES & lane.options.keys():
            text = f"nobody presses a key (the run's cause is timeout): {listed(_timers(lane))} end it by themselves"
            yield Misfit(text, "lanes", number, "cause")


_HOPS_FROM = {"http/1.1": "grpc", "postgres": "http/1.1"}
"""Whose handler calls a hop of this protocol: A is gRPC, B is HTTP, C is PostgreSQL."""


def _hops(scenario: Scenario, names: list[str]) -> Iterator[Misfit]:
    protocols: dict[object, str] = {lane.lane: lane.protocol for lane in scenario.lanes}
    for number, lane in enumerate(scenario.lanes):
        caller = lane.options.get(CALLED_BY)
        if caller is None:
            continue
        needed = _HOPS_FROM.get(lane.protocol)
        if caller not in protocols:
            yield Misfit(f"there is no lane {caller!r}: the lanes are {listed(names)}", "lanes", number, "options")
        elif protocols[caller] != needed:
            yield Misfit(f"a {lane.protocol} hop is called by {needed or 'nobody'}", "lanes", number, "options")


def _timers(lane: LaneSpec) -> Iterator[str]:
    for cause in catalogue.CAUSES[lane.protocol]:
        if cause in catalogue.TIMERS and not catalogue.why_not(lane.protocol, lane.phase, cause):
            yield cause
