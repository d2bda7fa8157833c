"""What every lane does: one start, one end, one cleanup a row, and a trigger of its own that nothing precedes."""

from __future__ import annotations

import asyncio

import pytest

from probes.clock import Stamp
from probes.events import RunStarted, SpanEnded, Trigger
from probes.lanes.timers import TIMER_ERR_NS, due
from probes.machine import State
from probes.state import Moment
from probes.verdict import offset
from tests.kit.bench_kit import RUN, Waiting, Workshop, workshop

MS = 1_000_000


class Timed(Waiting):
    """Its library's timer was due ``later`` ns after it fired."""

    later = 0

    def own_timeout(self, error: BaseException) -> tuple[str, Stamp] | None:
        at = due(Stamp(self.bench.sink.clock.now().t + self.later), 0.0)
        return ("its timer", at) if isinstance(error, TimeoutError) else None


def begin(shop: Workshop, lane: Waiting) -> asyncio.Task[None]:
    shop.sink.emit(RunStarted, run=RUN, scenario="test", title="test", lanes=(lane.plan,))
    return shop.tasks.start(lane.caller(), name="caller")


async def timed_out(later: int) -> Workshop:
    async with workshop() as shop:
        lane = Timed(shop)
        lane.later = later
        task = begin(shop, lane)
        await lane.ready.wait()
        lane.call.set_exception(TimeoutError("too long"))
        await task
        return shop


@pytest.mark.parametrize("later", [0, MS // 2])
async def test_a_timer_is_never_later_than_what_it_brought_about(later: int) -> None:
    """libuv's count whole milliseconds, so one fires up to that much before it was due."""
    shop = await timed_out(later)
    lane = shop.lane("waiting")
    assert lane.zero is not None
    assert (lane.zero.cause, lane.zero.own) == ("its timer", True)
    done = lane.layer("client").first(Moment.DONE)
    assert done is not None
    assert done.evidence == "TimeoutError too long"
    since = offset(lane, done)
    assert since == 0
    assert lane.client.state is State.FAILED
    assert shop.of(Trigger)[0].err == TIMER_ERR_NS


async def test_each_row_starts_ends_and_is_cleaned_up_once() -> None:
    async with workshop() as shop:
        lane = Waiting(shop)
        task = begin(shop, lane)
        await lane.ready.wait()
        lane.call.set_result(None)
        await task
        lane.client_ended(TimeoutError("said after the end, and so not said"))
        lane.holding.released("given back")
        lane.holding.released("given back again")
    ends = [event for event in shop.events if isinstance(event, SpanEnded)]
    assert [event.layer for event in ends] == ["client", "caller"]
    rows = shop.lane("waiting").layers
    assert [row.layer for row in rows if row.started is not None] == ["caller", "client", "resource"]
    assert all(row.ended for row in rows if row.started is not None)


async def test_an_error_that_is_no_timer_of_its_own_is_no_trigger() -> None:
    async with workshop() as shop:
        lane = Timed(shop)
        task = begin(shop, lane)
        await lane.ready.wait()
        lane.call.set_exception(ValueError("\nno good\nat all"))
        await task
    assert shop.of(Trigger) == []
    (client, caller) = [event for event in shop.events if isinstance(event, SpanEnded)]
    assert (client.evidence, caller.evidence) == ("no good", "no good")


async def test_an_asyncio_timeout_is_the_trigger_of_what_it_cancels() -> None:
    async with workshop() as shop:
        lane = Waiting(shop, timeouts={"asyncio.timeout": 0.02})
        await begin(shop, lane)
    found = shop.lane("waiting")
    assert found.zero is not None
    assert found.zero.cause == "asyncio.timeout"
    assert [row.outcome for row in found.layers[:2]] == ["failed", "cancelled"]
    since = offset(found, found.layer("client").first(Moment.DONE))
    assert since is not None
    assert since >= 0
