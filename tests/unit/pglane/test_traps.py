"""What outlives a cancel, gets lost on its way, or comes too late; and what asyncpg 0.32 does on its own account."""

from __future__ import annotations

from typing import Any

import pytest

from probes.events import BackendState, FaultPlan, LanePlan, SpanEnded
from probes.machine import State
from probes.state import Moment
from probes.verdict import CLEAN, LEAK, TOO_LATE, ZOMBIE, verdict, zombie
from servers.postgres import PgAddress
from tests.kit.pg_kit import on_uvloop
from tests.kit.pglane_kit import PgLanes, Ran, lanes, pg

EXECUTING = "statement executing"


def run(server: PgAddress, use: Any) -> None:
    """``use(bench)`` on a bench of its own, on the lab's loop."""

    @on_uvloop
    async def test() -> None:
        async with lanes(server) as bench:
            await use(bench)

    test()


def options(**more: object) -> dict[str, Any]:
    return {"options": {"pool_size": 1, **more}}


def word(ran: Ran, lane: str) -> str:
    return verdict(ran.lane(lane), ran.state.ended or 0)


def following(ran: Ran, lane: str) -> tuple[str, str]:
    """(kind, error) of the end of the statement that came after the call."""
    (end,) = [event for event in ran.of(SpanEnded, lane) if event.name == "follow-up"]
    return end.kind, getattr(end, "error", "")


def test_what_a_client_leaves_behind_that_goes_without_a_word(pg_server: PgAddress) -> None:
    """A backend looks for its client only when it is told to look, and an INSERT that nobody waits for commits."""

    async def use(bench: PgLanes) -> None:
        insert = {"delay": 0.8}
        ran = await bench.cancelled(
            pg(EXECUTING, "terminate", "insert", **insert, **options(statement="insert")),
            pg(EXECUTING, "terminate", "looks", **insert, **options(statement="insert", check_interval=100.0)),
            pg(EXECUTING, "task.cancel", "asked", **insert, **options(statement="insert")),
        )
        assert [word(ran, name) for name in ("insert", "looks", "asked")] == [ZOMBIE, ZOMBIE, CLEAN]
        assert ran.residue("insert") == {"rows committed": 1}
        assert (ran.residue("looks"), ran.residue("asked")) == ({}, {})
        assert ran.lane("insert").server.state is State.COMPLETED
        assert ran.lane("looks").server.state is State.STREAMING

    run(pg_server, use)


def lost(name: str, **fields: Any) -> LanePlan:
    return pg(EXECUTING, "task.cancel", name, faults=(FaultPlan(kind="lose-cancel"),), **fields)


def test_a_cancel_request_that_is_lost(pg_server: PgAddress) -> None:
    """The release waits for it for ever, unless a timeout gives the connection up. The backend works on."""

    async def use(bench: PgLanes) -> None:
        ran = await bench.cancelled(
            lost("waits"),
            lost("command", timeouts={"command_timeout": 0.3}, **options(follow_up=1)),
            lost("acquire", **options(acquire_timeout=0.3, follow_up=1)),
            settle=1.0,
        )
        assert {word(ran, name) for name in ("waits", "command", "acquire")} == {ZOMBIE}
        assert ran.residue("waits") == {"pool slots": 1, "backends active": 1}
        assert ran.lane("waits").layer("caller").outcome != "completed"
        for name in ("command", "acquire"):
            assert ran.residue(name) == {"backends active": 1}
            mark = ran.lane(name).layer("resource").first(Moment.CLEANUP)
            assert mark is not None
            assert mark.evidence == "pool slot back, 1 of 1 free; connection closed"
            assert following(ran, name) == ("span.completed", "")
        # The canceller waits for a CancelledError, and the release's timeout comes in its place.
        assert [ran.lane(name).layer("caller").outcome for name in ("command", "acquire")] == ["cancelled", "failed"]

    run(pg_server, use)


def late(name: str, seconds: float, **fields: Any) -> LanePlan:
    faults = (FaultPlan(kind="delay-cancel", seconds=seconds),)
    return pg(EXECUTING, "task.cancel", name, faults=faults, **options(follow_up=1), **fields)


def test_a_cancel_request_that_is_late_hits_no_other_statement(pg_server: PgAddress) -> None:
    """It names a backend and no statement; asyncpg gives the slot back only when it has gone through."""

    async def use(bench: PgLanes) -> None:
        ran = await bench.cancelled(late("late", 0.3), late("too late", 0.7, delay=0.3))
        assert word(ran, "late") == CLEAN
        assert ran.lane("too late").server.state is State.COMPLETED
        assert word(ran, "too late") in (TOO_LATE, ZOMBIE)
        for name in ("late", "too late"):
            assert following(ran, name) == ("span.completed", "")
            assert ran.residue(name) == {}

    run(pg_server, use)


def test_executemany_swallows_a_cancel_and_keeps_its_slot(pg_server: PgAddress) -> None:
    async def use(bench: PgLanes) -> None:
        many = options(statement="executemany")
        ran = await bench.cancelled(pg(EXECUTING, chunks=200_000, size=64, **many), settle=0.5)
        lane = ran.lane()
        assert lane.layer("client").first(Moment.DONE) is None
        assert "→ CancelRequest" not in ran.answers()
        assert ran.residue() == {"pool slots": 1, "backends active": 1}
        assert zombie(lane, ran.state.ended or 0).ns > 500_000_000
        assert lane.layer("caller").ended is not None, "the teardown ends it"

    run(pg_server, use)


def test_copy_out_may_leave_a_connection_that_is_still_copying(pg_server: PgAddress) -> None:
    """A cancel that comes when a chunk has, and before its reader runs, asks the server for nothing. Then the pool's
    reset meets a COPY, the connection is thrown away, and asyncpg's own error takes the place of the CancelledError."""

    async def use(bench: PgLanes) -> None:
        plan = pg("COPY out", chunks=50_000, size=500, interval=0.0, **options(follow_up=1))
        ran = await bench.cancelled(plan)
        lane = ran.lane()
        asked = "→ CancelRequest" in ran.answers()
        assert lane.layer("caller").outcome == ("cancelled" if asked else "failed")
        mark = lane.layer("resource").first(Moment.CLEANUP)
        assert mark is not None
        assert mark.evidence.endswith("connection kept" if asked else "connection closed")
        assert following(ran, "postgres") == ("span.completed", "")

    run(pg_server, use)


_WAITS = "SELECT wait_event FROM pg_stat_activity WHERE pid = $1"
MORE_THAN_KERNELS_TAKE = 1 << 26


async def stuck(bench: PgLanes) -> None:
    """Until the backend waits for its client. Asked anew: what was seen before the freeze says nothing."""
    (pid, *_) = [event.pid for event in bench.events if isinstance(event, BackendState)]
    while await bench.backends.ask(_WAITS, pid) != "ClientWrite":
        pass


@pytest.mark.parametrize("cause", ["task.cancel", "pg_terminate_backend"])
def test_a_reader_that_is_stuck(pg_server: PgAddress, cause: str) -> None:
    """A backend that waits for its client in the middle of a row looks for no cancel; it looks for its own end."""

    async def use(bench: PgLanes) -> None:
        freeze = FaultPlan(kind="freeze", direction="server>client", at="phase")
        big = {"size": MORE_THAN_KERNELS_TAKE, "interval": 0.0, **options(fetch="all")}
        plan = pg("rows streaming", cause, faults=(freeze,), **big)
        ran = await bench.cancelled(plan, settle=0.7, asked=stuck)
        assert ran.residue()["pool slots"] == 1
        if cause == "task.cancel":
            assert "→ CancelRequest" in ran.answers()
            assert ran.residue()["backends active"] == 1
            assert word(ran, "postgres") == ZOMBIE
        else:
            assert ran.backend()[-1] == "gone"
            assert word(ran, "postgres") == LEAK
        assert "← ErrorResponse 57014" not in ran.answers()

    run(pg_server, use)
