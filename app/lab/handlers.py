"""Which handlers run in the servers processes, and what of them runs on, as their own events tell."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict

from probes.events import CleanedUp, Event, SpanStarted
from probes.tap.seen import Tag

HANDLERS = "handlers"

_OUTLIVE = {"thread": "threads", "shielded task": "shielded tasks"}
"""Spans of the resource layer that may outlive their handler (``servers.handler.Handler.hold``), by what a residue
calls them. A hop's own resource is its client's business and stands under other names."""


class Handlers:
    """Counts what is open by run and lane, and lets others wait for its end."""

    def __init__(self) -> None:
        self._open: defaultdict[tuple[int, str], dict[int, str]] = defaultdict(dict)
        """By span: what a residue calls it."""
        self._met: dict[str, int] = {}
        """The newest run of each lane of which a handler was seen."""
        self._deaths = 0
        self._changed = asyncio.Event()

    def observe(self, event: Event) -> None:
        """Take an event of the servers process."""
        if not isinstance(event, SpanStarted | CleanedUp):
            return
        name = _called(event)
        if name is None:
            return
        if isinstance(event, SpanStarted):
            self._open[event.run, event.lane][event.span] = name
            if name == HANDLERS:
                self._met[event.lane] = event.run
        else:
            self._open[event.run, event.lane].pop(event.span, None)
        self._wake()

    def clear(self, whose: Tag | None = None) -> None:
        """The process died, and with it all its handlers: everybody's, or ``whose`` it was."""
        self._deaths += 1
        if whose is None:
            self._open.clear()
        else:
            self._open.pop((whose.run, whose.lane), None)
        self._wake()

    def left(self, run: int, lane: str) -> dict[str, int]:
        """What of this run and lane still runs, by name: handlers, and threads and shielded tasks of theirs."""
        return dict(Counter(self._open.get((run, lane), {}).values()))

    async def entered(self, run: int, lane: str) -> None:
        """Return when a handler of this run and lane is open."""
        while HANDLERS not in self.left(run, lane):
            await self._changed.wait()

    async def met(self, run: int, lane: str) -> None:
        """Return when a handler of this run and lane has been seen, open still or not, or a process has died."""
        deaths = self._deaths
        while self._met.get(lane) != run and self._deaths == deaths:
            await self._changed.wait()

    async def gone(self, run: int, lane: str) -> None:
        """Return when nothing of this run and lane runs."""
        while self.left(run, lane):
            await self._changed.wait()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()


def _called(event: SpanStarted | CleanedUp) -> str | None:
    if event.layer == "server":
        return HANDLERS
    return _OUTLIVE.get(event.name) if event.layer == "resource" else None
