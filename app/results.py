"""A run in numbers: one JSON object for each run that ended, the same from the live run and from its recording.

Times are microseconds after the lane's trigger, rounded to a tenth. A moment that did not come is None, never 0.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from probes.events import Event, LabReady, Layer, RunEnded
from probes.runlog import RunLog
from probes.state import LaneState, LinkState, Mark, Moment, Other, RunState
from probes.verdict import interrupt, leaked, offset, skew, verdict, violations, zombie


class EndedRuns:
    """Takes a session's events as they come and gives a run's state when its RunEnded arrives."""

    def __init__(self) -> None:
        self._runs: dict[int, RunLog] = {}

    def add(self, event: Event) -> RunState | None:
        """The run that ``event`` ends. None for any other event, and for a run that never started."""
        if not event.run:
            return None
        log = self._runs.setdefault(event.run, RunLog())
        log.add(event)
        if not isinstance(event, RunEnded):
            return None
        del self._runs[event.run]
        return None if log.state.started is None else log.state


class Results:
    """The same, and gives the run's result."""

    def __init__(self) -> None:
        self._versions: Mapping[str, str] = {}
        self._runs = EndedRuns()

    def add(self, event: Event) -> dict[str, Any] | None:
        if isinstance(event, LabReady):
            self._versions = event.versions
        run = self._runs.add(event)
        return None if run is None else result(run, self._versions)


def results(events: Iterable[Event]) -> Iterator[dict[str, Any]]:
    """One object for each run of a session, from the events up to its end in the order of arrival."""
    maker = Results()
    for event in events:
        if (found := maker.add(event)) is not None:
            yield found


def result(run: RunState, versions: Mapping[str, str]) -> dict[str, Any]:
    """One run that has ended. What everybody held before and after it is there where it was counted; a run that was
    aborted says why in one more key, ``aborted``."""
    now = run.ended or 0
    found: dict[str, Any] = {
        "scenario": run.scenario,
        "run": run.run,
        "trigger": {"cause": cause(run)},
        "versions": dict(versions),
        "lanes": {lane.name: _lane(lane, now) for lane in run.lanes},
        "skew_us": {
            "done": _us(skew(run, Moment.DONE)),
            "interrupt": _us(skew(run, Moment.INTERRUPT)),
            "cleanup": _us(skew(run, Moment.CLEANUP)),
        },
        "loop_lag_us": _us(run.lag_ns),
    }
    if run.after:
        found["census"] = {"before": dict(run.before), "after": dict(run.after), "leaked": leaked(run)}
    return found if run.outcome == "settled" else found | {"aborted": run.detail or run.outcome}


def cause(run: RunState) -> str | None:
    """The scope's cause; where it never fired, the lanes' own, each once; None where nothing was triggered."""
    if run.zero is not None:
        return run.zero.cause
    own = dict.fromkeys(lane.zero.cause for lane in run.lanes if lane.zero is not None)
    return ", ".join(own) or None


def _lane(lane: LaneState, now: int) -> dict[str, Any]:
    dead = zombie(lane, now)
    return {
        "caller": {"done_us": _at(lane, "caller", Moment.DONE)},
        "client": {"done_us": _at(lane, "client", Moment.DONE), "evidence": _evidence(lane, "client", Moment.DONE)},
        "wire": _wire(lane),
        "server": {
            "done_us": _at(lane, "server", Moment.DONE),
            "cleanup_us": _at(lane, "server", Moment.CLEANUP),
            "evidence": _evidence(lane, "server", Moment.DONE, Moment.CLEANUP),
        },
        "resource": {
            "cleanup_us": _at(lane, "resource", Moment.CLEANUP),
            "evidence": _evidence(lane, "resource", Moment.CLEANUP),
        },
        "machine": {
            "client": lane.client.state.value,
            "server": lane.server.state.value,
            "violations": violations(lane),
        },
        "chunks": {"accepted": lane.chunks.accepted, "on_wire": lane.chunks.on_wire, "read": lane.chunks.read},
        "zombie": {"ms": round(dead.ns / 1e6, 1), "bytes": dead.size},
        "residue": {name: count for name, count in lane.residue.items() if count},
        "verdict": verdict(lane, now),
        **({"budget_ms": [_ms(left) for _, left, _ in lane.budgets]} if lane.budgets else {}),
        **({"links": [_link(lane, each) for each in lane.links]} if lane.plan.middleware else {}),
        **({"others": {role: _other(each) for role, each in lane.others.items()}} if lane.others else {}),
    }


def _other(other: Other) -> dict[str, Any]:
    return {"outcome": other.outcome, "evidence": other.evidence, "count": other.count}


def _link(lane: LaneState, link: LinkState) -> dict[str, Any]:
    at = None if lane.zero is None else _us(link.t - lane.zero.t)
    return {"link": link.link, "name": link.name, "effect": link.effect, "at_us": at, "evidence": link.evidence}


def _wire(lane: LaneState) -> dict[str, Any]:
    """All interrupts in order as the evidence (a CancelRequest and what it brought about), the last one's time."""
    last = interrupt(lane)
    if last is None:
        return {"interrupt_us": None, "evidence": None, "stamp": None}
    marks = [mark.evidence for mark in lane.layer("wire").marks if mark.moment is Moment.INTERRUPT]
    return {"interrupt_us": _us(offset(lane, last)), "evidence": ", ".join(marks), "stamp": last.stamp}


def _at(lane: LaneState, layer: Layer, moment: Moment) -> float | None:
    return _us(offset(lane, lane.layer(layer).first(moment)))


def _evidence(lane: LaneState, layer: Layer, *moments: Moment) -> str | None:
    found: list[Mark] = [mark for moment in moments if (mark := lane.layer(layer).first(moment)) is not None]
    return found[0].evidence if found else None


def _ms(ns: int | None) -> float | None:
    return None if ns is None else round(ns / 1e6, 1)


def _us(ns: int | None) -> float | None:
    return None if ns is None else round(ns / 1000, 1)
