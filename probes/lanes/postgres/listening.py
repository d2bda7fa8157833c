"""LISTEN: waiting for notifications is no query, so there is nothing to cancel, and no timer that runs."""

from __future__ import annotations

import asyncio
from typing import Any

from probes.lanes.postgres.backends import Sight
from probes.lanes.postgres.pooled import PooledLane

_CHANNEL = "cancelloscope"


class ListenerLost(ConnectionError):
    """asyncpg called the termination listener: the connection that notifications came on is closed."""


class Listen(PooledLane):
    """``LISTEN``: what is held is the registration, which UNLISTEN or the backend's end gives back."""

    resource = "listener"

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._lost = asyncio.Event()

    def acquired(self) -> None:
        """The slot is not what this phase is about."""

    async def use(self, connection: Any) -> None:
        connection.add_termination_listener(self._terminated)
        await connection.add_listener(_CHANNEL, self._notified)
        self.open_resource(f"LISTEN {_CHANNEL}")
        try:
            async with self.calling():
                if await self.chain.around(self._lost.wait, bool):
                    raise ListenerLost("the termination listener was called")
        finally:
            # A pool takes a closed connection out of its owner's hands at once: it answers no question any more.
            if not self._lost.is_set():
                connection.remove_termination_listener(self._terminated)
                await connection.remove_listener(_CHANNEL, self._notified)

    def _notified(self, _connection: Any, _pid: int, _channel: str, payload: str) -> None:
        self.received(len(payload))

    def _terminated(self, _connection: Any) -> None:
        self._lost.set()

    def reached(self, sight: Sight) -> str:
        if self.opened is None or sight.state != "idle":
            return ""
        return f"pg_stat_activity idle, {sight.wait}; LISTEN complete"
