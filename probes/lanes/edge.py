"""Whose cancel a caller's task runs under: asyncio's, which is one exception at one await, or that of an anyio scope.

A scope's cancel is level-triggered: while its block runs, each await in it is cancelled, again and again until the
block is left. Cleanup that awaits is hit as well, unless a shield of anyio's own stands round it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import anyio

from probes.events import LanePlan

_CANCEL = "CancelScope.cancel"


class Edge:
    """That of one lane, by its option ``edge``."""

    def __init__(self, plan: LanePlan) -> None:
        self._scope = anyio.CancelScope() if plan.options.get("edge") == "anyio" else None

    async def within(self, call: Callable[[], Awaitable[None]]) -> None:
        """Make the call inside of the scope, where there is one."""
        if self._scope is None:
            await call()
            return
        with self._scope:
            await call()
        if self._scope.cancelled_caught:
            # The scope keeps the cancellation to itself, and the caller's row would look complete.
            raise asyncio.CancelledError(f"anyio.{_CANCEL}()")

    def cancel(self, task: asyncio.Task[Any]) -> None:
        """Cancel the call that ``task`` makes."""
        if self._scope is None:
            task.cancel()
        else:
            self._scope.cancel()

    @property
    def how(self) -> str:
        """The call that ``cancel`` makes."""
        return "task.cancel" if self._scope is None else _CANCEL
