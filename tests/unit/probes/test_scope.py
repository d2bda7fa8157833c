"""One cancel over many tasks: each is told once, all before anything is said of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from probes.events import Layer, Signal, SpanCancelled, Trigger
from probes.scope import CancelScope
from probes.span import Span
from tests.kit.bench_kit import RUN, Workshop, workshop

LANES = ("a", "b", "c")


class Scope:
    """A scope with a task for each lane, that waits until it is cancelled or ``end`` is called."""

    def __init__(self, shop: Workshop) -> None:
        self.shop = shop
        self.scope = CancelScope(shop.sink, RUN)
        self.ends = {lane: asyncio.Event() for lane in LANES}
        self.cancels: list[str] = []
        self.tasks: dict[str, asyncio.Task[None]] = {}

    async def begin(self) -> None:
        for lane in LANES:
            self.tasks[lane] = self.shop.tasks.start(self._wait(lane), name=lane)
            self.scope.add(lane, self.tasks[lane])
        await asyncio.sleep(0)

    async def _wait(self, lane: str) -> None:
        span = Span(self.shop.sink, run=RUN, lane=lane, layer="caller", name="call")
        try:
            await self.ends[lane].wait()
        except asyncio.CancelledError as error:
            self.cancels.append(lane)
            span.cancelled(error)
            raise

    async def end(self, lane: str) -> None:
        self.ends[lane].set()
        await asyncio.wait({self.tasks[lane]})

    async def over(self) -> None:
        await asyncio.wait(self.tasks.values())


@pytest.fixture
async def scope() -> AsyncIterator[Scope]:
    async with workshop() as shop:
        scope = Scope(shop)
        await scope.begin()
        yield scope
        for lane in LANES:
            scope.ends[lane].set()
        await scope.over()


async def test_all_are_told_and_then_it_is_said(scope: Scope) -> None:
    assert scope.scope.fire("key", key_ns=5, detail="c") == 3
    assert scope.scope.complete.is_set()
    assert scope.shop.of(Trigger) == []
    await scope.over()
    await asyncio.sleep(0)
    assert scope.cancels == [*LANES]
    (trigger,) = scope.shop.of(Trigger)
    assert (trigger.run, trigger.lane, trigger.cause, trigger.detail) == (RUN, "", "key", "c")
    signals = scope.shop.of(Signal)
    assert [(event.lane, event.layer, event.cause, event.how, event.key_ns) for event in signals] == [
        (lane, "caller", "key", "task.cancel", 5) for lane in LANES
    ]
    times = [trigger.t, *(event.t for event in signals), *(event.t for event in scope.shop.of(SpanCancelled))]
    assert times == sorted(times)
    assert scope.shop.of(SpanCancelled)[-1].seq < trigger.seq


async def test_a_second_cancel_reaches_nobody(scope: Scope) -> None:
    assert scope.scope.fire("key") == 3
    assert scope.scope.fire("key") == scope.scope.fire("deadline") == scope.scope.fire("key", lane="a") == 0
    assert {task.cancelling() for task in scope.tasks.values()} == {1}
    await scope.over()
    await asyncio.sleep(0)
    assert scope.scope.fire("key") == 0
    assert scope.cancels == [*LANES]
    assert (len(scope.shop.of(Trigger)), len(scope.shop.of(Signal))) == (1, 3)


async def test_one_lane_and_then_the_rest(scope: Scope) -> None:
    assert scope.scope.fire("key", lane="b") == 1
    await asyncio.wait({scope.tasks["b"]})
    assert scope.cancels == ["b"]
    assert not scope.scope.complete.is_set()
    assert scope.scope.fire("key") == 2
    await scope.over()
    await asyncio.sleep(0)
    assert scope.scope.complete.is_set()
    assert [(event.lane, event.cause) for event in scope.shop.of(Trigger)] == [("b", "key"), ("", "key")]
    assert [event.lane for event in scope.shop.of(Signal)] == ["b", "a", "c"]


async def test_a_lane_that_is_not_there_is_no_trigger(scope: Scope) -> None:
    assert scope.scope.fire("key", lane="nobody") == 0
    await asyncio.sleep(0)
    assert scope.shop.of(Trigger) == []


async def test_what_has_ended_is_left_alone(scope: Scope) -> None:
    await scope.end("a")
    assert scope.scope.fire("key", lane="a") == 0
    assert scope.scope.fire("key") == 2
    await scope.over()
    await asyncio.sleep(0)
    assert [event.lane for event in scope.shop.of(Signal)] == ["b", "c"]
    assert scope.tasks["a"].cancelling() == 0


@pytest.mark.parametrize("told_first", [True, False])
async def test_it_is_complete_when_the_rest_has_ended_by_itself(scope: Scope, told_first: bool) -> None:
    """Otherwise a run would wait for ever for one that was told and hangs."""
    if told_first:
        scope.scope.fire("key", lane="a")
    for lane in ("b", "c"):
        await scope.end(lane)
    if not told_first:
        assert not scope.scope.complete.is_set()
        scope.scope.fire("key", lane="a")
    assert scope.scope.complete.is_set()


async def test_a_lane_with_a_way_of_its_own() -> None:
    async with workshop() as shop:
        scope = CancelScope(shop.sink, RUN)
        told = asyncio.Event()

        def strike() -> Layer:
            told.set()
            return "client"

        task = shop.tasks.start(told.wait(), name="call")
        scope.add("a", task, strike, lambda: "call.cancel")
        assert scope.fire("key") == 1
        await task
        (signal,) = await shop.until(lambda: shop.of(Signal))
        assert (signal.layer, signal.how) == ("client", "call.cancel")
        assert task.cancelling() == 0
