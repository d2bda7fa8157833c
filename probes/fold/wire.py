"""What the tap saw of a lane: connections, frames, bytes, and which frames stop its I/O."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from probes import events as ev
from probes.catalogue import IDLE, uploads
from probes.events import TO_CLIENT, TO_SERVER, Event
from probes.fold import postgres
from probes.fold.flow import poured
from probes.fold.steps import answers, mark, server_step, with_row
from probes.machine import Input
from probes.state import Chunks, LaneState, Moment

INTERRUPTS: dict[str, frozenset[str]] = {
    "tcp": frozenset({"FIN", "RST"}),
    # Not GOAWAY: it announces an end, and the streams that are open go on (RFC 9113 section 6.8).
    "http/2": frozenset({"RST_STREAM"}),
    "postgres": frozenset({"CancelRequest", "CopyFail", "ErrorResponse", "Terminate"}),
    "tls": frozenset({"alert"}),
}

_ASK = ("CancelRequest", "CopyFail")
"""Frames that ask for an end and are not it: the answer is."""


def _opened(lane: LaneState, event: ev.ConnectionOpened) -> LaneState:
    return replace(lane, conns=(*lane.conns, event.conn))


def _closed(lane: LaneState, event: ev.ConnectionClosed) -> LaneState:
    return replace(lane, conns=tuple(conn for conn in lane.conns if conn != event.conn))


def _bytes(lane: LaneState, event: ev.BytesSeen) -> LaneState:
    if postgres.is_housekeeping(lane, event):
        return lane
    if lane.layer("wire").started is None:
        lane = with_row(lane, "wire", started=event.t)
    if event.direction != (TO_SERVER if uploads(lane.plan) else TO_CLIENT) or not event.body:
        return lane
    late = event.size if lane.left is not None and event.t > lane.left else 0
    zero, before, after = lane.zero, lane.flow_before, lane.flow_after
    if zero is None:
        before = poured(before, event.t, event.size, None)
    else:
        after = poured(after, event.t, event.size, zero.t)
    lane = replace(
        lane,
        body=lane.body + event.body,
        late_bytes=lane.late_bytes + late,
        flow_before=before,
        flow_after=after,
        chunks=_on_wire(lane, event),
    )
    if lane.plan.protocol != "postgres" or not event.messages or not postgres.takes_chunks(lane):
        return lane
    return server_step(lane, Input.CHUNK, event, event.messages)


def _on_wire(lane: LaneState, event: ev.BytesSeen) -> Chunks:
    if lane.chunks.on_wire is None:
        return lane.chunks
    if lane.plan.protocol in ("grpc", "postgres"):
        return replace(lane.chunks, on_wire=lane.chunks.on_wire + event.messages)
    # An HTTP body has no messages: whole chunks are counted by their size.
    return replace(lane.chunks, on_wire=(lane.body + event.body) // max(1, lane.plan.size))


def _of_the_call(lane: LaneState, event: ev.FrameSeen) -> bool:
    """A connection that is made before the call takes it (a pool's) is none of the call's doing."""
    return lane.plan.protocol != "postgres" or postgres.of_the_call(lane, event)


def _frame(lane: LaneState, event: ev.FrameSeen) -> LaneState:
    if lane.layer("wire").started is None and _of_the_call(lane, event):
        lane = with_row(lane, "wire", started=event.t)
    stops = _stops_io(lane, event)
    if event.proto in ("postgres", "tcp") and lane.plan.protocol == "postgres":
        lane = postgres.frame(lane, event)
    if event.name == "CancelRequest":
        lane = replace(lane, side_conns=(*lane.side_conns, event.conn))
    if stops:
        lane = mark(lane, "wire", Moment.INTERRUPT, event, wire_evidence(event))
        return lane if event.name in _ASK else with_row(lane, "wire", ended=event.t, outcome="interrupted")
    return _wire_over(lane, event)


def _wire_over(lane: LaneState, event: ev.FrameSeen) -> LaneState:
    """The row ends without a mark: the response was complete, or the lab closed the connection itself."""
    if lane.layer("wire").ended is not None or event.conn in lane.side_conns:
        return lane
    if event.direction == TO_CLIENT and event.name in ("END_STREAM", "end") and lane.plan.phase != IDLE:
        return with_row(lane, "wire", ended=event.t, outcome="completed")
    if event.name in ("FIN", "RST"):
        return with_row(lane, "wire", ended=event.t, outcome="closed")
    return lane


def _stops_io(lane: LaneState, event: ev.FrameSeen) -> bool:
    if not answers(lane, "wire", event):
        return False
    if event.proto == "tcp" and event.conn in lane.side_conns:
        # A CancelRequest has a connection of its own, whose end says nothing about the query.
        return False
    if lane.layer("wire").ended is not None:
        # The first end is the interrupt; what follows it (a FIN after a RST_STREAM, a late CancelRequest) is none.
        return False
    if event.name == "HEADERS":
        # A status in trailers ends the stream as well: the server's own deadline, or its abort.
        return event.direction == TO_CLIENT and event.detail.startswith("grpc-status") and event.code != "0"
    if event.name == "CommandComplete":
        return postgres.takes_back(lane, event)
    return event.name in INTERRUPTS.get(event.proto, ())


def wire_evidence(event: ev.FrameSeen) -> str:
    """``client>server RST_STREAM CANCEL(8)``: direction, name, code."""
    what = event.detail if event.name == "CommandComplete" else event.code
    return " ".join(part for part in (event.direction, event.name, what) if part)


def _lost(lane: LaneState, event: ev.DecoderLost) -> LaneState:
    return replace(lane, lost=f"{event.direction} {event.reason}")


HANDLERS: dict[type[Event], Callable[[LaneState, Any], LaneState]] = {
    ev.ConnectionOpened: _opened,
    ev.ConnectionClosed: _closed,
    ev.BytesSeen: _bytes,
    ev.FrameSeen: _frame,
    ev.BackendState: postgres.backend,
    ev.DecoderLost: _lost,
}
