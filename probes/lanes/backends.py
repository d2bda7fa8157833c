"""What pg_stat_activity says of backends whose clients are none of the lab's, on a connection that passes no tap."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

import asyncpg

from probes.clock import Stamp
from probes.events import BackendState
from probes.lanes.postgres import Login
from probes.schema import SQL_TAG
from probes.sink import Sink
from probes.tap.seen import Tag

_POLL = 0.01
_STATE = "SELECT coalesce(state, 'gone'), coalesce(wait_event, '') FROM pg_stat_activity WHERE pid = $1"
_FIND = "SELECT pid FROM pg_stat_activity WHERE query LIKE $1 AND state = 'active' AND wait_event = 'PgSleep'"
ROLE = "guest"
"""A role that may log in and nothing else; its password is no secret and is the same."""

_MAKE_ROLE = f"""
DO $$ BEGIN
  CREATE ROLE {ROLE} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE CONNECTION LIMIT 20;
EXCEPTION WHEN duplicate_object THEN NULL;
END $$;
ALTER ROLE {ROLE} PASSWORD '{ROLE}';
"""


class Backends:
    """One observer for many backends; it asks in turn."""

    def __init__(self, sink: Sink, login: Login) -> None:
        self._sink, self._login = sink, login
        self._connection: asyncpg.Connection[Any] | None = None
        self._turn = asyncio.Lock()

    async def open(self, *, make_role: bool) -> None:
        """Log in, and on a server of ours make the role for guests. Raises what asyncpg raises."""
        login = self._login
        self._connection = await asyncpg.connect(**login.at((login.host, login.port)))
        if make_role:
            await self._connection.execute(_MAKE_ROLE)

    async def close(self) -> None:
        if self._connection is not None:
            self._connection.terminate()

    async def find(self, tag: Tag) -> int:
        """The pid of the backend that executes a statement with this tag, as soon as there is one."""
        assert self._connection is not None
        while True:
            with contextlib.suppress(TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
                async with self._turn:
                    pid = await self._connection.fetchval(_FIND, f"/* {SQL_TAG.format(run=tag.run, lane=tag.lane)} */%")
                if pid is not None:
                    return int(pid)
            await asyncio.sleep(_POLL)

    async def watch(self, tag: Tag, pid: int, over: Callable[[], bool]) -> None:
        """Say each change of the backend's state until its exchange is ``over`` and it works no more."""
        seen = ""
        while True:
            state, wait = await self._state(pid)
            if state != seen:
                seen = state
                self._say(tag, pid, state, wait)
            if over() and state != "active":
                return
            await asyncio.sleep(_POLL)

    async def _state(self, pid: int) -> tuple[str, str]:
        assert self._connection is not None
        try:
            async with self._turn:
                row = await self._connection.fetchrow(_STATE, pid, timeout=1.0)
        except (TimeoutError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            return "unknown", type(error).__name__
        return ("gone", "") if row is None else (row[0], row[1])

    def _say(self, tag: Tag, pid: int, state: str, wait: str) -> None:
        now = self._sink.clock.now()
        at = Stamp(now.t, now.err + round(_POLL * 1e9), "poll")
        self._sink.emit(
            BackendState, at=at, run=tag.run, lane=tag.lane, layer="server", pid=pid, state=state, wait=wait
        )
