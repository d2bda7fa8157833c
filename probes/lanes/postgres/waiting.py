"""Waiting for a slot of a pool that has none."""

from __future__ import annotations

import asyncio
from typing import Any

from probes.lanes.postgres.pooled import PooledLane


class Acquire(PooledLane):
    """``pool acquire``: the lane itself holds all slots and asks for one more. There is no backend in it, and nothing
    that could be seen on the wire; whether a slot was lost shows when the holders give theirs back."""

    resource = "pool slot"

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._holders: list[Any] = []

    async def prepare(self) -> None:
        await super().prepare()
        assert self.pool is not None
        self._holders = [await self.pool.acquire() for _ in range(self.pool.get_max_size())]

    async def exchange(self) -> None:
        assert self.pool is not None
        self.rows.open_client("asyncpg pool.acquire")
        self.open_resource(f"place in the queue for one of {self.pool.get_max_size()} slots")
        asyncio.get_running_loop().call_soon(self._queued)
        try:
            async with self.calling():
                await self.chain.around(self._acquire, lambda: None)
        finally:
            self.slot_back.set()

    async def _acquire(self) -> Any:
        assert self.pool is not None
        return await self.pool.acquire(timeout=self.limit())

    def _queued(self) -> None:
        assert self.pool is not None
        if not self.pool.get_idle_size() and not self.slot_back.is_set():
            self.armed(f"0 of {self.pool.get_max_size()} slots free, acquire waits")

    async def use(self, connection: Any) -> None:
        """Nothing comes of it."""

    async def released(self) -> str | None:
        await self.slot_back.wait()
        assert self.pool is not None
        while self._holders:
            await self.pool.release(self._holders.pop())
        return await super().released()
