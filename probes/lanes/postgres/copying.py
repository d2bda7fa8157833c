"""COPY, out of the server and into it. asyncpg streams both, and hands on what comes or asks for what is to go."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from probes.events import ChunkSent
from probes.lanes.postgres.backends import Sight
from probes.lanes.postgres.pooled import PooledLane
from probes.lanes.postgres.table import SCHEMA, TABLE
from probes.lanes.postgres.writing import Writing


class CopyOut(PooledLane):
    """``COPY out``: copy_from_query into a sink that counts lines."""

    async def use(self, connection: Any) -> None:
        async with self.calling():
            await self.chain.around(lambda: self._copy(connection), str)

    async def _copy(self, connection: Any) -> str:
        status: str = await connection.copy_from_query(self.rows_sql(), output=self._take, timeout=self.limit())
        return status

    async def _take(self, data: bytes) -> None:
        self.received(len(data), data.count(b"\n"))
        if self._read >= self.plan.after:
            self.armed(f"line {self._read} read")


class CopyIn(Writing):
    """``COPY in``: copy_to_table from a source that gives a line each ``interval``."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._given = 0

    async def use(self, connection: Any) -> None:
        async with self.calling():
            await self.chain.around(lambda: self._copy(connection), str)

    async def _copy(self, connection: Any) -> str:
        into: dict[str, Any] = {"schema_name": SCHEMA, "source": self._lines(), "timeout": self.limit()}
        status: str = await connection.copy_to_table(TABLE, **into)
        return status

    def is_timeout(self, error: BaseException) -> bool:
        # asyncpg 0.32 loses its own TimeoutError when the server has answered its CancelRequest before the source has
        # given the next line: then it asks None whether it is done.
        return super().is_timeout(error) or (isinstance(error, AttributeError) and "'done'" in str(error))

    async def _lines(self) -> AsyncIterator[bytes]:
        line = f"{self.run}\t{self.plan.lane}\t{'x' * self.plan.size}\n".encode()
        for _ in range(self.plan.chunks):
            self._hand_over(len(line))
            yield line
            await asyncio.sleep(self.plan.interval)

    def _hand_over(self, size: int) -> None:
        self._given += 1
        self.bench.sink.emit(
            ChunkSent, run=self.run, lane=self.plan.lane, layer="client", n=1, size=size, total=self._given
        )

    def reached(self, sight: Sight) -> str:
        if sight.state != "active" or self._given < self.plan.after:
            return ""
        return f"pg_stat_activity active, {sight.wait or 'running'}; {self._given} lines given"
