"""A handler's life where no client can lead it: closed, cancelled again and again, with a cleanup that fails."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

import pytest

from probes.events import CancelSwallowed, CleanedUp, Event, SpanCancelled, SpanCompleted, SpanStarted
from probes.sink import Sink
from probes.tasks import TaskKeeper
from servers.behaviours import Behaviour, SlowCleanup, make_behaviour
from servers.handler import Env, Handler, Told
from servers.hops import Hops
from servers.registry import Registry, Who

E = TypeVar("E", bound=Event)
WHO = Who(7, "grpc", "grpc", "127.0.0.1:1", "Slow/Unary")


class Bench:
    def __init__(self) -> None:
        self.events: list[Event] = []
        self.errors: list[BaseException] = []
        self.registry = Registry()
        self.tasks = TaskKeeper(lambda _name, error: self.errors.append(error))
        sink = Sink("servers", lambda event, _line: self.events.append(event))
        self.env = Env(sink, self.registry, self.tasks, Hops(sink, self.tasks))
        self.at_sleep = asyncio.Event()

    def handler(self, behaviour: Behaviour) -> Handler:
        return Handler(self.env, WHO, behaviour, lambda error: Told(f"a test: {type(error).__name__}"))

    async def life(self, behaviour: Behaviour) -> None:
        handler = self.handler(behaviour)

        async def work() -> str:
            self.at_sleep.set()
            await handler.sleep("sleep", 60)
            return ""

        await handler.run(work, {})

    def of(self, kind: type[E]) -> list[E]:
        return [event for event in self.events if isinstance(event, kind)]

    def kinds(self) -> list[type[Event]]:
        return [type(event) for event in self.events]


@pytest.fixture
def bench() -> Bench:
    return Bench()


async def test_a_coroutine_that_is_closed_awaits_no_cleanup(bench: Bench) -> None:
    life = bench.life(SlowCleanup(60))
    life.send(None)
    life.close()
    assert bench.kinds() == [SpanStarted, SpanCancelled, CleanedUp]
    _, end, cleaned = bench.events
    assert isinstance(end, SpanCancelled)
    assert isinstance(cleaned, CleanedUp)
    assert (end.error, end.evidence) == ("GeneratorExit", "at sleep, told by the closing of its coroutine")
    assert cleaned.evidence == "dropped: its coroutine was closed"
    assert len(bench.tasks) == 0
    await bench.registry.idle()


async def test_no_number_of_cancels_cuts_a_cleanup_off(bench: Bench) -> None:
    release = asyncio.Event()

    class Waits(Behaviour):
        def cleanup(self) -> Coroutine[Any, Any, None]:
            return self._wait()

        async def _wait(self) -> None:
            await release.wait()

    task = bench.tasks.start(bench.life(Waits()), name="life")
    await bench.at_sleep.wait()
    for _ in range(5):
        task.cancel()
        await asyncio.sleep(0)
    assert bench.kinds() == [SpanStarted, SpanCancelled]
    assert "at cleanup" in bench.registry.lines(bench.env.sink.clock.now())[0]
    release.set()
    await asyncio.wait({task})
    assert task.cancelled()
    assert bench.kinds() == [SpanStarted, SpanCancelled, CleanedUp]
    assert bench.registry.counts() == {"grpc": 0, "http/1.1": 0, "http/2": 0}


async def test_a_cleanup_that_fails_is_told_and_reported(bench: Bench) -> None:
    class Fails(Behaviour):
        def cleanup(self) -> Coroutine[Any, Any, None]:
            return self._fail()

        async def _fail(self) -> None:
            raise OSError("disk full")

    handler = bench.handler(Fails())

    async def work() -> str:
        return "done"

    await handler.run(work, {})
    assert bench.kinds() == [SpanStarted, SpanCompleted, CleanedUp]
    cleaned = bench.events[-1]
    assert isinstance(cleaned, CleanedUp)
    assert cleaned.evidence.startswith("finally ran, cleanup failed after ")
    assert [str(error) for error in bench.errors] == ["disk full"]


@pytest.mark.parametrize("cancels", [1, 3])
async def test_as_many_cancels_are_swallowed_as_were_asked_for(bench: Bench, cancels: int) -> None:
    task = bench.tasks.start(bench.life(make_behaviour(f"swallow:{cancels}")), name="life")
    await bench.at_sleep.wait()
    for _ in range(cancels):
        task.cancel()
        # One turn for the handler's task, one for the wait that it begins anew.
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    assert [event.n for event in bench.of(CancelSwallowed)] == list(range(1, cancels + 1))
    assert "at sleep" in bench.registry.lines(bench.env.sink.clock.now())[0]
    task.cancel()
    await asyncio.wait({task})
    assert task.cancelled()
    assert bench.kinds() == [SpanStarted, *[CancelSwallowed] * cancels, SpanCancelled, CleanedUp]
    assert len(bench.tasks) == 0
    await bench.registry.idle()


async def test_a_cancel_in_the_same_turn_as_the_works_end_loses_nothing(bench: Bench) -> None:
    handler = bench.handler(make_behaviour("swallow"))
    end = asyncio.Event()

    async def work() -> str:
        await end.wait()
        return "done"

    task = bench.tasks.start(handler.run(work, {}), name="life")
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    end.set()
    task.cancel()
    await task
    assert bench.kinds() == [SpanStarted, CancelSwallowed, SpanCompleted, CleanedUp]


async def test_a_shielded_task_that_is_closed_with_its_loop_is_still_in_the_registry(bench: Bench) -> None:
    life = bench.life(make_behaviour("shielded"))
    task = bench.tasks.start(life, name="life")
    await bench.at_sleep.wait()
    task.cancel()
    await asyncio.wait({task})
    assert bench.registry.counts()["grpc"] == 1
    await bench.tasks.close()
    assert bench.of(CleanedUp)[-1].evidence == "CancelledError at sleep, told by a test: CancelledError"
    await bench.registry.idle()
    assert bench.errors == []
