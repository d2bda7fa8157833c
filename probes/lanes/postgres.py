"""The PostgreSQL lane: asyncpg, through the tap, watched from outside by an observer.

What asyncpg raises proves nothing about the backend: the client raises first, then a CancelRequest leaves on a
connection of its own, then 57014 comes back. The wire tells that; pg_stat_activity, polled on a connection
that does not pass the tap, tells what the wire cannot (that a statement really executes, that a backend runs
on after its connection was cut). The poll interval is the error of what the observer sees.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from typing import Any

import asyncpg

from probes.clock import Stamp
from probes.events import BackendState, LanePlan
from probes.lanes.base import Bench, Lane, due
from probes.schema import SQL_TAG

_POLL = 0.004
_POLL_QUIET = 0.025
"""While a statement just executes there is nothing to see, and every poll costs the lab's loop a few hundred us."""
_ACQUIRE_TIMEOUT = 5.0
_ROW_PREFETCH = 1
_OBSERVER = "cancelloscope observer"
_STATE = "SELECT coalesce(state, 'gone'), coalesce(wait_event, '') FROM pg_stat_activity WHERE pid = $1"

_BACKENDS = f"""
SELECT coalesce(state, 'starting'), count(*) FROM pg_stat_activity
WHERE backend_type = 'client backend' AND application_name <> '{_OBSERVER}' AND datname = current_database()
GROUP BY 1
"""


@dataclass(frozen=True, slots=True, repr=False)
class Login:
    """How to log in; not shown in a repr, because of the password. ``host``/``port``: past the tap."""

    host: str
    port: int
    user: str
    password: str
    database: str

    def at(self, address: tuple[str, int]) -> dict[str, Any]:
        """asyncpg's keyword arguments to connect to ``address`` with this login."""
        host, port = address
        return {
            "host": host,
            "port": port,
            "user": self.user,
            "password": self.password,
            "database": self.database,
            # Over TLS the tap would see records only; and an SSLRequest would precede every CancelRequest.
            "ssl": "disable",
            "timeout": _ACQUIRE_TIMEOUT,
        }


class PostgresSession:
    """What the runs share: a pool of two through the tap, and the observer's connection beside it."""

    def __init__(self, bench: Bench, login: Login) -> None:
        self.bench, self._login = bench, login
        self._pool: asyncpg.Pool[Any] | None = None
        self._command_timeout: float | None = None
        self.observer: asyncpg.Connection[Any] | None = None

    def lane(self, run: int, plan: LanePlan) -> Lane:
        return PostgresLane(self, run, plan)

    async def open(self) -> None:
        """Raises what asyncpg raises."""
        self.observer = await asyncpg.connect(
            server_settings={"application_name": _OBSERVER}, **self._login.at((self._login.host, self._login.port))
        )

    async def pool(self, command_timeout: float | None) -> asyncpg.Pool[Any]:
        """The pool, made anew when ``command_timeout`` (a property of its connections) has changed."""
        if self._pool is None or command_timeout != self._command_timeout:
            await self._close_pool()
            self._pool = await asyncpg.create_pool(
                min_size=2, max_size=2, command_timeout=command_timeout, **self._login.at(self.bench.address)
            )
            self._command_timeout = command_timeout
        return self._pool

    async def warm(self, plan: LanePlan) -> None:
        # A pool that cannot be made is reported by the lane that needs it.
        with contextlib.suppress(OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
            await self.pool(plan.timeouts.get("command_timeout"))

    async def held(self) -> dict[str, int]:
        """The server's backends by state, the observers' left out; empty where it does not answer."""
        assert self.observer is not None
        try:
            rows = await self.observer.fetch(_BACKENDS, timeout=1.0)
        except (TimeoutError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            return {}
        return {f"backends {state}": count for state, count in rows}

    async def close(self) -> None:
        await self._close_pool()
        if self.observer is not None:
            await _bounded(self.observer.close())

    async def _close_pool(self) -> None:
        pool, self._pool = self._pool, None
        if pool is not None and not await _bounded(pool.close()):
            pool.terminate()


async def _bounded(coro: Any) -> bool:
    """Closing waits for whoever holds a connection, possibly for ever: it gets a second."""
    try:
        async with asyncio.timeout(1.0):
            await coro
    except (TimeoutError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
        return False
    return True


class PostgresLane(Lane):
    resource = "pool slot"

    def __init__(self, session: PostgresSession, run: int, plan: LanePlan) -> None:
        super().__init__(session.bench, run, plan)
        self._session = session
        self._pool: asyncpg.Pool[Any] | None = None
        self._idle_before = 0
        self._opened: Stamp | None = None
        self._slot_back = asyncio.Event()
        self._watching: asyncio.Task[None] | None = None
        self._stopped = asyncio.Event()
        self._ended = asyncio.Event()

    async def prepare(self) -> None:
        self._pool = await self._session.pool(self.timeout("command_timeout"))
        self._idle_before = self._pool.get_idle_size()

    async def exchange(self) -> None:
        assert self._pool is not None
        try:
            async with self._pool.acquire(timeout=_ACQUIRE_TIMEOUT) as connection:
                self.open_resource("asyncpg pool")
                await self._use(connection)
        finally:
            self._slot_back.set()

    async def _use(self, connection: Any) -> None:
        pid = connection.get_server_pid()
        self._opened = self.bench.sink.clock.now()
        self.open_client(f"statement on backend {pid}")
        self._watching = asyncio.get_running_loop().create_task(self._watch(pid), name=f"observe backend {pid}")
        try:
            await self._statement(connection)
        except BaseException as error:
            # Said here, because leaving the pool's context waits for the CancelRequest to be answered.
            self.client_ended(error)
            raise
        finally:
            self._ended.set()

    async def _statement(self, connection: Any) -> None:
        tag = f"/* {SQL_TAG.format(run=self.run, lane=self.plan.lane)} */"
        timeout = self.timeout("timeout")
        if self.plan.phase == "statement executing":
            await connection.fetchval(f"{tag} SELECT pg_sleep($1)", self.plan.delay, timeout=timeout)
            return
        rows = f"{tag} SELECT i, repeat('x', $1), pg_sleep($2) FROM generate_series(1, $3) AS i"
        arguments = (self.plan.size, self.plan.interval, self.plan.chunks)
        async with connection.transaction():
            try:
                async for row in connection.cursor(rows, *arguments, prefetch=_ROW_PREFETCH, timeout=timeout):
                    self.received(len(row[1]))
                    self.armed(f"row {self._read} read")
            except BaseException as error:
                # Said here, because the transaction's ROLLBACK comes before anything outside hears of it.
                self.client_ended(error)
                raise

    async def _watch(self, pid: int) -> None:
        """Poll the backend's state until it is idle after the statement, or gone."""
        seen = ""
        try:
            while True:
                state, wait = await self._poll(pid)
                if state != seen:
                    self._say(pid, state, wait)
                    seen = state
                if self._executing(state, wait):
                    self.armed(f"pg_stat_activity {state}, {wait or 'running'}")
                if self._ended.is_set() and state != "active":
                    return
                await self._pause()
        finally:
            self._stopped.set()

    def _executing(self, state: str, wait: str) -> bool:
        # BindComplete would be no proof: the server may hold it back. "active" alone is: the wait comes with it.
        return self.plan.phase == "statement executing" and state == "active" and wait != "ClientRead"

    async def _poll(self, pid: int) -> tuple[str, str]:
        assert self._session.observer is not None
        try:
            row = await self._session.observer.fetchrow(_STATE, pid, timeout=1.0)
        except (TimeoutError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            return "unknown", type(error).__name__
        return ("gone", "") if row is None else (row[0], row[1])

    def _say(self, pid: int, state: str, wait: str) -> None:
        now = self.bench.sink.clock.now()
        self.bench.sink.emit(
            BackendState,
            at=Stamp(now.t, now.err + round(self._interval() * 1e9), "poll"),
            run=self.run,
            lane=self.plan.lane,
            layer="server",
            pid=pid,
            state=state,
            wait=wait,
        )

    def _interval(self) -> float:
        return _POLL_QUIET if self.ready.is_set() and not self._ended.is_set() else _POLL

    async def _pause(self) -> None:
        # Woken early when the client's call ends: from then on the backend's end is what everybody waits for.
        if self._ended.is_set():
            await asyncio.sleep(_POLL)
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._interval()):
                await self._ended.wait()

    def own_timeout(self, error: BaseException) -> tuple[str, Stamp] | None:
        name = "timeout" if self.timeout("timeout") is not None else "command_timeout"
        seconds = self.timeout(name)
        if not isinstance(error, TimeoutError) or seconds is None or self._opened is None:
            return None
        return f"asyncpg {name}", due(self._opened, seconds)

    async def released(self) -> str | None:
        await self._slot_back.wait()
        if self.held()["pool slots"]:
            return None
        return f"pool slot back, {self._idle_before} of {self._idle_before} idle"

    async def settled(self) -> None:
        """Wait until the observer has seen the backend's statement end."""
        if self._watching is not None:
            await self._stopped.wait()

    def held(self) -> dict[str, int]:
        idle = self._idle_before if self._pool is None else self._pool.get_idle_size()
        return {"pool slots": self._idle_before - idle}

    async def teardown(self) -> None:
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.wait([self._watching])
