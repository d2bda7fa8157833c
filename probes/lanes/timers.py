"""A lane's own timers: when each was due, and that the one which fired is the lane's trigger."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from probes.clock import Stamp
from probes.events import LanePlan, Trigger
from probes.lanes.bench import Bench

TIMER_ERR_NS = 1_000_000
"""libuv's timers count in whole milliseconds: one may fire up to so much early."""


def due(since: Stamp, timeout: float) -> Stamp:
    """The instant at which a timer of ``timeout`` seconds, set at ``since``, was due."""
    return Stamp(since.t + round(timeout * 1e9), since.err + TIMER_ERR_NS)


class Timers:
    """Those of one lane. ``gave_up``: when its library did."""

    def __init__(self, bench: Bench, run: int, plan: LanePlan) -> None:
        self._bench, self._run, self._plan = bench, run, plan
        self.gave_up: Stamp | None = None
        self._fired: Stamp | None = None
        """When the timer of asyncio.timeout did."""

    def start(self) -> Stamp:
        """Now, on the clock from which the loop's timers count: libuv's stands still for a millisecond at a time."""
        now = self._bench.sink.clock.now()
        loop = round(asyncio.get_running_loop().time() * 1e9)
        return Stamp(min(now.t, loop), now.err)

    def triggered(self, cause: str, at: Stamp) -> None:
        """A timer that was due ``at`` was the lane's trigger. What it brought about cannot be older than it: one that
        fired early was due when that came."""
        stamps = (self._fired, self.gave_up, self._bench.ledger.closed_at)
        signs = [stamp.t for stamp in stamps if stamp is not None]
        t = min([at.t, *(sign for sign in signs if sign >= at.t - TIMER_ERR_NS)])
        self._bench.sink.emit(Trigger, at=Stamp(t, at.err), run=self._run, lane=self._plan.lane, cause=cause)

    async def limited(self, call: Callable[[], Awaitable[None]]) -> None:
        """Await ``call`` under the plan's asyncio.timeout, if it has one."""
        limit = self._plan.timeouts.get("asyncio.timeout")
        if limit is None:
            await call()
            return
        since = self.start()
        # In front of asyncio's own, which is set next: what that brings about may be on the wire before it raises.
        timer = asyncio.get_running_loop().call_later(limit, self._fires)
        scope = asyncio.timeout(limit)
        try:
            async with scope:
                await call()
        finally:
            timer.cancel()
            # Whatever the call made of it: a library may put an error of its own in the place of the cancellation.
            if scope.expired():
                self.triggered("asyncio.timeout", due(since, limit))

    def _fires(self) -> None:
        self._fired = self._bench.sink.clock.now()
