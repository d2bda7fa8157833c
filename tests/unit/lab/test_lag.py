"""The loop's lateness is measured on the clock of the stamps whose error it is."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from itertools import pairwise

import pytest
import uvloop

from app.lab.lag import LagMeter
from probes.clock import Clock
from probes.events import Event, LoopLag
from probes.sink import Sink

BLOCKED = 0.012
LONGEST_WAIT_NS = 5_000_000
"""A block hides the part of its length that lies before the timer's due time, at most the meter's interval."""


class Bench:
    """A meter on the lab's loop, and what it says."""

    def __init__(self) -> None:
        self.said: list[LoopLag] = []
        self.news = asyncio.Event()
        self.clock = Clock()
        self.meter = LagMeter(Sink("lab", self._heard, self.clock))
        self.meter.run = 7

    def _heard(self, event: Event, _line: bytes) -> None:
        assert isinstance(event, LoopLag)
        self.said.append(event)
        self.news.set()

    async def block(self) -> tuple[int, LoopLag]:
        """Hold the loop up once; ns that it was blocked, and what the meter says of the time in which it was."""
        self.meter.flush()
        begun = time.monotonic_ns()
        time.sleep(BLOCKED)  # noqa: ASYNC251 - this is what is measured
        blocked = time.monotonic_ns() - begun
        self.news.clear()
        async with asyncio.timeout(10):
            await self.news.wait()
        return blocked, self.said[-1]


def on_the_labs_loop(test: Callable[[Bench], Awaitable[None]]) -> None:
    async def run() -> None:
        bench = Bench()
        bench.meter.start()
        try:
            await test(bench)
        finally:
            bench.meter.stop()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run())


def test_a_block_is_seen_in_nanoseconds_and_not_in_whole_milliseconds() -> None:
    async def test(bench: Bench) -> None:
        lags = []
        for _ in range(3):
            blocked, said = await bench.block()
            assert said.run == 7
            assert said.lag_ns >= blocked - LONGEST_WAIT_NS
            lags.append(said.lag_ns)
        assert any(lag % 1_000_000 for lag in lags), lags

    on_the_labs_loop(test)


def test_the_error_bar_of_a_stamp_is_the_lateness_and_falls_slowly() -> None:
    async def test(bench: Bench) -> None:
        time.sleep(BLOCKED)  # noqa: ASYNC251 - this is what is measured
        bars = [0]
        async with asyncio.timeout(10):
            while len(set(bars)) < 5:
                # One turn of the loop is at most one sample.
                await asyncio.sleep(0)
                bars.append(bench.clock.now().err)
        assert max(bars) > BLOCKED * 1e9 - LONGEST_WAIT_NS
        assert all(after >= before // 2 for before, after in pairwise(bars))

    on_the_labs_loop(test)


@pytest.mark.parametrize("started", [True, False])
def test_it_stops(started: bool) -> None:
    async def test() -> None:
        bench = Bench()
        if started:
            bench.meter.start()
        bench.meter.stop()
        await asyncio.sleep(0)
        assert bench.said == []

    asyncio.run(test())


def test_what_was_late_before_a_run_is_none_of_its_own() -> None:
    async def test(bench: Bench) -> None:
        time.sleep(BLOCKED)  # noqa: ASYNC251 - this is what is measured
        bench.meter.attribute(8)
        bench.meter.flush()
        before, after = bench.said
        assert (before.run, after.run) == (7, 8)
        assert before.lag_ns > BLOCKED * 1e9 - LONGEST_WAIT_NS
        assert after.lag_ns < before.lag_ns

    on_the_labs_loop(test)
