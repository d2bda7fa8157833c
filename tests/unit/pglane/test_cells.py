"""Every phase of the PostgreSQL lane with every cause that can come in it: who was told, and what proves it."""

from __future__ import annotations

import re

import pytest

from probes.catalogue import PHASES, TIMERS, cells
from probes.events import LanePlan
from probes.machine import State
from probes.state import LaneState, Moment
from servers.postgres import PgAddress
from tests.kit.pg_kit import LIMIT, on_uvloop
from tests.kit.pglane_kit import Ran, lanes, pg

CAUSES = {
    phase: [cause for protocol, which, cause, why in cells() if protocol == "postgres" and which == phase and not why]
    for phase in PHASES["postgres"]
}

EVIDENCE = {
    "TCP connect": "the kernel has a socket in SYN-SENT",
    "startup": "pg_stat_activity starting, ClientRead; the tap holds its answer",
    "pool acquire": "0 of 1 slots free, acquire waits",
    "statement executing": "pg_stat_activity active, (PgSleep|running)",
    "rows streaming": r"row \d+ read|\d+ rows passed the tap",
    "cursor": r"pg_stat_activity idle in transaction, ClientRead; 10 rows read",
    "transaction": "pg_stat_activity active, (PgSleep|running)",
    "COPY out": r"line \d+ read",
    "COPY in": r"pg_stat_activity active, \w+; \d+ lines given",
    "LISTEN": "pg_stat_activity idle, ClientRead; LISTEN complete",
}
"""What proves that the call is in its phase, before anything is done to it."""

TIMER = 0.5
"""Seconds of the timers."""
SETTLE = {"statement executing": 1.5, "transaction": 1.5}
"""Seconds to settle where a lane never does: all of them pass. Elsewhere the run ends as soon as all lanes have."""
CLOSE = "connection.close"
TOLD = {
    CLOSE: [("client", CLOSE)],
    "terminate": [("client", "terminate")],
    "socket cut": [("wire", "socket cut")],
    "pg_cancel_backend": [("server", "pg_cancel_backend")],
    "pg_terminate_backend": [("server", "pg_terminate_backend")],
    "task.cancel": [("caller", "task.cancel")],
}
VANISHED = {"terminate": "client>server Terminate", "socket cut": "cut by the tap with RST"}
"""Causes after which the client is gone without a word about its statement, and how the wire shows it."""
CANCELLED = ("task.cancel", "asyncio.timeout")
"""Causes that asyncpg sees as a cancel, and not as an error."""
TRIGGER = {"timeout": "asyncpg timeout", "command_timeout": "asyncpg command_timeout"}


def plan(phase: str, cause: str) -> LanePlan:
    fields: dict[str, object] = {"size": 4096}
    if cause in TIMERS:
        fields["timeouts"] = {TIMERS[cause]: TIMER}
    if phase == "startup":
        # For so long the tap holds what the server says, also its FIN.
        fields["delay"] = 1.0
    if phase == "cursor":
        # Whoever holds a cursor hears of a connection that is gone at the next fetch.
        fields["delay"] = 0.6
    if phase == "COPY in":
        # asyncpg hears of a server's error when its source has ended.
        fields["chunks"] = 200
    return pg(phase, cause, name=cause, **fields)


def evidence(lane: LaneState, layer: str, moment: Moment) -> str:
    mark = lane.layer(layer).last(moment)  # type: ignore[arg-type]
    return "" if mark is None else mark.evidence


def executing(ran: Ran, lane: LaneState, cause: str) -> None:
    """A statement goes on: it is cancelled by 57014, ends with its backend, or outlives its client."""
    if cause in VANISHED:
        assert "→ CancelRequest" not in ran.answers(cause)
        assert evidence(lane, "wire", Moment.INTERRUPT) == VANISHED[cause]
        return
    code = "57P01" if cause == "pg_terminate_backend" else "57014"
    assert evidence(lane, "wire", Moment.INTERRUPT) == f"server>client ErrorResponse {code}"
    assert evidence(lane, "server", Moment.DONE) == f"ErrorResponse {code}"
    assert lane.server.state is State.CANCELLED
    asked = cause in ("task.cancel", "asyncio.timeout", "timeout", "command_timeout", CLOSE)
    assert ("→ CancelRequest" in ran.answers(cause)) == asked
    kept = "closed" if code == "57P01" or cause == CLOSE else "kept"
    assert evidence(lane, "resource", Moment.CLEANUP).endswith(f"1 of 1 free; connection {kept}")
    # Whose connection is closed may be ready before that, or not any more.
    ready = {*(("FIN",) if kept == "closed" else ()), *(("ReadyForQuery idle",) if code == "57014" else ())}
    assert evidence(lane, "server", Moment.CLEANUP) in {*ready, "pg_stat_activity gone"}
    assert ran.residue(cause) == {}


def sleeping(ran: Ran, lane: LaneState, cause: str) -> None:
    executing(ran, lane, cause)
    if cause in VANISHED:
        # Nobody has told the backend, and it does not look: it is there when the run has settled.
        assert ran.residue(cause)["backends active"] == 1
        assert lane.layer("server").first(Moment.DONE) is None
        assert ran.backend(cause)[-1] == "gone", "the teardown ends it"


def transaction(ran: Ran, lane: LaneState, cause: str) -> None:
    sleeping(ran, lane, cause)
    released = evidence(lane, "resource", Moment.CLEANUP)
    if cause in VANISHED:
        assert ran.residue(cause)["transactions"] == 1
        assert released == ""
    elif cause in ("pg_terminate_backend", CLOSE):
        assert released.startswith("pg_stat_activity gone: what was not committed is rolled back; pool slot back")
    else:
        assert released.startswith("server>client CommandComplete ROLLBACK; pool slot back")
        assert ran.answers(cause).index("← ReadyForQuery failed transaction") < ran.answers(cause).index(
            "← ReadyForQuery idle"
        )


def rows(ran: Ran, lane: LaneState, cause: str) -> None:
    if cause == CLOSE:
        # It meets the cursor in a fetch or between two, or a fetch at its end, of which asyncpg 0.32 makes no sense.
        errors = "InternalClientError|QueryCanceledError|InterfaceError"
        assert re.match(errors, evidence(lane, "client", Moment.DONE))
        assert evidence(lane, "resource", Moment.CLEANUP).endswith("1 of 1 free; connection closed")
    elif "→ CancelRequest" in ran.answers(cause) and "← ErrorResponse 57014" not in ran.answers(cause):
        # It met the cursor between two fetches.
        assert evidence(lane, "wire", Moment.INTERRUPT) == "server>client CommandComplete ROLLBACK"
    elif (
        "← CommandComplete" in ran.answers(cause)
        and "→ CancelRequest" not in ran.answers(cause)
        and cause == "task.cancel"
    ):
        assert evidence(lane, "wire", Moment.INTERRUPT) == "server>client CommandComplete ROLLBACK"
    else:
        executing(ran, lane, cause)
    assert lane.chunks.on_wire >= 1
    whole = cause in ("timeout", "command_timeout", "statement_timeout", "pg_cancel_backend")
    assert (lane.chunks.read == 0) == whole, "fetch gives nothing away before the last row has come"


def cursor(ran: Ran, lane: LaneState, cause: str) -> None:
    """No statement goes on: nobody sends a CancelRequest, and what ends is the transaction."""
    assert "→ CancelRequest" not in ran.answers(cause)
    assert (lane.chunks.on_wire, lane.chunks.read) == (10, 10)
    wire = {
        **VANISHED,
        CLOSE: VANISHED["terminate"],
        "pg_terminate_backend": "server>client ErrorResponse 57P01",
    }
    assert evidence(lane, "wire", Moment.INTERRUPT) == wire.get(cause, "server>client CommandComplete ROLLBACK")
    if cause in wire:
        done = lane.layer("client").first(Moment.DONE)
        assert done is not None
        assert "Cursor.fetch" in done.evidence, "heard at the next fetch, and not before"
        assert lane.layer("server").ended is not None
        assert lane.layer("server").ended < done.t  # type: ignore[operator]
    assert ran.residue(cause) == {}


def copy_out(ran: Ran, lane: LaneState, cause: str) -> None:
    if "InternalClientError" in evidence(lane, "caller", Moment.DONE):
        # A line had come in the same turn of the loop, and the call was not resumed yet: asyncpg 0.32 asks nobody to
        # stop, stumbles over the COPY when the connection goes back, and closes it.
        assert cause in CANCELLED
        assert "→ CancelRequest" not in ran.answers(cause)
        assert evidence(lane, "wire", Moment.INTERRUPT) == "client>server Terminate"
        assert evidence(lane, "resource", Moment.CLEANUP).endswith("1 of 1 free; connection closed")
        assert ran.residue(cause) == {}
    elif cause == CLOSE:
        # While asyncpg waits for its sink it waits for no answer that could be cancelled: it hangs up at once.
        told = ("server>client ErrorResponse 57014", VANISHED["terminate"])
        assert evidence(lane, "wire", Moment.INTERRUPT) in told
        assert evidence(lane, "resource", Moment.CLEANUP).endswith("1 of 1 free; connection closed")
    else:
        executing(ran, lane, cause)
    assert 1 <= lane.chunks.read <= lane.chunks.on_wire


def copy_in(ran: Ran, lane: LaneState, cause: str) -> None:
    if cause in ("terminate", CLOSE):
        # asyncpg 0.32 goes on to write to a transport that it has just let go.
        assert "AttributeError" in evidence(lane, "client", Moment.DONE)
        assert ran.residue(cause) == {}
        return
    if cause == "pg_terminate_backend":
        assert evidence(lane, "wire", Moment.INTERRUPT) == "server>client ErrorResponse 57P01"
        assert ran.residue(cause) == {}
        return
    executing(ran, lane, cause)
    assert lane.chunks.accepted
    assert lane.chunks.on_wire
    assert lane.chunks.read is None
    if cause in ("task.cancel", "asyncio.timeout"):
        assert "→ CopyFail" in ran.answers(cause)
    if cause in ("statement_timeout", "pg_cancel_backend"):
        server, client = lane.layer("server").first(Moment.DONE), lane.layer("client").first(Moment.DONE)
        assert server is not None
        assert client is not None
        assert ran.answers(cause).index("← ErrorResponse 57014") < ran.answers(cause).index("→ CopyDone")
        assert server.t < client.t, "asyncpg looks at the server when its source has ended"


def listen(ran: Ran, lane: LaneState, cause: str) -> None:
    wire = {
        **VANISHED,
        CLOSE: VANISHED["terminate"],
        "pg_terminate_backend": "server>client ErrorResponse 57P01",
    }
    assert "→ CancelRequest" not in ran.answers(cause)
    assert evidence(lane, "wire", Moment.INTERRUPT) == wire.get(cause, "server>client CommandComplete UNLISTEN")
    if cause in wire:
        assert "ListenerLost" in evidence(lane, "client", Moment.DONE)
    assert ran.residue(cause) == {}


def acquire(ran: Ran, lane: LaneState, cause: str) -> None:
    assert [lane.layer(layer).marks for layer in ("wire", "server")] == [(), ()]  # type: ignore[arg-type]
    assert lane.server.state is State.IDLE
    assert evidence(lane, "resource", Moment.CLEANUP) == "pool slot back, 1 of 1 free; connection kept"
    assert ran.residue(cause) == {}
    assert cause in ("task.cancel", "asyncio.timeout", "timeout")


def connecting(ran: Ran, lane: LaneState, cause: str) -> None:
    """There is nothing that any tap or server could have seen."""
    assert [lane.layer(layer).marks for layer in ("wire", "server")] == [(), ()]  # type: ignore[arg-type]
    assert evidence(lane, "resource", Moment.CLEANUP) == "no socket in SYN-SENT; nothing was connected"
    assert ran.residue(cause) == {}


def startup(ran: Ran, lane: LaneState, cause: str) -> None:
    """No key has come yet, so there is no CancelRequest: the connection is closed, and the backend reads that."""
    wire = {"socket cut": VANISHED["socket cut"], "pg_terminate_backend": "server>client FIN"}
    assert evidence(lane, "wire", Moment.INTERRUPT) == wire.get(cause, "client>server FIN")
    # It is seen once more when it begins to wait for its client.
    assert list(dict.fromkeys(ran.backend(cause))) == ["starting", "gone"]
    assert evidence(lane, "server", Moment.DONE) == "pg_stat_activity gone"
    assert "← ErrorResponse 57P01" not in ran.answers(cause), "a backend that authenticates says nothing"
    assert ran.residue(cause) == {}


CHECKS = {
    "TCP connect": connecting,
    "startup": startup,
    "pool acquire": acquire,
    "statement executing": sleeping,
    "rows streaming": rows,
    "cursor": cursor,
    "transaction": transaction,
    "COPY out": copy_out,
    "COPY in": copy_in,
    "LISTEN": listen,
}


@pytest.mark.parametrize("phase", CHECKS)
def test_a_phase_is_reached_and_every_cause_in_it_proven(pg_server: PgAddress, phase: str) -> None:
    """One run with a lane for each cause, so that they do not disturb each other is tested as well."""

    @on_uvloop
    async def test() -> None:
        async with lanes(pg_server) as bench:
            plans = [plan(phase, cause) for cause in CAUSES[phase]]
            ran = await bench.cancelled(*plans, settle=SETTLE.get(phase, LIMIT / 2))
        for cause in CAUSES[phase]:
            assert re.fullmatch(EVIDENCE[phase], ran.phase(cause)), ran.phase(cause)
            assert ran.told(cause) == TOLD.get(cause, [])
            lane = ran.lane(cause)
            assert lane.zero is not None
            assert lane.zero.cause == ("key" if cause in TOLD else TRIGGER.get(cause, cause))
            assert lane.client.state is (State.CANCELLED if cause in CANCELLED else State.FAILED)
            CHECKS[phase](ran, lane, cause)

    test()
