"""The course of a lane beside its spans and its wire: phase, middleware, budgets, teardown, what is left."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from probes import events as ev
from probes.events import Event, Layer
from probes.fold.steps import side_step, with_row
from probes.machine import Input
from probes.state import LaneState, LinkState


def _link(lane: LaneState, event: ev.LinkSignal) -> LaneState:
    if lane.teardown is not None and event.t >= lane.teardown:
        # The lab ends what a link let run on: that is no signal of anybody's.
        return lane
    return replace(lane, links=(*lane.links, LinkState(event.link, event.name, event.effect, event.t, event.evidence)))


def _budget(lane: LaneState, event: ev.BudgetSeen) -> LaneState:
    return replace(lane, budgets=(*lane.budgets, (event.t, event.left_ns, event.evidence)))


def _phase(lane: LaneState, event: ev.PhaseReached) -> LaneState:
    return replace(lane, phase=event.phase, reached=event.t if lane.reached is None else lane.reached)


def _teardown(lane: LaneState, event: ev.TeardownStarted) -> LaneState:
    return replace(lane, teardown=event.t)


def _residue(lane: LaneState, event: ev.Residue) -> LaneState:
    return replace(lane, residue={**lane.residue, **event.held})


def child_died(lane: LaneState, event: ev.ChildDied) -> LaneState:
    """A process of this lane's own, or the servers that lanes share, ended without ending its spans."""
    rows: tuple[Layer, ...] = ("caller", "client") if event.child == "client" else ("server",)
    open_rows = [layer for layer in rows if lane.layer(layer).started and not lane.layer(layer).ended]
    for layer in open_rows:
        lane = with_row(lane, layer, ended=event.t, outcome="killed", open=0)
        lane = side_step(lane, layer, Input.FAIL, event, f"its process died: {event.status}")
    if "server" in open_rows:
        # Its last words may have been lost with it.
        lane = replace(lane, chunks=replace(lane.chunks, accepted=None))
    return lane


HANDLERS: dict[type[Event], Callable[[LaneState, Any], LaneState]] = {
    ev.PhaseReached: _phase,
    ev.LinkSignal: _link,
    ev.BudgetSeen: _budget,
    ev.TeardownStarted: _teardown,
    ev.Residue: _residue,
    ev.ChildDied: child_died,
}
