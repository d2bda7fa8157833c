"""A run from its start to its end, over lanes that wait for the test: whatever they do, it ends and says how."""

from __future__ import annotations

import asyncio
import contextlib
import gc
from collections.abc import AsyncIterator, Sequence

import pytest

from probes.events import PhaseReached, Residue, RunEnded, RunStarted, Signal, SpanFailed, TeardownStarted, Trigger
from probes.machine import State
from probes.runner import Runner, RunPlan
from probes.state import Moment
from probes.verdict import CLEAN, LEAK, NOT_CANCELLED, verdict
from tests.kit.bench_kit import RUN, Waiting, Workshop, workshop

LANES = ("a", "b")


class Run:
    """A run over ``lanes``, and what its runner asked of the rest of the lab."""

    def __init__(
        self,
        shop: Workshop,
        lanes: Sequence[Waiting],
        *,
        deadline: float | None = None,
        settle: float = 10.0,
        limit: float = 60.0,
    ) -> None:
        self.shop, self.lanes = shop, lanes
        self.handlers = {lane.plan.lane: 0 for lane in lanes}
        self.idle = asyncio.Event()
        """To be set when the handlers that were counted are gone."""
        self.heard_out = 0
        plans = tuple(lane.plan for lane in lanes)
        plan = RunPlan(RUN, "test", "test", plans, deadline, settle, limit)
        self.runner = Runner(shop.sink, shop.tasks, plan, lanes, self._gone, self._left, self._hear_out)
        self.task = shop.tasks.start(self.runner.run(), name="run")

    async def _gone(self, run: int, lane: str) -> None:
        assert run == RUN
        if self.handlers[lane]:
            await self.idle.wait()

    def _left(self, run: int, lane: str) -> dict[str, int]:
        assert run == RUN
        return {"handlers": self.handlers[lane]}

    async def _hear_out(self) -> None:
        assert self.shop.of(RunEnded) == []
        self.heard_out += 1

    async def armed(self) -> None:
        await self.shop.until(lambda: len(self.shop.of(PhaseReached)) == len(self.lanes))

    async def ended(self) -> RunEnded:
        """Wait for the end; every lane was reported and torn down once before it."""
        async with asyncio.timeout(10):
            await self.task
        (end,) = self.shop.of(RunEnded)
        assert end is self.shop.events[-1]
        assert self.heard_out == 1
        for kind in (Residue, TeardownStarted):
            assert [event.lane for event in self.shop.of(kind)] == [lane.plan.lane for lane in self.lanes]
        assert gc.isenabled()
        return end

    def held(self, lane: str) -> dict[str, int]:
        return self.shop.of(Residue, lane)[0].held

    def verdict(self, lane: str) -> str:
        state = self.shop.state()
        return verdict(self.shop.lane(lane), state.ended or 0)

    def told(self) -> list[tuple[str, str]]:
        return [(event.lane, event.cause) for event in self.shop.of(Signal)]


@pytest.fixture
async def shop() -> AsyncIterator[Workshop]:
    async with workshop() as shop:
        yield shop


def two(shop: Workshop) -> list[Waiting]:
    return [Waiting(shop, name) for name in LANES]


async def test_a_run_that_is_cancelled_and_settles(shop: Workshop) -> None:
    run = Run(shop, two(shop))
    await run.armed()
    assert not gc.isenabled()
    assert run.runner.cancel("key", key_ns=7) == 2
    end = await run.ended()
    assert (end.outcome, end.detail) == ("settled", "")
    assert [type(event) for event in shop.events[:1]] == [RunStarted]
    assert run.told() == [("a", "key"), ("b", "key")]
    for name in LANES:
        lane = shop.lane(name)
        assert (lane.client.state, lane.client.violations) == (State.CANCELLED, ())
        moments = [lane.layer("caller").first(Moment.DONE), lane.layer("client").first(Moment.DONE)]
        moments.append(lane.layer("resource").first(Moment.CLEANUP))
        assert all(moments)
        assert run.held(name) == {}
        assert run.verdict(name) == CLEAN


async def test_a_cancel_before_the_calls_have_begun_is_kept_for_them(shop: Workshop) -> None:
    run = Run(shop, two(shop))
    assert run.runner.cancel("key", lane="b", key_ns=7) == 0
    assert run.runner.cancel("key", key_ns=8) == 0
    assert (await run.ended()).outcome == "settled"
    assert [lane.calls for lane in run.lanes] == [1, 1]
    assert [(event.lane, event.key_ns) for event in shop.of(Signal)] == [("b", 7), ("a", 8)]
    assert run.verdict("a") == run.verdict("b") == CLEAN


async def test_cancelled_twice_and_after_the_end(shop: Workshop) -> None:
    run = Run(shop, two(shop))
    await run.armed()
    assert [run.runner.cancel("key") for _ in range(3)] == [2, 0, 0]
    await run.ended()
    assert run.runner.cancel("key") == 0
    assert len(run.told()) == 2
    assert len(shop.of(Trigger)) == 1


async def test_one_lane_is_cancelled_while_the_others_go_on(shop: Workshop) -> None:
    first, second = two(shop)
    run = Run(shop, [first, second])
    await run.armed()
    assert run.runner.cancel("key", lane="a") == 1
    await first.over.wait()
    assert not second.over.is_set()
    second.call.set_result(None)
    assert (await run.ended()).outcome == "settled"
    assert run.told() == [("a", "key")]
    assert (run.verdict("a"), run.verdict("b")) == (CLEAN, NOT_CANCELLED)
    assert shop.lane("b").zero is None


async def test_a_lane_that_has_ended_is_not_cancelled(shop: Workshop) -> None:
    first, second = two(shop)
    run = Run(shop, [first, second])
    await run.armed()
    first.call.set_exception(ValueError("broken"))
    await first.over.wait()
    assert run.runner.cancel("key", lane="a") == 0
    assert run.runner.cancel("key") == 1
    await run.ended()
    assert run.told() == [("b", "key")]
    assert shop.lane("a").zero is None


async def test_the_deadline_is_the_scopes(shop: Workshop) -> None:
    run = Run(shop, two(shop), deadline=0.02)
    await run.ended()
    assert [(event.lane, event.cause) for event in shop.of(Trigger)] == [("", "scope deadline")]
    assert run.told() == [(name, "scope deadline") for name in LANES]


async def test_a_run_that_nobody_triggers_meets_its_limit(shop: Workshop) -> None:
    run = Run(shop, two(shop), limit=0.02)
    await run.ended()
    assert run.told() == [(name, "run limit") for name in LANES]


# --- stopped ------------------------------------------------------------------------------------------


async def test_stopped_in_mid_run(shop: Workshop) -> None:
    run = Run(shop, two(shop))
    await run.armed()
    run.runner.stop("aborted", "servers died: SIGKILL")
    end = await run.ended()
    assert (end.outcome, end.detail) == ("aborted", "servers died: SIGKILL")
    assert all(lane.over.is_set() for lane in run.lanes)
    assert run.told() == [(name, "run stopped") for name in LANES]


async def test_stopped_before_the_calls_have_begun_none_begins(shop: Workshop) -> None:
    run = Run(shop, two(shop))
    run.runner.stop("aborted", "the lab is closing")
    assert (await run.ended()).detail == "the lab is closing"
    assert [lane.calls for lane in run.lanes] == [0, 0]
    assert shop.of(Signal) == []


class Unready(Waiting):
    async def prepare(self) -> None:
        raise ConnectionRefusedError("nobody there")


async def test_a_lane_that_cannot_be_prepared_keeps_the_others_from_beginning(shop: Workshop) -> None:
    run = Run(shop, [Waiting(shop, "a"), Unready(shop, "b")])
    end = await run.ended()
    assert (end.outcome, end.detail) == ("aborted", "b could not be prepared: ConnectionRefusedError nobody there")
    (failed,) = shop.of(SpanFailed)
    assert (failed.lane, failed.name, failed.error) == ("b", "prepare", "ConnectionRefusedError")
    assert [lane.calls for lane in run.lanes] == [0, 0]


# --- what does not come back ----------------------------------------------------------------------------


class Deaf(Waiting):
    """Its library swallows the cancel, and then waits for ``let_go``."""

    def __init__(self, shop: Workshop, name: str) -> None:
        super().__init__(shop, name)
        self.let_go = asyncio.Event()

    async def exchange(self) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await super().exchange()
        await self.let_go.wait()


@pytest.mark.parametrize("other", ["told", "ends"])
async def test_a_call_that_hangs_after_its_cancel_does_not_hold_the_run(shop: Workshop, other: str) -> None:
    deaf, second = Deaf(shop, "a"), Waiting(shop, "b")
    run = Run(shop, [deaf, second], settle=0.05)
    await run.armed()
    if other == "told":
        run.runner.cancel("key")
    else:
        run.runner.cancel("key", lane="a")
        second.call.set_result(None)
    assert (await run.ended()).outcome == "settled"
    assert not deaf.over.is_set()
    deaf.let_go.set()
    await deaf.over.wait()


class Holding(Waiting):
    """Its slot never comes back."""

    async def released(self) -> str | None:
        return None

    def held(self) -> dict[str, int]:
        return {"slots": 1, "streams": 0}


async def test_what_is_held_is_named(shop: Workshop) -> None:
    run = Run(shop, [Holding(shop, "a"), Waiting(shop, "b")], settle=0.05)
    run.handlers["b"] = 2
    await run.armed()
    run.runner.cancel("key")
    await shop.until(lambda: shop.of(TeardownStarted))
    assert shop.of(RunEnded) == []
    run.idle.set()
    assert (await run.ended()).outcome == "settled"
    assert (run.held("a"), run.held("b")) == ({"slots": 1}, {"handlers": 2})
    assert run.verdict("a") == LEAK


class Broken(Waiting):
    async def teardown(self) -> None:
        raise OSError("cannot be closed")


async def test_a_teardown_that_fails_is_reported_and_the_run_ends() -> None:
    async with workshop() as shop:
        run = Run(shop, [Broken(shop, "a"), Waiting(shop, "b")])
        await run.armed()
        run.runner.cancel("key")
        assert (await run.ended()).outcome == "settled"
        ((name, error),) = shop.errors
        assert (name, str(error)) == ("teardown of a", "cannot be closed")
        shop.errors.clear()


async def test_a_lane_that_leads_nothing_through_its_middleware_does_not_pretend_to(shop: Workshop) -> None:
    lanes = [Waiting(shop, "a", middleware=("pass",)), Waiting(shop, "b")]
    end = await Run(shop, lanes).ended()
    assert end.outcome == "aborted"
    assert "its calls pass no middleware" in end.detail
