"""Which handlers run: nothing runs on unseen."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from probes.clock import Stamp

PROTOCOLS = ("grpc", "http/1.1", "http/2")


@dataclass(frozen=True, slots=True)
class Who:
    """Whom a handler works for. ``run`` 0 is a guest's; ``request`` is its method and path."""

    run: int
    lane: str
    protocol: str
    peer: str
    request: str


@dataclass(slots=True)
class Running:
    """One handler: since when, and at which await it is (a label that it sets before each)."""

    who: Who
    since: Stamp
    at: str = "start"
    left: bool = False
    """Its ``finally`` has run. What it ``holds``, by name, still runs."""
    holds: list[str] = field(default_factory=list)
    strikes: Mapping[str, Any] = field(default_factory=dict)
    """What can be done to its client (``servers.strikes``); nothing once its work has ended."""


class Registry:
    """The running handlers, in the order in which they started."""

    def __init__(self) -> None:
        self._running: dict[int, Running] = {}
        self._resting: dict[tuple[int, str], Running] = {}
        self._idle = asyncio.Event()
        self._idle.set()

    def enter(self, who: Who, since: Stamp) -> Running:
        running = Running(who, since)
        self._running[id(running)] = running
        self._idle.clear()
        return running

    def check(self, running: Running) -> None:
        """Forget it when it has left and holds nothing any more."""
        if running.left and not running.holds:
            del self._running[id(running)]
        if not self._running:
            self._idle.set()

    def rest(self, who: Who, strikes: Mapping[str, Any], since: Stamp) -> None:
        """The work for ``who`` is done, and its client's connection may be kept: what can still be done to that. Kept
        for the newest run only."""
        others = {key: each for key, each in self._resting.items() if key[0] == who.run}
        self._resting = {**others, (who.run, who.lane): Running(who, since, "idle", left=True, strikes=strikes)}

    def newest(self, run: int, lane: str) -> Running | None:
        """The handler at work for this run and lane that started last, or else what is left of the last one."""
        for running in reversed(self._running.values()):
            if (running.who.run, running.who.lane) == (run, lane) and running.strikes:
                return running
        return self._resting.get((run, lane))

    def counts(self) -> dict[str, int]:
        """How many run, by protocol; zeros are there too."""
        counts = dict.fromkeys(PROTOCOLS, 0)
        for running in self._running.values():
            counts[running.who.protocol] += 1
        return counts

    def lines(self, now: Stamp) -> list[str]:
        """One line for each handler: who, since when, at which await."""
        return [_line(running, now) for running in self._running.values()]

    async def idle(self) -> None:
        """Return when no handler runs."""
        await self._idle.wait()


def _line(running: Running, now: Stamp) -> str:
    who = running.who
    whose = f"run {who.run} lane {who.lane}" if who.run else "guest"
    age = (now.t - running.since.t) / 1e9
    remains = f"only its {' and '.join(running.holds)} left, " if running.left else ""
    return f"{who.protocol} {who.request} from {who.peer}, {whose}, for {age:.1f} s, {remains}at {running.at}"
