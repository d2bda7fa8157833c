"""Lanes that may leave rows behind: what was committed can be seen from outside only, and is a residue of the run."""

from __future__ import annotations

import contextlib
from typing import Any

from probes.lanes.postgres import table
from probes.lanes.postgres.backends import FAILURES
from probes.lanes.postgres.pooled import PooledLane


class Writing(PooledLane):
    """``writes``: whether this call may."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._committed = 0

    @property
    def writes(self) -> bool:
        return True

    async def prepare(self) -> None:
        if self.writes:
            await self.backends.make_table()
        await super().prepare()

    async def at_rest(self) -> None:
        if self.writes:
            self._committed = await self.backends.ask(table.COUNT, self.run, self.plan.lane)

    def held(self) -> dict[str, int]:
        return {"rows committed": self._committed, **super().held()}

    async def teardown(self) -> None:
        await super().teardown()
        if self.writes:
            with contextlib.suppress(*FAILURES):
                await self.backends.ask(table.DELETE, self.run, self.plan.lane)
