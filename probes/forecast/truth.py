"""Whether what was said of a run's timers came true, by the trigger that each lane really had."""

from __future__ import annotations

from enum import StrEnum

from probes import tried
from probes.catalogue import TIMEOUTS
from probes.forecast.forecast import SHARED, Forecast, Kind, forecast
from probes.state import LaneState, RunState


class Truth(StrEnum):
    OPEN = ""
    """The run is not over, or it proves nothing."""
    TRUE = "as said"
    FASTER = "somebody was faster"
    """With a key, before the timer was due."""
    FALSE = "not as said"
    UNSAID = "nothing was said"


def of_run(run: RunState) -> list[Forecast]:
    """What was to be said of a run before it began, by its own plans: the same for one that is replayed."""
    return [forecast(lane.plan, run.deadline) for lane in run.lanes]


def fired_timer(lane: LaneState) -> str:
    """The timer that triggered this lane: a lane's own, a link's, the shared deadline; empty where none did."""
    if lane.zero is None:
        return ""
    if not lane.zero.own:
        return SHARED if lane.zero.cause == "scope deadline" else ""
    if lane.zero.cause in lane.plan.middleware:
        return lane.zero.cause
    return next((name for name in TIMEOUTS.get(lane.plan.protocol, ()) if tried.fired(lane.zero, name)), "")


def truth(said: Forecast, lane: LaneState, run: RunState) -> Truth:
    """What became of ``said``."""
    if run.outcome == "aborted" or (lane.zero is None and run.ended is None):
        return Truth.OPEN
    if said.kind in (Kind.UNKNOWN, Kind.ITSELF):
        return Truth.UNSAID
    fired = fired_timer(lane)
    if said.kind is Kind.NOBODY or fired:
        return Truth.TRUE if fired == said.timer else Truth.FALSE
    return Truth.FASTER if _before(said, lane) else Truth.FALSE


def _before(said: Forecast, lane: LaneState) -> bool:
    began = lane.layer("caller").started
    if lane.zero is None or began is None or said.at is None:
        return False
    return (lane.zero.t - began) / 1e9 < said.at
