"""Phases in which rows come: while they stream, and between two fetches of a cursor."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from probes.events import TO_CLIENT, BytesSeen, Event
from probes.lanes.postgres.backends import Sight
from probes.lanes.postgres.pooled import PooledLane

_BATCH = 10
"""Rows of a fetch, where a cursor pauses between two."""
_ONE_STATEMENT = frozenset({"timeout", "command_timeout", "statement_timeout", "pg_cancel_backend"})
"""Causes that need one statement for all rows. The timers start anew with each fetch of a cursor: one of 400 ms never
fires over rows of 20 ms. And a backend that is between two fetches ignores pg_cancel_backend. Both were measured."""


class Rows(PooledLane):
    """``rows streaming``: read one by one from a cursor, or all at once, where the caller gets the first row only when
    the last one has come."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._all = (self.options.fetch or ("all" if self.plan.cause in _ONE_STATEMENT else "cursor")) == "all"
        self._passed = 0

    async def use(self, connection: Any) -> None:
        if self._all:
            await self._fetch(connection)
        else:
            await self._iterate(connection)

    async def _fetch(self, connection: Any) -> None:
        async with self.calling():
            rows = await self.chain.around(lambda: connection.fetch(self.rows_sql(), timeout=self.limit()), list)
        self.received(sum(map(row_size, rows)), len(rows))

    async def _iterate(self, connection: Any) -> None:
        async with connection.transaction(), self.calling():
            rows = connection.cursor(self.rows_sql(), prefetch=1, timeout=self.limit())
            async for row in self.chain.stream(aiter(rows)):
                self.received(row_size(row))
                if self._read >= self.plan.after:
                    self.armed(f"row {self._read} read")

    def wire(self, event: Event) -> None:
        super().wire(event)
        if isinstance(event, BytesSeen) and event.direction == TO_CLIENT and self.opened is not None:
            self._passed += event.messages
            if self._all and self._passed >= self.plan.after:
                self.armed(f"{self._passed} rows passed the tap")


class Cursor(PooledLane):
    """``cursor``: its owner is busy with something else between two fetches, for the plan's delay. No statement
    executes, so there is none to cancel; what the server holds is the transaction and the portal in it."""

    async def use(self, connection: Any) -> None:
        async with connection.transaction(), self.calling():
            cursor = await connection.cursor(self.rows_sql())
            while rows := await self.chain.around(lambda: cursor.fetch(_BATCH), list):
                self.received(sum(map(row_size, rows)), len(rows))
                await asyncio.sleep(self.plan.delay)

    def reached(self, sight: Sight) -> str:
        if sight.state != "idle in transaction" or self._read < self.plan.after:
            return ""
        return f"pg_stat_activity {sight.state}, {sight.wait}; {self._read} rows read"


def row_size(row: Sequence[Any]) -> int:
    """Bytes of a row's columns; the last one is what made it take its time."""
    return sum(map(len, row[:-1]))
