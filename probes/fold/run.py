"""A run: its start, its trigger and its end; what happens to one of its lanes is handed to that lane."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import reduce
from typing import Any

from msgspec.structs import replace

from probes import events as ev
from probes.catalogue import ends_its_server
from probes.events import CALLED_BY, Event
from probes.fold import course, faults, spans, wire
from probes.fold.steps import with_row
from probes.state import Chunks, LaneState, RunState, Zero


def order_key(event: Event) -> tuple[int, str, int]:
    """The order of the events of one run."""
    return (event.t, event.src, event.seq)


def fold_run(state: RunState, event: Event) -> RunState:
    """The run after ``event``, which must belong to it."""
    whole = _RUN_HANDLERS.get(type(event)) or (_ALL_LANES.get(type(event)) if not event.lane else None)
    if whole is not None:
        return whole(state, event)
    handler = _LANE_HANDLERS.get(type(event))
    if handler is None or not event.lane:
        return state
    return _on_lane(state, event, handler)


def fold(events: Iterable[Event], start: RunState | None = None) -> RunState:
    """All ``events`` of one run, in order, from ``start`` (an empty run when None)."""
    return reduce(fold_run, events, start or RunState())


def _on_lane(state: RunState, event: Event, handler: Callable[[LaneState, Any], LaneState]) -> RunState:
    for index, lane in enumerate(state.lanes):
        if lane.plan.lane == event.lane:
            after = handler(lane, event)
            if after is lane:
                return state
            return replace(state, lanes=(*state.lanes[:index], after, *state.lanes[index + 1 :]))
    return state


def _run_started(state: RunState, event: ev.RunStarted) -> RunState:
    return replace(
        state,
        run=event.run,
        scenario=event.scenario,
        title=event.title,
        deadline=event.deadline,
        settle=event.settle,
        started=event.t,
        lanes=tuple(_lane(plan) for plan in event.lanes),
    )


def _lane(plan: ev.LanePlan) -> LaneState:
    # TLS hides where a chunk ends: what is on the wire nobody can count. Nor can what a backend takes of a COPY.
    return LaneState(plan, chunks=Chunks(on_wire=None if plan.tls else 0, read=None if plan.phase == "COPY in" else 0))


def _trigger(state: RunState, event: ev.Trigger) -> RunState:
    if event.lane:
        zero = Zero(event.t, event.cause, event.detail, own=True)
        family = _family(state, event.lane)
        return replace(
            state,
            lanes=tuple(
                replace(lane, zero=zero) if lane.name in family and lane.zero is None else lane for lane in state.lanes
            ),
        )
    zero = Zero(event.t, event.cause, event.detail)
    lanes = tuple(lane if lane.zero or _over(lane) else replace(lane, zero=zero) for lane in state.lanes)
    return replace(state, zero=state.zero or zero, lanes=lanes)


def _family(state: RunState, name: str) -> set[str]:
    """The lanes that hang together by hops: what triggers one of them is zero for them all."""
    callers = {lane.name: str(lane.plan.options.get(CALLED_BY, "")) for lane in state.lanes}
    return {other for other in callers if _root(other, callers) == _root(name, callers)} | {name}


def _root(name: str, callers: Mapping[str, str]) -> str:
    """The lane whose call all others of its chain follow from; a chain that bites its tail has none of its own."""
    for _ in callers:
        if callers.get(name, "") not in callers:
            break
        name = callers[name]
    return name


def _joined(state: RunState, event: ev.LaneJoined) -> RunState:
    lane = LaneState(event.plan)
    # It joined by its request, which is where its wire row starts; its own FrameSeen may come a moment later.
    return replace(state, lanes=(*state.lanes, with_row(lane, "wire", started=event.t)))


def _over(lane: LaneState) -> bool:
    """The call ended before the scope fired: the trigger was none of this lane's."""
    return lane.layer("caller").ended is not None


def _run_ended(state: RunState, event: ev.RunEnded) -> RunState:
    return replace(state, ended=event.t, outcome=event.outcome, detail=event.detail)


def _lag(state: RunState, event: ev.LoopLag) -> RunState:
    return replace(state, lag_ns=max(state.lag_ns, event.lag_ns))


def _census(state: RunState, event: ev.Census) -> RunState:
    return replace(state, before=event.held) if event.when == "before" else replace(state, after=event.held)


def _servers_died(state: RunState, event: ev.ChildDied) -> RunState:
    """The servers that the lanes share, with all their handlers: nobody goes on behind such a death."""

    def served(lane: LaneState) -> bool:
        return lane.plan.protocol != "postgres" and not ends_its_server(lane.plan)

    return replace(state, lanes=tuple(course.child_died(lane, event) if served(lane) else lane for lane in state.lanes))


_RUN_HANDLERS: dict[type[Event], Callable[[RunState, Any], RunState]] = {
    ev.RunStarted: _run_started,
    ev.Trigger: _trigger,
    ev.RunEnded: _run_ended,
    ev.LoopLag: _lag,
    ev.Census: _census,
    ev.LaneJoined: _joined,
}

_ALL_LANES: dict[type[Event], Callable[[RunState, Any], RunState]] = {ev.ChildDied: _servers_died}
"""What concerns a run where the event names no lane."""

_LANE_HANDLERS: dict[type[Event], Callable[[LaneState, Any], LaneState]] = {
    **spans.HANDLERS,
    **wire.HANDLERS,
    **faults.HANDLERS,
    **course.HANDLERS,
}
