"""Lanes that work on a connection out of a pool. The pool is the run's own: its settings are the run's, nothing that a
cancel does to it reaches the next run, and what a library leaves in it goes with it."""

from __future__ import annotations

import asyncio
import contextlib
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

import asyncpg

from probes.catalogue import CLOSE_CONNECTION
from probes.events import Layer
from probes.lanes.base import Blow
from probes.lanes.postgres.backends import FAILURES
from probes.lanes.postgres.lane import PostgresLane
from probes.lanes.postgres.login import CONNECT_TIMEOUT

_CLOSE_TIMEOUT = 1.0
_LOOK = 0.004
_FOLLOW_UP, _CLOSE = "follow-up", "close"
_FOLLOW_UP_LASTS = 0.2


class PooledLane(PostgresLane):
    """``use`` is the call, with a connection of the pool."""

    resource = "pool slot"

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.pool: asyncpg.Pool[Any] | None = None
        self.slot_back = asyncio.Event()
        self._connection: Any = None
        self._closing: asyncio.Task[None] | None = None

    async def prepare(self) -> None:
        size = self.options.pool_size
        self.pool = await asyncpg.create_pool(
            # With a min_size asyncpg would replace a connection that was lost, and that would look like an answer.
            min_size=0,
            max_size=size,
            command_timeout=self.timeout("command_timeout"),
            server_settings=self._server_settings(),
            timeout=CONNECT_TIMEOUT,
            **self.login.at(self.bench.address),
        )
        for connection in [await self.pool.acquire() for _ in range(size)]:
            await self.pool.release(connection)

    def _server_settings(self) -> dict[str, str]:
        settings = {"application_name": self.application}
        if (limit := self.timeout("statement_timeout")) is not None:
            settings["statement_timeout"] = f"{round(limit * 1000)}ms"
        if self.options.check_interval:
            settings["client_connection_check_interval"] = f"{round(self.options.check_interval)}ms"
        return settings

    async def exchange(self) -> None:
        assert self.pool is not None
        self.rows.open_client(f"asyncpg, {self.plan.phase}")
        try:
            async with self.pool.acquire(timeout=self.options.acquire_timeout or None) as connection:
                self._connection = connection
                self.acquired()
                self.attend(connection.get_server_pid())
                await self.use(connection)
        finally:
            self.slot_back.set()
            # A cancel before asyncpg's own call (in BEGIN) ends that as well.
            self.call_over()

    def acquired(self) -> None:
        """The call has its slot."""
        self.open_resource("asyncpg pool")

    @abstractmethod
    async def use(self, connection: Any) -> None:
        """The call, around it ``calling``."""

    # --- causes ---------------------------------------------------------------------------------------

    def blows(self) -> Mapping[str, Blow]:
        if self._connection is None:
            return {}
        return {
            **super().blows(),
            CLOSE_CONNECTION: self._close,
            "terminate": self._terminate,
            "socket cut": self.cut,
        }

    @property
    def how(self) -> str:
        how, limit = super().how, self.timeout("close")
        return how if how != CLOSE_CONNECTION or limit is None else f"{how}(timeout={limit:g})"

    def _close(self) -> Layer:
        self._closing = self.bench.tasks.start(self._close_connection(), name=f"close of {self.plan.lane}")
        return "client"

    async def _close_connection(self) -> None:
        """In good order. It may wait for ever, or raise, and the call with it or not."""
        span = self.rows.span("client", _CLOSE)
        try:
            await self._connection.close(timeout=self.timeout("close"))
        except asyncio.CancelledError as error:
            span.cancelled(error, "it never came to an end")
            raise
        except Exception as error:  # noqa: BLE001 - the same
            span.failed(error, self.words(error))
        else:
            span.completed("it returned")

    def _terminate(self) -> Layer:
        self._connection.terminate()
        return "client"

    # --- its end --------------------------------------------------------------------------------------

    async def released(self) -> str | None:
        await self.slot_back.wait()
        if self.pool is None:
            return None
        # The call may be over while its slot is not back: a second cancel ends the waiting and not the release.
        while self._taken():  # noqa: ASYNC110 - asyncpg tells nobody
            await asyncio.sleep(_LOOK)
        size, kept = self.pool.get_max_size(), self.pool.get_size()
        return f"pool slot back, {size} of {size} free; connection {'kept' if kept == size else 'closed'}"

    async def settled(self) -> None:
        for _ in range(self.options.follow_up):
            await self._follow_up()
        await super().settled()

    async def _follow_up(self) -> None:
        """Use the pool once more, as whoever shares it will. It lasts a while: long enough to be hit."""
        assert self.pool is not None
        span = self.rows.span("client", _FOLLOW_UP)
        try:
            await self.pool.fetchval("SELECT pg_sleep($1)", _FOLLOW_UP_LASTS)
        except asyncio.CancelledError as error:
            span.cancelled(error, "it never came to an end")
            raise
        except Exception as error:  # noqa: BLE001 - what the library leaves behind may raise anything
            span.failed(error, self.words(error))
        else:
            span.completed("SELECT pg_sleep was answered")

    @property
    def connected(self) -> bool:
        return self.pool is not None and self.pool.get_size() == self.pool.get_max_size()

    def _taken(self) -> int:
        # get_idle_size leaves out slots whose connection was closed. A slot is free when it stands in the queue from
        # which acquire takes: that is what a lost slot never comes back to.
        return 0 if self.pool is None else self.pool.get_max_size() - self.pool._queue.qsize()  # type: ignore[attr-defined]

    def held(self) -> dict[str, int]:
        return {"pool slots": self._taken(), **super().held()}

    async def teardown(self) -> None:
        if self._closing is not None:
            self._closing.cancel()
            await asyncio.wait({self._closing})
        await self._close_pool()
        await super().teardown()

    async def _close_pool(self) -> None:
        """In good order when every slot is back. Closing waits for whoever holds one, possibly for ever."""
        if self.pool is None:
            return
        if not self._taken():
            with contextlib.suppress(*FAILURES):
                async with asyncio.timeout(_CLOSE_TIMEOUT):
                    await self.pool.close()
        self.pool.terminate()
        # A call that hangs hears of it only now; it ends before the run does.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_CLOSE_TIMEOUT):
                await self.slot_back.wait()
