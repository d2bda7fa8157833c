"""The folds: ``fold_run(state, event) -> state`` and ``fold_session(state, event) -> state``.

Pure: no clock, no loop, no client. Live view and replay both come from here, so

    fold(a + b) == fold(b, start=fold(a))        and        fold(load(save(events))) == fold(events)

Events of a run must arrive ordered by ``order_key``; ``probes.runlog`` sees to that and re-folds a run when
a process was late. How a mark is told from mere traffic:

* Only what happens between a lane's trigger and its teardown is an answer to the cancel. Once the lab closes
  a client itself, a FIN proves nothing about the cancel, so it makes no mark.
* A server that was told before the teardown may finish its cleanup after it: that still counts.
* The wire's marks come from ``INTERRUPTS``: the frames that stop I/O, by protocol.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import reduce
from typing import Any

from msgspec.structs import replace

from probes import events as ev
from probes import fold_postgres
from probes.catalogue import IDLE, OTHERS, uploads
from probes.events import CALL, CALLED_BY, TO_CLIENT, TO_SERVER, Event, Layer
from probes.fold_steps import answers as _answers
from probes.fold_steps import client_step as _client
from probes.fold_steps import mark as _mark
from probes.fold_steps import server_step as _server
from probes.fold_steps import with_row as _with
from probes.machine import Input
from probes.state import (
    LOG_LINES,
    Chunks,
    FaultState,
    LaneState,
    LinkState,
    Moment,
    Other,
    PartState,
    RunState,
    SessionState,
    Zero,
)

GUESTS = "guests"
"""The part of a lab that takes outside clients."""

INTERRUPTS: dict[str, frozenset[str]] = {
    "tcp": frozenset({"FIN", "RST"}),
    # Not GOAWAY: it announces an end, and the streams that are open go on (RFC 9113 section 6.8).
    "http/2": frozenset({"RST_STREAM"}),
    "postgres": frozenset({"CancelRequest", "CopyFail", "ErrorResponse", "Terminate"}),
    "tls": frozenset({"alert"}),
}

_ASK = ("CancelRequest", "CopyFail")
"""Frames that ask for an end and are not it: the answer is."""


def order_key(event: Event) -> tuple[int, str, int]:
    """The order of the events of one run."""
    return (event.t, event.src, event.seq)


# --- a run --------------------------------------------------------------------------------------------


def fold_run(state: RunState, event: Event) -> RunState:
    """The run after ``event``, which must belong to it."""
    whole = _RUN_HANDLERS.get(type(event))
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
    return replace(state, lanes=(*state.lanes, _with(lane, "wire", started=event.t)))


def _over(lane: LaneState) -> bool:
    """The call ended before the scope fired: the trigger was none of this lane's."""
    return lane.layer("caller").ended is not None


def _run_ended(state: RunState, event: ev.RunEnded) -> RunState:
    return replace(state, ended=event.t, outcome=event.outcome, detail=event.detail)


def _lag(state: RunState, event: ev.LoopLag) -> RunState:
    return replace(state, lag_ns=max(state.lag_ns, event.lag_ns))


def _census(state: RunState, event: ev.Census) -> RunState:
    return replace(state, before=event.held) if event.when == "before" else replace(state, after=event.held)


# --- a lane: spans ------------------------------------------------------------------------------------


def _side(lane: LaneState, layer: Layer, step: Input, event: Event, evidence: str = "") -> LaneState:
    if layer == "client":
        return _client(lane, step, event, evidence=evidence)
    return _server(lane, step, event, evidence=evidence) if layer == "server" else lane


def _signal(lane: LaneState, event: ev.Signal) -> LaneState:
    lane = replace(lane, key_ns=event.key_ns)
    if event.layer not in ("caller", "client"):
        # The server acts: its client is told by what comes over the wire, and not before. A process that is killed is
        # never told.
        return lane
    if event.layer == "caller":
        how = event.how if " " in event.how else f"{event.how}()"
        lane = _mark(lane, "caller", Moment.DONE, event, f"{how}, {event.cause}")
    return _client(lane, Input.CANCEL, event, evidence=f"{event.how}, {event.cause}")


def _span_started(lane: LaneState, event: ev.SpanStarted) -> LaneState:
    if not _row(event):
        return lane
    row = lane.layer(event.layer)
    # A row may hold several things: a stream and a thread. It begins with the first of them.
    lane = _with(lane, event.layer, started=row.started if row.open else event.t, open=row.open + 1)
    return _side(lane, event.layer, Input.OPEN, event, event.name)


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
    lane = _with(lane, event.layer, ended=event.t, outcome="completed")
    return _side(lane, event.layer, Input.END, event, event.evidence)


def _span_failed(lane: LaneState, event: ev.SpanFailed) -> LaneState:
    if not _row(event):
        return _other(lane, event, "failed")
    lane = _told(lane, event, "failed")
    return _side(lane, event.layer, Input.FAIL, event, event.evidence)


def _span_cancelled(lane: LaneState, event: ev.SpanCancelled) -> LaneState:
    if not _row(event):
        return _other(lane, event, "cancelled")
    lane = _told(lane, event, "cancelled")
    return _side(lane, event.layer, Input.CANCEL if event.layer == "server" else Input.STOPPED, event, event.evidence)


def _told(lane: LaneState, event: ev.SpanFailed | ev.SpanCancelled, outcome: str) -> LaneState:
    # A server handler that was told still runs its cleanup: its row ends with that. The others end here.
    ended = {} if event.layer == "server" else {"ended": event.t}
    lane = _with(lane, event.layer, outcome=outcome, **ended)
    known = lane.layer(event.layer).first(Moment.DONE) is not None
    if known or not _answers(lane, event.layer, event):
        return lane
    evidence = f"{event.error} {event.evidence}".strip()
    return _mark(lane, event.layer, Moment.DONE, event, evidence)


def _swallowed(lane: LaneState, event: ev.CancelSwallowed) -> LaneState:
    lane = replace(lane, swallowed=lane.swallowed + 1)
    lane = _server(lane, Input.CANCEL, event, evidence=f"swallowed {event.evidence}")
    if lane.layer("server").first(Moment.DONE) is not None or not _answers(lane, "server", event):
        return lane
    return _mark(lane, "server", Moment.DONE, event, f"{event.error} swallowed {event.evidence}")


def _cleaned(lane: LaneState, event: ev.CleanedUp) -> LaneState:
    if not _row(event):
        return lane
    row = lane.layer(event.layer)
    left = max(0, row.open - 1)
    lane = _with(lane, event.layer, open=left)
    if event.layer in ("server", "resource") and not left:
        lane = _with(lane, event.layer, ended=event.t)
    if event.layer == "server" and row.outcome == "cancelled":
        lane = _server(lane, Input.STOPPED, event, evidence=event.evidence)
    # Cleaned up is a layer that holds nothing any more: its last span counts.
    if left or not _answers(lane, event.layer, event):
        return lane
    return _mark(lane, event.layer, Moment.CLEANUP, event, event.evidence)


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
    step = _client if event.layer == "client" else _server
    return step(lane, Input.CHUNK, event, event.n)


# --- a lane: the wire ---------------------------------------------------------------------------------


def _opened(lane: LaneState, event: ev.ConnectionOpened) -> LaneState:
    return replace(lane, conns=(*lane.conns, event.conn))


def _closed(lane: LaneState, event: ev.ConnectionClosed) -> LaneState:
    return replace(lane, conns=tuple(conn for conn in lane.conns if conn != event.conn))


def _bytes(lane: LaneState, event: ev.BytesSeen) -> LaneState:
    if fold_postgres.is_housekeeping(lane, event):
        return lane
    if lane.layer("wire").started is None:
        lane = _with(lane, "wire", started=event.t)
    if event.direction != (TO_SERVER if uploads(lane.plan) else TO_CLIENT) or not event.body:
        return lane
    late = event.size if lane.left is not None and event.t > lane.left else 0
    lane = replace(
        lane,
        body=lane.body + event.body,
        late_bytes=lane.late_bytes + late,
        chunks=_on_wire(lane, event),
    )
    if lane.plan.protocol != "postgres" or not event.messages or not fold_postgres.takes_chunks(lane):
        return lane
    return _server(lane, Input.CHUNK, event, event.messages)


def _on_wire(lane: LaneState, event: ev.BytesSeen) -> Chunks:
    if lane.chunks.on_wire is None:
        return lane.chunks
    if lane.plan.protocol in ("grpc", "postgres"):
        return replace(lane.chunks, on_wire=lane.chunks.on_wire + event.messages)
    # An HTTP body has no messages: whole chunks are counted by their size.
    return replace(lane.chunks, on_wire=(lane.body + event.body) // max(1, lane.plan.size))


def _of_the_call(lane: LaneState, event: ev.FrameSeen) -> bool:
    """A connection that is made before the call takes it (a pool's) is none of the call's doing."""
    return lane.plan.protocol != "postgres" or fold_postgres.of_the_call(lane, event)


def _frame(lane: LaneState, event: ev.FrameSeen) -> LaneState:
    if lane.layer("wire").started is None and _of_the_call(lane, event):
        lane = _with(lane, "wire", started=event.t)
    stops = _stops_io(lane, event)
    if event.proto in ("postgres", "tcp") and lane.plan.protocol == "postgres":
        lane = fold_postgres.frame(lane, event)
    if event.name == "CancelRequest":
        lane = replace(lane, side_conns=(*lane.side_conns, event.conn))
    if stops:
        lane = _mark(lane, "wire", Moment.INTERRUPT, event, wire_evidence(event))
        return lane if event.name in _ASK else _with(lane, "wire", ended=event.t, outcome="interrupted")
    return _wire_over(lane, event)


def _wire_over(lane: LaneState, event: ev.FrameSeen) -> LaneState:
    """The row ends without a mark: the response was complete, or the lab closed the connection itself."""
    if lane.layer("wire").ended is not None or event.conn in lane.side_conns:
        return lane
    if event.direction == TO_CLIENT and event.name in ("END_STREAM", "end") and lane.plan.phase != IDLE:
        return _with(lane, "wire", ended=event.t, outcome="completed")
    if event.name in ("FIN", "RST"):
        return _with(lane, "wire", ended=event.t, outcome="closed")
    return lane


def _stops_io(lane: LaneState, event: ev.FrameSeen) -> bool:
    if not _answers(lane, "wire", event):
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
        return fold_postgres.takes_back(lane, event)
    return event.name in INTERRUPTS.get(event.proto, ())


def wire_evidence(event: ev.FrameSeen) -> str:
    """``client>server RST_STREAM CANCEL(8)``: direction, name, code."""
    what = event.detail if event.name == "CommandComplete" else event.code
    return " ".join(part for part in (event.direction, event.name, what) if part)


# --- a lane: the rest ---------------------------------------------------------------------------------


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


def _child_died(lane: LaneState, event: ev.ChildDied) -> LaneState:
    """A process that this lane has for itself, its client's or its servers', ended without ending its spans."""
    rows: tuple[Layer, ...] = ("caller", "client") if event.child == "client" else ("server",)
    open_rows = [layer for layer in rows if lane.layer(layer).started and not lane.layer(layer).ended]
    for layer in open_rows:
        lane = _with(lane, layer, ended=event.t, outcome="killed", open=0)
        lane = _side(lane, layer, Input.FAIL, event, f"its process died: {event.status}")
    if "server" in open_rows:
        # Its last words may have been lost with it.
        lane = replace(lane, chunks=replace(lane.chunks, accepted=None))
    return lane


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
    if _answers(lane, "wire", event):
        lane = _mark(lane, "wire", Moment.INTERRUPT, event, f"cut by the tap with {event.what}")
    return _with(lane, "wire", ended=event.t, outcome="cut")


def _lost(lane: LaneState, event: ev.DecoderLost) -> LaneState:
    return replace(lane, lost=f"{event.direction} {event.reason}")


_RUN_HANDLERS: dict[type[Event], Callable[[RunState, Any], RunState]] = {
    ev.RunStarted: _run_started,
    ev.Trigger: _trigger,
    ev.RunEnded: _run_ended,
    ev.LoopLag: _lag,
    ev.Census: _census,
    ev.LaneJoined: _joined,
}

_LANE_HANDLERS: dict[type[Event], Callable[[LaneState, Any], LaneState]] = {
    ev.Signal: _signal,
    ev.SpanStarted: _span_started,
    ev.SpanCompleted: _span_completed,
    ev.SpanFailed: _span_failed,
    ev.SpanCancelled: _span_cancelled,
    ev.CancelSwallowed: _swallowed,
    ev.CleanedUp: _cleaned,
    ev.ChunkSent: _chunk_sent,
    ev.ChunkReceived: _chunk_received,
    ev.ConnectionOpened: _opened,
    ev.ConnectionClosed: _closed,
    ev.BytesSeen: _bytes,
    ev.FrameSeen: _frame,
    ev.BackendState: fold_postgres.backend,
    ev.PhaseReached: _phase,
    ev.LinkSignal: _link,
    ev.BudgetSeen: _budget,
    ev.TeardownStarted: _teardown,
    ev.Residue: _residue,
    ev.DecoderLost: _lost,
    ev.ChildDied: _child_died,
    ev.FaultHit: _fault_hit,
    ev.FaultStarted: _fault_started,
    ev.FaultEnded: _fault_ended,
}


# --- the session --------------------------------------------------------------------------------------


def fold_session(state: SessionState, event: Event) -> SessionState:
    """What belongs to no run, after ``event``."""
    handler = _SESSION_HANDLERS.get(type(event))
    return state if handler is None else handler(state, event)


def _part(state: SessionState, event: ev.Progress) -> SessionState:
    new = PartState(event.part, event.state, event.detail)
    kept = [new if part.part == event.part else part for part in state.parts]
    parts = tuple(kept) if new in kept else (*kept, new)
    ready = state.ready and not (event.part == "lab" and event.state != "ready")
    return _say(replace(state, parts=parts, ready=ready), event, event.part, f"{event.state} {event.detail}".strip())


def _ready(state: SessionState, event: ev.LabReady) -> SessionState:
    return replace(state, ready=True, versions=event.versions, addresses=event.addresses)


def _listening(state: SessionState, event: ev.Listening) -> SessionState:
    return replace(state, guests=event.addresses) if event.part == GUESTS else state


def _say(state: SessionState, event: Event, who: str, text: str) -> SessionState:
    return replace(state, log=(*state.log, (event.t, who, text))[-LOG_LINES:])


def _died(state: SessionState, event: ev.ChildDied) -> SessionState:
    ready = False if event.child == "lab" else state.ready
    return _say(replace(state, ready=ready), event, event.child, f"died: {event.status}")


_SESSION_HANDLERS: dict[type[Event], Callable[[SessionState, Any], SessionState]] = {
    ev.Progress: _part,
    ev.LabReady: _ready,
    ev.Listening: _listening,
    ev.ChildStarted: lambda state, event: _say(state, event, event.child, f"started, pid {event.pid}"),
    ev.ChildDied: _died,
    ev.ChildSaid: lambda state, event: _say(state, event, event.child, event.text),
    ev.ScenarioLoaded: lambda state, event: _say(state, event, "scenario", f"{event.name} is loaded"),
    ev.Note: lambda state, event: _say(state, event, event.src, event.text),
    ev.TapCalibrated: lambda state, event: replace(
        state, tap_median_ns=event.median_ns, tap_p95_ns=event.p95_ns, kernel_stamps=event.kernel_stamps
    ),
    ev.LoopLag: lambda state, event: replace(state, lag_ns=event.lag_ns),
    ev.Dropped: lambda state, event: replace(state, dropped=state.dropped + event.count),
}

SESSION_KINDS: frozenset[type[Event]] = frozenset(_SESSION_HANDLERS)
"""The kinds that ``fold_session`` takes notice of."""
