"""Phases in which one statement executes: by itself, and inside a transaction."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from probes.events import Event, FrameSeen
from probes.lanes.postgres.backends import GONE, Sight
from probes.lanes.postgres.table import ROWS
from probes.lanes.postgres.writing import Writing


class Statement(Writing):
    """``statement executing``: proven by pg_stat_activity, because BindComplete proves nothing: the server may hold
    it back, and sends it before it executes."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._sent: int | None = None
        """When Execute passed the tap."""

    def reached(self, sight: Sight) -> str:
        # A backend is active from Parse on: what it does then is no execution of the statement.
        executes = self._sent is not None and sight.at.t - sight.at.err > self._sent
        if sight.state != "active" or not (executes or sight.wait == "PgSleep"):
            return ""
        return f"pg_stat_activity active, {sight.wait or 'running'}"

    def wire(self, event: Event) -> None:
        super().wire(event)
        if isinstance(event, FrameSeen) and event.name == "Execute" and self._sent is None:
            self._sent = event.t

    @property
    def writes(self) -> bool:
        return self.options.statement != "sleep"

    async def use(self, connection: Any) -> None:
        async with self.calling():
            statement = STATEMENTS[self.options.statement]
            await self.chain.around(lambda: statement(self, connection), lambda: None)


async def _sleep(lane: Statement, connection: Any) -> None:
    await connection.fetchval(f"{lane.tag} SELECT pg_sleep($1)", lane.plan.delay, timeout=lane.limit())


async def _insert(lane: Statement, connection: Any) -> None:
    sql = f"{lane.tag} INSERT INTO {ROWS} SELECT $1, $2, 'x' FROM pg_sleep($3)"
    plan = lane.plan
    await connection.execute(sql, lane.run, plan.lane, plan.delay, timeout=lane.limit())


async def _executemany(lane: Statement, connection: Any) -> None:
    sql = f"{lane.tag} INSERT INTO {ROWS} VALUES ($1, $2, $3)"
    payload = "x" * lane.plan.size
    rows = ((lane.run, lane.plan.lane, payload) for _ in range(lane.plan.chunks))
    await connection.executemany(sql, rows, timeout=lane.limit())


STATEMENTS: dict[str, Callable[[Statement, Any], Awaitable[None]]] = {
    "sleep": _sleep,
    "insert": _insert,
    "executemany": _executemany,
}


class InTransaction(Statement):
    """``transaction``: the same between BEGIN and COMMIT. What is held is the transaction: a statement that was
    cancelled leaves it failed, and only ROLLBACK or the backend's end give back what it locked."""

    resource = "transaction"

    async def prepare(self) -> None:
        await super().prepare()
        self._over: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def acquired(self) -> None:
        """The slot is not what this phase is about."""

    async def use(self, connection: Any) -> None:
        async with connection.transaction():
            self.open_resource("BEGIN")
            await super().use(connection)

    def wire(self, event: Event) -> None:
        super().wire(event)
        if isinstance(event, FrameSeen) and event.name == "CommandComplete" and event.detail in ("ROLLBACK", "COMMIT"):
            self._ends(f"{event.direction} CommandComplete {event.detail}")

    def sight(self, sight: Sight) -> None:
        super().sight(sight)
        if sight.state == GONE:
            self._ends("pg_stat_activity gone: what was not committed is rolled back")

    def _ends(self, evidence: str) -> None:
        if not self._over.done():
            self._over.set_result(evidence)

    async def released(self) -> str | None:
        slot = await super().released()
        over = await asyncio.shield(self._over)
        return None if slot is None else f"{over}; {slot}"

    def held(self) -> dict[str, int]:
        return {"transactions": int(not self._over.done()), **super().held()}
