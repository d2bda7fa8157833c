"""A console over six lanes in whatever terminal it is started in, for the benchmarks of drawing.

``python -m tests.kit.six_lanes frames FD COUNT``: draws told frames, one after the other, and measures each.
``python -m tests.kit.six_lanes stream FD``: the live console over ``tests.kit.scripted_lab``, which streams.
What was measured goes to the descriptor ``FD`` at the end, as one JSON object.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from textual.pilot import Pilot

from app.console import CancelloscopeApp
from app.pump import LabProcess
from app.settings import RunSettings
from app.source import LabHandle
from app.widgets.panel import Panel
from probes.events import ChunkReceived, Event
from tests.kit import console_kit as kit
from tests.kit.console_kit import SECOND, ManualClock, RecordingHandle, Told

_FRAME_NS = 33_000_000
_SCRIPTED = (sys.executable, "-m", "tests.kit.scripted_lab")


def settings(scenario: str = "one-scope") -> RunSettings:
    """The four lanes of ``console_kit`` and two of them once more."""
    four = kit.settings()
    again = tuple(replace(plan, lane=f"{plan.lane} b") for plan in (four.lanes[0], four.lanes[2]))
    return replace(four, scenario=scenario, lanes=four.lanes + again)


# --- told frames --------------------------------------------------------------------------------------


class Frames:
    """Draws one frame after the other on a clock that is moved by hand. All times are CPU ms of this process."""

    def __init__(self, count: int) -> None:
        self._count = count
        self.clock = ManualClock()
        self.app = CancelloscopeApp(RecordingHandle, settings(), clock=self.clock, ticker=False)
        self.told = Told().ready().fired(settings())
        self._shown = 0
        self.taken: dict[str, list[float]] = {}

    async def measure(self, _pilot: Pilot[None]) -> None:
        lanes = [plan.lane for plan in settings().lanes]
        await self._series("armed", self.told.begin + 320_000_000, lanes)
        self.told.zero = self.clock.now + _FRAME_NS
        self.told.cancelled()
        rest = ["http/2", "grpc b", "http/2 b"]
        await self._series("cancelled", self.told.zero + SECOND, rest)
        await self._series("whole", self.clock.now + _FRAME_NS, rest, self._send_everything)
        self.app.exit()

    async def _series(self, name: str, begin: int, lanes: list[str], before: Callable[[], None] | None = None) -> None:
        times = self.taken[name] = []
        for number in range(self._count):
            self.clock.now = begin + number * _FRAME_NS
            for lane in lanes:
                self._stream(lane, 15 + number)
            batch = self.told.events[self._shown :]
            self._shown = len(self.told.events)
            times.append(await self._frame(batch, before))

    def _stream(self, lane: str, total: int) -> None:
        us = (self.clock.now - self.told.zero) / 1e3 - 100
        self.told.sent(us - 200, lane, total).bytes(us - 100, lane, 10)
        self.told.at(ChunkReceived, us, lane, layer="client", n=1, size=1024, total=total)

    async def _frame(self, batch: list[Event], before: Callable[[], None] | None) -> float:
        drawn = asyncio.Event()
        began = time.process_time_ns()
        self.app.on_events(batch)
        self.app.scope.tick()
        if before is not None:
            before()
        self.app.scope.call_after_refresh(drawn.set)
        await drawn.wait()
        return (time.process_time_ns() - began) / 1e6

    def _send_everything(self) -> None:
        for panel in self.app.scope.query(Panel):
            panel.refresh()


async def frames(count: int) -> dict[str, Any]:
    """CPU ms of each of ``count`` frames, by what was going on."""
    drawing = Frames(count)
    await drawing.app.run_async(auto_pilot=drawing.measure)
    return drawing.taken


# --- a stream -----------------------------------------------------------------------------------------


async def stream() -> dict[str, Any]:
    """Runs until the console is left; then what arrived, how late, and what was dropped."""
    late_ms: list[float] = []
    events: list[Event] = []

    def factory(on_events: Callable[[list[Event]], None]) -> LabHandle:
        def heard(batch: list[Event]) -> None:
            on_events(batch)
            events.extend(event for event in batch if event.src == "lab")
            late_ms.append((time.monotonic_ns() - batch[-1].t) / 1e6)

        return LabProcess(heard, argv=_SCRIPTED)

    app = CancelloscopeApp(factory, settings("stream"))
    try:
        await app.run_async()
    finally:
        await app.handle.stop()
    return {
        "events": len(events),
        "lost": events[-1].seq - len(events),
        "dropped": app.source.session.dropped,
        "seconds": (events[-1].t - next(event.t for event in events if event.run)) / 1e9,
        "late_ms": late_ms,
        "cpu": time.process_time(),
    }


if __name__ == "__main__":
    measured = asyncio.run(frames(int(sys.argv[3])) if sys.argv[1] == "frames" else stream())
    with os.fdopen(int(sys.argv[2]), "w") as report:
        json.dump(measured, report)
