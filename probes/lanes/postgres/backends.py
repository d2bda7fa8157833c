"""Backends as others see them: watched in pg_stat_activity and signalled, on connections that do not pass the tap.

All lanes of a lab share this: one query looks at every backend that is watched, so the price of a look does not grow
with the lanes. Looks and signals have a connection each, because asyncpg does one thing at a time on one.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import asyncpg

from probes.clock import Clock, Stamp
from probes.lanes.postgres import table
from probes.lanes.postgres.login import CONNECT_TIMEOUT, Login
from probes.tasks import TaskKeeper

SOON = 0.004
LATER = 0.025
"""Seconds between two looks, while something is expected to change and while it is not: each look costs the lab's
loop a few hundred us."""
_ANSWER_TIMEOUT = 1.0
_END_MS = 2000
FAILURES = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
"""What asyncpg raises when a connection or a statement of ours does not work; TimeoutError is an OSError."""

_LOOK = """SELECT pid, coalesce(state, ''), coalesce(wait_event, '')
FROM pg_stat_activity WHERE pid = ANY($1::int[])"""
_OBSERVER = "cancelloscope observer"
_HELD = f"""SELECT coalesce(state, 'starting'), count(*) FROM pg_stat_activity
WHERE backend_type = 'client backend' AND application_name <> '{_OBSERVER}' AND datname = current_database()
GROUP BY 1"""
_END = """SELECT count(pg_terminate_backend(pid, $2)) FROM pg_stat_activity
WHERE application_name = $1 AND pid <> pg_backend_pid()"""
_BY_PORT = "SELECT pid FROM pg_stat_activity WHERE client_port = $1"
_LOCKS = """SELECT count(*) FROM pg_locks JOIN pg_stat_activity USING (pid)
WHERE pid = $1 AND coalesce(state, '') = $2 AND locktype <> 'virtualxid'"""
_LISTS_STARTING = 18
GONE, UNKNOWN = "gone", "unknown"


@dataclass(frozen=True, slots=True)
class Sight:
    """A backend at one look: ``state`` and ``wait`` as in pg_stat_activity, or ``gone``, or ``unknown`` when nobody can
    look any more. ``at`` is off by at most the time since the look before, in which it may have come to be so."""

    state: str
    wait: str
    at: Stamp


class Watch:
    """One backend that is being watched."""

    def __init__(self, backends: Backends, pid: int, hear: Callable[[Sight], None]) -> None:
        self._backends, self.pid, self.hear = backends, pid, hear
        self.soon = True

    def hurry(self) -> None:
        """From now on something is expected: look often."""
        self.soon = True
        self._backends.wake()

    def calm(self) -> None:
        """For now nothing is expected."""
        self.soon = False

    def stop(self) -> None:
        self._backends.unwatch(self)


class Backends:
    """``open`` before anything else, ``close`` at the end."""

    def __init__(self, login: Login, clock: Clock, tasks: TaskKeeper) -> None:
        self._login, self._clock, self._tasks = login, clock, tasks
        self._eye: asyncpg.Connection[Any] | None = None
        self._hand: asyncpg.Connection[Any] | None = None
        self._hand_free = asyncio.Lock()
        self._watches: list[Watch] = []
        self._looking: asyncio.Task[None] | None = None
        self._woken = asyncio.Event()
        self._made_table = False

    async def open(self) -> None:
        """Raises what asyncpg raises."""
        named = {"application_name": _OBSERVER}
        self._eye = await asyncpg.connect(server_settings=named, **self._login.direct())
        self._hand = await asyncpg.connect(server_settings=named, **self._login.direct())

    async def close(self) -> None:
        self._watches.clear()
        if self._looking is not None:
            self._looking.cancel()
        if self._made_table:
            with contextlib.suppress(*FAILURES):
                await self._do(table.DROP)
        for connection in (self._eye, self._hand):
            if connection is not None:
                with contextlib.suppress(*FAILURES):
                    await connection.close(timeout=_ANSWER_TIMEOUT)

    # --- watching -------------------------------------------------------------------------------------

    def watch(self, pid: int, hear: Callable[[Sight], None]) -> Watch:
        """Tell ``hear`` of each look at this backend, until the watch is stopped."""
        watch = Watch(self, pid, hear)
        self._watches.append(watch)
        if self._looking is None or self._looking.done():
            self._looking = self._tasks.start(self._look_on(), name="watch backends")
        self.wake()
        return watch

    def unwatch(self, watch: Watch) -> None:
        if watch in self._watches:
            self._watches.remove(watch)
            self.wake()

    async def idle(self) -> None:
        """Return when the last look is over; at once while somebody is watched still."""
        if self._looking is not None and not self._watches:
            await asyncio.wait({self._looking}, timeout=_ANSWER_TIMEOUT)

    def wake(self) -> None:
        """Look now."""
        self._woken.set()

    async def _look_on(self) -> None:
        before: dict[int, int] = {}
        while self._watches:
            begun = self._clock.now().t
            try:
                before = await self._look(begun, before)
            except TimeoutError:
                continue
            except FAILURES as error:
                self._blind(type(error).__name__)
                return
            await self._pause()

    async def _look(self, begun: int, before: dict[int, int]) -> dict[int, int]:
        """One look at all; when each backend was looked at. ``before``: the same of the look before."""
        assert self._eye is not None
        watches = tuple(self._watches)
        rows = await self._eye.fetch(_LOOK, [watch.pid for watch in watches], timeout=_ANSWER_TIMEOUT)
        found = {pid: (state, wait) for pid, state, wait in rows}
        now = self._clock.now()
        for watch in watches:
            since = before.get(watch.pid, begun)
            state, wait = found.get(watch.pid, (GONE, ""))
            watch.hear(Sight(state, wait, Stamp(now.t, now.err + now.t - since, "poll")))
        return {watch.pid: begun for watch in watches}

    def _blind(self, why: str) -> None:
        """Nobody can look any more: the connection is gone, and most likely its server."""
        for watch in tuple(self._watches):
            watch.hear(Sight(UNKNOWN, why, self._clock.now()))
        self._watches.clear()

    async def _pause(self) -> None:
        self._woken.clear()
        interval = SOON if any(watch.soon for watch in self._watches) else LATER
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(interval):
                await self._woken.wait()

    # --- acting ---------------------------------------------------------------------------------------

    def signal(self, function: str, pid: int) -> None:
        """Call ``pg_cancel_backend`` or ``pg_terminate_backend`` now; the answer is not waited for."""
        self._tasks.start(self.ask(f"SELECT {function}($1)", pid), name=f"{function}({pid})")

    async def end(self, application: str) -> None:
        """Terminate the backends of this application_name and wait until they are gone, at most 2 s for each. Raises
        what asyncpg raises."""
        await self.ask(_END, application, _END_MS)

    async def find(self, port: int) -> int:
        """The pid of the backend whose client has this port, as soon as there is one. Since PostgreSQL 18 a backend is
        listed before its client has logged in. Raises what asyncpg raises."""
        while (pid := await self.ask(_BY_PORT, port)) is None:  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(SOON)
        return int(pid)

    @property
    def lists_starting(self) -> bool:
        """Whether pg_stat_activity lists backends whose client has not logged in yet."""
        return self._hand is not None and self._hand.get_server_version().major >= _LISTS_STARTING

    async def held(self) -> dict[str, int]:
        """The server's backends by state, the observer's left out; empty where it does not answer."""
        assert self._hand is not None
        try:
            async with self._hand_free:
                rows = await self._hand.fetch(_HELD, timeout=_ANSWER_TIMEOUT)
        except FAILURES:
            return {}
        return {f"backends {state}": count for state, count in rows}

    async def make_table(self) -> None:
        """Have the table that lanes write to. Raises what asyncpg raises."""
        await self._do(table.MAKE)
        self._made_table = True

    async def locks(self, pid: int, state: str) -> int:
        """Locks that a backend holds or waits for, without the one that each transaction has on itself; 0 when it is in
        another state than this by now: the next look tells of that one."""
        return int(await self.ask(_LOCKS, pid, state))

    async def ask(self, sql: str, *arguments: object, timeout: float = CONNECT_TIMEOUT) -> Any:
        """The first value that a statement returns. Raises what asyncpg raises."""
        assert self._hand is not None
        async with self._hand_free:
            return await self._hand.fetchval(sql, *arguments, timeout=timeout)

    async def _do(self, script: str) -> None:
        assert self._hand is not None
        async with self._hand_free:
            await self._hand.execute(script, timeout=CONNECT_TIMEOUT)
