"""A handler that calls on: what it hands on of its deadline, and how the news of an end goes from hop to hop."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from probes.events import BudgetSeen, SpanCancelled, SpanStarted, Trigger
from servers.hops import Hop
from tests.kit.servers_kit import LANE, Raw, Servers

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module")
async def raw(servers: Servers) -> AsyncIterator[Raw]:
    async with await Raw.connect(servers.http) as client:
        yield client


def call_on(servers: Servers, run: int, **fields: object) -> None:
    """The handler of ``run`` will call this very server again, as the lane ``next``."""
    host, _, port = servers.http.rpartition(":")
    hop = {"run": run, "lane": LANE, "next_lane": "next", "protocol": "http/1.1", "host": host, "port": int(port)}
    servers.say(json.dumps({"cmd": "hop", "hop": {**hop, "seconds": 60.0, **fields}}).encode())


async def hopping(servers: Servers, raw: Raw, budget: str = "", **fields: object) -> int:
    """A request whose handler has called on, and whose call has arrived."""
    run = servers.new_run()
    call_on(servers, run, **fields)
    headers = f"x-cancelloscope-budget-ms: {budget}\r\n" if budget else ""
    await raw.get("/slow-headers?delay=60", run, headers=headers)
    await servers.until(lambda: [each for each in servers.handlers_of(SpanStarted, run) if each.lane == "next"])
    return run


def budgets(servers: Servers, run: int) -> dict[str, int | None]:
    return {event.lane: event.left_ns for event in servers.of(BudgetSeen, run) if event.layer == "server"}


async def test_a_client_that_goes_ends_every_hop(servers: Servers, raw: Raw) -> None:
    run = await hopping(servers, raw)
    raw.rst()
    cancelled = await servers.until(
        lambda: len(found := servers.handlers_of(SpanCancelled, run)) == 2 and {each.lane: each for each in found}
    )
    assert cancelled[LANE].evidence == "at the call of next, told by RST"
    assert cancelled["next"].evidence == "at sleep before head, told by FIN"
    assert cancelled[LANE].t < cancelled["next"].t
    rows = {event.layer for event in servers.of(SpanStarted, run) if event.lane == "next"}
    assert rows == {"caller", "client", "resource", "server"}


async def test_a_budget_is_passed_on_less_what_was_used(servers: Servers, raw: Raw) -> None:
    run = await hopping(servers, raw, budget="50000")
    found = budgets(servers, run)
    assert found[LANE] == 50_000_000_000
    left = found["next"]
    assert left is not None
    assert 0 < left <= 50_000_000_000


async def test_a_budget_that_is_not_passed_on_is_gone(servers: Servers, raw: Raw) -> None:
    run = await hopping(servers, raw, budget="50000", policy="not passed")
    assert budgets(servers, run) == {LANE: 50_000_000_000}


async def test_a_margin_is_kept_back(servers: Servers, raw: Raw) -> None:
    run = await hopping(servers, raw, budget="50000", policy="margin", margin=20.0)
    left = budgets(servers, run)["next"]
    assert left is not None
    assert left <= 30_000_000_000


async def test_a_budget_that_is_over_is_the_trigger_of_its_hop(servers: Servers, raw: Raw) -> None:
    run = await hopping(servers, raw, budget="400")
    assert (await raw.until(b"gave no answer\n")).startswith(b"HTTP/1.1 504")
    (trigger,) = await servers.until(lambda: servers.of(Trigger, run))
    assert (trigger.lane, trigger.cause) == ("next", "budget of next")


async def test_what_each_policy_hands_on() -> None:
    where = {"run": 1, "lane": "a", "next_lane": "b", "protocol": "http/1.1", "host": "h", "port": 1, "seconds": 1.0}
    assert Hop(**where).budget(2.0) == 2.0
    assert Hop(**where).budget(None) is None
    assert Hop(**where, policy="not passed").budget(2.0) is None
    assert Hop(**where, policy="margin", margin=0.5).budget(2.0) == 1.5
    assert Hop(**where, policy="margin", margin=5.0).budget(2.0) == 0.0
