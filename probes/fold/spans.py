"""What the spans of a lane say: caller, client, handler, resource, and the chunks that they move."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from probes import events as ev
from probes.catalogue import OTHERS, uploads
from probes.events import CALL, Event
from probes.fold.steps import answers, client_step, mark, server_step, side_step, with_row
from probes.machine import Input
from probes.state import LaneState, Moment, Other


def _signal(lane: LaneState, event: ev.Signal) -> LaneState:
    lane = replace(lane, key_ns=event.key_ns)
    if event.layer not in ("caller", "client"):
        # The server acts: its client is told by what comes over the wire, and not before. A process that is killed is
        # never told.
        return lane
    if event.layer == "caller":
        how = event.how if " " in event.how else f"{event.how}()"
        lane = mark(lane, "caller", Moment.DONE, event, f"{how}, {event.cause}")
    return client_step(lane, Input.CANCEL, event, evidence=f"{event.how}, {event.cause}")


def _span_started(lane: LaneState, event: ev.SpanStarted) -> LaneState:
    if not _row(event):
        return lane
    row = lane.layer(event.layer)
    # A row may hold several things: a stream and a thread. It begins with the first of them.
    lane = with_row(lane, event.layer, started=row.started if row.open else event.t, open=row.open + 1)
    return side_step(lane, event.layer, Input.OPEN, event, event.name)


def _row(event: ev.SpanStarted | ev.SpanEnded | ev.CleanedUp) -> bool:
    return event.name == CALL or event.layer in ("server", "resource")


def _other(lane: LaneState, event: ev.SpanEnded, outcome: str) -> LaneState:
    """Another request of the lane's client: no row of its own, but how it ended is part of the lane's result."""
    if event.name not in OTHERS:
        return lane
    error = "" if isinstance(event, ev.SpanCompleted) else event.error
    before = lane.others.get(event.name)
    told = Other(outcome, f"{error} {event.evidence}".strip(), 1 if before is None else before.count + 1)
    return replace(lane, others={**lane.others, event.name: told})


def _span_completed(lane: LaneState, event: ev.SpanCompleted) -> LaneState:
    if not _row(event):
        return _other(lane, event, "completed")
    lane = with_row(lane, event.layer, ended=event.t, outcome="completed")
    return side_step(lane, event.layer, Input.END, event, event.evidence)


def _span_failed(lane: LaneState, event: ev.SpanFailed) -> LaneState:
    if not _row(event):
        return _other(lane, event, "failed")
    lane = _told(lane, event, "failed")
    return side_step(lane, event.layer, Input.FAIL, event, event.evidence)


def _span_cancelled(lane: LaneState, event: ev.SpanCancelled) -> LaneState:
    if not _row(event):
        return _other(lane, event, "cancelled")
    lane = _told(lane, event, "cancelled")
    return side_step(
        lane, event.layer, Input.CANCEL if event.layer == "server" else Input.STOPPED, event, event.evidence
    )


def _told(lane: LaneState, event: ev.SpanFailed | ev.SpanCancelled, outcome: str) -> LaneState:
    # A server handler that was told still runs its cleanup: its row ends with that. The others end here.
    ended = {} if event.layer == "server" else {"ended": event.t}
    lane = with_row(lane, event.layer, outcome=outcome, **ended)
    known = lane.layer(event.layer).first(Moment.DONE) is not None
    if known or not answers(lane, event.layer, event):
        return lane
    evidence = f"{event.error} {event.evidence}".strip()
    return mark(lane, event.layer, Moment.DONE, event, evidence)


def _swallowed(lane: LaneState, event: ev.CancelSwallowed) -> LaneState:
    lane = replace(lane, swallowed=lane.swallowed + 1)
    lane = server_step(lane, Input.CANCEL, event, evidence=f"swallowed {event.evidence}")
    if lane.layer("server").first(Moment.DONE) is not None or not answers(lane, "server", event):
        return lane
    return mark(lane, "server", Moment.DONE, event, f"{event.error} swallowed {event.evidence}")


def _cleaned(lane: LaneState, event: ev.CleanedUp) -> LaneState:
    if not _row(event):
        return lane
    row = lane.layer(event.layer)
    left = max(0, row.open - 1)
    lane = with_row(lane, event.layer, open=left)
    if event.layer in ("server", "resource") and not left:
        lane = with_row(lane, event.layer, ended=event.t)
    if event.layer == "server" and row.outcome == "cancelled":
        lane = server_step(lane, Input.STOPPED, event, evidence=event.evidence)
    # Cleaned up is a layer that holds nothing any more: its last span counts.
    if left or not answers(lane, event.layer, event):
        return lane
    return mark(lane, event.layer, Moment.CLEANUP, event, event.evidence)


def _chunk_sent(lane: LaneState, event: ev.ChunkSent) -> LaneState:
    if (event.layer == "client") is not uploads(lane.plan):
        # The short answer to an upload is none of the chunks that are counted.
        return lane
    lane = replace(lane, chunks=replace(lane.chunks, accepted=event.total))
    return _moved(lane, event)


def _chunk_received(lane: LaneState, event: ev.ChunkReceived) -> LaneState:
    if (event.layer == "server") is not uploads(lane.plan):
        return lane
    lane = replace(lane, chunks=replace(lane.chunks, read=event.total))
    return _moved(lane, event)


def _moved(lane: LaneState, event: ev.ChunkSent | ev.ChunkReceived) -> LaneState:
    step = client_step if event.layer == "client" else server_step
    return step(lane, Input.CHUNK, event, event.n)


HANDLERS: dict[type[Event], Callable[[LaneState, Any], LaneState]] = {
    ev.Signal: _signal,
    ev.SpanStarted: _span_started,
    ev.SpanCompleted: _span_completed,
    ev.SpanFailed: _span_failed,
    ev.SpanCancelled: _span_cancelled,
    ev.CancelSwallowed: _swallowed,
    ev.CleanedUp: _cleaned,
    ev.ChunkSent: _chunk_sent,
    ev.ChunkReceived: _chunk_received,
}
