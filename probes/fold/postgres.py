"""The server's row of a PostgreSQL lane, which no handler of ours tells of.

The wire goes first: the backend itself says when it stopped (57014, 57P01) and when it is ready again. Where the wire
is blind (a connection that was cut, rows that nobody reads) pg_stat_activity stands in, good to its poll interval.

What a session does around the call is not the call: what prepares it (connections of a pool), BEGIN in front of the
statement, and what a pool asks when it takes a connection back.
"""

from __future__ import annotations

import re

from msgspec.structs import replace

from probes import events as ev
from probes.events import TO_SERVER
from probes.fold.steps import answers, mark, server_step, with_row
from probes.machine import TERMINAL, Input, State
from probes.state import LaneState, Moment

_BEGIN = re.compile(r"\s*(BEGIN|START TRANSACTION)\b[^;]*;?\s*", re.IGNORECASE)
_TAKES_BACK = ("ROLLBACK", "UNLISTEN")
"""Commands that end what no CancelRequest can: a portal between two fetches, a registration for notifications."""
_TOLD = ("57014", "57P01")
"""query_canceled, admin_shutdown: the SQLSTATEs of a backend that was told to stop."""
_AT_REST = frozenset({"idle", "idle in transaction (aborted)"})
"""States of pg_stat_activity in which no statement goes on. ``idle in transaction`` is none: a portal may be open."""


def of_the_call(lane: LaneState, event: ev.FrameSeen) -> bool:
    """Whether the wire's row can begin with this frame."""
    return not _preparing(lane) and event.proto == "postgres"


def _preparing(lane: LaneState) -> bool:
    """What passes before the caller begins prepares its call. A call that waits for a slot has no connection at all:
    what passes is done by those who hold one."""
    return not lane.guest and (lane.layer("caller").started is None or lane.plan.phase == "pool acquire")


def is_housekeeping(lane: LaneState, event: ev.BytesSeen) -> bool:
    """Whether these rows are none of the call's: it has not begun, is over, or has another connection."""
    if lane.plan.protocol != "postgres":
        return False
    if event.conn != lane.call_conn:
        return True
    # What goes to the server is the COPY's alone, and asyncpg sends on when the server has long said no.
    return event.direction != TO_SERVER and lane.server.state in (State.IDLE, *TERMINAL)


def takes_chunks(lane: LaneState) -> bool:
    """A COPY that was told and is not through: what still comes is thrown away, and counted as late."""
    return lane.server.state not in (State.COMPLETED, State.FAILED)


def takes_back(lane: LaneState, event: ev.FrameSeen) -> bool:
    """A command that ends what the call has open: a cancel that met no statement stops nothing else."""
    goes_on = lane.server.state not in (State.IDLE, *TERMINAL)
    return goes_on and event.conn == lane.call_conn and event.detail in _TAKES_BACK


def frame(lane: LaneState, event: ev.FrameSeen) -> LaneState:
    """The lane after a message, a FIN or a RST."""
    if _preparing(lane):
        return lane
    if event.direction == TO_SERVER:
        return _request(lane, event)
    if event.name == "FIN":
        return _hung_up(lane, event)
    if event.conn != lane.call_conn:
        return lane
    if event.name == "ErrorResponse":
        return _error(lane, event)
    if event.name == "CommandComplete":
        return _complete(lane, event)
    return _ready(lane, event) if event.name == "ReadyForQuery" else lane


def _request(lane: LaneState, event: ev.FrameSeen) -> LaneState:
    if event.name == "Query" and _BEGIN.fullmatch(event.detail):
        # A transaction is opened for the statement that is to come, and is not it.
        return lane
    if event.name == "StartupMessage" and lane.plan.phase == "startup":
        return with_row(replace(lane, call_conn=event.conn), "server", started=event.t)
    if event.name in ("Execute", "Query") and lane.server.state is State.IDLE:
        lane = with_row(replace(lane, call_conn=event.conn), "server", started=event.t)
        return server_step(lane, Input.OPEN, event, evidence=event.name)
    if event.name in ("CancelRequest", "CopyFail") and lane.server.state not in TERMINAL:
        return server_step(lane, Input.CANCEL, event, evidence=event.name)
    return lane


def _error(lane: LaneState, event: ev.FrameSeen) -> LaneState:
    if lane.server.state in TERMINAL:
        return lane
    return _stopped(lane, event, f"ErrorResponse {event.code}", failed=event.code not in _TOLD)


def _stopped(lane: LaneState, event: ev.FrameSeen, evidence: str, *, failed: bool = False) -> LaneState:
    """The statement ended unfinished, by an error of its own when it ``failed``."""
    row = lane.layer("server")
    # What a stalled connection brought late, an observer may have seen before.
    ended = event.t if row.ended is None else row.ended
    lane = with_row(lane, "server", ended=ended, outcome="failed" if failed else "cancelled")
    if row.first(Moment.DONE) is None and answers(lane, "server", event):
        lane = mark(lane, "server", Moment.DONE, event, evidence)
    return server_step(lane, Input.FAIL if failed else Input.STOPPED, event, evidence=evidence)


def _complete(lane: LaneState, event: ev.FrameSeen) -> LaneState:
    if takes_back(lane, event):
        return _stopped(lane, event, f"CommandComplete {event.detail}")
    return replace(lane, completed=event.detail)


def _ready(lane: LaneState, event: ev.FrameSeen) -> LaneState:
    """What the backend said before counts from here: executemany has many CommandCompletes, and one of these. Outside
    of a transaction nothing stays open behind it either: a portal that was suspended is gone."""
    completed, lane = lane.completed, replace(lane, completed="")
    # LISTEN is complete at once, and what it is for has only begun.
    over = (completed or event.code == "idle") and lane.plan.phase != "LISTEN"
    if over and lane.server.state not in (State.IDLE, *TERMINAL):
        lane = with_row(lane, "server", ended=event.t, outcome="completed")
        return server_step(lane, Input.END, event, evidence=completed or f"ReadyForQuery {event.code}")
    row = lane.layer("server")
    # A transaction that failed is held until it is rolled back.
    if "transaction" not in event.code and row.first(Moment.DONE) and not row.first(Moment.CLEANUP):
        return mark(lane, "server", Moment.CLEANUP, event, f"ReadyForQuery {event.code}")
    return lane


def _hung_up(lane: LaneState, event: ev.FrameSeen) -> LaneState:
    """After 57P01 the backend has nothing more to say: its end of the connection is its own end."""
    row = lane.layer("server")
    if event.conn != lane.call_conn or row.first(Moment.DONE) is None or row.first(Moment.CLEANUP) is not None:
        return lane
    return mark(lane, "server", Moment.CLEANUP, event, "FIN")


# --- pg_stat_activity -----------------------------------------------------------------------------------


def backend(lane: LaneState, event: ev.BackendState) -> LaneState:
    """The lane after a look at its backend."""
    before, lane = lane, replace(lane, backend=(*lane.backend, (event.t, event.state, event.wait, event.err)))
    row = lane.layer("server")
    if row.started is None:
        return lane
    if event.state == "gone":
        return _gone(lane, event, heard=_reads(before))
    if event.state not in _AT_REST or row.ended is not None or not _worked(lane):
        return lane
    # The wire did not tell: the observer is the only witness that it stopped.
    return _seen_stopped(lane, event, heard=lane.server.state is State.CANCELLING)


def _reads(lane: LaneState) -> bool:
    """Whether the backend waited for its client when the trigger came, or when it was last seen: then it hears at once
    that nobody is there. On its way out it waits for nothing any more. One that is not active can only be waiting."""
    zero = lane.zero.t if lane.zero is not None else 0
    seen = [*[each for each in lane.backend if each[0] <= zero][-1:], *lane.backend[-1:]]
    return any(state != "active" or wait == "ClientRead" for _, state, wait, _ in seen)


def _worked(lane: LaneState) -> bool:
    """Whether it was seen at work since the call began: before that it rests because it has not begun."""
    started = lane.layer("server").started or 0
    if lane.plan.phase == "LISTEN":
        return False
    return any(state == "active" and t >= started for t, state, _, _ in lane.backend)


def _gone(lane: LaneState, event: ev.BackendState, *, heard: bool) -> LaneState:
    if lane.layer("server").ended is None:
        return _seen_stopped(lane, event, heard=heard)
    return _cleaned(lane, event)


def _seen_stopped(lane: LaneState, event: ev.BackendState, *, heard: bool) -> LaneState:
    lane = with_row(lane, "server", ended=event.t, outcome="stopped")
    if heard and lane.layer("server").first(Moment.DONE) is None and answers(lane, "server", event):
        lane = mark(lane, "server", Moment.DONE, event, f"pg_stat_activity {event.state}")
    return _cleaned(lane, event)


def _cleaned(lane: LaneState, event: ev.BackendState) -> LaneState:
    if lane.layer("server").first(Moment.CLEANUP) is not None or not answers(lane, "server", event):
        return lane
    return mark(lane, "server", Moment.CLEANUP, event, f"pg_stat_activity {event.state}")
