"""One run, from its start to its end: arm all lanes, wait for a trigger, let it settle, tear down.

The runner knows no protocol. It asks lanes for what they hold and the server side for what still runs, and it
never waits without a bound: a lane that hangs is reported as what it holds, not waited for.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

from probes.events import Census, LanePlan, Residue, RunEnded, RunStarted, SpanFailed, TeardownStarted
from probes.lanes.base import Lane
from probes.scope import CancelScope
from probes.sink import Sink
from probes.tasks import TaskKeeper

_PREPARE_TIMEOUT = 20.0
_TEARDOWN_TIMEOUT = 5.0
_HANDLERS_TIMEOUT = 5.0


@dataclass(frozen=True, slots=True)
class RunPlan:
    """What to run. Seconds; ``limit`` ends a run that nobody triggers."""

    run: int
    scenario: str
    title: str
    lanes: tuple[LanePlan, ...]
    deadline: float | None
    settle: float
    limit: float


HandlersGone = Callable[[int, str], Awaitable[None]]
"""(run, lane): returns when nothing of it runs on the server side."""
HandlersLeft = Callable[[int, str], Mapping[str, int]]
"""(run, lane): what of it runs there still, by name."""
TakeCensus = Callable[[], Awaitable[dict[str, int]]]
"""What everybody holds now, by name."""


class Runner:
    """Carries out one ``RunPlan``. ``cancel`` and ``stop`` may be called while ``run`` is awaited."""

    def __init__(
        self,
        sink: Sink,
        tasks: TaskKeeper,
        plan: RunPlan,
        lanes: Sequence[Lane],
        gone: HandlersGone,
        left: HandlersLeft,
        hear_out: Callable[[], Awaitable[None]],
        census: TakeCensus | None = None,
    ) -> None:
        self._sink, self._tasks, self._plan, self._lanes = sink, tasks, plan, lanes
        self._gone, self._left, self._hear_out, self._census = gone, left, hear_out, census
        self._scope = CancelScope(sink, plan.run)
        self._stop = asyncio.Event()
        self._outcome = ("settled", "")
        self._calling = False
        self._early: list[Callable[[], int]] = []
        """Cancels that came before the calls had begun."""

    def cancel(self, cause: str, *, lane: str = "", key_ns: int = 0) -> int:
        """Fire the scope, or one lane of it. Returns how many lanes were told; before the calls have begun none is,
        and they will be as soon as they have."""
        fire = partial(self._scope.fire, cause, lane=lane, key_ns=key_ns)
        if self._calling:
            return fire()
        self._early.append(fire)
        return 0

    def stop(self, outcome: str, detail: str) -> None:
        """End the run now, without waiting for it to settle."""
        self._outcome = (outcome, detail)
        self._scope.fire("run stopped")
        self._stop.set()

    async def run(self) -> None:
        plan = self._plan
        self._sink.emit(
            RunStarted,
            run=plan.run,
            scenario=plan.scenario,
            title=plan.title,
            lanes=plan.lanes,
            deadline=plan.deadline,
            settle=plan.settle,
        )
        await self._count("before")
        if await self._prepare() and not self._stop.is_set():
            await self._fire_and_settle()
        await self._tear_down()
        await self._hear_out()
        await self._count("after")
        self._sink.emit(RunEnded, run=plan.run, outcome=self._outcome[0], detail=self._outcome[1])

    async def _count(self, when: Literal["before", "after"]) -> None:
        if self._census is not None:
            self._sink.emit(Census, run=self._plan.run, when=when, held=await self._census())

    async def _prepare(self) -> bool:
        """Ready every lane; a lane that cannot be is reported, and then the run does not start."""
        results = await asyncio.gather(*(self._prepare_lane(lane) for lane in self._lanes))
        failed = [text for text in results if text]
        if failed:
            self._outcome = ("aborted", "; ".join(failed))
        return not failed

    async def _prepare_lane(self, lane: Lane) -> str:
        try:
            async with asyncio.timeout(_PREPARE_TIMEOUT):
                if lane.chain and not lane.takes_links:
                    # Links that nothing passes through would be rows without evidence.
                    raise NotImplementedError("its calls pass no middleware: leave middleware out")
                await lane.prepare()
                lane.bench.disturb(lane.plan, "start")
        except Exception as error:  # noqa: BLE001 - a client library may raise anything; the run says what
            name = lane.plan.lane
            self._sink.emit(
                SpanFailed,
                run=self._plan.run,
                lane=name,
                layer="client",
                span=0,
                name="prepare",
                error=type(error).__name__,
                evidence=str(error)[:200],
            )
            return f"{name} could not be prepared: {type(error).__name__} {error}".strip()
        return ""

    async def _fire_and_settle(self) -> None:
        # A collection in mid-run would be seen as lag; the teardown collects.
        gc.collect()
        gc.disable()
        try:
            callers = [self._start(lane) for lane in self._lanes]
            self._calling = True
            for fire in self._early:
                # Behind the first step of each call: a task that is cancelled before it never runs at all.
                asyncio.get_running_loop().call_soon(fire)
            settling = self._tasks.start(self._settle(callers), name="settle")
            stopped = self._tasks.start(self._stop.wait(), name="stop")
            await asyncio.wait({settling, stopped}, return_when=asyncio.FIRST_COMPLETED)
            for task in (settling, stopped):
                task.cancel()
            await asyncio.wait({settling, stopped})
        finally:
            gc.enable()

    def _start(self, lane: Lane) -> asyncio.Task[None]:
        task = self._tasks.start(lane.caller(), name=f"caller {lane.plan.lane}")
        self._scope.add(lane.plan.lane, task, lambda: lane.strike(task), lambda: lane.how)
        lane.fire = lambda cause, detail: self._scope.fire(cause, lane=lane.plan.lane, detail=detail)
        return task

    async def _settle(self, callers: list[asyncio.Task[None]]) -> None:
        loop = asyncio.get_running_loop()
        timers = [loop.call_later(self._plan.limit, self._scope.fire, "run limit")]
        if self._plan.deadline is not None:
            timers.append(loop.call_later(self._plan.deadline, self._scope.fire, "scope deadline"))
        watchers = [self._tasks.start(self._watch(lane), name=f"resource {lane.plan.lane}") for lane in self._lanes]
        try:
            await self._over(callers)
            await asyncio.wait(watchers, timeout=self._plan.settle)
        finally:
            for timer in timers:
                timer.cancel()
            for watcher in watchers:
                watcher.cancel()

    async def _over(self, callers: list[asyncio.Task[None]]) -> None:
        """Until every call has ended; one that was told and hangs gets the settle time and no more."""
        ended = self._tasks.start(_all_done(callers), name="calls ended")
        told = self._tasks.start(self._scope.complete.wait(), name="all told")
        try:
            await asyncio.wait({ended, told}, return_when=asyncio.FIRST_COMPLETED)
            await asyncio.wait({ended}, timeout=self._plan.settle)
        finally:
            ended.cancel()
            told.cancel()

    async def _watch(self, lane: Lane) -> None:
        """Until the lane holds nothing and its server side is idle."""
        evidence = await lane.released()
        if evidence is not None:
            lane.holding.released(evidence)
        else:
            await asyncio.Event().wait()
        await self._gone(self._plan.run, lane.plan.lane)
        await lane.settled()

    async def _tear_down(self) -> None:
        for lane in self._lanes:
            self._report(lane)
        for lane in self._lanes:
            self._sink.emit(TeardownStarted, run=self._plan.run, lane=lane.plan.lane)
        await asyncio.gather(*(self._tear_down_lane(lane) for lane in self._lanes))
        # A task keeps its exception, and that the frames in which the client's sockets are: only without it they go.
        self._scope.forget()
        gc.collect()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_HANDLERS_TIMEOUT):
                for lane in self._lanes:
                    await self._gone(self._plan.run, lane.plan.lane)

    def _report(self, lane: Lane) -> None:
        held = {**self._left(self._plan.run, lane.plan.lane), **lane.held()}
        left = {name: count for name, count in held.items() if count}
        self._sink.emit(Residue, run=self._plan.run, lane=lane.plan.lane, layer="resource", held=left)

    async def _tear_down_lane(self, lane: Lane) -> None:
        try:
            async with asyncio.timeout(_TEARDOWN_TIMEOUT):
                # What is torn down must come through, or a frozen connection would outlive its run.
                lane.bench.tap.clear()
                await lane.chain.close()
                await lane.teardown()
                lane.bench.tap.renew()
        except Exception as error:  # noqa: BLE001 - closing may raise anything; the run goes on to its end
            self._tasks.report(f"teardown of {lane.plan.lane}", error)


async def _all_done(tasks: list[asyncio.Task[None]]) -> None:
    await asyncio.wait(tasks)
