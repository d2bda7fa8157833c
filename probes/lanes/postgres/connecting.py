"""Phases of a connection that is not there yet: its SYN stays without answer, or the server's first word does."""

from __future__ import annotations

import asyncio
import contextlib
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

import asyncpg

from probes.events import TO_CLIENT, TO_SERVER, Event, FaultHit, FaultPlan, FrameSeen
from probes.lanes.base import Blow
from probes.lanes.postgres.backends import FAILURES, Sight
from probes.lanes.postgres.lane import PostgresLane
from probes.lanes.sockets import TELLS, waiting_for_syn
from probes.tap.deadends import stalled_address

_LOOK = 0.004


class Connecting(PostgresLane):
    """asyncpg.connect to ``target``; ``gone`` is waited for after it has ended."""

    resource = "connection"

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._called = asyncio.Event()

    @property
    @abstractmethod
    def target(self) -> tuple[str, int]:
        """Where it connects to."""

    @abstractmethod
    async def gone(self) -> str:
        """Wait until nothing is left of the connection; the evidence."""

    async def exchange(self) -> None:
        self.rows.open_client("asyncpg.connect")
        self.open_resource("asyncpg.connect")
        try:
            async with self.calling():
                await self.chain.around(self._connect, lambda: None)
        finally:
            self._called.set()

    async def _connect(self) -> None:
        """Behind the links: a connection that comes when its caller has left is closed all the same."""
        limit = self.limit()
        # asyncpg's own default is 60 s; a timeout that is not set is left to it.
        given: dict[str, Any] = {} if limit is None else {"timeout": limit}
        settings = {"application_name": self.application}
        connection = await asyncpg.connect(server_settings=settings, **given, **self.login.at(self.target))
        connection.terminate()

    async def released(self) -> str | None:
        await self._called.wait()
        return await self.gone()

    def held(self) -> dict[str, int]:
        return {"connections": int(self.rows.holds), **super().held()}


class TcpConnect(Connecting):
    """``TCP connect``: to an address whose backlog is full, so that nobody answers the SYN. No tap sees that."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._open = contextlib.AsyncExitStack()
        self._others = 0
        self._target = ("", 0)

    @property
    def target(self) -> tuple[str, int]:
        return self._target

    async def prepare(self) -> None:
        self._target = await self._open.enter_async_context(stalled_address())
        self._others = waiting_for_syn(self._target)
        self.bench.tasks.start(self._look(), name=f"SYN of {self.plan.lane}")

    async def _look(self) -> None:
        while not self._waits() and not self._called.is_set():  # noqa: ASYNC110 - the kernel tells nobody
            await asyncio.sleep(_LOOK)
        if not self._called.is_set():
            self.armed("the kernel has a socket in SYN-SENT" if TELLS else "connect was called")

    def _waits(self) -> bool:
        return waiting_for_syn(self._target) > self._others if TELLS else self.opened is not None

    async def gone(self) -> str:
        while self._waits() and TELLS:  # noqa: ASYNC110 - the same
            await asyncio.sleep(_LOOK)
        return "no socket in SYN-SENT; nothing was connected"

    async def teardown(self) -> None:
        self._called.set()
        await self._open.aclose()
        await super().teardown()


class Startup(Connecting):
    """``startup``: the tap holds what the server answers to the StartupMessage, for the plan's delay from then
    on; without one to the end of the run."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._started = False
        self._lift: asyncio.TimerHandle | None = None
        self._hung_up: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    @property
    def target(self) -> tuple[str, int]:
        return self.bench.address

    async def prepare(self) -> None:
        if self.plan.cause == "pg_terminate_backend" and not self.backends.lists_starting:
            raise RuntimeError("only PostgreSQL 18 and newer list a backend whose client has not logged in")
        self.bench.tap.inject(FaultPlan(kind="hold", direction=TO_CLIENT))

    def wire(self, event: Event) -> None:
        super().wire(event)
        if isinstance(event, FrameSeen) and event.name == "StartupMessage" and not self._started:
            self._started = True
            self.bench.tasks.start(self._seek(event.conn), name=f"backend of {self.plan.lane}")
        if not self._hung_up.done() and (how := _hang_up(event)):
            self._hung_up.set_result(how)

    def armed(self, evidence: str) -> None:
        super().armed(evidence)
        if self.plan.delay and self._lift is None:
            self._lift = asyncio.get_running_loop().call_later(self.plan.delay, self.bench.tap.clear, "hold")

    async def teardown(self) -> None:
        if self._lift is not None:
            self._lift.cancel()
        await super().teardown()

    async def _seek(self, conn: int) -> None:
        """Find the backend behind the tap's own port."""
        if not self.backends.lists_starting:
            self.armed("StartupMessage passed, the answer is held")
            return
        port = int(self.bench.tap.upstream_sides[conn].rpartition(":")[2])
        with contextlib.suppress(*FAILURES):
            self.attend(await self.backends.find(port))

    def reached(self, sight: Sight) -> str:
        if sight.state != "starting" or sight.wait != "ClientRead":
            return ""
        return f"pg_stat_activity {sight.state}, {sight.wait}; the tap holds its answer"

    def blows(self) -> Mapping[str, Blow]:
        return {**super().blows(), "socket cut": self.cut} if self._started else {}

    async def gone(self) -> str:
        return await asyncio.shield(self._hung_up)


def _hang_up(event: Event) -> str:
    """How the client's side of a connection ended, if it did."""
    if isinstance(event, FaultHit) and event.did == "cut":
        return f"cut by the tap with {event.what}"
    if isinstance(event, FrameSeen) and event.name in ("FIN", "RST") and event.direction == TO_SERVER:
        return f"{event.direction} {event.name}"
    return ""
