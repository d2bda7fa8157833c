"""What the tap itself does to a lane's connections."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from probes import events as ev
from probes.events import Event
from probes.fold.steps import answers, mark, with_row
from probes.state import FaultState, LaneState, Moment


def _fault_started(lane: LaneState, event: ev.FaultStarted) -> LaneState:
    return replace(lane, faults=(*lane.faults, FaultState(event.fault, event.direction, event.t, detail=event.detail)))


def _fault_ended(lane: LaneState, event: ev.FaultEnded) -> LaneState:
    return _on_fault(lane, event, lambda fault: replace(fault, until=event.t, detail=event.detail))


def _on_fault(
    lane: LaneState, event: ev.FaultHit | ev.FaultEnded, change: Callable[[FaultState], FaultState]
) -> LaneState:
    """The lane after ``change`` of the last of its faults of this kind that still stands."""
    for index in range(len(lane.faults) - 1, -1, -1):
        fault = lane.faults[index]
        if fault.kind == event.fault and fault.until is None:
            return replace(lane, faults=(*lane.faults[:index], change(fault), *lane.faults[index + 1 :]))
    return lane


def _fault_hit(lane: LaneState, event: ev.FaultHit) -> LaneState:
    words = " ".join(part for part in (event.direction, event.what, event.did, event.detail) if part)
    lane = _on_fault(lane, event, lambda fault: replace(fault, hits=(*fault.hits, words)))
    if event.did == "cut" and event.conn not in lane.side_conns:
        return _cut(lane, event)
    # A CancelRequest that a fault keeps is on no connection that a frame tells of; its FIN may be all that passes.
    if event.what == "CancelRequest" and event.conn not in lane.side_conns:
        return replace(lane, side_conns=(*lane.side_conns, event.conn))
    return lane


def _cut(lane: LaneState, event: ev.FaultHit) -> LaneState:
    """The tap ended the connection: bytes stopped, and neither client nor server did it."""
    if lane.layer("wire").ended is not None:
        return lane
    if answers(lane, "wire", event):
        lane = mark(lane, "wire", Moment.INTERRUPT, event, f"cut by the tap with {event.what}")
    return with_row(lane, "wire", ended=event.t, outcome="cut")


HANDLERS: dict[type[Event], Callable[[LaneState, Any], LaneState]] = {
    ev.FaultHit: _fault_hit,
    ev.FaultStarted: _fault_started,
    ev.FaultEnded: _fault_ended,
}
