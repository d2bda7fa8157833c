"""What stands between asyncpg and its caller: what became of the cancel at each link, and what the backend saw.

A link here stands around one statement or one cursor, so the slot of the pool is its caller's. That makes a shield here
another one than in the other lanes: whoever is told gives the slot back, and the connection with it away.
"""

from __future__ import annotations

from typing import Any

import pytest

from probes.events import LanePlan, Trigger
from probes.state import LaneState, Moment
from probes.verdict import CLEAN, SWALLOWED, ZOMBIE, verdict
from servers.postgres import PgAddress
from tests.kit.pg_kit import on_uvloop
from tests.kit.pglane_kit import PgLanes, Ran, lanes, pg

EXECUTING, ROWS, TRANSACTION = "statement executing", "rows streaming", "transaction"
CURSOR = {"options": {"pool_size": 1, "fetch": "cursor"}, "chunks": 500, "interval": 0.01}
INSERT = {"options": {"pool_size": 1, "statement": "insert"}, "delay": 0.8}


def behind(phase: str, *links: str, **fields: Any) -> LanePlan:
    """A lane that is called like its phase."""
    return pg(phase, name=phase, middleware=links, **fields)


def effects(lane: LaneState) -> list[tuple[str, str]]:
    return [(each.name, each.effect) for each in lane.links]


def outcomes(lane: LaneState) -> list[str]:
    return [lane.layer(layer).outcome for layer in ("caller", "client", "server")]


def evidence(lane: LaneState, layer: Any, moment: Moment) -> str:
    mark = lane.layer(layer).last(moment)
    return "" if mark is None else mark.evidence


def run(server: PgAddress, use: Any) -> None:
    """``use(bench)`` on a bench of its own, on the lab's loop."""

    @on_uvloop
    async def test() -> None:
        async with lanes(server) as bench:
            await use(bench)

    test()


def words(ran: Ran) -> list[str]:
    return [verdict(lane, ran.state.ended or 0) for lane in ran.state.lanes]


def test_a_link_that_awaits_passes_it_on(pg_server: PgAddress) -> None:
    async def use(bench: PgLanes) -> None:
        ran = await bench.cancelled(behind(EXECUTING, "pass", "pass"), behind(ROWS, "pass", "pass", **CURSOR))
        assert words(ran) == [CLEAN, CLEAN]
        for lane in ran.state.lanes:
            assert [(each.link, each.effect) for each in lane.links] == [(2, "passed"), (1, "passed")]
            assert "→ CancelRequest" in ran.answers(lane.name)
            assert outcomes(lane)[:2] == ["cancelled", "cancelled"]

    run(pg_server, use)


@pytest.mark.parametrize("link", ["shield", "independent"])
def test_a_shield_round_a_statement_is_broken_by_the_pool(pg_server: PgAddress, link: str) -> None:
    """The caller gives its slot back, the pool finds a statement in progress on it, and hangs up. Nobody asks the
    backend to stop: what it was to insert is committed."""

    async def use(bench: PgLanes) -> None:
        ran = await bench.cancelled(behind(EXECUTING, link, **INSERT), settle=5.0)
        lane = ran.lane(EXECUTING)
        assert effects(lane) == [(link, "died")]
        assert outcomes(lane) == ["failed", "cancelled", "completed"]
        assert "→ CancelRequest" not in ran.answers(EXECUTING)
        assert evidence(lane, "wire", Moment.INTERRUPT) == "client>server Terminate"
        assert evidence(lane, "resource", Moment.CLEANUP).endswith("connection closed")
        assert words(ran) == [ZOMBIE]
        assert ran.residue(EXECUTING) == {"rows committed": 1}

    run(pg_server, use)


def test_one_that_swallows_cancels_the_statement_and_hides_it(pg_server: PgAddress) -> None:
    """In a transaction its caller goes on to COMMIT, and is not told that the server makes a ROLLBACK of it."""

    async def use(bench: PgLanes) -> None:
        ran = await bench.cancelled(behind(TRANSACTION, "swallow", **INSERT), behind(EXECUTING, "swallow"))
        for lane in ran.state.lanes:
            assert effects(lane) == [("swallow", "died")]
            assert outcomes(lane) == ["completed", "completed", "cancelled"]
            assert evidence(lane, "wire", Moment.INTERRUPT) == "server>client ErrorResponse 57014"
        assert evidence(ran.lane(TRANSACTION), "resource", Moment.CLEANUP).startswith(
            "server>client CommandComplete ROLLBACK"
        )
        assert ran.residue(TRANSACTION) == {}

    run(pg_server, use)


def test_a_limit_of_a_link_is_the_trigger_of_its_lane(pg_server: PgAddress) -> None:
    async def use(bench: PgLanes) -> None:
        limit = "add-timeout:300ms"
        # The caller's own timeout is longer, and is not to be taken for what fired.
        plan = behind(EXECUTING, limit, "pass", cause="timeout", timeouts={"timeout": 30.0})
        ran = await bench.cancelled(plan)
        (trigger,) = ran.of(Trigger, EXECUTING)
        assert trigger.cause == limit
        lane = ran.lane(EXECUTING)
        assert effects(lane) == [("pass", "passed"), (limit, "grew")]
        assert outcomes(lane)[:2] == ["failed", "failed"]
        assert evidence(lane, "client", Moment.DONE).startswith("TimeoutError")
        assert words(ran) == [CLEAN]

    run(pg_server, use)


def test_a_dropped_timeout_never_comes(pg_server: PgAddress) -> None:
    async def use(bench: PgLanes) -> None:
        plan = behind(EXECUTING, "drop-deadline", cause="timeout", timeouts={"timeout": 0.2}, delay=0.6)
        ran = await bench.cancelled(plan)
        lane = ran.lane(EXECUTING)
        assert effects(lane) == [("drop-deadline", "weakened")]
        assert lane.zero is None
        assert outcomes(lane) == ["completed"] * 3

    run(pg_server, use)


def test_a_shield_round_acquire_loses_the_slot(pg_server: PgAddress) -> None:
    """The slot comes when its caller has left, and nobody gives it back."""

    async def use(bench: PgLanes) -> None:
        ran = await bench.cancelled(behind("pool acquire", "shield"), settle=0.5)
        lane = ran.lane("pool acquire")
        assert effects(lane) == [("shield", "died")]
        assert outcomes(lane)[:2] == ["cancelled", "cancelled"]
        assert ran.residue("pool acquire") == {"pool slots": 1}

    run(pg_server, use)


@pytest.mark.parametrize("phase", ["startup", "COPY out", "COPY in", "LISTEN"])
def test_every_call_of_asyncpg_stands_behind_the_links(pg_server: PgAddress, phase: str) -> None:
    async def use(bench: PgLanes) -> None:
        ran = await bench.cancelled(behind(phase, "pass", chunks=2_000, interval=0.01))
        lane = ran.lane(phase)
        assert effects(lane) == [("pass", "passed")]
        assert outcomes(lane)[:2] == ["cancelled", "cancelled"]

    run(pg_server, use)


def test_a_cancel_that_is_caught_comes_again_in_anyios_scope_alone(pg_server: PgAddress) -> None:
    async def use(bench: PgLanes) -> None:
        plans = [
            pg(TRANSACTION, name=whose, middleware=("swallow",), delay=60.0, options={"pool_size": 1, "edge": whose})
            for whose in ("asyncio", "anyio")
        ]
        ran = await bench.cancelled(*plans)
        # COMMIT is what the caller awaits next.
        assert [outcomes(ran.lane(whose))[0] for whose in ("asyncio", "anyio")] == ["completed", "cancelled"]
        assert words(ran) == [SWALLOWED, CLEAN]
        assert [effects(lane) for lane in ran.state.lanes] == [[("swallow", "died")]] * 2
        assert [lane.residue for lane in ran.state.lanes] == [{}, {}]

    run(pg_server, use)
