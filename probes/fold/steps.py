"""The steps that folds of a lane are made of: a row changed, a mark set, a side's machine moved."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from probes import events as ev
from probes.events import Event, Layer, StampQuality
from probes.machine import Input
from probes.state import INDEX, LaneState, Mark, Moment


def with_row(lane: LaneState, layer: Layer, **changes: Any) -> LaneState:
    index = INDEX[layer]
    row = replace(lane.layers[index], **changes)
    return replace(lane, layers=(*lane.layers[:index], row, *lane.layers[index + 1 :]))


def mark(lane: LaneState, layer: Layer, moment: Moment, event: Event, evidence: str) -> LaneState:
    """``moment`` of a layer is ``event``'s."""
    stamp: StampQuality = "poll" if isinstance(event, ev.BackendState) else "user"
    if isinstance(event, ev.FrameSeen):
        stamp = event.stamp
    made = Mark(moment, event.t, event.err, evidence, stamp)
    return with_row(lane, layer, marks=(*lane.layer(layer).marks, made))


def answers(lane: LaneState, layer: Layer, event: Event) -> bool:
    """Whether ``event`` can be an answer to this lane's trigger."""
    if lane.zero is None or event.t < lane.zero.t:
        return False
    if lane.teardown is None or event.t < lane.teardown:
        return True
    return layer == "server" and lane.layer("server").first(Moment.DONE) is not None


def client_step(lane: LaneState, step: Input, event: Event, n: int = 1, evidence: str = "") -> LaneState:
    if lane.teardown is not None and event.t >= lane.teardown:
        # The lab itself ends what nothing has interrupted.
        return lane
    return replace(lane, client=lane.client.step(step, event.t, n, evidence))


def server_step(lane: LaneState, step: Input, event: Event, n: int = 1, evidence: str = "") -> LaneState:
    if lane.teardown is not None and event.t >= lane.teardown and not answers(lane, "server", event):
        return lane
    return replace(lane, server=lane.server.step(step, event.t, n, evidence))


def side_step(lane: LaneState, layer: Layer, step: Input, event: Event, evidence: str = "") -> LaneState:
    """The machine of the side that ``layer`` belongs to, if it belongs to one."""
    if layer == "client":
        return client_step(lane, step, event, evidence=evidence)
    return server_step(lane, step, event, evidence=evidence) if layer == "server" else lane
