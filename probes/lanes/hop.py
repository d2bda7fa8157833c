"""A lane whose call the handler of another lane makes: the lab only leads it through a tap and looks on.

Its caller's and client's rows come from the servers process (``servers.hops``), its wire row from its tap, its server
row from the next handler, or from PostgreSQL itself.
"""

from __future__ import annotations

import asyncio
from typing import Any

from probes.events import CALLED_BY, LanePlan, Layer
from probes.lanes.backends import Backends
from probes.lanes.base import Lane
from probes.lanes.bench import Bench
from probes.lanes.postgres import Login
from probes.tap.seen import Tag


class HopLane(Lane):
    """``login``: for a hop to PostgreSQL, past the tap."""

    def __init__(self, bench: Bench, run: int, plan: LanePlan, login: Login | None) -> None:
        super().__init__(bench, run, plan)
        self._login = login
        # PostgreSQL answers itself: to wait for a handler would hold up the end of each run.
        self.handled = login is None
        self._backends = None if login is None else Backends(bench.sink, login)
        self._watching: asyncio.Task[None] | None = None

    async def prepare(self) -> None:
        if self._backends is not None:
            await self._backends.open(make_role=False)
        self.bench.servers.call_on(self._hop())

    def _hop(self) -> dict[str, object]:
        host, port = self.bench.address
        options = self.plan.options
        hop: dict[str, object] = {
            "run": self.run,
            "lane": options[CALLED_BY],
            "next_lane": self.plan.lane,
            "protocol": self.plan.protocol,
            "host": host,
            "port": port,
            "seconds": self.plan.delay,
            "policy": options.get("budget", "passed"),
            "margin": options.get("margin", 0.0),
        }
        if self._login is not None:
            hop |= {"user": self._login.user, "password": self._login.password, "database": self._login.database}
        return hop

    async def caller(self) -> None:
        """Wait until the call is there; nobody here makes it."""
        try:
            await self.exchange()
        finally:
            self.ready.set()

    async def exchange(self) -> None:
        if self._backends is None:
            await self.bench.servers.entered(self.run, self.plan.lane)
            self.armed("its handler runs")
            return
        tag = Tag(self.run, self.plan.lane)
        pid = await self._backends.find(tag)
        self.armed(f"pg_stat_activity active, backend {pid}")
        watch = self._backends.watch(tag, pid, lambda: True)
        self._watching = self.bench.tasks.start(watch, name=f"observe backend {pid}")

    def strike(self, task: asyncio.Task[Any]) -> Layer:
        """It is told by the hop before it, not from here."""
        task.cancel()
        return "server"

    async def released(self) -> str | None:
        """Its resource is the servers process's, which says itself when it is free. Before the call is there, nothing
        of it can be gone."""
        await self.ready.wait()
        return ""

    async def settled(self) -> None:
        if self._watching is not None:
            await asyncio.wait({self._watching})

    async def teardown(self) -> None:
        if self._watching is not None:
            self._watching.cancel()
        if self._backends is not None:
            await self._backends.close()
