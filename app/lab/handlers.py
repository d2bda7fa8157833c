"""Which handlers run in the servers processes, as their own events tell."""

from __future__ import annotations

import asyncio
from collections import defaultdict

from probes.events import CleanedUp, Event, SpanStarted
from probes.tap.seen import Tag


class Handlers:
    """Counts open handler spans by run and lane, and lets others wait for their end."""

    def __init__(self) -> None:
        self._open: defaultdict[tuple[int, str], set[int]] = defaultdict(set)
        self._changed = asyncio.Event()

    def observe(self, event: Event) -> None:
        """Take an event of the servers process."""
        if isinstance(event, SpanStarted) and event.layer == "server":
            self._open[event.run, event.lane].add(event.span)
            self._wake()
        elif isinstance(event, CleanedUp) and event.layer == "server":
            self._open[event.run, event.lane].discard(event.span)
            self._wake()

    def clear(self, whose: Tag | None = None) -> None:
        """The process died, and with it all its handlers: everybody's, or ``whose`` it was."""
        if whose is None:
            self._open.clear()
        else:
            self._open.pop((whose.run, whose.lane), None)
        self._wake()

    def left(self, run: int, lane: str) -> int:
        return len(self._open.get((run, lane), ()))

    async def entered(self, run: int, lane: str) -> None:
        """Return when a handler of this run and lane is open."""
        while not self.left(run, lane):
            await self._changed.wait()

    async def gone(self, run: int, lane: str) -> None:
        """Return when no handler of this run and lane is open."""
        while self.left(run, lane):
            await self._changed.wait()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()
